//! Finding a deployment, wherever it is kept, and becoming the one who drives it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tracing::{info, warn};

use super::context::Context;
use super::signals::Standing;
use super::{Exit, Failed};
use crate::cloud::AwsCloud;
use crate::config::Config;
use crate::deployment::Deployment;
use crate::plan::{Plan, Target};
use crate::shared::{
    Contender, DeploymentRecord, HeldLease, Holder, Lease, LeaseAttempt, LeaseRecord, Listed,
    SharedError, SharedState,
};
use crate::store::{DriveLock, StoreError};
use crate::turn::Turn;

/// A deployment that this process may drive.
pub(super) struct Taken {
    pub cloud: AwsCloud,
    pub lock: DriveLock,
    /// None where the journal is in SQLite alone.
    pub lease: Option<Lease>,
    pub deployment: Deployment,
    /// Whether it rested when it was found, before its lease was taken: only then does an
    /// order speak of that rest.
    pub rested: bool,
}

/// What is in flight, or was.
pub(super) struct InFlight {
    pub found: Vec<(DeploymentRecord, Option<LeaseRecord>)>,
    /// Why what the bucket lists is not among them, or not all of it.
    pub unseen: Option<Failed>,
}

impl Context {
    /// The state in the bucket of a deployment, where it has one.
    pub fn shared_of(&self, cloud: &AwsCloud, plan: &Plan) -> Result<Option<SharedState>, Failed> {
        if plan.shared_state && self.options.no_shared_state {
            let message = format!(
                "--no-shared-state: deployment {} has its lock in bucket {}, and without it two \
                 processes could change its target",
                plan.id, plan.bucket
            );
            return Err(Failed::new(Exit::Refused, message).hint(
                "leave --no-shared-state out; where the bucket is gone for good, a new --state \
                 rebuilds the deployment from what AWS shows",
            ));
        }
        let shares = plan.shared_state;
        Ok(shares.then(|| SharedState::new(cloud.bucket(&plan.bucket))))
    }

    /// Refuses where no bucket is named and none is done without, for this reason.
    pub fn names_a_bucket(&self, why: &str) -> Result<(), Failed> {
        if self.options.no_shared_state
            || self.options.bucket.as_ref().is_some_and(|b| !b.is_empty())
        {
            return Ok(());
        }
        Err(Failed::new(Exit::Refused, format!("no bucket is named, and {why}")).hint(
            "name it with --bucket, or say --no-shared-state for the deployments of this journal alone",
        ))
    }

    /// Whether a deployment is known, here or in the bucket, to have ended.
    pub async fn has_ended(&self, id: &str) -> Result<bool, Failed> {
        match self.find(Some(id)).await {
            Ok(found) => Ok(found.deployment.state.is_end()),
            Err(failed) if failed.exit() == Exit::NoDeployment => Ok(false),
            Err(failed) => Err(failed),
        }
    }

    /// The state in the bucket that is named, where one is and may be used.
    pub async fn shared(&self) -> Result<Option<SharedState>, Failed> {
        match self.options.bucket.as_deref().filter(|b| !b.is_empty()) {
            Some(bucket) => self.shared_in(bucket).await,
            None => Ok(None),
        }
    }

    async fn shared_in(&self, bucket: &str) -> Result<Option<SharedState>, Failed> {
        if self.options.no_shared_state {
            return Ok(None);
        }
        let (cloud, _) = self.cloud().await?;
        Ok(Some(SharedState::new(cloud.bucket(bucket))))
    }

    /// The deployment with this id, from the journal or else from the bucket; the
    /// later one where both have it. Without an id, the only unfinished one of the
    /// application and blue environment that are named.
    pub async fn find(&self, id: Option<&str>) -> Result<DeploymentRecord, Failed> {
        let Some(id) = id else {
            return self.find_only().await;
        };
        let id = id.to_uppercase();
        let here = self.store.find(&id)?;
        let there = match (self.copy_of(&id, here.as_ref()).await, &here) {
            (Ok(there), _) => there,
            (Err(failed), Some(_)) => {
                warn!(
                    "the copy in the bucket is not to be seen: {}",
                    failed.message()
                );
                None
            }
            (Err(failed), None) => return Err(failed),
        };
        let here = here.map(|here| self.record(here)).transpose()?;
        later(here, there).ok_or_else(|| self.missing(&id))
    }

