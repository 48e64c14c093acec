//! Which values of an option are the same although they are written differently.

use std::collections::{BTreeMap, BTreeSet};

use super::options::{VARIABLES, option};
use crate::plan::Plan;

/// An option whose value is JSON, which the service writes with its keys in any order.
pub(super) const DOCUMENT: &str = "aws:elasticbeanstalk:healthreporting:system:ConfigDocument";
/// The types of instances: the option of environments of some years ago, and the one that has
/// come in its place.
pub(super) const TYPES: [&str; 2] = [
    "aws:autoscaling:launchconfiguration:InstanceType",
    "aws:ec2:instances:InstanceTypes",
];

/// Whether two values of an option mean the same: lists in any order, names and ARNs, units
/// as people write them (hashicorp/terraform#3157), JSON. The values of environment variables
/// are an application's, and mean what it says.
pub(super) fn is_same(what: &str, one: &str, other: &str) -> bool {
    let what = option(what);
    if what.starts_with(VARIABLES) {
        return one == other;
    }
    one == other
        || what == DOCUMENT && is_same_json(one, other)
        || is_same_list(one, other)
        || is_named(one, other)
        || is_named(other, one)
        || plain(one) == plain(other)
}

/// Whether the two list the same.
fn is_same_list(one: &str, other: &str) -> bool {
    let set = |text| listed(text).into_iter().collect::<BTreeSet<_>>();
    one.contains(',') && set(one) == set(other)
}

/// A value in its one canonical spelling, whichever spelling the service returned.
pub(super) fn canonical(what: &str, value: &str) -> String {
    let what = option(what);
    if what.starts_with(VARIABLES) {
        return value.to_owned();
    }
    if what == DOCUMENT
        && let Ok(parsed) = serde_json::from_str::<serde_json::Value>(value)
    {
        return parsed.to_string();
    }
    if value.contains(',') {
        let sorted: BTreeSet<_> = listed(value).into_iter().collect();
        return sorted.into_iter().collect::<Vec<_>>().join(",");
    }
    plain(value)
}

/// What a list holds.
pub(super) fn listed(list: &str) -> Vec<&str> {
    let parts = list.split(',').map(str::trim);
    parts.filter(|part| !part.is_empty()).collect()
}

/// Whether an ARN is of what is named so, its path included or not.
fn is_named(arn: &str, name: &str) -> bool {
    let resource = arn.strip_prefix("arn:").and_then(|rest| {
        let resource = rest.splitn(5, ':').nth(4)?;
        Some(resource.split_once(['/', ':']).map_or(resource, |(_, r)| r))
    });
    let Some(resource) = resource.filter(|_| !name.is_empty() && !name.starts_with("arn:")) else {
        return false;
    };
    resource == name
        || resource
            .strip_suffix(name)
            .is_some_and(|r| r.ends_with('/'))
}

/// `5 Minutes` as `5 minute`, `True` as `true`.
fn plain(value: &str) -> String {
    let lower = value.to_lowercase();
    match lower.split_once(' ') {
        Some((number, unit)) if number.parse::<u64>().is_ok() => {
            format!("{number} {}", unit.trim_end_matches('s'))
        }
        _ if matches!(lower.as_str(), "true" | "false") => lower,
        _ => value.to_owned(),
    }
}

fn is_same_json(one: &str, other: &str) -> bool {
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    parsed(one).is_some() && parsed(one) == parsed(other)
}

/// Whether both environments are of the same types of instances, although one names them by the
/// older option alone. Where both options are set, the newer one counts (developer guide, "General
/// options for all environments", `InstanceType`).
pub(super) fn is_same_types(
    blue: &BTreeMap<String, String>,
    green: &BTreeMap<String, String>,
) -> bool {
    let value = |of: &BTreeMap<String, String>, name: &str| {
        let found = of.iter().find(|(told, _)| option(told) == name);
        found.map(|(_, value)| value.clone())
    };
    let [older, newer] = TYPES;
    let types = |of| value(of, newer).or_else(|| value(of, older));
    let is_told = value(blue, newer).is_some() || value(green, newer).is_some();
    let same = |(one, other): (String, String)| one == other || is_same_list(&one, &other);
    is_told && types(blue).zip(types(green)).is_some_and(same)
}

/// Whether a security group is the one that the service made for blue.
pub(super) fn own_of_blue(plan: &Plan, group: &str) -> bool {
    let own = plan.blue_group.as_ref();
    let made = format!("awseb-{}-stack-AWSEBSecurityGroup", plan.blue_id);
    own.is_some_and(|own| own.id == group || own.name == group) || group.starts_with(&made)
}

