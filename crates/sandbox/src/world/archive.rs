//! The environments that are terminated, and for how long the service remembers them.

use crate::time::Millis;
use crate::world::World;
use crate::world::environment::Environment;

/// How long a terminated environment is listed to whoever names no date.
pub(crate) const LISTED_AFTER_TERMINATION: Millis = 60 * 60 * 1000;
/// How long it is remembered at all: six weeks (EB CLI, `restore`).
const REMEMBERED: Millis = 42 * 24 * 60 * 60 * 1000;

impl World {
    /// Moves the environments that are no longer listed into the archive, and forgets those that
    /// were terminated six weeks ago.
    pub(crate) fn archive(&mut self) {
        let listed_from = self.now.saturating_sub(LISTED_AFTER_TERMINATION);
        let is_past = |e: &Environment| !e.is_alive() && e.updated < listed_from;
        if self.view.environments.iter().any(is_past) {
            let all = std::mem::take(&mut self.view.environments);
            let (past, listed): (Vec<_>, Vec<_>) = all.into_iter().partition(is_past);
            self.view.environments = listed;
            self.past.extend(past);
            self.past.sort_by_key(|e| e.updated);
        }
        let remembered_from = self.now.saturating_sub(REMEMBERED);
        let forgotten = self.past.partition_point(|e| e.updated < remembered_from);
        self.past.drain(..forgotten);
    }

    /// The terminated environment with this id, listed or archived.
    pub(crate) fn terminated(&self, id: &str) -> Option<&Environment> {
        let listed = self.view.environments.iter().filter(|e| !e.is_alive());
        listed.chain(&self.past).find(|e| e.id == id)
    }

    /// Takes a terminated environment out of what is remembered.
    pub(crate) fn take_terminated(&mut self, id: &str) -> Option<Environment> {
        let is_it = |e: &Environment| e.id == id && !e.is_alive();
        let all = [&mut self.view.environments, &mut self.past];
        all.into_iter().find_map(|environments| {
            let at = environments.iter().position(is_it)?;
            Some(environments.remove(at))
        })
    }
}
