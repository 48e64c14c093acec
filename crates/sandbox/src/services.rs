//! The services beside Elastic Beanstalk and S3: Route 53, SSM, CloudFormation, CloudWatch, EC2,
//! Auto Scaling, Elastic Load Balancing, SQS, SNS, EventBridge, WAF, IAM, STS and Service Quotas, as far as a release
//! needs them.

pub(crate) mod answer;
mod autoscaling;
mod cloudwatch;
mod ec2;
mod elb;
mod elbv2;
mod event_bridge;
mod iam;
mod parameters;
mod quotas;
pub(crate) mod request;
mod route53;
mod sns;
mod sqs;
mod stacks;
mod waf;

use std::collections::BTreeMap;

use crate::objects;
use crate::policy::services;
use crate::reply::Reply;
use crate::services::answer::{refused, void, wrapped};
use crate::wire::form::Form;
use crate::wire::protocol::{Protocol, in_xml};
use crate::wire::request::{Kind, ServiceRequest};
use crate::world::World;
use crate::world::due::Happening;
use crate::world::fault::{FaultEffect, Reaches};

/// The services beside Elastic Beanstalk and S3, each with the operations that it offers.
const OFFERED: [(&str, &[&str]); 15] = [
    ("Auto Scaling", &autoscaling::OPERATIONS),
    ("CloudFormation", &stacks::OPERATIONS),
    ("CloudWatch", &cloudwatch::OPERATIONS),
    ("EC2", &ec2::OPERATIONS),
    ("Elastic Load Balancing, classic", &elb::OPERATIONS),
    ("Elastic Load Balancing", &elbv2::OPERATIONS),
    ("EventBridge", &event_bridge::OPERATIONS),
    ("IAM", &iam::OPERATIONS),
    ("Route 53", &route53::OPERATIONS),
    ("Service Quotas", &quotas::OPERATIONS),
    ("SNS", &sns::OPERATIONS),
    ("SQS", &sqs::OPERATIONS),
    ("SSM", &parameters::OPERATIONS),
    ("STS", &iam::STS_OPERATIONS),
    ("WAF", &waf::OPERATIONS),
];

/// The services beside Elastic Beanstalk, sorted by name, each with the operations that the sandbox
/// offers of it, sorted too.
pub fn other_services() -> BTreeMap<&'static str, Vec<String>> {
    let others = OFFERED.into_iter().map(|(name, operations)| {
        let operations = operations.iter().map(|name| (*name).to_owned());
        (name, operations.collect())
    });
    others.chain([("S3", objects::operations())]).collect()
}

/// Whether one of these services offers an operation.
fn is_offered(operation: &str) -> bool {
    let mut all = OFFERED.iter().flat_map(|(_, operations)| *operations);
    all.any(|name| *name == operation)
}

/// Whether an operation changes nothing, as its name says.
pub(crate) fn only_reads(operation: &str) -> bool {
    let begins = ["Describe", "Get", "List", "Simulate"];
    begins.iter().any(|begin| operation.starts_with(begin))
}

/// Carries out a request at the world's present time, faults included.
pub(crate) fn serve(world: &mut World, request: &ServiceRequest) -> Reply {
    *world.calls.entry(request.operation.clone()).or_default() += 1;
    match world.struck(&request.operation, "") {
        None => perform(world, request),
        Some(FaultEffect::DropAnswer) => {
            let _ = perform(world, request);
            Reply::HangUp
        }
        Some(FaultEffect::SlowAnswer { milliseconds }) => {
            perform(world, request).after(milliseconds)
        }
        Some(FaultEffect::DropRequest) => Reply::HangUp,
        Some(FaultEffect::Late { seconds }) => {
            hold_up(world, request, seconds);
            Reply::HangUp
        }
        Some(FaultEffect::ForeignAnswer { page, reaches }) => {
            match reaches {
                Reaches::Never => {}
                Reaches::AtOnce => drop(perform(world, request)),
                Reaches::After(seconds) => hold_up(world, request, seconds),
            }
            Reply::Foreign(page)
        }
        Some(effect) => {
            let request_id = world.request_id();
            refused(request, &answer::fault(request, &effect), request_id)
        }
    }
}

