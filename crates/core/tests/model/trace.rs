//! Nodes in words, for the trace to a violation.

use bluegreen_core::plan::Role;

use super::hands::Hands;
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
        if let Some(next) = self.pc.describe() {
            add(next);
        }
        add(format!("goal {:?}", self.journal.terms.goal_label()));
        let Journal { open, drain, .. } = self.journal;
        for (is_open, name) in [
            (open.template, "template"),
            (open.green, "green"),
            (open.swap, "swap"),
            (open.deploy, "deploy"),
            (open.resize, "resize"),
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
        if let Some(hands) = self.hands.describe() {
            line.push_str(" | ");
            line.push_str(&hands);
        }
        if let Some(before) = self.before {
            line.push_str(" | looks may still show ");
            line.push_str(&before.describe());
        }
        line
    }
}

impl Pc {
    /// What comes next, where it is not a poll.
    fn describe(self) -> Option<String> {
        match self {
            Pc::Top => None,
            Pc::Enter(stage) => Some(format!("to enter {:?}", stage.kind)),
            Pc::Check(errand) => Some(format!("to check {:?}", errand.request)),
            Pc::Send(errand) => Some(format!("to send {:?}", errand.request)),
            Pc::Note(errand) => Some(format!("to note {:?}", errand.request)),
        }
    }
}

impl Hands {
    /// What there is to say beside that the runner has its lock.
    fn describe(self) -> Option<String> {
        match self {
            Hands::One => None,
            Hands::RanOut => Some("its lease has run out".to_owned()),
            Hands::Contended { has_read: false } => Some("another has its lease".to_owned()),
            Hands::Contended { has_read: true } => {
                Some("another has its lease and has read the record".to_owned())
            }
            Hands::Overtaken { request, .. } => {
                Some(format!("an overtaken runner stands before {request:?}"))
            }
            Hands::Apart {
                other,
                other_wrote_last,
            } => {
                let mut words = format!("a second runner: {:?}", other.journal.stage.kind);
                if let Some(next) = other.pc.describe() {
                    words.push_str(", ");
                    words.push_str(&next);
                }
                if other_wrote_last {
                    words.push_str(", which wrote last");
                }
                Some(words)
            }
        }
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
