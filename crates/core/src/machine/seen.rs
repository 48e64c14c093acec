//! What a poll found: plain facts, without times.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::drift::{Drift, OthersUpdate};
use crate::followers::listener_rules::{Balancer, RuleOwners};
use crate::followers::preview::{Lead, Record};
use crate::plan::{OwnSizes, Role, Sizes};

/// The facts a step decides on, read afresh from AWS each time. Times and
/// streaks enter as facts too.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seen {
    /// Who holds the production CNAME; none where neither does.
    pub production: Option<Role>,
    /// Whether that has been seen for so long that it is no stale read.
    pub production_settled: bool,
    /// The environment that holds the production CNAME where neither blue nor green does; none
    /// where none does, or it could not be read.
    #[serde(default)]
    pub production_elsewhere: Option<String>,
    /// Whether the swap that bluegreen requested in this state was done, and production is back
    /// where it was for so long that it is no stale read: somebody else has moved it back.
    #[serde(default)]
    pub swap_undone: bool,
    /// Blue; none where it is gone.
    pub blue: Option<EnvSeen>,
    /// Whether it has been gone for so long that it is no stale read.
    #[serde(default)]
    pub blue_gone: bool,
    /// Whether green, which this deployment has made, has been gone for as long.
    #[serde(default)]
    pub green_gone: bool,
    /// Green's environment id, which outlives it; none where it was never known.
    #[serde(default)]
    pub green_id: Option<String>,
    /// What somebody else has put on green since it took production, and blue has not; empty where
    /// the poll did not read that, or an operator has given it up.
    #[serde(default)]
    pub changes_on_green: Vec<Drift>,
    /// What somebody else has put on idle blue: a version that a deploy would overwrite, or that
    /// has taken the place of the goal; empty likewise.
    #[serde(default)]
    pub changes_on_blue: Vec<Drift>,
    /// The update of blue that continues, where it is known not to be this deployment's.
    #[serde(default)]
    pub others_update_of_blue: Option<OthersUpdate>,
    /// The update of green that continues, where it is known not to be this deployment's.
    #[serde(default)]
    pub others_update_of_green: Option<OthersUpdate>,
    /// Whether blue was Ready and healthy in several polls in a row.
    pub blue_trusted: bool,
    /// What bears green's name.
    pub green: Green,
    /// Whether green was Ready and healthy in several polls in a row.
    pub green_trusted: bool,
    /// What is wrong with production where it was unhealthy in several polls in a row while it is
    /// monitored.
    pub production_sick: Option<String>,
    /// Why the alarms of production could not all be read; none where they were, or no poll read
    /// them.
    #[serde(default)]
    pub unread_alarms: Option<String>,
    /// Whether green is the same as blue.
    #[serde(default)]
    pub likeness: Likeness,
    /// What became of green's launch.
    #[serde(default)]
    pub launch: Launch,
    /// What became of the termination that the state waits for.
    #[serde(default)]
    pub termination: Termination,
    /// What AWS last said in this state to a request that has to wait, with the operation's
    /// name and how often; none where it took the last one.
    #[serde(default)]
    pub put_off: Option<String>,
    /// What else is known of why the state has not ended yet, in words.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// Whether the configuration template exists.
    pub template: bool,
    /// Whether the bundle lies in the bucket; true where there is none to upload.
    pub bundle: bool,
    /// The version to release.
    pub version: Version,
    /// The deploy of the goal version.
    pub deploy: Deploy,
    /// What is known of the update that carries that deploy out.
    #[serde(default)]
    pub update: Update,
    /// The HTTP test of the environment that is under test.
    pub test: Test,
    /// Whether no cached DNS answer still leads to the idle environment.
    pub drained: bool,
    /// How much traffic the idle environment still gets, in words, where it is a substantial share
    /// of production's in several polls in a row although its clients have had their time to leave.
    #[serde(default)]
    pub traffic_stays: Option<String>,
    /// Whether production has been monitored for long enough, its tests have passed where they must
    /// monitor it, and its alarms were read.
    pub baked: bool,
    /// What may still arrive at AWS although bluegreen requested it earlier.
    pub may_arrive: MayArrive,
    /// What is known of what leads to the environments beside their CNAMEs. The journal does not
    /// keep it.
    #[serde(skip)]
    pub followers: FollowersSeen,
}

