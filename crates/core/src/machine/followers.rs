//! What leads to the environments beside their CNAMEs, and must follow a swap: the rules of a
//! shared load balancer and preview hostnames.
//!
//! The state and the last poll say where each should lead. A step that would interrupt an
//! environment waits until nothing leads there any more and no request that is still on its way can
//! change that. No other step waits: bluegreen requests moves while the state waits anyway.
//!
//! Elastic Beanstalk itself moves its own rule for the production CNAME; a step waits for that rule
//! too. Before a termination nobody's rule may forward to the environment, because AWS could not
//! delete its stack.

use super::cause::Cause;
use super::effect::{Effect, Step};
use super::kind::Kind;
use super::seen::{HostSeen, RulesSeen, Seen, Unread};
use super::stages::step;
use super::state::State;
use crate::followers::listener_rules::{RuleOwners, moves};
use crate::followers::preview::{Hostname, Lead, Preview, Record, RecordMove};
use crate::plan::{Goal, Plan, Role};

/// Decides what to do next, followers included. Pure: the same arguments give the same answer.
/// `is_timed_out` says that the state has lasted as long as it may.
#[must_use]
pub fn decide(state: &State, plan: &Plan, seen: &Seen, is_timed_out: bool) -> Step {
    let next = step(state, plan, seen);
    let next = match is_timed_out {
        true => timed_out(state, next),
        false => next,
    };
    with_followers(state, plan, seen, next, is_timed_out)
}

/// The step once the state has lasted as long as it may. A wait whose other way is the state itself
/// ends of its own accord.
#[must_use]
pub fn timed_out(state: &State, step: Step) -> Step {
    match step {
        Step::Wait { otherwise } | Step::Ask { otherwise, .. } | Step::Once { otherwise, .. }
            if otherwise.kind() != state.kind() =>
        {
            Step::Enter(otherwise)
        }
        other => other,
    }
}

/// The step, or what followers want done in its place.
#[must_use]
pub fn with_followers(
    state: &State,
    plan: &Plan,
    seen: &Seen,
    step: Step,
    is_timed_out: bool,
) -> Step {
    let owners = owners(state.kind(), plan, seen)
        .filter(|_| needs_rules(&step) || !seen.followers.rules_were_right);
    let preview = plan
        .preview
        .as_ref()
        .filter(|_| has_pointed(state.kind()) || ends(&step));
    let unread = Unread {
        rules: owners.is_some() && seen.followers.rules.is_none(),
        records: preview.is_some() && seen.followers.records.is_none(),
    };
    if unread.any() {
        return Step::Read(unread);
    }
    let rules = owners.map_or(Placement::Right, |owners| {
        rules(state.kind(), plan, seen, &step, owners)
    });
    if let Some(instead) = held_by_rules(state, seen, &step, rules, is_timed_out) {
        return instead;
    }
    let records = preview.map_or(Placement::Right, |preview| {
        records(state, plan, seen, &step, preview)
    });
    held_by_records(seen, &step, records).unwrap_or(step)
}

/// Whether an effect that was decided on is still wanted on a fresh poll, which does not read again
/// what followers hold.
#[must_use]
pub fn is_still_wanted(effect: &Effect, state: &State, plan: &Plan, fresh: &Seen) -> bool {
    match effect {
        Effect::MoveRules {
            owners: decided, ..
        } => owners(state.kind(), plan, fresh) == Some(*decided),
        Effect::MoveRecords { lead, .. } => match lead {
            Lead::To(role) => under_test(state.kind(), plan) == Some(*role),
            Lead::Back => true,
        },
        _ => match step(state, plan, fresh) {
            Step::Ask { effect: wanted, .. } | Step::Once { effect: wanted, .. } => {
                wanted == *effect
            }
            Step::Enter(_)
            | Step::Wait { .. }
            | Step::Read(_)
            | Step::Delay { .. }
            | Step::Rest => false,
        },
    }
}

/// How followers stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Each leads where it should, and nothing that may still arrive changes that.
    Right,
    /// This makes them right; with why they are not, in words.
    Wrong(Effect, String),
    /// They are not known to be right, and bluegreen can request nothing now; with the reason.
    Unsure(String),
}

