//! Swaps of CNAMEs.

use crate::time::Millis;
use crate::world::World;
use crate::world::due::Happening;
use crate::world::environment::{Busy, Status};

/// How long after its CNAMEs have moved a swap ends, in milliseconds (developer guide, `eb swap`).
const MOVED_BEFORE_END: (Millis, Millis) = (500, 2_000);

impl World {
    /// Begins a swap: both are Updating until the CNAMEs move.
    pub(crate) fn begin_swap(&mut self, first: usize, second: usize, request_id: &str) {
        let operation = self.number();
        let names = [first, second].map(|at| self.view.environments[at].name.clone());
        let lasts = self.jittered(self.timings.swap_seconds);
        let second_event = self.second_event(lasts);
        for at in [first, second] {
            let now = self.now;
            let environment = &mut self.view.environments[at];
            environment.status = Status::Updating;
            environment.busy = Some(Busy::Swap);
            environment.operation = operation;
            environment.updated = now;
            request_id.clone_into(&mut environment.request_id);
            self.say_of(at, "INFO", "swapEnvironmentCNAMEs is starting.");
            let text = format!(
                "Swapping CNAMEs for environments '{}' and '{}'.",
                names[0], names[1]
            );
            self.plan_event(at, second_event, "INFO", text);
        }
        let [a, b] = [first, second].map(|at| self.view.environments[at].id.clone());
        self.plan_after(lasts, Happening::CnamesMove { a, b, operation });
    }

    /// The positions of the two environments of a swap, while it runs.
    fn swapping(&self, a: &str, b: &str, operation: u64) -> Option<(usize, usize)> {
        let find = |id: &str| {
            let mut environments = self.view.environments.iter();
            environments.position(|e| e.id == id && e.operation == operation)
        };
        Some((find(a)?, find(b)?))
    }

    /// Lets two environments' CNAMEs change places; the swap ends a moment later, or at once where
    /// it fails.
    pub(crate) fn move_cnames(&mut self, a: &str, b: &str, operation: u64) {
        let Some((first, second)) = self.swapping(a, b, operation) else {
            return;
        };
        if self.quirks.failing_swaps > 0 {
            self.quirks.failing_swaps -= 1;
            // The service's own words for it are not published.
            self.end_swap([first, second], "ERROR", "Failed to swap");
            return;
        }
        self.names_before = [first, second]
            .into_iter()
            .filter_map(|at| {
                let environment = &self.view.environments[at];
                Some((environment.cname.clone()?, environment.id.clone()))
            })
            .collect();
        self.names_moved_at = self.now;
        let cname = self.view.environments[first].cname.take();
        let other = std::mem::replace(&mut self.view.environments[second].cname, cname);
        self.view.environments[first].cname = other;
        if !self.quirks.rules_stay {
            let ids = [first, second].map(|at| self.view.environments[at].id.clone());
            self.follow_swap([&ids[0], &ids[1]]);
        }
        for at in [first, second] {
            let environment = &self.view.environments[at];
            let cname = environment.cname.clone().unwrap_or_default();
            let text = format!("'{cname}' now points to '{}'.", environment.endpoint);
            self.say_of(at, "INFO", &text);
        }
        let (a, b) = (a.to_owned(), b.to_owned());
        let after = self.between(MOVED_BEFORE_END.0, MOVED_BEFORE_END.1);
        self.plan_after(after, Happening::SwapEnds { a, b, operation });
    }

    /// Ends a swap whose CNAMEs have moved.
    pub(crate) fn complete_swap(&mut self, a: &str, b: &str, operation: u64) {
        if let Some((first, second)) = self.swapping(a, b, operation) {
            self.end_swap([first, second], "INFO", "Completed swapping");
        }
    }

    fn end_swap(&mut self, both: [usize; 2], severity: &str, ended: &str) {
        let names = both.map(|at| self.view.environments[at].name.clone());
        for at in both {
            let now = self.now;
            let environment = &mut self.view.environments[at];
            environment.busy = None;
            environment.status = Status::Ready;
            environment.updated = now;
            let text = format!(
                "{ended} CNAMEs for environments '{}' and '{}'.",
                names[0], names[1]
            );
            self.say_of(at, severity, &text);
        }
    }
}
