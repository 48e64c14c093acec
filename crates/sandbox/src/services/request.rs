//! Reading a request to a service beside Elastic Beanstalk and S3.

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;

use crate::services::route53;
use crate::wire::form::Form;
use crate::wire::protocol::Protocol;
use crate::wire::request::{Kind, ServiceRequest};

/// The request, where its signature's scope names one of these services.
pub(crate) fn read(request: &Request<Bytes>) -> Option<ServiceRequest> {
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

/// The service that a signature is for, the fourth part of its credential (Signature
/// Version 4, "Credential scope").
fn scope(authorization: &str) -> Option<&str> {
    let (_, credential) = authorization.split_once("Credential=")?;
    let credential = credential.split(',').next()?;
    credential.strip_suffix("/aws4_request")?.rsplit('/').next()
}
