//! Rebuilds a deployment whose journal is lost from what AWS shows: green's tags, the holder of the
//! production CNAME, and the versions. Pure.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::clock::Moment;
use crate::cloud::{Environment, Event};
use crate::config::Config;
use crate::deployment::{Deployment, Intent};
use crate::machine::{Cause, EffectKind, State};
use crate::plan::{
    Goal, Kept, PAUSE_CUTOVER, PAUSE_SWAP, Plan, Strategy, TAG_BLUE, TAG_DEPLOYMENT, TAG_PAUSE,
    TAG_PRODUCTION_CNAME, TAG_SIZES, TAG_STRATEGY, TAG_VERSION, Target, label_of_tag, tag_value,
};

/// What AWS shows of a deployment.
#[derive(Clone, Debug)]
pub struct Remains {
    /// Green.
    pub green: Environment,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// Blue, by the id in green's tags; `None` where it is gone.
    pub blue: Option<Environment>,
    /// Blue's events since green was created.
    pub events: Vec<Event>,
    /// The application's version labels, where green's tag holds a part of one alone.
    pub labels: Vec<String>,
}

/// Why a deployment cannot be rebuilt.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unsettled {
    /// A tag is missing or cannot be read.
    #[error("green {green} lacks the tag {tag}")]
    NoTag {
        /// Green's name.
        green: String,
        /// The tag's key.
        tag: &'static str,
    },
    /// Blue is gone.
    #[error("blue ({id}) is gone; green {green} is all that is left")]
    NoBlue {
        /// Blue's id.
        id: String,
        /// Green's name.
        green: String,
    },
    /// Neither holds the production CNAME.
    #[error("neither {blue} nor {green} holds the production CNAME {cname}")]
    NoHolder {
        /// Blue's name.
        blue: String,
        /// Green's name.
        green: String,
        /// The CNAME.
        cname: String,
    },
    /// Blue runs a version that is neither of the two.
    #[error("{blue} runs {found:?}, which is neither {previous:?} nor {version:?}")]
    OtherVersion {
        /// Blue's name.
        blue: String,
        /// What it runs.
        found: String,
        /// What it ran before.
        previous: String,
        /// The version to release.
        version: String,
    },
    /// It may have been releasing or rolling back.
    #[error(
        "{blue} runs {previous:?}, and {evidence}: it is unknown whether the deployment was \
         rolling back"
    )]
    Direction {
        /// Blue's name.
        blue: String,
        /// The version it runs.
        previous: String,
        /// What its events say.
        evidence: &'static str,
    },
}

/// The plan and state of the deployment that green belongs to, as far as AWS
/// shows them; names and limits that AWS does not know come from `config`.
///
/// The last request that may have been sent to AWS counts as under way from `now`, and production
/// as having moved at `now`: bluegreen waits for as long as that request is in doubt, and for the
/// whole drain.
///
/// # Errors
/// [`Unsettled`] where the facts do not settle the state. `goal` settles the
/// direction where only that is open.
pub fn rebuild(
    remains: &Remains,
    config: &Config,
    goal: Option<Goal>,
    now: Moment,
) -> Result<Deployment, Unsettled> {
    let (plan, blue) = plan(remains, config, goal)?;
    let state = state(remains, &plan, blue, goal)?;
    Ok(at(plan, state, remains, now))
}

/// The deployment that removes what another one has left: it terminates green and deletes the
/// template where production is on blue.
///
/// # Errors
/// [`Unsettled`].
pub fn clean_up(
    remains: &Remains,
    config: &Config,
    id: String,
    now: Moment,
) -> Result<Deployment, Unsettled> {
    let (mut plan, _) = plan(remains, config, None)?;
    let cause = Cause::Orphaned {
        deployment: std::mem::replace(&mut plan.id, id),
    };
    Ok(at(plan, State::Discarding { cause }, remains, now))
}

