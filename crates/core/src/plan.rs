//! The plan of one deployment: every name, label and limit it will use, chosen
//! before the first effect and kept with every checkpoint, so that asking again
//! asks for the same thing.

// Numbers here are read from others.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod rollout;

pub use rollout::Rollout;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hooks::Hook;

use crate::acceptance::{AcceptanceTest, Front, On, TestCommand, one_or_many};
use crate::health::Health;
use crate::moment::part;
use crate::preview::Preview;
use crate::text::short;

/// The tag on green that names the deployment it belongs to.
pub const TAG_DEPLOYMENT: &str = "bluegreen:deployment";
/// The tag on green that names its part; its value is `green`.
pub const TAG_ROLE: &str = "bluegreen:role";
/// The tag on green that keeps the CNAME that production had at the start.
pub const TAG_PRODUCTION_CNAME: &str = "bluegreen:production-cname";

/// The tag on green that names blue's environment id.
pub const TAG_BLUE: &str = "bluegreen:blue";
/// The tag on green that names the version to release, as [`tag_value`] writes it.
pub const TAG_VERSION: &str = "bluegreen:version";
/// The tag on green that names the strategy.
pub const TAG_STRATEGY: &str = "bluegreen:strategy";
/// The tag on green that keeps blue's sizes at the start, as in `2-4`.
pub const TAG_SIZES: &str = "bluegreen:sizes";
/// The tag on green that names the bucket with the journal's copy.
pub const TAG_BUCKET: &str = "bluegreen:bucket";
/// The tag on green that names the pauses that were asked for, as in `swap cutover`.
pub const TAG_PAUSE: &str = "bluegreen:pause";

/// How many tags an environment may be given: of the fifty that it may have the service itself
/// sets three (developer guide, "Tagging Elastic Beanstalk application resources").
pub const TAGS_MAX: usize = 47;

/// How many characters a tag's value may have (API reference, `Tag`).
const TAG_VALUE_MAX: usize = 256;
/// Stands before the digest of a label that is too long for a tag. It is in no label.
const TAG_DIGEST: char = '/';

/// Which of the two environments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The environment that production lives in before and after.
    Blue,
    /// The clone that serves meanwhile.
    Green,
}

impl Role {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Role {
        match self {
            Role::Blue => Role::Green,
            Role::Green => Role::Blue,
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Strategy::Restore => "restore",
            Strategy::Promote => "promote",
            Strategy::Rehearse => "rehearse",
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Blue => "blue",
            Role::Green => "green",
        })
    }
}

/// What is deployed to: at most one unfinished deployment each.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The AWS account's twelve digits, as in blue's ARN.
    pub account: String,
    /// The region, as in `eu-central-1`.
    pub region: String,
    /// The Elastic Beanstalk application's name.
    pub application: String,
    /// Blue's environment name.
    pub blue: String,
}

/// Where production lives once a release is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// On blue, where it was: green serves while the version goes onto blue.
    #[default]
    Restore,
    /// On green, which is launched on the version: production moves once, and blue is
    /// the way back until it is terminated.
    Promote,
    /// On blue, which is never touched: green is launched as for a release, given the version
    /// and tested, and terminated.
    Rehearse,
}

/// Which version the stages are to leave on blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The new version: a release.
    Release,
    /// The version that ran before: a rollback.
    Previous,
}

/// A source bundle in the artifacts bucket, and the file it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bundle {
    /// The key in the artifacts bucket.
    pub key: String,
    /// The local file to upload; none for a bundle that is there already.
    pub file: Option<BundleFile>,
}

/// A local source bundle.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BundleFile {
    /// Where it was when the deployment began.
    pub path: PathBuf,
    /// The SHA-256 of its content, in hexadecimal; the key holds it too.
    pub sha256: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// How many instances an environment's group may have (developer guide, "General
/// options for all environments": `aws:autoscaling:asg`, `MinSize` and `MaxSize`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sizes {
    /// At least.
    pub min: u32,
    /// At most.
    pub max: u32,
}

impl Sizes {
    /// The same with at least so many.
    #[must_use]
    pub fn holding(self, instances: u32) -> Sizes {
        Sizes {
            min: self.min.max(instances),
            max: self.max.max(instances),
        }
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.min, self.max)
    }
}

