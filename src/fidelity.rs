//! Whether green is what blue is: their option settings, platform, tags and version, and
//! which differences are to be expected. Pure.

use std::collections::BTreeMap;
use std::fmt;

use crate::plan::{Plan, is_own_tag};

/// What two environments are compared by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// The environment's name.
    pub name: String,
    /// The environment's id, `e-…`.
    pub id: String,
    /// The platform's ARN, or the name of the solution stack where there is none.
    pub platform: String,
    /// The version label it runs.
    pub version: String,
    /// The option settings, by `NAMESPACE:OPTION`, with `[RESOURCE]` behind where they are
    /// for one of several.
    pub settings: BTreeMap<String, String>,
    /// The tags.
    pub tags: Vec<(String, String)>,
}

/// Something that green has otherwise than blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Of what: `version`, `platform`, `tag KEY` or an option's name.
    pub what: String,
    /// What it is to be: blue's value. None where blue has none.
    pub blue: Option<String>,
    /// What it is. None where green has none.
    pub green: Option<String>,
}

/// Stands for a value that is not shown: an application keeps its passwords there.
const HIDDEN: &str = "…";
/// The namespace of the application's environment variables.
const VARIABLES: &str = "aws:elasticbeanstalk:application:environment:";

/// What is an environment's own and never the same in a clone (developer guide, "General
/// options for all environments"): the security groups that the service makes for it, what
/// it derives for its stack, and the sizes, which the machine sees to.
const ITS_OWN: [&str; 6] = [
    "aws:autoscaling:asg:MinSize",
    "aws:autoscaling:asg:MaxSize",
    "aws:autoscaling:launchconfiguration:SecurityGroups",
    "aws:elb:loadbalancer:SecurityGroups",
    "aws:elbv2:loadbalancer:SecurityGroups",
    "aws:elbv2:loadbalancer:ManagedSecurityGroup",
];
/// The namespace of what it derives for its stack.
const STACK: &str = "aws:cloudformation:template:parameter:";

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.what)?;
        match (&self.blue, &self.green) {
            (Some(blue), Some(green)) => write!(f, "{green}, where blue has {blue}"),
            (Some(blue), None) => write!(f, "missing, where blue has {blue}"),
            (None, Some(green)) => write!(f, "{green}, where blue has none"),
            (None, None) => f.write_str("missing"),
        }
    }
}

impl Difference {
    /// The same as a diff from blue to green.
    #[must_use]
    pub fn as_diff(&self) -> String {
        let line = |sign, value: &Option<String>| {
            let value = value.as_ref();
            value.map(|value| format!("{sign} {} = {value}", self.what))
        };
        let lines = [line('-', &self.blue), line('+', &self.green)];
        lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
    }
}

/// What green has otherwise than blue and should not: green is to run the plan's version,
/// and everything else is to be blue's. Names and ids of the environments themselves are
/// taken for the same; what the plan expects to differ may. The values of environment
/// variables and passwords are not told.
#[must_use]
pub fn differences(plan: &Plan, blue: &Traits, green: &Traits) -> Vec<Difference> {
    let one = |what: &str, blue: &str, green: &str| {
        let given = |value: &str| Some(value.to_owned());
        (what.to_owned(), given(blue), given(green))
    };
    let mut compared = vec![
        one("version", plan.green_version(), &green.version),
        one("platform", &blue.platform, &green.platform),
    ];
    compared.extend(side_by_side(&own_tags(blue), &own_tags(green)));
    compared.extend(side_by_side(&neutral(blue), &neutral(green)));
    let is_expected = |what: &String| {
        ITS_OWN.contains(&what.as_str())
            || what.starts_with(STACK)
            || plan.expected_differences.contains(what)
    };
    compared
        .into_iter()
        .filter(|(what, blue, green)| blue != green && !is_expected(what))
        .map(|(what, blue, green)| {
            let shown = |value: Option<String>| match is_secret(&what) {
                true => value.map(|_| HIDDEN.to_owned()),
                false => value,
            };
            Difference {
                blue: shown(blue),
                green: shown(green),
                what,
            }
        })
        .collect()
}

fn own_tags(traits: &Traits) -> BTreeMap<String, String> {
    let own = traits.tags.iter().filter(|(key, _)| is_own_tag(key));
    own.map(|(key, value)| (format!("tag {key}"), value.clone()))
        .collect()
}

