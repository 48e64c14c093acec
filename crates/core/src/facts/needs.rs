//! What a poll must read.

use std::time::Duration;

use crate::moment::Moment;
use crate::plan::{Goal, Role};

/// What a poll must read beside the two environments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Green's environment id where it is known: then its tag need not be read.
    pub green_id: Option<String>,
    /// The template, once green or blue is gone.
    pub template: bool,
    /// The bundle in the bucket, where the version is not registered.
    pub bundle: bool,
    /// The version to release.
    pub version: bool,
    /// The events of a deploy onto the environment of this role, and its instances once it is
    /// Ready.
    pub deploy: Option<(Role, EventQuery)>,
    /// The events of a swap that AWS has taken, where both environments are Ready and
    /// production is not at this one.
    pub swap: Option<(Role, EventQuery)>,
    /// The events of green's launch, once its id is known.
    pub launch: Option<EventQuery>,
    /// The events of the environment of this role, which bluegreen terminates, while it is there.
    pub termination: Option<(Role, EventQuery)>,
    /// The sizes of the environment that takes production next, and the instances of both, once it
    /// is healthy.
    pub capacity: Option<Role>,
    /// The sizes of the environment that keeps production, once the other one is gone.
    pub keeper: Option<Role>,
    /// The events of the request that has removed sizes of that one.
    pub put_back: Option<EventQuery>,
    /// What blue's template sets, once it is there.
    pub template_settings: bool,
    /// The tests over HTTP, of the environment of this role, which runs this version.
    pub test: Option<(Role, Goal)>,
    /// The alarms that watch production.
    pub alarms: bool,
    /// How long bluegreen waits at most for an answer to a test, and for the state of the alarms;
    /// none for as long as the test says.
    pub within: Option<Duration>,
    /// How green differs from blue, once it is healthy.
    pub likeness: bool,
    /// What both environments are configured with, where both are Ready.
    pub marks: bool,
    /// The newest events of these environments while they are busy.
    pub updates: Vec<(Role, EventQuery)>,
    /// What production answers.
    pub production_traffic: bool,
    /// What the other environment still answers.
    pub idle_traffic: bool,
    /// Whether the state waits for these counts where nobody answers how many requests come, since
    /// production's were known before it moved.
    pub waits_for_counts: bool,
    /// Why each environment is not healthy, and what the instances of a busy one that the state
    /// deploys to run: the state has lasted for as long as it may, or production is unhealthy.
    pub reasons: bool,
    /// Whether the events of a launch, a deploy and a termination are read only once the status of
    /// the environment says that it is over.
    pub spares_events: bool,
    /// Whether more polls in a row must find an environment healthy before the state is left: what
    /// the next state must be sure of is read with the last of them.
    pub awaits_more: bool,
}

/// Which request's events to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventQuery {
    /// When bluegreen sent the request.
    pub asked_at: Moment,
    /// The request's id where the answer held it.
    pub request_id: Option<String>,
}