/// What the rules want done in place of a step; none where it may be taken.
fn held_by_rules(
    state: &State,
    seen: &Seen,
    step: &Step,
    rules: Placement,
    is_timed_out: bool,
) -> Option<Step> {
    let (effect, why) = match rules {
        Placement::Right => return None,
        Placement::Wrong(effect, why) => (Some(effect), why),
        Placement::Unsure(why) => (None, why),
    };
    let ask = |otherwise: State| match effect.clone() {
        Some(effect) => Step::Once { effect, otherwise },
        None => Step::Wait { otherwise },
    };
    match step {
        // Hostnames do not depend on the rules: they may move meanwhile.
        Step::Wait { .. } if effect.is_none() => None,
        Step::Wait { otherwise } => Some(ask(otherwise.clone())),
        Step::Ask { otherwise, .. } | Step::Once { otherwise, .. } if needs_rules(step) => {
            Some(ask(otherwise.clone()))
        }
        Step::Enter(next) if needs_rules(step) && is_timed_out => {
            // The state was given up, and now it is known why.
            matches!(next.cause(), Some(Cause::OutOfPatience { .. })).then(|| {
                let why = seen.followers.refused.clone().unwrap_or(why);
                Step::Enter(next.clone().because(Cause::RuleStays { why }))
            })
        }
        Step::Enter(_) if needs_rules(step) => Some(ask(state.clone())),
        Step::Enter(_)
        | Step::Ask { .. }
        | Step::Once { .. }
        | Step::Read(_)
        | Step::Delay { .. }
        | Step::Rest => None,
    }
}

/// What preview hostnames want done in place of a step; none where it may be taken. The
/// environments' own course does not depend on them, so that they delay it no longer than the
/// state may last.
fn held_by_records(seen: &Seen, step: &Step, records: Placement) -> Option<Step> {
    let effect = match records {
        Placement::Right => return None,
        Placement::Wrong(effect, _) => Some(effect),
        Placement::Unsure(_) => None,
    };
    let holds =
        needs_records(step) || deploys_to(step, seen).is_some_and(|role| may_lead(seen, role));
    match (step, effect) {
        _ if holds && seen.followers.hosts_given_up => None,
        (_, effect) if holds => Some(Step::Delay { effect }),
        (Step::Wait { otherwise }, Some(effect)) => Some(Step::Once {
            effect,
            otherwise: otherwise.clone(),
        }),
        _ => None,
    }
}

/// To whom the rules belong in a state; none where production is not seen where the state has
/// it, or no rule must move.
fn owners(kind: Kind, plan: &Plan, seen: &Seen) -> Option<RuleOwners> {
    if plan.rehearses() || seen.green_id.is_none() {
        // A rehearsal moves no rule, so none can lead to green.
        return None;
    }
    let settled = seen.production.filter(|_| seen.production_settled);
    let owners = match kind {
        Kind::Warming | Kind::AwaitingSwap => RuleOwners::apart(Role::Blue),
        Kind::DrainingBlue
        | Kind::Deploying
        | Kind::AbortingDeploy
        | Kind::Testing
        | Kind::AwaitingCutover => RuleOwners::apart(Role::Green),
        Kind::Baking => RuleOwners::apart(plan.destination()),
        Kind::ReturningToGreen if settled == Some(Role::Green) => RuleOwners::apart(Role::Green),
        Kind::ReturningToBlue if settled == Some(Role::Blue) => RuleOwners::apart(Role::Blue),
        Kind::TerminatingGreen | Kind::Discarding => RuleOwners::together(Role::Blue),
        Kind::TerminatingBlue => RuleOwners::together(Role::Green),
        Kind::Preparing
        | Kind::Cloning
        | Kind::DeployingGreen
        | Kind::TestingGreen
        | Kind::SwappingToGreen
        | Kind::SwappingToBlue
        | Kind::ReturningToGreen
        | Kind::ReturningToBlue
        | Kind::Held
        | Kind::Completed
        | Kind::RolledBack
        | Kind::Stuck => return None,
    };
    (seen.production == Some(owners.production)).then_some(owners)
}

