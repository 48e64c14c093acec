//! What the driver keeps: the durable journal, and where it stands in its loop.

use std::cell::RefCell;
use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};

use bluegreen_core::deployment::SwapIntent;
use bluegreen_core::followers::listener_rules::RuleOwners;
use bluegreen_core::followers::preview::Lead;
use bluegreen_core::machine::{Effect, Kind, Late, Order, State, Step, obey};
use bluegreen_core::plan::{Passed, Role};

use super::service::Request;
use super::stage::{Stage, Terms, Why};

/// What is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Journal {
    pub stage: Stage,
    pub terms: Terms,
    /// The pauses out of which an operator has led this version: what the machine's own word
    /// for it is held against.
    pub approved: Passed,
    /// The requests whose last intent is in doubt.
    pub open: Open,
    /// The requests that a poll has shown, which a stale poll may still hide.
    pub shown: Open,
    pub deploy: Asked,
    /// Whether the deploy's answer was recorded as applied.
    pub deploy_taken: bool,
    pub drain: Drain,
    /// The last change of sizes: whose, and whether to more.
    pub resize: Option<(Role, bool)>,
    /// Whether blue was given other sizes, and whether green was.
    pub sized: (bool, bool),
    /// The last swap, while it is in doubt.
    pub swap: Option<SwapIntent>,
    /// Whether the operator has given up what a person has changed.
    pub discarded: bool,
    /// The last change of rules, and of the preview hostname.
    pub moves: Moves,
}

/// The last change of the listener rules or of the preview hostname.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Moves {
    pub rules: Option<RuleOwners>,
    pub records: Option<Lead>,
    /// Whether an earlier one for the same is in doubt.
    pub earlier: Open,
    /// Whether polls may still show what was before the last one.
    pub lately: Open,
    /// Whether they may show what was before the last one for something else.
    pub others_lately: Open,
}

/// The kinds of request that are sent only once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Open {
    pub template: bool,
    pub green: bool,
    pub swap: bool,
    pub deploy: bool,
    pub resize: bool,
    pub rules: bool,
    pub records: bool,
}

/// When the driver requested the last deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    Never,
    BeforeEntry,
    SinceEntry,
}

/// The drain since production was last moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Drain {
    NeverMoved,
    Running,
    Over,
}

/// Where the driver stands between two of its operations. Held in memory: a
/// crash leads back to the top of the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pc {
    /// About to poll.
    Top,
    /// About to checkpoint this state.
    Enter(Stage),
    /// About to poll again, for the live-safety rule.
    Check(Errand),
    /// Everything is durable and safe; about to send.
    Send(Errand),
    /// It has sent before its intent is durable, which is against the rules; about
    /// to write that down.
    Note(Errand),
}

/// A request that the driver is about to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Errand {
    pub request: Request,
    pub once: bool,
    /// The state to enter when it is refused for good.
    pub refused: Stage,
}

/// What a poll leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Move {
    Rest,
    Enter(Stage),
    Wait(Stage),
    Ask(Errand, Stage),
}

impl Open {
    pub fn minus(self, other: Open) -> Open {
        Open {
            template: self.template && !other.template,
            green: self.green && !other.green,
            swap: self.swap && !other.swap,
            deploy: self.deploy && !other.deploy,
            resize: self.resize && !other.resize,
            rules: self.rules && !other.rules,
            records: self.records && !other.records,
        }
    }

    pub fn plus(self, other: Open) -> Open {
        Open {
            template: self.template || other.template,
            green: self.green || other.green,
            swap: self.swap || other.swap,
            deploy: self.deploy || other.deploy,
            resize: self.resize || other.resize,
            rules: self.rules || other.rules,
            records: self.records || other.records,
        }
    }

    pub fn and(self, other: Open) -> Open {
        self.minus(self.minus(other))
    }

    /// Whether a request is marked.
    pub fn has(mut self, request: Request) -> bool {
        let was = self;
        self.set(request, false);
        self != was
    }

    /// Marks a request, where it is one that is sent only once.
    pub fn set(&mut self, request: Request, is_open: bool) {
        match request {
            Request::CreateTemplate => self.template = is_open,
            Request::CreateGreen => self.green = is_open,
            Request::Swap(_) => self.swap = is_open,
            Request::Deploy(_) | Request::DeployGreen(_) => self.deploy = is_open,
            Request::Resize(..) => self.resize = is_open,
            Request::MoveRules(_) => self.rules = is_open,
            Request::MoveRecords(_) => self.records = is_open,
            Request::UploadBundle
            | Request::RegisterVersion
            | Request::AbortUpdate
            | Request::AbortGreen
            | Request::TerminateGreen
            | Request::TerminateBlue
            | Request::DeleteTemplate => {}
        }
    }
}

impl Journal {
    /// Remembers that an environment gets other sizes.
    pub fn sizes(&mut self, role: Role) {
        match role {
            Role::Blue => self.sized.0 = true,
            Role::Green => self.sized.1 = true,
        }
    }

    pub fn new(terms: Terms) -> Journal {
        Journal {
            stage: Stage {
                kind: Kind::Preparing,
                why: Why::Any,
            },
            terms,
            approved: Passed::default(),
            open: Open::default(),
            shown: Open::default(),
            deploy: Asked::Never,
            deploy_taken: false,
            drain: Drain::NeverMoved,
            resize: None,
            sized: (false, false),
            swap: None,
            discarded: false,
            moves: Moves::default(),
        }
    }

