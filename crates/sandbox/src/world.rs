//! The world: everything the sandbox knows, and what happens in it with time.
//! Pure: time comes in as a number, chance from a seeded counter kept in it.
//!
//! The modules of the first group are its data, and know no world. Those of the second are its
//! physics: what becomes of the data with time, by a fault, or by a change outside the services.
//! Neither knows the clients or the code that answers them.

pub(crate) mod alarm;
pub(crate) mod balancing;
pub(crate) mod due;
pub(crate) mod environment;
pub(crate) mod fault;
pub(crate) mod iam;
pub(crate) mod lifecycle;
pub(crate) mod limits;
pub(crate) mod managed_action;
pub(crate) mod message;
pub(crate) mod names;
pub(crate) mod parameter;
pub(crate) mod quirks;
pub(crate) mod quota;
pub(crate) mod security_group;
pub(crate) mod services;
pub(crate) mod setting;
pub(crate) mod storage;
pub(crate) mod tally;
pub(crate) mod timings;
pub(crate) mod traffic;
pub(crate) mod view;
pub(crate) mod zone;

mod account;
mod applications;
pub(crate) mod archive;
pub(crate) mod balanced_by;
mod caller;
mod chance;
mod course;
mod deploys;
mod encryption;
mod health;
mod hosted_zones;
mod injection;
pub(crate) mod keeping;
mod launch;
mod levels;
mod listener_rules;
mod load_balancers;
pub(crate) mod logs;
mod maintenance;
mod messaging;
mod monitoring;
mod network;
mod parameter_store;
pub(crate) mod report;
mod resolver;
mod saved;
mod scaling;
mod seed;
pub(crate) mod stack_parts;
pub(crate) mod stacks;
mod swap;
mod tagging;
pub(crate) mod targets;
mod termination;
mod timeline;
mod versions;
mod vpcs;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::Millis;
use crate::world::due::{Arrival, Due, Happening};
use crate::world::environment::Environment;
use crate::world::fault::Fault;
use crate::world::iam::environment_roles;
use crate::world::iam::identities::Identities;
use crate::world::iam::policy::Policy;
use crate::world::names::{BUCKET, BUNDLES};
use crate::world::quirks::Quirks;
use crate::world::services::Services;
use crate::world::storage::Storage;
use crate::world::tally::{Created, Interruption, Peaks};
use crate::world::timings::Timings;
use crate::world::traffic::Traffic;
use crate::world::view::{Event, Version, View};

/// The world's format on disk.
pub const FORMAT: u32 = 1;
/// How many events are kept (API reference, `DescribeEvents`: 1,000).
const EVENTS_MAX: usize = 1000;

/// The world.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct World {
    pub(crate) format: u32,
    /// The region it plays.
    pub region: String,
    /// The account it plays.
    pub account: String,
    /// How long things take.
    pub timings: Timings,
    /// What the describing operations show.
    pub view: View,
    pub(crate) now: Millis,
    pub(crate) due: Vec<Due>,
    pub(crate) traffic: Traffic,
    pub(crate) faults: Vec<Fault>,
    pub(crate) quirks: Quirks,
    pub(crate) calls: BTreeMap<String, u64>,
    pub(crate) interruptions: Vec<Interruption>,
    pub(crate) peaks: Peaks,
    /// How often each scripted fault has struck, by its name.
    #[serde(default)]
    pub(crate) strikes: BTreeMap<String, u64>,
    /// How many requests were signed for another region, by that region.
    #[serde(default)]
    pub(crate) other_regions: BTreeMap<String, u64>,
    /// The environments that clients ever created.
    #[serde(default)]
    pub(crate) created: Vec<Created>,
    /// Which environment, by its id, held a CNAME before CNAMEs moved last, and when that was.
    #[serde(default)]
    pub(crate) names_before: Vec<(String, String)>,
    #[serde(default)]
    pub(crate) names_moved_at: Millis,
    /// The registered bundles that are in none of the buckets, as `bucket` and `key`.
    #[serde(default)]
    pub(crate) lost_bundles: Vec<(String, String)>,
    /// Earlier views, while reads are stale: when each began to hold.
    pub(crate) history: Vec<(Millis, View)>,
    pub(crate) seeded: Vec<String>,
    /// The bundles that it began with, as `bucket/key`; a world from before it could be described
    /// has those of the seeded one.
    #[serde(default = "bundles")]
    pub(crate) seeded_bundles: Vec<String>,
    /// What the clients of this process may do; `None` for everything.
    #[serde(skip)]
    pub(crate) policy: Option<Arc<Policy>>,
    /// The users, roles and policies of IAM; a world from before IAM has those of a new one.
    #[serde(default = "environment_roles::seeded")]
    pub(crate) identities: Identities,
    /// How often each operation was denied.
    #[serde(default)]
    pub(crate) denials: BTreeMap<String, u64>,
    /// The access key of the session that sends the request; `None` for the default caller.
    #[serde(skip)]
    pub(crate) asking: Option<String>,
    /// The role whose session the caller is, its path included; `None` for the user.
    #[serde(default)]
    pub(crate) role: Option<String>,
    /// The state of the services beside Elastic Beanstalk; a world from before them has that of a
    /// new one.
    #[serde(default = "Services::seeded")]
    pub(crate) services: Services,
    /// What the service keeps in S3.
    #[serde(default)]
    pub(crate) storage: Storage,
    /// The tags of the resources that are no environments, by their ARNs.
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, Vec<(String, String)>>,
    /// The terminated environments that are no longer listed, in the order of their termination.
    #[serde(default)]
    pub(crate) past: Vec<Environment>,
    counter: u64,
    /// What its chance begins from.
    #[serde(default)]
    chance: u64,
    /// How many times and orders were drawn.
    #[serde(default)]
    drawn: u64,
}

