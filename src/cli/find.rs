//! Finding a deployment, wherever it is kept.

use std::collections::{BTreeMap, HashMap};

use tracing::{info, warn};

use super::context::Context;
use super::exit::{Exit, Failed};
use crate::deployment::Deployment;
use crate::machine::Kind;
use crate::plan::{Plan, Target};
use crate::report::{Entry, Runner};
use crate::shared::{
    DeploymentRecord, Holder, LeaseRecord, Listed, Origin, SharedError, SharedState, at_a_glance,
};

/// What stands for the id of the last deployment that began.
const LATEST: &str = "latest";

/// How long an id is, and how much of its beginning may stand for it.
const ID_LENGTH: usize = 26;
const ID_LEAST: usize = 4;

/// How many of several matching ids an error lists.
const IDS_LISTED: usize = 5;

/// How many letters an id may be off for another one to be suggested.
const ID_MISSPELT: usize = 3;

/// What is in flight, or was.
pub(super) struct InFlight {
    pub found: Vec<(DeploymentRecord, Option<LeaseRecord>)>,
    /// Why some or all of what the bucket lists is missing.
    pub unseen: Option<Failed>,
}

/// The beginning of an id that is too short, or that several ids have.
fn not_one(given: &str, meant: &[&String]) -> Failed {
    // The newest ones are those that somebody asks about.
    let newest = meant.iter().rev().take(IDS_LISTED);
    let lines: String = newest.map(|id| format!("\n  {id}")).collect();
    let listed = match meant.len() {
        0..=IDS_LISTED => lines,
        _ => format!("{lines}\n  and older ones"),
    };
    let message = match meant.len() {
        1 => {
            format!("{given:?} is too short for an id, and one deployment begins with it:{listed}")
        }
        many => format!("{given:?} is the beginning of {many} deployments:{listed}"),
    };
    Failed::new(Exit::Usage, message).hint(format!(
        "nothing was changed; give at least {ID_LEAST} characters, and enough for one deployment, or \
         say latest"
    ))
}

impl Context {
    /// Refuses a deployment whose lock is in a bucket that this command may not use.
    pub fn may_use_its_lease(&self, plan: &Plan) -> Result<(), Failed> {
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
        Ok(())
    }