fn hold_up(world: &mut World, request: &ServiceRequest, seconds: u64) {
    let (request, asking) = (request.clone(), world.asking.clone());
    world.plan(
        seconds,
        Happening::ServiceRequestArrives { request, asking },
    );
}

/// Carries out a request as the service does when nothing goes wrong.
pub(crate) fn perform(world: &mut World, request: &ServiceRequest) -> Reply {
    let request_id = world.request_id();
    let admitted = world.check_session();
    if let Err(denied) = admitted.and_then(|()| services::authorize_service(world, request)) {
        world.denied(&request.operation);
        return refused(request, &denied, request_id);
    }
    let done = match request.service {
        Kind::Ssm => parameters::answer(world, request).map(|answer| answer.to_string()),
        Kind::Waf => {
            let answer = waf::answer(world, &request.operation, &request.body);
            answer.map(|answer| answer.to_string())
        }
        Kind::ServiceQuotas => {
            let answer = quotas::answer(world, request);
            answer.map(|answer| answer.to_string())
        }
        Kind::CloudFormation => {
            let form = Form::parse(request.body.as_bytes());
            stacks::answer(world, &form)
                .map(|result| wrapped(request, stacks::NAMESPACE, result, &request_id))
        }
        Kind::Ec2 => {
            let form = Form::parse(request.body.as_bytes());
            ec2::answer(world, &form)
                .map(|result| ec2::wrapped(&request.operation, result, &request_id))
        }
        Kind::Sqs => sqs::answer(world, request).map(|answer| answer.to_string()),
        Kind::EventBridge => event_bridge::answer(world, request).map(|answer| answer.to_string()),
        Kind::Sns => {
            let form = Form::parse(request.body.as_bytes());
            sns::answer(world, &form)
                .map(|result| in_xml(&format!("{}Result", request.operation), &result))
                .map(|result| wrapped(request, sns::NAMESPACE, result, &request_id))
        }
        Kind::LoadBalancing | Kind::ClassicBalancing | Kind::AutoScaling => {
            let form = Form::parse(request.body.as_bytes());
            let (namespace, result) = match request.service {
                Kind::ClassicBalancing => (elb::NAMESPACE, elb::answer(world, &form)),
                Kind::AutoScaling => (autoscaling::NAMESPACE, autoscaling::answer(world, &form)),
                _ => (elbv2::NAMESPACE, elbv2::answer(world, &form)),
            };
            let name = format!("{}Result", request.operation);
            result
                .map(|result| in_xml(&name, &result))
                .map(|result| wrapped(request, namespace, result, &request_id))
        }
        Kind::Iam | Kind::Sts => {
            let form = Form::parse(request.body.as_bytes());
            let (namespace, result) = match request.service {
                Kind::Sts => (iam::STS_NAMESPACE, iam::sts(world, &form)),
                _ => (iam::NAMESPACE, iam::answer(world, &form)),
            };
            let name = format!("{}Result", request.operation);
            result.map(|result| match result {
                Some(result) => {
                    let result = in_xml(&name, &result);
                    wrapped(request, namespace, result, &request_id)
                }
                None => void(request, namespace, &request_id),
            })
        }
        Kind::CloudWatch(protocol) => {
            let input = serde_json::from_str(&request.body).unwrap_or_default();
            let result = cloudwatch::answer(world, &request.operation, &input);
            let name = format!("{}Result", request.operation);
            result.map(|result| match protocol {
                Protocol::Json | Protocol::Cbor => result.to_string(),
                Protocol::Query => {
                    let result = in_xml(&name, &result);
                    wrapped(request, cloudwatch::NAMESPACE, result, &request_id)
                }
            })
        }
        Kind::Route53 => {
            route53::answer(world, request).map(|answer| answer.document(route53::NAMESPACE))
        }
    };
    debug_assert!(
        done.is_err() || is_offered(&request.operation),
        "{} is carried out and not among the operations that are offered",
        request.operation
    );
    match done {
        Ok(body) => Reply::Answer {
            status: 200,
            body,
            request_id,
        },
        Err(error) => refused(request, &error, request_id),
    }
}
