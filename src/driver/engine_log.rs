//! The end of an instance's `eb-engine.log` after a deploy that failed: it says why. The deployment
//! is where it is by then, and nothing here changes that.

use std::time::Duration;

use super::{Driver, signalled};
use crate::clock::{Clock, Moment};
use crate::cloud::{Cloud, LogTail, LookError};
use crate::deployment::Deployment;
use crate::events::Happened;
use crate::machine::{Cause, Kind};

/// How long bluegreen waits for the log at most. EB CLI gives the service two minutes.
const WITHIN: Duration = Duration::from_secs(90);
/// How often it asks for what the service has collected.
const INTERVAL: Duration = Duration::from_secs(5);
/// How far the clocks of AWS and of this machine may differ.
const CLOCK_SKEW: Duration = Duration::from_secs(30);

impl<C: Cloud> Driver<'_, C> {
    /// Reports the end of the log after the state in which a deploy failed; best effort, and once a
    /// failure.
    pub(super) async fn tell_the_engine_log(&mut self, deployment: &mut Deployment, left: Kind) {
        let plan = &deployment.plan;
        let failed = matches!(deployment.state.cause(), Some(Cause::DeployFailed { .. }));
        let (environment, id) = match left {
            Kind::Deploying if failed => (plan.target.blue.clone(), Some(plan.blue_id.clone())),
            Kind::DeployingGreen if failed => (plan.green.clone(), deployment.green_id.clone()),
            _ => return,
        };
        let Some(id) = id else { return };
        let happened = {
            let (cloud, clock) = (self.cloud, self.clock);
            let late = || {
                format!(
                    "it was not there within {}",
                    humantime::format_duration(WITHIN)
                )
            };
            let read = tokio::select! {
                biased;
                () = signalled(self.interrupted.clone()) => return,
                read = read(cloud, clock, &id) => read.map_err(|error| error.to_string()),
                () = clock.sleep(WITHIN) => Err(late()),
            };
            match read {
                Ok(LogTail { instance, lines }) => Happened::EngineLog {
                    environment,
                    instance,
                    lines,
                },
                Err(why) => Happened::EngineLogUnread { environment, why },
            }
        };
        self.tell(deployment, happened);
        // So that the bucket has it too; what fails here fails again where it matters.
        let next = deployment.clone();
        let _ = self.checkpoint(deployment, next, "", None).await;
    }
}

async fn read<C: Cloud>(
    cloud: &C,
    clock: Clock,
    environment_id: &str,
) -> Result<LogTail, LookError> {
    let since: Moment = clock.now().before(CLOCK_SKEW);
    cloud.request_tails(environment_id).await?;
    loop {
        clock.sleep(INTERVAL).await;
        match cloud.collected_tail(environment_id, since).await {
            Ok(Some(tail)) => return Ok(tail),
            // The service may not have it yet.
            Ok(None) | Err(LookError::Passing(_)) => {}
            Err(error) => return Err(error),
        }
    }
}