/// The seeded bundles, as `bucket/key`.
pub(crate) fn bundles() -> Vec<String> {
    let keys = BUNDLES.into_iter();
    keys.map(|key| format!("{BUCKET}/{key}")).collect()
}

impl World {
    pub(crate) fn empty(region: &str, account: &str, now: Millis) -> World {
        let mut services = Services::seeded();
        for parameter in &mut services.parameters {
            parameter.modified = now;
        }
        World {
            format: FORMAT,
            region: region.to_owned(),
            account: account.to_owned(),
            timings: Timings::default(),
            view: View::default(),
            now,
            due: Vec::new(),
            traffic: Traffic::default(),
            faults: Vec::new(),
            quirks: Quirks::default(),
            calls: BTreeMap::new(),
            interruptions: Vec::new(),
            peaks: Peaks::default(),
            strikes: BTreeMap::new(),
            other_regions: BTreeMap::new(),
            created: Vec::new(),
            names_before: Vec::new(),
            names_moved_at: 0,
            lost_bundles: Vec::new(),
            history: Vec::new(),
            seeded: Vec::new(),
            seeded_bundles: Vec::new(),
            policy: None,
            identities: environment_roles::seeded(),
            denials: BTreeMap::new(),
            asking: None,
            role: None,
            services,
            storage: Storage::default(),
            tags: BTreeMap::new(),
            past: Vec::new(),
            counter: 0,
            chance: 0,
            drawn: 0,
        }
    }

