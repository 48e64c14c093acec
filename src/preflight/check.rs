//! The checks there are, what each says of itself, and what it can find.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::plan::Allowed;

/// What is checked before a release, in the order in which it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// Whose credentials they are.
    Credentials,
    /// What these may do.
    Permissions,
    /// The application.
    Application,
    /// Blue.
    Environments,
    /// No other deployment at the target.
    FreeTarget,
    /// Blue's tier.
    WorkerTier,
    /// Blue is Ready and healthy.
    BlueHealthy,
    /// The version to release.
    Version,
    /// The version that blue runs.
    PreviousVersion,
    /// It is another one than blue's.
    SomethingNew,
    /// Green's name.
    GreenName,
    /// Green's CNAME.
    GreenCname,
    /// Green's tags.
    Tags,
    /// A database of blue's own.
    CoupledDatabase,
    /// Time-based scaling that green's launch fails on.
    ScheduledActions,
    /// Options that green's launch fails on.
    LaunchOptions,
    /// The branch of blue's platform.
    PlatformBranch,
    /// A managed update that is to come.
    ManagedUpdate,
    /// How much more the account may have.
    Quotas,
    /// The protection of blue's stack.
    TerminationProtection,
    /// A load balancer that blue shares.
    SharedLoadBalancer,
    /// What is on blue's load balancer beside its settings.
    UnmanagedChanges,
    /// The security groups that admit blue's.
    SecurityGroups,
    /// Who counts requests.
    RequestCount,
    /// An environment of one instance.
    SingleInstance,
    /// What runs on both environments at once.
    TwoEnvironments,
    /// How versions are deployed.
    DeploymentPolicy,
    /// DNS records that do not follow a swap.
    DnsRecords,
    /// The artifacts bucket.
    Bucket,
    /// The tests over HTTP.
    Tests,
    /// The preview hostnames.
    PreviewHosts,
    /// What green may have otherwise than blue.
    ExpectedDifferences,
    /// The alarms.
    Alarms,
}

/// Whether a refusal may be overridden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowing {
    /// It may; what follows then.
    May(&'static str),
    /// It may not, because.
    Never(&'static str),
}

/// What a check says of itself. Sentences without a full stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Its name, for `--allow` and in reports.
    pub name: &'static str,
    /// What it looks at, and when it does not pass.
    pub looks_at: &'static str,
    /// What to do where it does not pass.
    pub remedy: &'static str,
    /// Whether a refusal may be overridden.
    pub allowing: Allowing,
}

impl Check {
    /// Every check, in the order in which it is shown.
    pub const ALL: [Check; 33] = [
        Check::Credentials,
        Check::Permissions,
        Check::Application,
        Check::Environments,
        Check::FreeTarget,
        Check::WorkerTier,
        Check::BlueHealthy,
        Check::Version,
        Check::PreviousVersion,
        Check::SomethingNew,
        Check::GreenName,
        Check::GreenCname,
        Check::Tags,
        Check::CoupledDatabase,
        Check::ScheduledActions,
        Check::LaunchOptions,
        Check::PlatformBranch,
        Check::ManagedUpdate,
        Check::Quotas,
        Check::TerminationProtection,
        Check::SharedLoadBalancer,
        Check::UnmanagedChanges,
        Check::SecurityGroups,
        Check::RequestCount,
        Check::SingleInstance,
        Check::TwoEnvironments,
        Check::DeploymentPolicy,
        Check::DnsRecords,
        Check::Bucket,
        Check::Tests,
        Check::PreviewHosts,
        Check::ExpectedDifferences,
        Check::Alarms,
    ];

