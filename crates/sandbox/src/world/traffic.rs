//! Modelled clients with cached DNS answers: who loses a request, when and why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::{Millis, part};
use crate::world::environment::Environment;
use crate::world::limits::{CLIENTS_MAX, PER_SECOND_MAX};
use crate::world::quirks::Quirks;
use crate::world::view::View;

/// How many losses the report lists in full.
const LOSSES_TOLD: usize = 20;

/// The clients and the outcome of their requests.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// The name that the clients use.
    pub host: String,
    /// How long a client keeps a DNS answer, in seconds.
    pub cache_seconds: u64,
    /// How many of the clients keep an answer for longer, and for how many seconds: proxies that
    /// resolve a name once, and clients that ignore how long an answer is valid.
    #[serde(default)]
    stubborn: (usize, u64),
    /// How many requests each of them sends a second.
    #[serde(default = "one_a_second")]
    per_second: u64,
    /// How many requests stubborn clients sent to an environment that the name had left.
    #[serde(default)]
    pub(crate) astray: u64,
    /// How many of these were lost.
    #[serde(default)]
    pub(crate) lost_astray: u64,
    pub(crate) clients: Vec<Client>,
    pub(crate) requests: u64,
    pub(crate) lost: u64,
    pub(crate) losses: Vec<Loss>,
    /// How many requests reached each environment, by its id, in each minute of the last hour,
    /// by when it began.
    #[serde(default)]
    counted: BTreeMap<String, BTreeMap<Millis, u64>>,
}

fn one_a_second() -> u64 {
    1
}

/// A minute, and for how long minutes are kept, in milliseconds.
const MINUTE: Millis = 60_000;
const KEPT: Millis = 60 * MINUTE;

/// A client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Client {
    /// The id of the environment its cached DNS answer leads to.
    environment: Option<String>,
    expires: Millis,
}

/// A request that was not answered with a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// When, in milliseconds since the Unix epoch.
    pub at: Millis,
    /// The client's number.
    pub client: usize,
    /// The environment it reached; `None` where the name did not resolve.
    pub environment: Option<String>,
    /// Why it was lost.
    pub why: String,
}

impl Traffic {
    /// `count` clients of `host`, their caches expiring one after the other; no more than can be
    /// counted.
    pub(crate) fn new(host: &str, count: usize, cache_seconds: u64, now: Millis) -> Traffic {
        let count = count.min(CLIENTS_MAX);
        let keeps = cache_seconds.saturating_mul(1000);
        let client = |number: usize| Client {
            environment: None,
            expires: now.saturating_add(part(keeps, number as u64, count as u64)),
        };
        Traffic {
            host: host.to_owned(),
            cache_seconds,
            clients: (0..count).map(client).collect(),
            per_second: 1,
            ..Traffic::default()
        }
    }

    /// Sets how many clients there are from now on, and how many requests a second each sends;
    /// neither is more than can be counted.
    pub(crate) fn grow(&mut self, clients: usize, per_second: u64, now: Millis) {
        self.clients = Traffic::new(&self.host, clients, self.cache_seconds, now).clients;
        self.per_second = per_second.min(PER_SECOND_MAX);
    }

    /// From their next DNS query on, so many of a hundred clients keep an answer for so long.
    pub(crate) fn keep_answers(&mut self, seconds: u64, percent: u32) {
        let share = self.clients.len() * percent.min(100) as usize;
        self.stubborn = (share.div_ceil(100), seconds);
    }

    /// From their next DNS query on, every client heeds how long an answer is valid.
    pub(crate) fn heed_answers(&mut self) {
        self.stubborn.1 = 0;
    }

    /// How long the resolver of all clients keeps an answer, in milliseconds.
    pub(crate) fn resolver_keeps(&self) -> Millis {
        self.keeps(self.clients.len().saturating_sub(1))
    }

    /// How long a client keeps an answer, in milliseconds.
    fn keeps(&self, number: usize) -> Millis {
        let (stubborn, seconds) = self.stubborn;
        let seconds = if number < stubborn {
            seconds.max(self.cache_seconds)
        } else {
            self.cache_seconds
        };
        seconds.saturating_mul(1000)
    }

    /// Whether an environment holds the name that the clients use.
    pub(crate) fn is_asked_for(&self, environment: &Environment) -> bool {
        let cname = environment.cname.as_deref();
        cname.is_some_and(|cname| cname.eq_ignore_ascii_case(&self.host))
    }

    /// Whether a client may reach this environment at `now`: it holds the
    /// clients' name, or an answer that leads to it is still cached.
    pub(crate) fn reaches(&self, environment: &Environment, now: Millis) -> bool {
        let cached = |client: &Client| {
            client.expires > now && client.environment.as_ref() == Some(&environment.id)
        };
        !self.clients.is_empty()
            && (self.is_asked_for(environment) || self.clients.iter().any(cached))
    }

    /// How many requests reach an environment in ten seconds now.
    pub(crate) fn recent(&self, environment: &Environment) -> usize {
        let here = |client: &&Client| client.environment.as_ref() == Some(&environment.id);
        let clients = self.clients.iter().filter(here).count();
        10 * clients * usize::try_from(self.per_second).unwrap_or_default()
    }

