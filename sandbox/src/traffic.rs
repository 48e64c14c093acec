//! Modelled clients with cached DNS answers: who loses a request, when and why.

use serde::{Deserialize, Serialize};

use crate::model::{Environment, Millis};
use crate::world::World;

/// How many losses the report tells in full.
const LOSSES_TOLD: usize = 20;

/// The clients and what became of their requests.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// The name that the clients ask for.
    pub host: String,
    /// How long a client keeps a DNS answer, in seconds.
    pub cache_seconds: u64,
    /// How many of the clients keep an answer for longer, and for how many seconds: proxies
    /// that resolve a name once, and clients that do not heed how long an answer holds.
    #[serde(default)]
    stubborn: (usize, u64),
    pub(crate) clients: Vec<Client>,
    pub(crate) requests: u64,
    pub(crate) lost: u64,
    pub(crate) losses: Vec<Loss>,
}

/// A client: one request a second.
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
    /// The environment it reached; none where the name did not resolve.
    pub environment: Option<String>,
    /// Why it was lost.
    pub why: String,
}

impl Traffic {
    /// `count` clients of `host`, their caches expiring one after the other.
    pub(crate) fn new(host: &str, count: usize, cache_seconds: u64, now: Millis) -> Traffic {
        let client = |number: usize| Client {
            environment: None,
            expires: now + number as u64 * cache_seconds * 1000 / count.max(1) as u64,
        };
        Traffic {
            host: host.to_owned(),
            cache_seconds,
            clients: (0..count).map(client).collect(),
            ..Traffic::default()
        }
    }

    /// From their next look-up on, so many of a hundred clients keep an answer for so long.
    pub(crate) fn keep_answers(&mut self, seconds: u64, percent: u32) {
        if percent >= 100 {
            self.cache_seconds = seconds;
            return;
        }
        let share = self.clients.len() * percent as usize;
        self.stubborn = (share.div_ceil(100), seconds);
    }

    /// How long a client keeps an answer, in milliseconds.
    fn keeps(&self, number: usize) -> Millis {
        let (stubborn, seconds) = self.stubborn;
        let seconds = if number < stubborn {
            seconds.max(self.cache_seconds)
        } else {
            self.cache_seconds
        };
        seconds * 1000
    }

    /// Whether a client may reach this environment at `now`: it holds the
    /// clients' name, or an answer that leads to it is still cached.
    pub(crate) fn reaches(&self, environment: &Environment, now: Millis) -> bool {
        let holds = environment
            .cname
            .as_deref()
            .is_some_and(|cname| cname.eq_ignore_ascii_case(&self.host));
        let cached = |client: &Client| {
            client.expires > now && client.environment.as_ref() == Some(&environment.id)
        };
        !self.clients.is_empty() && (holds || self.clients.iter().any(cached))
    }

    /// How many requests reach an environment in ten seconds now.
    pub(crate) fn recent(&self, environment: &Environment) -> usize {
        let here = |client: &&Client| client.environment.as_ref() == Some(&environment.id);
        10 * self.clients.iter().filter(here).count()
    }

    /// The requests of `from` to `to`, in which nothing changes in the world.
    pub(crate) fn pass(&mut self, world: &World, from: Millis, to: Millis) {
        if self.clients.is_empty() {
            return;
        }
        let holder = world.cname_holder(&self.host);
        let holder_id = holder.map(|e| e.id.clone());
        let first = from / 1000 + 1;
        let last = to / 1000;
        for second in first..=last {
            let at = second * 1000;
            if self.clients.iter().all(|c| c.environment == holder_id) {
                // Until the next change every second is like this one.
                let seconds = last - second + 1;
                self.settle(world, &holder_id, at, seconds);
                self.renew_all(to);
                return;
            }
            for number in 0..self.clients.len() {
                let keeps = self.keeps(number);
                let client = &mut self.clients[number];
                if client.expires <= at || client.environment.is_none() {
                    client.environment.clone_from(&holder_id);
                    client.expires = client.expires.max(at) + keeps;
                }
                let environment = client.environment.clone();
                self.send(world, number, environment.as_ref(), at);
            }
        }
    }

    /// `seconds` seconds in which every client reaches the same environment.
    fn settle(&mut self, world: &World, id: &Option<String>, at: Millis, seconds: u64) {
        let clients = self.clients.len();
        let lost_before = self.lost;
        for number in 0..clients {
            self.send(world, number, id.as_ref(), at);
        }
        let lost_each = self.lost - lost_before;
        self.requests += (seconds - 1) * clients as u64;
        self.lost += (seconds - 1) * lost_each;
    }

    fn send(&mut self, world: &World, client: usize, id: Option<&String>, at: Millis) {
        self.requests += 1;
        let reached = id.and_then(|id| world.view.environments.iter().find(|e| e.id == *id));
        let Some(why) = why_lost(world, reached, at) else {
            return;
        };
        self.lost += 1;
        if self.losses.len() < LOSSES_TOLD {
            self.losses.push(Loss {
                at,
                client,
                environment: reached.map(|e| e.name.clone()),
                why,
            });
        }
    }

    /// Every cache has been renewed in its turn up to `to`.
    fn renew_all(&mut self, to: Millis) {
        for number in 0..self.clients.len() {
            let period = self.keeps(number).max(1);
            let client = &mut self.clients[number];
            if client.expires <= to {
                client.expires += ((to - client.expires) / period + 1) * period;
            }
        }
    }
}

/// Why a request that reaches this environment is lost; none where it is not.
fn why_lost(world: &World, reached: Option<&Environment>, at: Millis) -> Option<String> {
    let Some(environment) = reached.filter(|e| e.is_alive()) else {
        return Some("no environment answers".to_owned());
    };
    if !environment.answers() {
        return Some(format!("the environment is {:?}", environment.status));
    }
    if let Some(status) = environment.out_of_service(at) {
        return Some(format!("no instance is in service: {status}"));
    }
    let status = world.quirks.answer_of(&environment.version_label);
    (status >= 400).then(|| format!("version {} answers {status}", environment.version_label))
}