/// Whether a step must find every rule right: it interrupts an environment that a rule may
/// still forward to, or nothing sets rules right after it for a while.
fn needs_rules(step: &Step) -> bool {
    match step {
        Step::Enter(next) => next.rests(),
        Step::Ask { effect, .. } | Step::Once { effect, .. } => {
            matches!(effect, Effect::Deploy { .. }) || effect.terminates()
        }
        Step::Wait { .. } | Step::Read(_) | Step::Delay { .. } | Step::Rest => false,
    }
}

/// Whether a step must find every preview hostname as it should be: it makes a name lead elsewhere
/// or nowhere, ends the deployment, or pauses it so that people can try the version.
fn needs_records(step: &Step) -> bool {
    match step {
        Step::Enter(next) => {
            next.is_end() || matches!(next, State::AwaitingSwap | State::AwaitingCutover)
        }
        Step::Ask { effect, .. } | Step::Once { effect, .. } => {
            matches!(effect, Effect::Swap { .. }) || effect.terminates()
        }
        Step::Wait { .. } | Step::Read(_) | Step::Delay { .. } | Step::Rest => false,
    }
}

/// Whose environment a step deploys to, if it does.
fn deploys_to(step: &Step, seen: &Seen) -> Option<Role> {
    match step {
        Step::Ask { effect, .. } | Step::Once { effect, .. } => match effect {
            Effect::Deploy { environment_id, .. } => Some(seen.role_of(environment_id)),
            _ => None,
        },
        Step::Enter(_) | Step::Wait { .. } | Step::Read(_) | Step::Delay { .. } | Step::Rest => {
            None
        }
    }
}

/// Whether a step ends the deployment.
fn ends(step: &Step) -> bool {
    matches!(step, Step::Enter(next) if next.is_end())
}

/// Whether hostnames may have been made to lead to an environment: until green is there, none has.
fn has_pointed(kind: Kind) -> bool {
    !matches!(kind, Kind::Preparing | Kind::Cloning)
}

/// The environment that a state terminates, if any.
fn goes(kind: Kind) -> Option<Role> {
    match kind {
        Kind::TerminatingGreen | Kind::Discarding => Some(Role::Green),
        Kind::TerminatingBlue => Some(Role::Blue),
        _ => None,
    }
}

/// Whose environment the preview hostnames lead to in a state. During a rollback there is nothing
/// to preview.
fn under_test(kind: Kind, plan: &Plan) -> Option<Role> {
    match kind {
        Kind::Testing | Kind::AwaitingCutover if plan.goal == Goal::Release => Some(Role::Blue),
        Kind::Warming | Kind::AwaitingSwap if plan.tests_green() => Some(Role::Green),
        Kind::Testing
        | Kind::AwaitingCutover
        | Kind::Warming
        | Kind::AwaitingSwap
        | Kind::Preparing
        | Kind::Cloning
        | Kind::DeployingGreen
        | Kind::TestingGreen
        | Kind::SwappingToGreen
        | Kind::DrainingBlue
        | Kind::Deploying
        | Kind::AbortingDeploy
        | Kind::SwappingToBlue
        | Kind::Baking
        | Kind::ReturningToGreen
        | Kind::ReturningToBlue
        | Kind::TerminatingGreen
        | Kind::TerminatingBlue
        | Kind::Held
        | Kind::Discarding
        | Kind::Completed
        | Kind::RolledBack
        | Kind::Stuck => None,
    }
}

