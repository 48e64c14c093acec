//! Which permissions a release needs: docs/iam-policy.json, with its names put in and
//! without the parts that this release does not use. Pure.

use serde_json::Value;

use crate::plan::Strategy;

/// The policy as it is shipped.
const POLICY: &str = include_str!("../../docs/iam-policy.json");

/// What Elastic Beanstalk does in other services with the rights of whoever asks it.
const BENEATH: &str = "Beneath";

/// What a release does, as far as its permissions depend on it.
#[derive(Clone, Debug)]
pub struct Use<'a> {
    /// The partition, as in `aws`.
    pub partition: &'a str,
    /// The region.
    pub region: &'a str,
    /// The account's twelve digits.
    pub account: &'a str,
    /// The application.
    pub application: &'a str,
    /// Blue's name.
    pub blue: &'a str,
    /// Blue's environment id.
    pub blue_id: &'a str,
    /// Green's name.
    pub green: &'a str,
    /// Green's template.
    pub template: &'a str,
    /// The version to release.
    pub version: &'a str,
    /// The bucket.
    pub bucket: &'a str,
    /// Where production lives in the end.
    pub strategy: Strategy,
    /// Whether a version is registered.
    pub registers: bool,
    /// Whether this program writes to the bucket.
    pub writes: bool,
    /// Whether alarms watch production.
    pub alarms: bool,
    /// Whether blue has an application load balancer of its own.
    pub own_balancer: bool,
    /// The hosted zone of preview hostnames, where there are any.
    pub zone: Option<&'a str>,
    /// The ARNs of the rules of a shared load balancer that follow the swap.
    pub rules: &'a [String],
}

/// An action on a resource that a release needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needed {
    /// As in `elasticbeanstalk:UpdateEnvironment`.
    pub action: String,
    /// Its resource's ARN, or `*`.
    pub resource: String,
    /// Whether it is Elastic Beanstalk that needs it, which an operations role may have
    /// instead of the caller.
    pub beneath: bool,
}

/// What this release needs, each once.
#[must_use]
pub fn needed(of: &Use<'_>) -> Vec<Needed> {
    let policy: Value = serde_json::from_str(POLICY).unwrap_or_default();
    let statements = policy["Statement"].as_array();
    let mut needed = Vec::new();
    for statement in statements.into_iter().flatten() {
        let sid = statement["Sid"].as_str().unwrap_or_default();
        if !of.uses(sid) {
            continue;
        }
        let mut resources = texts(&statement["Resource"]);
        if sid == "MakeAndTerminateGreen" && of.strategy == Strategy::Promote {
            resources.extend(resources.clone().iter().map(|r| r.replace("GREEN", "BLUE")));
        }
        for action in texts(&statement["Action"]) {
            let asked = resources.iter();
            let asked = asked.filter(|r| is_of(&action, r) && of.asks(&action, r));
            let named = asked.flat_map(|resource| match sid {
                "MoveTaggedRules" => of.rules.to_vec(),
                _ => vec![of.named(resource)],
            });
            needed.extend(named.map(|resource| Needed {
                action: action.clone(),
                resource,
                beneath: sid.starts_with(BENEATH),
            }));
        }
    }
    needed.sort();
    needed.dedup();
    needed
}

fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match value {
        Value::Array(values) => values.iter().filter_map(text).collect(),
        value => text(value).into_iter().collect(),
    }
}

