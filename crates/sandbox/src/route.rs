//! Where a request goes: a web site, the control API, the Query API or S3.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HOST, LOCATION, ORIGIN};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use serde_json::json;

use crate::body::{Spooled, Streamed};
use crate::encryption;
use crate::faults::{Fault, FaultEffect, Page, Reaches};
use crate::objects;
use crate::operations::{Reply, refusal};
use crate::policy::{self, Need};
use crate::services::ServiceRequest;
use crate::wire::Form;
use crate::{Sandbox, clock, site};

/// The connection is closed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is closed without an answer")]
pub struct Hangup;

/// An API call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Counts from 1.
    pub number: u64,
    /// Which service it is for.
    pub service: Service,
    /// The operation.
    pub operation: String,
    /// How it came.
    pub origin: Origin,
}

/// How a call came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The path of its URL; a bucket and a key for S3.
    pub path: String,
    /// The access key that signed it; empty where none did.
    pub access_key: String,
}

/// The services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The Query API of Elastic Beanstalk.
    ElasticBeanstalk,
    /// S3.
    S3,
    /// Route 53.
    Route53,
    /// The Parameter Store of SSM.
    Ssm,
    /// CloudFormation.
    CloudFormation,
    /// CloudWatch.
    CloudWatch,
    /// EC2.
    Ec2,
    /// Elastic Load Balancing.
    LoadBalancing,
    /// AWS WAF.
    Waf,
    /// IAM.
    Iam,
    /// STS.
    Sts,
    /// Service Quotas.
    ServiceQuotas,
}

/// When a tap is told of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Before it is applied.
    Before,
    /// After it was applied, before its answer is sent.
    After,
}

/// What a tap wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapVerdict {
    /// Go on.
    Continue,
    /// Close the connection without an answer; before its phase, nothing is applied.
    HangUp,
}

pub(crate) type Tap = Arc<dyn Fn(&Call, Phase) -> TapVerdict + Send + Sync>;