/// Whether green's instances lack a security group that blue's have, are in blue's own or in
/// more than one that blue's are not: one the service makes for each environment.
pub(super) fn groups_differ(plan: &Plan, blue: Option<&str>, green: Option<&str>) -> bool {
    let [of_blue, of_green] = [blue, green].map(|list| listed(list.unwrap_or_default()));
    let (own, others): (Vec<&str>, Vec<&str>) =
        of_blue.iter().partition(|group| own_of_blue(plan, group));
    let lacking = others.iter().filter(|group| !of_green.contains(group));
    let more = of_green.iter().filter(|group| !of_blue.contains(group));
    // Where it is not known which one is blue's own, one of them may be.
    let unknown = usize::from(own.is_empty() && plan.blue_group.is_none());
    let shares = of_green.iter().any(|group| own_of_blue(plan, group));
    shares || lacking.count() > unknown || more.count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::SecurityGroup;

    #[test]
    fn values_that_are_written_otherwise_are_the_same() {
        let profile = "aws:autoscaling:launchconfiguration:IamInstanceProfile";
        let arn = "arn:aws:iam::123456789012:instance-profile/web/shop";
        for (what, one, other, same) in [
            (
                "aws:ec2:vpc:Subnets",
                "subnet-1,subnet-2",
                "subnet-2, subnet-1",
                true,
            ),
            (
                "aws:ec2:vpc:Subnets",
                "subnet-1,subnet-2",
                "subnet-1",
                false,
            ),
            (profile, arn, "shop", true),
            (profile, "web/shop", arn, true),
            (profile, arn, "op", false),
            (profile, arn, "", false),
            (profile, arn, "arn:aws:iam::1:instance-profile/shop", false),
            ("a:MonitoringInterval", "5 Minutes", "5 minute", true),
            ("a:MonitoringInterval", "5 minute", "1 minute", false),
            (
                "aws:elasticbeanstalk:application:environment:A",
                "b,a",
                "a,b",
                false,
            ),
            (
                "aws:elasticbeanstalk:application:environment:A",
                "True",
                "true",
                false,
            ),
            ("a:b", "True", "true", true),
            ("a:b", "Rolling", "rolling", false),
            (DOCUMENT, r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, true),
        ] {
            assert_eq!(is_same(what, one, other), same, "{what}: {one}, {other}");
        }
    }

    #[test]
    fn an_environment_may_tell_its_instance_types_by_the_older_option() {
        let [older, newer] = TYPES;
        let told = |settings: &[(&str, &str)]| {
            let own =
                |(name, value): &(&str, &str)| (format!("{name}[AWSEBX]"), (*value).to_owned());
            settings.iter().map(own).collect::<BTreeMap<_, _>>()
        };
        let old = told(&[(older, "t3.small")]);
        let both = told(&[(older, "t3.micro"), (newer, "t3.small")]);
        assert!(is_same_types(&old, &both));
        assert!(is_same_types(&both, &told(&[(newer, "t3.small")])));
        assert!(!is_same_types(
            &old,
            &told(&[(newer, "t3.small, t3.micro")])
        ));
        assert!(!is_same_types(&old, &old), "they are compared as they are");
    }

    #[test]
    fn groups_are_compared_without_those_that_the_service_makes() {
        let known = Plan {
            blue_group: Some(SecurityGroup {
                id: "sg-blue".to_owned(),
                name: "awseb-blue".to_owned(),
            }),
            ..Plan::sample("01J")
        };
        let unknown = Plan::sample("01J");
        for (blue, green, differ, differ_unknown) in [
            ("sg-blue", "sg-green", false, false),
            ("awseb-blue,sg-app", "sg-app,sg-green", false, false),
            ("sg-blue,sg-app", "sg-green", true, true),
            ("sg-app", "sg-green", true, false),
            ("sg-blue", "sg-app,sg-green", true, true),
            ("sg-blue", "sg-blue,sg-green", true, false),
            ("", "sg-green", false, false),
        ] {
            let said = groups_differ(&known, Some(blue), Some(green));
            assert_eq!(said, differ, "{blue}, {green}");
            let said = groups_differ(&unknown, Some(blue), Some(green));
            assert_eq!(said, differ_unknown, "{blue}, {green}");
        }
    }
}
