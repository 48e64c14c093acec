//! How long the deployments of a target have taken.

use crate::deployment::Deployment;
use crate::machine::Kind;
use crate::plan::Target;
use crate::preflight::Past;
use crate::store::{Store, StoreError};

/// How long the states of this target's completed deployments have taken.
///
/// # Errors
/// [`StoreError`] where the journal does not read.
pub(super) fn past(store: &Store, target: &Target) -> Result<Past, StoreError> {
    let mut past = Past::default();
    let is_of_target = |deployment: &Deployment| {
        deployment.state.kind() == Kind::Completed && deployment.plan.target == *target
    };
    for deployment in store.all()?.iter().filter(|one| is_of_target(one)) {
        let mut began = deployment.started_at;
        for transition in store.transitions(&deployment.plan.id)? {
            let took = transition.at.since(began);
            past.0.entry(transition.from).or_default().push(took);
            began = transition.at;
        }
    }
    Ok(past)
}
