//! The checks, what each says of itself, and what it can find.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::plan::Allowed;

/// What is checked before a release, in the order in which it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// The identity of the credentials.
    Credentials,
    /// What the credentials may do.
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
    /// The service that counts requests.
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
    /// Where green may differ from blue.
    ExpectedDifferences,
    /// The alarms.
    Alarms,
}

/// Whether a refusal may be overridden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowing {
    /// It may be overridden; what follows then.
    May(&'static str),
    /// It may not be overridden; why.
    Never(&'static str),
}

/// What a check says of itself. Sentences without a full stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Its name, for `--allow` and in reports.
    pub name: &'static str,
    /// What it examines, and when it does not pass.
    pub examines: &'static str,
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
        let (name, examines, remedy, allowing) = match self {
            Check::Credentials => (
                "credentials",
                "which account and identity the credentials belong to, as STS reports; refuses \
                 an account other than blue's",
                "set AWS_PROFILE, or provide credentials of blue's account",
                Never("credentials of another account can change nothing here"),
            ),
            Check::Permissions => (
                "permissions",
                "every action and resource of docs/start/iam-policy.json that this release needs, \
                 by IAM's simulation for the role or user itself, and, unless blue has an \
                 operations role, every one of docs/start/iam-policy-beneath.json that Elastic \
                 Beanstalk needs with the same rights to create green, to deploy to blue with its \
                 deployment policy and to terminate green; refuses if one is not allowed, only \
                 warns about one that an account needs once, that AWS's documents leave open, or \
                 whose condition cannot be judged in advance",
                "grant that: bluegreen iam-policy prints all that a release needs (docs/start/permissions.md)",
                May(
                    "the release continues until AWS denies it something: it stops there and \
                     loses nothing, but users may stay on green meanwhile",
                ),
            ),
            Check::Application => (
                "application",
                "whether the application exists",
                "name it with --app, and its region with --region",
                Never("there is nothing to release"),
            ),
            Check::Environments => (
                "environments",
                "whether blue exists and belongs to the application",
                "name it with --blue; after a promotion exchange the names of blue and green",
                Never("there is nothing to release to"),
            ),
            Check::FreeTarget => (
                "free-target",
                "whether the target has an unfinished deployment, in the journal here or in its \
                 copy in the bucket (`run` then exits with 12, or waits with --wait)",
                "wait for its end, or see `bluegreen status`",
                Never("two deployments would swap against each other"),
            ),
            Check::WorkerTier => (
                "worker-tier",
                "blue's tier, by its name and type; refuses every tier but WebServer/Standard, \
                 such as Worker/SQS/HTTP and Cluster/EKS",
                "deploy to an environment of another tier directly",
                Never(
                    "a worker has no CNAME to swap, and bluegreen knows no other tier: it creates \
                     green with tier WebServer/Standard",
                ),
            ),
            Check::BlueHealthy => (
                "blue-healthy",
                "blue's status and health: it must be Ready and Green, or Ok or Info with enhanced \
                 health; warns about worse health that --healthy or blue's own \
                 HealthCheckSuccessThreshold accepts; and how many instances it runs, which green \
                 gets too",
                "repair blue first, or accept its Warning with --healthy warning",
                May(
                    "a Warning (Yellow with basic health) counts as healthy in this release, on \
                     both environments, as with --healthy warning. The check still refuses blue \
                     if it is not Ready, is Red or has unknown health: green would be a clone of \
                     something unhealthy",
                ),
            ),
            Check::Version => (
                "version",
                "whether the version is registered with a bundle that is still in S3, or a bundle \
                 exists to register it with, and whether blue runs a version that a rollback can \
                 restore",
                "register it, or give its bundle with --bundle or --s3-key",
                Never("there would be nothing to deploy, or no rollback"),
            ),
            Check::PreviousVersion => (
                "previous-version",
                "the version that blue runs, with which green is launched: whether it is \
                 registered and its bundle is still in S3, where lifecycle rules may have deleted \
                 it; with --strategy promote the check only warns, because green is launched with \
                 the new version",
                "restore the bundle, or deploy a version to blue whose bundle exists",
                May(
                    "Elastic Beanstalk may still have a copy; if not, green's launch fails, \
                     bluegreen discards green, and blue is untouched",
                ),
            ),
            Check::SomethingNew => (
                "something-new",
                "whether blue runs a version other than the one to release; warns where that did not \
                 stay when it was released last",
                "choose another version with --version-label",
                Never("bluegreen identifies the released version by its label"),
            ),
            Check::GreenName => (
                "green-name",
                "whether an environment has green's name",
                "choose another name with --green, or remove the environment",
                Never("bluegreen never touches what somebody else created"),
            ),
            Check::GreenCname => (
                "green-cname",
                "whether the CNAME with green's name as its prefix is free; only warns, because \
                 green works with any CNAME that the service gives it",
                "choose another name with --green if that CNAME matters",
                Never("it refuses nothing"),
            ),
            Check::Tags => (
                "tags",
                "how many tags green would have: blue's own and those of bluegreen",
                "remove tags from blue",
                Never("the service accepts no more"),
            ),
            Check::CoupledDatabase => (
                "coupled-database",
                "whether a database belongs to blue (`aws:rds:dbinstance`)",
                "decouple it first (developer guide, \"Decoupling an RDS DB instance\")",
                May(
                    "green gets a new, empty database of its own: while users are on green, it \
                     writes there and blue's data is not visible. When green is terminated, that \
                     database is deleted with it, or kept as a snapshot, as its deletion policy \
                     says; with --strategy promote this happens to blue's database",
                ),
            ),
            Check::ScheduledActions => (
                "scheduled-actions",
                "blue's time-based scaling (`aws:autoscaling:scheduledaction`); refuses one-time \
                 actions whose StartTime is over, because Auto Scaling refuses to create them on \
                 green; warns about recurring ones, which run on green too and may change its \
                 size during the release",
                "remove these actions from blue",
                May(
                    "green's launch fails if Auto Scaling refuses the action: bluegreen discards \
                     green, and blue is untouched",
                ),
            ),
            Check::LaunchOptions => (
                "launch-options",
                "options that an environment can have but cannot be created with: options that AWS \
                 has retired, as Elastic Beanstalk reports when it validates blue's settings, and \
                 an `access_logs.s3.prefix` that has `/` at its start or end; warns about anything \
                 else that the validation finds. Nothing says in advance whether an account may \
                 still create launch configurations: if not, green's launch fails, bluegreen \
                 discards green and says what to set on blue",
                "remove or change the option on blue first, as with `aws elasticbeanstalk \
                 update-environment --options-to-remove`",
                May(
                    "green is not created, or its launch fails and bluegreen discards it: blue is \
                     untouched either way",
                ),
            ),
            Check::PlatformBranch => (
                "platform-branch",
                "the state of blue's platform branch; refuses a retired one, warns about a \
                 deprecated one, a beta and a platform version that no longer exists",
                "move blue to a supported branch first",
                May(
                    "the service may still accept the clone if the account uses the branch; \
                     otherwise it refuses the clone, and blue is untouched",
                ),
            ),
            Check::ManagedUpdate => (
                "managed-update",
                "blue's next managed action, which locks blue for its duration; refuses if its \
                 window begins before the expected end of the release, or if it is running",
                "release after it, or move the maintenance window",
                May(
                    "the release may find blue locked: it waits, within the state's timeout, and \
                     is then held or rolls back",
                ),
            ),
            Check::Quotas => (
                "quotas",
                "how many environments, configuration templates and, if the release registers \
                 one, versions the account may still have in the region, and Elastic IP addresses \
                 if blue is a single instance that has one; not how many vCPUs \
                 (docs/start/guide.md)",
                "remove some that nobody needs, or request more from AWS",
                Never("the service refuses it all the same"),
            ),
            Check::TerminationProtection => (
                "termination-protection",
                "with --strategy promote, whether the stack behind blue is protected against \
                 termination; a clone's is not",
                "remove the protection from the stack, or use --strategy restore",
                May(
                    "terminating blue fails at the end, and a person must act, unless you remove \
                     the protection before",
                ),
            ),
            Check::SharedLoadBalancer => (
                "shared-load-balancer",
                "whether blue shares its load balancer, and which rules forward to it there: \
                 Elastic Beanstalk's own rule for the CNAME follows a swap, and so do tagged \
                 rules; refuses any other rule that forwards to blue, because it does not follow",
                "tag the rules of production `bluegreen:follow=production` (docs/use/preview.md), \
                 or delete them",
                May(
                    "only traffic to the swapped CNAME follows: users who come through another \
                     rule are on blue during the deploy, and with --strategy promote blue cannot \
                     be deleted while a rule forwards to it",
                ),
            ),
            Check::UnmanagedChanges => (
                "unmanaged-changes",
                "what is on blue's own load balancer but not in its settings, so that green lacks \
                 it: a web ACL of AWS WAF, listeners, their rules, default actions and \
                 certificates, target groups; it does not compare the listeners of a classic load \
                 balancer",
                "put it into the environment's settings or the version's .ebextensions, or onto \
                 green during a pause (docs/start/guide.md)",
                Never("it refuses nothing"),
            ),
            Check::SecurityGroups => (
                "security-groups",
                "whether a security group, such as that of a database or a cache, admits the group \
                 that Elastic Beanstalk created for blue's instances; green gets another group, \
                 which is not admitted. With --strategy promote it refuses whatever is allowed: \
                 Elastic Beanstalk cannot terminate blue while a rule names blue's group",
                "put a security group of your own into the environment's option SecurityGroups, admit \
                 that one instead, and delete the rules that name the group of Elastic Beanstalk",
                May(
                    "while users are on green, it cannot reach what admits only blue's group: let a \
                     test of green use it",
                ),
            ),
            Check::RequestCount => (
                "request-count",
                "what counts the requests of an environment for the drain: enhanced health, or \
                 with basic health an application or classic load balancer, whose RequestCount \
                 CloudWatch reports some minutes late; warns if nothing does: the drain then \
                 depends on time alone",
                "use enhanced health, or grant cloudwatch:GetMetricData",
                Never("it refuses nothing"),
            ),
            Check::SingleInstance => (
                "single-instance",
                "whether blue runs a single instance; only warns: while users are on green nothing \
                 is lost, but one instance answers every request",
                "use a load-balanced environment if one instance is not enough",
                Never("it refuses nothing"),
            ),
            Check::TwoEnvironments => (
                "two-environments",
                "what runs twice while both environments exist; warns if blue's settings reveal \
                 something: a notification endpoint, a single instance's own address",
                "see docs/start/guide.md, \"Two environments at once\"",
                Never("it refuses nothing"),
            ),
            Check::DeploymentPolicy => (
                "deployment-policy",
                "blue's deployment policy; any policy works, because blue is idle during the \
                 deploy; warns about TrafficSplitting, which judges by traffic that idle blue does \
                 not get",
                "set another DeploymentPolicy on blue",
                Never("it refuses nothing"),
            ),
            Check::DnsRecords => (
                "dns-records",
                "the records of the hosted zones that may be listed, the first fifty at most, and \
                 where DNS leads from the names in tests (URL or `host`) that no zone contains; \
                 refuses if one leads to blue's load balancer or its addresses instead of the \
                 production CNAME, because it does not follow a swap. Warns if DNS returns \
                 addresses of the load balancer and no CNAME, which some providers do for a CNAME \
                 too",
                "point the record at the production CNAME instead",
                May(
                    "users of that name stay on blue when the others move to green: if they are \
                     more than a remainder of the traffic, the drain notices, and the release \
                     rolls back or is held; if they are fewer, they lose requests during the \
                     deploy to blue, and with --strategy promote for good",
                ),
            ),
            Check::Bucket => (
                "bucket",
                "whether the artifacts bucket exists and its lock object is readable, and whether \
                 it refuses a write whose condition cannot hold, for that reason; if it refuses \
                 for another reason, this stays unknown, and `run` proves it once it has taken the \
                 lock: the bucket must refuse a second write of it, on the condition that there is \
                 none",
                "grant what is denied (docs/start/permissions.md), or name another bucket with \
                 --bucket; only if the store itself has no conditional writes, use \
                 --no-shared-state",
                Never("without it there is no bundle, no copy of the journal and no lock"),
            ),
            Check::Tests => (
                "tests",
                "whether the tests over HTTP reach the environment under test: a path does, and so \
                 does a whole URL with `{cname}` as its host, a preview hostname, or, if the \
                 release tests only blue, blue's load balancer; refuses a test of the production \
                 CNAME or of a name that the account's hosted zones or DNS lead there, because the \
                 other environment holds it meanwhile; warns if it is unknown where a name leads, \
                 and about `host` behind a shared load balancer, whose rules choose by that name. \
                 Sends each test with GET or HEAD to blue once, except those of the release alone, \
                 and refuses what blue's running version does not pass",
                "give a path, or write {cname} in the URL in place of its host; `host` sends \
                 another name; --expect-status accepts another answer",
                May(
                    "a test that reaches production passes on the version that users have and \
                     proves nothing about the one under test: a broken one may go live. The check \
                     still refuses a test of the production CNAME itself. Only the version to \
                     release takes a test that the running version does not pass",
                ),
            ),
            Check::PreviewHosts => (
                "preview-hosts",
                "whether the preview hostnames and their hosted zone are readable and usable \
                 (docs/use/preview.md)",
                "name others with --preview-host and --hosted-zone-id, or omit them",
                Never(
                    "the names would not lead to the environment under test, or would lead the \
                     users of production there",
                ),
            ),
            Check::ExpectedDifferences => (
                "expected-differences",
                "what --expect-difference names; warns about an option or a tag that blue does not \
                 have: it matches only what green alone has, or nothing (docs/use/fidelity.md)",
                "write the name as the diff of a release prints it",
                Never("it refuses nothing"),
            ),
            Check::Alarms => (
                "alarms",
                "whether one of the alarms for the bake is in alarm now",
                "release once it is over, or omit that --alarm",
                May(
                    "an alarm that is still in alarm during the bake returns users within one poll",
                ),
            ),
        };
        About {
            name,
            examines,
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

    /// It found what it should.
    pub(crate) fn passed(self, evidence: impl Into<String>) -> Finding {
        self.found(Verdict::Passed, evidence)
    }

    /// Warns of something that stops nothing.
    pub(crate) fn warned(self, evidence: impl Into<String>) -> Finding {
        self.found(Verdict::Warned, evidence)
    }

    /// Refuses: the release must not begin.
    pub(crate) fn refused(self, evidence: impl Into<String>, remedy: impl Into<String>) -> Finding {
        let remedy = remedy.into();
        self.found(Verdict::Refused { remedy }, evidence)
    }

    /// Nothing could be found out.
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

/// Parses the name of a check to allow; one that may not be overridden is refused with the reason.
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
    /// Whether a refusal stands although the check may be allowed: the release would have nothing
    /// to continue with.
    pub stands: bool,
}

/// What follows from what a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// It is as it should be.
    Passed,
    /// A warning, which stops nothing.
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

    /// This finding as a refusal that nothing overrides.
    #[must_use]
    pub(super) fn standing(self) -> Finding {
        Finding {
            stands: true,
            ..self
        }
    }

    /// This finding, allowed where the operator has allowed what it refuses.
    #[must_use]
    pub(super) fn unless_allowed(mut self, allowed: &[Check]) -> Finding {
        if self.refuses() && !self.stands && allowed.contains(&self.check) {
            self.verdict = Verdict::Allowed;
        }
        self
    }

    /// The part of it that the journal keeps, where the operator has allowed it.
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
