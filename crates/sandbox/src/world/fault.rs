//! Scripted faults: what goes wrong on the wire and in the service.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::world::quota::QuotaOf;

/// A fault. As JSON: `{"fault":"throttle","probability":0.3}`,
/// `{"fault":"drop_answer","operation":"SwapEnvironmentCNAMEs","times":1}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    #[serde(flatten)]
    pub effect: FaultEffect,
    /// The operation it strikes; `None` for every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Of S3, a part of the object's key, as in `bluegreen/leases/`; `None` for every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How many requests it lets pass first.
    #[serde(default)]
    pub skip: u32,
    /// How many requests it strikes; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// The share of requests it strikes, 0 to 1; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
}

/// An answer that is not AWS's: it states no request's id, unless a filter has left that in the
/// headers of AWS's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// The header `Location`, with which a redirect names another place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// More headers by their names, as `etag` or `x-amzn-requestid`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The content; of type `text/html` where there is any.
    #[serde(default)]
    pub body: String,
}

/// Whether a request that something else answers reaches AWS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaches {
    /// It does not: nothing is applied.
    #[default]
    Never,
    /// It does, and is applied.
    AtOnce,
    /// It is applied so many seconds of the sandbox's time later; requests to S3 never are.
    After(u64),
}

/// The fault that strikes every request.
impl From<FaultEffect> for Fault {
    fn from(effect: FaultEffect) -> Fault {
        Fault {
            effect,
            operation: None,
            key: None,
            skip: 0,
            times: None,
            probability: None,
        }
    }
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum FaultEffect {
    /// 400 Throttling.
    Throttle,
    /// An error of this kind; nothing is applied.
    Refuse {
        /// The HTTP status.
        status: u16,
        /// The error's code.
        code: String,
        /// The error's message.
        message: String,
    },
    /// Applied, and the connection closes without an answer.
    DropAnswer,
    /// The connection closes; nothing is applied.
    DropRequest,
    /// The connection closes, and the request is applied this much later.
    Late {
        /// Seconds of the sandbox's time.
        seconds: u64,
    },
    /// A proxy, a firewall or a login page answers in AWS's place; the request may have reached
    /// AWS all the same.
    ForeignAnswer {
        /// The answer.
        #[serde(flatten)]
        page: Page,
        /// Whether the request reaches AWS.
        #[serde(default)]
        reaches: Reaches,
    },
    /// Applied, and answered this much later: no client hears of it before.
    SlowAnswer {
        /// Milliseconds of the wall's time, as clients measure it.
        milliseconds: u64,
    },
    /// 403 ExpiredToken.
    ExpiredCredentials,
    /// The service refuses the date of the request, as where the client's clock is wrong: each
    /// service in words of its own.
    ClockSkewed,
    /// The describing operations answer as of so many seconds ago.
    StaleReads {
        /// Seconds of the sandbox's time.
        seconds: u64,
    },
    /// Deploys of this version fail.
    VersionFailsToDeploy {
        /// The version label.
        label: String,
    },
    /// Deploys of this version take this long, with events of each batch on the way.
    SlowDeploy {
        /// The version label.
        label: String,
        /// Seconds of the sandbox's time.
        seconds: u64,
        /// How many batches the events name.
        batches: u32,
    },
    /// Deploys of this version have this event, however they end.
    UpdateSays {
        /// The version label.
        label: String,
        /// The event's severity.
        severity: String,
        /// Its text.
        message: String,
    },
    /// Deploys of this version reach every instance, and their last event is this one instead of
    /// those that report success; none where the text is empty.
    UpdateEndsWith {
        /// The version label.
        label: String,
        /// The event's severity.
        severity: String,
        /// Its text.
        message: String,
    },
    /// Deploys of this version reach every instance, and the update neither ends nor says any
    /// more: it can be aborted.
    UpdateHangs {
        /// The version label.
        label: String,
    },
    /// Deploys of this version succeed although one of several instances keeps the version that
    /// it has.
    InstanceMisses {
        /// The version label.
        label: String,
    },
    /// This version begins to answer so long after a deploy or a launch has put it there: until
    /// then the proxy beside it answers 502, and health is Severe.
    SlowToAnswer {
        /// The version label.
        label: String,
        /// Seconds of the sandbox's time.
        seconds: u64,
    },
    /// The load balancer of this environment takes its instances back so long after a deploy has
    /// ended: until then it answers 503 itself, and health is Severe.
    BalancerLags {
        /// The environment's name.
        environment: String,
        /// Seconds of the sandbox's time.
        seconds: u64,
    },
    /// This version cannot be processed.
    VersionFailsToProcess {
        /// The version label.
        label: String,
    },
    /// Environments with this version answer with this status.
    VersionAnswers {
        /// The version label.
        label: String,
        /// The HTTP status.
        status: u16,
    },
    /// Environments with this version send http to https, by a redirect to the same host.
    VersionRedirects {
        /// The version label.
        label: String,
    },
    /// This environment answers with this status, whatever version it has, and its health does not
    /// show that: a database admits another one's security group alone.
    EnvironmentAnswers {
        /// The environment's name.
        environment: String,
        /// The HTTP status.
        status: u16,
    },
    /// So many of a hundred requests to environments with this version get a server error, as
    /// enhanced health reports it.
    VersionErrs {
        /// The version label.
        label: String,
        /// Of a hundred.
        percent: usize,
    },
    /// Environments with this version take this long to answer.
    VersionTakes {
        /// The version label.
        label: String,
        /// Milliseconds of the wall's time, as clients measure it.
        milliseconds: u64,
    },
    /// Environments with this version answer with this body, whatever the path but
    /// `/echo`; as JSON where it is JSON.
    VersionSays {
        /// The version label.
        label: String,
        /// The body.
        body: String,
    },
    /// The source bundle of this version sets an option, by its `.ebextensions`.
    VersionSets {
        /// The version label.
        label: String,
        /// As in `aws:autoscaling:asg`.
        namespace: String,
        /// As in `MinSize`.
        option: String,
        /// Its value.
        value: String,
    },
    /// This environment was made long ago: its defaults differ from those of newer ones, and the
    /// service rewrites some values of its settings.
    MadeLongAgo {
        /// The environment's name.
        environment: String,
    },
    /// A security group of somebody else's, as a database has one, admits the group that the
    /// service made for this environment.
    GroupAdmits {
        /// The group's name.
        group: String,
        /// The environment's name.
        environment: String,
    },
    /// A template that is made from an environment keeps the group that the service made for
    /// that one.
    TemplatesKeepGroups,
    /// The launch of this environment ends Red.
    LaunchTurnsRed {
        /// The environment's name.
        environment: String,
    },
    /// The launch of this environment goes wrong.
    LaunchFails {
        /// The environment's name.
        environment: String,
        /// How.
        how: LaunchFault,
    },
    /// The service refuses a new environment with this option: the option no longer exists.
    RetiredOption {
        /// As in `aws:elasticbeanstalk:environment`.
        namespace: String,
        /// As in `Domain`.
        name: String,
    },
    /// The account cannot make launch configurations: a launch without a launch template
    /// fails.
    NoLaunchConfigurations,
    /// This environment has this health, whenever it is Ready, for so long: environments live in
    /// Warning for days. The answers report the same health of every instance.
    EnvironmentHealth {
        /// The environment's name.
        environment: String,
        /// Warning, Degraded or Severe.
        status: String,
        /// Seconds of the sandbox's time.
        seconds: u64,
        /// Why, in the service's words; without it, the sandbox's own words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
    },
    /// This environment is coupled with a database.
    CoupledDatabase {
        /// The environment's name.
        environment: String,
    },
    /// This environment runs a single instance, without a load balancer.
    SingleInstance {
        /// The environment's name.
        environment: String,
    },
    /// This environment shares the load balancer `shop-shared` with others.
    SharedBalancer {
        /// The environment's name.
        environment: String,
    },
    /// This environment is on a custom platform of the account's own.
    CustomPlatform {
        /// The environment's name.
        environment: String,
    },
    /// The stack behind this environment is protected against termination.
    ProtectedStack {
        /// The environment's name.
        environment: String,
    },
    /// A managed platform update of this environment is due after this time, and begins
    /// then.
    ManagedActionDue {
        /// The environment's name.
        environment: String,
        /// Seconds of the sandbox's time.
        seconds: u64,
    },
    /// The platform's branch is in this state: Beta, Supported, Deprecated or Retired.
    PlatformBranch {
        /// The state.
        state: String,
    },
    /// The account may have no more of these.
    Quota {
        /// Of what.
        of: QuotaOf,
        /// The most that are allowed.
        maximum: usize,
    },
    /// Another account has the CNAME with this prefix.
    CnameTaken {
        /// The prefix.
        prefix: String,
    },
    /// Somebody else makes an environment of this name.
    ForeignEnvironment {
        /// Its name.
        name: String,
    },
    /// So many clients use production, each with so many requests a second.
    BusySite {
        /// How many clients there are.
        clients: usize,
        /// How many requests each of them sends a second.
        per_second: u64,
    },
    /// Resolvers keep the clients' DNS answers for so long.
    LongCaches {
        /// Seconds of the sandbox's time.
        seconds: u64,
        /// Of a hundred clients, how many have such a resolver.
        #[serde(default = "every_client")]
        percent: u32,
    },
    /// A DNS provider that is none of the account's holds a record: a CNAME where its value is a
    /// name, of an address where it is one.
    DnsRecord {
        /// Its name, as in `www.mysite.example`.
        name: String,
        /// What it holds.
        value: String,
    },
    /// The name servers answer every query with an error.
    DnsFails,
    /// The buckets heed neither the conditions of writes nor the digests of their content.
    ConditionsIgnored,
    /// An environment that no client reaches shrinks to its least when it is deployed to.
    IdleShrinks,
    /// The service accepts the next swap, which fails: the CNAMEs stay.
    SwapFailsOnce,
    /// The rules of Elastic Beanstalk's own on a shared load balancer do not follow a swap.
    RulesStay,
    /// Tags at an environment's creation need no right to tag.
    TagsNeedNoRight,
    /// Bundles are read with these rights, whatever operates the environment.
    BundlesReadBy {
        /// The holder of these rights.
        reader: BundleReader,
    },
    /// The next termination of this environment fails once, and it is Ready again.
    TerminateFailsOnce {
        /// The environment's name.
        environment: String,
    },
    /// The next terminations of this environment fail.
    TerminateFails {
        /// The environment's name.
        environment: String,
        /// How many of them.
        failures: u32,
        /// Whether it stays Terminating; it is Ready again where it does not.
        lingers: bool,
    },
    /// While this environment is terminated, a request of somebody else's for it fails.
    AnotherFails {
        /// The environment's name.
        environment: String,
        /// The text of its ERROR event.
        message: String,
    },
    /// An environment that is being launched can be terminated.
    TerminatesWhileLaunching,
    /// This environment is Ready and cannot be terminated, because of a deployment that
    /// cannot be aborted either.
    PendingForGood {
        /// The environment's name.
        environment: String,
    },
}

/// The default: all of a hundred.
fn every_client() -> u32 {
    100
}

impl FaultEffect {
    /// Its name, as in its JSON.
    pub(crate) fn name(&self) -> String {
        let json = serde_json::to_value(self).unwrap_or_default();
        json["fault"].as_str().unwrap_or_default().to_owned()
    }
}

/// The rights with which a bundle is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BundleReader {
    /// The caller's, although there is an operations role.
    Caller,
    /// Elastic Beanstalk's own: the caller needs none.
    Service,
}

