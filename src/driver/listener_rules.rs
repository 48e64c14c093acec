//! The rules of a shared load balancer that follow a swap.
//!
//! Where both environments share a load balancer, the rules that are tagged to follow are
//! set right as preview hostnames are: at every turn, from the state and the last look. A
//! rule that still forwards to an environment sends traffic to it whatever the CNAMEs say:
//! until every rule is seen right, nothing is asked that would interrupt that environment.
//!
//! Elastic Beanstalk's own rule for the production CNAME is left to the service, which has it
//! follow the swap; it too must be seen to. Before a termination no rule of anybody may
//! forward to the environment, for then its stack cannot be deleted.

use super::{DriveError, Driver, signalled};
use crate::cloud::{Cloud, LookError, Outcome, Refusal};
use crate::deployment::Deployment;
use crate::events::Happened;
use crate::listener_rules::{Change, Follow, changes};
use crate::machine::{Effect, Kind, Seen, Step};
use crate::plan::Role;

/// What this process has seen of the rules.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// The load balancer that the environments share; the outer none until it was read.
    shared: Option<Option<String>>,
    /// The state in which every rule was seen right.
    right_in: Option<Kind>,
}

/// To whom the rules belong in the present state, production's and staging's; none where
/// production is not seen where the state has it, or no rule must move.
fn right(kind: Kind, seen: &Seen, destination: Role) -> Option<[Role; 2]> {
    let settled = seen.production.filter(|_| seen.production_settled);
    let (production, staging) = match kind {
        Kind::Warming | Kind::AwaitingSwap => (Role::Blue, Role::Green),
        Kind::DrainingBlue
        | Kind::Deploying
        | Kind::AbortingDeploy
        | Kind::Testing
        | Kind::AwaitingCutover => (Role::Green, Role::Blue),
        Kind::Baking => (destination, destination.other()),
        Kind::ReturningToGreen if settled == Some(Role::Green) => (Role::Green, Role::Blue),
        Kind::ReturningToBlue if settled == Some(Role::Blue) => (Role::Blue, Role::Green),
        Kind::TerminatingGreen | Kind::Discarding => (Role::Blue, Role::Blue),
        Kind::TerminatingBlue => (Role::Green, Role::Green),
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
    (seen.production == Some(production)).then_some([production, staging])
}

/// Whether a step must find every rule right: it interrupts an environment that a rule may
/// still forward to, or nothing sets rules right after it for a while.
pub(super) fn needs_rules(step: &Step) -> bool {
    match step {
        Step::Enter(next) => next.rests(),
        Step::Ask { effect, .. } | Step::Once { effect, .. } => matches!(
            effect,
            Effect::Deploy { .. } | Effect::TerminateGreen { .. } | Effect::TerminateBlue { .. }
        ),
        Step::Wait { .. } | Step::Rest => false,
    }
}

/// The environment that is terminated in a state, if it has not been yet.
fn goes(kind: Kind) -> Option<Role> {
    match kind {
        Kind::TerminatingGreen | Kind::Discarding => Some(Role::Green),
        Kind::TerminatingBlue => Some(Role::Blue),
        Kind::Preparing
        | Kind::Cloning
        | Kind::Warming
        | Kind::DeployingGreen
        | Kind::TestingGreen
        | Kind::AwaitingSwap
        | Kind::SwappingToGreen
        | Kind::DrainingBlue
        | Kind::Deploying
        | Kind::AbortingDeploy
        | Kind::Testing
        | Kind::AwaitingCutover
        | Kind::SwappingToBlue
        | Kind::Baking
        | Kind::ReturningToGreen
        | Kind::ReturningToBlue
        | Kind::Held
        | Kind::Completed
        | Kind::RolledBack
        | Kind::Stuck => None,
    }
}

impl<C: Cloud> Driver<'_, C> {
    /// Makes the rules forward where they should; tells why where they are not all seen
    /// to.
    pub(super) async fn set_rules(
        &mut self,
        deployment: &Deployment,
        seen: &Seen,
        step: &Step,
    ) -> Result<Option<String>, DriveError> {
        let kind = deployment.state.kind();
        let plan = &deployment.plan;
        if plan.rehearses() {
            // It moves no rule, so none can lead to green.
            return Ok(None);
        }
        let (Some(right), Some(green_id)) = (
            right(kind, seen, plan.destination()),
            deployment.green_id.as_deref(),
        ) else {
            return Ok(None);
        };
        if self.rules.right_in == Some(kind) && !needs_rules(step) {
            return Ok(None);
        }
        let goes = goes(kind).filter(|_| needs_rules(step));
        let looked = tokio::select! {
            biased;
            looked = wrong(self.cloud, &mut self.rules, deployment, seen, green_id, right, goes) => looked,
            () = signalled(self.interrupted.clone()) => return Err(DriveError::Signal),
        };
        let wrong = match looked {
            Ok(Ok(wrong)) => wrong,
            Ok(Err(why)) => {
                self.rules_wait(deployment, &why, false);
                return Ok(Some(why));
            }
            Err(LookError::Credentials(why)) => return Err(DriveError::Credentials(why)),
            Err(LookError::Denied(why)) => return Err(DriveError::Denied(why)),
            Err(LookError::Passing(why) | LookError::Refused(why)) => {
                let why = format!("cannot see the rules of the shared load balancer: {why}");
                self.rules_wait(deployment, &why, false);
                return Ok(Some(why));
            }
        };
        if wrong.is_empty() {
            self.rules.right_in = Some(kind);
            return Ok(None);
        }
        self.rules.right_in = None;
        let mut told = None;
        for change in &wrong {
            told = self.point(deployment, change).await?.or(told);
        }
        let asked = || format!("{} was just asked to forward elsewhere", wrong[0].rule);
        Ok(Some(told.unwrap_or_else(asked)))
    }

    fn rules_wait(&mut self, deployment: &Deployment, why: &str, is_asked: bool) {
        let why = why.to_owned();
        self.tell(deployment, Happened::RulesWait { why, is_asked });
    }

    /// Asks for a rule to forward elsewhere; tells why where it cannot now. The next look
    /// shows what became of it.
    async fn point(
        &mut self,
        deployment: &Deployment,
        change: &Change,
    ) -> Result<Option<String>, DriveError> {
        let Some(send_by) = self.may_send(deployment).await? else {
            return Ok(None);
        };
        let asked = Happened::Asked {
            operation: "ModifyRule".to_owned(),
            subject: Some(change.rule.to_string()),
        };
        self.tell(deployment, asked);
        let outcome = tokio::select! {
            biased;
            outcome = self.cloud.move_rule(change, &send_by) => outcome,
            () = signalled(self.interrupted.clone()) => return Err(DriveError::Signal),
        };
        match outcome {
            Outcome::Applied { .. } | Outcome::NotApplied(Refusal::AlreadySo(_)) => Ok(None),
            Outcome::NotApplied(Refusal::Credentials(why)) => Err(DriveError::Credentials(why)),
            Outcome::NotApplied(Refusal::Denied(why)) => Err(DriveError::Denied(format!(
                "ModifyRule: {why}; users who come by {} still reach the environment that it \
                 forwards to, so bluegreen neither deploys to that one nor terminates it \
                 meanwhile; allow elasticloadbalancing:ModifyRule on it",
                change.rule
            ))),
            Outcome::Unclear(why)
            | Outcome::NotApplied(
                Refusal::Throttled(why)
                | Refusal::Busy(why)
                | Refusal::Unreachable(why)
                | Refusal::Invalid(why),
            ) => {
                let why = format!("AWS does not change {}: {why}", change.rule);
                self.rules_wait(deployment, &why, true);
                Ok(Some(why))
            }
        }
    }
}

