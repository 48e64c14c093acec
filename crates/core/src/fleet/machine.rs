//! The states of a fleet, and what it does next.

use serde::{Deserialize, Serialize};

use super::member::{Member, Standing};
use super::plan::{FleetPlan, Wave};
use crate::moment::Moment;
use crate::plan::Goal;

/// The state of a fleet. Waves are numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FleetState {
    /// The targets of a wave are released.
    Releasing {
        /// The wave.
        wave: usize,
    },
    /// A wave is released, and its health is watched before the next one.
    Baking {
        /// The wave that is released.
        wave: usize,
        /// Since when.
        since: Moment,
    },
    /// The fleet pauses until an operator approves the next wave.
    AwaitingApproval {
        /// The wave that comes next.
        wave: usize,
    },
    /// Too many targets have failed: no more begin until an operator resumes or rolls back.
    Stopped {
        /// The wave in which it was.
        wave: usize,
    },
    /// Targets are returned to the version before.
    RollingBack {
        /// The only wave that is returned; none where all are.
        wave: Option<usize>,
    },
    /// Every target was released, or has failed within what the plan tolerates.
    Completed,
    /// Everything that had begun is at the version before, or a person must act.
    RolledBack,
}

impl FleetState {
    /// Whether nothing happens until an operator does something.
    #[must_use]
    pub fn rests(self) -> bool {
        matches!(
            self,
            FleetState::AwaitingApproval { .. } | FleetState::Stopped { .. }
        ) || self.is_end()
    }

    /// The wave that it is about; none where that is of all.
    #[must_use]
    pub fn wave(self) -> Option<usize> {
        match self {
            FleetState::Releasing { wave }
            | FleetState::Baking { wave, .. }
            | FleetState::AwaitingApproval { wave }
            | FleetState::Stopped { wave } => Some(wave),
            FleetState::RollingBack { wave } => wave,
            FleetState::Completed | FleetState::RolledBack => None,
        }
    }

    /// Whether the fleet is over.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, FleetState::Completed | FleetState::RolledBack)
    }
}

/// What a fleet does next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The state that it enters, and why, in a sentence.
    pub enter: Option<(FleetState, String)>,
    /// The targets that begin, by their numbers.
    pub begin: Vec<usize>,
}

/// What a fleet in this state does next, as its targets stand. `unwell` says which of the targets
/// that it has released is not healthy, where one is not.
#[must_use]
pub fn decide(
    plan: &FleetPlan,
    state: FleetState,
    members: &[Member],
    unwell: Option<&str>,
    now: Moment,
) -> Decision {
    match state {
        FleetState::Releasing { wave } => release(plan, wave, members, now),
        FleetState::Baking { wave, since } => bake(plan, (wave, since), members, (unwell, now)),
        FleetState::RollingBack { wave } => roll_back(plan, wave, members),
        FleetState::AwaitingApproval { .. }
        | FleetState::Stopped { .. }
        | FleetState::Completed
        | FleetState::RolledBack => Decision::default(),
    }
}

/// The state in which a fleet that rests continues when an operator resumes it: a pause is approved,
/// and of a fleet that has stopped the targets that failed and were left as they were begin again.
/// One that is held or stuck waits for what an operator does about its own deployment. `None` where
/// the fleet is over.
#[must_use]
pub fn resume(state: FleetState, members: &mut [Member]) -> Option<FleetState> {
    for member in members.iter_mut() {
        match member.standing {
            Standing::Interrupted => member.leave(),
            standing
                if standing.begins_again()
                    && matches!(state, FleetState::Stopped { .. } | FleetState::Completed) =>
            {
                member.standing = Standing::Waiting;
                member.attempt = None;
                member.why = None;
            }
            _ => {}
        }
    }
    let open = members.iter().filter(|member| member.is_open());
    let first = open.map(|member| member.wave).min();
    let not_beyond = |wave: usize| first.unwrap_or(wave).min(wave);
    match state {
        FleetState::AwaitingApproval { wave }
        | FleetState::Stopped { wave }
        | FleetState::Releasing { wave } => Some(FleetState::Releasing {
            wave: not_beyond(wave),
        }),
        FleetState::Baking { wave, .. } if first.is_some_and(|first| first <= wave) => {
            Some(FleetState::Releasing {
                wave: not_beyond(wave),
            })
        }
        FleetState::Baking { .. } | FleetState::RollingBack { .. } => Some(state),
        // What has failed within what the plan tolerates.
        FleetState::Completed => first.map(|wave| FleetState::Releasing { wave }),
        FleetState::RolledBack => None,
    }
}

