//! Which permissions a release needs: docs/start/iam-policy.json and
//! docs/start/iam-policy-beneath.json, with their names put in and without the parts that this
//! release does not use. Pure.

use serde_json::Value;

use crate::cloud::{Configuration, EnvironmentType};
use crate::plan::Strategy;

/// The policy as it is shipped: what this program requests, and what Elastic Beanstalk does
/// downstream.
const POLICIES: [&str; 2] = [
    include_str!("../../docs/start/iam-policy.json"),
    include_str!("../../docs/start/iam-policy-beneath.json"),
];

/// What Elastic Beanstalk does in other services with the rights of its caller.
pub(super) const BENEATH: &str = "Beneath";

/// The service, as roles are passed to it.
const SERVICE: &str = "elasticbeanstalk.amazonaws.com";

/// The service's own role, which has a path of its own although the option names it without
/// (developer guide, "Using service-linked roles for Elastic Beanstalk").
const SERVICE_LINKED: &str = "AWSServiceRoleForElasticBeanstalk";

/// A file in each of the buckets of AWS's own that Elastic Beanstalk reads with the caller's
/// rights.
const PATCHES: &str = "eb_patching_resources/instance_patch_extension.linux";
const PACK: &str = "stalks/eb/packs/Template.pack";

/// The identity and the resources that permissions are for: a check of a release and a printed
/// policy both need them.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
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
    /// Green's name.
    pub green: &'a str,
    /// The artifacts bucket.
    pub bucket: &'a str,
    /// Which environment users are on in the end.
    pub strategy: Strategy,
    /// Whether alarms monitor production.
    pub alarms: bool,
    /// The id of the preview hostnames' hosted zone, where there are any and it is known.
    pub zone: Option<&'a str>,
    /// The ARN of the KMS key that encrypts uploads to the bucket, where one is configured by its
    /// ARN.
    pub key: Option<&'a str>,
    /// The ARN of blue's operations role, which green gets too and whose rights count downstream;
    /// `None` where the caller's do.
    pub operations_role: Option<&'a str>,
    /// What blue's instances are launched by; `None` where that is not known.
    pub launch: Option<Launch>,
}

impl Scope<'_> {
    /// What stands in the policy's resources for each of these names; for the hosted zone
    /// stands `zone`.
    pub(super) fn names(&self, zone: &str) -> Vec<(&'static str, String)> {
        vec![
            ("arn:aws:", format!("arn:{}:", self.partition)),
            ("REGION", self.region.to_owned()),
            ("ACCOUNT", self.account.to_owned()),
            ("APPLICATION", self.application.to_owned()),
            ("GREEN", self.green.to_owned()),
            ("BLUE", self.blue.to_owned()),
            ("BUCKET", self.bucket.to_owned()),
            ("HOSTED_ZONE", zone.to_owned()),
        ]
    }
}

/// What a release does, as far as its permissions depend on it.
#[derive(Clone, Debug)]
pub struct Use<'a> {
    /// The identity and the resources that it is for.
    pub scope: Scope<'a>,
    /// Blue's environment id.
    pub blue_id: &'a str,
    /// Green's template.
    pub template: &'a str,
    /// The version to release.
    pub version: &'a str,
    /// Whether a version is registered.
    pub registers: bool,
    /// Whether this program writes to the bucket.
    pub writes: bool,
    /// What brings requests to blue's instances, and will to green's.
    pub balancing: Balancing<'a>,
    /// How blue takes a version.
    pub policy: DeploymentPolicy,
    /// Whether blue's settings schedule actions.
    pub schedules: bool,
    /// Whether blue's settings have rules of its own load balancer's.
    pub own_rules: bool,
    /// The instance profile that blue names, as its name or ARN.
    pub instance_profile: Option<&'a str>,
    /// The service role that blue names, as its name, with its path, or as its ARN.
    pub service_role: Option<&'a str>,
    /// The ARNs of the rules of a shared load balancer that follow the swap.
    pub rules: &'a [String],
}

