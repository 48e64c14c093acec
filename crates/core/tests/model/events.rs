//! What happens to the world of its own accord: operations that the service carries out end,
//! environments become healthy, cached answers are forgotten.

use bluegreen_core::plan::Role;

use super::world::{Blue, BluePhase, Bundle, Events, Green, GreenPhase, Stale, Swap, World};

/// What happens, the world after it, and how long it took.
pub type Event = (&'static str, World, Pace);

/// How long an event takes beside the time for which a poll may be stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Polls may still show what was before the event before it.
    Seconds,
    /// Polls show at least what was just before it.
    Minutes,
}

impl World {
    /// Everything that may happen next without anybody asking.
    pub fn events(&self) -> Vec<Event> {
        let mut all = Vec::new();
        self.swap_events(&mut all);
        self.blue_events(&mut all);
        self.green_events(&mut all);
        self.version_events(&mut all);
        self.stale_events(&mut all);
        all
    }

    fn swap_events(&self, out: &mut Vec<Event>) {
        let mut next = *self;
        match self.view.swap {
            Swap::Idle => {}
            Swap::Started => {
                next.view.swap = Swap::Idle;
                out.push(("the swap fails", next, Pace::Seconds));
                out.push(("the CNAMEs move", self.moved(Swap::Moved), Pace::Seconds));
            }
            Swap::Moved => {
                next.view.swap = Swap::Idle;
                out.push(("the swap completes", next, Pace::Seconds));
            }
        }
    }

    /// The world after the CNAMEs moved.
    pub fn moved(&self, swap: Swap) -> World {
        let mut next = *self;
        next.view.swap = swap;
        next.view.holder = self.view.holder.map(Role::other);
        if let Some(left) = self.view.holder {
            *next.stale_on(left) = Stale::Undated;
            *next.stale_on(left.other()) = Stale::None;
        }
        next
    }

    fn blue_events(&self, out: &mut Vec<Event>) {
        let blue = self.view.blue;
        let with = |blue: Blue, events: Events| {
            let mut next = *self;
            next.view.blue = blue;
            // Of somebody else's update the journal's request has no events, nor has green's.
            let is_greens = matches!(
                self.view.green.phase,
                GreenPhase::Updating | GreenPhase::Aborting
            );
            let goes_on = matches!(self.view.events, Events::Running | Events::Silent);
            if goes_on && !is_greens {
                next.view.events = events;
            }
            next
        };
        let ready = Blue {
            phase: BluePhase::Ready,
            theirs: false,
            ..blue
        };
        match blue.phase {
            BluePhase::Ready if !blue.fit => {
                let fit = Blue { fit: true, ..blue };
                let next = with(fit, self.view.events);
                out.push(("blue turns healthy", next, Pace::Seconds));
            }
            BluePhase::Ready | BluePhase::Gone => {}
            BluePhase::Updating(label) => {
                let updated = Blue { label, ..ready };
                let proven = Blue {
                    mixed: false,
                    ..updated
                };
                for (what, blue, events) in [
                    ("the deploy succeeds", proven, Events::Proven),
                    ("the deploy misses an instance", updated, Events::Unproven),
                    ("the deploy fails", ready, Events::Failed),
                    // Its terminal text is none that anybody knows.
                    ("the deploy ends without a word", proven, self.view.events),
                    (
                        "it misses an instance without a word",
                        updated,
                        self.view.events,
                    ),
                    ("the deploy fails without a word", ready, self.view.events),
                ] {
                    out.push((what, with(blue, events), Pace::Minutes));
                }
                if self.view.events == Events::Running {
                    let next = with(blue, Events::Silent);
                    out.push(("the update falls silent", next, Pace::Minutes));
                }
            }
            BluePhase::Aborting => {
                let next = with(ready, Events::Failed);
                out.push(("the update is aborted", next, Pace::Seconds));
            }
            BluePhase::Resizing(raised) => {
                let next = with(Blue { raised, ..ready }, self.view.events);
                out.push(("blue is resized", next, Pace::Minutes));
                let next = with(ready, self.view.events);
                out.push(("blue's sizes cannot be changed", next, Pace::Minutes));
            }
            BluePhase::Terminating => {
                let next = with(ready, self.view.events);
                out.push(("blue's termination fails", next, Pace::Minutes));
                let gone = Blue {
                    phase: BluePhase::Gone,
                    ..blue
                };
                let mut next = with(gone, Events::None);
                next.in_flight.terminate_blue = false;
                next.in_flight.resize = next.in_flight.resize.filter(|(of, _)| *of != Role::Blue);
                next.lose(Role::Blue);
                out.push(("blue is gone", next, Pace::Minutes));
            }
        }
    }

