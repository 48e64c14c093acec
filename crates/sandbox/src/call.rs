//! A call of the API as a tap sees it.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;

use crate::wire::request::Kind;

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
    /// EC2 Auto Scaling.
    AutoScaling,
    /// SQS.
    Sqs,
    /// AWS WAF.
    Waf,
    /// IAM.
    Iam,
    /// STS.
    Sts,
    /// Service Quotas.
    ServiceQuotas,
    /// SNS.
    Sns,
    /// EventBridge.
    EventBridge,
}

/// When a tap hears of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Before it is applied.
    Before,
    /// After it was applied, before its answer is sent.
    After,
}

/// The decision of a tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapVerdict {
    /// Continue.
    Continue,
    /// Close the connection without an answer; before its phase, nothing is applied.
    HangUp,
}

pub(crate) type Tap = Arc<dyn Fn(&Call, Phase) -> TapVerdict + Send + Sync>;

impl Origin {
    /// The access key is the first part of a signature's credential (Signature Version 4,
    /// "Credential scope").
    pub(crate) fn of(request: &Request<Bytes>) -> Origin {
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

impl From<Kind> for Service {
    fn from(kind: Kind) -> Service {
        match kind {
            Kind::Route53 => Service::Route53,
            Kind::Ssm => Service::Ssm,
            Kind::CloudFormation => Service::CloudFormation,
            Kind::CloudWatch(_) => Service::CloudWatch,
            Kind::Ec2 => Service::Ec2,
            Kind::LoadBalancing | Kind::ClassicBalancing => Service::LoadBalancing,
            Kind::AutoScaling => Service::AutoScaling,
            Kind::Sqs => Service::Sqs,
            Kind::Waf => Service::Waf,
            Kind::Iam => Service::Iam,
            Kind::Sts => Service::Sts,
            Kind::ServiceQuotas => Service::ServiceQuotas,
            Kind::Sns => Service::Sns,
            Kind::EventBridge => Service::EventBridge,
        }
    }
}
