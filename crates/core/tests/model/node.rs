//! One situation: the world, the journal, and where the driver stands.

use bluegreen_core::deployment::SwapIntent;
use bluegreen_core::machine::Kind;
use bluegreen_core::plan::Role;

use super::hands::Hands;
use super::journal::{Asked, Drain, Errand, Journal, Open, Pc};
use super::service::{Harm, Request};
use super::stage::{Stage, Terms};
use super::world::{BluePhase, Bundle, Events, Stale, View, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    pub world: World,
    /// What a stale poll may still show.
    pub before: Option<View>,
    pub journal: Journal,
    /// What polls have shown since the last checkpoint; lost in a crash.
    pub shown: Open,
    pub pc: Pc,
    /// Which other runners the deployment has.
    pub hands: Hands,
    /// Whether the person at the console has acted.
    pub console: bool,
    /// Whether this process has seen the swap of this state done; followed where a person may
    /// undo it.
    pub swap_done: bool,
    pub harm: Option<Harm>,
}

/// Who makes something happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    Driver,
    World,
    /// Crashes, lost and late answers, refusals.
    Fault,
    Operator,
    Console,
}

/// What may follow a node.
pub struct Next {
    pub what: &'static str,
    pub by: By,
    pub node: Node,
}

impl Node {
    pub fn root(terms: Terms) -> Node {
        Node {
            world: World::new(terms.follows),
            before: None,
            journal: Journal::new(terms),
            shown: Open::default(),
            pc: Pc::Top,
            hands: Hands::One,
            console: false,
            swap_done: false,
            harm: None,
        }
    }

    pub fn at(self, pc: Pc) -> Node {
        Node { pc, ..self }
    }

    /// After a crash: all that is left is what was durable, which a new process takes up with a
    /// lock of its own.
    pub fn crashed(self) -> Node {
        Node {
            journal: self.hands.record(self.journal),
            shown: Open::default(),
            swap_done: false,
            hands: self.hands.with_a_new_lease(),
            ..self.at(Pc::Top)
        }
    }

    /// Whether every poll that may still come shows who holds production.
    pub fn is_settled(&self) -> bool {
        self.before
            .is_none_or(|before| before.holder == self.world.view.holder)
    }

    /// Whether every poll that may still come shows the same environments.
    pub fn presence_is_settled(&self) -> bool {
        let present = |view: &View| (view.blue.phase != BluePhase::Gone, view.green_is_ours());
        self.before
            .is_none_or(|before| present(&before) == present(&self.world.view))
    }

    /// Polls cannot be stale any more, so that what they showed is certain.
    pub fn settled(mut self) -> Node {
        self.before = None;
        let sending = match self.pc {
            Pc::Send(errand) => Some(errand.request),
            _ => None,
        };
        let requests = self.world.in_flight.requests().chain(sending);
        self.journal.settles(requests);
        self.journal.open = self.journal.open.minus(self.journal.shown);
        self.journal.shown = Open::default();
        self.shown = self.shown.and(self.journal.open);
        self.journal.forget_the_swap();
        self
    }

    /// The checkpoint of another state.
    pub fn entered(&self, stage: Stage) -> Node {
        let mut next = self.flushed();
        next.journal = next.journal.entering(stage);
        next.swap_done = false;
        if self.journal.leaves_a_swap_for(stage) {
            for role in [Role::Blue, Role::Green] {
                let stale = next.world.stale_on(role);
                if *stale == Stale::Undated {
                    *stale = Stale::Dated;
                }
            }
        }
        // Nothing reads the version's registration once green is warm.
        if !matches!(stage.kind, Kind::Preparing | Kind::Cloning | Kind::Warming) {
            next.world.bundle = Bundle::Processed;
        }
        next.at(Pc::Top)
    }

    /// Any checkpoint makes durable what polls have shown.
    pub fn flushed(&self) -> Node {
        let mut next = *self;
        next.journal.shown = next.journal.shown.plus(next.shown);
        next.shown = Open::default();
        if next.before.is_none() {
            next = next.settled();
        }
        next
    }

    /// About to send, with the intent written down where that is due.
    pub fn intending(&self, errand: Errand) -> Node {
        if !errand.once {
            return self.at(Pc::Send(errand));
        }
        let mut next = self.flushed();
        next.journal.moves(errand.request);
        next.journal.open.set(errand.request, true);
        next.journal.shown.set(errand.request, false);
        if let Request::Resize(role, raised) = errand.request {
            next.journal.resize = Some((role, raised));
            if raised {
                next.journal.sizes(role);
            }
        }
        if let Request::Swap(to) = errand.request {
            next.journal.swap = Some(SwapIntent {
                to,
                from_settled: next.is_settled(),
            });
        }
        if let Request::Deploy(_) | Request::DeployGreen(_) = errand.request {
            next.journal.deploy = Asked::SinceEntry;
            next.journal.deploy_taken = false;
            next.world.view.events = Events::None;
            if let Some(before) = &mut next.before {
                before.events = Events::None;
            }
            next.before = next.before.filter(|before| *before != next.world.view);
        }
        next.at(Pc::Send(errand))
    }

    /// The intent of a request that was sent already, against the rules.
    pub fn noted(&self, request: Request) -> Node {
        let mut next = self.flushed();
        next.journal.moves(request);
        next.journal.open.set(request, true);
        next.journal.shown.set(request, false);
        if let Request::Deploy(_) | Request::DeployGreen(_) = request {
            next.journal.deploy = Asked::SinceEntry;
        }
        next.at(Pc::Top)
    }

    /// The journal knows that a request was not applied.
    pub fn not_applied(mut self, request: Request) -> Node {
        self.journal.open.set(request, false);
        self.journal.shown.set(request, false);
        self.journal.forget_the_swap();
        self
    }

    /// Whether a drain is running that nobody with a cached answer outlives.
    pub fn may_be_drained(&self) -> bool {
        let stale = [self.world.stale_on_blue, self.world.stale_on_green];
        self.journal.drain == Drain::Running
            && !stale.contains(&Stale::Dated)
            && !self.traffic_stays()
    }

    /// Whether clients stay on the environment that does not hold production.
    pub fn traffic_stays(&self) -> bool {
        let holder = self.world.view.holder;
        let stays = |role| self.world.is_stale_on(role) == Stale::Stay;
        [Role::Blue, Role::Green]
            .into_iter()
            .any(|role| holder != Some(role) && stays(role))
    }
}