fn plan<'a>(
    remains: &'a Remains,
    config: &Config,
    goal: Option<Goal>,
) -> Result<(Plan, &'a Environment), Unsettled> {
    let green = &remains.green;
    let tag = |key: &'static str| {
        let found = remains.tags.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.clone()).ok_or_else(|| {
            let green = green.name.clone();
            Unsettled::NoTag { green, tag: key }
        })
    };
    let id = tag(TAG_DEPLOYMENT)?;
    let blue_id = tag(TAG_BLUE)?;
    let tagged = tag(TAG_VERSION)?;
    let among = || {
        let same = |label: &&String| tag_value(label) == tagged;
        remains.labels.iter().find(same).cloned()
    };
    let version = label_of_tag(&tagged)
        .or_else(among)
        .ok_or_else(|| Unsettled::NoTag {
            green: green.name.clone(),
            tag: TAG_VERSION,
        })?;
    let Some(blue) = &remains.blue else {
        return Err(Unsettled::NoBlue {
            id: blue_id,
            green: green.name.clone(),
        });
    };
    let strategy = strategy_of(&remains.tags);
    let ran_before = match strategy {
        Strategy::Restore => green,
        // Green may run either.
        Strategy::Promote | Strategy::Rehearse => blue,
    };
    let pauses = |before: &str| {
        let asked = tag(TAG_PAUSE).unwrap_or_default();
        asked.split(' ').any(|word| word == before)
    };
    let mut arn = green.arn.split(':').skip(3).map(str::to_owned);
    let region = arn.next().unwrap_or_default();
    let account = arn.next().unwrap_or_default();
    let target = Target {
        account,
        region,
        application: green.application.clone(),
        blue: blue.name.clone(),
    };
    let kept = Kept {
        id: &id,
        production_cname: &tag(TAG_PRODUCTION_CNAME)?,
        blue_id: &blue_id,
        version: &version,
        strategy,
        sizes: tag(TAG_SIZES).ok().and_then(|sizes| sizes.parse().ok()),
        bucket: &config.bucket,
        shared_state: config.shared_state,
        // Whether a pause was over is lost with the journal: where approvals are asked for,
        // one more is.
        pause_before_swap: pauses(PAUSE_SWAP)
            || config.wishes.asks_approval && strategy == Strategy::Promote,
        pause_before_cutover: pauses(PAUSE_CUTOVER)
            || config.wishes.asks_approval && strategy == Strategy::Restore,
    };
    let mut wishes = config.wishes.clone();
    if strategy == Strategy::Rehearse {
        wishes.hooks = Vec::new();
        wishes.notify = Vec::new();
        wishes.asks_approval = false;
    }
    let before = ran_before.version_label.as_deref().unwrap_or_default();
    // What the preview hostnames held before is lost with the journal too.
    let plan = Plan {
        goal: goal.unwrap_or(Goal::Release),
        operations_role: blue
            .operations_role
            .clone()
            .or_else(|| green.operations_role.clone()),
        green_tags: remains.tags.clone(),
        ..Plan::of(&kept, target, &green.name, before, wishes)
    };
    Ok((plan, blue))
}

/// The strategy that green's tags name.
#[must_use]
pub fn strategy_of(tags: &[(String, String)]) -> Strategy {
    let named = tags.iter().find(|(key, _)| key == TAG_STRATEGY);
    match named.map(|(_, value)| value.as_str()) {
        Some("promote") => Strategy::Promote,
        Some("rehearse") => Strategy::Rehearse,
        Some(_) | None => Strategy::Restore,
    }
}