    /// The living environment with this name.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<&Environment> {
        self.environments().find(|e| e.name == name)
    }

    /// The living environment with this name, to be changed outside the service.
    pub fn environment_mut(&mut self, name: &str) -> Option<&mut Environment> {
        self.view
            .environments
            .iter_mut()
            .find(|e| e.is_alive() && e.name == name)
    }

    /// The living environments.
    pub fn environments(&self) -> impl Iterator<Item = &Environment> {
        self.view.living()
    }

    /// The events of the living environment with this name, oldest first.
    #[must_use]
    pub fn events_of(&self, name: &str) -> Vec<&Event> {
        let id = self.environment(name).map(|found| found.id.as_str());
        let events = self.view.events.iter();
        events
            .filter(|event| id.is_some() && event.environment_id.as_deref() == id)
            .collect()
    }

    /// The names of the configuration templates.
    #[must_use]
    pub fn templates(&self) -> Vec<String> {
        self.view.templates.iter().map(|t| t.name.clone()).collect()
    }

    /// The living environment that holds a CNAME; case does not matter.
    #[must_use]
    pub fn cname_holder(&self, cname: &str) -> Option<&Environment> {
        self.view.cname_holder(cname)
    }

    /// The environment that an old DNS answer leads to: that of a resolver which queried the CNAME
    /// just before it moved last, and keeps the answer for as long as the clients do.
    #[must_use]
    pub fn cached_holder(&self, cname: &str) -> Option<&Environment> {
        let kept_until = self
            .names_moved_at
            .saturating_add(self.traffic.resolver_keeps());
        let before = self.names_before.iter().filter(|_| self.now < kept_until);
        let mut before = before.filter(|(name, _)| name.eq_ignore_ascii_case(cname));
        match before.next() {
            Some((_, id)) => self.environments().find(|e| e.id == *id),
            None => self.cname_holder(cname),
        }
    }

    /// How often each operation was denied to a client.
    #[must_use]
    pub fn denials(&self) -> &BTreeMap<String, u64> {
        &self.denials
    }

    pub(crate) fn denied(&mut self, operation: &str) {
        *self.denials.entry(operation.to_owned()).or_default() += 1;
    }

    /// Lets happen what is due up to `now`, in order of time, until a request arrives that was held
    /// up, and returns that request. `None` once it is `now`.
    pub(crate) fn pass_until(&mut self, now: Millis) -> Option<Arrival> {
        while let Some(next) = self.next_due(now) {
            let due = self.due.swap_remove(next);
            self.pass_time(due.at);
            let arrival = self.happen(due.what);
            if arrival.is_some() {
                return arrival;
            }
            self.changed();
        }
        self.pass_time(now);
        self.archive();
        None
    }

    /// Whether something is due up to `now`.
    pub(crate) fn has_due(&self, now: Millis) -> bool {
        self.next_due(now).is_some()
    }

    fn next_due(&self, now: Millis) -> Option<usize> {
        self.due
            .iter()
            .enumerate()
            .filter(|(_, due)| due.at <= now)
            .min_by_key(|(_, due)| (due.at, due.order))
            .map(|(at, _)| at)
    }

    fn pass_time(&mut self, to: Millis) {
        if to > self.now {
            let (view, quirks) = (&self.view, &self.quirks);
            self.traffic.pass(view, quirks, self.now, to);
            self.now = to;
        }
    }

    /// Remembers the view for stale reads, and the peaks for the report.
    pub(crate) fn changed(&mut self) {
        let excess = self.view.events.len().saturating_sub(EVENTS_MAX);
        self.view.events.drain(..excess);
        self.peaks = self.peaks.with(self.environments());
        if self.quirks.stale_seconds > 0 {
            self.history.push((self.now, self.view.clone()));
            let as_of = self.stale_since();
            let newer = self.history.iter().position(|(since, _)| *since > as_of);
            let outdated = newer.unwrap_or(self.history.len()).saturating_sub(1);
            self.history.drain(..outdated);
        }
    }

    /// What a describing operation sees now: the view, or an earlier one while
    /// reads are stale.
    pub(crate) fn seen(&self) -> &View {
        let as_of = self.stale_since();
        let past = self.history.iter().rev().find(|(since, _)| *since <= as_of);
        match past {
            Some((_, view)) if self.quirks.stale_seconds > 0 => view,
            _ => &self.view,
        }
    }

    /// The moment as of which the describing operations answer.
    fn stale_since(&self) -> Millis {
        let stale = self.quirks.stale_seconds.saturating_mul(1000);
        self.now.saturating_sub(stale)
    }

    pub(crate) fn plan(&mut self, after_seconds: u64, what: Happening) {
        self.plan_after(after_seconds.saturating_mul(1000), what);
    }

    /// Plans something that happens this many milliseconds from now.
    pub(crate) fn plan_after(&mut self, after: Millis, what: Happening) {
        let order = self.number();
        self.due.push(Due {
            at: self.now.saturating_add(after),
            order,
            what,
        });
    }

    /// Adds an event of an environment's present request.
    pub(crate) fn say(&mut self, environment: &Environment, severity: &str, message: String) {
        self.emit(Event::of(environment, severity, message));
    }

    /// Adds an event, at a moment of its own: clients continue from the newest date they know and
    /// one millisecond (the EB CLI's `get_new_events`).
    pub(crate) fn emit(&mut self, event: Event) {
        let last = self.view.events.last();
        let last = last.map_or(0, |event| event.at.saturating_add(1));
        let at = self.now.max(last);
        self.view.events.push(Event { at, ..event });
    }

    /// Counts a strike of a scripted fault.
    pub(crate) fn note_strike(&mut self, fault: &str) {
        *self.strikes.entry(fault.to_owned()).or_default() += 1;
    }

    /// Counts a request by the region that it is signed for; returns whether it is the first for one
    /// that is not the sandbox's.
    pub(crate) fn note_region(&mut self, region: &str) -> bool {
        if region == self.region {
            return false;
        }
        let count = self.other_regions.entry(region.to_owned()).or_default();
        *count += 1;
        *count == 1
    }

    /// The ARN of a resource of Elastic Beanstalk.
    pub(crate) fn beanstalk_arn(&self, what: &str, path: &str) -> String {
        format!(
            "arn:aws:elasticbeanstalk:{}:{}:{what}/{path}",
            self.region, self.account
        )
    }

    /// The ARN of a solution stack.
    pub(crate) fn stack_arn(&self, stack: &str) -> String {
        format!(
            "arn:aws:elasticbeanstalk:{}::solutionstack/{stack}",
            self.region
        )
    }

    pub(crate) fn version(&self, application: &str, label: &str) -> Option<&Version> {
        self.view
            .versions
            .iter()
            .find(|v| v.application == application && v.label == label)
    }

    pub(crate) fn say_of(&mut self, at: usize, severity: &str, message: &str) {
        let environment = self.view.environments[at].clone();
        self.say(&environment, severity, message.to_owned());
    }
}