/// The changes that make every rule forward where it should, or why there are none; no
/// changes where the environments share no load balancer. `goes` is the environment that is
/// to be terminated next.
async fn wrong<C: Cloud>(
    cloud: &C,
    rules: &mut Rules,
    deployment: &Deployment,
    seen: &Seen,
    green_id: &str,
    right: [Role; 2],
    goes: Option<Role>,
) -> Result<Result<Vec<Change>, String>, LookError> {
    let plan = &deployment.plan;
    let shared = match &rules.shared {
        Some(read) => read,
        None => {
            let there = if seen.blue.is_some() {
                Role::Blue
            } else {
                Role::Green
            };
            let read = cloud.shared_balancer(&plan.target.application, plan.environment(there));
            rules.shared.insert(read.await?)
        }
    };
    let Some(balancer) = shared else {
        return Ok(Ok(Vec::new()));
    };
    let found = cloud.rules(balancer).await?;
    let id = |role| match role {
        Role::Blue => plan.blue_id.as_str(),
        Role::Green => green_id,
    };
    let both = [plan.blue_id.as_str(), green_id];
    let wrong = changes(&found.following, &found.groups, both, |follow| {
        id(match follow {
            Follow::Production => right[0],
            Follow::Staging => right[1],
        })
    });
    let wrong = match wrong {
        Ok(wrong) if wrong.is_empty() => wrong,
        other => return Ok(other.map_err(|error| error.to_string())),
    };
    let holder = right[0];
    if let Some(rule) = found.left_behind(&plan.production_cname, both, id(holder)) {
        return Ok(Err(format!(
            "Elastic Beanstalk's own rule has not followed the swap: {rule} does not forward to \
             {}, which holds that name; point it there",
            plan.environment(holder)
        )));
    }
    if let Some(role) = goes
        && let Some(rule) = found.foreign(id(role)).next()
    {
        return Ok(Err(format!(
            "Elastic Beanstalk cannot delete {} while {rule} forwards to it: point the rule \
             elsewhere, or delete it",
            plan.environment(role)
        )));
    }
    Ok(Ok(wrong))
}
