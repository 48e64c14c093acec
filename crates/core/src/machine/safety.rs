//! The live-safety rule.

use super::effect::Effect;
use super::seen::{EnvSeen, Phase, Seen};
use crate::followers::preview::Lead;
use crate::plan::Role;

/// The live-safety rule, judged on a fresh poll at the last moment: bluegreen requests nothing that
/// interrupts the environment that holds the production CNAME or that still drains, and a swap only
/// moves production to where the deployment needs it.
#[must_use]
pub fn is_safe(effect: &Effect, seen: &Seen) -> bool {
    match effect {
        Effect::Deploy { environment_id, .. } | Effect::AbortUpdate { environment_id } => {
            let role = seen.role_of(environment_id);
            let is_abort = matches!(effect, Effect::AbortUpdate { .. });
            let is_others = is_abort && seen.others_update(role).is_some();
            seen.production == Some(role.other()) && seen.drained && !is_others
        }
        // A busy environment may be in the middle of a swap.
        Effect::TerminateGreen { .. } => {
            seen.production == Some(Role::Blue)
                && seen.drained
                && !seen.our_green().is_some_and(EnvSeen::is_busy)
                && !seen.production_goes()
        }
        Effect::TerminateBlue { .. } => {
            seen.production == Some(Role::Green)
                && seen.drained
                && !seen.blue.as_ref().is_some_and(EnvSeen::is_busy)
                && !seen.production_goes()
        }
        Effect::Resize { role, .. } => seen.ready(*role).is_some(),
        Effect::Swap { to, .. } => {
            seen.production == Some(to.other()) && seen.both_ready().is_some()
        }
        Effect::UploadBundle
        | Effect::RegisterVersion
        | Effect::CreateTemplate
        | Effect::CreateGreen
        | Effect::DeleteTemplate => true,
        // Production's rules go to the holder of the production CNAME, preview hostnames never do,
        // and nothing is made to lead to an environment that is going.
        Effect::MoveRules { owners, .. } => {
            seen.production == Some(owners.production)
                && stays(seen, owners.production)
                && stays(seen, owners.staging)
        }
        Effect::MoveRecords {
            lead: Lead::To(role),
            ..
        } => seen.production == Some(role.other()) && stays(seen, *role),
        Effect::MoveRecords {
            lead: Lead::Back, ..
        } => true,
    }
}

/// Whether an environment is there and is not being terminated.
fn stays(seen: &Seen, role: Role) -> bool {
    let environment = seen.environment(role);
    environment.is_some_and(|environment| environment.phase != Phase::Terminating)
}