impl FromStr for Sizes {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Sizes, Self::Err> {
        let (min, max) = text.split_once('-').unwrap_or((text, text));
        Ok(Sizes {
            min: min.parse()?,
            max: max.parse()?,
        })
    }
}

/// Which of an environment's two sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Which {
    /// The least.
    pub min: bool,
    /// The most.
    pub max: bool,
}

impl Which {
    /// Neither.
    pub const NONE: Which = Which {
        min: false,
        max: false,
    };
    /// Both.
    pub const BOTH: Which = Which {
        min: true,
        max: true,
    };

    /// Those in which two sizes differ.
    #[must_use]
    pub fn differing(one: Sizes, other: Sizes) -> Which {
        Which {
            min: one.min != other.min,
            max: one.max != other.max,
        }
    }

    /// Whether it is one of them at least.
    #[must_use]
    pub fn any(self) -> bool {
        self.min || self.max
    }
}

/// The values that a deployment has given to an environment's sizes, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct OwnSizes {
    /// Those of the least.
    pub min: Vec<u32>,
    /// Those of the most.
    pub max: Vec<u32>,
    /// The least that was found where the deployment set its own over it; none where that was
    /// its own.
    pub min_before: Option<u32>,
    /// The same of the most.
    pub max_before: Option<u32>,
}

impl OwnSizes {
    /// Adds those that are set over what was found.
    pub fn add(&mut self, sizes: Sizes, sets: Which, over: Sizes) {
        let ours = self.among(over);
        if sets.min {
            if !ours.min {
                self.min_before = Some(over.min);
            }
            self.min.push(sizes.min);
        }
        if sets.max {
            if !ours.max {
                self.max_before = Some(over.max);
            }
            self.max.push(sizes.max);
        }
    }

    /// Whether nothing of its own is in force any more, because it has been removed.
    #[must_use]
    pub fn is_taken_back(&self) -> bool {
        self.min.is_empty() && self.max.is_empty()
    }

    /// Which of these sizes are not what it had found.
    #[must_use]
    pub fn lacks(&self, sizes: Sizes) -> Which {
        let differs = |before: Option<u32>, now| before.is_some_and(|before| before != now);
        Which {
            min: differs(self.min_before, sizes.min),
            max: differs(self.max_before, sizes.max),
        }
    }

    /// The sizes to go back to: what was found, else those at the start.
    #[must_use]
    pub fn to_go_back_to(&self, at_first: Sizes) -> Sizes {
        Sizes {
            min: self.min_before.unwrap_or(at_first.min),
            max: self.max_before.unwrap_or(at_first.max),
        }
    }

    /// Which of these sizes the deployment has set so.
    #[must_use]
    pub fn among(&self, sizes: Sizes) -> Which {
        Which {
            min: self.min.contains(&sizes.min),
            max: self.max.contains(&sizes.max),
        }
    }
}

/// What the template that was made from blue sets: what was applied to blue itself, and neither
/// what its source bundle sets nor a default (developer guide, "Saved configurations").
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TemplateSets {
    /// The options, by `NAMESPACE:OPTION`, with `[RESOURCE]` behind where they are for one of
    /// several.
    pub options: Vec<String>,
    /// The security groups that green is given in place of the template's, among which is the
    /// group that the service made for blue; none where it is not.
    pub groups: Option<Vec<String>>,
}

impl TemplateSets {
    /// Which of the sizes it sets.
    #[must_use]
    pub fn sizes(&self) -> Which {
        let sets = |name: &str| {
            let mut options = self.options.iter();
            options.any(|option| option.split('[').next() == Some(name))
        };
        Which {
            min: sets("aws:autoscaling:asg:MinSize"),
            max: sets("aws:autoscaling:asg:MaxSize"),
        }
    }
}

/// A security group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// Its id, `sg-…`.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// How long a pause waits for its approval, and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ApprovalLimit {
    /// How long it is asked for.
    pub limit: Duration,
    /// Whether the deployment goes back then; else it is held.
    pub goes_back: bool,
}

