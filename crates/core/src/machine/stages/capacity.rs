//! How many instances an environment may have before it takes production, and afterwards.

use crate::machine::cause::Cause;
use crate::machine::effect::{Change, Effect, Step};
use crate::machine::seen::{Instances, Seen};
use crate::machine::state::State;
use crate::plan::{Plan, Role, Sizes, Which};

/// What to do where an environment has too few instances to take production, or a
/// change of its sizes may still make it busy; nothing where neither is so.
pub(super) fn too_small(plan: &Plan, role: Role, seen: &Seen, otherwise: &State) -> Option<Step> {
    // Without a group there is one instance, here and there.
    plan.sizes?;
    let wait = Step::Wait {
        otherwise: otherwise.clone(),
    };
    if seen.may_arrive.resize {
        return Some(wait);
    }
    let (target, serving) = match (seen.ready(role), seen.ready(role.other())) {
        (Some(target), Some(serving)) => (target, serving),
        _ => return Some(wait),
    };
    let (
        Some(sizes),
        Some(Instances {
            running: needed, ..
        }),
    ) = (target.sizes, serving.instances)
    else {
        return Some(wait);
    };
    if target.instances.is_some_and(|own| own.healthy >= needed) {
        return None;
    }
    let raised = sizes.holding(needed);
    Some(if sizes.min >= needed {
        wait
    } else {
        Step::Once {
            effect: Effect::Resize {
                environment_id: target.id.clone(),
                role,
                sizes: raised,
                // What is set outranks whatever else would set it from then on.
                sets: Which::differing(raised, sizes),
                removes: Which::NONE,
                over: sizes,
                change: Change::Raise,
            },
            otherwise: otherwise.clone(),
        }
    })
}

/// Takes back what this deployment has set of the sizes of the environment that keeps production:
/// it sets what blue's template sets again as it was found, and removes anything else, so that what
/// the source bundle sets or the default is in force again. Where that is not what was found,
/// somebody had set it meanwhile, and the deployment sets it again. Nothing where nothing of it is
/// left: other sizes are somebody else's. An earlier change that may still arrive comes first.
pub(super) fn put_back(plan: &Plan, seen: &Seen, role: Role, too_late: &Cause) -> Option<Step> {
    // A rehearsal has not changed them.
    let sizes = plan.sizes.filter(|_| !plan.rehearses())?;
    let stuck = State::Stuck {
        cause: too_late.clone(),
    };
    let found = seen.ready(role).filter(|_| !seen.may_arrive.resize);
    let Some((keeper, found)) = found.and_then(|keeper| Some((keeper, keeper.sizes?))) else {
        return Some(Step::Wait { otherwise: stuck });
    };
    let (sizes, sets, removes) = match &keeper.own_sizes {
        Some(own) => {
            let sizes = own.to_go_back_to(sizes);
            let (sets, removes) = match own.is_taken_back() {
                // What is in force without its own is not what it had found: somebody had set it.
                true => (own.lacks(found), Which::NONE),
                false => left(plan, sizes, found, own.among(found)),
            };
            (sizes, sets, removes)
        }
        // What was set is not known.
        None if found == sizes => (sizes, Which::NONE, Which::NONE),
        None => (sizes, Which::BOTH, Which::NONE),
    };
    (sets.any() || removes.any()).then(|| Step::Once {
        effect: Effect::Resize {
            environment_id: keeper.id.clone(),
            role,
            sizes,
            sets,
            removes,
            over: found,
            change: Change::PutBack,
        },
        otherwise: stuck,
    })
}

