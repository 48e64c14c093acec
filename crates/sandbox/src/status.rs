//! The status page, `/_sandbox/`: what there is, what happens, and what the clients lose, for a
//! person with a browser. The page reads `/_sandbox/state` once a second.

use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use http::{HeaderName, Response};
use serde::Serialize;

use crate::clock::ClockReading;
use crate::response::answer;
use crate::time::{Millis, millis};
use crate::world::World;
use crate::world::environment::Environment;
use crate::world::tally::Interruption;
use crate::world::traffic::Loss;

/// The page: no file beside it, and no network but the sandbox itself.
const PAGE: &str = include_str!("status/page.html");
/// What a browser lets the page do: run its own script, and read from the sandbox alone.
const RIGHTS: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'";
/// How many events the page shows.
const EVENTS_SHOWN: usize = 40;

/// The page.
pub(crate) fn page() -> Response<Bytes> {
    let mut page = answer(200, "text/html; charset=utf-8", PAGE.to_owned());
    let headers = page.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(RIGHTS));
    let frames = HeaderName::from_static("x-frame-options");
    headers.insert(frames, HeaderValue::from_static("DENY"));
    page
}

/// What the page shows.
#[derive(Debug, Serialize)]
pub(crate) struct State {
    /// The sandbox's own time, in milliseconds since the Unix epoch.
    now_ms: Millis,
    /// How many of its seconds pass in one of the wall's.
    speed: f64,
    /// A text: a browser's numbers are exact only below 2^53.
    seed: String,
    region: String,
    /// The name that the modelled clients use.
    host: String,
    requests: u64,
    lost: u64,
    losses: Vec<Loss>,
    interruptions: Vec<Interruption>,
    environments: Vec<ShownEnvironment>,
    versions: usize,
    templates: Vec<String>,
    faults: Vec<String>,
    /// The newest first.
    events: Vec<ShownEvent>,
}

#[derive(Debug, Serialize)]
struct ShownEnvironment {
    name: String,
    id: String,
    application: String,
    version: String,
    status: String,
    health: String,
    health_status: String,
    cname: Option<String>,
    instances: usize,
    /// Whether it holds the name that the clients use.
    serves: bool,
    /// How many requests reach it in ten seconds.
    requests: usize,
}

#[derive(Debug, Serialize)]
struct ShownEvent {
    at: Millis,
    severity: String,
    environment: String,
    message: String,
}

impl State {
    /// The state of a world, by its clock.
    pub(crate) fn of(world: &World, clock: ClockReading) -> State {
        let shown = |environment: &Environment| ShownEnvironment {
            name: environment.name.clone(),
            id: environment.id.clone(),
            application: environment.application.clone(),
            version: environment.version_label.clone(),
            status: format!("{:?}", environment.status),
            health: environment.health.clone(),
            health_status: environment.health_status.clone(),
            cname: environment.cname.clone(),
            instances: environment.instances.len(),
            serves: world.traffic.is_asked_for(environment),
            requests: world.traffic.recent(environment),
        };
        let events = world.view.events.iter().rev().take(EVENTS_SHOWN);
        State {
            now_ms: millis(clock.now),
            speed: clock.speed,
            seed: world.seed_of_chance().to_string(),
            region: world.region.clone(),
            host: world.traffic.host.clone(),
            requests: world.traffic.requests,
            lost: world.traffic.lost,
            losses: world.traffic.losses.clone(),
            interruptions: world.interruptions.clone(),
            environments: world.environments().map(shown).collect(),
            versions: world.view.versions.len(),
            templates: world.templates(),
            faults: world.faults().iter().map(|f| f.effect.name()).collect(),
            events: events
                .map(|event| ShownEvent {
                    at: event.at,
                    severity: event.severity.clone(),
                    environment: event.environment.clone().unwrap_or_default(),
                    message: event.message.clone(),
                })
                .collect(),
        }
    }
}
