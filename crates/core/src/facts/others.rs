//! What other people have done to the environments of a deployment. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::needs::EventQuery;
use super::sighting::{Environment, Event, Sighting};
use crate::deployment::{Deployment, Known, Sent};
use crate::fidelity::{Marked, Weight, drift};
use crate::machine::{Drift, EffectKind, Kind, OthersUpdate};
use crate::plan::{OwnSizes, Role, Strategy};

/// How long before a state was entered an update may have begun that is still under way: a
/// rolling one over many instances takes hours.
const BEGAN_BEFORE: Duration = Duration::from_secs(4 * 60 * 60);

/// How far the clocks of AWS and of this machine may differ.
const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// The environments whose newest events a poll must read while they are busy: those that the state
/// needs Ready, and that are not known to be busy with what the deployment itself has requested.
pub(super) fn update_queries(deployment: &Deployment) -> Vec<(Role, EventQuery)> {
    let both: &[Role] = &[Role::Blue, Role::Green];
    let asked_here = |effect| {
        deployment.intents.get(&effect).is_some_and(|intent| {
            let is_taken = matches!(
                intent.outcome,
                Sent::Applied {
                    request_id: Some(_)
                }
            );
            is_taken && intent.at >= deployment.entered_at
        })
    };
    let roles = match deployment.state.kind() {
        Kind::Deploying | Kind::AbortingDeploy if !asked_here(EffectKind::Deploy) => &both[..1],
        Kind::Warming | Kind::Testing if !asked_here(EffectKind::Resize) => both,
        Kind::SwappingToGreen
        | Kind::SwappingToBlue
        | Kind::ReturningToGreen
        | Kind::ReturningToBlue
            if !asked_here(EffectKind::Swap) =>
        {
            both
        }
        _ => &[],
    };
    let query = EventQuery {
        asked_at: deployment.entered_at.before(BEGAN_BEFORE),
        request_id: None,
    };
    roles.iter().map(|role| (*role, query.clone())).collect()
}

/// The update that an environment is busy with, where it is known that this deployment has not
/// requested it: its request is none of the deployment's, and none of those is in doubt.
pub(super) fn others_update(
    deployment: &Deployment,
    sighting: &Sighting,
    role: Role,
) -> Option<OthersUpdate> {
    let found = sighting.of(&deployment.plan, role)?;
    let is_busy = !matches!(found.status.as_str(), "Ready" | "Launching" | "Terminating");
    let (_, events) = sighting.updates.iter().find(|(of, _)| *of == role)?;
    // Health has events too, of no request.
    let id = events
        .iter()
        .rev()
        .find_map(|event| event.request_id.as_ref())?;
    let of_it = |event: &&Event| event.request_id.as_ref() == Some(id);
    let first = events.iter().find(of_it)?;
    let updates = [EffectKind::Deploy, EffectKind::Resize, EffectKind::Swap];
    let mut asked = updates
        .iter()
        .filter_map(|kind| deployment.intents.get(kind));
    let may_be_ours = asked.any(|intent| match &intent.outcome {
        Sent::Applied {
            request_id: Some(ours),
        } => ours == id,
        Sent::Applied { request_id: None } | Sent::Unclear => {
            first.at >= intent.at.before(CLOCK_SKEW)
        }
        Sent::NotApplied => false,
    });
    (is_busy && !may_be_ours).then(|| OthersUpdate {
        said: first.message.trim().to_owned(),
    })
}

/// What both environments are, while green is found healthy; none where this poll does not show it.
#[must_use]
pub fn known(deployment: &Deployment, sighting: &Sighting) -> Option<BTreeMap<Role, Known>> {
    let is_fit = sighting.differences.as_ref().is_none_or(|found| {
        let mut found = found.iter();
        found.all(|difference| difference.weight == Weight::Warns)
    });
    if deployment.state.kind() != Kind::Warming || !is_fit || sighting.marked.is_empty() {
        return None;
    }
    let of = |(role, marked): &(Role, Marked)| {
        let found = sighting.of(&deployment.plan, *role);
        let known = Known {
            version: found.and_then(|found| found.version_label.clone()),
            marks: marked.marks(),
        };
        (*role, known)
    };
    Some(sighting.marked.iter().map(of).collect())
}

