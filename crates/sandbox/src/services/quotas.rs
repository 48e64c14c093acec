//! Service Quotas, version 2019-06-24, of which the sandbox knows two quotas of EC2's: Elastic IP
//! addresses, and the vCPUs of standard instances.

use serde_json::{Value, json};

use crate::wire::error::ApiError;
use crate::wire::request::ServiceRequest;
use crate::world::World;
use crate::world::quota::QuotaOf;

/// How many vCPUs the account may run; nothing counts them here (EC2 user guide, "On-Demand
/// Instance quotas").
const VCPUS: usize = 32;

/// The operations that it offers.
pub(crate) const OPERATIONS: [&str; 1] = ["GetServiceQuota"];

pub(crate) fn answer(world: &World, request: &ServiceRequest) -> Result<Value, ApiError> {
    if !OPERATIONS.contains(&request.operation.as_str()) {
        return Err(ApiError::new(
            "UnknownOperationException",
            format!(
                "The sandbox offers GetServiceQuota of Service Quotas, and not {}.",
                request.operation
            ),
        ));
    }
    let input: Value = serde_json::from_str(request.body()).unwrap_or_default();
    let (service, code) = (input["ServiceCode"].as_str(), input["QuotaCode"].as_str());
    let (name, value) = match (service, code) {
        (Some("ec2"), Some("L-0263D0A3")) => {
            ("EC2-VPC Elastic IPs", world.quota(QuotaOf::Addresses))
        }
        (Some("ec2"), Some("L-1216C47A")) => (
            "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
            VCPUS,
        ),
        _ => {
            return Err(ApiError::new(
                "NoSuchResourceException",
                "The request failed because the specified service quota does not exist.",
            ));
        }
    };
    let code = code.unwrap_or_default();
    Ok(json!({ "Quota": {
        "ServiceCode": "ec2",
        "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
        "QuotaArn": format!("arn:aws:servicequotas:{}:{}:ec2/{code}", world.region, world.account),
        "QuotaCode": code,
        "QuotaName": name,
        "Value": value as f64,
        "Unit": "None",
        "Adjustable": true,
        "GlobalQuota": false,
    } }))
}
