//! The test of the test: rules broken on purpose, each of which the exploration
//! must find.

use bluegreen_core::machine::{
    Deploy, Effect, Green, Kind, Late, Phase, Seen, State, Step, Test, Update, Version, is_safe,
    step, with_followers,
};
use bluegreen_core::plan::{OwnSizes, Plan, Role, Strategy};

use super::driver::{Config, Model};
use super::explore::{Extent, explore_for};
use super::look::{LeaseRule, Rules};
use super::stage::sizes;
use super::{
    CONSOLE, FOLLOWING_RULES, LATE, PROMOTE_CONSOLE, PROMOTE_LATE_AND_STALE, PROMOTE_RECORDS,
    PROMOTE_RULES, PROMOTE_SIZES, PROMOTE_STUBBORN, PROMOTE_TWO_HANDS, RECORDS, REHEARSE,
    REHEARSE_TWO_HANDS, RULES, SIZES, STALE, STUBBORN, TWO_HANDS, properties,
};

/// Explores under broken rules, and expects to find this property violated, whatever else they
/// break meanwhile.
#[track_caller]
fn finds(what: &str, config: Config, rules: Rules, property: &str) {
    let explored = explore_for(&Model::new(config, rules), Extent::Whole, |broken| {
        broken == property
    });
    let Some(violation) = explored.violation else {
        panic!(
            "{what}: not found among {} nodes of the configuration {}",
            explored.nodes, config.name
        );
    };
    println!(
        "{what}: found after {} nodes; it breaks: {}\n{}",
        explored.nodes, violation.property, violation.trace
    );
    assert_eq!(violation.property, property, "{what}");
}

/// The machine with facts that are not so.
macro_rules! deceived {
    (|$state:ident, $seen:ident| $lie:expr) => {{
        fn deceived($state: &State, plan: &Plan, seen: &Seen) -> Step {
            let mut $seen = seen.clone();
            $lie;
            step($state, plan, &$seen)
        }
        deceived
    }};
}

#[test]
fn a_swap_in_doubt_that_is_asked_for_again_is_found() {
    let step = deceived!(|_state, seen| seen.may_arrive.swap = false);
    finds(
        "a swap in doubt is asked for again",
        LATE,
        Rules { step, ..RULES },
        properties::LIVE_IS_LEFT_ALONE,
    );
}

#[test]
fn a_deploy_in_doubt_that_is_asked_for_again_is_found() {
    let step = deceived!(|_state, seen| seen.may_arrive.deploy = false);
    finds(
        "a deploy in doubt is asked for again",
        LATE,
        Rules { step, ..RULES },
        properties::LIVE_IS_LEFT_ALONE,
    );
}

#[test]
fn a_deploy_that_does_not_wait_for_the_drain_is_found() {
    fn safe_anyway(effect: &Effect, seen: &Seen) -> bool {
        let seen = Seen {
            drained: true,
            ..seen.clone()
        };
        is_safe(effect, &seen)
    }
    let step = deceived!(|_state, seen| seen.drained = true);
    finds(
        "the drain is not waited for",
        STALE,
        Rules {
            step,
            is_safe: safe_anyway,
            ..RULES
        },
        properties::LIVE_IS_LEFT_ALONE,
    );
}

/// The drain as it once was: over with its limit, whatever still comes.
#[test]
fn a_limit_that_forgives_the_whole_traffic_is_found() {
    fn forgiven(seen: &Seen) -> Seen {
        let mut seen = seen.clone();
        if seen.traffic_stays.take().is_some() {
            seen.drained = true;
        }
        seen
    }
    let rules = Rules {
        step: |state, plan, seen| step(state, plan, &forgiven(seen)),
        is_safe: |effect, seen| is_safe(effect, &forgiven(seen)),
        ..RULES
    };
    for config in [STUBBORN, PROMOTE_STUBBORN] {
        finds(
            "the limit of the drain forgives the whole traffic",
            config,
            rules,
            properties::LIVE_IS_LEFT_ALONE,
        );
    }
}

#[test]
fn discarding_that_forgets_a_green_in_doubt_is_found() {
    let step = deceived!(|state, seen| if state.kind() == Kind::Discarding {
        seen.may_arrive.green = false;
    });
    finds(
        "Discarding forgets a green in doubt",
        LATE,
        Rules { step, ..RULES },
        properties::ROLLED_BACK,
    );
}

