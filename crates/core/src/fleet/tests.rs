//! Small fleets, explored in every order in which their releases may end.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use super::*;
use crate::moment::Moment;
use crate::plan::Goal;

const BAKE: Duration = Duration::from_secs(60);

fn fleet(
    waves: &[(usize, bool)],
    concurrency: usize,
    stop_after: StopAfter,
) -> (FleetPlan, Vec<Member>) {
    let plan = FleetPlan {
        waves: waves
            .iter()
            .enumerate()
            .map(|(number, (_, pauses))| Wave {
                name: format!("wave-{number}"),
                bake: BAKE,
                pauses: *pauses,
            })
            .collect(),
        concurrency,
        stop_after,
    };
    let members = waves.iter().enumerate().flat_map(|(wave, (size, _))| {
        (0..*size).map(move |number| Member {
            name: format!("{wave}-{number}"),
            wave,
            query: None,
            region: None,
            application: "shop".to_owned(),
            blue: format!("shop-{wave}-{number}"),
            version: None,
            standing: Standing::Waiting,
            attempt: None,
            released: None,
            live: None,
            why: None,
        })
    });
    (plan, members.collect())
}

fn attempt(goal: Goal) -> Option<Attempt> {
    Some(Attempt {
        deployment: "D".to_owned(),
        goal,
        worker: None,
        since: Moment(0),
    })
}

/// What of a fleet decides what comes: its state, and how each target stands with its goal.
type Node = (FleetState, Vec<(Standing, Option<Goal>)>);

fn node(state: FleetState, members: &[Member]) -> Node {
    let of = |member: &Member| (member.standing, member.attempt.as_ref().map(|a| a.goal));
    (state, members.iter().map(of).collect())
}

/// Every state in which the fleet can be, where releases end in every way and an operator resumes
/// and rolls back at any time; `holds` checks each step.
fn explore(
    (plan, members): &(FleetPlan, Vec<Member>),
    holds: impl Fn(FleetState, &[Member], &Decision),
) -> HashSet<FleetState> {
    let begin = (FleetState::Releasing { wave: 0 }, members.clone());
    let mut seen = HashSet::from([node(begin.0, &begin.1)]);
    let mut open = VecDeque::from([begin]);
    let mut states = HashSet::new();
    while let Some((state, members)) = open.pop_front() {
        states.insert(match state {
            FleetState::Baking { wave, .. } => FleetState::Baking {
                wave,
                since: Moment(0),
            },
            state => state,
        });
        let mut next = Vec::new();
        let (early, late) = (Moment(0), Moment(0).after(BAKE));
        for (unwell, now) in [(None, early), (None, late), (Some("it is Red"), early)] {
            let decision = decide(plan, state, &members, unwell, now);
            holds(state, &members, &decision);
            let mut after = members.clone();
            for number in &decision.begin {
                let goal = match state {
                    FleetState::RollingBack { .. } => Goal::Previous,
                    _ => Goal::Release,
                };
                after[*number].standing = Standing::UnderWay;
                after[*number].attempt = attempt(goal);
            }
            let entered = decision.enter.map_or(state, |(state, _)| state);
            next.push((entered, after));
        }
        for number in 0..members.len() {
            if members[number].standing == Standing::UnderWay {
                let goal = members[number].attempt.as_ref().expect("it has begun").goal;
                let ends: &[_] = match goal {
                    Goal::Release => &[
                        Standing::Completed,
                        Standing::RolledBack,
                        Standing::Held,
                        Standing::Interrupted,
                    ],
                    Goal::Previous => {
                        &[Standing::RolledBack, Standing::Stuck, Standing::Interrupted]
                    }
                };
                for end in ends {
                    let mut after = members.clone();
                    after[number].standing = *end;
                    next.push((state, after));
                }
            }
        }
        let mut resumed = members.clone();
        if let Some(state) = resume(state, &mut resumed) {
            next.push((state, resumed));
        }
        let mut ordered = members.clone();
        next.push((order_rollback(None, &mut ordered), ordered));
        for (state, members) in next {
            if seen.insert(node(state, &members)) {
                open.push_back((state, members));
            }
        }
    }
    states
}

