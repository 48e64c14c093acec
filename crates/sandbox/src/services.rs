//! The services beside Elastic Beanstalk and S3: Route 53, SSM, CloudFormation,
//! CloudWatch, EC2, Elastic Load Balancing, WAF, IAM, STS and Service Quotas, as far as a release
//! has to do with them.

mod cloudwatch;
mod ec2;
mod elbv2;
mod element;
mod iam;
mod parameters;
mod protocol;
mod quotas;
mod records;
mod route53;
mod stacks;
mod waf;

use std::collections::BTreeSet;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Request, Response};
use serde::{Deserialize, Serialize};

use crate::faults::{FaultEffect, Reaches};
use crate::operations::{Reply, refusal};
use crate::route::Service;
use crate::seed::PRODUCTION;
use crate::wire::{ApiError, Form};
use crate::world::{Happening, World};
use cloudwatch::Alarm;
pub(crate) use ec2::GROUPS;
use ec2::Group;
use elbv2::Balancing;
pub(crate) use element::Element;
use element::element;
use parameters::Parameter;
use protocol::Protocol;
use records::Zone;
use route53::Change;

/// The id of the seeded hosted zone, `shop.example.`.
pub const ZONE: &str = "Z0SHOPEXAMPLE00000001";
/// The seeded parameter that holds the hosted zone's id.
pub const ZONE_PARAMETER: &str = "/shop/hosted-zone-id";
/// The seeded parameter that holds the preview hostnames, a JSON list.
pub const HOSTS_PARAMETER: &str = "/shop/preview-hosts";

/// How long a change of records takes to reach the name servers (API reference,
/// `ChangeResourceRecordSets`: "generally … within 60 seconds").
const SYNC_SECONDS: u64 = 30;

/// What these services hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Services {
    zones: Vec<Zone>,
    changes: Vec<Change>,
    parameters: Vec<Parameter>,
    /// The ids of the environments whose stacks are protected against termination.
    protected: BTreeSet<String>,
    #[serde(default)]
    alarms: Vec<Alarm>,
    #[serde(default)]
    balancing: Balancing,
    /// The security groups that are no environment's own.
    #[serde(default)]
    groups: Vec<Group>,
}

/// These services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Route53,
    Ssm,
    CloudFormation,
    CloudWatch(Protocol),
    Ec2,
    LoadBalancing,
    Waf,
    Iam,
    Sts,
    ServiceQuotas,
}

impl From<Kind> for Service {
    fn from(kind: Kind) -> Service {
        match kind {
            Kind::Route53 => Service::Route53,
            Kind::Ssm => Service::Ssm,
            Kind::CloudFormation => Service::CloudFormation,
            Kind::CloudWatch(_) => Service::CloudWatch,
            Kind::Ec2 => Service::Ec2,
            Kind::LoadBalancing => Service::LoadBalancing,
            Kind::Waf => Service::Waf,
            Kind::Iam => Service::Iam,
            Kind::Sts => Service::Sts,
            Kind::ServiceQuotas => Service::ServiceQuotas,
        }
    }
}

/// A request to one of these services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServiceRequest {
    pub service: Kind,
    pub operation: String,
    method: String,
    path: String,
    query: Form,
    body: String,
}

impl ServiceRequest {
    /// The request, where its signature's scope names one of these services.
    pub fn read(request: &Request<Bytes>) -> Option<ServiceRequest> {
        let text = |value: &http::HeaderValue| value.to_str().ok().map(str::to_owned);
        let header = |name: &str| request.headers().get(name).and_then(text);
        let mut body = String::from_utf8_lossy(request.body()).into_owned();
        let service = match scope(&header(AUTHORIZATION.as_str())?)? {
            "route53" => Kind::Route53,
            "ssm" => Kind::Ssm,
            "cloudformation" => Kind::CloudFormation,
            "monitoring" => Kind::CloudWatch(Protocol::of(request)),
            "ec2" => Kind::Ec2,
            "elasticloadbalancing" => Kind::LoadBalancing,
            "wafv2" => Kind::Waf,
            "iam" => Kind::Iam,
            "sts" => Kind::Sts,
            "servicequotas" => Kind::ServiceQuotas,
            _ => return None,
        };
        let (method, path) = (request.method().as_str(), request.uri().path());
        let query = Form::parse(request.uri().query().unwrap_or_default().as_bytes());
        let operation = match service {
            Kind::Route53 => route53::operation(method, path).to_owned(),
            Kind::Ssm | Kind::Waf | Kind::ServiceQuotas => {
                let target = header("x-amz-target").unwrap_or_default();
                target.rsplit('.').next().unwrap_or_default().to_owned()
            }
            Kind::CloudFormation | Kind::Ec2 | Kind::LoadBalancing | Kind::Iam | Kind::Sts => {
                Form::parse(request.body()).operation().to_owned()
            }
            Kind::CloudWatch(protocol) => {
                let (operation, input) = protocol.read(request);
                body = input.to_string();
                operation
            }
        };
        Some(ServiceRequest {
            service,
            operation,
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            body,
        })
    }