/// What tests blue on the way back in place of what tests the release.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TestsBack {
    /// The tests over HTTP.
    pub tests: Vec<AcceptanceTest>,
    /// The command, where there is one.
    pub command: Option<TestCommand>,
    /// Whether production is tested too.
    pub production: bool,
}

/// The pauses that an operator or an approval has ended. A program before it took the
/// wish itself back instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Passed {
    /// The one before the first swap.
    pub swap: bool,
    /// The one before the last swap, for the version that the plan has.
    pub cutover: bool,
}

/// Every limit of a deployment. What a plan of an older program does not say has its
/// default.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// The pause between two looks, give or take a tenth.
    pub poll: Duration,
    /// How long cached DNS answers may still reach an environment after a swap.
    pub drain: Duration,
    /// How long after a swap an environment that is still asked for something is waited
    /// for, before a remainder of requests is forgiven; what is more than a remainder never
    /// is.
    pub drain_limit: Duration,
    /// Whether the traffic that stays on an environment may be lost: then the drain ends
    /// with its limit, whatever still comes.
    pub accept_traffic_loss: bool,
    /// How many requests a minute one instance of a drained environment may get: those of
    /// health checks, as blue's settings tell them.
    pub drain_requests: u32,
    /// How long blue is watched after the last swap.
    pub bake: Duration,
    /// By how many percentage points more of production's requests than before may be
    /// answered with a server error while it is watched.
    pub error_rise: u32,
    /// How many times as long as before production's requests may take while it is
    /// watched.
    pub latency_rise: u32,
    /// The longest wait of any one state that does not end by itself.
    pub patience: Duration,
    /// The same of single states, by their names.
    pub patience_of: BTreeMap<String, Duration>,
    /// How a version goes onto blue, and how long that may take.
    pub rollout: Rollout,
    /// How long a request without a clear answer may still arrive: the request's
    /// time-out and the five minutes for which its signature holds.
    pub quarantine: Duration,
    /// How long the production CNAME must be seen at one place before that place
    /// is believed although it is the wrong one (reads may be stale).
    pub settle: Duration,
    /// How many looks in a row must find an environment healthy.
    pub healthy_looks: u32,
    /// How many looks in a row may find production sick while it is watched.
    pub sick_looks: u32,
    /// How long after the deploy or the launch of an environment the failures of its tests do
    /// not count while it is not healthy.
    pub test_grace: Duration,
    /// How many tests in a row must pass.
    pub test_passes: u32,
    /// How many tests in a row may fail before the version is given up.
    pub test_failures: u32,
}

/// How long one request to AWS may take before its answer counts as lost.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long after its intent was written down a request may still be sent; its
/// quarantine is as much longer.
pub const SEND_WITHIN: Duration = Duration::from_secs(30);

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            poll: Duration::from_secs(10),
            drain: Duration::from_secs(60),
            drain_limit: Duration::from_secs(10 * 60),
            accept_traffic_loss: false,
            // A load balancer's nodes in three zones, each every 15 seconds, make 12.
            drain_requests: 20,
            bake: Duration::from_secs(300),
            error_rise: 5,
            latency_rise: 3,
            patience: Duration::from_secs(30 * 60),
            patience_of: BTreeMap::new(),
            rollout: Rollout::default(),
            quarantine: REQUEST_TIMEOUT.saturating_add(Duration::from_mins(5)),
            settle: Duration::from_secs(30),
            healthy_looks: 3,
            sick_looks: 2,
            // A load balancer takes instances back within one or two minutes, and the slowest of
            // applications start in two or three.
            test_grace: Duration::from_secs(5 * 60),
            test_passes: 3,
            test_failures: 3,
        }
    }
}

/// However short the poll, no answer of production is waited for less: less would tell of
/// the network and not of production.
const WATCH_WITHIN_MIN: Duration = Duration::from_secs(1);

impl Limits {
    /// From one look at production that is watched to the next: so short that all the looks
    /// it takes to find it sick, and the last answer that is waited for, fall within one
    /// poll.
    #[must_use]
    pub fn watch_interval(&self) -> Duration {
        part(self.poll, self.sick_looks.max(1).saturating_add(1))
    }

