//! The environments' web sites.
//!
//! Every path answers any method with who answers, `/health` says the same as JSON and
//! takes GET and HEAD alone, and `/echo` gives back the request as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, HOST};
use http::{HeaderValue, Method, Request, Response};
use serde_json::{Value, json};

use crate::model::Environment;
use crate::route;
use crate::world::World;

/// The answer of the environment behind `host`, and how long it takes.
pub(crate) fn answer(
    world: &World,
    host: &str,
    request: &Request<Bytes>,
) -> (Response<Bytes>, Duration) {
    let holder = world.cname_holder(host).or_else(|| {
        world
            .environments()
            .find(|e| e.endpoint.eq_ignore_ascii_case(host))
    });
    let Some(environment) = holder else {
        let answer = route::text(502, format!("no such host: {host}\n"));
        return (answer, Duration::ZERO);
    };
    let mut response = page(world, environment, request);
    for (header, value) in [
        ("x-sandbox-environment", &environment.name),
        ("x-sandbox-version", &environment.version_label),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(header, value);
        }
    }
    if request.method() == Method::HEAD {
        *response.body_mut() = Bytes::new();
    }
    let latency = world.quirks.latencies.get(&environment.version_label);
    let latency = latency.filter(|_| environment.answers());
    (
        response,
        Duration::from_millis(latency.copied().unwrap_or_default()),
    )
}

fn page(world: &World, environment: &Environment, request: &Request<Bytes>) -> Response<Bytes> {
    let (name, label) = (&environment.name, &environment.version_label);
    let path = request.uri().path();
    let who = format!(
        "{} {label} on {name} ({}) at {path}\n",
        environment.application, environment.id
    );
    if !environment.answers() {
        return route::text(503, who);
    }
    let there = world.quirks.answers_there.get(name).copied();
    let status = there.unwrap_or_else(|| world.quirks.answer_of(label));
    if path == "/echo" {
        return route::in_json(status, &echo(request));
    }
    if let Some(body) = world.quirks.bodies.get(label) {
        return match serde_json::from_str::<Value>(body) {
            Ok(body) => route::in_json(status, &body),
            Err(_) => route::text(status, body.clone()),
        };
    }
    if path != "/health" {
        return route::text(status, who);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = route::text(405, format!("{} is not allowed here\n", request.method()));
        let allowed = HeaderValue::from_static("GET, HEAD");
        refusal.headers_mut().insert(ALLOW, allowed);
        return refusal;
    }
    let is_ok = status < 400;
    let health = json!({
        "status": if is_ok { "ok" } else { "failing" },
        "application": environment.application,
        "environment": name,
        "version": label,
        "instances": environment.instances.len(),
    });
    route::in_json(status, &health)
}

/// A request as JSON. Its Host header is what a virtual host would go by, whatever
/// address it was sent to.
fn echo(request: &Request<Bytes>) -> Value {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: BTreeMap<_, _> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    json!({
        "method": request.method().as_str(),
        "path": request.uri().path(),
        "query": request.uri().query(),
        "host": request.headers().get(HOST).map(text),
        "headers": headers,
        "body": String::from_utf8_lossy(request.body()),
    })
}