    /// What the check says of itself.
    #[must_use]
    pub fn about(self) -> About {
        use Allowing::{May, Never};
        let (name, looks_at, remedy, allowing) = match self {
            Check::Credentials => (
                "credentials",
                "whose credentials these are, as STS tells it; refuses those of another account \
                 than blue's",
                "set AWS_PROFILE, or name the credentials of blue's account",
                Never("nothing can be done with the credentials of another account"),
            ),
            Check::Permissions => (
                "permissions",
                "every action and resource of docs/start/iam-policy.json that this release needs, \
                 simulated by IAM for the role or user itself, and, unless blue has an operations \
                 role, every one of docs/start/iam-policy-beneath.json that Elastic Beanstalk needs \
                 with the same rights to make green, to deploy onto blue by its deployment policy \
                 and to terminate green; refuses where one is not allowed, warns where only one is not that \
                 an account needs once or that AWS's documents leave open, or where a condition \
                 cannot be judged beforehand",
                "grant what is named, as docs/start/permissions.md says",
                May(
                    "the release goes on until AWS denies it something: it stops there, and \
                     nothing is lost, but production may stay on green meanwhile",
                ),
            ),
            Check::Application => (
                "application",
                "whether the application is there",
                "name it with --app, and its region with --region",
                Never("there is nothing to release"),
            ),
            Check::Environments => (
                "environments",
                "whether blue is there and of the application",
                "name it with --blue; after a promotion blue's and green's names are exchanged",
                Never("there is nothing to release onto"),
            ),
            Check::FreeTarget => (
                "free-target",
                "whether the target has a deployment that has not ended, as the journal here and \
                 its copy in the bucket know it (`run` ends with 12 then, or waits with --wait)",
                "let it end, or see `bluegreen status`",
                Never("two deployments would swap against each other"),
            ),
            Check::WorkerTier => (
                "worker-tier",
                "blue's tier, by its name and type: refuses every tier but WebServer/Standard, such \
                 as Worker/SQS/HTTP and Cluster/EKS",
                "deploy to an environment of another tier directly",
                Never(
                    "a worker has no CNAME to swap, and no other tier is known to bluegreen: green \
                     is made of tier WebServer/Standard",
                ),
            ),
            Check::BlueHealthy => (
                "blue-healthy",
                "blue's status and health: it must be Ready and Green, or Ok or Info with enhanced \
                 health; warns of worse that --healthy or blue's own HealthCheckSuccessThreshold \
                 accepts; and how many instances it runs, which green is made with",
                "bring blue into order first, or accept its Warning with --healthy warning",
                May(
                    "a Warning (Yellow with basic health) counts as healthy in this release, on \
                     both environments, as with --healthy warning. What is not Ready, Red or of \
                     unknown health is refused all the same: green would be a clone of what is \
                     not well",
                ),
            ),
            Check::Version => (
                "version",
                "whether the version is registered with a bundle that is still in S3, or its \
                 bundle is there to register it with, and whether blue runs a version that can be \
                 gone back to",
                "register it, or give its bundle with --bundle or --s3-key",
                Never("there would be nothing to deploy, or no way back"),
            ),
            Check::PreviousVersion => (
                "previous-version",
                "the version that blue runs, which green is launched with: whether it is \
                 registered and its bundle is still in S3, where lifecycle rules may have deleted \
                 it; with --strategy promote this warns only, because green is launched with the \
                 new version",
                "put the bundle back where it was, or deploy a version to blue whose bundle is \
                 there",
                May(
                    "Elastic Beanstalk may still have a copy; where it has none, green's launch \
                     fails, green is discarded, and blue is untouched",
                ),
            ),
            Check::SomethingNew => (
                "something-new",
                "whether blue runs another version than the one to release",
                "choose another version with --version-label",
                Never("the version that is released is known by its label"),
            ),
            Check::GreenName => (
                "green-name",
                "whether an environment has green's name",
                "choose another name with --green, or remove it",
                Never("what somebody else has made is never touched"),
            ),
            Check::GreenCname => (
                "green-cname",
                "the CNAME with green's name as its prefix; green needs none of its own choice, \
                 the service gives it one, so this warns at most",
                "choose another name with --green where that CNAME matters",
                Never("it refuses nothing"),
            ),
            Check::Tags => (
                "tags",
                "how many tags green would have: blue's own and those of bluegreen",
                "take tags off blue",
                Never("the service takes no more"),
            ),
            Check::CoupledDatabase => (
                "coupled-database",
                "whether a database belongs to blue (`aws:rds:dbinstance`)",
                "decouple it first (developer guide, \"Decoupling an RDS DB instance\")",
                May(
                    "green gets a new database of its own, which is empty: while green serves, it \
                     writes there and blue's data is not to be seen, and when green is terminated \
                     that database is deleted with it, or kept as a snapshot, as its deletion \
                     policy says; with --strategy promote that is blue's database",
                ),
            ),
            Check::ScheduledActions => (
                "scheduled-actions",
                "blue's time-based scaling (`aws:autoscaling:scheduledaction`); refuses one-time \
                 actions whose StartTime is over, because Auto Scaling refuses to make them on \
                 green; warns of recurring ones, which run on green too and may change its size \
                 during the release",
                "remove these actions from blue",
                May(
                    "green's launch fails where Auto Scaling refuses the action: green is \
                     discarded, and blue is untouched",
                ),
            ),
            Check::LaunchOptions => (
                "launch-options",
                "options that an environment can have and none can be created with: those that AWS \
                 has retired, as Elastic Beanstalk tells when blue's settings are validated, and an \
                 `access_logs.s3.prefix` that starts or ends with `/`; warns of anything else that \
                 it finds wrong with them. Whether an account may still make launch configurations \
                 nothing tells beforehand: where it may not, green's launch fails, is discarded, \
                 and says what to set on blue",
                "remove or change the option on blue first, as with `aws elasticbeanstalk \
                 update-environment --options-to-remove`",
                May(
                    "green is not created, or its launch fails and green is discarded: blue is \
                     untouched either way",
                ),
            ),
            Check::PlatformBranch => (
                "platform-branch",
                "the state of blue's platform branch; refuses a retired one, warns of a \
                 deprecated one, of a beta and of a platform version that is gone",
                "move blue to a supported branch first",
                May(
                    "the service may still take the clone where the account uses the branch; \
                     else it refuses it, and blue is untouched",
                ),
            ),
            Check::ManagedUpdate => (
                "managed-update",
                "blue's next managed action, which locks blue for as long as it takes; refuses \
                 where its window begins before the release is expected to be over, or it is \
                 under way",
                "release after it, or move the maintenance window",
                May(
                    "the release may find blue locked: it waits, within its patience, and is held \
                     or goes back after that",
                ),
            ),
            Check::Quotas => (
                "quotas",
                "how many environments, configuration templates and, where one is to be \
                 registered, versions the account may still have in the region, and Elastic IP \
                 addresses where blue is a single instance that has one; not how many vCPUs \
                 (docs/start/guide.md)",
                "remove some that nobody needs, or ask AWS for more",
                Never("the service refuses it all the same"),
            ),
            Check::TerminationProtection => (
                "termination-protection",
                "with --strategy promote, whether the stack behind blue is protected against \
                 termination; a clone's is not",
                "take the protection off the stack, or use --strategy restore",
                May(
                    "terminating blue fails in the end, and a person is needed, unless the \
                     protection is taken off before",
                ),
            ),
            Check::SharedLoadBalancer => (
                "shared-load-balancer",
                "whether blue shares its load balancer, and which rules forward to it there: \
                 Elastic Beanstalk's own rule for the CNAME follows a swap, and so do rules that \
                 are tagged; refuses any other rule that forwards to blue, for it does neither",
                "tag the rules of production `bluegreen:follow=production` (docs/use/preview.md), \
                 or delete them",
                May(
                    "only what reaches the environments by the CNAME that is swapped follows: users \
                     who come by another rule meet the deploy, and with --strategy promote blue \
                     cannot be deleted while a rule forwards to it",
                ),
            ),
            Check::UnmanagedChanges => (
                "unmanaged-changes",
                "what is on blue's own load balancer and not in its settings, so that green does not \
                 have it: a web ACL of AWS WAF, listeners, their rules, default actions and \
                 certificates, target groups; a classic load balancer's listeners are not compared",
                "put it into the environment's settings or the version's .ebextensions, or onto \
                 green during a pause (docs/start/guide.md)",
                Never("it refuses nothing"),
            ),
            Check::SecurityGroups => (
                "security-groups",
                "whether a security group, as a database or a cache has one, admits the group that \
                 Elastic Beanstalk made for blue's instances; green gets another group and is not \
                 admitted. With --strategy promote it refuses whatever is allowed: Elastic Beanstalk \
                 cannot terminate blue while a rule names blue's group",
                "put a security group of your own into the environment's option SecurityGroups, admit \
                 that one instead, and delete the rules that name the group of Elastic Beanstalk",
                May(
                    "while green serves, it cannot reach what admits blue's group alone: let a test \
                     of green ask for it",
                ),
            ),
            Check::RequestCount => (
                "request-count",
                "who counts the requests of an environment, which the drain goes by: enhanced \
                 health, or with basic health an application or classic load balancer, whose \
                 RequestCount CloudWatch tells some minutes late; warns where nobody does: then \
                 the drain goes by time alone",
                "use enhanced health, or grant cloudwatch:GetMetricData",
                Never("it refuses nothing"),
            ),
            Check::SingleInstance => (
                "single-instance",
                "whether blue runs a single instance; warns only: while green serves nothing is \
                 lost, but one instance serves everything",
                "use a load-balanced environment where one instance is not enough",
                Never("it refuses nothing"),
            ),
            Check::TwoEnvironments => (
                "two-environments",
                "what runs on both environments while both stand; warns where blue's settings tell \
                 of something: a notification endpoint, a single instance's own address",
                "see docs/start/guide.md, \"Two environments at once\"",
                Never("it refuses nothing"),
            ),
            Check::DeploymentPolicy => (
                "deployment-policy",
                "how blue takes versions; any policy will do, because blue is idle then; warns of \
                 TrafficSplitting, which judges by traffic that idle blue does not get",
                "set another DeploymentPolicy on blue",
                Never("it refuses nothing"),
            ),
            Check::DnsRecords => (
                "dns-records",
                "the records of the hosted zones that may be listed, the first fifty at most, and \
                 where DNS leads from the names that tests ask or present (`host`) and that no zone \
                 tells of; refuses where one leads to blue's load balancer or its addresses in \
                 place of the production CNAME: it does not follow a swap. Warns where DNS tells \
                 addresses of the load balancer and no CNAME, which some providers do for a CNAME \
                 too",
                "point the record at the production CNAME instead",
                May(
                    "who comes by that name stays on blue while green serves: where that is more \
                     than a remainder of the traffic, the drain finds it, and the release goes \
                     back or is held; where it is less, those requests are lost while blue is \
                     deployed to, and with --strategy promote for good",
                ),
            ),
            Check::Bucket => (
                "bucket",
                "whether the artifacts bucket is there and its lease object can be read, \
                 and whether a write whose condition cannot hold is refused for that reason; where \
                 it is refused for another one this is left unknown, and `run` proves it once it \
                 has taken the lease: a second write of it, on the condition that there is none, \
                 must be refused",
                "grant what is denied (docs/start/permissions.md), or name another bucket with \
                 --bucket; where the store itself knows no conditional writes, and only there, use \
                 --no-shared-state",
                Never("without it there is no bundle, no copy of the journal and no lease"),
            ),
            Check::Tests => (
                "tests",
                "whether the tests over HTTP reach the environment under test: a path does, and so \
                 does a whole URL with `{cname}` as its host, a preview hostname, or, where blue \
                 alone is tested, blue's load balancer; refuses one that asks the production CNAME \
                 or a name that the account's hosted zones or DNS lead there, which the other \
                 environment holds meanwhile; warns where it is not known where a name leads, and of `host` \
                 behind a shared load balancer, whose rules choose by that name. Asks blue each \
                 test by GET or HEAD once, but for those of the release alone, and refuses what \
                 its running version does not pass",
                "give a path, or write {cname} in the URL in place of its host; `host` presents \
                 another name; --expect-status takes another answer",
                May(
                    "a test that reaches production passes on the version that serves and proves \
                     nothing of the one under test: a broken one may go live. What asks the \
                     production CNAME itself is refused all the same. A test that the running \
                     version does not pass is asked of the version to release alone",
                ),
            ),
            Check::PreviewHosts => (
                "preview-hosts",
                "whether the preview hostnames and their hosted zone can be read and used \
                 (docs/use/preview.md)",
                "name others with --preview-host and --hosted-zone-id, or leave them out",
                Never(
                    "the names would not lead to the environment under test, or the users of \
                     production would be led there",
                ),
            ),
            Check::ExpectedDifferences => (
                "expected-differences",
                "what --expect-difference names; warns of an option or a tag that blue does not \
                 have: it matches only what green alone has, or nothing (docs/use/fidelity.md)",
                "write the name as the diff of a release has it",
                Never("it refuses nothing"),
            ),
            Check::Alarms => (
                "alarms",
                "whether one of the alarms that watch production is in alarm now",
                "release once it is over, or leave that --alarm out",
                May(
                    "an alarm that is still in alarm when production is watched sends it back \
                     within one look",
                ),
            ),
        };
        About {
            name,
            looks_at,
            remedy,
            allowing,
        }
    }