/// How the launch of an environment goes wrong. The texts are those of public event logs, of
/// the developer guide ("Environment creation and instance launches") and of the EB CLI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaunchFault {
    /// Its stack fails; the environment stays, Ready and Grey, without instances.
    Stack,
    /// The version fails on its instances: complete, but with errors, Ready and Red.
    Errors,
    /// Commands time out: complete, but with command timeouts, Ready and Red.
    Timeouts,
    /// It has no instance profile: it fails at once, and is Terminated at once.
    Profile,
    /// Its stack fails, and the service terminates it by itself
    /// (`RollbackLaunchOnFailure`).
    RolledBack,
    /// ERROR events, and a launch that succeeds all the same.
    Warned,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parameters of a fault stand in one JSON object with when it strikes.
    #[test]
    fn a_fault_is_what_its_json_says() {
        for effect in [
            FaultEffect::TerminateFails {
                environment: "shop-blue-green".to_owned(),
                failures: 2,
                lingers: true,
            },
            FaultEffect::ForeignAnswer {
                page: Page {
                    status: 302,
                    headers: BTreeMap::new(),
                    location: Some("https://login.example/".to_owned()),
                    body: "<html/>".to_owned(),
                },
                reaches: Reaches::After(96),
            },
            FaultEffect::Late { seconds: 60 },
        ] {
            let fault = Fault {
                skip: 1,
                times: Some(3),
                ..Fault::from(effect)
            };
            let json = serde_json::to_string(&fault).expect("it is JSON");
            let read: Fault = serde_json::from_str(&json).expect(&json);
            assert_eq!(read, fault, "{json}");
        }
        let read: Fault = serde_json::from_str(
            r#"{"fault": "foreign_answer", "status": 403, "reaches": {"after": 96}, "times": 1}"#,
        )
        .expect("as the documents say");
        assert_eq!(read.times, Some(1));
    }
}