    /// How long an answer of production that is watched is waited for at most. The quarter
    /// that is left is for the requests to AWS.
    #[must_use]
    pub fn watch_within(&self) -> Duration {
        let quarters = self.sick_looks.max(1).saturating_add(1).saturating_mul(4);
        part(self.poll.saturating_mul(3), quarters).max(WATCH_WITHIN_MIN)
    }
}

/// Everything a deployment has decided beforehand.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// The deployment's id, a ULID.
    pub id: String,
    /// What is deployed to.
    pub target: Target,
    /// Blue's environment id, `e-…`: names can be given again, ids cannot.
    pub blue_id: String,
    /// Green's environment name.
    pub green: String,
    /// The configuration template made for this deployment alone.
    pub template: String,
    /// The CNAME that blue held at the start, and holds again at the end.
    pub production_cname: String,
    /// Where production lives in the end.
    #[serde(default)]
    pub strategy: Strategy,
    /// The version that blue ran at the start.
    pub previous_version: String,
    /// The version to release.
    pub version: String,
    /// Which of the two versions the stages work towards.
    pub goal: Goal,
    /// The source bundle of `version` where it has to be registered.
    pub bundle: Option<Bundle>,
    /// The artifacts bucket.
    pub bucket: String,
    /// Whether the bucket holds a copy of the journal and the target's lease.
    #[serde(default)]
    pub shared_state: bool,
    /// Blue's sizes at the start, which are left in the end; none where it has a single
    /// instance and no group, or a program before it did not read them.
    #[serde(default)]
    pub sizes: Option<Sizes>,
    /// What blue's template sets; none where it has not been read yet.
    #[serde(default)]
    pub template_sets: Option<TemplateSets>,
    /// The security group that the service made for blue's instances; none where there is
    /// none, or it may not be read.
    #[serde(default)]
    pub blue_group: Option<SecurityGroup>,
    /// How many instances blue ran at the start: green is made with at least as many.
    #[serde(default)]
    pub instances: u32,
    /// The worst health with which an environment is taken for healthy.
    #[serde(default)]
    pub healthy: Health,
    /// The ARN of blue's operations role at the start, which green is made with; none where
    /// blue has none, or a program before it did not read it.
    #[serde(default)]
    pub operations_role: Option<String>,
    /// Green's tags: blue's own and ours.
    pub green_tags: Vec<(String, String)>,
    /// How an environment is asked for a path.
    #[serde(default)]
    pub front: Front,
    /// How an environment is tested over HTTP.
    #[serde(alias = "test", deserialize_with = "one_or_many")]
    pub tests: Vec<AcceptanceTest>,
    /// What tests it further, once it has passed those.
    #[serde(default)]
    pub test_command: Option<TestCommand>,
    /// What tests blue on the way back, where an operator has named it; else what tests the
    /// release.
    #[serde(default)]
    pub tests_back: Option<TestsBack>,
    /// Whether green is tested too, before it takes traffic. A plan of an older program that
    /// does not say it tests green only where that is to keep production.
    #[serde(default)]
    pub test_green: bool,
    /// Whether blue is tested too while it serves and is watched.
    #[serde(default = "yes")]
    pub test_production: bool,
    /// The operator's commands before and after the stages.
    #[serde(default)]
    pub hooks: Vec<Hook>,
    /// Whether a URL is asked for approval of each pause, so that to resume is not to
    /// approve. The URL itself may be a secret, and is no part of the plan.
    #[serde(default)]
    pub asks_approval: bool,
    /// What becomes of a pause that nobody approves; none where it has no limit.
    #[serde(default)]
    pub approval: Option<ApprovalLimit>,
    /// Whether to stop before the first swap until an operator resumes.
    #[serde(default)]
    pub pause_before_swap: bool,
    /// The pauses that are over.
    #[serde(default)]
    pub passed: Passed,
    /// What green may have otherwise than blue, as a [difference](crate::fidelity::Difference)
    /// is called.
    #[serde(default)]
    pub expected_differences: Vec<String>,
    /// The names of the CloudWatch alarms that watch production.
    #[serde(default)]
    pub alarms: Vec<String>,
    /// The preview hostnames; none where none are asked for, or what they held before is
    /// not known any more.
    #[serde(default)]
    pub preview: Option<Preview>,
    /// The checks that refused and were overridden.
    #[serde(default)]
    pub allowed: Vec<Allowed>,
    /// Whether to stop before the last swap until an operator resumes.
    pub pause_before_cutover: bool,
    /// The limits.
    pub limits: Limits,
}