/// The settings with the environment's own name and id taken out of their values.
fn neutral(traits: &Traits) -> BTreeMap<String, String> {
    let neutral = |value: &String| {
        [&traits.id, &traits.name]
            .into_iter()
            .filter(|own| !own.is_empty())
            .fold(value.clone(), |value, own| {
                value.replace(own.as_str(), HIDDEN)
            })
    };
    let settings = traits.settings.iter();
    settings
        .map(|(name, value)| (name.clone(), neutral(value)))
        .collect()
}

fn is_secret(what: &str) -> bool {
    let what = what.to_ascii_lowercase();
    what.starts_with(VARIABLES)
        || ["password", "secret", "token"]
            .iter()
            .any(|s| what.contains(s))
}

/// Every name of either side with both values.
fn side_by_side(
    blue: &BTreeMap<String, String>,
    green: &BTreeMap<String, String>,
) -> Vec<(String, Option<String>, Option<String>)> {
    let mut names: Vec<&String> = blue.keys().chain(green.keys()).collect();
    names.sort();
    names.dedup();
    let side = |name: &String| {
        (
            name.clone(),
            blue.get(name).cloned(),
            green.get(name).cloned(),
        )
    };
    names.into_iter().map(side).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits(name: &str, id: &str) -> Traits {
        let settings = [
            ("aws:autoscaling:asg:MinSize", "2"),
            (
                "aws:autoscaling:launchconfiguration:InstanceType",
                "t3.small",
            ),
            ("aws:autoscaling:launchconfiguration:SecurityGroups", id),
            (
                "aws:elasticbeanstalk:application:environment:DB_URL",
                "hush",
            ),
            ("aws:elasticbeanstalk:cloudwatch:logs:Group", name),
        ];
        let own = |text: &str| text.to_owned();
        Traits {
            name: own(name),
            id: own(id),
            platform: own("arn:platform/Node/1.0"),
            version: own("v1"),
            settings: settings.map(|(name, value)| (own(name), own(value))).into(),
            tags: vec![
                (own("team"), own("shop")),
                (own("elasticbeanstalk:environment-id"), own(id)),
            ],
        }
    }

    fn pair() -> (Plan, Traits, Traits) {
        let plan = Plan {
            previous_version: "v1".to_owned(),
            ..Plan::sample("01J")
        };
        (
            plan,
            traits("shop-blue", "e-1"),
            traits("shop-green", "e-2"),
        )
    }

    #[test]
    fn a_clone_is_the_same() {
        let (plan, blue, mut green) = pair();
        let ours = ("bluegreen:deployment".to_owned(), "01J".to_owned());
        green.tags.push(ours);
        let sizes = "aws:autoscaling:asg:MinSize".to_owned();
        green.settings.insert(sizes, "3".to_owned());
        assert_eq!(differences(&plan, &blue, &green), []);
    }

    #[test]
    fn each_difference_is_told_and_no_secret() {
        let (mut plan, blue, mut green) = pair();
        "v0".clone_into(&mut green.version);
        "arn:platform/Node/2.0".clone_into(&mut green.platform);
        green.tags.clear();
        for (name, value) in [
            (
                "aws:autoscaling:launchconfiguration:InstanceType",
                "t3.nano",
            ),
            ("aws:elasticbeanstalk:application:environment:DB_URL", "shh"),
            ("aws:elasticbeanstalk:command:Timeout", "600"),
        ] {
            green.settings.insert(name.to_owned(), value.to_owned());
        }
        let found = differences(&plan, &blue, &green);
        let diff: Vec<_> = found.iter().map(Difference::as_diff).collect();
        assert_eq!(
            diff.join("\n"),
            "- version = v1\n\
             + version = v0\n\
             - platform = arn:platform/Node/1.0\n\
             + platform = arn:platform/Node/2.0\n\
             - tag team = shop\n\
             - aws:autoscaling:launchconfiguration:InstanceType = t3.small\n\
             + aws:autoscaling:launchconfiguration:InstanceType = t3.nano\n\
             - aws:elasticbeanstalk:application:environment:DB_URL = …\n\
             + aws:elasticbeanstalk:application:environment:DB_URL = …\n\
             + aws:elasticbeanstalk:command:Timeout = 600"
        );
        assert_eq!(found[0].to_string(), "version: v0, where blue has v1");
        plan.expected_differences = found.into_iter().map(|found| found.what).collect();
        assert_eq!(differences(&plan, &blue, &green), []);
    }
}