/// How an environment takes a version, as far as its permissions depend on it (developer guide,
/// "Deployment policies and settings").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentPolicy {
    /// On the instances that there are: AllAtOnce and Rolling.
    InPlace,
    /// RollingWithAdditionalBatch.
    AdditionalBatch,
    /// On instances in a group of their own, which move over.
    Immutable,
    /// On instances in a group of their own, which get a share of the requests at first.
    TrafficSplitting,
}

impl DeploymentPolicy {
    /// Parses the option's value. An unknown value counts as the policy that needs most.
    #[must_use]
    pub fn of(named: &str) -> DeploymentPolicy {
        match named {
            "AllAtOnce" | "Rolling" => DeploymentPolicy::InPlace,
            "RollingWithAdditionalBatch" => DeploymentPolicy::AdditionalBatch,
            "Immutable" => DeploymentPolicy::Immutable,
            _ => DeploymentPolicy::TrafficSplitting,
        }
    }

    /// Whether instances come and go while it deploys.
    #[must_use]
    pub fn has_batches(self) -> bool {
        self != DeploymentPolicy::InPlace
    }

    /// Whether it makes a group of its own.
    #[must_use]
    pub fn has_new_groups(self) -> bool {
        matches!(
            self,
            DeploymentPolicy::Immutable | DeploymentPolicy::TrafficSplitting
        )
    }
}

/// What an environment's instances are launched by (developer guide, "Launch templates").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launch {
    /// A launch configuration, in an older environment.
    Configuration,
    /// A launch template.
    Template,
}

impl Launch {
    /// By the resource that DescribeConfigurationSettings names for the options; `None` where it
    /// names none.
    #[must_use]
    pub fn of(configuration: &Configuration) -> Option<Launch> {
        let resources = configuration.settings.iter();
        let mut resources = resources.filter_map(|setting| setting.resource.as_deref());
        resources.find_map(|resource| match resource {
            "AWSEBAutoScalingLaunchConfiguration" => Some(Launch::Configuration),
            "AWSEBEC2LaunchTemplate" => Some(Launch::Template),
            _ => None,
        })
    }
}

/// What brings requests to an environment's instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balancing<'a> {
    /// A single instance's own address.
    Address,
    /// A classic load balancer.
    Classic,
    /// A load balancer of its own: `app` or `net`, as its ARN has it.
    Own(&'static str),
    /// An application load balancer that is shared with others: its ARN, empty where that is not
    /// known.
    Shared(&'a str),
}

impl Balancing<'_> {
    /// What an environment is configured with.
    #[must_use]
    pub fn of(configuration: &Configuration) -> Balancing<'_> {
        match (
            configuration.environment_type(),
            configuration.shared_balancer(),
            configuration.balancer_type(),
        ) {
            (EnvironmentType::SingleInstance, ..) => Balancing::Address,
            (EnvironmentType::LoadBalanced, Some(arn), _) => Balancing::Shared(arn),
            (EnvironmentType::LoadBalanced, None, Some("application")) => Balancing::Own("app"),
            (EnvironmentType::LoadBalanced, None, Some("network")) => Balancing::Own("net"),
            (EnvironmentType::LoadBalanced, None, _) => Balancing::Classic,
        }
    }
}

/// An action on a resource that a release needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needed {
    /// As in `elasticbeanstalk:UpdateEnvironment`.
    pub action: String,
    /// Its resource's ARN, or `*`.
    pub resource: String,
    /// The service that a role is passed to.
    pub passed_to: Option<&'static str>,
    /// The party that does it.
    pub by: By,
}

/// The party that does with the caller's rights what a release needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// This program.
    Caller,
    /// Elastic Beanstalk, in other services.
    Service,
    /// Elastic Beanstalk, where the account never did it before.
    FirstUse,
    /// Nobody, perhaps: AWS's documents do not say whether the service checks it.
    Perhaps,
}