/// A check that refused before a release, and that the operator has overridden.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Allowed {
    /// The check, as in `coupled-database`.
    pub check: String,
    /// What it had found.
    pub evidence: String,
}

/// What a plan says that was made before it could say otherwise.
fn yes() -> bool {
    true
}

impl Plan {
    /// Checks that its ids and names are such as this program and AWS give, and that those that
    /// follow from each other agree.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn check(&self) -> Result<(), String> {
        is_id(&self.id)?;
        let Target {
            account,
            region,
            application,
            blue,
        } = &self.target;
        let all = |text: &str, allowed: &[u8]| {
            let allows = |b: u8| b.is_ascii_alphanumeric() || allowed.contains(&b);
            !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.bytes().all(allows)
        };
        let is_label = |text: &str| {
            let chars = text.chars().count();
            chars <= LABEL_CHARS_MAX && !text.contains(char::is_control)
        };
        let names = [
            (
                "account",
                account,
                account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()),
            ),
            ("region", region, all(region, b"-")),
            (
                "application",
                application,
                !application.is_empty() && is_label(application),
            ),
            ("blue", blue, is_environment_name(blue)),
            (
                "green",
                &self.green,
                is_environment_name(&self.green) && self.green != *blue,
            ),
            ("blue_id", &self.blue_id, all(&self.blue_id, b"-")),
            ("template", &self.template, all(&self.template, b"-")),
            (
                "production_cname",
                &self.production_cname,
                all(&self.production_cname, b"-."),
            ),
            (
                "previous_version",
                &self.previous_version,
                is_label(&self.previous_version),
            ),
            ("version", &self.version, is_label(&self.version)),
        ];
        match names.into_iter().find(|(_, _, is_one)| !is_one) {
            Some((what, name, _)) => Err(format!("{what} cannot be {:?}", short(name, SHOWN))),
            None => Ok(()),
        }
    }

    /// The version label that blue is to run at the end.
    #[must_use]
    pub fn goal_version(&self) -> &str {
        match self.goal {
            Goal::Release => &self.version,
            Goal::Previous => &self.previous_version,
        }
    }

    /// The version label that green is launched on: the one blue runs when it is
    /// cloned, or the one to release where green is to keep production.
    #[must_use]
    pub fn green_version(&self) -> &str {
        match (self.strategy, self.goal) {
            (Strategy::Promote, _) | (Strategy::Restore, Goal::Previous) => &self.version,
            (Strategy::Restore, Goal::Release) | (Strategy::Rehearse, _) => &self.previous_version,
        }
    }

    /// The sizes that green is made with, where they are not blue's own.
    #[must_use]
    pub fn green_sizes(&self) -> Option<Sizes> {
        let own = self.sizes?;
        let wanted = own.holding(self.instances);
        (wanted != own).then_some(wanted)
    }

    /// The variables that the tests take values from.
    #[must_use]
    pub fn test_variables(&self) -> Vec<String> {
        let names = self.tests.iter().flat_map(AcceptanceTest::variables);
        names.map(str::to_owned).collect()
    }

    /// Whether green is tested over HTTP before it takes traffic.
    #[must_use]
    pub fn tests_green(&self) -> bool {
        let asked = self.test_green || self.strategy == Strategy::Promote;
        // On the way back green runs what production runs.
        asked && self.goal == Goal::Release
    }

    /// What tests blue towards a goal over HTTP. A test that is of the release alone is not
    /// asked on the way back.
    #[must_use]
    pub fn tests_towards(&self, goal: Goal) -> Vec<&AcceptanceTest> {
        match (goal, &self.tests_back) {
            (Goal::Release, _) => self.tests.iter().collect(),
            (Goal::Previous, Some(back)) => back.tests.iter().collect(),
            (Goal::Previous, None) => {
                let tests = self.tests.iter();
                tests.filter(|test| test.on == On::Always).collect()
            }
        }
    }

    /// The command that tests further towards a goal.
    #[must_use]
    pub fn command_towards(&self, goal: Goal) -> Option<&TestCommand> {
        match (goal, &self.tests_back) {
            (Goal::Previous, Some(back)) => back.command.as_ref(),
            (Goal::Release, _) | (Goal::Previous, None) => self.test_command.as_ref(),
        }
    }

    /// Whether production is tested too while it is watched.
    #[must_use]
    pub fn tests_production(&self) -> bool {
        match (self.goal, &self.tests_back) {
            (Goal::Previous, Some(back)) => back.production,
            (Goal::Release, _) | (Goal::Previous, None) => self.test_production,
        }
    }

    /// Whether the deployment stops before the first swap.
    #[must_use]
    pub fn stops_before_swap(&self) -> bool {
        self.pause_before_swap && !self.passed.swap && self.goal == Goal::Release
    }

    /// Whether the deployment stops before the last swap.
    #[must_use]
    pub fn stops_before_cutover(&self) -> bool {
        self.pause_before_cutover && !self.passed.cutover && self.goal == Goal::Release
    }

    /// The environment that production is watched on before the other one goes.
    #[must_use]
    pub fn destination(&self) -> Role {
        match self.strategy {
            Strategy::Restore | Strategy::Rehearse => Role::Blue,
            Strategy::Promote => Role::Green,
        }
    }

    /// Whether it rehearses a release: blue is never touched.
    #[must_use]
    pub fn rehearses(&self) -> bool {
        self.strategy == Strategy::Rehearse
    }

    /// The environment name of a role.
    #[must_use]
    pub fn environment(&self, role: Role) -> &str {
        match role {
            Role::Blue => &self.target.blue,
            Role::Green => &self.green,
        }
    }
}