fn state(
    remains: &Remains,
    plan: &Plan,
    blue: &Environment,
    goal: Option<Goal>,
) -> Result<State, Unsettled> {
    let green = &remains.green;
    let holds = |environment: &Environment| environment.holds(&plan.production_cname);
    match plan.strategy {
        Strategy::Restore => {}
        Strategy::Promote => return promoted_state(remains, plan, blue, goal),
        Strategy::Rehearse => return rehearsed_state(remains, plan, blue, goal),
    }
    let runs = blue.version_label.clone().unwrap_or_default();
    let (on_previous, on_version) = (runs == plan.previous_version, runs == plan.version);
    if !on_previous && !on_version {
        return Err(Unsettled::OtherVersion {
            blue: blue.name.clone(),
            found: runs,
            previous: plan.previous_version.clone(),
            version: plan.version.clone(),
        });
    }
    let happened = |words: &str| remains.events.iter().any(|e| e.message.contains(words));
    let settled = |happened: bool, evidence| {
        if !happened || goal.is_some() {
            return Ok(());
        }
        Err(Unsettled::Direction {
            blue: blue.name.clone(),
            previous: plan.previous_version.clone(),
            evidence,
        })
    };
    if plan.previous_version == plan.version {
        return Err(Unsettled::Direction {
            blue: blue.name.clone(),
            previous: plan.version.clone(),
            evidence: "green was cloned from it during a rollback",
        });
    }
    let leaving = green.status == "Terminating";
    if holds(green) {
        if on_previous {
            settled(
                happened("Environment update is starting"),
                "was deployed to since green was created",
            )?;
        }
        return Ok(State::DrainingBlue);
    }
    if !holds(blue) {
        return Err(Unsettled::NoHolder {
            blue: blue.name.clone(),
            green: green.name.clone(),
            cname: plan.production_cname.clone(),
        });
    }
    let moved = happened("Completed swapping CNAMEs");
    Ok(match (leaving, on_version) {
        (true, true) => State::TerminatingGreen,
        (false, true) => State::Baking,
        (_, false) if leaving || goal == Some(Goal::Previous) => State::Discarding {
            cause: Cause::AskedToRetreat,
        },
        (_, false) => {
            settled(moved, "its CNAME was swapped since green was created")?;
            State::Cloning
        }
    })
}

/// The state of a rehearsal: users are on blue whatever becomes of green, to which bluegreen
/// deploys again.
fn rehearsed_state(
    remains: &Remains,
    plan: &Plan,
    blue: &Environment,
    goal: Option<Goal>,
) -> Result<State, Unsettled> {
    if !blue.holds(&plan.production_cname) {
        return Err(Unsettled::NoHolder {
            blue: blue.name.clone(),
            green: remains.green.name.clone(),
            cname: plan.production_cname.clone(),
        });
    }
    let green = &remains.green;
    let cause = Cause::AskedToRetreat;
    Ok(match green.version_label.as_deref() {
        _ if goal == Some(Goal::Previous) || green.status == "Terminating" => {
            State::Discarding { cause }
        }
        // It is what blue is no more.
        Some(runs) if runs == plan.version => State::DeployingGreen,
        Some(_) | None => State::Cloning,
    })
}

/// The state of a deployment whose green was launched on the version and will keep production.
fn promoted_state(
    remains: &Remains,
    plan: &Plan,
    blue: &Environment,
    goal: Option<Goal>,
) -> Result<State, Unsettled> {
    let green = &remains.green;
    let holds = |environment: &Environment| environment.holds(&plan.production_cname);
    let back = goal == Some(Goal::Previous);
    match (holds(green), holds(blue)) {
        (true, _) if blue.status == "Terminating" && back => Err(Unsettled::NoBlue {
            id: blue.id.clone(),
            green: green.name.clone(),
        }),
        (true, _) if blue.status == "Terminating" => Ok(State::TerminatingBlue),
        (true, _) => Ok(State::Baking),
        (false, true) if back || green.status == "Terminating" => Ok(State::Discarding {
            cause: Cause::AskedToRetreat,
        }),
        (false, true) => {
            let swapped = |e: &Event| e.message.contains("Completed swapping CNAMEs");
            if goal.is_none() && remains.events.iter().any(swapped) {
                return Err(Unsettled::Direction {
                    blue: blue.name.clone(),
                    previous: plan.previous_version.clone(),
                    evidence: "its CNAME was swapped since green was created",
                });
            }
            Ok(State::Cloning)
        }
        (false, false) => Err(Unsettled::NoHolder {
            blue: blue.name.clone(),
            green: green.name.clone(),
            cname: plan.production_cname.clone(),
        }),
    }
}

