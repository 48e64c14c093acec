//! States and plans, as far as the machine's rules distinguish them.

use std::cell::RefCell;
use std::collections::HashMap;

use bluegreen_core::followers::preview::{Preview, Record, Wanted};
use bluegreen_core::machine::{Cause, Effect, Kind, Order, State, obey};
use bluegreen_core::plan::{Bundle, Goal, Passed, Plan, Sizes, Strategy, TemplateSets, Wishes};

use super::world::Label;

/// A state of the machine, as far as its rules distinguish states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stage {
    pub kind: Kind,
    pub why: Why,
}

/// Causes, grouped by what the machine makes of them: only `Resume` of a held
/// deployment reads its cause. So the model keeps one cause for each way that
/// `Resume` may take, which [`Stage::of`] finds by asking the machine itself, and
/// of stuck ones whether they blame somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// Any cause that nothing depends on, and none.
    Any,
    /// Held for it, a resume tests again.
    Retest,
    /// Held for it, a resume tests again, and needs no approval any more.
    NotApproved,
    /// Held for it, a resume deploys again.
    Redeploy,
    /// Somebody else moved production or blue.
    SomebodyElse,
}

/// The parts of the plan that vary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    pub strategy: Strategy,
    pub goal: Goal,
    pub version: Label,
    pub pause_before_swap: bool,
    pub pause_before_cutover: bool,
    pub passed: Passed,
    /// Whether the instances are counted.
    pub resizes: bool,
    pub follows: Follows,
}

/// What leads to the environments beside their CNAMEs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Follows {
    Nothing,
    /// Rules of a load balancer that both share.
    Rules,
    /// A preview hostname.
    Records,
}

impl Stage {
    pub fn of(state: &State) -> Stage {
        let kind = state.kind();
        let why = match (kind, state.cause()) {
            (Kind::Held | Kind::ReturningToGreen | Kind::AbortingDeploy, Some(cause)) => {
                after_resume(cause)
            }
            (
                Kind::Stuck,
                Some(
                    Cause::ProductionMoved { .. }
                    | Cause::BlueGone { .. }
                    | Cause::ProductionTerminated { .. }
                    | Cause::VersionMoved { .. },
                ),
            ) => Why::SomebodyElse,
            _ => Why::Any,
        };
        Stage { kind, why }
    }

    pub fn state(self) -> State {
        let cause = match self.why {
            Why::Any => Cause::AskedToRetreat,
            Why::Retest => Cause::TestFailed {
                asked: "GET /".to_owned(),
                got: "500".to_owned(),
            },
            Why::NotApproved => Cause::NotApproved { seconds: 0 },
            Why::Redeploy => Cause::DeployFailed {
                message: String::new(),
            },
            Why::SomebodyElse => Cause::BlueGone {
                serving: None,
                blue: None,
            },
        };
        match self.kind {
            Kind::Preparing => State::Preparing,
            Kind::Cloning => State::Cloning,
            Kind::Warming => State::Warming,
            Kind::DeployingGreen => State::DeployingGreen,
            Kind::TestingGreen => State::TestingGreen,
            Kind::AwaitingSwap => State::AwaitingSwap,
            Kind::SwappingToGreen => State::SwappingToGreen,
            Kind::DrainingBlue => State::DrainingBlue,
            Kind::Deploying => State::Deploying,
            Kind::AbortingDeploy => State::AbortingDeploy { cause },
            Kind::Testing => State::Testing,
            Kind::AwaitingCutover => State::AwaitingCutover,
            Kind::SwappingToBlue => State::SwappingToBlue,
            Kind::Baking => State::Baking,
            Kind::ReturningToGreen => State::ReturningToGreen { cause },
            Kind::ReturningToBlue => State::ReturningToBlue { cause },
            Kind::TerminatingGreen => State::TerminatingGreen,
            Kind::TerminatingBlue => State::TerminatingBlue,
            Kind::Held => State::Held { cause },
            Kind::Discarding => State::Discarding { cause },
            Kind::Completed => State::Completed,
            Kind::RolledBack => State::RolledBack { cause },
            Kind::Stuck => State::Stuck { cause },
        }
    }

    pub fn is_end(self) -> bool {
        self.state().is_end()
    }

    /// Whether it is paused, and perhaps waits for an approval.
    pub fn is_paused(self) -> bool {
        matches!(self.kind, Kind::AwaitingSwap | Kind::AwaitingCutover)
    }

    /// Whether the driver may rest here until an operator speaks.
    pub fn awaits_operator(self) -> bool {
        self.state().rests() && !self.is_end()
    }