    /// The body, in JSON where it came in CBOR.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The path of the URL.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name)
    }

    /// The body of an answer that tells an error, in the service's own format.
    fn failure(&self, error: &ApiError, request_id: &str) -> String {
        match self.service {
            Kind::Ssm
            | Kind::Waf
            | Kind::ServiceQuotas
            | Kind::CloudWatch(Protocol::Json | Protocol::Cbor) => {
                let told = serde_json::json!({ "__type": error.code, "message": error.message });
                told.to_string()
            }
            Kind::CloudWatch(Protocol::Query) => {
                element::error_document(cloudwatch::NAMESPACE, error, request_id)
            }
            Kind::Ec2 => ec2::error_document(error, request_id),
            Kind::LoadBalancing => element::error_document(elbv2::NAMESPACE, error, request_id),
            Kind::Iam => element::error_document(iam::NAMESPACE, error, request_id),
            Kind::Sts => element::error_document(iam::STS_NAMESPACE, error, request_id),
            Kind::CloudFormation => element::error_document(stacks::NAMESPACE, error, request_id),
            Kind::Route53 => element::error_document(route53::NAMESPACE, error, request_id),
        }
    }

    /// An answer in the service's own format.
    pub fn dressed(&self, mut response: Response<Bytes>) -> Response<Bytes> {
        let content_type = match self.service {
            Kind::Ssm | Kind::Waf | Kind::ServiceQuotas => "application/x-amz-json-1.1",
            Kind::CloudWatch(protocol) => protocol.content_type(),
            Kind::CloudFormation
            | Kind::Ec2
            | Kind::LoadBalancing
            | Kind::Iam
            | Kind::Sts
            | Kind::Route53 => "text/xml",
        };
        let refused = !response.status().is_success();
        let content_type = HeaderValue::from_static(content_type);
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        let Kind::CloudWatch(protocol @ Protocol::Cbor) = self.service else {
            return response;
        };
        let told: serde_json::Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let headers = response.headers_mut();
        headers.insert(
            HeaderName::from_static("smithy-protocol"),
            HeaderValue::from_static("rpc-v2-cbor"),
        );
        // What clients of the Query protocol knew the error as.
        let code = told["__type"].as_str().filter(|_| refused);
        let code = code.and_then(|code| HeaderValue::from_str(&format!("{code};Sender")).ok());
        if let Some(code) = code {
            headers.insert(HeaderName::from_static("x-amzn-query-error"), code);
        }
        *response.body_mut() = protocol.encoded(told);
        response
    }

    /// The answer of a fault that refuses, with the codes of the service.
    fn refusal(&self, effect: &FaultEffect) -> ApiError {
        let error = refusal(effect);
        let named = |code: &str| ApiError::new(code, &error.message);
        match (self.service, effect) {
            (Kind::Ssm | Kind::Waf, FaultEffect::Throttle) => named("ThrottlingException"),
            (Kind::Ssm | Kind::Waf, FaultEffect::ExpiredCredentials) => {
                named("ExpiredTokenException")
            }
            (Kind::Ssm | Kind::Waf, FaultEffect::ClockSkewed) => named("InvalidSignatureException"),
            _ => error,
        }
    }
}

/// The service that a signature is for, the fourth part of its credential (Signature
/// Version 4, "Credential scope").
fn scope(authorization: &str) -> Option<&str> {
    let (_, credential) = authorization.split_once("Credential=")?;
    let credential = credential.split(',').next()?;
    credential.strip_suffix("/aws4_request")?.rsplit('/').next()
}