    /// A deployment's copy in its bucket, or in the one that is named.
    async fn copy_of(
        &self,
        id: &str,
        here: Option<&Deployment>,
    ) -> Result<Option<DeploymentRecord>, Failed> {
        let shared = match here {
            Some(here) if !here.plan.shared_state => None,
            Some(here) => self.shared_in(&here.plan.bucket).await?,
            None => self.shared().await?,
        };
        let Some(shared) = shared else {
            return Ok(None);
        };
        let found = Box::pin(bounded(shared.deployment(id))).await?;
        Ok(found.map(|found| found.value))
    }

    fn missing(&self, id: &str) -> Failed {
        let journal = self.store.path().display();
        if self.store.was_driven(id) {
            return Failed::new(
                Exit::NoDeployment,
                format!(
                    "deployment {id} ran with the journal {journal}, which has lost it: was its \
                     -wal file removed?"
                ),
            )
            .hint("bring the -wal file back, or name the bucket with --bucket");
        }
        let place = match &self.options.bucket {
            Some(bucket) if !self.options.no_shared_state => format!(" or in bucket {bucket}"),
            _ => String::new(),
        };
        Failed::new(
            Exit::NoDeployment,
            format!("there is no deployment {id} in the journal {journal}{place}"),
        )
        .hint("`bluegreen status --all` lists what there is")
    }

    /// The deployment with its transitions.
    pub fn record(&self, deployment: Deployment) -> Result<DeploymentRecord, StoreError> {
        let transitions = self.store.transitions(&deployment.plan.id)?;
        let outputs = self.store.outputs(&deployment.plan.id)?;
        Ok(DeploymentRecord::new(deployment, transitions).with_outputs(outputs))
    }

    async fn find_only(&self) -> Result<DeploymentRecord, Failed> {
        let named = |given: &Option<String>, name: &str| given.as_deref().is_none_or(|g| g == name);
        let InFlight { mut found, unseen } = self.unfinished().await?;
        found.retain(|(record, _)| {
            let target = &record.deployment.plan.target;
            named(&self.options.app, &target.application) && named(&self.options.blue, &target.blue)
        });
        match found.len() {
            1 => Ok(found.remove(0).0),
            0 => Err(unseen.unwrap_or_else(|| {
                Failed::new(Exit::NoDeployment, "no deployment is in flight")
                    .hint("`bluegreen status --all` lists what there is")
            })),
            several => {
                let ids: Vec<_> = found
                    .iter()
                    .map(|(record, _)| record.deployment.plan.id.as_str())
                    .collect();
                Err(Failed::new(
                    Exit::Usage,
                    format!("{several} deployments are in flight: {}", ids.join(", ")),
                )
                .hint("name one"))
            }
        }
    }

    /// What `list` finds in the bucket that is named, and why that is not all of it;
    /// that is warned of.
    async fn listed<T>(
        &self,
        list: impl AsyncFnOnce(SharedState) -> Result<Listed<T>, SharedError>,
    ) -> (Vec<T>, Option<Failed>) {
        let listed = match self.shared().await {
            // So many futures in each other are more than the compiler follows.
            Ok(Some(shared)) => Box::pin(list(shared)).await.map_err(Failed::from),
            Ok(None) => Ok(Listed::default()),
            Err(failed) => Err(failed),
        };
        let bucket = self.options.bucket.as_deref().unwrap_or_default();
        match listed {
            Ok(Listed { found, unreadable }) => {
                let not_all = format!("some objects in bucket {bucket} are not readable");
                (found, first_of(unreadable, &not_all))
            }
            Err(failed) => {
                let failed = failed.about(&format!("what is in bucket {bucket} is not to be seen"));
                warn!("{}", failed.message());
                (Vec::new(), Some(failed))
            }
        }
    }