/// Whether an action is one on resources of this kind: a statement names several kinds
/// (Service Authorization Reference, "Actions, resources, and condition keys").
fn is_of(action: &str, resource: &str) -> bool {
    let (service, action) = action.split_once(':').unwrap_or_default();
    let kind = |kind: &str| resource.contains(kind);
    match (service, action) {
        (_, _) if resource == "*" => true,
        ("elasticbeanstalk", "DescribeApplications") => kind(":application/"),
        ("elasticbeanstalk", "DescribeApplicationVersions" | "CreateApplicationVersion") => {
            kind(":applicationversion/")
        }
        ("elasticbeanstalk", "DescribeEnvironments" | "ListTagsForResource") => {
            kind(":environment/")
        }
        ("elasticbeanstalk", "DescribeConfigurationSettings") => true,
        ("elasticbeanstalk", action) if action.starts_with("Describe") => {
            !kind(":configurationtemplate/")
        }
        ("s3", "ListBucket") => resource.ends_with("BUCKET"),
        ("s3", _) => resource.contains('/'),
        ("elasticloadbalancing", action) if action.contains("LoadBalancer") => {
            kind(":loadbalancer/")
        }
        ("elasticloadbalancing", "CreateListener") => kind(":loadbalancer/"),
        ("elasticloadbalancing", "DeleteListener") => kind(":listener/"),
        ("elasticloadbalancing", action) if action.contains("Target") => kind(":targetgroup/"),
        _ => true,
    }
}

impl Use<'_> {
    /// Whether a release uses what a statement is for.
    fn uses(&self, sid: &str) -> bool {
        match sid {
            "RegisterVersions" => self.registers,
            "WriteToTheBucket" => self.writes,
            "WatchAlarms" => self.alarms,
            "MovePreviewHosts" => self.zone.is_some(),
            // What is asked of Route 53 beforehand is done without where it may not be, and
            // reading the parameters and rules shows itself whether it may be.
            "FindPreviewZone" | "ReadPreviewParameters" | "LookAtSharedLoadBalancer" => false,
            // That it may be simulated the simulation itself shows.
            "CheckOwnPermissions" => false,
            // What checks alone ask leaves them unknown where it may not be asked.
            "LookAtTheAccount" | "LookAtThePlatform" => false,
            "BeneathLoadBalancing" => self.own_balancer,
            _ => true,
        }
    }

    /// Whether a release asks this action of this resource of a statement that names both.
    fn asks(&self, action: &str, resource: &str) -> bool {
        match action {
            // A check alone asks it.
            "elasticbeanstalk:DescribeEnvironmentManagedActions" => false,
            // Promotion makes no blue.
            "elasticbeanstalk:CreateEnvironment" => resource.ends_with("GREEN"),
            _ => true,
        }
    }

    /// A resource with this release's names, and a stand-in for every other one: a
    /// simulation takes an asterisk for itself.
    fn named(&self, resource: &str) -> String {
        if resource == "*" {
            return resource.to_owned();
        }
        let kinds = [
            (
                ":application/*",
                format!(":application/{}", self.application),
            ),
            (
                ":applicationversion/APPLICATION/*",
                format!(":applicationversion/APPLICATION/{}", self.version),
            ),
            (
                ":environment/*",
                format!(":environment/APPLICATION/{}", self.blue),
            ),
            ("bluegreen-*", self.template.to_owned()),
            (
                "stack/awseb-*",
                format!("stack/awseb-{}-stack/1", self.blue_id),
            ),
            (
                "autoScalingGroupName/awseb-e-*",
                format!("autoScalingGroupName/awseb-{}-stack-1", self.blue_id),
            ),
            (
                "role/aws-elasticbeanstalk-*",
                "role/aws-elasticbeanstalk-ec2-role".to_owned(),
            ),
        ];
        let known = kinds.iter().find(|(pattern, _)| resource.contains(pattern));
        let resource = match known {
            Some((pattern, name)) => resource.replace(pattern, name),
            None => resource.to_owned(),
        };
        let names = [
            ("arn:aws:", format!("arn:{}:", self.partition)),
            ("REGION", self.region.to_owned()),
            ("ACCOUNT", self.account.to_owned()),
            ("APPLICATION", self.application.to_owned()),
            ("GREEN", self.green.to_owned()),
            ("BLUE", self.blue.to_owned()),
            ("BUCKET", self.bucket.to_owned()),
            ("HOSTED_ZONE", self.zone.unwrap_or_default().to_owned()),
            ("*", "1".to_owned()),
        ];
        // One after another over the pattern's parts, so that no name is taken for a
        // placeholder of another's.
        names_in(&resource, &names)
    }
}