/// What this release needs, each once.
#[must_use]
pub fn needed(of: &Use<'_>) -> Vec<Needed> {
    let mut needed = Vec::new();
    for statement in &statements() {
        let sid = statement["Sid"].as_str().unwrap_or_default();
        if !of.uses(sid) {
            continue;
        }
        match sid {
            "BeneathRoles" => {
                needed.extend(of.passed_roles());
                continue;
            }
            "PassOperationsRole" => {
                needed.extend(of.scope.operations_role.map(|role| Needed {
                    action: "iam:PassRole".to_owned(),
                    resource: role.to_owned(),
                    passed_to: Some(SERVICE),
                    by: By::Caller,
                }));
                continue;
            }
            "UseTheKey" => {
                let key = of.scope.key.filter(|_| of.writes);
                let actions = texts(&statement["Action"]);
                needed.extend(key.into_iter().flat_map(|key| {
                    actions.iter().map(|action| Needed {
                        action: action.clone(),
                        resource: key.to_owned(),
                        passed_to: None,
                        by: By::Caller,
                    })
                }));
                continue;
            }
            _ => {}
        }
        let mut resources = texts(&statement["Resource"]);
        if sid == "MakeGreen" && of.scope.strategy == Strategy::Promote {
            resources.extend(resources.clone().iter().map(|r| r.replace("GREEN", "BLUE")));
        }
        for action in texts(&statement["Action"]) {
            let asked = resources.iter();
            let asked = asked.filter(|r| is_of(&action, r) && of.asks(&action, r));
            let named = asked.flat_map(|resource| match sid {
                "MoveTaggedRules" => of.rules.to_vec(),
                _ => vec![of.asked_on(&action, resource)],
            });
            needed.extend(named.map(|resource| Needed {
                action: action.clone(),
                resource,
                passed_to: None,
                by: by(sid, &action),
            }));
        }
    }
    needed.sort();
    needed.dedup();
    needed
}

/// Every statement as it is shipped, with its placeholders.
pub(super) fn statements() -> Vec<Value> {
    let parsed = POLICIES.iter().map(|policy| {
        let policy: Value = serde_json::from_str(policy).unwrap_or_default();
        policy["Statement"].as_array().cloned().unwrap_or_default()
    });
    parsed.flatten().collect()
}

/// The party that does what a statement allows.
fn by(sid: &str, action: &str) -> By {
    match sid {
        // Of tags at creation no page says that they need it.
        _ if action == "elasticbeanstalk:AddTags" => By::Perhaps,
        "BeneathFirstUse" | "BeneathServiceLinkedRoles" => By::FirstUse,
        sid if sid.starts_with(BENEATH) => By::Service,
        _ => By::Caller,
    }
}

pub(super) fn texts(value: &Value) -> Vec<String> {
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
        (
            "s3",
            "ListBucket"
            | "CreateBucket"
            | "GetBucketLocation"
            | "GetBucketPolicy"
            | "PutBucketOwnershipControls"
            | "PutBucketPolicy",
        ) => !resource.contains('/'),
        ("s3", _) => resource.contains('/'),
        ("elasticloadbalancing", "CreateRule" | "DeleteListener" | "ModifyListener") => {
            kind(":listener/")
        }
        ("elasticloadbalancing", "DeleteRule" | "ModifyRule") => kind(":listener-rule/"),
        ("autoscaling", _) => kind(":autoscaling:"),
        ("cloudformation", _) => kind(":cloudformation:"),
        ("elasticloadbalancing", _) => !kind(":listener/"),
        _ => true,
    }
}