/// What this deployment must set again, and what it must remove, of the sizes that it has set.
fn left(plan: &Plan, sizes: Sizes, found: Sizes, ours: Which) -> (Which, Which) {
    let template = plan.template_sets.as_ref();
    let of_template = template.map_or(Which::BOTH, |template| template.sizes());
    let differing = Which::differing(found, sizes);
    (
        Which {
            min: ours.min && of_template.min && differing.min,
            max: ours.max && of_template.max && differing.max,
        },
        Which {
            min: ours.min && !of_template.min,
            max: ours.max && !of_template.max,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{
        Deploy, EnvSeen, FollowersSeen, Green, Kind, Launch, Likeness, MayArrive, Phase,
        Termination, Test, Update, Version,
    };
    use crate::plan::{OwnSizes, TemplateSets};

    const AT_FIRST: Sizes = Sizes { min: 2, max: 4 };

    fn seen(found: Sizes, own: Option<OwnSizes>) -> Seen {
        Seen {
            production: Some(Role::Blue),
            production_settled: true,
            production_elsewhere: None,
            swap_undone: false,
            blue_gone: false,
            green_gone: false,
            green_id: None,
            changes_on_green: Vec::new(),
            changes_on_blue: Vec::new(),
            others_update_of_blue: None,
            others_update_of_green: None,
            blue: Some(EnvSeen {
                id: "e-blue".to_owned(),
                phase: Phase::Ready,
                health: String::new(),
                abortable: false,
                version_label: Some("v2".to_owned()),
                sizes: Some(found),
                own_sizes: own,
                instances: None,
            }),
            blue_trusted: true,
            green: Green::Absent,
            green_trusted: false,
            production_sick: None,
            unread_alarms: None,
            likeness: Likeness::Unknown,
            template: false,
            bundle: true,
            version: Version::Processed,
            deploy: Deploy::Proven,
            update: Update::default(),
            launch: Launch::default(),
            termination: Termination::default(),
            put_off: None,
            reasons: Vec::new(),
            traffic_stays: None,
            test: Test::Undecided,
            drained: true,
            baked: true,
            may_arrive: MayArrive::default(),
            followers: FollowersSeen::default(),
        }
    }

    /// What the deployment sets and what it removes.
    fn asked(template: &[&str], found: (u32, u32), own: Option<OwnSizes>) -> (Which, Which) {
        let options = template
            .iter()
            .map(|name| format!("aws:autoscaling:asg:{name}"));
        let plan = Plan {
            sizes: Some(AT_FIRST),
            template_sets: Some(TemplateSets {
                options: options.collect(),
                groups: None,
            }),
            ..Plan::sample("01J")
        };
        let (min, max) = found;
        let cause = Cause::OutOfPatience {
            during: Kind::TerminatingGreen,
            seen: String::new(),
        };
        match put_back(&plan, &seen(Sizes { min, max }, own), Role::Blue, &cause) {
            None => (Which::NONE, Which::NONE),
            Some(Step::Once {
                effect:
                    Effect::Resize {
                        sizes,
                        sets,
                        removes,
                        change: Change::PutBack,
                        ..
                    },
                ..
            }) => {
                assert_eq!(sizes, AT_FIRST);
                (sets, removes)
            }
            other => panic!("{other:?}"),
        }
    }

    fn own(min: &[u32], max: &[u32]) -> Option<OwnSizes> {
        Some(OwnSizes {
            min: min.to_vec(),
            max: max.to_vec(),
            ..OwnSizes::default()
        })
    }

    const MIN: Which = Which {
        min: true,
        max: false,
    };

    /// An option that is set through the API outranks the source bundle and the default until
    /// it is removed (developer guide, "Configuration options").
    #[test]
    fn what_the_template_does_not_set_is_removed_and_anything_else_set_again() {
        let both = ["MinSize[AWSEBAutoScalingGroup]", "MaxSize"];
        let none = Which::NONE;
        assert_eq!(asked(&both, (3, 4), own(&[3], &[])), (MIN, none));
        assert_eq!(asked(&[], (3, 4), own(&[3], &[])), (none, MIN));
        assert_eq!(asked(&[], (6, 6), own(&[6], &[6])), (none, Which::BOTH));
        let max = Which {
            min: false,
            max: true,
        };
        assert_eq!(asked(&["MinSize"], (6, 6), own(&[6], &[6])), (MIN, max));
        // Set by this deployment, though the number is the one at the start.
        assert_eq!(asked(&[], (2, 4), own(&[2], &[])), (none, MIN));
        // The second change of them has failed.
        assert_eq!(asked(&both, (3, 4), own(&[3, 5], &[5])), (MIN, none));
    }

    #[test]
    fn sizes_that_somebody_else_has_set_are_left() {
        let none = (Which::NONE, Which::NONE);
        for template in [&["MinSize", "MaxSize"][..], &[]] {
            assert_eq!(asked(template, (3, 9), own(&[], &[])), none);
            assert_eq!(asked(template, (5, 9), own(&[3], &[])), none);
        }
        // One of the two is this deployment's.
        assert_eq!(asked(&[], (3, 9), own(&[3], &[5])), (Which::NONE, MIN));
    }

    /// A deployment that was rebuilt, or that began with a version of bluegreen that did not keep
    /// it.
    #[test]
    fn sizes_of_which_nothing_is_known_are_set_to_what_they_were() {
        assert_eq!(asked(&[], (3, 4), None), (Which::BOTH, Which::NONE));
        assert_eq!(asked(&[], (2, 4), None), (Which::NONE, Which::NONE));
    }

    /// A swap that is requested earlier stays in doubt, and keeps the next one waiting.
    #[test]
    fn production_moves_once_it_is_settled_where_it_is() {
        let plan = Plan::sample("A");
        let step = |production_settled| {
            let mut seen = seen(AT_FIRST, None);
            seen.production_settled = production_settled;
            seen.green_trusted = true;
            let blue = seen.blue.as_mut().expect("blue is there");
            blue.version_label = Some(plan.previous_version.clone());
            let green = blue.clone();
            seen.green = Green::Ours(EnvSeen {
                id: "e-green".to_owned(),
                ..green
            });
            crate::machine::stages::swaps::swapping_to_green(&plan, &seen)
        };
        assert!(matches!(step(true), Step::Once { .. }), "{:?}", step(true));
        assert!(
            matches!(step(false), Step::Wait { .. }),
            "{:?}",
            step(false)
        );
    }
}
