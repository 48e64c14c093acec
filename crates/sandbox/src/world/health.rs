//! The health of environments.

use crate::time::Millis;
use crate::world::World;
use crate::world::due::Happening;
use crate::world::environment::{Busy, Environment};
use crate::world::quirks::{LastingHealth, colour_of};
use crate::world::view::Event;

/// How long before its launch ends an environment may be healthy, in milliseconds: captured event
/// logs of the service show from twenty seconds to about a minute.
const EARLY: (Millis, Millis) = (5_000, 60_000);
/// How often the service updates the health that it reports, in milliseconds.
const REFRESH: Millis = 10_000;
/// The cause of the health of a version that answers errors.
const FAILING: &str = "100.0 % of the requests are failing with HTTP 5xx.";

impl World {
    pub(crate) fn ready_again(&mut self, at: usize) {
        self.turn(at, "Green", "Info", "");
        let lasts = self.jittered(self.timings.settle_seconds);
        self.plan_health(at, lasts);
    }

    /// Plans when, in milliseconds from now, an environment's health settles.
    pub(crate) fn plan_health(&mut self, at: usize, after: Millis) {
        self.plan_during(at, after, |id, operation| Happening::HealthSettles {
            id,
            operation,
        });
    }

    /// Changes an environment's health; a new status of enhanced health has its event.
    pub(crate) fn turn(&mut self, at: usize, colour: &str, status: &str, why: &str) {
        let environment = &mut self.view.environments[at];
        let before = std::mem::replace(&mut environment.health_status, status.to_owned());
        environment.set_health(colour, status);
        if !environment.enhanced || before == status {
            return;
        }
        let from = match before.as_str() {
            "Unknown" => String::new(),
            before => format!("from {before} "),
        };
        let text = format!("Environment health has transitioned {from}to {status}. {why}");
        let severity = match status {
            "Warning" | "Degraded" | "Severe" => "WARN",
            _ => "INFO",
        };
        let text = text.trim_end().to_owned();
        // A transition belongs to no request (AWS CLI reference, `describe-events`).
        self.emit(Event {
            request_id: String::new(),
            ..Event::of(&self.view.environments[at], severity, text)
        });
    }

    /// An environment's health is Pending: its instances start.
    pub(crate) fn pend_health(&mut self, at: usize) {
        let environment = &self.view.environments[at];
        let seconds = self.now.saturating_sub(environment.created) / 1000;
        let why = format!(
            "Initialization in progress (running for {seconds} seconds). There are no instances."
        );
        self.turn(at, "Grey", "Pending", &why);
    }

    /// The present operation shows in an environment's health.
    pub(crate) fn show_operation(&mut self, at: usize) {
        let environment = &self.view.environments[at];
        let what = match environment.busy {
            Some(Busy::Deploy { .. }) => "Application",
            _ => "Configuration",
        };
        let seconds = self.now.saturating_sub(environment.updated) / 1000;
        let why = format!("{what} update in progress (running for {seconds} seconds).");
        self.turn(at, "Grey", "Info", &why);
    }

    /// Plans when an operation that takes this long shows in an environment's health: the service
    /// renews that every ten seconds (developer guide, "Enhanced health reporting and monitoring").
    pub(crate) fn plan_shown_operation(&mut self, at: usize, lasts: Millis) {
        let after = self.between(0, REFRESH).min(lasts / 4);
        self.plan_during(at, after, |id, operation| Happening::HealthShows {
            id,
            operation,
        });
    }

    /// Plans when an environment that launches is healthy, where it is before its launch ends.
    pub(crate) fn plan_early_health(&mut self, at: usize, lasts: Millis) {
        if !self.is_healthy_early() {
            return;
        }
        let before = self.between(EARLY.0, EARLY.1).min(lasts / 4);
        self.plan_health(at, lasts - before);
    }

    pub(crate) fn settle_health(&mut self, id: &str, operation: u64) {
        let answers =
            |world: &World, e: &Environment| world.quirks.answer_of(&e.version_label) < 400;
        let launches = |e: &Environment| matches!(e.busy, Some(Busy::Launch));
        let Some(at) = self.view.environments.iter().position(|e| {
            e.id == id
                && e.operation == operation
                && e.is_alive()
                && (e.busy.is_none() || launches(e))
        }) else {
            return;
        };
        if launches(&self.view.environments[at]) {
            let label = &self.view.environments[at].version_label;
            if self.launch_will_fail(at) || self.quirks.slow_to_answer.contains_key(label) {
                return;
            }
            let now = self.now;
            for instance in &mut self.view.environments[at].instances {
                instance.healthy_from = now;
            }
        }
        // Grey turns into a colour even where the version only answers errors:
        // health lags behind, and the modelled clients do not reach idle ones.
        let well = answers(self, &self.view.environments[at])
            || self.view.environments[at].health != "Grey";
        let lasting = self.lasting_health(&self.view.environments[at].name);
        if let Some(LastingHealth { status, cause, .. }) = lasting.cloned() {
            self.note_strike("environment_health");
            self.turn(at, colour_of(&status), &status, &cause);
        } else if well {
            let why = self.initialised(at);
            self.turn(at, "Green", "Ok", &why);
        } else {
            self.turn(at, "Red", "Severe", FAILING);
        }
    }

    /// What the event of a new environment's first Ok says of its launch.
    fn initialised(&self, at: usize) -> String {
        let environment = &self.view.environments[at];
        if environment.health_status != "Pending" {
            return String::new();
        }
        let minutes = self.now.saturating_sub(environment.created) / 60_000;
        format!("Initialization completed 0 seconds ago and took {minutes} minutes.")
    }

    /// The health that an environment has for a while in place of Ok.
    pub(crate) fn lasting_health(&self, name: &str) -> Option<&LastingHealth> {
        let lasting = self.quirks.healths.get(name);
        lasting.filter(|health| self.now < health.until)
    }

    /// Gives an environment this health for a while, now or once it is Ready.
    pub(crate) fn ail(&mut self, name: &str, status: &str, seconds: u64, cause: String) {
        let lasting = LastingHealth {
            status: status.to_owned(),
            cause,
            until: self.now.saturating_add(seconds.saturating_mul(1000)),
        };
        self.quirks.healths.insert(name.to_owned(), lasting);
        if let Some(at) = self.idle(name) {
            let cause = self.lasting_health(name).map(|health| health.cause.clone());
            self.turn(at, colour_of(status), status, &cause.unwrap_or_default());
            self.note_strike("environment_health");
        }
        let environment = name.to_owned();
        self.plan(seconds, Happening::AilmentEnds { environment });
        self.changed();
    }

    pub(crate) fn end_ailment(&mut self, name: &str) {
        let now = self.now;
        let Some(ended) = self.quirks.healths.get(name).filter(|h| h.until <= now) else {
            return;
        };
        let status = ended.status.clone();
        if let Some(at) = self.idle(name)
            && self.view.environments[at].health_status == status
        {
            self.turn(at, "Green", "Ok", "");
        }
    }

    /// The position of a living environment that nothing keeps busy.
    fn idle(&self, name: &str) -> Option<usize> {
        let mut environments = self.view.environments.iter();
        environments.position(|e| e.is_alive() && e.name == name && e.busy.is_none())
    }
}