impl Use<'_> {
    /// Whether a release uses what a statement is for.
    fn uses(&self, sid: &str) -> bool {
        match sid {
            // An operations role has these rights in the caller's place.
            beneath if beneath.starts_with(BENEATH) && self.scope.operations_role.is_some() => {
                false
            }
            "RegisterVersions" => self.registers,
            "WriteToTheBucket" => self.writes,
            "WatchAlarms" => self.scope.alarms,
            "MoveHosts" | "ReadHostedZones" => self.scope.zone.is_some(),
            // Reading the parameters and rules shows itself whether it may be.
            "ReadParameters" | "LookAtLoadBalancer" => false,
            // That it may be simulated the simulation itself shows.
            "CheckOwnPermissions" => false,
            // What checks alone ask leaves them unknown where it may not be asked.
            "LookAtAccount" | "LookAtPlatform" | "LookAtStacks" | "LookAtWebAcl"
            | "CountRequests" => false,
            "BeneathBatches" => self.deploys() && self.policy.has_batches(),
            "BeneathNewGroups" => self.deploys() && self.policy.has_new_groups(),
            "BeneathScheduledActions" => self.schedules,
            "BeneathLaunchConfigurations" => self.scope.launch == Some(Launch::Configuration),
            "BeneathListenerRules" => {
                let splits = self.deploys() && self.policy == DeploymentPolicy::TrafficSplitting;
                self.balancing == Balancing::Own("app") && (splits || self.own_rules)
            }
            "BeneathLoadBalancing" => matches!(self.balancing, Balancing::Own(_)),
            "BeneathTargetGroups" => self.has_target_groups(),
            "BeneathSharedLoadBalancer" => {
                matches!(self.balancing, Balancing::Shared(arn) if !arn.is_empty())
            }
            // Whether the service needs it of the caller, so that its own rule follows a swap, is
            // not public; a swap out that AWS denies for it changes nothing.
            "BeneathSharedRules" => false,
            "BeneathClassicLoadBalancing" => self.balancing == Balancing::Classic,
            "BeneathSingleInstance" => self.balancing == Balancing::Address,
            _ => true,
        }
    }

    /// Whether a version is deployed: onto blue, or onto green, which takes versions as blue
    /// does. A promotion launches green on it.
    fn deploys(&self) -> bool {
        match self.scope.strategy {
            Strategy::Restore | Strategy::Rehearse => true,
            Strategy::Promote => false,
        }
    }

    /// Whether a release needs this action on this resource of a statement that names both.
    fn asks(&self, action: &str, resource: &str) -> bool {
        let rehearses = self.scope.strategy == Strategy::Rehearse;
        match action {
            // A check alone asks these.
            "elasticbeanstalk:DescribeEnvironmentManagedActions"
            | "elasticbeanstalk:ValidateConfigurationSettings" => false,
            // They only explain a deploy that failed.
            "elasticbeanstalk:RequestEnvironmentInfo"
            | "elasticbeanstalk:RetrieveEnvironmentInfo" => false,
            // A rehearsal asks nothing of blue, and nothing else deploys onto green.
            "elasticbeanstalk:AbortEnvironmentUpdate" => rehearses == resource.ends_with("GREEN"),
            "elasticbeanstalk:UpdateEnvironment" => !rehearses || resource.ends_with("GREEN"),
            "elasticbeanstalk:SwapEnvironmentCNAMEs" => !rehearses,
            // Promotion makes no blue.
            "elasticbeanstalk:CreateEnvironment" => resource.ends_with("GREEN"),
            "elasticbeanstalk:AddTags" => resource.ends_with("GREEN"),
            "autoscaling:DescribeLaunchConfigurations" => {
                self.scope.launch == Some(Launch::Configuration)
            }
            "autoscaling:DescribeScheduledActions" => self.schedules,
            "elasticloadbalancing:DescribeInstanceHealth"
            | "elasticloadbalancing:DescribeLoadBalancerPolicies" => {
                self.balancing == Balancing::Classic
            }
            "elasticloadbalancing:DescribeListeners"
            | "elasticloadbalancing:DescribeRules"
            | "elasticloadbalancing:DescribeSSLPolicies"
            | "elasticloadbalancing:DescribeTags"
            | "elasticloadbalancing:DescribeTargetGroupAttributes"
            | "elasticloadbalancing:DescribeTargetGroups"
            | "elasticloadbalancing:DescribeTargetHealth" => self.has_target_groups(),
            "elasticloadbalancing:DescribeLoadBalancerAttributes"
            | "elasticloadbalancing:DescribeLoadBalancers" => self.balancing != Balancing::Address,
            "elasticloadbalancing:SetSecurityGroups" => self.balancing == Balancing::Own("app"),
            _ => true,
        }
    }

    /// The resource to simulate an action on. AWS's managed policy lets instances be terminated by
    /// their ARNs and tags, so that an asterisk would appear denied.
    fn asked_on(&self, action: &str, resource: &str) -> String {
        match action {
            "ec2:TerminateInstances" => self.named("arn:aws:ec2:REGION:ACCOUNT:instance/i-1"),
            _ => self.named(resource),
        }
    }

    /// Whether requests come by the target groups of an application or network load balancer.
    fn has_target_groups(&self) -> bool {
        matches!(self.balancing, Balancing::Own(_) | Balancing::Shared(_))
    }

    fn passed_roles(&self) -> impl Iterator<Item = Needed> {
        let roles = passed_roles(
            self.scope.partition,
            self.scope.account,
            self.instance_profile,
            self.service_role,
        );
        roles.into_iter().map(|(resource, passed_to)| Needed {
            action: "iam:PassRole".to_owned(),
            resource,
            passed_to: Some(passed_to),
            by: By::Service,
        })
    }

    /// A resource with this release's names, and a stand-in for every other placeholder: a
    /// simulation takes an asterisk literally.
    fn named(&self, resource: &str) -> String {
        if resource == "*" {
            return resource.to_owned();
        }
        let zone = self.scope.zone.unwrap_or_default();
        let stack = format!("awseb-{}-stack", self.blue_id);
        let (balancer, shared) = match self.balancing {
            Balancing::Own(kind) => (kind, ""),
            Balancing::Shared(arn) => {
                let named = arn.split_once(":loadbalancer/");
                ("app", named.map_or("", |(_, named)| named))
            }
            Balancing::Address | Balancing::Classic => ("app", ""),
        };
        let kinds = [
            (
                ":application/*",
                format!(":application/{}", self.scope.application),
            ),
            (
                ":applicationversion/APPLICATION/*",
                format!(":applicationversion/APPLICATION/{}", self.version),
            ),
            (
                ":environment/*",
                format!(":environment/APPLICATION/{}", self.scope.blue),
            ),
            ("bluegreen-*", self.template.to_owned()),
            ("hostedzone/*", format!("hostedzone/{zone}")),
            (
                "env-resources-*/*",
                format!("env-resources-{}/{PATCHES}", self.scope.region),
            ),
            (
                "platform-assets-*/*",
                format!("platform-assets-{}/{PACK}", self.scope.region),
            ),
            ("stack/awseb-*", format!("stack/{stack}/1")),
            (
                "autoScalingGroupName/awseb-e-*",
                format!("autoScalingGroupName/{stack}-AWSEBAutoScalingGroup-1"),
            ),
            (
                "launchConfigurationName/awseb-e-*",
                format!("launchConfigurationName/{stack}-AWSEBAutoScalingLaunchConfiguration-1"),
            ),
            (
                "role/aws-service-role/*",
                "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
                    .to_owned(),
            ),
            (
                "listener/app/awseb-*",
                "listener/app/awseb--AWSEB-1/1/1".to_owned(),
            ),
            (
                "listener-rule/app/awseb-*",
                "listener-rule/app/awseb--AWSEB-1/1/1/1".to_owned(),
            ),
            (
                "alarm:awseb-*",
                format!("alarm:{stack}-AWSEBCloudwatchAlarmHigh-1"),
            ),
            (
                "loadbalancer/*/awseb-*",
                format!("loadbalancer/{balancer}/awseb--AWSEB-1/1"),
            ),
            (
                "listener/*/awseb-*",
                format!("listener/{balancer}/awseb--AWSEB-1/1/1"),
            ),
            (
                "targetgroup/awseb-*",
                "targetgroup/awseb-AWSEB-1/1".to_owned(),
            ),
            (
                "listener/app/SHARED_BALANCER/*",
                format!("listener/{shared}/1"),
            ),
            (
                "listener-rule/app/SHARED_BALANCER/*",
                format!("listener-rule/{shared}/1/1"),
            ),
        ];
        let known = kinds.iter().find(|(pattern, _)| resource.contains(pattern));
        let resource = match known {
            Some((pattern, name)) => resource.replace(pattern, name),
            None => resource.to_owned(),
        };
        let mut names = self.scope.names(self.scope.zone.unwrap_or_default());
        names.push(("*", "1".to_owned()));
        // One after another over the pattern's parts, so that no name is taken for a
        // placeholder of another's.
        names_in(&resource, &names)
    }
}

