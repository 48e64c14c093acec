//! The health of environments.

use crate::world::World;
use crate::world::due::Happening;
use crate::world::environment::Environment;
use crate::world::quirks::{LastingHealth, colour_of};

impl World {
    pub(crate) fn ready_again(&mut self, at: usize) {
        self.view.environments[at].set_health("Green", "Info");
        self.plan_health(at, self.timings.settle_seconds);
    }

    pub(crate) fn plan_health(&mut self, at: usize, seconds: u64) {
        let environment = &self.view.environments[at];
        let (id, operation) = (environment.id.clone(), environment.operation);
        self.plan(seconds, Happening::HealthSettles { id, operation });
    }

    pub(crate) fn settle_health(&mut self, id: &str, operation: u64) {
        let answers =
            |world: &World, e: &Environment| world.quirks.answer_of(&e.version_label) < 400;
        let Some(at) = self.view.environments.iter().position(|e| {
            e.id == id && e.operation == operation && e.busy.is_none() && e.is_alive()
        }) else {
            return;
        };
        // Grey turns into a colour even where the version only answers errors:
        // health lags behind, and the modelled clients do not reach idle ones.
        let well = answers(self, &self.view.environments[at])
            || self.view.environments[at].health != "Grey";
        let lasting = self.lasting_health(&self.view.environments[at].name);
        let lasting = lasting.map(|health| health.status.clone());
        if lasting.is_some() {
            self.note_strike("environment_health");
        }
        let environment = &mut self.view.environments[at];
        if let Some(status) = lasting {
            environment.set_health(colour_of(&status), &status);
        } else if well {
            environment.set_health("Green", "Ok");
        } else {
            environment.set_health("Red", "Severe");
        }
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
            until: self.now + seconds * 1000,
        };
        self.quirks.healths.insert(name.to_owned(), lasting);
        if let Some(environment) = self.environment_mut(name)
            && environment.busy.is_none()
        {
            environment.set_health(colour_of(status), status);
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
        if let Some(environment) = self.environment_mut(name)
            && environment.busy.is_none()
            && environment.health_status == status
        {
            environment.set_health("Green", "Ok");
        }
    }
}