    /// Its name, as in `coupled-database`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.about().name
    }

    /// Whether a refusal of it may be overridden.
    #[must_use]
    pub fn may_be_allowed(self) -> bool {
        matches!(self.about().allowing, Allowing::May(_))
    }

    /// That it found what it should.
    pub(crate) fn passed(self, evidence: impl Into<String>) -> Finding {
        self.found(Verdict::Passed, evidence)
    }

    /// That something is to be known, but stops nothing.
    pub(crate) fn warned(self, evidence: impl Into<String>) -> Finding {
        self.found(Verdict::Warned, evidence)
    }

    /// That the release must not begin.
    pub(crate) fn refused(self, evidence: impl Into<String>, remedy: impl Into<String>) -> Finding {
        let remedy = remedy.into();
        self.found(Verdict::Refused { remedy }, evidence)
    }

    /// That nothing could be found out.
    pub(crate) fn unknown(self, why: impl Into<String>) -> Finding {
        self.found(Verdict::Unknown, why)
    }

    fn found(self, verdict: Verdict, evidence: impl Into<String>) -> Finding {
        Finding {
            check: self,
            verdict,
            evidence: evidence.into(),
            stands: false,
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A check that is to be allowed, by its name; one that may not is refused with the reason.
impl FromStr for Check {
    type Err = String;

    fn from_str(text: &str) -> Result<Check, String> {
        let found = Check::ALL.into_iter().find(|check| check.name() == text);
        let may = |check: &Check| check.may_be_allowed();
        match found.map(|check| (check, check.about().allowing)) {
            Some((check, Allowing::May(_))) => Ok(check),
            Some((check, Allowing::Never(why))) => {
                Err(format!("{check} may not be overridden: {why}"))
            }
            None => {
                let names = Check::ALL.into_iter().filter(may).map(Check::name);
                let names: Vec<_> = names.collect();
                Err(format!("expected one of {}", names.join(", ")))
            }
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// What follows from it.
    pub verdict: Verdict,
    /// What was seen, with its values, or why nothing could be; one sentence without a
    /// full stop.
    pub evidence: String,
    /// Whether a refusal stands although the check may be allowed: there is nothing to go on
    /// with.
    pub stands: bool,
}

/// What follows from what a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// It is as it should be.
    Passed,
    /// Something is to be known, but stops nothing.
    Warned,
    /// The release must not begin.
    Refused {
        /// What to do.
        remedy: String,
    },
    /// It would refuse, and the operator has allowed it.
    Allowed,
    /// Nothing could be found out; this stops nothing.
    Unknown,
}

impl Finding {
    /// Whether the release must not begin.
    #[must_use]
    pub fn refuses(&self) -> bool {
        matches!(self.verdict, Verdict::Refused { .. })
    }

    /// Whether a refusal may be overridden.
    #[must_use]
    pub fn may_be_allowed(&self) -> bool {
        self.check.may_be_allowed() && !self.stands
    }

    /// The same as a refusal that nothing overrides.
    #[must_use]
    pub(super) fn standing(self) -> Finding {
        Finding {
            stands: true,
            ..self
        }
    }

    /// The same, where the operator has allowed what it refuses.
    #[must_use]
    pub(super) fn unless_allowed(mut self, allowed: &[Check]) -> Finding {
        if self.refuses() && !self.stands && allowed.contains(&self.check) {
            self.verdict = Verdict::Allowed;
        }
        self
    }

    /// What the journal keeps of it, where the operator has allowed it.
    #[must_use]
    pub(super) fn kept(&self) -> Option<Allowed> {
        (self.verdict == Verdict::Allowed).then(|| Allowed {
            check: self.check.name().to_owned(),
            evidence: self.evidence.clone(),
        })
    }
}

/// What it found, and what to do where it refuses.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.evidence)?;
        match &self.verdict {
            Verdict::Refused { remedy } => write!(f, ": {remedy}"),
            Verdict::Passed | Verdict::Warned | Verdict::Allowed | Verdict::Unknown => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_each_its_own_and_lead_back() {
        for (at, check) in Check::ALL.into_iter().enumerate() {
            assert_eq!(check as usize, at, "in the order of the enum");
            let same = Check::ALL.into_iter().filter(|c| c.name() == check.name());
            assert_eq!(same.count(), 1, "{check}");
            let parsed = check.name().parse::<Check>();
            match check.about().allowing {
                Allowing::May(_) => assert_eq!(parsed, Ok(check)),
                Allowing::Never(why) => assert!(parsed.is_err_and(|e| e.contains(why))),
            }
        }
        let unknown = "colour".parse::<Check>().expect_err("there is none");
        assert!(unknown.contains("coupled-database"), "{unknown}");
    }
}