/// What leads to the environments beside their CNAMEs: the rules of a shared load balancer and
/// preview hostnames. Either is read only where a step depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FollowersSeen {
    /// The CNAMEs of both environments as last seen: a hostname may still lead to one that is
    /// gone.
    pub cnames: BTreeMap<Role, String>,
    /// The rules; none where they were not read.
    pub rules: Option<RulesSeen>,
    /// Whether every rule was seen right in this state.
    pub rules_were_right: bool,
    /// What AWS last said in this state to a request to change rules that it did not take.
    pub refused: Option<String>,
    /// The preview hostnames, in the plan's order; none where they were not read.
    pub records: Option<Vec<HostSeen>>,
    /// Where bluegreen last requested that the preview hostnames lead.
    pub last_lead: Option<Lead>,
    /// To whom rules were given so lately that a stale poll may not show it.
    pub lately_given: Late<RuleOwners>,
    /// Where preview hostnames were led so lately that a stale poll may not show it.
    pub lately_led: Late<Lead>,
    /// Whether bluegreen has waited for the preview hostnames as long as this state may last.
    pub hosts_given_up: bool,
}

/// The rules of the load balancer that the environments share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RulesSeen {
    /// They share none.
    NotShared,
    /// These.
    Read(Balancer),
    /// They cannot be read; with the reason.
    Unread(String),
}

/// A preview hostname.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostSeen {
    /// What it holds.
    Holds(Record),
    /// It cannot be read; with the reason.
    Unread(String),
}

/// What a step depends on and the poll has not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// The rules of the load balancer that the environments share.
    pub rules: bool,
    /// The preview hostnames.
    pub records: bool,
}

impl Unread {
    /// Whether there is anything to read.
    #[must_use]
    pub fn any(self) -> bool {
        self.rules || self.records
    }
}

/// A request that may still arrive at AWS, by what it would bring about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Late<T> {
    /// None.
    #[default]
    Nothing,
    /// One that would bring this about.
    This(T),
    /// One of which it is not known what it would bring about.
    Anything,
}

impl<T: PartialEq> Late<T> {
    /// Whether nothing may arrive that would bring about anything else than what is wanted.
    #[must_use]
    pub fn allows(&self, wanted: T) -> bool {
        match self {
            Late::Nothing => true,
            Late::This(brings) => *brings == wanted,
            Late::Anything => false,
        }
    }

    /// Whether one may arrive that would bring this about.
    #[must_use]
    pub fn may_be(&self, feared: T) -> bool {
        match self {
            Late::Nothing => false,
            Late::This(brings) => *brings == feared,
            Late::Anything => true,
        }
    }
}

/// One environment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EnvSeen {
    /// The environment's id.
    pub id: String,
    /// Its status.
    pub phase: Phase,
    /// Its health in the service's words, for people.
    pub health: String,
    /// Whether an update of it can be aborted.
    pub abortable: bool,
    /// The version label it shows.
    pub version_label: Option<String>,
    /// How many instances it may have; none where that was not read, and where it has
    /// a single one and no group.
    #[serde(default)]
    pub sizes: Option<Sizes>,
    /// What this deployment has set of them and not taken back; none where that is not known.
    #[serde(default)]
    pub own_sizes: Option<OwnSizes>,
    /// Its instances; none where they were not counted.
    #[serde(default)]
    pub instances: Option<Instances>,
}

/// The instances of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Instances {
    /// How many there are.
    pub running: u32,
    /// How many of them are healthy; all where health is basic, which does not show that.
    pub healthy: u32,
}