    /// The state that a refusal for good leads to, where `self` is the way out.
    pub fn because_refused(self, effect: &Effect) -> Stage {
        Stage::of(&self.state().because(Cause::Refused {
            operation: effect.kind().operation().to_owned(),
            message: String::new(),
        }))
    }
}

/// How many instances the environment runs that users are on, where they are counted.
pub const RUNNING: u32 = 3;

/// The sizes of a group: blue's own, or with room for what runs.
pub fn sizes(raised: bool) -> Sizes {
    let own = Sizes { min: 1, max: 4 };
    if raised { own.holding(RUNNING) } else { own }
}

fn after_resume(cause: &Cause) -> Why {
    let held = State::Held {
        cause: cause.clone(),
    };
    let paused = Terms::new(Strategy::Restore, true, false, Follows::Nothing).plan();
    match obey(&held, paused, Order::Resume) {
        Ok((State::Testing, plan)) if !plan.pause_before_cutover => Why::NotApproved,
        Ok((State::Testing, _)) => Why::Retest,
        Ok((State::DrainingBlue, _)) => Why::Redeploy,
        other => panic!("a resume of {held:?} leads to {other:?}, which the model does not know"),
    }
}

impl Terms {
    pub fn new(strategy: Strategy, pause: bool, resizes: bool, follows: Follows) -> Terms {
        Terms {
            strategy,
            goal: Goal::Release,
            version: Label::New,
            pause_before_swap: pause,
            pause_before_cutover: pause && strategy == Strategy::Restore,
            passed: Passed::default(),
            resizes,
            follows,
        }
    }

    pub fn goal_label(self) -> Label {
        match self.goal {
            Goal::Release => self.version,
            Goal::Previous => Label::Previous,
        }
    }

    /// The version that green must run.
    pub fn green_label(self) -> Label {
        Label::named(self.plan().green_version())
    }

    pub fn plan(self) -> &'static Plan {
        thread_local! {
            static PLANS: RefCell<HashMap<Terms, &'static Plan>> = RefCell::default();
        }
        PLANS.with_borrow_mut(|plans| {
            let plan = plans.entry(self);
            *plan.or_insert_with(|| Box::leak(Box::new(self.whole_plan())))
        })
    }

    fn whole_plan(self) -> Plan {
        Plan {
            blue_id: "e-blue".to_owned(),
            strategy: self.strategy,
            previous_version: Label::Previous.name().to_owned(),
            version: self.version.name().to_owned(),
            goal: self.goal,
            bundle: (self.version == Label::New).then(|| Bundle {
                key: "bundle".to_owned(),
                file: None,
            }),
            sizes: self.resizes.then_some(sizes(false)),
            template_sets: Some(TemplateSets::default()),
            instances: RUNNING,
            // It changes no more than whether green's tests must pass, and where hostnames lead.
            wishes: Wishes {
                test_green: self.resizes || self.follows == Follows::Records,
                ..Wishes::default()
            },
            preview: (self.follows == Follows::Records).then(preview),
            pause_before_swap: self.pause_before_swap,
            passed: self.passed,
            pause_before_cutover: self.pause_before_cutover,
            // The model says itself which environments are fit, so that health, tests and limits are
            // those of any plan.
            ..Plan::sample("01J")
        }
    }

    /// The terms of a plan. A plan does not show whether a load balancer is shared.
    pub fn of(plan: &Plan, follows: Follows) -> Terms {
        Terms {
            follows,
            strategy: plan.strategy,
            goal: plan.goal,
            version: Label::named(&plan.version),
            pause_before_swap: plan.pause_before_swap,
            pause_before_cutover: plan.pause_before_cutover,
            passed: plan.passed,
            resizes: plan.sizes.is_some(),
        }
    }
}

/// One hostname that held nothing before.
fn preview() -> Preview {
    let wanted = Wanted {
        zone_id: "Z1".to_owned(),
        hosts: vec!["preview.example".to_owned()],
    };
    wanted
        .begin(vec![Record::Absent], &[])
        .expect("it serves nobody")
}

impl Label {
    pub fn name(self) -> &'static str {
        match self {
            Label::Previous => "v1",
            Label::New => "v2",
            Label::Fixed => "v3",
            Label::Other => "other",
        }
    }

    pub fn named(name: &str) -> Label {
        [Label::Previous, Label::New, Label::Fixed, Label::Other]
            .into_iter()
            .find(|label| label.name() == name)
            .unwrap_or_else(|| panic!("the model knows no version {name}"))
    }
}