/// A text with each placeholder replaced, but not within what was put in for another.
fn names_in(text: &str, names: &[(&str, String)]) -> String {
    let next = names
        .iter()
        .filter_map(|(placeholder, name)| Some((text.find(placeholder)?, placeholder, name)))
        .min_by_key(|(at, ..)| *at);
    match next {
        Some((at, placeholder, name)) => {
            let rest = &text[at + placeholder.len()..];
            format!("{}{name}{}", &text[..at], names_in(rest, names))
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USE: Use<'_> = Use {
        partition: "aws-cn",
        region: "cn-north-1",
        account: "123456789012",
        application: "shop",
        blue: "shop-blue",
        blue_id: "e-abcdefghij",
        green: "shop-blue-green",
        template: "bluegreen-01",
        version: "v2",
        bucket: "REGION-of-BLUE",
        strategy: Strategy::Restore,
        registers: false,
        writes: true,
        alarms: false,
        own_balancer: true,
        zone: None,
        rules: &[],
    };

    fn resources(of: &Use<'_>, action: &str) -> Vec<String> {
        let needed = needed(of).into_iter();
        let same = needed.filter(|needed| needed.action == action);
        same.map(|needed| needed.resource).collect()
    }

    #[test]
    fn names_take_the_place_of_placeholders_and_asterisks() {
        let environment = |name: &str| {
            format!("arn:aws-cn:elasticbeanstalk:cn-north-1:123456789012:environment/shop/{name}")
        };
        for (action, expected) in [
            (
                "elasticbeanstalk:UpdateEnvironment",
                vec![environment("shop-blue"), environment("shop-blue-green")],
            ),
            (
                "elasticbeanstalk:TerminateEnvironment",
                vec![environment("shop-blue-green")],
            ),
            (
                "elasticbeanstalk:DescribeEnvironments",
                vec![environment("shop-blue")],
            ),
            (
                "s3:ListBucket",
                vec!["arn:aws-cn:s3:::REGION-of-BLUE".to_owned()],
            ),
            ("elasticbeanstalk:DescribePlatformVersion", vec![]),
            ("elasticbeanstalk:CreateApplicationVersion", vec![]),
            ("cloudwatch:DescribeAlarms", vec![]),
            ("route53:ListHostedZones", vec![]),
        ] {
            assert_eq!(resources(&USE, action), expected, "{action}");
        }
        for needed in needed(&USE) {
            let whole = needed.resource == "*" || !needed.resource.contains('*');
            assert!(whole, "{needed:?}");
            assert!(!needed.resource.is_empty(), "{needed:?}");
        }
    }

    #[test]
    fn what_a_release_does_says_what_it_needs() {
        let promoting = Use {
            strategy: Strategy::Promote,
            registers: true,
            alarms: true,
            writes: false,
            own_balancer: false,
            ..USE
        };
        let terminate = "elasticbeanstalk:TerminateEnvironment";
        assert_eq!(resources(&promoting, terminate).len(), 2);
        let create = "elasticbeanstalk:CreateEnvironment";
        assert_eq!(resources(&promoting, create).len(), 1);
        for action in [
            "elasticbeanstalk:CreateApplicationVersion",
            "cloudwatch:DescribeAlarms",
        ] {
            assert_eq!(resources(&promoting, action).len(), 1, "{action}");
        }
        assert_eq!(resources(&promoting, "s3:AbortMultipartUpload"), [""; 0]);
        let change = "route53:ChangeResourceRecordSets";
        let modify = "elasticloadbalancing:ModifyRule";
        assert_eq!(resources(&promoting, change), [""; 0]);
        assert_eq!(resources(&promoting, modify), [""; 0]);
        let rules = ["listener-rule/app/BLUE/1".to_owned()];
        let following = Use {
            zone: Some("Z1"),
            rules: &rules,
            ..USE
        };
        let zone = ["arn:aws-cn:route53:::hostedzone/Z1"];
        assert_eq!(resources(&following, change), zone);
        assert_eq!(resources(&following, modify), rules);
        let target_group = "elasticloadbalancing:CreateTargetGroup";
        assert_eq!(resources(&promoting, target_group), [""; 0]);
    }
}