#[test]
fn giving_up_a_deploy_that_goes_on_is_found() {
    let step = deceived!(|_state, seen| seen.update = Update::Silent);
    finds(
        "a deploy that goes on is given up",
        LATE,
        Rules { step, ..RULES },
        properties::WHAT_GOES_ON_IS_WAITED_FOR,
    );
}

/// A deploy that failed or was aborted leaves instances with either version behind one label.
#[test]
fn believing_the_label_of_an_earlier_deploy_is_found() {
    let step: fn(&State, &Plan, &Seen) -> Step = |state, plan, seen| {
        let mut seen = seen.clone();
        let shows_it = seen.blue.as_ref();
        let shows_it = shows_it.is_some_and(|blue| blue.shows(plan.goal_version()));
        if seen.deploy == Deploy::NotSinceEntry && shows_it {
            seen.deploy = Deploy::Proven;
        }
        step(state, plan, &seen)
    };
    finds(
        "a label is taken for what every instance runs",
        LATE,
        Rules { step, ..RULES },
        properties::SWAPS_TO_FIT,
    );
}

/// A deploy that ended without a terminal event is no success of its own.
#[test]
fn believing_a_deploy_that_ended_without_a_word_is_found() {
    let step = deceived!(|_state, seen| if matches!(seen.deploy, Deploy::Failed(_)) {
        seen.deploy = Deploy::Proven;
    });
    finds(
        "a deploy that failed is taken for a good one",
        LATE,
        Rules { step, ..RULES },
        properties::SERVES,
    );
}

#[test]
fn a_missing_live_safety_rule_is_found() {
    finds(
        "the live-safety rule is missing",
        CONSOLE,
        Rules {
            is_safe: |_, _| true,
            ..RULES
        },
        properties::LIVE_IS_LEFT_ALONE,
    );
}

#[test]
fn believing_the_answer_to_a_deploy_is_found() {
    finds(
        "the answer to a deploy is taken for the deploy",
        LATE,
        Rules {
            believes_the_deploys_answer: true,
            ..RULES
        },
        properties::SWAPS_TO_FIT,
    );
}

#[test]
fn an_end_that_leaves_the_template_is_found() {
    let step = deceived!(|state, seen| if state.kind() == Kind::TerminatingGreen {
        seen.template = false;
    });
    finds(
        "Completed leaves the template",
        LATE,
        Rules { step, ..RULES },
        properties::COMPLETED,
    );
}

#[test]
fn an_end_that_leaves_green_is_found() {
    let step = deceived!(|state, seen| if state.kind() == Kind::TerminatingGreen {
        seen.green = Green::Absent;
    });
    finds(
        "Completed leaves green",
        LATE,
        Rules { step, ..RULES },
        properties::COMPLETED,
    );
}

#[test]
fn a_swap_to_an_environment_that_was_never_healthy_is_found() {
    let step = deceived!(|_state, seen| seen.green_trusted = true);
    finds(
        "green is trusted unseen",
        LATE,
        Rules { step, ..RULES },
        properties::SWAPS_TO_FIT,
    );
}

#[test]
fn believing_the_first_look_is_found() {
    finds(
        "one look is believed although the next may be staler",
        STALE,
        Rules {
            believes_the_first_look: true,
            ..RULES
        },
        properties::ROLLED_BACK,
    );
}

#[test]
fn believing_the_swap_before_is_found() {
    finds(
        "a swap that is asked for at once is taken for done where a look shows what was before",
        PROMOTE_LATE_AND_STALE,
        Rules {
            believes_the_swap_before: true,
            ..RULES
        },
        properties::NOTHING_TWICE,
    );
}

#[test]
fn believing_a_green_that_goes_is_found() {
    finds(
        "a green that the service has removed is taken for the one that is in doubt",
        PROMOTE_LATE_AND_STALE,
        Rules {
            believes_a_green_that_goes: true,
            ..RULES
        },
        properties::ROLLED_BACK,
    );
}