/// An environment's status as far as the machine distinguishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Being launched.
    Launching,
    /// Ready for any operation.
    Ready,
    /// Busy with an operation that ends in Ready.
    Busy,
    /// Being terminated.
    Terminating,
}

/// What bears green's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Green {
    /// Nothing.
    Absent,
    /// The green of this deployment, by its tag.
    Ours(EnvSeen),
    /// An environment without this deployment's tag: bluegreen must not touch it.
    Foreign,
}

/// Whether green is the same as blue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// Not known yet.
    #[default]
    Unknown,
    /// It is.
    Alike,
    /// It was not in several polls in a row; with the differences.
    Unlike(Vec<String>),
}

/// What the events of green's launch report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Launch {
    /// Nothing: they were not read, or there are none yet.
    #[default]
    Untold,
    /// It has begun and not ended.
    Running,
    /// It failed, in the service's words.
    Failed(Vec<String>),
    /// It succeeded.
    Done,
}

/// What the events of a termination report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Termination {
    /// No failure.
    #[default]
    Untold,
    /// It failed, in the service's words: nothing continues until bluegreen requests it again.
    Failed(Vec<String>),
    /// An earlier one failed with these words, and another has begun since.
    Again(Vec<String>),
}

/// The version to release.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Version {
    /// Not registered.
    Absent,
    /// Registered and not yet processed.
    Processing,
    /// Ready to be deployed.
    Processed,
    /// It could not be processed.
    Failed,
    /// Registered with another bundle, `bucket/key`.
    Conflict(String),
}

/// What became of the deploy of the goal version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deploy {
    /// This deployment has never requested it.
    Never,
    /// bluegreen requested it earlier, not since it entered this state.
    NotSinceEntry,
    /// bluegreen has requested it, and no poll has shown anything of it.
    Asked,
    /// Its events have begun and not ended.
    Running,
    /// Its events carry a failure, in the service's words.
    Failed(String),
    /// Its events reached completion and the instances that report a version do
    /// not all report the goal.
    Unproven,
    /// Its events reached completion without a failure, and every instance that
    /// reports a version reports the goal.
    Proven,
}

/// What is known of the update that carries a deploy out, while its environment is busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Update {
    /// Nothing is known of whether it is under way.
    #[default]
    Untold,
    /// It is under way, and events or instances show that it continues.
    GoesOn,
    /// It continues, and has taken as long as any deploy may.
    Overdue,
    /// It has not ended, and nothing shows that it continues.
    Silent,
}

/// What became of the HTTP test.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Not decided yet.
    Undecided,
    /// Passed several times in a row.
    Passed,
    /// Failed several times in a row.
    Failed {
        /// The request that bluegreen sent.
        asked: String,
        /// What came back.
        got: String,
    },
}

/// Which effects bluegreen has requested that may still arrive at AWS, or may have arrived unseen:
/// they are still in doubt, and no poll has shown what became of them for so long
/// ([`Limits::settle`](crate::plan::Limits::settle)) that no stale poll can hide it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MayArrive {
    /// The creation of the template.
    pub template: bool,
    /// The creation of green.
    pub green: bool,
    /// A swap.
    pub swap: bool,
    /// A deploy.
    pub deploy: bool,
    /// A change of sizes.
    pub resize: bool,
    /// A change of rules.
    #[serde(default)]
    pub rules: Late<RuleOwners>,
    /// A change of preview hostnames.
    #[serde(default)]
    pub records: Late<Lead>,
}

impl EnvSeen {
    /// Whether the environment accepts an operation.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Whether it is busy with an operation that ends in Ready.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.phase == Phase::Busy
    }

    /// Whether it shows this version label.
    #[must_use]
    pub fn shows(&self, version_label: &str) -> bool {
        self.version_label.as_deref() == Some(version_label)
    }
}

impl Seen {
    /// Green where it is this deployment's.
    #[must_use]
    pub fn our_green(&self) -> Option<&EnvSeen> {
        match &self.green {
            Green::Ours(green) => Some(green),
            Green::Absent | Green::Foreign => None,
        }
    }

