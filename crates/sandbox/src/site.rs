//! The environments' web sites.
//!
//! Every path answers any method with the name of its environment and version, `/health` says the
//! same as JSON and accepts GET and HEAD alone, and `/echo` returns the request as JSON. There are
//! no certificates: what comes to a listener's port of https has come by TLS, which ends there.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, HOST, LOCATION};
use http::{HeaderValue, Method, Request, Response};
use serde_json::{Value, json};

use crate::call::Hangup;
use crate::response;
use crate::world::World;
use crate::world::environment::Environment;

/// The answer of the environment behind `host`, and how long it takes.
pub(crate) fn answer(
    world: &World,
    host: &str,
    request: &Request<Bytes>,
) -> Result<(Response<Bytes>, Duration), Hangup> {
    let holder = world.cname_holder(host).or_else(|| {
        world
            .environments()
            .find(|e| e.endpoint.eq_ignore_ascii_case(host))
    });
    let Some(environment) = holder else {
        let answer = response::text(502, format!("no such host: {host}\n"));
        return Ok((answer, Duration::ZERO));
    };
    let port = port(request);
    if !listens(environment, port) {
        return Err(Hangup);
    }
    let redirects = world
        .quirks
        .redirecting
        .contains(&environment.version_label);
    let mut response = match redirects && port == 80 {
        true => to_https(request),
        false => page(world, environment, request),
    };
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
    let latency = Duration::from_millis(latency.copied().unwrap_or_default());
    Ok((response, latency))
}

/// The port that a request is for: of an absolute URI as a proxy gets it, else of the Host
/// header.
fn port(request: &Request<Bytes>) -> u16 {
    let uri = request.uri();
    let header = || {
        let host = request.headers().get(HOST)?.to_str().ok()?;
        host.rsplit_once(':')?.1.parse().ok()
    };
    match (uri.port_u16(), uri.scheme_str()) {
        (Some(port), _) => port,
        (None, Some("https")) => 443,
        (None, Some(_)) => 80,
        (None, None) => header().unwrap_or(80),
    }
}

/// Whether the environment's load balancer listens on a port. The listener on port 80 is there
/// unless it is switched off, any other where it is set (developer guide, "Configuring an
/// Application Load Balancer": `aws:elbv2:listener:default`, "Configuring a Classic Load
/// Balancer": `aws:elb:listener`).
fn listens(environment: &Environment, port: u16) -> bool {
    let is_off =
        |namespace: &str| environment.setting(namespace, "ListenerEnabled") == Some("false");
    let is_set = |namespace: &str, protocol: &str| {
        environment.setting(namespace, protocol).is_some() && !is_off(namespace)
    };
    let (v2, classic) = (
        format!("aws:elbv2:listener:{port}"),
        format!("aws:elb:listener:{port}"),
    );
    if is_set(&v2, "Protocol") || is_set(&classic, "ListenerProtocol") {
        return true;
    }
    let default_is_off = is_off("aws:elbv2:listener:default")
        || is_off("aws:elb:listener")
        || is_off("aws:elb:listener:80");
    port == 80 && !default_is_off
}

/// The answer of a load balancer's rule that sends http to https (API reference of Elastic Load
/// Balancing, `RedirectActionConfig`, with its defaults): it names the port.
fn to_https(request: &Request<Bytes>) -> Response<Bytes> {
    let header = || request.headers().get(HOST)?.to_str().ok();
    // What a virtual host would go by, whatever address it was sent to.
    let host = header().or(request.uri().host()).unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let mut response = response::text(301, String::new());
    if let Ok(to) = HeaderValue::from_str(&format!("https://{host}:443{path}")) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}

fn page(world: &World, environment: &Environment, request: &Request<Bytes>) -> Response<Bytes> {
    let (name, label) = (&environment.name, &environment.version_label);
    let path = request.uri().path();
    let who = format!(
        "{} {label} on {name} ({}) at {path}\n",
        environment.application, environment.id
    );
    if !environment.answers() {
        return response::text(503, who);
    }
    if let Some(status) = environment.out_of_service(world.now) {
        return response::text(status, String::new());
    }
    let there = world.quirks.answers_there.get(name).copied();
    let status = there.unwrap_or_else(|| world.quirks.answer_of(label));
    if path == "/echo" {
        return response::in_json(status, &echo(request));
    }
    if let Some(body) = world.quirks.bodies.get(label) {
        return match serde_json::from_str::<Value>(body) {
            Ok(body) => response::in_json(status, &body),
            Err(_) => response::text(status, body.clone()),
        };
    }
    if path != "/health" {
        return response::text(status, who);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal =
            response::text(405, format!("{} is not allowed here\n", request.method()));
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
    response::in_json(status, &health)
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
