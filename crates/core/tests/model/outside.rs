//! What happens around the driver: requests arrive late, time passes, a person
//! acts at the console.

use bluegreen_core::plan::{Role, Strategy};

use super::driver::Model;
use super::events::Pace;
use super::journal::{Asked, Drain, Errand, Open, Pc};
use super::node::{By, Next, Node};
use super::service::{Request, Verdict};
use super::world::{Blue, BluePhase, Events, GreenPhase, Label, Stale, Swap, View};

impl Model {
    /// Everything that may happen without the driver.
    pub fn outside(&self, node: &Node, out: &mut Vec<Next>) {
        self.arrivals(node, out);
        // It has begun since the look that found blue Ready, and takes minutes.
        let is_begun = asks_for_a_deploy(node)
            && node.world.view.blue.phase == BluePhase::Updating(Label::Other);
        for (what, world, pace) in node.world.events() {
            if is_begun && world.view.blue.phase != node.world.view.blue.phase {
                continue;
            }
            let happened = Node { world, ..*node };
            self.change(node, happened, pace, (what, By::World), out);
        }
        time(node, out);
        if self.config.two_hands {
            self.hands(node, out);
        }
        if self.config.stubborn {
            stubborn(node, out);
        }
        if self.config.console && !node.console {
            console(node, out);
        }
    }

    /// Requests on their way arrive.
    fn arrivals(&self, node: &Node, out: &mut Vec<Next>) {
        for request in node.world.in_flight.requests() {
            let mut landed = *node;
            landed.world.in_flight.set(request, false);
            if let Verdict::Applied(world, harm) = landed.world.receive(request) {
                landed.world = world;
                landed.harm = harm;
            }
            let label = ("a late request arrives", By::World);
            self.change(node, landed, Pace::Seconds, label, out);
        }
    }
}

/// Requests cease to be in doubt, drains end, and so does the time for which polls may be stale.
/// The last is the shortest, so the others only end after it.
pub fn time(node: &Node, out: &mut Vec<Next>) {
    let mut pass = |what, node| {
        out.push(Next {
            what,
            by: By::World,
            node,
        });
    };
    if node.before.is_some() {
        pass("looks cannot be stale any more", node.settled());
        return;
    }
    let mut ends = |what, request_is_on_its_way: bool, end: fn(&mut Open) -> &mut bool| {
        let mut next = *node;
        let mut sending = Open::default();
        if let Pc::Send(errand) = node.pc
            && node.hands.lease_is_alive()
        {
            sending.set(errand.request, true);
        }
        // A quarantine counts from the intent, and its request is sent at once, or
        // not at all where its sender slept until its lease ran out.
        let may_end = !request_is_on_its_way && !*end(&mut sending);
        if may_end && std::mem::take(end(&mut next.journal.open)) {
            next.shown = next.shown.and(next.journal.open);
            next.journal.forget_the_swap();
            pass(what, next);
        }
    };
    let late = node.world.in_flight;
    let swapping = node.world.view.swap != Swap::Idle;
    ends(
        "the template's quarantine ends",
        late.create_template,
        |o| &mut o.template,
    );
    ends("green's quarantine ends", late.create_green, |o| {
        &mut o.green
    });
    ends("the swap's quarantine ends", late.swap || swapping, |o| {
        &mut o.swap
    });
    let deploys = late.deploy.is_some() || late.deploy_green.is_some();
    ends("the deploy's quarantine ends", deploys, |o| &mut o.deploy);
    ends("the resize's quarantine ends", late.resize.is_some(), |o| {
        &mut o.resize
    });
    if node.may_be_drained() {
        let mut next = *node;
        next.journal.drain = Drain::Over;
        pass("the drain is over", next);
    }
    followers_quarantines(node, out);
}