    /// Refuses, for this reason, where no bucket is named and `--no-shared-state` is not set.
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
        let id = self.whole_id(id).await?;
        match self.known(&id).await? {
            Some(found) => Ok(found),
            None => Err(match self.resembling(&id).await {
                Some(other) => self.missing(&id).hint(format!("did you mean {other}?")),
                None => self.missing(&id),
            }),
        }
    }

    /// The deployment with this whole id, from the journal or else from the bucket; the later one
    /// where both have it, and `None` where neither has.
    pub async fn known(&self, id: &str) -> Result<Option<DeploymentRecord>, Failed> {
        let here = self.store.find(id)?;
        let there = match (self.copy_of(id, here.as_ref()).await, &here) {
            (Ok(there), _) => there,
            (Err(failed), Some(_)) => {
                warn!(
                    "the copy in the bucket cannot be read, the journal here is used: {}",
                    failed.message()
                );
                None
            }
            (Err(failed), None) => return Err(failed),
        };
        let here = here
            .map(|here| DeploymentRecord::here(&self.store, here))
            .transpose()?;
        Ok(DeploymentRecord::later(here, there))
    }

    /// The id of the deployment that somebody means: `latest`, the beginning of one id alone, or
    /// the id itself.
    pub async fn whole_id(&self, given: &str) -> Result<String, Failed> {
        let id = given.to_uppercase();
        let is_latest = given == LATEST;
        if !is_latest && id.len() >= ID_LENGTH {
            return Ok(id);
        }
        let known = self.newest().await?;
        let known = known
            .found
            .iter()
            .map(|(record, _)| &record.deployment.plan.id);
        let mut meant: Vec<_> = known
            .filter(|known| is_latest || known.starts_with(&id))
            .collect();
        if is_latest {
            meant = meant.pop().into_iter().collect();
        }
        match *meant {
            [] if is_latest => Err(Failed::new(
                Exit::NoDeployment,
                format!("there is no deployment in {}", self.searched()),
            )),
            [] => Ok(id),
            [one] if is_latest || id.len() >= ID_LEAST => Ok(one.clone()),
            _ => Err(not_one(given, &meant)),
        }
    }

    /// The known id that resembles this one, where one does.
    async fn resembling(&self, id: &str) -> Option<String> {
        let known = self.newest().await.ok()?.found.into_iter();
        let known = known.map(|(record, _)| record.deployment.plan.id);
        let near = known.map(|known| (strsim::damerau_levenshtein(&known, id), known));
        let (far, nearest) = near.min()?;
        (far <= ID_MISSPELT).then_some(nearest)
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
        let found = Box::pin(at_a_glance(shared.deployment(id))).await?;
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

    async fn find_only(&self) -> Result<DeploymentRecord, Failed> {
        let InFlight { mut found, unseen } = self.unfinished().await?;
        found.retain(|(record, _)| self.is_named(&record.deployment.plan.target));
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

    /// What `list` finds in the named bucket, and why that is not everything; the command warns of
    /// that.
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
                let not_all = format!("some objects in bucket {bucket} cannot be read");
                (found, first_of(unreadable, &not_all))
            }
            Err(failed) => {
                let failed = failed.about(&format!(
                    "the deployments in bucket {bucket} cannot be read"
                ));
                warn!("{}", failed.message());
                (Vec::new(), Some(failed))
            }
        }
    }

    /// Every deployment in flight, here and in the bucket, with its lock.
    pub async fn unfinished(&self) -> Result<InFlight, Failed> {
        let here = self.store.unfinished()?;
        let (mut copies, uncopied) = self.copies_of(&here).await;
        let mut found = Vec::new();
        for deployment in here {
            let there = copies.remove(&deployment.plan.id);
            let here = DeploymentRecord::here(&self.store, deployment)?;
            found.extend(DeploymentRecord::later(Some(here), there).map(|record| (record, None)));
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

    /// Every deployment in flight, and the last one of each target that is stuck.
    pub async fn open_matters(&self) -> Result<InFlight, Failed> {
        let mut matters = self.unfinished().await?;
        let InFlight { found, unseen } = self.last_of_each_target().await?;
        let stuck = found.into_iter();
        let stuck = stuck.filter(|(one, _)| one.deployment.state.kind() == Kind::Stuck);
        matters.found.extend(stuck);
        matters.unseen = matters.unseen.or(unseen);
        Ok(matters)
    }

    /// The last deployment of each target.
    pub async fn last_of_each_target(&self) -> Result<InFlight, Failed> {
        let InFlight { found, unseen } = self.newest().await?;
        let of_target = |(record, _): &(DeploymentRecord, _)| record.deployment.plan.target.clone();
        let last: BTreeMap<_, _> = found
            .into_iter()
            .map(|one| (of_target(&one), one))
            .collect();
        Ok(InFlight {
            found: last.into_values().collect(),
            unseen,
        })
    }

    /// Whether a target is of the application and the blue environment that are named.
    pub fn is_named(&self, target: &Target) -> bool {
        let named = |given: &Option<String>, name: &str| given.as_deref().is_none_or(|g| g == name);
        named(&self.options.app, &target.application) && named(&self.options.blue, &target.blue)
    }

    /// Whether a process may carry a deployment on: one here, or the holder of its lock unless
    /// that was silent for the lock's length.
    pub fn is_carried_on(&self, deployment: &Deployment, lease: Option<&LeaseRecord>) -> bool {
        let journal = self.store.identity().ok();
        let me = Holder::this_process(journal.as_deref());
        let renewed = |lease: &LeaseRecord| {
            lease.holder.is_some()
                && !lease.is_of_a_dead_process(&self.store, &me)
                && self.clock.now().since(lease.renewed_at) < lease.length()
        };
        self.store.is_driven(&deployment.plan.id) || lease.is_some_and(renewed)
    }

    /// A deployment with all that is kept of it, and whether a process carries it on.
    pub fn entry(
        &self,
        record: DeploymentRecord,
        lease: Option<LeaseRecord>,
    ) -> Result<Entry, Failed> {
        let events = match record.origin {
            Origin::Journal => self.store.events(&record.deployment.plan.id)?,
            Origin::Authenticated | Origin::Bucket => record.events,
        };
        let is_carried_on = self.is_carried_on(&record.deployment, lease.as_ref());
        Ok(Entry {
            outputs: record.outputs,
            lease,
            runner: Runner::other_than_this(is_carried_on),
            ..Entry::of(record.deployment, record.transitions, events)
        })
    }

    /// Where this command searches for deployments, in words.
    pub fn searched(&self) -> String {
        let journal = self.store.path().display();
        match self.options.bucket.as_deref().filter(|b| !b.is_empty()) {
            Some(bucket) if !self.options.no_shared_state => {
                format!("journal {journal} and bucket {bucket}")
            }
            _ => format!("journal {journal} and no bucket"),
        }
    }

    /// The copies of these deployments of the journal, each in its bucket, and why some of them
    /// cannot be read; the command warns of that.
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
                    first_of(unreadable, &format!("some {what} cannot be read"))
                }
                Err(failed) => {
                    let failed = failed.about(&format!("the {what} cannot be read"));
                    warn!("{}", failed.message());
                    Some(failed)
                }
            };
            unseen = unseen.or(failed);
        }
        (copies, unseen)
    }

    /// Why the copy of a deployment cannot be read, where it cannot: what the journal here has of
    /// it may be old.
    pub async fn uncopied(&self, deployment: &Deployment) -> Option<Failed> {
        self.copies_of(std::slice::from_ref(deployment)).await.1
    }

    /// Every deployment, here and in the bucket.
    pub async fn all(&self) -> Result<InFlight, Failed> {
        let list = async |shared: SharedState| shared.deployments().await;
        self.with_copies(self.store.all()?, list).await
    }

    /// So many of the last deployments before one with this id, or of all, here and in the bucket.
    pub async fn page(&self, before: Option<&str>, so_many: u32) -> Result<InFlight, Failed> {
        let count = usize::try_from(so_many).unwrap_or(usize::MAX);
        let list = async |shared: SharedState| shared.page(before, count).await;
        let here = self.store.page(before, so_many)?;
        let mut page = self.with_copies(here, list).await?;
        let surplus = page.found.len().saturating_sub(count);
        page.found.drain(..surplus);
        Ok(page)
    }

    /// The newest deployments of each target, here and in the bucket.
    pub async fn newest(&self) -> Result<InFlight, Failed> {
        let list = async |shared: SharedState| shared.newest(self.clock.now()).await;
        self.with_copies(self.store.newest()?, list).await
    }

    /// These deployments of the journal and those that the bucket lists: of one that both have,
    /// the record that is further.
    async fn with_copies(
        &self,
        here: Vec<Deployment>,
        list: impl AsyncFnOnce(SharedState) -> Result<Listed<DeploymentRecord>, SharedError>,
    ) -> Result<InFlight, Failed> {
        let mut here: BTreeMap<String, Deployment> = here
            .into_iter()
            .map(|deployment| (deployment.plan.id.clone(), deployment))
            .collect();
        let (listed, unseen) = self.listed(list).await;
        let mut found = Vec::new();
        for copy in listed {
            let id = &copy.deployment.plan.id;
            // The journal may have one that was not read with the others, and be further with it.
            let known = match here.remove(id) {
                Some(known) => Some(known),
                None => self.store.find(id)?,
            };
            found.push(match known {
                Some(known) if known.age() >= copy.deployment.age() => {
                    DeploymentRecord::here(&self.store, known)?
                }
                _ => copy,
            });
        }
        for deployment in here.into_values() {
            found.push(DeploymentRecord::here(&self.store, deployment)?);
        }
        found.sort_by(|a, b| a.deployment.plan.id.cmp(&b.deployment.plan.id));
        let found = found.into_iter().map(|record| (record, None)).collect();
        Ok(InFlight { found, unseen })
    }

    /// The lock of a deployment's target, where it can be read and belongs to that deployment.
    pub async fn lease_of(&self, deployment: &Deployment) -> Option<LeaseRecord> {
        if !deployment.plan.shared_state {
            return None;
        }
        let shared = self.shared_in(&deployment.plan.bucket).await.ok()??;
        let lease = at_a_glance(shared.lease(&deployment.plan.target))
            .await
            .ok()??;
        (lease.value.deployment == deployment.plan.id).then_some(lease.value)
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
