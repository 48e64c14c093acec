//! A request to a service beside Elastic Beanstalk and S3, as data.

use serde::{Deserialize, Serialize};

use crate::wire::form::Form;
use crate::wire::protocol::Protocol;

/// These services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Route53,
    Ssm,
    CloudFormation,
    CloudWatch(Protocol),
    Ec2,
    LoadBalancing,
    /// Elastic Load Balancing of 2012, for classic load balancers.
    ClassicBalancing,
    AutoScaling,
    Sqs,
    Waf,
    Iam,
    Sts,
    ServiceQuotas,
    Sns,
    EventBridge,
}

/// A request to one of these services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServiceRequest {
    pub service: Kind,
    pub operation: String,
    pub method: String,
    pub path: String,
    pub query: Form,
    pub body: String,
}

impl ServiceRequest {
    /// The body, in JSON where it came in CBOR.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The path of the URL.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name)
    }
}