/// The changes of the listener rules and of the preview hostname cease to be in doubt only with the
/// last of them.
fn followers_quarantines(node: &Node, out: &mut Vec<Next>) {
    let sends = |request: fn(Request) -> bool| {
        let is_sending = matches!(node.pc, Pc::Send(errand) if request(errand.request));
        is_sending && node.hands.lease_is_alive()
    };
    let late = node.world.in_flight;
    let doubt = node.journal.open.plus(node.journal.moves.earlier);
    let mut pass = |what, end: fn(&mut Open) -> &mut bool| {
        let mut next = *node;
        *end(&mut next.journal.open) = false;
        *end(&mut next.journal.moves.earlier) = false;
        out.push(Next {
            what,
            by: By::World,
            node: next,
        });
    };
    let moves_rules = sends(|request| matches!(request, Request::MoveRules(_)));
    if doubt.rules && late.rules.is_none() && !moves_rules {
        pass("the quarantine of the rules ends", |open| &mut open.rules);
    }
    let moves_records = sends(|request| matches!(request, Request::MoveRecords(_)));
    if doubt.records && late.records.is_none() && !moves_records {
        pass("the quarantine of the hostname ends", |open| {
            &mut open.records
        });
    }
}

/// Clients that do not follow the CNAME: they stay once their time to leave is over, leave
/// after all, or come back.
fn stubborn(node: &Node, out: &mut Vec<Next>) {
    let Some(idle) = node.world.view.holder.map(Role::other) else {
        return;
    };
    let mut turn = |what, to| {
        let mut next = *node;
        *next.world.stale_on(idle) = to;
        out.push(Next {
            what,
            by: By::World,
            node: next,
        });
    };
    match node.world.is_stale_on(idle) {
        Stale::Dated if node.journal.drain == Drain::Running => {
            turn(
                "clients stay though they had their time to leave",
                Stale::Stay,
            );
        }
        Stale::Stay => turn("the clients that stayed leave", Stale::None),
        // Nothing protects those who come between the last look and the request, or after it.
        Stale::None
            if node.journal.drain == Drain::Over
                && matches!(node.pc, Pc::Top)
                && node.world.view.answers(idle)
                && node.world.in_flight.is_empty() =>
        {
            turn("clients come back to the idle environment", Stale::Stay);
        }
        Stale::None | Stale::Undated | Stale::Dated => {}
    }
}

fn console(node: &Node, out: &mut Vec<Next>) {
    let view = node.world.view;
    let mut act = |what, change: &dyn Fn(&mut View)| {
        let mut next = *node;
        change(&mut next.world.view);
        next.console = true;
        out.push(Next {
            what,
            by: By::Console,
            node: next,
        });
    };
    if view.green.phase == GreenPhase::Absent {
        act("a person takes green's name", &|view| {
            view.green.phase = GreenPhase::Foreign;
        });
    }
    if view.blue_ready() && view.green_ready() {
        act("a person swaps the CNAMEs", &|view| {
            view.swap = Swap::Started;
        });
    }
    // The rest takes minutes, and so cannot begin and end between a look and what follows it at
    // once. What begins there makes blue busy for the deploy that follows.
    if view.blue_ready() && (node.pc == Pc::Top || asks_for_a_deploy(node)) {
        act("a person deploys to blue", &|view| {
            view.blue = Blue {
                phase: BluePhase::Updating(Label::Other),
                fit: false,
                mixed: true,
                theirs: true,
                ..view.blue
            };
            // Without its request's id the newest update passes for ours; of green's deploy
            // green's events are read.
            let deploys_to_green = node.journal.terms.strategy == Strategy::Rehearse;
            if !deploys_to_green
                && node.journal.deploy != Asked::Never
                && !node.journal.deploy_taken
            {
                view.events = Events::Running;
            }
        });
    }
    if node.pc != Pc::Top {
        return;
    }
    if view.green_ready() {
        act("a person terminates green", &|view| {
            view.green.phase = GreenPhase::Terminating;
        });
        let is_lent = node.journal.terms.strategy == Strategy::Restore;
        if is_lent && view.holder == Some(Role::Green) {
            act("a person changes green while it serves", &|view| {
                view.green.changed = true;
            });
        }
    }
    if view.blue_ready() {
        act("a person terminates blue", &|view| {
            view.blue.phase = BluePhase::Terminating;
        });
    }
}

/// Whether the driver is about to request a deploy to blue.
fn asks_for_a_deploy(node: &Node) -> bool {
    let is_a_deploy = |errand: Errand| matches!(errand.request, Request::Deploy(_));
    matches!(node.pc, Pc::Check(errand) if is_a_deploy(errand))
}