    /// The environment in a role where it is there, green where it is this deployment's.
    #[must_use]
    pub fn environment(&self, role: Role) -> Option<&EnvSeen> {
        match role {
            Role::Blue => self.blue.as_ref(),
            Role::Green => self.our_green(),
        }
    }

    /// Whose an environment's id is: green's where green is this deployment's, else blue's.
    #[must_use]
    pub fn role_of(&self, environment_id: &str) -> Role {
        match self.our_green() {
            Some(green) if green.id == environment_id => Role::Green,
            Some(_) | None => Role::Blue,
        }
    }

    /// The environment in a role where it is Ready.
    #[must_use]
    pub fn ready(&self, role: Role) -> Option<&EnvSeen> {
        let environment = self.environment(role);
        environment.filter(|environment| environment.is_ready())
    }

    /// Whether the environment that users are on is being terminated: the other one is the last
    /// then.
    #[must_use]
    pub fn production_goes(&self) -> bool {
        let serving = self.production.and_then(|role| self.environment(role));
        serving.is_some_and(|serving| serving.phase == Phase::Terminating)
    }

    /// Why an environment could not be terminated, in the service's words.
    #[must_use]
    pub fn not_terminated(&self) -> Option<String> {
        match &self.termination {
            Termination::Untold => None,
            Termination::Failed(why) | Termination::Again(why) => Some(why.join("; ")),
        }
    }

    /// The update of an environment that continues, where it is known not to be this deployment's.
    #[must_use]
    pub fn others_update(&self, of: Role) -> Option<&OthersUpdate> {
        match of {
            Role::Blue => self.others_update_of_blue.as_ref(),
            Role::Green => self.others_update_of_green.as_ref(),
        }
    }

    /// Who holds the production CNAME, in words; none where nobody is known to.
    #[must_use]
    pub fn holder(&self) -> Option<String> {
        let role = self.production.map(|role| role.to_string());
        role.or_else(|| self.production_elsewhere.clone())
    }

    /// Everything that is known of why a state has not ended, in words, and both environments.
    #[must_use]
    pub fn in_words(&self) -> String {
        let words = |environment: &EnvSeen| {
            let phase = match environment.phase {
                Phase::Launching => "Launching",
                Phase::Ready => "Ready",
                Phase::Busy => "busy",
                Phase::Terminating => "Terminating",
            };
            let label = environment.version_label.as_ref();
            let shows = label.map_or_else(String::new, |label| format!(", shows {label}"));
            format!("{phase}{shows}, health {}", environment.health)
        };
        let blue = self.blue.as_ref().map_or_else(|| "gone".to_owned(), words);
        let green = match &self.green {
            Green::Absent => "gone".to_owned(),
            Green::Ours(green) => words(green),
            Green::Foreign => "somebody else's".to_owned(),
        };
        let alarms = self.unread_alarms.as_ref();
        let alarms = alarms.map(|why| format!("the alarms cannot be read: {why}"));
        let terminated = self.not_terminated();
        let terminated = terminated.map(|why| format!("the termination failed: {why}"));
        let others = [Role::Blue, Role::Green].into_iter().filter_map(|role| {
            let said = &self.others_update(role)?.said;
            Some(format!(
                "{role} is busy with an update that this deployment has not requested: {said}"
            ))
        });
        let environments = format!("blue is {blue}; green is {green}");
        let told = self.put_off.iter().cloned();
        let told = told.chain(terminated).chain(alarms).chain(others);
        let told = told.chain(self.reasons.iter().cloned());
        told.chain([environments]).collect::<Vec<_>>().join("; ")
    }

    /// Both environments where both are there and Ready.
    #[must_use]
    pub fn both_ready(&self) -> Option<(&EnvSeen, &EnvSeen)> {
        let blue = self.blue.as_ref().filter(|blue| blue.is_ready())?;
        let green = self.our_green().filter(|green| green.is_ready())?;
        Some((blue, green))
    }
}
