//! How long the deployments of a target have taken.

use std::collections::BTreeMap;

use crate::deployment::Deployment;
use crate::machine::Kind;
use crate::plan::Target;
use crate::preflight::Past;
use crate::store::{Store, StoreError};

/// How many of the last deployments of a target say how long the next one takes.
const RECENT: u32 = 50;

/// The last deployments of a target, in their order.
///
/// # Errors
/// [`StoreError`] where the journal does not read.
pub(super) fn recent(store: &Store, target: &Target) -> Result<Vec<Deployment>, StoreError> {
    store.newest_of(target, RECENT)
}

/// How long the states of these deployments, where they are completed, have taken.
///
/// # Errors
/// [`StoreError`] where the journal does not read.
pub(super) fn past(store: &Store, recent: &[Deployment]) -> Result<Past, StoreError> {
    let mut past = Past::default();
    let is_completed = |one: &&Deployment| one.state.kind() == Kind::Completed;
    for deployment in recent.iter().filter(is_completed) {
        let mut began = deployment.started_at;
        for transition in store.transitions(&deployment.plan.id)? {
            let took = transition.at.since(began);
            past.0.entry(transition.from).or_default().push(took);
            began = transition.at;
        }
    }
    Ok(past)
}

/// The versions that did not stay, because the deployment that released them last was rolled back or
/// undone: the id of that deployment by version label. These are of one target, in their order.
pub(super) fn given_back(all: &[Deployment]) -> BTreeMap<String, String> {
    let mut given_back = BTreeMap::new();
    let mut released: Option<&Deployment> = None;
    for deployment in all.iter().filter(|one| !one.plan.rehearses()) {
        let plan = &deployment.plan;
        match deployment.state.kind() {
            Kind::RolledBack => {
                given_back.insert(plan.version.clone(), plan.id.clone());
            }
            Kind::Completed => {
                given_back.remove(&plan.version);
                let undone = released.map(|released| &released.plan);
                let undone = undone.filter(|undone| plan.undoes(undone));
                if let Some(undone) = undone {
                    given_back.insert(undone.version.clone(), undone.id.clone());
                }
                // To release again what was undone undoes nothing.
                released = undone.is_none().then_some(deployment);
            }
            _ => {}
        }
    }
    given_back
}

#[cfg(test)]
mod tests {
    use super::given_back;
    use crate::deployment::Deployment;
    use crate::machine::{Cause, State};
    use crate::shared::DeploymentRecord;

    fn deployment(id: &str, (from, to): (&str, &str), state: State) -> Deployment {
        let mut deployment = DeploymentRecord::sample(id).deployment;
        deployment.plan.previous_version = from.to_owned();
        deployment.plan.version = to.to_owned();
        deployment.state = state;
        deployment
    }

    fn rolled_back() -> State {
        State::RolledBack {
            cause: Cause::AskedToRetreat,
        }
    }

    #[test]
    fn what_was_rolled_back_or_undone_last_did_not_stay() {
        let all = [
            deployment("1", ("v1", "v2"), rolled_back()),
            deployment("2", ("v1", "v3"), rolled_back()),
            deployment("3", ("v1", "v3"), State::Completed),
            deployment("4", ("v3", "v4"), State::Completed),
            deployment("5", ("v4", "v3"), State::Completed),
        ];
        let found = given_back(&all);
        let found: Vec<_> = found
            .iter()
            .map(|(version, id)| (&**version, &**id))
            .collect();
        assert_eq!(found, [("v2", "1"), ("v4", "4")]);
        let again = deployment("6", ("v3", "v4"), State::Completed);
        let all: Vec<_> = all.into_iter().chain([again]).collect();
        assert_eq!(given_back(&all).keys().collect::<Vec<_>>(), ["v2"]);
    }
}