/// The ARNs of the roles that the service passes on for green, each with whom it passes it to:
/// that of an instance profile, named or by its ARN, and a service role, named, with its path, or
/// by its ARN. A role may have another name than the instance profile that holds it; the console
/// and the EB CLI give both the same.
#[must_use]
pub fn passed_roles(
    partition: &str,
    account: &str,
    instance_profile: Option<&str>,
    service_role: Option<&str>,
) -> Vec<(String, &'static str)> {
    let role = |name: &str| format!("arn:{partition}:iam::{account}:role/{name}");
    let ec2 = match partition {
        "aws-cn" => "ec2.amazonaws.com.cn",
        _ => "ec2.amazonaws.com",
    };
    let of_instances = instance_profile.map(|profile| {
        let name = profile.rsplit('/').next().unwrap_or(profile);
        (role(name), ec2)
    });
    let of_service = service_role.map(|named| match named {
        arn if arn.starts_with("arn:") => arn.to_owned(),
        SERVICE_LINKED => role(&format!("aws-service-role/{SERVICE}/{SERVICE_LINKED}")),
        name => role(name.trim_start_matches('/')),
    });
    let of_service = of_service.map(|role| (role, SERVICE));
    of_instances.into_iter().chain(of_service).collect()
}

/// A text with each placeholder replaced, but not within what was put in for another.
pub(super) fn names_in(text: &str, names: &[(&str, String)]) -> String {
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

    const SCOPE: Scope<'_> = Scope {
        partition: "aws-cn",
        region: "cn-north-1",
        account: "123456789012",
        application: "shop",
        blue: "shop-blue",
        green: "shop-blue-green",
        bucket: "REGION-of-BLUE",
        strategy: Strategy::Restore,
        alarms: false,
        zone: None,
        key: None,
        operations_role: None,
        launch: None,
    };

    const USE: Use<'_> = Use {
        scope: SCOPE,
        blue_id: "e-abcdefghij",
        template: "bluegreen-01",
        version: "v2",
        registers: false,
        writes: true,
        balancing: Balancing::Own("app"),
        policy: DeploymentPolicy::InPlace,
        schedules: false,
        own_rules: false,
        instance_profile: None,
        service_role: None,
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
                vec![
                    "arn:aws-cn:s3:::REGION-of-BLUE".to_owned(),
                    "arn:aws-cn:s3:::elasticbeanstalk-cn-north-1-123456789012".to_owned(),
                ],
            ),
            ("elasticbeanstalk:DescribePlatformVersion", vec![]),
            ("elasticbeanstalk:CreateApplicationVersion", vec![]),
            (
                "elasticbeanstalk:DescribeConfigurationSettings",
                vec![
                    "arn:aws-cn:elasticbeanstalk:cn-north-1:123456789012:configurationtemplate/shop/bluegreen-01"
                        .to_owned(),
                    environment("shop-blue"),
                    environment("shop-blue-green"),
                ],
            ),
            (
                "elasticbeanstalk:AbortEnvironmentUpdate",
                vec![environment("shop-blue")],
            ),
            ("iam:PassRole", vec![]),
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
            scope: Scope {
                strategy: Strategy::Promote,
                alarms: true,
                ..SCOPE
            },
            registers: true,
            writes: false,
            balancing: Balancing::Classic,
            ..USE
        };
        let terminate = "elasticbeanstalk:TerminateEnvironment";
        assert_eq!(resources(&promoting, terminate).len(), 2);
        let rehearsing = Use {
            scope: Scope {
                strategy: Strategy::Rehearse,
                ..SCOPE
            },
            ..USE
        };
        for action in [
            "elasticbeanstalk:UpdateEnvironment",
            "elasticbeanstalk:AbortEnvironmentUpdate",
        ] {
            let asked = resources(&rehearsing, action);
            assert_eq!(asked.len(), 1, "{action}: {asked:?}");
            assert!(asked[0].ends_with("/shop-blue-green"), "{asked:?}");
        }
        let swap = "elasticbeanstalk:SwapEnvironmentCNAMEs";
        assert_eq!(resources(&rehearsing, swap), [""; 0]);
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
            scope: Scope {
                zone: Some("Z1"),
                ..SCOPE
            },
            rules: &rules,
            ..USE
        };
        let zone = ["arn:aws-cn:route53:::hostedzone/Z1"];
        assert_eq!(resources(&following, change), zone);
        assert_eq!(resources(&following, modify), rules);
        let target_group = "elasticloadbalancing:CreateTargetGroup";
        assert_eq!(resources(&promoting, target_group), [""; 0]);
    }

    /// The names' forms are those of AWS's managed policy: a policy that allows all resources of
    /// Elastic Beanstalk must not appear to deny them.
    #[test]
    fn what_a_load_balancer_needs_follows_its_type() {
        let elb = "arn:aws-cn:elasticloadbalancing:cn-north-1:123456789012";
        let shared = format!("{elb}:loadbalancer/app/shop-shared/50dc");
        let of = |balancing| {
            let of = Use { balancing, ..USE };
            let needed = needed(&of).into_iter();
            let asked = needed.filter(|n| n.action.starts_with("elasticloadbalancing:"));
            let asked = asked.map(|n| {
                let action = n.action.split_once(':').expect("an action").1.to_owned();
                let resource = n.resource.replace(&format!("{elb}:"), "");
                format!("{action} {resource}")
            });
            let asked = asked.collect::<Vec<_>>();
            let address = resources(&of, "ec2:AllocateAddress");
            assert_eq!(address.len(), usize::from(balancing == Balancing::Address));
            asked
        };
        for (balancing, has, lacks) in [
            (
                Balancing::Own("app"),
                "CreateLoadBalancer loadbalancer/app/awseb--AWSEB-1/1",
                "CreateRule",
            ),
            (
                Balancing::Own("net"),
                "DeleteListener listener/net/awseb--AWSEB-1/1/1",
                "CreateRule",
            ),
            (
                Balancing::Own("net"),
                "DeregisterTargets targetgroup/awseb-AWSEB-1/1",
                "DescribeInstanceHealth",
            ),
            (
                Balancing::Classic,
                "RegisterInstancesWithLoadBalancer loadbalancer/awseb-1",
                "TargetGroup",
            ),
            (
                Balancing::Classic,
                "DescribeInstanceHealth *",
                "CreateListener",
            ),
            (
                Balancing::Shared(&shared),
                "CreateRule listener/app/shop-shared/50dc/1",
                "CreateLoadBalancer",
            ),
            (
                Balancing::Shared(&shared),
                "DeleteRule listener-rule/app/shop-shared/50dc/1/1",
                "DeleteListener",
            ),
        ] {
            let asked = of(balancing);
            assert!(asked.iter().any(|a| a == has), "{has} in {asked:?}");
            let lacking = asked.iter().all(|a| !a.starts_with(lacks));
            assert!(lacking, "no {lacks} in {asked:?}");
        }
        assert_eq!(of(Balancing::Address), [""; 0]);
    }

    #[test]
    fn the_roles_that_are_passed_are_those_that_blue_names() {
        let passed = |instance_profile, service_role| {
            let of = Use {
                instance_profile,
                service_role,
                ..USE
            };
            let roles = needed(&of)
                .into_iter()
                .filter(|n| n.action == "iam:PassRole");
            let roles = roles.map(|n| format!("{} to {}", n.resource, n.passed_to.unwrap_or("-")));
            roles.collect::<Vec<_>>()
        };
        let role = "arn:aws-cn:iam::123456789012:role";
        let to_ec2 = format!("{role}/shop-instances to ec2.amazonaws.com.cn");
        let to_service =
            format!("{role}/service-role/shop-watch to elasticbeanstalk.amazonaws.com");
        assert_eq!(passed(None, None), [""; 0]);
        let profile = "arn:aws-cn:iam::123456789012:instance-profile/web/shop-instances";
        let named = "service-role/shop-watch";
        let arn = format!("{role}/{named}");
        let both = [to_service.clone(), to_ec2.clone()];
        assert_eq!(passed(Some("shop-instances"), Some(named)), both);
        assert_eq!(passed(Some(profile), Some(&arn)), both);
        assert_eq!(passed(Some(profile), None), [to_ec2]);
        // The option tells the service's own role by its name alone.
        let linked = format!(
            "{role}/aws-service-role/elasticbeanstalk.amazonaws.com/{SERVICE_LINKED} to \
             elasticbeanstalk.amazonaws.com"
        );
        assert_eq!(passed(None, Some(SERVICE_LINKED)), [linked]);
    }

    /// What a deploy onto blue needs follows its deployment policy, and what its instances are
    /// launched by. A promotion deploys nothing onto blue.
    #[test]
    fn what_a_deploy_needs_follows_blues_deployment_policy() {
        let asked = |policy, strategy, launch| {
            let scope = Scope {
                strategy,
                launch,
                ..SCOPE
            };
            let of = Use {
                scope,
                policy,
                ..USE
            };
            let actions = needed(&of).into_iter().map(|needed| needed.action);
            actions.collect::<Vec<_>>()
        };
        let (batch, group, split, launch) = (
            "autoscaling:TerminateInstanceInAutoScalingGroup",
            "autoscaling:AttachInstances",
            "elasticloadbalancing:CreateRule",
            "autoscaling:CreateLaunchConfiguration",
        );
        for (policy, needs) in [
            ("AllAtOnce", &[][..]),
            ("Rolling", &[]),
            ("RollingWithAdditionalBatch", &[batch]),
            ("Immutable", &[batch, group]),
            ("TrafficSplitting", &[batch, group, split]),
        ] {
            let policy = DeploymentPolicy::of(policy);
            let restore = asked(policy, Strategy::Restore, None);
            let rehearse = asked(policy, Strategy::Rehearse, None);
            let promote = asked(policy, Strategy::Promote, None);
            for action in [batch, group, split] {
                let has = |asked: &[String]| asked.iter().any(|asked| asked == action);
                assert_eq!(
                    has(&restore),
                    needs.contains(&action),
                    "{policy:?} {action}"
                );
                assert_eq!(has(&restore), has(&rehearse), "{policy:?} {action}");
                assert!(!has(&promote), "{policy:?} {action}");
            }
        }
        for (by, needs) in [
            (Some(Launch::Configuration), true),
            (Some(Launch::Template), false),
            (None, false),
        ] {
            let asked = asked(DeploymentPolicy::InPlace, Strategy::Restore, by);
            assert_eq!(asked.iter().any(|asked| asked == launch), needs, "{by:?}");
        }
    }

    /// Each action of a statement is simulated on resources of its own service alone.
    #[test]
    fn no_action_is_asked_on_another_services_resource() {
        let all = needed(&Use {
            scope: Scope {
                launch: Some(Launch::Configuration),
                key: Some("arn:aws-cn:kms:cn-north-1:123456789012:key/1"),
                ..SCOPE
            },
            policy: DeploymentPolicy::TrafficSplitting,
            schedules: true,
            own_rules: true,
            registers: true,
            ..USE
        });
        assert!(
            all.iter()
                .any(|needed| needed.action == "kms:GenerateDataKey")
        );
        for needed in all.iter().filter(|needed| needed.resource != "*") {
            let service = needed.action.split(':').next().unwrap_or_default();
            let of = needed.resource.split(':').nth(2).unwrap_or_default();
            assert_eq!(service, of, "{needed:?}");
        }
    }

    /// An operations role has what is needed downstream; the caller passes it on and needs no more.
    #[test]
    fn an_operations_role_is_passed_and_has_what_is_beneath() {
        let operations_role = Some("arn:aws-cn:iam::123456789012:role/ops");
        let with = needed(&Use {
            scope: Scope {
                operations_role,
                ..SCOPE
            },
            instance_profile: Some("shop-instances"),
            ..USE
        });
        assert!(
            with.iter()
                .all(|needed| matches!(needed.by, By::Caller | By::Perhaps)),
            "{with:?}"
        );
        let passed: Vec<_> = with.iter().filter(|n| n.action == "iam:PassRole").collect();
        let [passed] = passed[..] else {
            panic!("{passed:?}");
        };
        assert_eq!(Some(passed.resource.as_str()), operations_role);
        assert_eq!(passed.passed_to, Some(SERVICE));
        assert!(needed(&USE).iter().any(|needed| needed.by == By::Service));
        // What is read of AWS's own stays the caller's.
        assert!(
            with.iter().any(|n| n.resource.contains(PATCHES)),
            "{with:?}"
        );
    }
}