#[test]
fn believing_an_unsettled_holder_is_found() {
    let step = deceived!(|state, seen| if state.kind() == Kind::ReturningToGreen {
        seen.production_settled = true;
    });
    finds(
        "the return to green believes a stale look",
        STALE,
        Rules { step, ..RULES },
        properties::HELD,
    );
}

#[test]
fn giving_up_on_an_unclear_answer_is_found() {
    finds(
        "an unclear answer is taken for a refusal",
        LATE,
        Rules {
            gives_up_on_an_unclear_answer: true,
            ..RULES
        },
        properties::BLAMES_NOBODY,
    );
}

#[test]
fn a_state_without_a_way_out_is_found() {
    fn waits_for_ever(state: &State, plan: &Plan, seen: &Seen) -> Step {
        match state.kind() {
            Kind::Testing => Step::Wait {
                otherwise: state.clone(),
            },
            _ => step(state, plan, seen),
        }
    }
    finds(
        "Testing waits for ever",
        LATE,
        Rules {
            step: waits_for_ever,
            ..RULES
        },
        properties::COMES_TO_REST,
    );
}

#[test]
fn rule_1_a_swap_in_doubt_that_is_asked_for_again_by_two_hands_is_found() {
    let step = deceived!(|_state, seen| seen.may_arrive.swap = false);
    finds(
        "rule 1 removed: a swap in doubt is asked for again",
        TWO_HANDS,
        Rules { step, ..RULES },
        properties::LIVE_IS_LEFT_ALONE,
    );
}

#[test]
fn rule_2_an_intent_after_its_effect_is_found() {
    finds(
        "rule 2 removed: the intent is written after the sending",
        TWO_HANDS,
        Rules {
            sends_before_its_intent: true,
            ..RULES
        },
        properties::LIVE_IS_LEFT_ALONE,
    );
}

#[test]
fn rule_3_a_second_runner_without_the_lease_is_found() {
    finds(
        "rule 3 removed: a second runner drives without the lease",
        TWO_HANDS,
        Rules {
            lease: LeaseRule::NotTaken,
            ..RULES
        },
        properties::LIVE_IS_LEFT_ALONE,
    );
}

#[test]
fn rule_3_a_lease_that_is_taken_from_the_living_is_found() {
    finds(
        "rule 3 broken: a lease is taken from a runner that goes on",
        // What it does is not sent late, and the way there is long.
        Config {
            name: "two hands, nothing late",
            pause: false,
            late: false,
            ..TWO_HANDS
        },
        Rules {
            lease: LeaseRule::TakenFromTheLiving,
            ..RULES
        },
        properties::LIVE_IS_LEFT_ALONE,
    );
}

#[test]
fn rule_3_a_checkpoint_without_a_fence_is_found() {
    finds(
        "rule 3 broken: an overtaken runner's checkpoint is taken",
        TWO_HANDS,
        Rules {
            lease: LeaseRule::CheckpointsUnfenced,
            ..RULES
        },
        properties::LIVE_IS_LEFT_ALONE,
    );
}

#[test]
fn rule_4_a_sending_without_a_lease_is_found() {
    finds(
        "rule 4 removed: a runner that was stopped sends although another has taken over",
        TWO_HANDS,
        Rules {
            lease: LeaseRule::SendingUnfenced,
            ..RULES
        },
        properties::LIVE_IS_LEFT_ALONE,
    );
}

#[test]
fn a_request_of_an_overtaken_runner_is_found() {
    finds(
        "an overtaken runner sends",
        TWO_HANDS,
        Rules {
            lease: LeaseRule::SendingUnfenced,
            ..RULES
        },
        properties::OVERTAKEN_IS_SILENT,
    );
}

#[test]
fn a_second_swap_beside_one_on_its_way_is_found() {
    finds(
        "a swap whose intent is forgotten is sent again",
        TWO_HANDS,
        Rules {
            sends_before_its_intent: true,
            ..RULES
        },
        properties::NOTHING_TWICE,
    );
}

#[test]
fn rule_4_an_old_intent_that_is_sent_after_a_renewal_is_found() {
    finds(
        "a runner that slept renews its lease and sends on an intent whose quarantine is over",
        TWO_HANDS,
        Rules {
            lease: LeaseRule::OldIntentsSent,
            ..RULES
        },
        properties::LIVE_IS_LEFT_ALONE,
    );
}