/// How the rules stand before a step.
fn rules(kind: Kind, plan: &Plan, seen: &Seen, step: &Step, owners: RuleOwners) -> Placement {
    let balancer = match &seen.followers.rules {
        None | Some(RulesSeen::NotShared) => return Placement::Right,
        Some(RulesSeen::Unread(why)) => return Placement::Unsure(why.clone()),
        Some(RulesSeen::Read(balancer)) => balancer,
    };
    let green_id = seen.green_id.as_deref().unwrap_or_default();
    let id = |role| match role {
        Role::Blue => plan.blue_id.as_str(),
        Role::Green => green_id,
    };
    let both = [id(Role::Blue), id(Role::Green)];
    let found = moves(&balancer.following, &balancer.groups, both, |follow| {
        id(owners.of(follow))
    });
    let is_clear = seen.may_arrive.rules.allows(owners);
    match found {
        Err(error) => return Placement::Unsure(error.to_string()),
        Ok(_) if !is_clear => {
            let why = "an earlier request to change rules may still arrive";
            return Placement::Unsure(why.to_owned());
        }
        Ok(moves) if !moves.is_empty() => {
            let why = format!(
                "{} still forwards elsewhere; bluegreen is moving it",
                moves[0].rule
            );
            return Placement::Wrong(Effect::MoveRules { owners, moves }, why);
        }
        Ok(_) if !seen.followers.lately_given.allows(owners) => {
            let why = "rules were changed so lately that AWS may not show it yet";
            return Placement::Unsure(why.to_owned());
        }
        Ok(_) => {}
    }
    let holder = owners.production;
    if let Some(rule) = balancer.left_behind(&plan.production_cname, both, id(holder)) {
        return Placement::Unsure(format!(
            "Elastic Beanstalk's own rule has not followed the swap: {rule} does not forward to \
             {}, which holds that name; point it there",
            plan.environment(holder)
        ));
    }
    if let Some(role) = goes(kind).filter(|_| needs_rules(step))
        && let Some(rule) = balancer.foreign(id(role)).next()
    {
        return Placement::Unsure(format!(
            "Elastic Beanstalk cannot delete {} while {rule} forwards to it: point the rule \
             elsewhere, or delete it",
            plan.environment(role)
        ));
    }
    Placement::Right
}

/// How the preview hostnames stand before a step.
fn records(state: &State, plan: &Plan, seen: &Seen, step: &Step, preview: &Preview) -> Placement {
    let (role, target) = target(state, plan, seen, step);
    let lead = match (role, target) {
        (None, _) => Lead::Back,
        // A stale look may show it where production is.
        (Some(role), Some(cname)) if !cname.eq_ignore_ascii_case(&plan.production_cname) => {
            Lead::To(role)
        }
        (Some(role), _) => return Placement::Unsure(format!("the CNAME of {role} is not known")),
    };
    let mut moves = Vec::new();
    let mut unread = None;
    for (host, found) in hosts(preview, seen) {
        match found {
            HostSeen::Unread(why) => unread = Some(why.clone()),
            HostSeen::Holds(holds) => {
                if let Some(to) = due(plan, preview, seen, host, holds, target) {
                    moves.push(RecordMove {
                        host: host.clone(),
                        from: holds.clone(),
                        to,
                    });
                }
            }
        }
    }
    if !seen.may_arrive.records.allows(lead) {
        let why = "an earlier request to change records may still arrive";
        return Placement::Unsure(why.to_owned());
    }
    if moves.is_empty() {
        return match unread {
            Some(why) => Placement::Unsure(why),
            None if seen.followers.lately_led.allows(lead) => Placement::Right,
            None => {
                let why = "records were changed so lately that AWS may not show it yet";
                Placement::Unsure(why.to_owned())
            }
        };
    }
    let why = format!(
        "{} still leads elsewhere; bluegreen is moving it",
        moves[0].host
    );
    Placement::Wrong(Effect::MoveRecords { lead, moves }, why)
}

/// Whose environment the preview hostnames must lead to before a step, and its CNAME where that is
/// known; neither where they must lead where they did before.
fn target<'a>(
    state: &State,
    plan: &Plan,
    seen: &'a Seen,
    step: &Step,
) -> (Option<Role>, Option<&'a String>) {
    let role = under_test(state.kind(), plan).filter(|_| !ends(step));
    (role, role.and_then(|role| seen.followers.cnames.get(&role)))
}

/// The preview hostnames that were read, each with what was found.
fn hosts<'a>(
    preview: &'a Preview,
    seen: &'a Seen,
) -> impl Iterator<Item = (&'a String, &'a HostSeen)> {
    preview
        .hosts
        .iter()
        .zip(seen.followers.records.iter().flatten())
}