/// How long a name of AWS's is at most that goes into requests: a hostname (RFC 1035, 2.3.4).
const NAME_BYTES_MAX: usize = 255;
/// How many characters an application's name and a version label have at most (API reference,
/// `CreateApplicationVersion`).
const LABEL_CHARS_MAX: usize = 100;

/// How much of a name that is none is shown.
const SHOWN: usize = 80;

/// Whether an environment may have this name (API reference, `CreateEnvironment`).
#[must_use]
pub fn is_environment_name(name: &str) -> bool {
    (4..=40).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Checks that a text is a deployment's id, as this program writes it.
///
/// # Errors
/// That it is none, for people.
pub fn is_id(text: &str) -> Result<(), String> {
    let id = ulid::Ulid::from_string(text).ok();
    match id.is_some_and(|id| id.to_string() == text) {
        true => Ok(()),
        false => Err(format!("{:?} is no deployment's id", short(text, SHOWN))),
    }
}

/// The name of the configuration template of a deployment; the id makes it its own.
#[must_use]
pub fn template_name(id: &str) -> String {
    format!("bluegreen-{}", id.to_lowercase())
}

/// What green's tags keep of a deployment, so that it can be rebuilt where no journal
/// is left.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// The deployment's id.
    pub id: &'a str,
    /// The CNAME that production had at the start.
    pub production_cname: &'a str,
    /// Blue's environment id.
    pub blue_id: &'a str,
    /// The version to release.
    pub version: &'a str,
    /// Where production lives in the end.
    pub strategy: Strategy,
    /// Blue's sizes at the start.
    pub sizes: Option<Sizes>,
    /// The bucket with the journal's copy; none where there is no copy.
    pub bucket: Option<&'a str>,
    /// Whether it pauses before the first swap.
    pub pause_before_swap: bool,
    /// Whether it pauses before the last one.
    pub pause_before_cutover: bool,
}