#[test]
fn a_promotion_that_does_not_wait_for_the_drain_is_found() {
    fn safe_anyway(effect: &Effect, seen: &Seen) -> bool {
        let seen = Seen {
            drained: true,
            ..seen.clone()
        };
        is_safe(effect, &seen)
    }
    let step = deceived!(|_state, seen| seen.drained = true);
    finds(
        "promote: blue is terminated while it drains",
        PROMOTE_LATE_AND_STALE,
        Rules {
            step,
            is_safe: safe_anyway,
            ..RULES
        },
        properties::LIVE_IS_LEFT_ALONE,
    );
}

#[test]
fn a_promotion_that_believes_an_unsettled_holder_is_found() {
    let step = deceived!(|state, seen| if state.kind() == Kind::ReturningToBlue {
        seen.production_settled = true;
    });
    finds(
        "promote: the return to blue believes a stale look",
        PROMOTE_LATE_AND_STALE,
        Rules { step, ..RULES },
        properties::BLAMES_NOBODY,
    );
}

#[test]
fn a_promotion_without_the_live_safety_rule_is_found() {
    finds(
        "promote: the live-safety rule is missing",
        PROMOTE_CONSOLE,
        Rules {
            is_safe: |_, _| true,
            ..RULES
        },
        properties::LIVE_IS_LEFT_ALONE,
    );
}

#[test]
fn a_promotion_that_leaves_the_template_is_found() {
    let step = deceived!(|state, seen| if state.kind() == Kind::TerminatingBlue {
        seen.template = false;
    });
    finds(
        "promote: Completed leaves the template",
        PROMOTE_TWO_HANDS,
        Rules { step, ..RULES },
        properties::COMPLETED,
    );
}

#[test]
fn a_promotion_of_a_version_that_is_not_processed_is_found() {
    let step = deceived!(|state, seen| if state.kind() == Kind::Cloning {
        seen.version = Version::Processed;
    });
    finds(
        "promote: green is launched on a version that is not processed",
        PROMOTE_TWO_HANDS,
        Rules { step, ..RULES },
        properties::LAUNCHES_WHAT_RUNS,
    );
}

#[test]
fn sizes_that_are_not_put_back_are_found() {
    let step = deceived!(|state, seen| if state.kind() == Kind::TerminatingGreen {
        seen.blue
            .iter_mut()
            .for_each(|blue| blue.sizes = Some(sizes(false)));
    });
    finds(
        "blue keeps the sizes that it was given",
        SIZES,
        Rules { step, ..RULES },
        properties::COMPLETED,
    );
}

#[test]
fn sizes_in_doubt_that_are_put_back_are_found() {
    let step = deceived!(|_state, seen| seen.may_arrive.resize = false);
    finds(
        "sizes are put back while a change of them is in doubt",
        SIZES,
        Rules { step, ..RULES },
        properties::COMPLETED,
    );
}

#[test]
fn a_promotion_that_keeps_greens_sizes_is_found() {
    let step = deceived!(
        |state, seen| if let (Kind::TerminatingBlue, Green::Ours(green)) =
            (state.kind(), &mut seen.green)
        {
            green.sizes = Some(sizes(false));
        }
    );
    finds(
        "promote: green keeps the sizes that it was given",
        PROMOTE_SIZES,
        Rules { step, ..RULES },
        properties::COMPLETED,
    );
}

#[test]
fn sizes_that_were_given_and_forgotten_are_found() {
    let step = deceived!(|_state, seen| seen
        .blue
        .iter_mut()
        .for_each(|blue| blue.own_sizes = Some(OwnSizes::default())));
    finds(
        "nobody remembers that blue was given other sizes",
        SIZES,
        Rules { step, ..RULES },
        properties::COMPLETED,
    );
}

#[test]
fn a_rehearsal_that_goes_on_as_a_release_is_found() {
    fn releases(state: &State, plan: &Plan, seen: &Seen) -> Step {
        let mut plan = plan.clone();
        if *state == State::Warming {
            plan.strategy = Strategy::Restore;
        }
        step(state, &plan, seen)
    }
    finds(
        "rehearse: green takes production",
        REHEARSE,
        Rules {
            step: releases,
            ..RULES
        },
        properties::BLUE_IS_UNTOUCHED,
    );
}

