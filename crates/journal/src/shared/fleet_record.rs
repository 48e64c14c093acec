//! The record of a fleet: one object in the bucket, or one row of the journal.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::error::SharedError;
use super::keys::fleet_key;
use super::object::{FORMAT, Kept, kept};
use bluegreen_aws::state_key::Authenticity;
use bluegreen_clock::Moment;
use bluegreen_core::fleet::{Attempt, FleetPlan, FleetState, Member};
use bluegreen_core::text::short;

/// The record of a fleet: what it does, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// Its name.
    pub name: String,
    /// Grows with every write, so that each differs from the one before.
    pub revision: u64,
    /// What it does.
    pub plan: FleetPlan,
    /// Its state.
    pub state: FleetState,
    /// Its targets.
    pub members: Vec<Member>,
    /// How it came to its state, the latest last.
    pub transitions: Vec<FleetTransition>,
    /// When it began.
    pub began_at: Moment,
    /// When it was written last.
    pub updated_at: Moment,
}

/// A change of state of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetTransition {
    /// The state that it entered.
    pub to: FleetState,
    /// When.
    pub at: Moment,
    /// Why, in a sentence.
    pub why: String,
}

/// How many changes of state a record keeps.
const TRANSITIONS_MAX: usize = 200;

impl FleetRecord {
    /// The record of a fleet that begins.
    #[must_use]
    pub fn new(name: &str, plan: FleetPlan, members: Vec<Member>, now: Moment) -> FleetRecord {
        FleetRecord {
            format: FORMAT,
            name: name.to_owned(),
            revision: 0,
            plan,
            state: FleetState::Releasing { wave: 0 },
            members,
            transitions: Vec::new(),
            began_at: now,
            updated_at: now,
        }
    }

    /// Enters a state, for this reason.
    pub fn enter(&mut self, state: FleetState, why: &str, now: Moment) {
        self.state = state;
        self.transitions.push(FleetTransition {
            to: state,
            at: now,
            why: why.to_owned(),
        });
        let surplus = self.transitions.len().saturating_sub(TRANSITIONS_MAX);
        self.transitions.drain(..surplus);
    }
}

impl Kept for FleetRecord {
    fn check(&self, _bucket: &str, key: &str) -> Result<(), String> {
        if fleet_key(&self.name) != key {
            return Err(format!(
                "it is of another fleet: {:?}",
                short(&self.name, 80)
            ));
        }
        self.plan.check()?;
        let waves = self.plan.waves.len();
        if self.state.wave().is_some_and(|wave| wave >= waves) {
            return Err("its state is of a wave that it has not".to_owned());
        }
        let mut names = HashSet::new();
        if let Some(twice) = self
            .members
            .iter()
            .find(|member| !names.insert(&member.name))
        {
            let name = short(&twice.name, 80);
            return Err(format!("target {name:?} is there twice"));
        }
        for member in &self.members {
            if member.wave >= self.plan.waves.len() {
                let name = short(&member.name, 80);
                return Err(format!("target {name:?} is of a wave that it has not"));
            }
            let own = member
                .attempt
                .as_ref()
                .map(|Attempt { deployment, .. }| deployment);
            for id in own.into_iter().chain(&member.released).chain(&member.live) {
                is_id(id)?;
            }
        }
        Ok(())
    }

    fn is_acceptable(&mut self, authenticity: Authenticity) -> bool {
        authenticity != Authenticity::Wrong
    }
}

/// The record that a document of the journal holds, of the fleet with this name.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn fleet_of(name: &str, text: &str) -> Result<FleetRecord, String> {
    let read = kept(("", &fleet_key(name)), None, text.as_bytes());
    read.map_err(|error| match error {
        SharedError::Damaged { message, .. } => message,
        error => error.to_string(),
    })
}

/// Refuses what no deployment is called: files and objects are named after it.
fn is_id(id: &str) -> Result<(), String> {
    let is_of_an_id = |b: u8| b.is_ascii_digit() || b.is_ascii_uppercase();
    match id.len() == 26 && id.bytes().all(is_of_an_id) {
        true => Ok(()),
        false => Err(format!("{:?} is no id of a deployment", short(id, 80))),
    }
}
