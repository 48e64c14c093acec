//! Where a request goes: a web site, the control API, the Query API or S3.

use std::net::IpAddr;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HOST, ORIGIN};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use serde_json::json;

use crate::body::{Spooled, Streamed};
use crate::call::{Call, Hangup, Origin, Phase, Service, TapVerdict};
use crate::disk::Effect;
use crate::host::{host, is_own};
use crate::operations::apply;
use crate::operations::table::only_reads;
use crate::policy::encryption::{bucket_denies, key_needs};
use crate::policy::s3;
use crate::reply::{Reply, refusal};
use crate::response::{in_json, json_text, text, too_large, xml};
use crate::sandbox::Sandbox;
use crate::services::serve;
use crate::status::State;
use crate::wire::form::Form;
use crate::wire::request::ServiceRequest;
use crate::world::fault::{Fault, FaultEffect, Reaches};
use crate::world::iam::need::Need;
use crate::{absent, objects, scope, services, site, status, time};

/// The header of an answer that names the sandbox's region, where the request is signed for another
/// one.
const REGION: HeaderName = HeaderName::from_static("x-sandbox-region");

impl Sandbox {
    /// Carries out one HTTP request, whatever it is for.
    ///
    /// # Errors
    /// [`Hangup`]: the connection must be closed without an answer.
    pub async fn handle(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Hangup> {
        let response = self.answer(request).await?;
        let whole = Streamed::whole(response).await;
        whole.or(Err(Hangup))
    }

    /// Carries out one HTTP request, whose body may be [`Spooled`] and whose answer's
    /// [`Streamed`].
    pub(crate) async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Hangup> {
        let signed_for = scope::region_of(&request);
        let mut response = self.dispatch(request).await?;
        if let Some(region) = signed_for.and_then(|region| self.answered_from(&region)) {
            response.headers_mut().insert(REGION, region);
        }
        let now = httpdate::fmt_http_date(self.clock().now);
        if let Ok(now) = HeaderValue::from_str(&now) {
            response.headers_mut().insert(DATE, now);
        }
        Ok(response)
    }

    /// The region that answers a request signed for another one: the sandbox has no other. The
    /// report counts these requests, and `None` is for one that is signed for the region itself.
    fn answered_from(&self, signed_for: &str) -> Option<HeaderValue> {
        let own = self.read_world(|world, _| world.region.clone());
        if signed_for == own {
            return None;
        }
        if self.work(|world, _| (world.note_region(signed_for), Effect::Counts)) {
            tracing::warn!(
                "requests are signed for {signed_for}: the sandbox answers as {own}, which is its \
                 only region"
            );
        }
        HeaderValue::from_str(&own).ok()
    }

    async fn dispatch(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Hangup> {
        let (host, is_site) = self.led_to(host(&request));
        let is_bundle = matches!(objects::operation(&request), "PutObject" | "UploadPart");
        if Spooled::of(&request).is_some() && (is_site || !is_bundle) {
            return Ok(too_large());
        }
        if is_site {
            let answered = self.read_world(|world, _| site::answer(world, &host, &request));
            let (answer, after) = answered?;
            if !after.is_zero() {
                tokio::time::sleep(after).await;
            }
            return Ok(answer);
        }
        if is_of_a_page(&request) {
            let why = "the sandbox takes no requests of web pages\n".to_owned();
            return Ok(text(403, why));
        }
        if let Some(what) = request.uri().path().strip_prefix("/_sandbox/") {
            return Ok(self.control(what, &request));
        }
        let origin = Origin::of(&request);
        let service = scope::service_of(&request);
        if let Some(service) = service.as_deref().filter(|service| !is_main(service)) {
            return match services::request::read(&request, service) {
                Some(request) => self.service(&request, origin).await,
                None => Ok(self.absent(&request, service)),
            };
        }
        match query_form(&request) {
            Some(form) => self.query(form, origin, &reached_at(&request)).await,
            None => self.s3(request).await,
        }
    }

    /// The answer to a request to a service that the sandbox does not have.
    fn absent(&self, request: &Request<Bytes>, service: &str) -> Response<Bytes> {
        let request_id = self.work(|world, _| {
            *world
                .calls
                .entry(format!("{service}: refused"))
                .or_default() += 1;
            (world.request_id(), Effect::Counts)
        });
        absent::refused(request, service, &request_id)
    }

    /// The host that DNS leads to from a host, and whether an environment's web site must answer
    /// for it.
    fn led_to(&self, host: String) -> (String, bool) {
        let is_named =
            host.ends_with(".elasticbeanstalk.com") || host.ends_with(".elb.amazonaws.com");
        let address = host.parse::<IpAddr>().ok();
        if is_named || address.is_some_and(|address| address.is_loopback()) {
            return (host, is_named);
        }
        let led_to = self.read_world(|world, _| {
            if address.is_some() && world.addresses().contains(&host) {
                return Some(host.clone());
            }
            // What is the sandbox's own is in no hosted zone.
            let in_zone = || (!is_own(&host)).then(|| world.led_to(&host))?;
            world.led_elsewhere(&host).or_else(in_zone)
        });
        match led_to {
            Some(led_to) => (led_to, true),
            None => (host, false),
        }
    }

    /// Whether a request may be for a sandbox that only this machine reaches: a web page that has
    /// led a name of its own here (DNS rebinding) sends its requests to that name.
    pub(crate) fn is_meant<B>(&self, request: &Request<B>) -> bool {
        let host = host(request);
        host.is_empty() || is_own(&host) || self.led_to(host).1
    }

    async fn service(
        &self,
        request: &ServiceRequest,
        origin: Origin,
    ) -> Result<Response<Bytes>, Hangup> {
        let call = self.call(request.service.into(), &request.operation, origin);
        self.tell(&call, Phase::Before)?;
        let reads = services::only_reads(&request.operation);
        let reply = self.work(|world, _| {
            world.asked_with(&call.origin.access_key);
            let effect = effect(reads && world.is_quiet());
            (serve(world, request), effect)
        });
        self.tell(&call, Phase::After)?;
        match due(reply).await {
            Reply::Foreign(page) => Ok(page.answer()),
            reply => Ok(services::answer::dressed(request, responded(reply)?)),
        }
    }

    async fn query(
        &self,
        form: Form,
        origin: Origin,
        reached_at: &str,
    ) -> Result<Response<Bytes>, Hangup> {
        let call = self.call(Service::ElasticBeanstalk, form.operation(), origin);
        self.tell(&call, Phase::Before)?;
        let objects = &self.0.objects;
        let reads = only_reads(form.operation());
        let (reply, errands) = self.work(|world, _| {
            world.asked_with(&call.origin.access_key);
            let is_quiet = world.is_quiet();
            reached_at.clone_into(&mut world.storage.reached_at);
            world.note_absent_bundles(&form, |bucket, key| {
                objects.has_bucket(bucket) && !objects.lacks(bucket, key)
            });
            let reply = apply(world, &form);
            world.note_lost_bundles(|bucket, key| objects.lacks(bucket, key));
            let errands = world.take_errands();
            let effect = effect(reads && is_quiet && errands.is_empty());
            ((reply, errands), effect)
        });
        self.run(errands).await;
        self.tell(&call, Phase::After)?;
        match due(reply).await {
            Reply::Answer {
                status,
                body,
                request_id,
            } if form.wants_json() => Ok(json_text(status, body, &request_id)),
            reply => responded(reply),
        }
    }

    async fn s3(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Hangup> {
        let mut origin = Origin::of(&request);
        if let Some(access_key) = objects::access_key(&request) {
            origin.access_key = access_key;
        }
        let call = self.call(Service::S3, objects::operation(&request), origin);
        self.tell(&call, Phase::Before)?;
        let (fault, errands) = self.work(|world, _| {
            let is_quiet = world.is_quiet();
            *world.calls.entry(call.operation.clone()).or_default() += 1;
            let fault = world.struck(&call.operation, &call.origin.path);
            let errands = world.take_errands();
            let effect = effect(is_quiet && errands.is_empty());
            ((fault, errands), effect)
        });
        self.run(errands).await;
        let response = match fault {
            None | Some(FaultEffect::DropAnswer | FaultEffect::SlowAnswer { .. }) => {
                self.permitted_s3(request, &call.origin.access_key).await
            }
            Some(FaultEffect::ForeignAnswer { ref page, reaches }) => {
                if reaches == Reaches::AtOnce {
                    let answer = self.permitted_s3(request, &call.origin.access_key);
                    drop(answer.await);
                }
                page.answer()
            }
            Some(FaultEffect::DropRequest | FaultEffect::Late { .. }) => return Err(Hangup),
            Some(FaultEffect::Throttle) => objects::failure(
                StatusCode::SERVICE_UNAVAILABLE,
                "SlowDown",
                "Please reduce your request rate.",
            ),
            Some(FaultEffect::ClockSkewed) => objects::failure(
                StatusCode::FORBIDDEN,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
            ),
            Some(ref effect) => {
                let error = refusal(effect);
                let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
                objects::failure(status, &error.code, &error.message)
            }
        };
        self.tell(&call, Phase::After)?;
        match fault {
            Some(FaultEffect::DropAnswer) => Err(Hangup),
            Some(FaultEffect::ForeignAnswer { .. }) => Ok(response),
            Some(FaultEffect::SlowAnswer { milliseconds }) => {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                Ok(objects::identified(response, call.number))
            }
            _ => Ok(objects::identified(response, call.number)),
        }
    }

    async fn permitted_s3(&self, mut request: Request<Bytes>, access_key: &str) -> Response<Bytes> {
        if self.read_world(|world, _| world.quirks.conditions_ignored) {
            for header in ["if-match", "if-none-match", "content-md5"] {
                request.headers_mut().remove(header);
            }
        }
        let is_head = request.method() == Method::HEAD;
        let denied = |message: &str| {
            let mut response = objects::failure(StatusCode::FORBIDDEN, "AccessDenied", message);
            if is_head {
                response.body_mut().clear();
            }
            response
        };
        let permitted = |needs: Vec<Need>| {
            self.work(|world, _| {
                world.asked_with(access_key);
                let permitted = needs.iter().try_for_each(|need| world.permit(need));
                (permitted, Effect::Reads)
            })
        };
        let session = self.work(|world, _| {
            world.asked_with(access_key);
            (world.check_session(), Effect::Reads)
        });
        if session.is_err() {
            return objects::failure(
                StatusCode::FORBIDDEN,
                "InvalidAccessKeyId",
                "The AWS Access Key Id you provided does not exist in our records.",
            );
        }
        // S3 tells anybody that there is no such bucket.
        let (bucket, _) = objects::target(&request);
        let judged =
            objects::operation(&request) == "CreateBucket" || self.0.objects.has_bucket(&bucket);
        let (needs, refused) = self.work(|world, _| {
            world.asked_with(access_key);
            let mut needs = s3::needed(&request);
            needs.extend(key_needs(world, &request));
            let denied = bucket_denies(world, &request);
            ((needs, denied), Effect::Reads)
        });
        if judged && let Err(message) = permitted(needs) {
            self.work(|world, _| {
                world.denied(objects::operation(&request));
                ((), Effect::Counts)
            });
            return denied(&message);
        }
        if let Some(message) = refused {
            return denied(&message);
        }
        let now = time::millis(self.clock().now);
        let hides = s3::hides_missing_keys(&request).filter(|_| judged);
        let response = self.0.objects.handle(request, now).await;
        match (response.status(), hides.map(|need| permitted(vec![need]))) {
            (StatusCode::NOT_FOUND, Some(Err(message))) => denied(&message),
            _ => response,
        }
    }

    fn call(&self, service: Service, operation: &str, origin: Origin) -> Call {
        Call {
            number: self.0.calls.fetch_add(1, Ordering::SeqCst) + 1,
            service,
            operation: operation.to_owned(),
            origin,
        }
    }

    fn tell(&self, call: &Call, phase: Phase) -> Result<(), Hangup> {
        let tap = self
            .0
            .tap
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match tap.map(|tap| tap(call, phase)) {
            Some(TapVerdict::HangUp) => Err(Hangup),
            Some(TapVerdict::Continue) | None => Ok(()),
        }
    }

    fn control(&self, what: &str, request: &Request<Bytes>) -> Response<Bytes> {
        match (request.method(), what) {
            (&Method::GET, "clock") => {
                let reading = self.clock();
                let now = time::millis(reading.now);
                in_json(200, &json!({ "now_ms": now, "speed": reading.speed }))
            }
            (&Method::GET, "") => status::page(),
            (&Method::GET, "state") => {
                let clock = self.clock();
                in_json(
                    200,
                    &json!(self.read_world(|world, _| State::of(world, clock))),
                )
            }
            (&Method::GET, "report") => in_json(200, &json!(self.report())),
            (&Method::GET, "faults") => in_json(
                200,
                &json!(self.read_world(|world, _| world.faults().to_vec())),
            ),
            (&Method::POST, "faults") => match Fault::read(request.body()) {
                Ok(fault) => {
                    self.with_world(|world, _| world.inject(fault));
                    in_json(200, &json!({}))
                }
                Err(error) => in_json(400, &json!({ "error": error })),
            },
            (&Method::DELETE, "faults") => {
                self.with_world(|world, _| world.clear_faults());
                in_json(200, &json!({}))
            }
            _ => {
                let known =
                    "the status page, GET clock, GET state, GET report, GET, POST or DELETE faults";
                in_json(
                    404,
                    &json!({ "error": format!("unknown; there are {known}") }),
                )
            }
        }
    }
}

/// Whether a web page has sent the request, as browsers' headers show: no client of AWS is one. A
/// request for an image or from a form on another site may come without an origin.
fn is_of_a_page<B>(request: &Request<B>) -> bool {
    let site = request.headers().get("sec-fetch-site");
    request.headers().contains_key(ORIGIN)
        || site.is_some_and(|site| site != "none" && site != "same-origin")
}

/// Whether a service, by its name in signatures, is one of the two that the sandbox is for.
fn is_main(service: &str) -> bool {
    matches!(service, "elasticbeanstalk" | "s3" | "s3express")
}

/// The effect of a request that is counted, by whether it does no more than that.
fn effect(only_counts: bool) -> Effect {
    match only_counts {
        true => Effect::Counts,
        false => Effect::Changes,
    }
}

/// The host and port that a request was sent to; empty where it does not say.
fn reached_at(request: &Request<Bytes>) -> String {
    let header = || request.headers().get(HOST)?.to_str().ok();
    let authority = request.uri().authority().map(|a| a.as_str());
    authority.or_else(header).unwrap_or_default().to_owned()
}

/// The parameters of a Query request; `None` where it is not one.
fn query_form(request: &Request<Bytes>) -> Option<Form> {
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|v: &HeaderValue| v.to_str().ok())
    };
    let is_form =
        header(CONTENT_TYPE).is_some_and(|t| t.starts_with("application/x-www-form-urlencoded"));
    let scoped = |service: &str| {
        header(AUTHORIZATION).is_some_and(|a| a.contains(&format!("/{service}/aws4_request")))
    };
    let query = request.uri().query().unwrap_or_default();
    let accepted = header(ACCEPT).and_then(|accepted| accepted.split([',', ';']).next());
    let noted = |form: Form| match accepted.map(str::trim) {
        Some("application/json") => form.in_json(),
        _ => form,
    };
    if request.method() == Method::POST && (is_form || scoped("elasticbeanstalk")) && !scoped("s3")
    {
        return Some(noted(Form::parse(request.body())));
    }
    let form = Form::parse(query.as_bytes());
    (!form.operation().is_empty() && !scoped("s3")).then(|| noted(form))
}

/// The reply once its time has come.
async fn due(mut reply: Reply) -> Reply {
    while let Reply::Slow(slow, after) = reply {
        tokio::time::sleep(after).await;
        reply = *slow;
    }
    reply
}

fn responded(reply: Reply) -> Result<Response<Bytes>, Hangup> {
    match reply {
        Reply::HangUp => Err(Hangup),
        Reply::Foreign(page) => Ok(page.answer()),
        // Whoever asked has waited for it.
        Reply::Slow(reply, _) => responded(*reply),
        Reply::Answer {
            status,
            body,
            request_id,
        } => Ok(xml(status, body, &request_id)),
    }
}