/// What somebody else has put on green since it took production, and blue has not.
pub(super) fn changes_on_green(deployment: &Deployment, sighting: &Sighting) -> Vec<Drift> {
    let plan = &deployment.plan;
    let is_asked = plan.strategy == Strategy::Restore
        && matches!(
            deployment.state.kind(),
            Kind::Testing | Kind::SwappingToBlue
        );
    let (Some(green), Some(blue)) = (
        sighting
            .of(plan, Role::Green)
            .filter(|_| sighting.green_is_ours),
        sighting.of(plan, Role::Blue),
    ) else {
        return Vec::new();
    };
    if !is_asked {
        return Vec::new();
    }
    let known = deployment.known.get(&Role::Green);
    let was = known.and_then(|known| known.version.as_deref());
    // Which of the two an older journal does not tell.
    let were = match was {
        Some(was) => [was, was],
        None => [plan.previous_version.as_str(), plan.version.as_str()],
    };
    let label = green.version_label.as_deref().unwrap_or_default();
    let is_on_blue = blue.version_label.as_deref() == Some(label);
    let mut changes = Vec::new();
    if !label.is_empty() && !were.contains(&label) && !is_on_blue {
        changes.push(version_drift(label, Some(were[0])));
    }
    if let (Some(known), Some(now), Some(other)) = (
        known,
        marked(sighting, Role::Green),
        marked(sighting, Role::Blue),
    ) {
        let (own, of_blue) = (
            own_sizes(deployment, Role::Green),
            own_sizes(deployment, Role::Blue),
        );
        let found = drift(&known.marks, (now, &own), Some((other, &of_blue)));
        changes.extend(found);
    }
    not_given_up(deployment, changes)
}

/// What somebody else has put on idle blue: a version that is none of the deployment's, which a
/// deploy would overwrite, or, where blue `may_be_off`, any in place of the goal. It may be where
/// blue has had the goal, nothing that bluegreen has requested may still change it, and its label
/// is no stale read.
pub(super) fn changes_on_blue(
    deployment: &Deployment,
    sighting: &Sighting,
    may_be_off: bool,
) -> Vec<Drift> {
    let plan = &deployment.plan;
    let is_asked = plan.strategy == Strategy::Restore
        && matches!(
            deployment.state.kind(),
            Kind::DrainingBlue | Kind::Deploying | Kind::Testing | Kind::SwappingToBlue
        );
    let blue = sighting
        .of(plan, Role::Blue)
        .filter(|blue| is_asked && blue.status == "Ready");
    let Some(label) = blue.and_then(|blue| blue.version_label.as_deref()) else {
        return Vec::new();
    };
    // The same with another goal is the same change.
    let change = vec![version_drift(label, None)];
    let is_known = [&plan.previous_version, &plan.version]
        .into_iter()
        .chain(&deployment.deployed)
        .any(|known| known == label);
    match label == plan.goal_version() {
        true => Vec::new(),
        // What was given up was given up for the deploy that blue has had since.
        false if may_be_off => change,
        false if is_known => Vec::new(),
        false => not_given_up(deployment, change),
    }
}

/// In what blue differs from what it was when green took production, whoever changed it: the
/// version's own configuration files, or a person.
#[must_use]
pub fn options_of_blue(deployment: &Deployment, sighting: &Sighting) -> Vec<Drift> {
    let known = deployment.known.get(&Role::Blue);
    let now = marked(sighting, Role::Blue);
    let own = own_sizes(deployment, Role::Blue);
    let found = known.zip(now);
    found.map_or_else(Vec::new, |(known, now)| {
        drift(&known.marks, (now, &own), None)
    })
}

/// An environment that this state needs, or that users are on, and that is being terminated though
/// this deployment has not requested it.
#[must_use]
pub fn terminating(deployment: &Deployment, sighting: &Sighting) -> Option<Role> {
    let plan = &deployment.plan;
    let goes = |role: &Role| {
        let found = sighting.of(plan, *role);
        let ours = *role == Role::Blue || sighting.green_is_ours;
        ours && found.is_some_and(|found: &Environment| found.status == "Terminating")
    };
    let is_asked = |role: &Role| match deployment.state.kind() {
        Kind::TerminatingGreen | Kind::Discarding | Kind::Cloning => *role == Role::Green,
        Kind::TerminatingBlue => *role == Role::Blue,
        _ => false,
    };
    [Role::Blue, Role::Green]
        .into_iter()
        .find(|role| goes(role) && !is_asked(role))
}

fn marked(sighting: &Sighting, role: Role) -> Option<&Marked> {
    let found = sighting.marked.iter().find(|(of, _)| *of == role);
    found.map(|(_, marked)| marked)
}

fn own_sizes(deployment: &Deployment, role: Role) -> OwnSizes {
    let sized = deployment.sized.as_ref().and_then(|sized| sized.get(&role));
    sized.cloned().unwrap_or_default()
}

fn version_drift(label: &str, was: Option<&str>) -> Drift {
    let plain = |label: &str| {
        label
            .chars()
            .filter(|c| !c.is_control())
            .collect::<String>()
    };
    let was = was.map_or_else(String::new, |was| format!(", where it was {}", plain(was)));
    Drift {
        what: "version".to_owned(),
        is: format!("is {}{was}", plain(label)),
        mark: 0,
    }
}

fn not_given_up(deployment: &Deployment, mut changes: Vec<Drift>) -> Vec<Drift> {
    changes.retain(|change| !deployment.discarded.contains(change));
    changes
}
