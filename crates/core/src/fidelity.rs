//! Whether green is the same as blue: their option settings, platform, tags and version, and which
//! differences are expected. Pure.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::{Plan, TemplateSets, is_own_tag};

mod marks;
mod options;
mod same;

pub use marks::{Marked, Marks, drift};
pub use options::is_called;

use options::{GROUPS, is_its_own, is_secret, option, settings};
use same::{groups_differ, is_same, is_same_types, own_of_blue};

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
    /// The ARN of its operations role, where it has one.
    pub operations_role: Option<String>,
    /// The option settings, by `NAMESPACE:OPTION`, with `[RESOURCE]` behind where they are
    /// for one of several.
    pub settings: BTreeMap<String, String>,
    /// The tags.
    pub tags: Vec<(String, String)>,
}

/// Something in which green differs from blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Of what: `version`, `platform`, `operations role`, `tag KEY` or an option's name.
    pub what: String,
    /// What green must have: blue's value. None where blue has none.
    pub blue: Option<String>,
    /// What green has. None where it has none.
    pub green: Option<String>,
    /// What follows from it.
    pub weight: Weight,
}

/// Something in which another environment does not match blue word for word. Its values are not
/// hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// Of what, as in [`Difference::what`].
    pub what: String,
    /// Blue's value; none where it has none.
    pub blue: Option<String>,
    /// The other's value; none where it has none.
    pub other: Option<String>,
    /// What follows from it; none where nothing does: it is expected, each environment's
    /// own, or means the same.
    pub weight: Option<Weight>,
}

/// What follows from a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Weight {
    /// Green does not take production.
    Refuses,
    /// bluegreen reports it. A clone has the default of the day, or what the source bundle sets,
    /// where nothing was applied to blue itself.
    Warns,
}

/// What a difference of the operations roles is called: no option setting holds the role, so no
/// template does (API reference, `CreateEnvironment`).
pub const OPERATIONS_ROLE: &str = "operations role";
/// Stands for a value that is not shown: an application keeps its passwords there.
const HIDDEN: &str = "…";
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
    /// The difference as a diff from blue to green.
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

/// In what green differs from blue and should not: green must run the plan's version, and have
/// blue's value of everything else. Names and ids of the environments themselves count as the same;
/// what the plan expects to differ may. An option without a value is not set. The values of
/// environment variables and passwords are hidden.
#[must_use]
pub fn differences(plan: &Plan, blue: &Traits, green: &Traits) -> Vec<Difference> {
    let one = |what: &str, blue: &str, green: &str| {
        let given = |value: &str| Some(value.to_owned());
        (what.to_owned(), given(blue), given(green))
    };
    let mut compared = vec![
        one("version", plan.green_version(), &green.version),
        one("platform", &blue.platform, &green.platform),
        (
            OPERATIONS_ROLE.to_owned(),
            blue.operations_role.clone(),
            green.operations_role.clone(),
        ),
    ];
    compared.extend(side_by_side(&own_tags(blue), &own_tags(green)));
    compared.retain(|(_, blue, green)| blue != green);
    let (of_blue, of_green) = (settings(&blue.settings), settings(&green.settings));
    let mut options = side_by_side(&of_blue, &of_green);
    options.retain(|(what, of_blue, of_green)| match (of_blue, of_green) {
        _ if option(what) == GROUPS => groups_differ(plan, of_blue.as_deref(), of_green.as_deref()),
        (Some(of_blue), Some(of_green)) => {
            let rewritten = as_of(green, blue, of_blue);
            of_blue != of_green && !is_same(what, &rewritten, of_green)
        }
        _ => true,
    });
    if is_same_types(&of_blue, &of_green) {
        options.retain(|(what, ..)| !same::TYPES.contains(&option(what)));
    }
    compared.extend(options);
    let expected = &plan.wishes.expected_differences;
    let is_expected =
        |what: &str| is_its_own(what) || expected.iter().any(|expected| is_called(expected, what));
    compared
        .into_iter()
        .filter(|(what, ..)| !is_expected(what))
        .map(|(what, blue, green)| {
            let shown = |value: Option<String>| match is_secret(&what) {
                true => value.map(|_| HIDDEN.to_owned()),
                false => value,
            };
            Difference {
                blue: shown(blue),
                green: shown(green),
                weight: weight(plan, &what),
                what,
            }
        })
        .collect()
}

