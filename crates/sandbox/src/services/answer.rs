//! Answers in the service's own format.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response};

use crate::reply::{Reply, refusal};
use crate::services::{autoscaling, cloudwatch, ec2, elb, elbv2, iam, route53, sns, stacks};
use crate::wire::element;
use crate::wire::element::{Element, element};
use crate::wire::error::ApiError;
use crate::wire::protocol::Protocol;
use crate::wire::request::{Kind, ServiceRequest};
use crate::world::fault::FaultEffect;

/// An answer in the service's own format.
pub(crate) fn dressed(request: &ServiceRequest, mut response: Response<Bytes>) -> Response<Bytes> {
    let content_type = match request.service {
        Kind::Ssm | Kind::Waf | Kind::ServiceQuotas | Kind::EventBridge => {
            "application/x-amz-json-1.1"
        }
        Kind::Sqs => "application/x-amz-json-1.0",
        Kind::CloudWatch(protocol) => protocol.content_type(),
        Kind::CloudFormation
        | Kind::Ec2
        | Kind::LoadBalancing
        | Kind::ClassicBalancing
        | Kind::AutoScaling
        | Kind::Iam
        | Kind::Sns
        | Kind::Sts
        | Kind::Route53 => "text/xml",
    };
    let refused = !response.status().is_success();
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    let Kind::CloudWatch(protocol @ Protocol::Cbor) = request.service else {
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
pub(crate) fn fault(request: &ServiceRequest, effect: &FaultEffect) -> ApiError {
    let error = refusal(effect);
    let named = |code: &str| ApiError::new(code, &error.message);
    match (request.service, effect) {
        (Kind::Ssm | Kind::Waf, FaultEffect::Throttle) => named("ThrottlingException"),
        (Kind::Ssm | Kind::Waf, FaultEffect::ExpiredCredentials) => named("ExpiredTokenException"),
        (Kind::Ssm | Kind::Waf, FaultEffect::ClockSkewed) => named("InvalidSignatureException"),
        _ => error,
    }
}

/// The result of an operation of the Query protocol, in its answer.
pub(crate) fn wrapped(
    request: &ServiceRequest,
    namespace: &str,
    result: Element,
    request_id: &str,
) -> String {
    let metadata = element("ResponseMetadata").say("RequestId", request_id);
    element(&format!("{}Response", request.operation))
        .with(result)
        .with(metadata)
        .document(namespace)
}

/// The answer of an operation without a result.
pub(crate) fn void(request: &ServiceRequest, namespace: &str, request_id: &str) -> String {
    let metadata = element("ResponseMetadata").say("RequestId", request_id);
    element(&format!("{}Response", request.operation))
        .with(metadata)
        .document(namespace)
}

pub(crate) fn refused(request: &ServiceRequest, error: &ApiError, request_id: String) -> Reply {
    Reply::Answer {
        status: error.status,
        body: failure(request, error, &request_id),
        request_id,
    }
}

/// The body of an error answer, in the service's own format.
fn failure(request: &ServiceRequest, error: &ApiError, request_id: &str) -> String {
    match request.service {
        Kind::Ssm
        | Kind::Waf
        | Kind::ServiceQuotas
        | Kind::Sqs
        | Kind::EventBridge
        | Kind::CloudWatch(Protocol::Json | Protocol::Cbor) => {
            let told = serde_json::json!({ "__type": error.code, "message": error.message });
            told.to_string()
        }
        Kind::CloudWatch(Protocol::Query) => {
            element::error_document(cloudwatch::NAMESPACE, error, request_id)
        }
        Kind::Ec2 => ec2::error_document(error, request_id),
        Kind::LoadBalancing => element::error_document(elbv2::NAMESPACE, error, request_id),
        Kind::ClassicBalancing => element::error_document(elb::NAMESPACE, error, request_id),
        Kind::AutoScaling => element::error_document(autoscaling::NAMESPACE, error, request_id),
        Kind::Sns => element::error_document(sns::NAMESPACE, error, request_id),
        Kind::Iam => element::error_document(iam::NAMESPACE, error, request_id),
        Kind::Sts => element::error_document(iam::STS_NAMESPACE, error, request_id),
        Kind::CloudFormation => element::error_document(stacks::NAMESPACE, error, request_id),
        Kind::Route53 => element::error_document(route53::NAMESPACE, error, request_id),
    }
}
