//! Reads AWS before the driver begins, for as long as the state's timeout lasts.

use super::drive::Session;
use super::error::Error;
use super::observer::{Notice, Observer};
use crate::claim::Interruption;
use crate::clock::{Clock, Stopwatch};
use crate::cloud::{AwsCloud, Environment, LookError};
use crate::driver::DriveError;
use crate::plan::{Limits, Plan};

/// Reads AWS for one deployment, and waits where AWS does not answer.
pub(super) struct Reader<'a> {
    pub cloud: AwsCloud,
    clock: Clock,
    interruption: Interruption,
    observer: &'a dyn Observer,
}

impl<'a> Session<'a> {
    pub(super) fn reader(&self) -> Reader<'a> {
        Reader {
            cloud: self.cloud.clone(),
            clock: self.clock,
            interruption: self.interruption.clone(),
            observer: self.observer,
        }
    }

    /// Sets the clock by AWS's, and refuses where blue is not of this account: an empty answer
    /// would read as blue and green gone.
    pub(super) async fn find_environments(&mut self, plan: &Plan) -> Result<(), Error> {
        let target = &plan.target;
        // Drains and quarantines count from moments that the journal has from another machine, so
        // nothing is decided before AWS has told what time it is.
        let names = [target.blue.clone(), plan.green.clone()];
        let look = async |cloud: &AwsCloud| cloud.environments(&names).await;
        let found = self.reader().until_it_answers(plan, look).await?;
        self.clock = self.cloud.corrected(self.clock);
        let account =
            |environment: &Environment| environment.arn.split(':').nth(4).map(str::to_owned);
        let elsewhere = found
            .iter()
            .filter_map(account)
            .find(|account| *account != target.account);
        let seen = match elsewhere {
            Some(other) => format!("these credentials are of account {other}"),
            None if found.is_empty() => format!(
                "these credentials can see neither {} nor {}",
                target.blue, plan.green
            ),
            None => return Ok(()),
        };
        Err(Error::Elsewhere {
            seen,
            id: plan.id.clone(),
            account: target.account.clone(),
            region: target.region.clone(),
        })
    }
}

impl Reader<'_> {
    /// The result of a read, once AWS answers.
    pub async fn until_it_answers<T>(
        &self,
        plan: &Plan,
        look: impl AsyncFn(&AwsCloud) -> Result<T, LookError>,
    ) -> Result<T, Error> {
        let Limits { patience, poll, .. } = plan.wishes.limits;
        let since = Stopwatch::start(&self.clock);
        loop {
            let message = match self.interruption.unless(look(&self.cloud)).await? {
                Ok(found) => return Ok(found),
                Err(error) => DriveError::unless_passing(error)
                    .map_err(|ends| Error::drive(&plan.id, ends))?,
            };
            let lasted = since.elapsed_at_least();
            if lasted >= patience {
                let error = DriveError::Unreachable { lasted, message };
                return Err(Error::drive(&plan.id, error));
            }
            self.observer.observe(Notice::AwsUnread(&message));
            self.interruption.unless(self.clock.sleep(poll)).await?;
        }
    }
}
