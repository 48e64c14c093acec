//! Managed platform updates, in their maintenance windows.

use crate::time::Millis;
use crate::world::World;
use crate::world::due::Happening;
use crate::world::environment::{Busy, Status};
use crate::world::managed_action::ManagedAction;

/// How long a maintenance window lasts, and when the next one begins (developer guide,
/// "Managed platform updates": two hours, weekly).
const WINDOW: Millis = 2 * 60 * 60 * 1000;
const WEEK: Millis = 7 * 24 * 60 * 60 * 1000;
/// How long an action that waits for its environment waits before it checks again.
const RETRY_SECONDS: u64 = 60;

impl World {
    /// Plans a managed platform update of an environment, whose window begins after
    /// `seconds`.
    pub(crate) fn schedule_update(&mut self, environment: &str, seconds: u64) {
        let Some(environment_id) = self.environment(environment).map(|e| e.id.clone()) else {
            return;
        };
        let id = self.request_id();
        self.quirks.managed_actions.push(ManagedAction {
            id: id.clone(),
            environment_id,
            window_start: self.now.saturating_add(seconds.saturating_mul(1000)),
            began: None,
            finished: None,
        });
        self.plan(seconds, Happening::ManagedActionBegins { id });
    }

    /// Begins a managed action where its environment is Ready; otherwise the action waits while its
    /// window is open, and then for the next window.
    pub(crate) fn begin_managed_action(&mut self, id: String) {
        let found = self.quirks.managed_actions.iter_mut().find(|a| a.id == id);
        let Some(action) = found else {
            return;
        };
        let environments = self.view.environments.iter();
        let Some(at) = environments
            .clone()
            .position(|e| e.id == action.environment_id && e.is_alive())
        else {
            return;
        };
        if self.view.environments[at].status == Status::Ready {
            action.began = Some(self.now);
            let request_id = self.request_id();
            let lasts = self.jittered(self.timings.launch_seconds);
            self.begin(at, Busy::Manage { action: id }, lasts, &request_id);
            self.say_of(at, "INFO", "Environment update is starting.");
            return;
        }
        let seconds = if self.now < action.window_start.saturating_add(WINDOW) {
            RETRY_SECONDS
        } else {
            action.window_start = action.window_start.saturating_add(WEEK);
            action.window_start.saturating_sub(self.now) / 1000
        };
        self.plan(seconds, Happening::ManagedActionBegins { id });
    }

    /// A managed action is over.
    pub(crate) fn end_managed_action(&mut self, id: &str) {
        let now = self.now;
        let found = self.quirks.managed_actions.iter_mut().find(|a| a.id == id);
        if let Some(action) = found {
            action.finished = Some(now);
        }
    }
}
