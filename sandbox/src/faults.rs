//! Scripted faults: what goes wrong on the wire and in the service.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::account::{ManagedAction, QuotaOf};
use crate::world::World;

/// A fault. As JSON: `{"fault":"throttle","probability":0.3}`,
/// `{"fault":"drop_answer","operation":"SwapEnvironmentCNAMEs","times":1}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    #[serde(flatten)]
    pub effect: FaultEffect,
    /// The operation it strikes; none for every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// How many requests it lets pass first.
    #[serde(default)]
    pub skip: u32,
    /// How many requests it strikes; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// The share of requests it strikes, 0 to 1; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
}

/// The fault that strikes every request.
impl From<FaultEffect> for Fault {
    fn from(effect: FaultEffect) -> Fault {
        Fault {
            effect,
            operation: None,
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
    /// 403 ExpiredToken.
    ExpiredCredentials,
    /// The describing operations answer as of so long ago.
    StaleReads {
        /// Seconds of the sandbox's time.
        seconds: u64,
    },
    /// Deploys of this version fail.
    VersionFailsToDeploy {
        /// The version label.
        label: String,
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
    /// So many of a hundred requests to environments with this version are answered with a
    /// server error, as enhanced health tells it.
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
    /// The launch of this environment ends Red.
    LaunchTurnsRed {
        /// The environment's name.
        environment: String,
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
    /// Resolvers keep the clients' DNS answers for so long.
    LongCaches {
        /// Seconds of the sandbox's time.
        seconds: u64,
        /// Of a hundred clients, how many have such a resolver.
        #[serde(default = "every_client")]
        percent: u32,
    },
    /// The buckets heed neither the conditions of writes nor the digests of their content.
    ConditionsIgnored,
    /// An environment that nobody reaches shrinks to its least when it is deployed to.
    IdleShrinks,
    /// The next swap is taken and fails: the CNAMEs stay.
    SwapFailsOnce,
    /// The next termination of this environment fails once.
    TerminateFailsOnce {
        /// The environment's name.
        environment: String,
    },
}

/// A hundred of a hundred.
fn every_client() -> u32 {
    100
}

impl FaultEffect {
    /// Its name, as in its JSON.
    fn name(&self) -> String {
        let json = serde_json::to_value(self).unwrap_or_default();
        json["fault"].as_str().unwrap_or_default().to_owned()
    }
}

/// The lasting faults of the world itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Quirks {
    pub stale_seconds: u64,
    pub failing_versions: Vec<String>,
    pub unprocessable: Vec<String>,
    pub answers: BTreeMap<String, u16>,
    #[serde(default)]
    pub errors: BTreeMap<String, usize>,
    #[serde(default)]
    pub latencies: BTreeMap<String, u64>,
    #[serde(default)]
    pub bodies: BTreeMap<String, String>,
    pub red_launches: Vec<String>,
    pub stuck_terminations: Vec<String>,
    #[serde(default)]
    pub managed_actions: Vec<ManagedAction>,
    /// The state of the platform's branch; none while it is supported.
    #[serde(default)]
    pub branch_state: Option<String>,
    #[serde(default)]
    pub quotas: BTreeMap<QuotaOf, usize>,
    /// The prefixes that another account has, in lower case.
    #[serde(default)]
    pub taken_prefixes: Vec<String>,
    #[serde(default)]
    pub idle_shrinks: bool,
    #[serde(default)]
    pub conditions_ignored: bool,
    /// How many swaps are still to fail.
    #[serde(default)]
    pub failing_swaps: u32,
}

impl Quirks {
    /// Of a hundred requests to a version, how many end in a server error.
    pub fn errors_of(&self, label: &str) -> usize {
        self.errors
            .get(label)
            .map_or(0, |percent| (*percent).min(100))
    }

    /// The status with which a version's web site answers.
    pub fn answer_of(&self, label: &str) -> u16 {
        self.answers.get(label).copied().unwrap_or(200)
    }
}

impl World {
    /// Lets a fault loose. Faults of the wire strike requests from now on; those
    /// of the world hold at once.
    pub fn inject(&mut self, fault: impl Into<Fault>) {
        let fault = fault.into();
        match &fault.effect {
            FaultEffect::StaleReads { seconds } => {
                self.quirks.stale_seconds = *seconds;
                self.history = vec![(0, self.view.clone())];
            }
            FaultEffect::VersionFailsToDeploy { label } => {
                self.quirks.failing_versions.push(label.clone());
            }
            FaultEffect::VersionFailsToProcess { label } => {
                self.quirks.unprocessable.push(label.clone());
            }
            FaultEffect::VersionAnswers { label, status } => {
                self.quirks.answers.insert(label.clone(), *status);
            }
            FaultEffect::VersionErrs { label, percent } => {
                self.quirks.errors.insert(label.clone(), *percent);
            }
            FaultEffect::VersionTakes {
                label,
                milliseconds,
            } => {
                self.quirks.latencies.insert(label.clone(), *milliseconds);
            }
            FaultEffect::VersionSays { label, body } => {
                self.quirks.bodies.insert(label.clone(), body.clone());
            }
            FaultEffect::LaunchTurnsRed { environment } => {
                self.quirks.red_launches.push(environment.clone());
            }
            FaultEffect::CoupledDatabase { environment } => self.couple_database(environment),
            FaultEffect::SingleInstance { environment } => self.single_out(environment),
            FaultEffect::SharedBalancer { environment } => self.share_load_balancer(environment),
            FaultEffect::ProtectedStack { environment } => self.protect(environment),
            FaultEffect::ManagedActionDue {
                environment,
                seconds,
            } => self.schedule_update(environment, *seconds),
            FaultEffect::PlatformBranch { state } => {
                self.quirks.branch_state = Some(state.clone());
            }
            FaultEffect::Quota { of, maximum } => {
                self.quirks.quotas.insert(*of, *maximum);
            }
            FaultEffect::CnameTaken { prefix } => {
                self.quirks.taken_prefixes.push(prefix.to_lowercase());
            }
            FaultEffect::ForeignEnvironment { name } => self.seed_foreign(name),
            FaultEffect::LongCaches { seconds, percent } => {
                self.traffic.keep_answers(*seconds, *percent);
            }
            FaultEffect::IdleShrinks => self.quirks.idle_shrinks = true,
            FaultEffect::ConditionsIgnored => self.quirks.conditions_ignored = true,
            FaultEffect::SwapFailsOnce => self.quirks.failing_swaps += 1,
            FaultEffect::TerminateFailsOnce { environment } => {
                self.quirks.stuck_terminations.push(environment.clone());
            }
            FaultEffect::Throttle
            | FaultEffect::Refuse { .. }
            | FaultEffect::DropAnswer
            | FaultEffect::DropRequest
            | FaultEffect::Late { .. }
            | FaultEffect::ExpiredCredentials => self.faults.push(fault),
        }
    }

    /// Ends every fault of the wire and of the world.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
        self.quirks = Quirks::default();
        self.history.clear();
    }

    /// The faults of the wire that are loose.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The fault that strikes this request, if any.
    pub(crate) fn struck(&mut self, operation: &str) -> Option<FaultEffect> {
        for at in 0..self.faults.len() {
            let chance = self.random() as f64 / u64::MAX as f64;
            let fault = &mut self.faults[at];
            if fault.operation.as_ref().is_some_and(|o| o != operation)
                || fault.times == Some(0)
                || fault.probability.is_some_and(|p| chance >= p)
            {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if let Some(times) = &mut fault.times {
                *times -= 1;
            }
            let effect = fault.effect.clone();
            *self.strikes.entry(effect.name()).or_default() += 1;
            return Some(effect);
        }
        None
    }
}
