//! Swaps of CNAMEs.

use crate::world::World;
use crate::world::due::Happening;
use crate::world::environment::{Busy, Status};

impl World {
    /// Begins a swap: both are Updating until the CNAMEs move.
    pub(crate) fn begin_swap(&mut self, first: usize, second: usize, request_id: &str) {
        let operation = self.number();
        let names = [first, second].map(|at| self.view.environments[at].name.clone());
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
            self.say_of(at, "INFO", &text);
        }
        let [a, b] = [first, second].map(|at| self.view.environments[at].id.clone());
        self.plan(
            self.timings.swap_seconds,
            Happening::CnamesMove { a, b, operation },
        );
    }

    pub(crate) fn move_cnames(&mut self, a: &str, b: &str, operation: u64) {
        let find = |id: &str| {
            self.view
                .environments
                .iter()
                .position(|e| e.id == id && e.operation == operation)
        };
        let (Some(first), Some(second)) = (find(a), find(b)) else {
            return;
        };
        let fails = self.quirks.failing_swaps > 0;
        if fails {
            self.quirks.failing_swaps -= 1;
        } else {
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
        }
        let (severity, ended) = match fails {
            // The service's own words for it are not published.
            true => ("ERROR", "Failed to swap"),
            false => ("INFO", "Completed swapping"),
        };
        let names = [first, second].map(|at| self.view.environments[at].name.clone());
        for at in [first, second] {
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