impl Kept<'_> {
    /// Green's tags: [blue's own](is_own_tag), and these.
    #[must_use]
    pub fn beside(&self, blue_tags: &[(String, String)]) -> Vec<(String, String)> {
        let own = blue_tags.iter().filter(|(key, _)| is_own_tag(key)).cloned();
        let ours = [
            (TAG_DEPLOYMENT, self.id.to_owned()),
            (TAG_ROLE, "green".to_owned()),
            (TAG_PRODUCTION_CNAME, self.production_cname.to_owned()),
            (TAG_BLUE, self.blue_id.to_owned()),
            (TAG_VERSION, tag_value(self.version)),
            (TAG_STRATEGY, self.strategy.to_string()),
        ];
        let sizes = self.sizes.map(|sizes| (TAG_SIZES, sizes.to_string()));
        let bucket = self.bucket.map(|bucket| (TAG_BUCKET, bucket.to_owned()));
        let pauses = [
            self.pause_before_swap.then_some(PAUSE_SWAP),
            self.pause_before_cutover.then_some(PAUSE_CUTOVER),
        ];
        let pauses: Vec<_> = pauses.into_iter().flatten().collect();
        let pauses = (!pauses.is_empty()).then(|| (TAG_PAUSE, pauses.join(" ")));
        let ours = ours.into_iter().chain(sizes).chain(bucket).chain(pauses);
        own.chain(ours.map(|(key, value)| (key.to_owned(), value)))
            .collect()
    }
}

/// The words of [`TAG_PAUSE`].
pub const PAUSE_SWAP: &str = "swap";
/// See [`PAUSE_SWAP`].
pub const PAUSE_CUTOVER: &str = "cutover";

/// Whether a tag is its owner's: neither one that the service reserves (`aws:…`,
/// `elasticbeanstalk:…`, `Name`) nor one of ours.
#[must_use]
pub fn is_own_tag(key: &str) -> bool {
    let key = key.to_lowercase();
    let prefixes = ["aws:", "elasticbeanstalk:", "bluegreen:"];
    key != "name" && !prefixes.iter().any(|prefix| key.starts_with(prefix))
}

/// The value of a tag.
#[must_use]
pub fn tag_of<'a>(tags: &'a [(String, String)], key: &str) -> Option<&'a str> {
    let found = tags.iter().find(|(name, _)| name == key);
    found.map(|(_, value)| value.as_str())
}

/// A version label as a tag's value: labels take any character but a slash, tags
/// letters, digits, spaces and `+-=._:/@` (developer guide, "Tagging resources").
/// Any other byte is written as `=XX`, and so is the equals sign. What is too long for a tag
/// then, as a long label in another script is, ends in a slash and a digest of the whole label.
#[must_use]
pub fn tag_value(label: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"+-._:@".contains(&b);
    let escape = |b: u8| {
        if plain(b) {
            char::from(b).to_string()
        } else {
            format!("={b:02X}")
        }
    };
    let whole: String = label.bytes().map(escape).collect();
    if whole.len() <= TAG_VALUE_MAX {
        return whole;
    }
    let digest = Sha256::digest(label.as_bytes());
    let digest: String = digest[..16].iter().map(|b| format!("{b:02x}")).collect();
    let kept = TAG_VALUE_MAX.saturating_sub(digest.len().saturating_add(TAG_DIGEST.len_utf8()));
    format!("{}{TAG_DIGEST}{digest}", &whole[..kept])
}

/// The version label of a tag's value; none where it is not well-formed, or holds a part of
/// the label alone.
#[must_use]
pub fn label_of_tag(value: &str) -> Option<String> {
    if value.contains(TAG_DIGEST) {
        return None;
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut parts = value.split('=');
    bytes.extend(parts.next()?.bytes());
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend(part.get(2..)?.bytes());
    }
    String::from_utf8(bytes).ok()
}

