//! What a deployment's state waits for.

use super::sighting::Sighting;
use super::wait::{Timed, Wait};
use super::{Streaks, tested, version_under_test};
use crate::deployment::Deployment;
use crate::machine::Kind;
use crate::moment::Moment;
use crate::plan::Role;

impl Streaks {
    /// What the state waits for, as far as the last polls show. The timeout is counted from
    /// `since`.
    #[must_use]
    pub fn waits(
        &self,
        deployment: &Deployment,
        sighting: &Sighting,
        (since, now): (Moment, Moment),
    ) -> Vec<Wait> {
        let limits = &deployment.plan.wishes.limits;
        let kind = deployment.state.kind();
        let mut waits = Vec::new();
        let destination = [deployment.plan.destination()];
        let needs_healthy: &[Role] = match kind {
            Kind::Warming => &[Role::Blue, Role::Green],
            Kind::TestingGreen | Kind::SwappingToGreen => &[Role::Green],
            Kind::Testing | Kind::SwappingToBlue => &[Role::Blue],
            Kind::Baking => &destination,
            _ => &[],
        };
        waits.extend(needs_healthy.iter().map(|role| Wait::HealthChecks {
            environment: *role,
            passed: self.healthy(*role).min(limits.healthy_looks),
            limit: limits.healthy_looks,
        }));
        if let Some(environment) = tested(deployment) {
            let tests = deployment
                .plan
                .tests_towards(version_under_test(deployment));
            let counts = tests.iter().enumerate().map(|(at, test)| {
                let passes = self.tests.get(at).map_or(0, |streak| streak.passes);
                let limit = test.passes.unwrap_or(limits.test_passes);
                (passes.min(limit), limit)
            });
            let furthest = counts.max_by_key(|(passed, limit)| limit.saturating_sub(*passed));
            waits.extend(furthest.map(|(passed, limit)| Wait::Tests {
                environment,
                passed,
                limit,
            }));
        }
        if let (Some(instances), Some(_)) = (&sighting.instances, deployment.deploys_to()) {
            let goal = deployment.plan.goal_version();
            let count = |found: usize| u32::try_from(found).unwrap_or(u32::MAX);
            waits.push(Wait::Instances {
                passed: count(instances.iter().filter(|one| one.runs(goal)).count()),
                limit: count(instances.len()),
            });
        }
        let moved = deployment
            .traffic_moved_at
            .filter(|_| deployment.may_drain());
        if let (Some(moved), Some(serving)) = (moved, sighting.production(&deployment.plan)) {
            waits.push(Wait::Time {
                of: Timed::Drain,
                lasted: now.since(moved).min(limits.drain),
                limit: limits.drain,
            });
            waits.extend(
                sighting
                    .idle_traffic
                    .as_ref()
                    .map(|traffic| Wait::Requests {
                        environment: serving.other(),
                        measured: traffic.per_instance(),
                        limit: deployment.quiet_requests(),
                    }),
            );
        }
        if kind == Kind::Baking {
            waits.push(Wait::Time {
                of: Timed::Bake,
                lasted: now.since(deployment.entered_at).min(limits.bake),
                limit: limits.bake,
            });
        }
        waits.push(Wait::Time {
            of: Timed::Timeout,
            lasted: now.since(since),
            limit: deployment.patience(),
        });
        waits
    }
}
