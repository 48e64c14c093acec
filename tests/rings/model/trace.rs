//! Nodes in words, for the trace to a violation.

use bluegreen::plan::Role;

use super::journal::{Drain, Journal, Pc};
use super::node::Node;
use super::world::{GreenPhase, Stale, Swap, View};

impl Node {
    /// A line for a trace.
    pub fn describe(&self) -> String {
        let mut line = format!("{:?}", self.journal.stage.kind);
        let mut add = |what: String| {
            line.push_str(", ");
            line.push_str(&what);
        };
        match self.pc {
            Pc::Top => {}
            Pc::Enter(stage) => add(format!("to enter {:?}", stage.kind)),
            Pc::Check(errand) => add(format!("to check {:?}", errand.request)),
            Pc::Send(errand) => add(format!("to send {:?}", errand.request)),
        }
        add(format!("goal {:?}", self.journal.terms.goal_label()));
        let Journal { open, drain, .. } = self.journal;
        for (is_open, name) in [
            (open.template, "template"),
            (open.green, "green"),
            (open.swap, "swap"),
            (open.deploy, "deploy"),
        ] {
            if is_open {
                add(format!("{name} in doubt"));
            }
        }
        if drain == Drain::Running {
            add("draining".to_owned());
        }
        let world = &self.world;
        line.push_str(" | production on ");
        line.push_str(&world.view.describe());
        let mut add = |what: String| {
            line.push_str(", ");
            line.push_str(&what);
        };
        for (stale, name) in [
            (world.stale_on_blue, "blue"),
            (world.stale_on_green, "green"),
        ] {
            if stale != Stale::None {
                add(format!("cached answers lead to {name}"));
            }
        }
        for request in world.in_flight.requests() {
            add(format!("{request:?} is on its way"));
        }
        if let Some(before) = self.before {
            line.push_str(" | looks may still show ");
            line.push_str(&before.describe());
        }
        line
    }
}

impl View {
    fn describe(&self) -> String {
        let fitness = |fit: bool| if fit { "" } else { " (unfit)" };
        format!(
            "{}{}; blue {:?} {}{}{}, green {:?}{}{}, events {:?}",
            match self.holder {
                Some(Role::Blue) => "blue",
                Some(Role::Green) => "green",
                None => "nobody",
            },
            match self.swap {
                Swap::Idle => "",
                Swap::Started => " (swap started)",
                Swap::Moved => " (swap moved)",
            },
            self.blue.phase,
            self.blue.label.name(),
            fitness(self.blue.fit),
            if self.blue.mixed { " (mixed)" } else { "" },
            self.green.phase,
            fitness(self.green.fit || self.green.phase == GreenPhase::Absent),
            if self.template { ", template" } else { "" },
            self.events,
        )
    }
}
