//! AWS WAF, version 2019-07-29: which web ACL protects a load balancer.

use serde_json::{Value, json};

use crate::wire::error::ApiError;
use crate::world::World;

/// The operations that it offers, sorted.
pub(crate) const OPERATIONS: [&str; 3] = [
    "AssociateWebACL",
    "DisassociateWebACL",
    "GetWebACLForResource",
];

pub(crate) fn answer(world: &mut World, operation: &str, body: &str) -> Result<Value, ApiError> {
    let input: Value = serde_json::from_str(body).unwrap_or_default();
    let text = |name: &str| input[name].as_str().map(str::to_owned);
    let resource = text("ResourceArn").unwrap_or_default();
    match operation {
        "GetWebACLForResource" => {
            check_resource(world, &resource)?;
            // A resource without one gets no error.
            let told = world.web_acl_of(&resource).map(|arn| {
                // …:regional/webacl/NAME/ID
                let mut parts = arn.rsplit('/');
                let (id, name) = (parts.next(), parts.next());
                json!({ "Name": name, "Id": id, "ARN": arn })
            });
            Ok(told.map_or_else(|| json!({}), |acl| json!({ "WebACL": acl })))
        }
        "AssociateWebACL" => {
            check_resource(world, &resource)?;
            let arn = text("WebACLArn").unwrap_or_default();
            if !arn.contains(":regional/webacl/") {
                return Err(ApiError::new(
                    "WAFInvalidParameterException",
                    "The ARN isn't valid. A valid ARN begins with arn: and includes other information separated by colons or slashes.",
                ));
            }
            world.set_web_acl(resource, Some(arn));
            Ok(json!({}))
        }
        "DisassociateWebACL" => {
            world.set_web_acl(resource, None);
            Ok(json!({}))
        }
        _ => Err(ApiError::new(
            "UnknownOperationException",
            format!("There is no operation {operation}"),
        )),
    }
}

/// Web ACLs protect application load balancers, of what there is here.
fn check_resource(world: &World, arn: &str) -> Result<(), ApiError> {
    if world.is_application_balancer(arn) {
        return Ok(());
    }
    Err(ApiError::new(
        "WAFInvalidParameterException",
        format!("Error reason: The ARN isn't valid, field: RESOURCE_ARN, parameter: {arn}"),
    ))
}
