//! The world: everything the sandbox knows, and what happens in it with time.
//! Pure: time comes in as a number, chance from a seeded counter kept in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::faults::{Fault, Quirks};
use crate::identities::Identities;
use crate::model::{Environment, Event, Millis, View};
use crate::policy::Policy;
use crate::report::{Created, Interruption, Peaks};
use crate::services::{Element, ServiceRequest, Services};
use crate::traffic::Traffic;
use crate::wire::Form;

/// The world's format on disk.
pub const FORMAT: u32 = 1;
/// How many events are kept (API reference, `DescribeEvents`: 1,000).
const EVENTS_MAX: usize = 1000;
/// How long a terminated environment is still listed.
const LISTED_AFTER_TERMINATION: Millis = 60 * 60 * 1000;

/// How long things take, in seconds of the sandbox's time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// From CreateEnvironment to Ready.
    pub launch_seconds: u64,
    /// From Ready to healthy after a launch.
    pub warm_seconds: u64,
    /// A deploy.
    pub deploy_seconds: u64,
    /// From the end of an update to Ok.
    pub settle_seconds: u64,
    /// A swap of CNAMEs.
    pub swap_seconds: u64,
    /// A termination.
    pub terminate_seconds: u64,
    /// Giving up an update.
    pub abort_seconds: u64,
    /// Processing a version.
    pub process_seconds: u64,
}

impl Default for Timings {
    fn default() -> Timings {
        Timings {
            launch_seconds: 240,
            warm_seconds: 40,
            deploy_seconds: 90,
            settle_seconds: 15,
            swap_seconds: 8,
            terminate_seconds: 240,
            abort_seconds: 30,
            process_seconds: 20,
        }
    }
}

/// Something that is due.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Due {
    pub at: Millis,
    pub order: u64,
    pub what: Happening,
}

/// What can be due.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Happening {
    /// An operation of an environment ends.
    OperationEnds { id: String, operation: u64 },
    /// An environment's health settles.
    HealthSettles { id: String, operation: u64 },
    /// An environment's health that lasted for a while is over.
    AilmentEnds { environment: String },
    /// An update that goes on has an event.
    UpdateSays {
        id: String,
        operation: u64,
        severity: String,
        message: String,
    },
    /// Two environments' CNAMEs change places.
    CnamesMove {
        a: String,
        b: String,
        operation: u64,
    },
    /// A version has been processed.
    VersionProcessed { application: String, label: String },
    /// A request that was held up arrives.
    RequestArrives {
        form: Form,
        #[serde(default)]
        asking: Option<String>,
    },
    /// A request to another service that was held up arrives.
    ServiceRequestArrives {
        request: ServiceRequest,
        #[serde(default)]
        asking: Option<String>,
    },
    /// A managed action may begin.
    ManagedActionBegins { id: String },
    /// The name servers answer a zone's new records.
    RecordsServed { zone: String, records: Vec<Element> },
}

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
    /// How often each scripted fault struck, by its name.
    #[serde(default)]
    pub(crate) strikes: BTreeMap<String, u64>,
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
    /// What the clients of this process may do; none for everything.
    #[serde(skip)]
    pub(crate) policy: Option<Arc<Policy>>,
    /// What IAM holds; a world from before it has what a new one has.
    #[serde(default = "Identities::seeded")]
    pub(crate) identities: Identities,
    /// How often each operation was denied.
    #[serde(default)]
    pub(crate) denials: BTreeMap<String, u64>,
    /// The access key of the session that asks; none for the default caller.
    #[serde(skip)]
    pub(crate) asking: Option<String>,
    /// The role whose session the caller is, its path included; none for the user.
    #[serde(default)]
    pub(crate) role: Option<String>,
    /// What the services beside Elastic Beanstalk hold; a world from before them has
    /// what a new one has.
    #[serde(default = "Services::seeded")]
    pub(crate) services: Services,
    counter: u64,
    /// What its chance begins from.
    #[serde(default)]
    chance: u64,
}

impl World {
    pub(crate) fn empty(region: &str, account: &str, now: Millis) -> World {
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
            created: Vec::new(),
            names_before: Vec::new(),
            names_moved_at: 0,
            lost_bundles: Vec::new(),
            history: Vec::new(),
            seeded: Vec::new(),
            policy: None,
            identities: Identities::seeded(),
            denials: BTreeMap::new(),
            asking: None,
            role: None,
            services: Services::seeded(),
            counter: 0,
            chance: 0,
        }
    }

    /// The living environment with this name.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<&Environment> {
        self.environments().find(|e| e.name == name)
    }

    /// The living environment with this name, to be changed behind the service's back.
    pub fn environment_mut(&mut self, name: &str) -> Option<&mut Environment> {
        self.view
            .environments
            .iter_mut()
            .find(|e| e.is_alive() && e.name == name)
    }

    /// The living environments.
    pub fn environments(&self) -> impl Iterator<Item = &Environment> {
        self.view.environments.iter().filter(|e| e.is_alive())
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
        self.environments().find(|e| {
            e.cname
                .as_deref()
                .is_some_and(|c| c.eq_ignore_ascii_case(cname))
        })
    }

    /// The environment that a resolver leads to which was asked for a CNAME just before it
    /// moved last, and keeps the answer for as long as the clients do.
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

    /// Everything that is due up to `now` happens, in order of time.
    pub fn advance(&mut self, now: Millis) {
        while let Some(next) = self.next_due(now) {
            let due = self.due.swap_remove(next);
            self.pass_time(due.at);
            self.happen(due.what);
            self.changed();
        }
        self.pass_time(now);
        let gone = now.saturating_sub(LISTED_AFTER_TERMINATION);
        self.view
            .environments
            .retain(|e| e.is_alive() || e.updated >= gone);
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
            let mut traffic = std::mem::take(&mut self.traffic);
            traffic.pass(self, self.now, to);
            self.traffic = traffic;
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
        let order = self.number();
        self.due.push(Due {
            at: self.now.saturating_add(after_seconds.saturating_mul(1000)),
            order,
            what,
        });
    }

    pub(crate) fn say(&mut self, environment: &Environment, severity: &str, message: String) {
        self.view.events.push(Event {
            at: self.now,
            severity: severity.to_owned(),
            message,
            application: environment.application.clone(),
            environment: Some(environment.name.clone()),
            environment_id: Some(environment.id.clone()),
            version_label: None,
            request_id: environment.request_id.clone(),
        });
    }

    /// The next number of the world's own counter.
    pub(crate) fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Notes that a scripted fault struck.
    pub(crate) fn note_strike(&mut self, fault: &str) {
        *self.strikes.entry(fault.to_owned()).or_default() += 1;
    }

    /// From now on chance takes the course that belongs to this seed: which requests a
    /// fault with a probability strikes, and how ids are spelled.
    pub fn seed_chance(&mut self, seed: u64) {
        self.chance = seed;
    }

    /// The next of a sequence of numbers that look random (splitmix64).
    pub(crate) fn random(&mut self) -> u64 {
        let mut z = self.number().wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A string of `length` letters and digits.
    pub(crate) fn letters(&mut self, length: usize) -> String {
        const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
        (0..length)
            .map(|_| char::from(ALPHABET[(self.random() % ALPHABET.len() as u64) as usize]))
            .collect()
    }

    /// An id of the form of a request's.
    pub(crate) fn request_id(&mut self) -> String {
        let (a, b) = (self.random(), self.random());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            (b >> 48) & 0xfff,
            b & 0xffff_ffff_ffff
        )
    }
}