impl World {
    /// Carries out a request at the world's present time, faults included.
    pub(crate) fn serve(&mut self, request: &ServiceRequest) -> Reply {
        *self.calls.entry(request.operation.clone()).or_default() += 1;
        match self.struck(&request.operation, "") {
            None => self.perform_service(request),
            Some(FaultEffect::DropAnswer) => {
                let _ = self.perform_service(request);
                Reply::HangUp
            }
            Some(FaultEffect::SlowAnswer { milliseconds }) => {
                self.perform_service(request).after(milliseconds)
            }
            Some(FaultEffect::DropRequest) => Reply::HangUp,
            Some(FaultEffect::Late { seconds }) => {
                self.serve_later(request, seconds);
                Reply::HangUp
            }
            Some(FaultEffect::ForeignAnswer { page, reaches }) => {
                match reaches {
                    Reaches::Never => {}
                    Reaches::AtOnce => drop(self.perform_service(request)),
                    Reaches::After(seconds) => self.serve_later(request, seconds),
                }
                Reply::Foreign(page)
            }
            Some(effect) => {
                let request_id = self.request_id();
                refused(request, &request.refusal(&effect), request_id)
            }
        }
    }

    fn serve_later(&mut self, request: &ServiceRequest, seconds: u64) {
        let (request, asking) = (request.clone(), self.asking.clone());
        self.plan(
            seconds,
            Happening::ServiceRequestArrives { request, asking },
        );
    }

    /// Carries out a request as the service does when nothing goes wrong.
    pub(crate) fn perform_service(&mut self, request: &ServiceRequest) -> Reply {
        let request_id = self.request_id();
        let admitted = self.check_session();
        if let Err(denied) = admitted.and_then(|()| self.authorize_service(request)) {
            self.denied(&request.operation);
            return refused(request, &denied, request_id);
        }
        let done = match request.service {
            Kind::Ssm => self.ssm(request).map(|answer| answer.to_string()),
            Kind::Waf => {
                let answer = self.waf(&request.operation, &request.body);
                answer.map(|answer| answer.to_string())
            }
            Kind::ServiceQuotas => {
                let answer = self.service_quotas(request);
                answer.map(|answer| answer.to_string())
            }
            Kind::CloudFormation => {
                let form = Form::parse(request.body.as_bytes());
                self.cloudformation(&form)
                    .map(|result| wrapped(request, stacks::NAMESPACE, result, &request_id))
            }
            Kind::Ec2 => {
                let form = Form::parse(request.body.as_bytes());
                self.ec2(&form)
                    .map(|result| ec2::wrapped(&request.operation, result, &request_id))
            }
            Kind::LoadBalancing => {
                let form = Form::parse(request.body.as_bytes());
                let result = self.elbv2(&form);
                let name = format!("{}Result", request.operation);
                result
                    .map(|result| protocol::in_xml(&name, &result))
                    .map(|result| wrapped(request, elbv2::NAMESPACE, result, &request_id))
            }
            Kind::Iam | Kind::Sts => {
                let form = Form::parse(request.body.as_bytes());
                let (namespace, result) = match request.service {
                    Kind::Sts => (iam::STS_NAMESPACE, self.sts(&form)),
                    _ => (iam::NAMESPACE, self.iam(&form)),
                };
                let name = format!("{}Result", request.operation);
                result.map(|result| match result {
                    Some(result) => {
                        let result = protocol::in_xml(&name, &result);
                        wrapped(request, namespace, result, &request_id)
                    }
                    None => void(request, namespace, &request_id),
                })
            }
            Kind::CloudWatch(protocol) => {
                let input = serde_json::from_str(&request.body).unwrap_or_default();
                let result = self.cloudwatch(&request.operation, &input);
                let name = format!("{}Result", request.operation);
                result.map(|result| match protocol {
                    Protocol::Json | Protocol::Cbor => result.to_string(),
                    Protocol::Query => {
                        let result = protocol::in_xml(&name, &result);
                        wrapped(request, cloudwatch::NAMESPACE, result, &request_id)
                    }
                })
            }
            Kind::Route53 => self
                .route53(request)
                .map(|answer| answer.document(route53::NAMESPACE)),
        };
        match done {
            Ok(body) => Reply::Answer {
                status: 200,
                body,
                request_id,
            },
            Err(error) => refused(request, &error, request_id),
        }
    }