/// Everything in which green does not match blue word for word.
#[must_use]
pub fn every_difference(plan: &Plan, blue: &Traits, green: &Traits) -> Vec<Differing> {
    let judged = differences(plan, blue, green);
    let of_both = [blue, green].map(|traits| {
        let mut all = own_tags(traits);
        all.extend(settings(&traits.settings));
        all.insert("version".to_owned(), traits.version.clone());
        all.insert("platform".to_owned(), traits.platform.clone());
        let role = traits.operations_role.clone();
        all.extend(role.map(|role| (OPERATIONS_ROLE.to_owned(), role)));
        all
    });
    differing(&of_both[0], &of_both[1], |what| {
        let found = judged.iter().find(|difference| difference.what == what);
        found.map(|difference| difference.weight)
    })
}

/// Everything in which blue's template differs from blue, by the names of [`Traits::settings`]. A
/// template keeps only what was applied to blue itself, so that what it lacks says nothing; any
/// other value that it holds, green will get.
#[must_use]
pub fn template_differences(
    plan: &Plan,
    blue: &BTreeMap<String, String>,
    template: &BTreeMap<String, String>,
) -> Vec<Differing> {
    let [blue, template] = [blue, template].map(settings);
    differing(&blue, &template, |what| {
        let (of_blue, of_template) = (blue.get(what), template.get(what)?);
        let is_same = of_blue.is_some_and(|of_blue| is_same(what, of_blue, of_template));
        let is_expected = is_its_own(what)
            || option(what) == GROUPS
            || plan
                .wishes
                .expected_differences
                .iter()
                .any(|expected| is_called(expected, what));
        (!is_same && !is_expected).then_some(Weight::Warns)
    })
}

fn differing(
    blue: &BTreeMap<String, String>,
    other: &BTreeMap<String, String>,
    weight: impl Fn(&str) -> Option<Weight>,
) -> Vec<Differing> {
    let all = side_by_side(blue, other).into_iter();
    let unlike = all.filter(|(_, blue, other)| blue != other);
    unlike
        .map(|(what, blue, other)| Differing {
            weight: weight(&what),
            what,
            blue,
            other,
        })
        .collect()
}

/// Green must match what was applied to blue itself, which blue's template holds. Where bluegreen
/// does not know what that is, green must match everything.
fn weight(plan: &Plan, what: &str) -> Weight {
    let Some(sets) = &plan.template_sets else {
        return Weight::Refuses;
    };
    let is_option = what.contains(':') && !what.starts_with("tag ");
    let is_set = sets.options.iter().any(|name| is_called(name, what))
        // An environment in blue's own group would keep that from going.
        || option(what) == GROUPS
        || same::TYPES.contains(&option(what))
            && sets.options.iter().any(|name| same::TYPES.contains(&option(name)));
    match is_option && !is_set {
        true => Weight::Warns,
        false => Weight::Refuses,
    }
}

/// What blue's template sets, from its settings; and the security groups that green must get in
/// place of the template's, where the template keeps the group that the service made for blue: no
/// page documents whether it does, and blue could not be terminated while green's instances are in
/// that group.
#[must_use]
pub fn template_sets(plan: &Plan, settings: &BTreeMap<String, String>) -> TemplateSets {
    let set = settings.iter().filter(|(_, value)| !value.is_empty());
    let named = settings.iter().find(|(name, _)| option(name) == GROUPS);
    let groups = named.map(|(_, value)| same::listed(value));
    TemplateSets {
        options: set.map(|(name, _)| name.clone()).collect(),
        groups: groups.and_then(|groups| {
            let (own, others): (Vec<&str>, Vec<&str>) =
                groups.iter().partition(|group| own_of_blue(plan, group));
            let others = others.into_iter().map(str::to_owned).collect();
            (!own.is_empty()).then_some(others)
        }),
    }
}