/// The state of a fleet whose operator rolls it back, all of it or one wave. What was interrupted is
/// taken up again.
#[must_use]
pub fn order_rollback(wave: Option<usize>, members: &mut [Member]) -> FleetState {
    for member in members {
        if member.standing == Standing::Interrupted {
            member.leave();
        }
    }
    FleetState::RollingBack { wave }
}

fn release(plan: &FleetPlan, wave: usize, members: &[Member], now: Moment) -> Decision {
    let under_way = count(members, |member| member.standing == Standing::UnderWay);
    if let Some(stop) = stopped(plan, wave, members) {
        // What has begun comes to its rest first.
        return match under_way {
            0 => stop,
            _ => Decision::default(),
        };
    }
    let of_wave = |member: &&Member| member.wave == wave;
    let waits = |member: &&Member| member.standing == Standing::Waiting;
    if !members.iter().filter(of_wave).any(Member::is_open) {
        return after(plan, wave, now);
    }
    let waiting = members.iter().enumerate();
    let waiting = waiting.filter(|(_, member)| of_wave(member) && waits(member));
    let room = plan.concurrency.saturating_sub(under_way);
    Decision {
        begin: waiting.map(|(number, _)| number).take(room).collect(),
        enter: None,
    }
}

fn bake(
    plan: &FleetPlan,
    (wave, since): (usize, Moment),
    members: &[Member],
    (unwell, now): (Option<&str>, Moment),
) -> Decision {
    if let Some(stop) = stopped(plan, wave, members) {
        return stop;
    }
    if let Some(unwell) = unwell {
        return enter(FleetState::Stopped { wave }, unwell);
    }
    let bake = plan.waves.get(wave).map(|wave| wave.bake);
    match now.since(since) >= bake.unwrap_or_default() {
        true => beyond_the_bake(plan, wave),
        false => Decision::default(),
    }
}

fn roll_back(plan: &FleetPlan, wave: Option<usize>, members: &[Member]) -> Decision {
    let is_meant = |member: &&Member| wave.is_none_or(|wave| member.wave == wave);
    let returns = count(members, |member| member.is_under_way(Goal::Previous));
    let left = members.iter().enumerate();
    let left = left.filter(|(_, member)| is_meant(member) && member.is_to_undo());
    // The last that were released return first.
    let mut left: Vec<usize> = left.map(|(number, _)| number).collect();
    left.reverse();
    if left.is_empty() && returns == 0 {
        let of = wave.and_then(|wave| plan.waves.get(wave));
        let of = of.map(|wave| format!(" of wave {}", wave.name));
        let why = format!(
            "every target{} that had begun is back at the version before, or needs a person",
            of.unwrap_or_default()
        );
        return enter(FleetState::RolledBack, &why);
    }
    left.truncate(plan.concurrency.saturating_sub(returns));
    Decision {
        begin: left,
        enter: None,
    }
}

/// The end of a fleet of which too many targets have failed.
fn stopped(plan: &FleetPlan, wave: usize, members: &[Member]) -> Option<Decision> {
    let failed = count(members, |member| member.has_failed());
    let is_reached = plan.stop_after.is_reached(failed, members.len());
    is_reached.then(|| {
        let of = members.len();
        enter(
            FleetState::Stopped { wave },
            &format!(
                "{failed} of {of} targets failed: the fleet stops after {}",
                plan.stop_after
            ),
        )
    })
}

/// What follows a wave that is over.
fn after(plan: &FleetPlan, wave: usize, now: Moment) -> Decision {
    let over = plan.waves.get(wave);
    let bakes = |over: &&Wave| !over.bake.is_zero() && wave.saturating_add(1) < plan.waves.len();
    match over.filter(bakes) {
        None => beyond_the_bake(plan, wave),
        Some(over) => enter(
            FleetState::Baking { wave, since: now },
            &format!("wave {} is released", over.name),
        ),
    }
}

fn beyond_the_bake(plan: &FleetPlan, wave: usize) -> Decision {
    let next = wave.saturating_add(1);
    let (Some(over), Some(coming)) = (plan.waves.get(wave), plan.waves.get(next)) else {
        return enter(FleetState::Completed, "every wave is over");
    };
    let why = format!("wave {} is released", over.name);
    match over.pauses {
        true => enter(
            FleetState::AwaitingApproval { wave: next },
            &format!("{why}; wave {} waits for an approval", coming.name),
        ),
        false => enter(FleetState::Releasing { wave: next }, &why),
    }
}

fn enter(state: FleetState, why: &str) -> Decision {
    Decision {
        enter: Some((state, why.to_owned())),
        begin: Vec::new(),
    }
}

fn count(members: &[Member], is_meant: impl Fn(&&Member) -> bool) -> usize {
    members.iter().filter(is_meant).count()
}