    /// Adds a hosted zone that holds nothing yet.
    pub fn add_zone(&mut self, id: &str, name: &str) {
        self.services.zones.push(Zone {
            id: id.to_owned(),
            name: format!("{name}."),
            served: Vec::new(),
            records: Vec::new(),
        });
    }

    /// The name servers answer these records of a zone from now on.
    pub(crate) fn serve_records(&mut self, zone: &str, records: Vec<Element>) {
        if let Some(zone) = self.services.zones.iter_mut().find(|z| z.id == zone) {
            zone.served = records;
        }
    }
}

/// The result of an operation of the Query protocol, in its answer.
fn wrapped(request: &ServiceRequest, namespace: &str, result: Element, request_id: &str) -> String {
    let metadata = element("ResponseMetadata").say("RequestId", request_id);
    element(&format!("{}Response", request.operation))
        .with(result)
        .with(metadata)
        .document(namespace)
}

/// The answer of an operation without a result.
fn void(request: &ServiceRequest, namespace: &str, request_id: &str) -> String {
    let metadata = element("ResponseMetadata").say("RequestId", request_id);
    element(&format!("{}Response", request.operation))
        .with(metadata)
        .document(namespace)
}

fn refused(request: &ServiceRequest, error: &ApiError, request_id: String) -> Reply {
    Reply::Answer {
        status: error.status,
        body: request.failure(error, &request_id),
        request_id,
    }
}

impl Services {
    /// Zone `shop.example.` with a name for production and one for previews, and the
    /// parameters that name both.
    pub fn seeded() -> Services {
        let record = |name: &str, kind: &str, ttl: u32, values: &[&str]| {
            let records = values
                .iter()
                .fold(element("ResourceRecords"), |list, value| {
                    list.with(element("ResourceRecord").say("Value", value))
                });
            element("ResourceRecordSet")
                .say("Name", name)
                .say("Type", kind)
                .say("TTL", ttl)
                .with(records)
        };
        let records = vec![
            record(
                "shop.example.",
                "NS",
                172_800,
                &["ns-1.example.", "ns-2.example."],
            ),
            record(
                "shop.example.",
                "SOA",
                900,
                &["ns-1.example. hostmaster.example. 1 7200 900 1209600 86400"],
            ),
            record(
                "preview.shop.example.",
                "CNAME",
                300,
                &["parked.example.net"],
            ),
            record("www.shop.example.", "CNAME", 300, &[PRODUCTION]),
        ];
        let parameter = |name: &str, value: &str| Parameter {
            name: name.to_owned(),
            kind: "String".to_owned(),
            versions: vec![value.to_owned()],
            modified: 0,
        };
        Services {
            zones: vec![Zone {
                id: ZONE.to_owned(),
                name: "shop.example.".to_owned(),
                served: records.clone(),
                records,
            }],
            changes: Vec::new(),
            parameters: vec![
                parameter(ZONE_PARAMETER, ZONE),
                parameter(HOSTS_PARAMETER, "[\"preview.shop.example\"]"),
            ],
            protected: BTreeSet::new(),
            alarms: Vec::new(),
            balancing: Balancing::default(),
            groups: Vec::new(),
        }
    }

    /// What the name servers of the hosted zones answer for a name in lower case, without its
    /// last dot: the targets of alias records, and the values of records for names and
    /// addresses. None where there is no such name.
    pub fn serves(&self, name: &str) -> Option<(Vec<String>, Vec<String>)> {
        let name = records::normal(name).ok()?;
        let within = |zone: &&Zone| records::is_within(&name, &zone.name);
        let zones = self.zones.iter().filter(within);
        let zone = zones.max_by_key(|zone| zone.name.len())?;
        zone.answers(&name)
    }

    /// The record sets that differ from the seeded ones, by name and type.
    pub fn changed_records(&self) -> Vec<String> {
        let all = |services: &Services| -> BTreeSet<Element> {
            services
                .zones
                .iter()
                .flat_map(|zone| zone.records.clone())
                .collect()
        };
        let (seeded, present) = (all(&Services::seeded()), all(self));
        let told = |set: &Element| format!("{} {}", set.get("Name"), set.get("Type"));
        let differing = seeded.symmetric_difference(&present).map(told);
        differing.collect::<BTreeSet<_>>().into_iter().collect()
    }
}