    /// What is in flight, here and in the bucket, with its lease.
    pub async fn unfinished(&self) -> Result<InFlight, Failed> {
        let here = self.store.unfinished()?;
        let (mut copies, uncopied) = self.copies_of(&here).await;
        let mut found = Vec::new();
        for deployment in here {
            let there = copies.remove(&deployment.plan.id);
            let here = self.record(deployment)?;
            found.extend(later(Some(here), there).map(|record| (record, None)));
        }
        let (listed, unseen) = self
            .listed(async |shared| shared.unfinished(self.clock.now()).await)
            .await;
        let unseen = unseen.or(uncopied);
        for (record, lease) in listed {
            let id = &record.deployment.plan.id;
            match found.iter_mut().find(|(r, _)| r.deployment.plan.id == *id) {
                Some((_, known)) => *known = lease,
                None => found.push((record, lease)),
            }
        }
        found.retain(|(record, _)| !record.deployment.state.is_end());
        found.sort_by(|(a, _), (b, _)| a.deployment.plan.id.cmp(&b.deployment.plan.id));
        Ok(InFlight { found, unseen })
    }

    /// The copies of these deployments of the journal, each in its bucket, and why some are not
    /// to be seen; that is warned of.
    async fn copies_of(
        &self,
        here: &[Deployment],
    ) -> (HashMap<String, DeploymentRecord>, Option<Failed>) {
        let mut ids = BTreeMap::<_, Vec<_>>::new();
        for Deployment { plan, .. } in here.iter().filter(|one| one.plan.shared_state) {
            ids.entry(&*plan.bucket).or_default().push(&*plan.id);
        }
        let (mut copies, mut unseen) = (HashMap::new(), None);
        for (bucket, ids) in ids {
            let what = format!("copies of this journal's deployments in bucket {bucket}");
            let failed = match self.shared_in(bucket).await {
                Ok(None) => None,
                Ok(Some(shared)) => {
                    let Listed { found, unreadable } = Box::pin(shared.copies(ids)).await;
                    let found = found.into_iter();
                    copies.extend(found.map(|copy| (copy.deployment.plan.id.clone(), copy)));
                    first_of(unreadable, &format!("some {what} are not readable"))
                }
                Err(failed) => {
                    let failed = failed.about(&format!("the {what} are not to be seen"));
                    warn!("{}", failed.message());
                    Some(failed)
                }
            };
            unseen = unseen.or(failed);
        }
        (copies, unseen)
    }

    /// Why the copy of a deployment is not to be seen, where it is not: what the journal here
    /// has of it may be old.
    pub async fn uncopied(&self, deployment: &Deployment) -> Option<Failed> {
        self.copies_of(std::slice::from_ref(deployment)).await.1
    }

    /// Every deployment, here and in the bucket.
    pub async fn all(&self) -> Result<InFlight, Failed> {
        let list = async |shared: SharedState| shared.deployments().await;
        self.all_of(list).await
    }

    /// Every deployment here, and the newest in the bucket.
    pub async fn newest(&self) -> Result<InFlight, Failed> {
        let list = async |shared: SharedState| shared.newest(self.clock.now()).await;
        self.all_of(list).await
    }

    async fn all_of(
        &self,
        list: impl AsyncFnOnce(SharedState) -> Result<Listed<DeploymentRecord>, SharedError>,
    ) -> Result<InFlight, Failed> {
        let mut found = Vec::new();
        for deployment in self.store.all()? {
            found.push((self.record(deployment)?, None));
        }
        let (listed, unseen) = self.listed(list).await;
        let there = listed.into_iter();
        let mut there: BTreeMap<_, _> = there
            .map(|copy| (copy.deployment.plan.id.clone(), copy))
            .collect();
        for (record, _) in &mut found {
            let copy = there.remove(&record.deployment.plan.id);
            if let Some(later) = copy.filter(|c| c.deployment.age() > record.deployment.age()) {
                *record = later;
            }
        }
        found.extend(there.into_values().map(|record| (record, None)));
        found.sort_by(|(a, _), (b, _)| a.deployment.plan.id.cmp(&b.deployment.plan.id));
        Ok(InFlight { found, unseen })
    }

    /// The lease of a deployment's target, where it is to be seen and is for it.
    pub async fn lease_of(&self, deployment: &Deployment) -> Option<LeaseRecord> {
        if !deployment.plan.shared_state {
            return None;
        }
        let shared = self.shared_in(&deployment.plan.bucket).await.ok()??;
        let lease = bounded(shared.lease(&deployment.plan.target))
            .await
            .ok()??;
        (lease.value.deployment == deployment.plan.id).then_some(lease.value)
    }

