//! Reading a request to a service beside Elastic Beanstalk and S3.

use bytes::Bytes;
use http::Request;

use crate::services::{elb, route53};
use crate::wire::form::Form;
use crate::wire::protocol::Protocol;
use crate::wire::request::{Kind, ServiceRequest};

/// The request, where its service, by the name in signatures, is one of these.
pub(crate) fn read(request: &Request<Bytes>, service: &str) -> Option<ServiceRequest> {
    let text = |value: &http::HeaderValue| value.to_str().ok().map(str::to_owned);
    let header = |name: &str| request.headers().get(name).and_then(text);
    let mut body = String::from_utf8_lossy(request.body()).into_owned();
    let in_query = request.uri().query().unwrap_or_default();
    if body.is_empty() && in_query.contains("Action=") {
        in_query.clone_into(&mut body);
    }
    let service = match service {
        "route53" => Kind::Route53,
        "ssm" => Kind::Ssm,
        "cloudformation" => Kind::CloudFormation,
        "monitoring" => Kind::CloudWatch(Protocol::of(request)),
        "ec2" => Kind::Ec2,
        "elasticloadbalancing" => match Form::parse(body.as_bytes()).get("Version") {
            Some(elb::VERSION) => Kind::ClassicBalancing,
            _ => Kind::LoadBalancing,
        },
        "autoscaling" => Kind::AutoScaling,
        "sqs" => Kind::Sqs,
        "wafv2" => Kind::Waf,
        "iam" => Kind::Iam,
        "sts" => Kind::Sts,
        "servicequotas" => Kind::ServiceQuotas,
        "sns" => Kind::Sns,
        "events" => Kind::EventBridge,
        _ => return None,
    };
    let (method, path) = (request.method().as_str(), request.uri().path());
    let query = Form::parse(request.uri().query().unwrap_or_default().as_bytes());
    let operation = match service {
        Kind::Route53 => route53::operation(method, path).to_owned(),
        Kind::Ssm | Kind::Waf | Kind::ServiceQuotas | Kind::Sqs | Kind::EventBridge => {
            let target = header("x-amz-target").unwrap_or_default();
            target.rsplit('.').next().unwrap_or_default().to_owned()
        }
        Kind::CloudFormation
        | Kind::Ec2
        | Kind::LoadBalancing
        | Kind::ClassicBalancing
        | Kind::AutoScaling
        | Kind::Iam
        | Kind::Sns
        | Kind::Sts => Form::parse(body.as_bytes()).operation().to_owned(),
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
