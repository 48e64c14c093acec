//! What somebody else does to the environments in the middle of a storm's release. None of it
//! loses a request by itself, so that whatever is lost is the release's fault.

use std::time::Duration;

use bluegreen::clock::Moment;
use bluegreen::deployment::Deployment;
use bluegreen::machine::{Cause, Kind, State};
use bluegreen::plan::Strategy;
use bluegreen_sandbox::{Form, PRODUCTION, Reply, Status, World, apply};

use super::weather::{BLUE, GREEN};
use crate::support::forms::{HOTFIX, deploys, sets, swaps, terminates};
use crate::support::virtual_world::VirtualWorld;

/// One act of somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Swaps the CNAMEs.
    Swap,
    /// Terminates the environment that is idle.
    TerminateIdle,
    /// Deploys another version onto the green that serves, without an interruption.
    HotfixOnGreen,
    /// Sets an option of it likewise.
    OptionOnGreen,
    /// Deploys another version onto idle blue.
    VersionOnBlue,
    /// Sets an option of it.
    OptionOnBlue,
}

/// When somebody acts: once both environments are Ready, and this long after that.
#[derive(Clone, Copy, Debug)]
enum When {
    /// Green is there, and has not served yet.
    BeforeGreenServes(Duration),
    /// Green serves.
    WhileGreenServes(Duration),
    /// Blue serves again.
    AfterBlueServesAgain(Duration),
}

/// Somebody else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hand {
    act: Act,
    when: When,
}

/// No client keeps an answer for so long by itself.
const CLIENTS_HAVE_LEFT: u64 = 600;
const TIMEOUT: (&str, &str) = ("aws:elasticbeanstalk:command", "Timeout");

impl Hand {
    pub fn of(rng: &mut fastrand::Rng, strategy: Strategy) -> Hand {
        let early = |rng: &mut fastrand::Rng| Duration::from_secs(rng.u64(..300));
        let late = |rng: &mut fastrand::Rng| {
            Duration::from_secs(rng.u64(CLIENTS_HAVE_LEFT..2 * CLIENTS_HAVE_LEFT))
        };
        // A swap onto what was deployed to a moment ago would lose requests by itself.
        let (act, when) = match (rng.u8(..9), strategy) {
            (0 | 1, _) | (_, Strategy::Rehearse) => {
                let act = [Act::Swap, Act::TerminateIdle][usize::from(rng.bool())];
                (act, When::BeforeGreenServes(early(rng)))
            }
            (2, _) => (
                Act::Swap,
                When::WhileGreenServes(Duration::from_secs(rng.u64(..45))),
            ),
            (3, _) => (Act::Swap, When::AfterBlueServesAgain(early(rng))),
            (4, _) => (Act::TerminateIdle, When::WhileGreenServes(late(rng))),
            (5, _) => (Act::HotfixOnGreen, When::WhileGreenServes(early(rng))),
            (6, _) => (Act::OptionOnGreen, When::WhileGreenServes(early(rng))),
            (7, _) => (Act::VersionOnBlue, When::WhileGreenServes(late(rng))),
            (_, _) => (Act::OptionOnBlue, When::WhileGreenServes(late(rng))),
        };
        Hand { act, when }
    }

    /// Somebody else may do everything, and the version that they deploy is registered.
    pub fn register(self, world: &VirtualWorld) {
        world.sandbox.with_world(|world, _| {
            world.set_policy(None);
            asks(world, HOTFIX);
        });
    }

