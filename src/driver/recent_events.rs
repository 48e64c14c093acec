//! Remembers the events of what a state waits for, so that not every poll reads them.

use std::time::Duration;

use crate::clock::Moment;
use crate::facts::{Event, EventQuery, Needs, Sighting};
use crate::plan::Role;

/// How old events may be that a poll goes by while AWS carries an operation out. Once the status of
/// the environment says that it is over, they are read again.
const FRESH_FOR: Duration = Duration::from_secs(30);

/// What the events are of.
type Queries = (
    Option<(Role, EventQuery)>,
    Option<EventQuery>,
    Option<(Role, EventQuery)>,
);

/// The events of a deploy, a launch and a termination, as they were read last.
#[derive(Debug, Default)]
pub(super) struct RecentEvents {
    read: Option<(Queries, Moment)>,
    deploy: Vec<Event>,
    launch: Vec<Event>,
    termination: Vec<Event>,
}

impl RecentEvents {
    /// Whether the last ones are recent, and of what a poll must read now.
    pub(super) fn are_recent(&self, needs: &Needs, now: Moment) -> bool {
        self.read
            .as_ref()
            .is_some_and(|(of, at)| *of == queries(needs) && now.since(*at) < FRESH_FOR)
    }

    /// Completes what a poll has found by the events that it has not read, and remembers those that
    /// it has. The events of a request only become more.
    pub(super) fn complete(&mut self, needs: &Needs, sighting: &mut Sighting, now: Moment) {
        if !needs.spares_events {
            self.read = Some((queries(needs), now));
        }
        for (known, found) in [
            (&mut self.deploy, &mut sighting.events),
            (&mut self.launch, &mut sighting.launch_events),
            (&mut self.termination, &mut sighting.termination_events),
        ] {
            match found.is_empty() && needs.spares_events {
                true => found.clone_from(known),
                false => known.clone_from(found),
            }
        }
    }
}

fn queries(needs: &Needs) -> Queries {
    (
        needs.deploy.clone(),
        needs.launch.clone(),
        needs.termination.clone(),
    )
}