    /// Becomes the process that drives a deployment: on this machine, and
    /// everywhere. Waits for as long as it takes to see whether whoever holds its
    /// lease is alive.
    pub async fn take_up(&mut self, record: DeploymentRecord) -> Result<Taken, Failed> {
        let id = record.deployment.plan.id.clone();
        let rested = record.deployment.state.rests();
        let lock = self.store.lock_drive(&id)?;
        // What the process before wrote at last.
        let here = self.store.find(&id)?;
        let here = here.map(|here| self.record(here)).transpose()?;
        let record = later(here, Some(record)).expect("one of the two is there");
        let cloud = self.cloud_of(&record.deployment.plan).await?;
        // Whether its word is taken is judged once nobody else drives it.
        let deployment = record.deployment;
        let lease = match self.shared_of(&cloud, &deployment.plan)? {
            None => {
                self.has_lost_nothing(&deployment, &lock)?;
                None
            }
            Some(shared) => {
                let contender = self.contender(shared, &deployment.plan.target, &id)?;
                let mut contender = contender.beyond(deployment.fence);
                Some(self.lease(&mut contender, &deployment).await?)
            }
        };
        Ok(Taken {
            cloud,
            lock,
            lease,
            deployment,
            rested,
        })
    }

    /// A journal that knows less than the process before had written has lost its
    /// log; without a copy elsewhere nothing tells what was asked of AWS.
    fn has_lost_nothing(
        &self,
        deployment: &Deployment,
        lock: &DriveLock,
    ) -> Result<(), StoreError> {
        match lock.left_at() {
            Some(left_at) if left_at > deployment.revision => Err(StoreError::Damaged {
                path: self.store.path().to_owned(),
                message: format!(
                    "its last checkpoint is {} of deployment {}, and there were {left_at}: was its \
                     -wal file removed?",
                    deployment.revision, deployment.plan.id
                ),
            }),
            _ => Ok(()),
        }
    }

    /// Whoever wants the lease of a target for a deployment of this journal.
    pub fn contender(
        &self,
        shared: SharedState,
        target: &Target,
        id: &str,
    ) -> Result<Contender, StoreError> {
        let me = Holder::this_process(Some(&self.store.identity()?));
        Ok(Contender::new(
            shared,
            self.clock,
            target.clone(),
            id.to_owned(),
            me,
            self.options.lease,
        ))
    }

    /// The turn of a deployment that is to have this id.
    pub fn turn(
        &self,
        cloud: &AwsCloud,
        config: &Config,
        target: &Target,
        id: &str,
    ) -> Result<Turn, StoreError> {
        let shared = config.shared_state;
        let shared = shared.then(|| SharedState::new(cloud.bucket(&config.bucket)));
        let often = (self.options.lease, config.wishes.limits.poll);
        Turn::of(&self.store, &self.clock, shared, (target, id), often)
    }

    async fn lease(
        &self,
        contender: &mut Contender,
        deployment: &Deployment,
    ) -> Result<Lease, Failed> {
        let id = &deployment.plan.id;
        let limits = &deployment.plan.wishes.limits;
        let since = self.clock.now();
        let mut told = false;
        loop {
            match self.attempt(contender, deployment).await? {
                Attempt::Taken(lease) => return Ok(lease),
                Attempt::Away(error) if self.clock.now().since(since) >= limits.patience => {
                    return Err(Failed::drive(id, error.into()));
                }
                Attempt::Away(error) => {
                    warn!("the lock cannot be taken for now: {error}");
                    self.rest(limits.poll).await?;
                }
                Attempt::Held(held) if held.renewed => return Err(held.into()),
                Attempt::Held(held) => {
                    if !told {
                        info!(
                            id,
                            "{}; waiting for at most {} to see whether it is renewed",
                            held.lease.in_words(),
                            whole_seconds(held.runs_out_in)
                        );
                        told = true;
                    }
                    let pause = pause(&held);
                    self.rest(pause).await?;
                }
            }
        }
    }