    /// Acts where it is time to, and AWS takes it; whether that was so.
    pub fn acts(self, world: &mut World, past: &mut Past, now: Moment) -> bool {
        past.notice(world, now);
        let since = match self.when {
            When::BeforeGreenServes(_) => past.green_waits,
            When::WhileGreenServes(_) => past.green_serves,
            When::AfterBlueServesAgain(_) => past.blue_serves_again,
        };
        let (When::BeforeGreenServes(after)
        | When::WhileGreenServes(after)
        | When::AfterBlueServesAgain(after)) = self.when;
        let is_due = since.is_some_and(|since| now.since(since) >= after);
        if !is_due || !is_ready(world, BLUE) || !is_ready(world, GREEN) {
            return false;
        }
        let idle = match self.when {
            When::WhileGreenServes(_) => BLUE,
            When::BeforeGreenServes(_) | When::AfterBlueServesAgain(_) => GREEN,
        };
        match self.act {
            Act::Swap => asks(world, &swaps(BLUE, GREEN)),
            Act::TerminateIdle => asks(world, &terminates(idle)),
            Act::HotfixOnGreen => {
                let green = world.environment_mut(GREEN).expect("it is Ready");
                "hotfix".clone_into(&mut green.version_label);
                true
            }
            Act::OptionOnGreen => {
                let (namespace, option) = TIMEOUT;
                world.set(GREEN, namespace, option, "900");
                true
            }
            Act::VersionOnBlue => asks(world, &deploys(BLUE, "hotfix")),
            Act::OptionOnBlue => {
                let (namespace, option) = TIMEOUT;
                let full = format!("{namespace}:{option}");
                asks(world, &sets(BLUE, &[(&full, "900")]))
            }
        }
    }
}

/// Who has served since when.
#[derive(Debug, Default)]
pub(super) struct Past {
    green_waits: Option<Moment>,
    green_serves: Option<Moment>,
    blue_serves_again: Option<Moment>,
}

impl Past {
    fn notice(&mut self, world: &World, now: Moment) {
        let serves = |name: &str| {
            let found = world.environment(name);
            found.is_some_and(|found| found.cname.as_deref() == Some(PRODUCTION))
        };
        let has_served = self.green_serves.is_some() || self.blue_serves_again.is_some();
        let waits = !has_served && is_ready(world, GREEN);
        since_when(&mut self.green_waits, waits, now);
        since_when(&mut self.blue_serves_again, has_served && serves(BLUE), now);
        since_when(&mut self.green_serves, serves(GREEN), now);
    }
}

fn since_when(since: &mut Option<Moment>, holds: bool, now: Moment) {
    *since = holds.then(|| since.unwrap_or(now));
}

fn is_ready(world: &World, name: &str) -> bool {
    let found = world.environment(name);
    found.is_some_and(|found| found.status == Status::Ready)
}

/// Whether AWS takes what somebody asks, even if its answer is lost.
fn asks(world: &mut World, form: &str) -> bool {
    match apply(world, &Form::parse(form.as_bytes())) {
        Reply::Answer { status, .. } => status == 200,
        _ => true,
    }
}

/// Whatever somebody else has done, nobody has lost a request, one environment serves, and
/// nothing of theirs was taken away without an operator's word.
#[track_caller]
pub(super) fn check(world: &VirtualWorld, hand: Hand, has_acted: bool, deployment: &Deployment) {
    let serving = world.check_nobody_lost_a_request();
    assert!(serving.is_some(), "nobody serves");
    assert!(world.sandbox.report().peaks.tagged_environments <= 1);
    match &deployment.state {
        State::Completed | State::RolledBack { .. } => {
            assert_eq!(world.sandbox.report().leftovers.records, [""; 0]);
        }
        State::Held { .. } => {}
        State::Stuck { cause } => {
            let is_theirs = matches!(
                cause,
                Cause::ProductionMoved { .. }
                    | Cause::BlueGone { .. }
                    | Cause::VersionMoved { .. }
                    | Cause::GreenGone
            );
            // Somebody has terminated the way back, so an alarm has nowhere to return users to.
            let has_no_way_back = matches!(hand.act, Act::TerminateIdle)
                && matches!(cause, Cause::SickWhileBaking { .. });
            assert!(has_acted && (is_theirs || has_no_way_back), "{cause:?}");
        }
        state => panic!("{state:?}"),
    }
    let is_on_green = matches!(hand.act, Act::HotfixOnGreen | Act::OptionOnGreen);
    let is_restored =
        deployment.plan.strategy == Strategy::Restore && deployment.state.kind() == Kind::Completed;
    if has_acted && is_on_green && is_restored {
        assert_eq!(serving.as_deref(), Some(BLUE));
        assert!(!deployment.discarded.is_empty(), "{deployment:?}");
    }
}