#[test]
fn no_target_begins_early_none_too_many_and_none_after_the_stop() {
    let fleet = fleet(&[(1, true), (3, false)], 2, StopAfter::Failures(2));
    let plan = fleet.0.clone();
    let states = explore(&fleet, |state, members, decision| {
        let failed = members.iter().filter(|m| m.standing.is_failure()).count();
        let goal = match state {
            FleetState::RollingBack { .. } => Goal::Previous,
            _ => Goal::Release,
        };
        let same = members.iter().filter(|m| m.is_under_way(goal)).count();
        assert!(same + decision.begin.len() <= plan.concurrency.max(same));
        for number in &decision.begin {
            let member = &members[*number];
            match state {
                FleetState::Releasing { wave } => {
                    assert_eq!((member.wave, member.standing), (wave, Standing::Waiting));
                    let earlier = members.iter().filter(|m| m.wave < wave);
                    assert!(earlier.clone().all(|m| !m.is_open()), "{members:?}");
                    assert!(!plan.stop_after.is_reached(failed, members.len()));
                }
                FleetState::RollingBack { .. } => assert!(member.is_to_undo(), "{member:?}"),
                other => panic!("{other:?} begins nothing"),
            }
        }
        if let Some((FleetState::Completed, _)) = decision.enter {
            assert!(!members.iter().any(Member::is_open), "{members:?}");
        }
        if let Some((FleetState::RolledBack, _)) = decision.enter {
            assert!(!members.iter().any(Member::is_to_undo), "{members:?}");
        }
    });
    let all = [
        FleetState::Releasing { wave: 0 },
        FleetState::Releasing { wave: 1 },
        FleetState::Baking {
            wave: 0,
            since: Moment(0),
        },
        FleetState::AwaitingApproval { wave: 1 },
        FleetState::Stopped { wave: 0 },
        FleetState::Stopped { wave: 1 },
        FleetState::RollingBack { wave: None },
        FleetState::Completed,
        FleetState::RolledBack,
    ];
    assert_eq!(states, HashSet::from(all));
}

#[test]
fn every_fleet_ends_where_its_releases_do() {
    for (concurrency, stop) in [(1, "1"), (2, "50%"), (5, "100%")] {
        let stop_after = stop.parse().expect("it is one");
        let fleet = fleet(
            &[(1, false), (2, false), (1, false)],
            concurrency,
            stop_after,
        );
        explore(&fleet, |state, members, decision| {
            let waits = members.iter().any(|m| m.standing == Standing::UnderWay);
            let is_over = matches!(state, FleetState::Baking { .. }) || state.rests();
            let does = !decision.begin.is_empty() || decision.enter.is_some();
            assert!(
                waits || is_over || does,
                "{state:?} {members:?} stands still"
            );
        });
    }
}

#[test]
fn only_a_wave_is_rolled_back_where_one_is_named() {
    let (plan, mut members) = fleet(&[(1, false), (2, false)], 5, StopAfter::default());
    for member in &mut members {
        member.standing = Standing::Completed;
        member.attempt = attempt(Goal::Release);
    }
    let state = FleetState::RollingBack { wave: Some(1) };
    let decision = decide(&plan, state, &members, None, Moment(0));
    assert_eq!(decision.begin, [2, 1]);
}

#[test]
fn a_stop_is_a_number_or_a_share() {
    let parsed = |text: &str| text.parse::<StopAfter>();
    assert_eq!(parsed(" 3 "), Ok(StopAfter::Failures(3)));
    assert_eq!(parsed("10 %"), Ok(StopAfter::Percent(10)));
    for wrong in ["0", "0%", "101%", "-1", "many", ""] {
        assert!(parsed(wrong).is_err(), "{wrong}");
    }
    let tenth = StopAfter::Percent(10);
    assert!(!tenth.is_reached(0, 5) && tenth.is_reached(1, 5));
    assert!(!tenth.is_reached(1, 20) && tenth.is_reached(2, 20));
}