impl Sandbox {
    /// Carries out one HTTP request, whatever it is for.
    ///
    /// # Errors
    /// [`Hangup`]: the connection is to be closed without an answer.
    pub async fn handle(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Hangup> {
        let response = self.answer(request).await?;
        let whole = Streamed::whole(response).await;
        whole.or(Err(Hangup))
    }

    /// Carries out one HTTP request, whose body may be [`Spooled`] and whose answer's
    /// [`Streamed`].
    pub(crate) async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Hangup> {
        let mut response = self.dispatch(request).await?;
        let now = httpdate::fmt_http_date(self.clock().now);
        if let Ok(now) = HeaderValue::from_str(&now) {
            response.headers_mut().insert(DATE, now);
        }
        Ok(response)
    }

    async fn dispatch(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Hangup> {
        let (host, is_site) = self.led_to(host(&request));
        let is_bundle = matches!(objects::operation(&request), "PutObject" | "UploadPart");
        if Spooled::of(&request).is_some() && (is_site || !is_bundle) {
            return Ok(too_large());
        }
        if is_site {
            let answered = self.with_world(|world, _| site::answer(world, &host, &request));
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
        if let Some(request) = ServiceRequest::read(&request) {
            return self.service(&request, origin).await;
        }
        match query_form(&request) {
            Some(form) => self.query(form, origin).await,
            None => self.s3(request).await,
        }
    }

    /// The host that DNS leads to from a host, and whether an environment's web site is
    /// to answer for it.
    fn led_to(&self, host: String) -> (String, bool) {
        let is_named =
            host.ends_with(".elasticbeanstalk.com") || host.ends_with(".elb.amazonaws.com");
        if is_named || self.with_world(|world, _| world.addresses().contains(&host)) {
            return (host, true);
        }
        if let Some(to) = self.with_world(|world, _| world.led_elsewhere(&host)) {
            return (to, true);
        }
        // These are in no hosted zone.
        if is_own(&host) {
            return (host, false);
        }
        match self.with_world(|world, _| world.led_to(&host)) {
            Some(led_to) => (led_to, true),
            None => (host, false),
        }
    }

    /// Whether a request may be for a sandbox that only this machine reaches: a web page that has
    /// led a name of its own here (DNS rebinding) asks by that name.
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
        let reply = self.with_world(|world, _| {
            world.asked_with(&call.origin.access_key);
            world.serve(request)
        });
        self.tell(&call, Phase::After)?;
        match due(reply).await {
            Reply::Foreign(page) => Ok(page.answer()),
            reply => Ok(request.dressed(responded(reply)?)),
        }
    }

    async fn query(&self, form: Form, origin: Origin) -> Result<Response<Bytes>, Hangup> {
        let call = self.call(Service::ElasticBeanstalk, form.operation(), origin);
        self.tell(&call, Phase::Before)?;
        let reply = self.with_world(|world, _| {
            world.asked_with(&call.origin.access_key);
            world.note_lost_bundles(|bucket, key| self.0.objects.lacks(bucket, key));
            world.apply(&form)
        });
        self.tell(&call, Phase::After)?;
        responded(due(reply).await)
    }

    async fn s3(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Hangup> {
        let origin = Origin::of(&request);
        let call = self.call(Service::S3, objects::operation(&request), origin);
        self.tell(&call, Phase::Before)?;
        let fault = self.with_world(|world, _| {
            *world.calls.entry(call.operation.clone()).or_default() += 1;
            world.struck(&call.operation, &call.origin.path)
        });
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
                Ok(numbered(response, call.number))
            }
            _ => Ok(numbered(response, call.number)),
        }
    }

    async fn permitted_s3(&self, mut request: Request<Bytes>, access_key: &str) -> Response<Bytes> {
        if self.with_world(|world, _| world.quirks.conditions_ignored) {
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
            self.with_world(|world, _| {
                world.asked_with(access_key);
                needs.iter().try_for_each(|need| world.permit(need))
            })
        };
        let session = self.with_world(|world, _| {
            world.asked_with(access_key);
            world.check_session()
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
        let (needs, refused) = self.with_world(|world, _| {
            world.asked_with(access_key);
            let mut needs = policy::s3_needs(&request);
            needs.extend(world.key_needs(&request));
            (needs, world.bucket_denies(&request))
        });
        if judged && let Err(message) = permitted(needs) {
            self.with_world(|world, _| world.denied(objects::operation(&request)));
            return denied(&message);
        }
        if let Some(message) = refused {
            return denied(&message);
        }
        encryption::strip(request.headers_mut());
        let hides = policy::hides_missing_keys(&request).filter(|_| judged);
        let response = self.0.objects.handle(request).await;
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
                let now = clock::millis(reading.now);
                in_json(200, &json!({ "now_ms": now, "speed": reading.speed }))
            }
            (&Method::GET, "report") => in_json(200, &json!(self.report())),
            (&Method::GET, "faults") => in_json(
                200,
                &json!(self.with_world(|world, _| world.faults().to_vec())),
            ),
            (&Method::POST, "faults") => match serde_json::from_slice::<Fault>(request.body()) {
                Ok(fault) => {
                    self.with_world(|world, _| world.inject(fault));
                    in_json(200, &json!({}))
                }
                Err(error) => in_json(400, &json!({ "error": error.to_string() })),
            },
            (&Method::DELETE, "faults") => {
                self.with_world(|world, _| world.clear_faults());
                in_json(200, &json!({}))
            }
            _ => {
                let known = "GET clock, GET report, GET, POST or DELETE faults";
                in_json(
                    404,
                    &json!({ "error": format!("unknown; there are {known}") }),
                )
            }
        }
    }
}

/// The host that a request is for, without its port, in lower case: of an
/// absolute URI as a proxy gets it, else of the Host header.
pub(crate) fn host<B>(request: &Request<B>) -> String {
    let header = || request.headers().get(HOST)?.to_str().ok();
    let host = request.uri().host().or_else(header).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    name.unwrap_or_default().to_ascii_lowercase()
}

/// Whether a host is an address of the sandbox's own, or one of AWS.
fn is_own(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.ends_with(".amazonaws.com")
        || host.parse::<std::net::IpAddr>().is_ok()
}

/// Whether a web page asks, as browsers tell: none of the clients of AWS is one. An image or a
/// form of another site's comes without an origin.
fn is_of_a_page<B>(request: &Request<B>) -> bool {
    let site = request.headers().get("sec-fetch-site");
    request.headers().contains_key(ORIGIN)
        || site.is_some_and(|site| site != "none" && site != "same-origin")
}

impl Origin {
    /// The access key is the first part of a signature's credential (Signature Version 4,
    /// "Credential scope").
    fn of(request: &Request<Bytes>) -> Origin {
        let header = |name: &str| request.headers().get(name)?.to_str().ok();
        let key = || {
            let (_, credential) = header(AUTHORIZATION.as_str())?.split_once("Credential=")?;
            credential.split('/').next()
        };
        Origin {
            path: request.uri().path().to_owned(),
            access_key: key().unwrap_or_default().to_owned(),
        }
    }
}

/// The parameters of a Query request; none where it is not one.
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
    if request.method() == Method::POST && (is_form || scoped("elasticbeanstalk")) && !scoped("s3")
    {
        return Some(Form::parse(request.body()));
    }
    let form = Form::parse(query.as_bytes());
    (!form.operation().is_empty() && !scoped("s3")).then_some(form)
}

/// What is answered, once it is.
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

fn xml(status: u16, body: String, request_id: &str) -> Response<Bytes> {
    let mut response = answer(status, "text/xml", body);
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

pub(crate) fn in_json(status: u16, body: &serde_json::Value) -> Response<Bytes> {
    answer(status, "application/json", format!("{body}\n"))
}

pub(crate) fn text(status: u16, body: String) -> Response<Bytes> {
    answer(status, "text/plain; charset=utf-8", body)
}

/// An answer of S3 tells the request's id in a header (S3 user guide, "Getting Amazon S3
/// request IDs").
fn numbered(mut response: Response<Bytes>, number: u64) -> Response<Bytes> {
    if let Ok(id) = HeaderValue::from_str(&format!("{number:016X}")) {
        response.headers_mut().insert("x-amz-request-id", id);
    }
    response
}

impl Page {
    fn answer(&self) -> Response<Bytes> {
        let mut response = answer(self.status, "text/html", self.body.clone());
        let location = self.location.as_deref().map(HeaderValue::from_str);
        if let Some(Ok(location)) = location {
            response.headers_mut().insert(LOCATION, location);
        }
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// What nginx and AWS say to a body that is larger than they take.
pub(crate) fn too_large() -> Response<Bytes> {
    text(413, "the body is too large\n".to_owned())
}

pub(crate) fn answer(status: u16, content_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