impl Plan {
    /// A plan to release `v2` where `v1` runs, for tests and examples.
    #[must_use]
    pub fn sample(id: &str) -> Plan {
        Plan {
            id: id.to_owned(),
            target: Target {
                account: "123456789012".to_owned(),
                region: "us-east-1".to_owned(),
                application: "shop".to_owned(),
                blue: "blue".to_owned(),
            },
            blue_id: "e-blue".to_owned(),
            green: "green".to_owned(),
            template: "t".to_owned(),
            production_cname: "shop.example".to_owned(),
            strategy: Strategy::Restore,
            previous_version: "v1".to_owned(),
            version: "v2".to_owned(),
            goal: Goal::Release,
            bundle: None,
            bucket: "b".to_owned(),
            shared_state: false,
            sizes: None,
            template_sets: None,
            blue_group: None,
            instances: 1,
            healthy: Health::Ok,
            operations_role: None,
            green_tags: vec![],
            front: Front::Http,
            tests: vec![AcceptanceTest::get("/")],
            test_command: None,
            tests_back: None,
            test_green: false,
            test_production: true,
            hooks: vec![],
            asks_approval: false,
            approval: None,
            pause_before_swap: false,
            passed: Passed::default(),
            alarms: vec![],
            expected_differences: vec![],
            preview: None,
            allowed: vec![],
            pause_before_cutover: false,
            limits: Limits::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn green_carries_blues_own_tags_and_ours() {
        let blue: Vec<_> = [
            ("team", "storefront"),
            ("Name", "shop-blue"),
            ("elasticbeanstalk:environment-id", "e-1"),
            ("aws:cloudformation:stack-name", "s"),
            ("bluegreen:deployment", "old"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .to_vec();
        let kept = Kept {
            id: "01J",
            production_cname: "shop.example",
            blue_id: "e-1",
            version: "v 2",
            strategy: Strategy::Promote,
            sizes: Some(Sizes { min: 2, max: 4 }),
            bucket: Some("shop-artifacts"),
            pause_before_swap: true,
            pause_before_cutover: true,
        };
        let tags = kept.beside(&blue);
        let keys: Vec<_> = tags.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "team",
                TAG_DEPLOYMENT,
                TAG_ROLE,
                TAG_PRODUCTION_CNAME,
                TAG_BLUE,
                TAG_VERSION,
                TAG_STRATEGY,
                TAG_SIZES,
                TAG_BUCKET,
                TAG_PAUSE
            ]
        );
        assert_eq!((tags[1].1.as_str(), tags[5].1.as_str()), ("01J", "v=202"));
        assert_eq!(tags[7].1.parse(), Ok(Sizes { min: 2, max: 4 }));
    }

    /// Also where an operator has said what tests the way back: a version that is put in its
    /// place later is tested as the release was.
    #[test]
    fn the_release_is_tested_as_it_was_planned() {
        let mut plan = Plan::sample("01J");
        let mut of_release = AcceptanceTest::get("/new");
        of_release.on = On::Release;
        plan.tests.push(of_release);
        let urls = |plan: &Plan, goal| {
            let urls = plan.tests_towards(goal).into_iter();
            urls.map(|test| test.url.clone()).collect::<Vec<_>>()
        };
        assert_eq!(urls(&plan, Goal::Release), ["/", "/new"]);
        assert_eq!(urls(&plan, Goal::Previous), ["/"]);
        plan.tests_back = Some(TestsBack {
            tests: vec![AcceptanceTest::get("/old")],
            command: None,
            production: false,
        });
        assert_eq!(urls(&plan, Goal::Release), ["/", "/new"]);
        assert_eq!(urls(&plan, Goal::Previous), ["/old"]);
        assert!(plan.tests_production());
        plan.goal = Goal::Previous;
        assert!(!plan.tests_production());
    }

    #[test]
    fn a_label_survives_as_a_tag() {
        for label in ["v2", "release 1.0", "a=b#c,é", "=41", "%"] {
            let value = tag_value(label);
            assert_eq!(label_of_tag(&value).as_deref(), Some(label), "{value}");
        }
        assert_eq!(label_of_tag("=4"), None);
    }

    /// A label has up to a hundred characters (API reference, `CreateApplicationVersion`), of up
    /// to four bytes, each of which is written as three characters; a tag's value has 256.
    #[test]
    fn a_label_that_is_too_long_for_a_tag_ends_in_its_digest() {
        let long = "ж".repeat(100);
        let (one, other) = (tag_value(&long), tag_value(&format!("{}з", &long[2..])));
        assert_eq!(one.len(), TAG_VALUE_MAX);
        assert!(one.starts_with("=D0=B6") && one.contains('/'), "{one}");
        assert_eq!(label_of_tag(&one), None, "it is not the whole label");
        assert_ne!(one, other, "labels that begin alike are told apart");
        let fits = "ж".repeat(42);
        assert_eq!(label_of_tag(&tag_value(&fits)), Some(fits));
    }
}