#[test]
fn a_rehearsal_that_deploys_to_blue_is_found() {
    fn to_blue(state: &State, plan: &Plan, seen: &Seen) -> Step {
        match step(state, plan, seen) {
            Step::Once {
                effect: Effect::Deploy { version_label, .. },
                otherwise,
            } => Step::Once {
                effect: Effect::Deploy {
                    environment_id: plan.blue_id.clone(),
                    version_label,
                },
                otherwise,
            },
            other => other,
        }
    }
    finds(
        "rehearse: the version goes onto blue",
        REHEARSE,
        Rules {
            step: to_blue,
            ..RULES
        },
        properties::BLUE_IS_UNTOUCHED,
    );
}

#[test]
fn a_rehearsal_that_believes_the_answer_to_its_deploy_is_found() {
    let step = deceived!(|state, seen| if state.kind() == Kind::TestingGreen {
        seen.test = Test::Passed;
        seen.green_trusted = true;
        seen.may_arrive.deploy = false;
        if let Green::Ours(green) = &mut seen.green {
            green.phase = Phase::Ready;
        }
    });
    finds(
        "rehearse: the answer to the deploy is taken for the deploy",
        REHEARSE_TWO_HANDS,
        Rules {
            step,
            believes_the_deploys_answer: true,
            ..RULES
        },
        properties::REHEARSED,
    );
}

#[test]
fn a_rehearsal_that_leaves_green_is_found() {
    let step = deceived!(|state, seen| if state.kind() == Kind::TerminatingGreen {
        seen.green = Green::Absent;
    });
    finds(
        "rehearse: Completed leaves green",
        REHEARSE,
        Rules { step, ..RULES },
        properties::COMPLETED,
    );
}

#[test]
fn a_rehearsal_that_forgets_a_green_in_doubt_is_found() {
    let step = deceived!(|state, seen| if state.kind() == Kind::Discarding {
        seen.may_arrive.green = false;
    });
    finds(
        "rehearse: Discarding forgets a green in doubt",
        REHEARSE,
        Rules { step, ..RULES },
        properties::ROLLED_BACK,
    );
}

#[test]
fn a_swap_away_from_what_a_person_has_put_on_green_is_found() {
    let step = deceived!(|_state, seen| seen.changes_on_green.clear());
    finds(
        "nobody asks what green has got while it served",
        CONSOLE,
        Rules { step, ..RULES },
        properties::WORK_IS_KEPT,
    );
}

#[test]
fn a_deploy_over_what_a_person_has_put_on_blue_is_found() {
    let step = deceived!(|_state, seen| seen.changes_on_blue.clear());
    finds(
        "nobody asks what idle blue has got",
        CONSOLE,
        Rules { step, ..RULES },
        properties::WORK_IS_KEPT,
    );
}

/// A deploy that had to wait for somebody else's update counts as one never requested.
#[test]
fn a_deploy_that_is_asked_for_again_over_a_persons_work_is_found() {
    let step = deceived!(|_state, seen| if seen.deploy == Deploy::Asked {
        seen.changes_on_blue.clear();
    });
    finds(
        "blue is not looked at again once a deploy was asked for",
        CONSOLE,
        Rules { step, ..RULES },
        properties::WORK_IS_KEPT,
    );
}

#[test]
fn aborting_a_persons_update_is_found() {
    fn as_if_ours(seen: &Seen) -> Seen {
        Seen {
            others_update_of_blue: None,
            ..seen.clone()
        }
    }
    finds(
        "every update of blue is taken for the deployment's",
        CONSOLE,
        Rules {
            step: |state, plan, seen| step(state, plan, &as_if_ours(seen)),
            is_safe: |effect, seen| is_safe(effect, &as_if_ours(seen)),
            ..RULES
        },
        properties::OTHERS_UPDATES_ARE_LEFT,
    );
}