fn own_tags(traits: &Traits) -> BTreeMap<String, String> {
    let own = traits.tags.iter().filter(|(key, _)| is_own_tag(key));
    own.map(|(key, value)| (format!("tag {key}"), value.clone()))
        .collect()
}

/// Blue's value with its name and id rewritten to green's.
fn as_of(green: &Traits, blue: &Traits, value: &str) -> String {
    let own = [(&blue.id, &green.id), (&blue.name, &green.name)];
    own.into_iter()
        .filter(|(of_blue, _)| !of_blue.is_empty())
        .fold(value.to_owned(), |value, (of_blue, of_green)| {
            value.replace(of_blue.as_str(), of_green)
        })
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
    use super::same::DOCUMENT;
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
            operations_role: None,
            settings: settings.map(|(name, value)| (own(name), own(value))).into(),
            tags: vec![
                (own("team"), own("shop")),
                (own("elasticbeanstalk:environment-id"), own(id)),
            ],
        }
    }

    fn set(traits: &mut Traits, name: &str, value: &str) {
        traits.settings.insert(name.to_owned(), value.to_owned());
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

    /// A difference in what was never applied to blue itself is a warning and stops nothing: the
    /// default of the day when blue was made is not today's.
    #[test]
    fn only_what_blues_template_sets_refuses() {
        const TIMEOUT: &str = "aws:elasticbeanstalk:command:Timeout";
        const AUTH: &str = "aws:elasticbeanstalk:healthreporting:system:EnhancedHealthAuthEnabled";
        let (mut plan, mut blue, mut green) = pair();
        for (name, of_blue, of_green) in [(TIMEOUT, "300", "600"), (AUTH, "false", "true")] {
            set(&mut blue, name, of_blue);
            set(&mut green, name, of_green);
        }
        green.tags.clear();
        let weights = |plan: &Plan| {
            let found = differences(plan, &blue, &green).into_iter();
            found.map(|d| (d.what, d.weight)).collect::<Vec<_>>()
        };
        let all = |auth: Weight| {
            let own = |name: &str| name.to_owned();
            let tag = (own("tag team"), Weight::Refuses);
            vec![tag, (own(TIMEOUT), Weight::Refuses), (own(AUTH), auth)]
        };
        assert_eq!(weights(&plan), all(Weight::Refuses), "nothing is known");
        let settings = [(format!("{TIMEOUT}[AWSEBX]"), "300".to_owned())].into();
        plan.template_sets = Some(template_sets(&plan, &settings));
        assert_eq!(weights(&plan), all(Weight::Warns));
    }

    #[test]
    fn every_difference_is_told_with_what_follows_from_it() {
        let (plan, mut blue, mut green) = pair();
        set(&mut blue, "a:List", "1,2");
        set(&mut green, "a:List", "2,1");
        set(&mut green, "a:More", "x");
        let found = every_difference(&plan, &blue, &green);
        let all: Vec<_> = found.iter().map(|d| (d.what.as_str(), d.weight)).collect();
        let groups = "aws:autoscaling:launchconfiguration:SecurityGroups";
        assert_eq!(
            all,
            [
                ("a:List", None),
                ("a:More", Some(Weight::Refuses)),
                (groups, None),
                ("aws:elasticbeanstalk:cloudwatch:logs:Group", None),
            ]
        );
        let template = [("a:List", "3"), ("a:More", "x")];
        let template = template.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found = template_differences(&plan, &blue.settings, &template.into());
        let otherwise: Vec<_> = found.iter().filter(|d| d.weight.is_some()).collect();
        assert_eq!(otherwise.len(), 2, "{otherwise:?}");
        assert!(found.len() > 2, "what it lacks is told too: {found:?}");
    }

    #[test]
    fn a_template_that_keeps_blues_group_is_overridden() {
        let mut plan = Plan {
            blue_id: "e-1".to_owned(),
            ..Plan::sample("01J")
        };
        let groups = |plan: &Plan, value: &str| {
            let name = "aws:autoscaling:launchconfiguration:SecurityGroups";
            let settings = [(format!("{name}[AWSEBX]"), value.to_owned())].into();
            template_sets(plan, &settings).groups
        };
        let list = |groups: &[&str]| Some(groups.iter().map(|&g| g.to_owned()).collect::<Vec<_>>());
        let named = "sg-app,awseb-e-1-stack-AWSEBSecurityGroup-1X";
        assert_eq!(groups(&plan, named), list(&["sg-app"]));
        assert_eq!(
            groups(&plan, "sg-1, sg-app"),
            None,
            "whose sg-1 is is not known"
        );
        plan.blue_group = Some(crate::plan::SecurityGroup {
            id: "sg-1".to_owned(),
            name: "n".to_owned(),
        });
        assert_eq!(groups(&plan, "sg-1, sg-app"), list(&["sg-app"]));
        assert_eq!(groups(&plan, "sg-1"), list(&[]));
        assert_eq!(groups(&plan, "sg-app"), None);
        let none = template_sets(&plan, &BTreeMap::new());
        assert_eq!(none, crate::plan::TemplateSets::default());
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
        plan.wishes.expected_differences = found.into_iter().map(|found| found.what).collect();
        assert_eq!(differences(&plan, &blue, &green), []);
    }

    /// Elastic Beanstalk would operate a green without blue's role with the rights of its caller.
    #[test]
    fn the_operations_role_is_compared() {
        let (mut plan, mut blue, green) = pair();
        blue.operations_role = Some("arn:aws:iam::123456789012:role/ops".to_owned());
        let found = differences(&plan, &blue, &green);
        let told: Vec<_> = found.iter().map(ToString::to_string).collect();
        let missing = "operations role: missing, where blue has arn:aws:iam::123456789012:role/ops";
        assert_eq!(told, [missing]);
        plan.wishes.expected_differences = vec![OPERATIONS_ROLE.to_owned()];
        assert_eq!(differences(&plan, &blue, &green), []);
    }

    /// As DescribeConfigurationSettings returns it for an older environment and for a new one.
    #[test]
    fn resources_of_the_stack_tell_no_difference() {
        let (plan, mut blue, mut green) = pair();
        let launched = [
            (&mut blue, "AWSEBAutoScalingLaunchConfiguration", "sg-1"),
            (&mut green, "AWSEBEC2LaunchTemplate", "sg-2"),
        ];
        for (traits, launch, group) in launched {
            let sizes = "aws:autoscaling:asg:MinSize";
            let size = traits.settings.remove(sizes).expect("it is set");
            set(traits, &format!("{sizes}[AWSEBAutoScalingGroup]"), &size);
            for (option, value) in [("SecurityGroups", group), ("ImageId", "ami-1")] {
                let name = format!("aws:autoscaling:launchconfiguration:{option}");
                traits.settings.remove(&name);
                set(traits, &format!("{name}[{launch}]"), value);
            }
            for balancer in ["elb", "elbv2"] {
                for option in ["SecurityGroups", "ManagedSecurityGroup"] {
                    let name = format!("aws:{balancer}:loadbalancer:{option}");
                    set(traits, &format!("{name}[AWSEBLoadBalancer]"), group);
                }
            }
            let source = "aws:cloudformation:template:parameter:AppSource";
            set(traits, source, group);
        }
        set(
            &mut green,
            "aws:autoscaling:asg:MinSize[AWSEBAutoScalingGroup]",
            "3",
        );
        set(
            &mut blue,
            "aws:elasticbeanstalk:managedactions:PreferredStartTime",
            "",
        );
        set(
            &mut green,
            "aws:autoscaling:asg:Custom Availability Zones",
            "",
        );
        assert_eq!(differences(&plan, &blue, &green), []);
    }

    #[test]
    fn what_is_expected_is_named_with_its_resource_or_without() {
        let image = "aws:autoscaling:launchconfiguration:ImageId";
        let nightly = "aws:autoscaling:scheduledaction:MinSize[nightly]";
        let (mut plan, mut blue, mut green) = pair();
        set(
            &mut blue,
            &format!("{image}[AWSEBEC2LaunchTemplate]"),
            "ami-1",
        );
        set(
            &mut green,
            &format!("{image}[AWSEBEC2LaunchTemplate]"),
            "ami-2",
        );
        set(&mut green, nightly, "1");
        let found = differences(&plan, &blue, &green);
        let found: Vec<_> = found.iter().map(|found| found.what.as_str()).collect();
        assert_eq!(found, [image, nightly]);
        for expected in [
            [image, nightly],
            [
                "aws:autoscaling:launchconfiguration:ImageId[AWSEBEC2LaunchTemplate]",
                "aws:autoscaling:scheduledaction:MinSize",
            ],
        ] {
            plan.wishes.expected_differences = expected.map(str::to_owned).into();
            assert_eq!(differences(&plan, &blue, &green), []);
        }
        plan.wishes.expected_differences = vec![
            "aws:autoscaling:launchconfiguration".to_owned(),
            "aws:autoscaling:scheduledaction:MinSize[weekly]".to_owned(),
        ];
        assert_eq!(differences(&plan, &blue, &green).len(), 2);
    }

    /// Two options of one name that differ in their resources alone.
    #[test]
    fn settings_of_several_resources_are_not_mixed_up() {
        let (plan, mut blue, mut green) = pair();
        let port = |of| format!("aws:elbv2:listener:Port[AWSEBV2LoadBalancerListener{of}]");
        for (traits, ports) in [(&mut blue, ["80", "81"]), (&mut green, ["81", "80"])] {
            set(traits, &port("A"), ports[0]);
            set(traits, &port("B"), ports[1]);
        }
        assert_eq!(differences(&plan, &blue, &green).len(), 2);
    }

    #[test]
    fn values_with_the_environments_names_in_them_are_compared_as_they_are_meant() {
        let profile = "aws:autoscaling:launchconfiguration:IamInstanceProfile";
        let queue = "aws:elasticbeanstalk:application:environment:QUEUE";
        let topic = "aws:elasticbeanstalk:sns:topics:Notification Topic ARN";
        let (plan, mut blue, mut green) = pair();
        for traits in [&mut blue, &mut green] {
            let name = traits.name.clone();
            set(traits, profile, "shop-blue-instances");
            set(traits, queue, "shop-blue-orders");
            set(traits, topic, &format!("arn:aws:sns:topic-{name}"));
        }
        assert_eq!(differences(&plan, &blue, &green), []);
        "prod".clone_into(&mut blue.name);
        for traits in [&mut blue, &mut green] {
            traits
                .settings
                .remove("aws:elasticbeanstalk:cloudwatch:logs:Group");
            set(traits, queue, "orders-of-production");
            set(traits, topic, "arn:aws:sns:production");
        }
        assert_eq!(differences(&plan, &blue, &green), []);
        // What merely has the other's name in its place is something else.
        set(&mut green, queue, "orders-of-shop-greenuction2");
        set(&mut green, profile, "shop-green-instances");
        assert_eq!(differences(&plan, &blue, &green).len(), 2);
    }

    #[test]
    fn a_document_is_the_same_in_any_order() {
        let (plan, mut blue, mut green) = pair();
        set(
            &mut blue,
            DOCUMENT,
            r#"{"Version":1,"Rules":{"a":null,"b":60}}"#,
        );
        set(
            &mut green,
            DOCUMENT,
            r#"{"Rules":{"b":60,"a":null},"Version":1}"#,
        );
        assert_eq!(differences(&plan, &blue, &green), []);
        set(
            &mut green,
            DOCUMENT,
            r#"{"Rules":{"b":10,"a":null},"Version":1}"#,
        );
        assert_eq!(differences(&plan, &blue, &green).len(), 1);
        set(&mut blue, DOCUMENT, "none");
        set(&mut green, DOCUMENT, "neither");
        assert_eq!(differences(&plan, &blue, &green).len(), 1);
    }
}