fn at(plan: Plan, state: State, remains: &Remains, now: Moment) -> Deployment {
    let kinds = [
        EffectKind::CreateTemplate,
        EffectKind::CreateGreen,
        EffectKind::Swap,
        EffectKind::Deploy,
        EffectKind::Resize,
        EffectKind::MoveRules,
        EffectKind::MoveRecords,
    ];
    let intents: BTreeMap<_, _> = kinds
        .into_iter()
        .map(|kind| (kind, Intent::at(now)))
        .collect();
    Deployment {
        state,
        traffic_moved_at: Some(now),
        green_id: Some(remains.green.id.clone()),
        // What it has set of them is lost with the journal.
        sized: None,
        intents,
        started_at: remains.green.created.unwrap_or(now),
        ..Deployment::new(plan, now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::*;
    use crate::machine::Kind;
    use crate::plan::{Kept, Sizes};
    use bluegreen_testing::garbled::garbled_text;

    const CNAME: &str = "shop.us-east-1.elasticbeanstalk.com";

    fn environment(name: &str, cname: &str, version: &str) -> Environment {
        Environment {
            name: name.to_owned(),
            id: format!("e-{name}"),
            arn: format!("arn:aws:elasticbeanstalk:us-east-1:123456789012:environment/shop/{name}"),
            application: "shop".to_owned(),
            cname: Some(cname.to_owned()),
            status: "Ready".to_owned(),
            version_label: Some(version.to_owned()),
            ..Environment::default()
        }
    }

    fn config() -> Config {
        let plan = Plan::sample("A");
        Config {
            app: "shop".to_owned(),
            blue: "blue".to_owned(),
            green: "green".to_owned(),
            bucket: "artifacts".to_owned(),
            shared_state: true,
            preview: None,
            drain_requests: None,
            patience_is_given: false,
            detaches: false,
            wishes: plan.wishes,
        }
    }

    fn tags(strategy: Strategy) -> Vec<(String, String)> {
        let kept = Kept {
            id: "01J",
            production_cname: CNAME,
            blue_id: "e-blue",
            version: "v2",
            strategy,
            sizes: Some(Sizes { min: 2, max: 4 }),
            bucket: "artifacts",
            shared_state: false,
            pause_before_swap: false,
            pause_before_cutover: true,
        };
        kept.beside(&[])
    }

    fn remains(holder: &str, blue_runs: &str, happened: &[&str]) -> Remains {
        let cname = |name: &str| {
            if name == holder {
                CNAME
            } else {
                "other.example"
            }
        };
        let event = |message: &&str| Event {
            at: Moment(1),
            severity: "INFO".to_owned(),
            message: (*message).to_owned(),
            request_id: None,
        };
        Remains {
            green: environment("green", cname("green"), "v1"),
            tags: tags(Strategy::Restore),
            blue: Some(environment("blue", cname("blue"), blue_runs)),
            events: happened.iter().map(event).collect(),
            labels: vec![],
        }
    }

    /// Green's tag holds only a part of a long label; the registered labels show which one it is.
    #[test]
    fn a_label_that_is_too_long_for_a_tag_is_found_among_the_registered() {
        let label = "выпуск".repeat(16);
        let mut remains = remains("blue", "v1", &[]);
        for (key, value) in &mut remains.tags {
            if key == TAG_VERSION {
                *value = tag_value(&label);
            }
        }
        let unread = rebuild(&remains, &config(), Some(Goal::Release), Moment(7));
        assert!(matches!(unread, Err(Unsettled::NoTag { .. })), "{unread:?}");
        remains.labels = vec!["v1".to_owned(), label.clone()];
        let rebuilt = rebuild(&remains, &config(), Some(Goal::Release), Moment(7));
        assert_eq!(rebuilt.expect("it is settled").plan.version, label);
    }

    #[track_caller]
    fn check(remains: &Remains, goal: Option<Goal>, expected: Kind) {
        let rebuilt = rebuild(remains, &config(), goal, Moment(7)).expect("it is settled");
        assert_eq!(rebuilt.state.kind(), expected);
        let doubt = rebuilt.may_arrive(Moment(8));
        assert!(doubt.swap && doubt.deploy && doubt.green && doubt.template);
        assert!(!rebuilt.is_drained(crate::traffic::Idle::Quiet, Moment(8)));
        assert_eq!(rebuilt.plan.target.account, "123456789012");
        assert_eq!(rebuilt.plan.previous_version, "v1");
        assert_eq!(rebuilt.plan.version, "v2");
        assert_eq!(rebuilt.plan.sizes, Some(Sizes { min: 2, max: 4 }));
        assert!(rebuilt.plan.pause_before_cutover && !rebuilt.plan.pause_before_swap);
    }

    #[test]
    fn the_facts_settle_the_state() {
        check(&remains("blue", "v1", &[]), None, Kind::Cloning);
        check(
            &remains("green", "v1", &["Completed swapping CNAMEs"]),
            None,
            Kind::DrainingBlue,
        );
        check(&remains("green", "v2", &[]), None, Kind::DrainingBlue);
        check(&remains("blue", "v2", &[]), None, Kind::Baking);
        let mut leaving = remains("blue", "v2", &[]);
        leaving.green.status = "Terminating".to_owned();
        check(&leaving, None, Kind::TerminatingGreen);
        let mut leaving = remains("blue", "v1", &[]);
        leaving.green.status = "Terminating".to_owned();
        check(&leaving, None, Kind::Discarding);
    }

    /// A green that is yet to be made gets the operations role that the other one has, which no
    /// template holds.
    #[test]
    fn the_operations_role_is_that_of_either_environment() {
        let role = "arn:aws:iam::123456789012:role/shop-operations";
        let operated = |on_blue: bool| {
            let mut remains = remains("blue", "v1", &[]);
            let blue = remains.blue.as_mut().filter(|_| on_blue);
            let operated = blue.unwrap_or(&mut remains.green);
            operated.operations_role = Some(role.to_owned());
            remains
        };
        for on_blue in [true, false] {
            let rebuilt = rebuild(&operated(on_blue), &config(), None, Moment(7));
            let plan = rebuilt.expect("it is settled").plan;
            assert_eq!(plan.operations_role.as_deref(), Some(role));
        }
    }

    #[test]
    fn a_green_that_is_to_keep_production_is_known_by_its_tag() {
        let promoted = |holder: &str, happened: &[&str]| {
            let mut remains = remains(holder, "v1", happened);
            remains.green.version_label = Some("v2".to_owned());
            remains.tags = tags(Strategy::Promote);
            remains
        };
        check(&promoted("blue", &[]), None, Kind::Cloning);
        check(&promoted("green", &[]), None, Kind::Baking);
        let back = Some(Goal::Previous);
        check(&promoted("blue", &[]), back, Kind::Discarding);
        check(&promoted("green", &[]), back, Kind::Baking);
        let mut leaving = promoted("green", &[]);
        leaving.blue.as_mut().expect("it is there").status = "Terminating".to_owned();
        check(&leaving, None, Kind::TerminatingBlue);
        let swapped = promoted("blue", &["Completed swapping CNAMEs"]);
        for unsettled in [
            rebuild(&leaving, &config(), back, Moment(7)),
            rebuild(&swapped, &config(), None, Moment(7)),
        ] {
            assert!(unsettled.is_err(), "{unsettled:?}");
        }
    }

    #[test]
    fn the_green_of_a_rehearsal_is_known_by_its_tag() {
        let rehearsed = |holder: &str, green_runs: &str, status: &str| {
            let mut remains = remains(holder, "v1", &[]);
            remains.green.version_label = Some(green_runs.to_owned());
            remains.green.status = status.to_owned();
            remains.tags = tags(Strategy::Rehearse);
            remains
        };
        let back = Some(Goal::Previous);
        check(&rehearsed("blue", "v1", "Ready"), None, Kind::Cloning);
        check(
            &rehearsed("blue", "v2", "Updating"),
            None,
            Kind::DeployingGreen,
        );
        check(&rehearsed("blue", "v2", "Ready"), back, Kind::Discarding);
        check(
            &rehearsed("blue", "v1", "Terminating"),
            None,
            Kind::Discarding,
        );
        let ready = rehearsed("blue", "v2", "Ready");
        let plan = rebuild(&ready, &config(), None, Moment(7))
            .expect("it is settled")
            .plan;
        assert_eq!(
            (plan.strategy, plan.wishes.hooks.len()),
            (Strategy::Rehearse, 0)
        );
        assert_eq!(plan.previous_version, "v1");
        let elsewhere = rebuild(
            &rehearsed("nobody", "v1", "Ready"),
            &config(),
            None,
            Moment(7),
        );
        assert!(
            matches!(elsewhere, Err(Unsettled::NoHolder { .. })),
            "{elsewhere:?}"
        );
    }

    /// Whether a pause was over is lost, so a release with an approval URL requests the approval
    /// again.
    #[test]
    fn a_release_that_asks_for_approvals_asks_for_one_more() {
        for asks_approval in [true, false] {
            let mut config = config();
            config.wishes.asks_approval = asks_approval;
            let mut remains = remains("green", "v1", &[]);
            remains.tags.retain(|(key, _)| key != TAG_PAUSE);
            let rebuilt = rebuild(&remains, &config, None, Moment(7));
            let plan = rebuilt.expect("it is settled").plan;
            let asks = (plan.wishes.asks_approval, plan.stops_before_cutover());
            assert_eq!(asks, (asks_approval, asks_approval));
            assert!(!plan.stops_before_swap());
        }
    }

    #[test]
    fn what_they_do_not_settle_is_refused_unless_the_operator_settles_it() {
        let back = [
            remains(
                "blue",
                "v1",
                &["Completed swapping CNAMEs for environments 'a' and 'b'."],
            ),
            remains("green", "v1", &["Environment update is starting."]),
        ];
        for remains in &back {
            let refused = rebuild(remains, &config(), None, Moment(7));
            assert!(
                matches!(refused, Err(Unsettled::Direction { .. })),
                "{refused:?}"
            );
        }
        check(&back[0], Some(Goal::Previous), Kind::Discarding);
        check(&back[1], Some(Goal::Previous), Kind::DrainingBlue);
    }

    #[test]
    fn what_somebody_else_did_is_refused() {
        let refused = |remains: &Remains| rebuild(remains, &config(), None, Moment(7)).unwrap_err();
        let nobody = refused(&remains("nobody", "v1", &[]));
        assert!(matches!(nobody, Unsettled::NoHolder { .. }), "{nobody}");
        let other = refused(&remains("blue", "v9", &[]));
        assert!(matches!(other, Unsettled::OtherVersion { .. }), "{other}");
        let mut gone = remains("green", "v1", &[]);
        gone.blue = None;
        assert!(matches!(refused(&gone), Unsettled::NoBlue { .. }));
        let mut untagged = remains("blue", "v1", &[]);
        untagged.tags.retain(|(key, _)| key != TAG_BLUE);
        let refused = refused(&untagged);
        assert!(refused.to_string().contains(TAG_BLUE), "{refused}");
    }

    proptest! {
        /// A garbled tag leads to a plan whose names are valid in a request, or to no plan.
        #[test]
        fn a_garbled_tag_is_refused_or_harmless(at: prop::sample::Index, value in garbled_text("v=202 2-4 swap")) {
            let mut remains = remains("blue", "v1", &[]);
            let at = at.index(remains.tags.len());
            remains.tags[at].1 = value;
            if let Ok(deployment) = rebuild(&remains, &config(), None, Moment(1_800_000_000_000)) {
                let _ = (deployment.plan.check(), deployment.meaning(), deployment.plan.green_sizes());
            }
        }
    }
}
