//! A deployment's copy in the bucket.

use serde::{Deserialize, Serialize};

use super::keys::deployment_key;
use super::object::{FORMAT, Kept};
use crate::store::{Outbox, Output, Store, StoreError, Transition};
use bluegreen_aws::state_key::Authenticity;
use bluegreen_core::deployment::Deployment;
use bluegreen_core::events::EventRecord;
use bluegreen_core::moment::Moment;
use bluegreen_core::plan::{Plan, template_name};
use bluegreen_core::text::{end_of, short};

/// A deployment's copy in the bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeploymentRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// The deployment as of its last checkpoint.
    pub deployment: Deployment,
    /// How it came there.
    pub transitions: Vec<Transition>,
    /// What its commands said; of an object in the bucket the last of them, shortened.
    #[serde(default)]
    pub outputs: Vec<Output>,
    /// What happened in it. An object in the bucket holds the last 500 events.
    #[serde(default)]
    pub events: Vec<EventRecord>,
    /// The messages that its receivers have not taken yet.
    #[serde(default, skip_serializing_if = "Outbox::is_empty")]
    pub outbox: Outbox,
    /// Where it was read.
    #[serde(skip)]
    pub origin: Origin,
}

/// Where a deployment's record was read, and so who may have written it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// In the journal on this disk.
    Journal,
    /// In the bucket, with the code of the state key.
    Authenticated,
    /// In the bucket: whoever may write there may have written it.
    #[default]
    Bucket,
}

/// How many outputs an object holds, and how many bytes of each: it is written with every
/// checkpoint.
const OUTPUTS_MAX: usize = 8;
const OUTPUT_BYTES_MAX: usize = 4 * 1024;

/// How many events an object holds: a release keeps some hundred, and one that drains for days
/// one a minute more.
pub const EVENTS_MAX: usize = 500;

impl DeploymentRecord {
    /// The copy of a deployment.
    #[must_use]
    pub fn new(deployment: Deployment, transitions: Vec<Transition>) -> DeploymentRecord {
        DeploymentRecord {
            format: FORMAT,
            deployment,
            transitions,
            outputs: Vec::new(),
            events: Vec::new(),
            outbox: Outbox::default(),
            origin: Origin::Journal,
        }
    }

    /// The copy of a deployment of the journal on this machine, without its events: few commands
    /// need them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn here(store: &Store, deployment: Deployment) -> Result<DeploymentRecord, StoreError> {
        let transitions = store.transitions(&deployment.plan.id)?;
        let outputs = store.outputs(&deployment.plan.id)?;
        Ok(DeploymentRecord::new(deployment, transitions).with_outputs(outputs))
    }

    /// The later of two copies of a deployment, this machine's where neither is.
    #[must_use]
    pub fn later(
        here: Option<DeploymentRecord>,
        there: Option<DeploymentRecord>,
    ) -> Option<DeploymentRecord> {
        match (here, there) {
            (Some(here), Some(there)) if there.deployment.age() > here.deployment.age() => {
                Some(there)
            }
            (Some(here), _) => Some(here),
            (None, there) => there,
        }
    }

    /// The copy of a [`Plan::sample`] that has made one change of state, for tests and examples.
    #[must_use]
    pub fn sample(id: &str) -> DeploymentRecord {
        let mut plan = Plan::sample(id);
        plan.template = template_name(id);
        plan.shared_state = true;
        let transition = Transition {
            revision: 1,
            from: "Preparing".to_owned(),
            to: "Cloning".to_owned(),
            at: Moment(1_800_000_000_000),
            why: "the version is registered".to_owned(),
        };
        let mut deployment = Deployment::new(plan, Moment(1_800_000_000_000));
        deployment.revision = 2;
        DeploymentRecord::new(deployment, vec![transition])
    }

    /// The copy with what its commands said.
    #[must_use]
    pub fn with_outputs(mut self, outputs: Vec<Output>) -> DeploymentRecord {
        self.outputs = outputs;
        self
    }

    /// The copy with what happened in it.
    #[must_use]
    pub fn with_events(mut self, events: Vec<EventRecord>) -> DeploymentRecord {
        self.events = events;
        self
    }

    /// The copy with the messages that its receivers have not taken yet.
    #[must_use]
    pub(crate) fn with_outbox(mut self, outbox: Outbox) -> DeploymentRecord {
        self.outbox = outbox;
        self
    }

    /// The copy with no more output and events than an object in the bucket may hold.
    #[must_use]
    pub(crate) fn bounded(mut self) -> DeploymentRecord {
        let surplus = self.outputs.len().saturating_sub(OUTPUTS_MAX);
        self.outputs.drain(..surplus);
        for output in &mut self.outputs {
            output.output = end_of(&output.output, OUTPUT_BYTES_MAX).to_owned();
        }
        let surplus = self.events.len().saturating_sub(EVENTS_MAX);
        self.events.drain(..surplus);
        self.outbox = self.outbox.bounded();
        self
    }
}

impl Kept for DeploymentRecord {
    fn check(&self, bucket: &str, key: &str) -> Result<(), String> {
        let Deployment { plan, revision, .. } = &self.deployment;
        plan.check()?;
        let lies_in = [
            ("bucket", &plan.bucket[..], bucket),
            ("key", &deployment_key(&plan.id), key),
        ];
        for (what, says, lies) in lies_in {
            if says != lies {
                return Err(format!("it is of another {what}: {:?}", short(says, 80)));
            }
        }
        if !plan.shared_state {
            return Err("it says that it has no copy in the bucket".to_owned());
        }
        let mut last = 0;
        for transition in &self.transitions {
            if transition.revision <= last || transition.revision > *revision {
                let of = transition.revision;
                return Err(format!(
                    "revision {of} of its transitions is out of order, and its own is {revision}"
                ));
            }
            last = transition.revision;
        }
        Ok(())
    }

    fn is_acceptable(&mut self, authenticity: Authenticity) -> bool {
        self.origin = match authenticity {
            Authenticity::Unknown => Origin::Bucket,
            Authenticity::Proven => Origin::Authenticated,
            Authenticity::Wrong => return false,
        };
        true
    }

    fn has_ended(&self) -> bool {
        self.deployment.state.is_end()
    }
}