    fn green_events(&self, out: &mut Vec<Event>) {
        let mut next = *self;
        match self.view.green.phase {
            GreenPhase::Absent | GreenPhase::Foreign => {}
            GreenPhase::Launching => {
                next.view.green.phase = GreenPhase::Ready;
                out.push(("green is launched", next, Pace::Minutes));
                next.view.launch_failed = true;
                out.push(("green's launch fails", next, Pace::Minutes));
                next.view.green.phase = GreenPhase::Terminating;
                out.push(("green's launch is rolled back", next, Pace::Minutes));
            }
            // Nothing heals a stack that could not be made.
            GreenPhase::Ready if !self.view.green.fit && !self.view.launch_failed => {
                next.view.green.fit = true;
                out.push(("green turns healthy", next, Pace::Seconds));
            }
            GreenPhase::Ready => {}
            GreenPhase::Updating => {
                if self.view.events == Events::Running {
                    next.view.events = Events::Silent;
                    out.push(("green's update falls silent", next, Pace::Minutes));
                    next = *self;
                }
                next.view.green.phase = GreenPhase::Ready;
                out.push(("green's update fails without a word", next, Pace::Minutes));
                let mut done = next;
                done.view.green.upgraded = true;
                done.view.green.mixed = false;
                out.push(("green's update ends without a word", done, Pace::Minutes));
                next.view.events = Events::Failed;
                out.push(("the deploy onto green fails", next, Pace::Minutes));
                next.view.green.upgraded = true;
                next.view.events = Events::Unproven;
                let what = "the deploy onto green misses an instance";
                out.push((what, next, Pace::Minutes));
                next.view.green.mixed = false;
                next.view.events = Events::Proven;
                out.push(("the deploy onto green succeeds", next, Pace::Minutes));
            }
            GreenPhase::Aborting => {
                next.view.green.phase = GreenPhase::Ready;
                next.view.events = Events::Failed;
                out.push(("green's update is aborted", next, Pace::Seconds));
            }
            GreenPhase::Resizing(raised) => {
                next.view.green.phase = GreenPhase::Ready;
                out.push(("green's sizes cannot be changed", next, Pace::Minutes));
                next.view.green.raised = raised;
                out.push(("green is resized", next, Pace::Minutes));
            }
            GreenPhase::Terminating => {
                next.view.green.phase = GreenPhase::Ready;
                out.push(("green's termination fails", next, Pace::Minutes));
                let mut next = *self;
                next.view.green = Green::absent();
                // Its id is never given again: a late request for it finds nothing.
                next.in_flight.terminate = false;
                next.in_flight.deploy_green = None;
                next.in_flight.abort_green = false;
                next.in_flight.resize = next.in_flight.resize.filter(|(of, _)| *of != Role::Green);
                // A launch and a termination take longer than any request lives.
                next.in_flight.create_template = false;
                next.in_flight.create_green = false;
                next.lose(Role::Green);
                out.push(("green is gone", next, Pace::Minutes));
            }
        }
    }

    fn lose(&mut self, role: Role) {
        if self.view.holder == Some(role) {
            self.view.holder = None;
        }
        *self.stale_on(role) = Stale::None;
    }

    fn version_events(&self, out: &mut Vec<Event>) {
        if self.bundle == Bundle::Processing {
            for (what, bundle) in [
                ("the version is processed", Bundle::Processed),
                ("the version cannot be processed", Bundle::Failed),
            ] {
                out.push((what, World { bundle, ..*self }, Pace::Seconds));
            }
        }
    }

    fn stale_events(&self, out: &mut Vec<Event>) {
        for (what, role) in [
            ("no cached answer leads to blue any more", Role::Blue),
            ("no cached answer leads to green any more", Role::Green),
        ] {
            let mut next = *self;
            *next.stale_on(role) = Stale::None;
            if next != *self && self.is_stale_on(role) != Stale::Stay {
                out.push((what, next, Pace::Seconds));
            }
        }
    }
}