    /// Writes down the intent of a change of the listener rules or of the preview hostname.
    pub fn moves(&mut self, request: Request) {
        match request {
            Request::MoveRules(owners) => {
                let moves = &mut self.moves;
                moves.earlier.rules |= self.open.rules;
                moves.others_lately.rules |=
                    moves.lately.rules && moves.rules.is_some_and(|before| before != owners);
                moves.lately.rules = true;
                moves.rules = Some(owners);
            }
            Request::MoveRecords(lead) => {
                let moves = &mut self.moves;
                moves.earlier.records |= self.open.records;
                moves.others_lately.records |=
                    moves.lately.records && moves.records.is_some_and(|before| before != lead);
                moves.lately.records = true;
                moves.records = Some(lead);
            }
            _ => {}
        }
    }

    /// Polls cannot be stale any more, but for what these requests do when they arrive.
    pub fn settles(&mut self, requests: impl Iterator<Item = Request>) {
        let mut coming = Open::default();
        requests.for_each(|request| coming.set(request, true));
        self.moves.lately = self.moves.lately.and(coming);
        self.moves.others_lately = Open::default();
    }

    /// A change of the listener rules or of the preview hostname that is neither in doubt nor new
    /// is as if it had never been. Between two of them there is one doubt.
    pub fn forget_moves(&mut self, pc: Pc) {
        let moves = &mut self.moves;
        if !matches!(pc, Pc::Send(errand) if errand.request.moves_followers()) {
            self.open = self.open.plus(moves.earlier);
            moves.earlier = Open::default();
        }
        let of_note = self.open.plus(moves.earlier).plus(moves.lately);
        moves.rules = moves.rules.filter(|_| of_note.rules);
        moves.records = moves.records.filter(|_| of_note.records);
    }

    /// What changes of the listener rules and of the preview hostname a stale poll may not show.
    pub fn lately_moved(&self) -> (Late<RuleOwners>, Late<Lead>) {
        fn of<T>(last: Option<T>, lately: bool, others_lately: bool) -> Late<T> {
            match last.filter(|_| lately) {
                None => Late::Nothing,
                Some(_) if others_lately => Late::Anything,
                Some(last) => Late::This(last),
            }
        }
        let (lately, others) = (self.moves.lately, self.moves.others_lately);
        (
            of(self.moves.rules, lately.rules, others.rules),
            of(self.moves.records, lately.records, others.records),
        )
    }

    /// What changes of the listener rules and of the preview hostname may still arrive.
    pub fn late_moves(&self) -> (Late<RuleOwners>, Late<Lead>) {
        let doubt = self.open.plus(self.moves.earlier);
        let rules = self.moves.rules.filter(|_| doubt.rules);
        let records = self.moves.records.filter(|_| doubt.records);
        (
            rules.map_or(Late::Nothing, Late::This),
            records.map_or(Late::Nothing, Late::This),
        )
    }

    /// A swap that is in doubt no more is not followed.
    pub fn forget_the_swap(&mut self) {
        self.swap = self.swap.filter(|_| self.open.swap);
    }

    /// Whether entering this state dates a move of production.
    pub fn leaves_a_swap_for(&self, stage: Stage) -> bool {
        self.stage.state().is_swapping() && self.stage.kind != stage.kind
    }

    /// The journal in another state; leaving a swap dates the move of production.
    pub fn entering(mut self, stage: Stage) -> Journal {
        if self.leaves_a_swap_for(stage) {
            self.drain = Drain::Running;
        }
        if self.deploy == Asked::SinceEntry {
            self.deploy = Asked::BeforeEntry;
        }
        self.stage = stage;
        self
    }

    /// The state and terms after an order; none where it is refused. The corrected version is
    /// always the same one.
    pub fn obey(&self, order: &Order) -> Option<(Stage, Terms)> {
        type Obeyed = HashMap<(Stage, Terms, Discriminant<Order>), Option<(Stage, Terms)>>;
        thread_local! {
            static OBEYED: RefCell<Obeyed> = RefCell::default();
        }
        let given = (self.stage, self.terms, discriminant(order));
        let obeyed = OBEYED.with_borrow(|obeyed| obeyed.get(&given).copied());
        obeyed.unwrap_or_else(|| {
            let obeyed = obey(&self.stage.state(), self.terms.plan(), order.clone()).ok();
            let obeyed = obeyed
                .map(|(state, plan)| (Stage::of(&state), Terms::of(&plan, self.terms.follows)));
            OBEYED.with_borrow_mut(|known| known.insert(given, obeyed));
            obeyed
        })
    }
}

impl Move {
    /// The move that a step in a stage is.
    pub fn of(step: &Step, stage: Stage) -> Move {
        let errand = |effect: &Effect, once: bool, otherwise: &State| {
            let otherwise = Stage::of(otherwise);
            let errand = Errand {
                request: Request::of(effect),
                once,
                refused: otherwise.because_refused(effect),
            };
            Move::Ask(errand, otherwise)
        };
        match step {
            Step::Rest => Move::Rest,
            Step::Enter(state) => Move::Enter(Stage::of(state)),
            Step::Wait { otherwise } => Move::Wait(Stage::of(otherwise)),
            Step::Ask { effect, otherwise } => errand(effect, false, otherwise),
            Step::Once { effect, otherwise } => errand(effect, true, otherwise),
            Step::Delay { effect: None } => Move::Wait(stage),
            Step::Delay {
                effect: Some(effect),
            } => errand(effect, true, &stage.state()),
            Step::Read(unread) => panic!("every look of the model reads {unread:?}"),
        }
    }
}