/// What a hostname must hold in place of what it does; none where it is as it should be, or
/// somebody else has changed it. `target` is where it must lead, none where to what it held before.
fn due(
    plan: &Plan,
    preview: &Preview,
    seen: &Seen,
    host: &str,
    holds: &Record,
    target: Option<&String>,
) -> Option<Record> {
    let ours = is_ours(plan, seen, holds);
    match target {
        Some(target) => match preview.standing(host, target, holds) {
            Hostname::Pointing => None,
            Hostname::AsBefore => Some(Record::preview(target)),
            Hostname::Elsewhere(_) => ours.then(|| Record::preview(target)),
        },
        None if preview.is_put_back(host, holds) => None,
        None => preview.before(host).filter(|_| ours).cloned(),
    }
}

/// Whether a record leads to one of the two environments, and not to production: nobody else
/// makes it so.
fn is_ours(plan: &Plan, seen: &Seen, holds: &Record) -> bool {
    let mut cnames = seen.followers.cnames.values();
    !holds.leads_to(&plan.production_cname) && cnames.any(|cname| holds.leads_to(cname))
}

/// Whether a preview hostname leads to an environment, may be made to by a request that is still
/// on its way, or may do so unseen.
fn may_lead(seen: &Seen, role: Role) -> bool {
    let to = Lead::To(role);
    let cname = seen.followers.cnames.get(&role);
    let mut records = seen.followers.records.iter().flatten();
    seen.may_arrive.records.may_be(to)
        || seen.followers.lately_led.may_be(to)
        || records.any(|record| match record {
            HostSeen::Holds(holds) => cname.is_some_and(|cname| holds.leads_to(cname)),
            HostSeen::Unread(_) => seen.followers.last_lead == Some(to),
        })
}

/// How the rules that were read stand in a state.
#[must_use]
pub fn rules_placement(state: &State, plan: &Plan, seen: &Seen) -> Placement {
    let next = step(state, plan, seen);
    owners(state.kind(), plan, seen).map_or(Placement::Right, |owners| {
        rules(state.kind(), plan, seen, &next, owners)
    })
}

/// The preview hostnames that no poll has seen as a state wants them.
#[must_use]
pub fn hosts_astray(state: &State, plan: &Plan, seen: &Seen) -> Vec<String> {
    let next = step(state, plan, seen);
    let (_, target) = target(state, plan, seen, &next);
    astray(plan, seen, target)
}

/// The preview hostnames that no poll has seen lead to a target; where there is none, those that no
/// poll has seen put back.
fn astray(plan: &Plan, seen: &Seen, target: Option<&String>) -> Vec<String> {
    let Some(preview) = &plan.preview else {
        return Vec::new();
    };
    let astray = hosts(preview, seen).filter(|(host, found)| match found {
        HostSeen::Holds(holds) => due(plan, preview, seen, host, holds, target).is_some(),
        HostSeen::Unread(_) => true,
    });
    astray.map(|(host, _)| host.clone()).collect()
}

/// The preview hostnames that somebody else has changed, each with what it holds, in words.
#[must_use]
pub fn foreign_hosts(plan: &Plan, seen: &Seen) -> Vec<(String, String)> {
    let Some(preview) = &plan.preview else {
        return Vec::new();
    };
    let foreign = hosts(preview, seen).filter_map(|(host, found)| match found {
        HostSeen::Holds(holds)
            if !preview.is_put_back(host, holds) && !is_ours(plan, seen, holds) =>
        {
            Some((host.clone(), holds.in_words()))
        }
        HostSeen::Holds(_) | HostSeen::Unread(_) => None,
    });
    foreign.collect()
}

/// What is left of the preview hostnames at an end, in words; none where all are as they were
/// before.
#[must_use]
pub fn hosts_left_over(plan: &Plan, seen: &Seen) -> Option<String> {
    let wrong = match seen.followers.records {
        Some(_) => astray(plan, seen, None),
        None => Vec::new(),
    };
    let mut words = Vec::new();
    if !wrong.is_empty() {
        words.push(format!("not seen to be put back: {}", wrong.join(", ")));
    }
    let foreign = foreign_hosts(plan, seen).into_iter();
    words.extend(foreign.map(|(host, holds)| format!("left as found: {host}, {holds}")));
    (!words.is_empty()).then(|| words.join("; "))
}