    /// The requests of `from` to `to`, in which nothing changes in the world.
    pub(crate) fn pass(&mut self, view: &View, quirks: &Quirks, from: Millis, to: Millis) {
        if self.clients.is_empty() {
            return;
        }
        let holder = view.cname_holder(&self.host);
        let holder_id = holder.map(|e| e.id.clone());
        let last = to / 1000;
        let mut second = from / 1000 + 1;
        while second <= last {
            let at = second * 1000;
            for number in 0..self.clients.len() {
                let keeps = self.keeps(number);
                let client = &mut self.clients[number];
                let looks_up = client.expires <= at || client.environment.is_none();
                if looks_up && client.environment != holder_id {
                    client.environment.clone_from(&holder_id);
                    client.expires = client.expires.max(at).saturating_add(keeps);
                }
            }
            // Until the next client leaves, every second is like this one.
            let elsewhere = self.clients.iter().filter(|c| c.environment != holder_id);
            let leaves = elsewhere.map(|client| client.expires.div_ceil(1000)).min();
            let until = leaves.unwrap_or(last + 1).clamp(second + 1, last + 1);
            self.settle(view, quirks, &holder_id, at, until - second);
            second = until;
        }
        self.renew(&holder_id, to);
    }

    /// Passes `seconds` seconds in which every client reaches the environment that it reaches now.
    fn settle(
        &mut self,
        view: &View,
        quirks: &Quirks,
        holder: &Option<String>,
        at: Millis,
        seconds: u64,
    ) {
        let before = (self.requests, self.lost);
        let mut reached: BTreeMap<String, u64> = BTreeMap::new();
        for number in 0..self.clients.len() {
            let (environment, lost) = (self.clients[number].environment.clone(), self.lost);
            self.send(view, quirks, number, environment.as_ref(), at);
            if environment != *holder && number < self.stubborn.0 {
                self.astray += seconds * self.per_second;
                self.lost_astray += seconds * (self.lost - lost);
            }
            if let Some(id) = environment {
                *reached.entry(id).or_default() += self.per_second;
            }
        }
        for (id, a_second) in reached {
            self.count(&id, at, seconds, a_second);
        }
        self.requests += (seconds - 1) * (self.requests - before.0);
        self.lost += (seconds - 1) * (self.lost - before.1);
    }

    /// How many requests reached an environment in each minute that had any.
    pub(crate) fn counted(&self, id: &str) -> Vec<(Millis, u64)> {
        let minutes = self.counted.get(id).into_iter().flatten();
        minutes.map(|(at, requests)| (*at, *requests)).collect()
    }

    /// Counts so many requests a second for so many seconds, from the second `at`, minute by
    /// minute.
    fn count(&mut self, id: &str, at: Millis, seconds: u64, a_second: u64) {
        let minutes = self.counted.entry(id.to_owned()).or_default();
        let end = at + seconds * 1000;
        let mut from = at.max(end.saturating_sub(KEPT));
        while from < end {
            let begins = from - from % MINUTE;
            let next = (begins + MINUTE).min(end);
            *minutes.entry(begins).or_default() += (next - from).div_ceil(1000) * a_second;
            from = next;
        }
        minutes.retain(|minute, _| minute + KEPT > end);
    }

    fn send(
        &mut self,
        view: &View,
        quirks: &Quirks,
        client: usize,
        id: Option<&String>,
        at: Millis,
    ) {
        self.requests += self.per_second;
        let reached = id.and_then(|id| view.environments.iter().find(|e| e.id == *id));
        let Some(why) = why_lost(quirks, reached, at) else {
            return;
        };
        self.lost += self.per_second;
        if self.losses.len() < LOSSES_TOLD {
            self.losses.push(Loss {
                at,
                client,
                environment: reached.map(|e| e.name.clone()),
                why,
            });
        }
    }

    /// Renews the answers of the clients that reach the holder of the name, each when its own
    /// expires, up to `to`.
    fn renew(&mut self, holder: &Option<String>, to: Millis) {
        for number in 0..self.clients.len() {
            let period = self.keeps(number).max(1);
            let client = &mut self.clients[number];
            if client.environment == *holder && client.expires <= to {
                let periods = (to - client.expires) / period + 1;
                client.expires = client
                    .expires
                    .saturating_add(periods.saturating_mul(period));
            }
        }
    }
}

/// Why a request that reaches this environment is lost; `None` where it is not.
fn why_lost(quirks: &Quirks, reached: Option<&Environment>, at: Millis) -> Option<String> {
    let Some(environment) = reached.filter(|e| e.is_alive()) else {
        return Some("no environment answers".to_owned());
    };
    if !environment.answers() {
        return Some(format!("the environment is {:?}", environment.status));
    }
    if let Some(status) = environment.out_of_service(at) {
        return Some(format!("no instance is in service: {status}"));
    }
    let status = quirks.answer_of(&environment.version_label);
    (status >= 400).then(|| format!("version {} answers {status}", environment.version_label))
}