    /// One attempt at the lease, for a deployment that exists.
    pub async fn attempt(
        &self,
        contender: &mut Contender,
        deployment: &Deployment,
    ) -> Result<Attempt, Failed> {
        let id = &deployment.plan.id;
        let doing = deployment.state.kind().to_string();
        let is_dead = |lease: &LeaseRecord| self.holder_is_dead(lease, id);
        match self.claim(contender, &doing, is_dead).await? {
            Ok(LeaseAttempt::Taken(lease)) => Ok(Attempt::Taken(lease)),
            Ok(LeaseAttempt::Held(held)) => Ok(Attempt::Held(held)),
            Ok(LeaseAttempt::Unfinished(_, record)) => Err(in_flight(&record.deployment).into()),
            Err(error @ SharedError::Away { .. }) => Ok(Attempt::Away(error)),
            Err(error) => Err(Failed::taking_up(id, error.into())),
        }
    }

    /// One attempt at a lease, which is given back where a signal comes meanwhile.
    pub async fn claim(
        &self,
        contender: &mut Contender,
        doing: &str,
        is_dead: impl Fn(&LeaseRecord) -> bool,
    ) -> Result<Result<LeaseAttempt, SharedError>, Failed> {
        self.signals.stand(Standing::Holding);
        let claiming = async { Ok(contender.attempt(doing, is_dead).await) };
        let give_back = async |claim| {
            if let Ok(LeaseAttempt::Taken(lease)) = claim {
                lease.release().await;
            }
        };
        self.signals.take(claiming, give_back).await
    }

    /// A holder that drove with this journal on this machine, and does so no more.
    pub fn holder_is_dead(&self, lease: &LeaseRecord, id: &str) -> bool {
        let journal = self.store.identity().ok();
        let me = Holder::this_process(journal.as_deref());
        let shares = |holder: &Holder| holder.shares_journal_with(&me);
        lease.holder.as_ref().is_some_and(shares)
            && (lease.deployment == id || !self.store.is_driven(&lease.deployment))
    }

    /// Waits for `pause` of this context's time, or for a signal.
    pub async fn rest(&self, pause: Duration) -> Result<(), Failed> {
        self.signals.rest(&self.clock, pause).await
    }
}

/// An attempt at the lease of a deployment that exists.
pub(super) enum Attempt {
    Taken(Lease),
    Held(HeldLease),
    /// The bucket is away.
    Away(SharedError),
}

/// How long to wait before looking at a lease again.
pub(super) fn pause(held: &HeldLease) -> Duration {
    let often = held.lease.length() / 20;
    held.runs_out_in.min(often).max(Duration::from_millis(100))
}

pub(super) fn whole_seconds(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}

/// The target has this deployment, which is not finished.
pub(super) fn in_flight(deployment: &Deployment) -> StoreError {
    let plan = &deployment.plan;
    StoreError::InFlight {
        id: plan.id.clone(),
        application: plan.target.application.clone(),
        blue: plan.target.blue.clone(),
        state: deployment.state.kind().to_string(),
    }
}

/// How many objects that cannot be read are named.
const NAMED_MAX: usize = 5;

/// Warns of what could not be read, and gives the first of it.
fn first_of(mut unreadable: Vec<SharedError>, about: &str) -> Option<Failed> {
    let all = unreadable.len();
    unreadable.retain(|error| !error.has_ended());
    let ended = all - unreadable.len();
    if ended > 0 {
        info!(
            "{ended} deployments that have ended were not written with the state key that is given, \
             and are not shown"
        );
    }
    for error in unreadable.iter().take(NAMED_MAX) {
        warn!("{error}");
    }
    let more = unreadable.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        warn!("{about}: {more} more could not be read");
    }
    let first = unreadable.into_iter().next();
    first.map(|error| Failed::from(error).about(about))
}

/// How long the bucket is waited for where the journal here may do.
const GLANCE: Duration = Duration::from_secs(10);

async fn bounded<T>(asked: impl Future<Output = Result<T, SharedError>>) -> Result<T, SharedError> {
    tokio::time::timeout(GLANCE, asked)
        .await
        .unwrap_or_else(|_| {
            Err(SharedError::Away {
                bucket: String::new(),
                message: format!("no answer within {}", whole_seconds(GLANCE)),
            })
        })
}

fn later(
    here: Option<DeploymentRecord>,
    there: Option<DeploymentRecord>,
) -> Option<DeploymentRecord> {
    match (here, there) {
        (Some(here), Some(there)) if there.deployment.age() > here.deployment.age() => Some(there),
        (Some(here), _) => Some(here),
        (None, there) => there,
    }
}