#[test]
fn a_swap_against_a_person_who_has_undone_it_is_found() {
    let step = deceived!(|_state, seen| seen.swap_undone = false);
    for config in [CONSOLE, PROMOTE_CONSOLE] {
        finds(
            "a swap that a person has undone is asked for again",
            config,
            Rules { step, ..RULES },
            properties::NO_SWAP_AGAINST_A_PERSON,
        );
    }
}

#[test]
fn terminating_the_last_environment_is_found() {
    fn as_if_it_stayed(seen: &Seen) -> Seen {
        let mut seen = seen.clone();
        let green = match &mut seen.green {
            Green::Ours(green) => Some(green),
            Green::Absent | Green::Foreign => None,
        };
        let serving = match seen.production {
            Some(Role::Blue) => seen.blue.as_mut(),
            Some(Role::Green) => green,
            None => None,
        };
        if let Some(serving) = serving.filter(|serving| serving.phase == Phase::Terminating) {
            serving.phase = Phase::Ready;
        }
        seen
    }
    for config in [CONSOLE, PROMOTE_CONSOLE] {
        finds(
            "the other environment is terminated while the one that serves goes",
            config,
            Rules {
                step: |state, plan, seen| step(state, plan, &as_if_it_stayed(seen)),
                is_safe: |effect, seen| is_safe(effect, &as_if_it_stayed(seen)),
                ..RULES
            },
            properties::THE_LAST_IS_LEFT,
        );
    }
}

/// The rules of the driver without those for the listener rules and the preview hostname.
const UNGATED: Rules = Rules {
    with_followers: |_, _, _, step, _| step,
    ..RULES
};

#[test]
fn rules_that_nobody_moves_are_found() {
    finds(
        "no rule is moved",
        FOLLOWING_RULES,
        UNGATED,
        properties::NOBODY_IS_LED_ASTRAY,
    );
}

#[test]
fn a_move_of_rules_in_doubt_that_is_forgotten_is_found() {
    fn forgotten(state: &State, plan: &Plan, seen: &Seen, step: Step, is_late: bool) -> Step {
        let mut seen = seen.clone();
        seen.may_arrive.rules = Late::Nothing;
        with_followers(state, plan, &seen, step, is_late)
    }
    let rules = Rules {
        with_followers: forgotten,
        ..RULES
    };
    for config in [FOLLOWING_RULES, PROMOTE_RULES] {
        finds(
            "a move of rules in doubt is forgotten",
            config,
            rules,
            properties::NOBODY_IS_LED_ASTRAY,
        );
    }
}

#[test]
fn rules_whose_last_move_a_stale_look_hides_are_found() {
    fn believed(state: &State, plan: &Plan, seen: &Seen, step: Step, is_late: bool) -> Step {
        let mut seen = seen.clone();
        seen.followers.lately_given = Late::Nothing;
        with_followers(state, plan, &seen, step, is_late)
    }
    finds(
        "the first look at rules is believed",
        FOLLOWING_RULES,
        Rules {
            with_followers: believed,
            ..RULES
        },
        properties::NOBODY_IS_LED_ASTRAY,
    );
}

#[test]
fn preview_hostnames_that_nobody_puts_back_are_found() {
    /// They are pointed, and a step that needs them put back does not wait for that.
    fn pointed(state: &State, plan: &Plan, seen: &Seen, step: Step, is_late: bool) -> Step {
        match step {
            Step::Wait { .. } => with_followers(state, plan, seen, step, is_late),
            step => step,
        }
    }
    let rules = Rules {
        with_followers: pointed,
        ..RULES
    };
    for config in [RECORDS, PROMOTE_RECORDS] {
        finds(
            "no step waits for a preview hostname",
            config,
            rules,
            properties::NOBODY_IS_LED_ASTRAY,
        );
    }
}

#[test]
fn a_move_of_a_hostname_in_doubt_that_is_forgotten_is_found() {
    fn forgotten(state: &State, plan: &Plan, seen: &Seen, step: Step, is_late: bool) -> Step {
        let mut seen = seen.clone();
        seen.may_arrive.records = Late::Nothing;
        with_followers(state, plan, &seen, step, is_late)
    }
    finds(
        "a move of a hostname in doubt is forgotten",
        RECORDS,
        Rules {
            with_followers: forgotten,
            ..RULES
        },
        properties::NOBODY_IS_LED_ASTRAY,
    );
}
