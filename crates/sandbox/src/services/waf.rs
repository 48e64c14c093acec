//! AWS WAF, version 2019-07-29: which web ACL protects a load balancer.

use serde_json::{Value, json};

use crate::wire::ApiError;
use crate::world::World;

impl World {
    pub(super) fn waf(&mut self, operation: &str, body: &str) -> Result<Value, ApiError> {
        let input: Value = serde_json::from_str(body).unwrap_or_default();
        let text = |name: &str| input[name].as_str().map(str::to_owned);
        let resource = text("ResourceArn").unwrap_or_default();
        match operation {
            "GetWebACLForResource" => {
                self.check_resource(&resource)?;
                // A resource without one gets no error.
                let told = self.web_acl_of(&resource).map(|arn| {
                    // …:regional/webacl/NAME/ID
                    let mut parts = arn.rsplit('/');
                    let (id, name) = (parts.next(), parts.next());
                    json!({ "Name": name, "Id": id, "ARN": arn })
                });
                Ok(told.map_or_else(|| json!({}), |acl| json!({ "WebACL": acl })))
            }
            "AssociateWebACL" => {
                self.check_resource(&resource)?;
                let arn = text("WebACLArn").unwrap_or_default();
                if !arn.contains(":regional/webacl/") {
                    return Err(ApiError::new(
                        "WAFInvalidParameterException",
                        "The ARN isn't valid. A valid ARN begins with arn: and includes other information separated by colons or slashes.",
                    ));
                }
                self.set_web_acl(resource, Some(arn));
                Ok(json!({}))
            }
            "DisassociateWebACL" => {
                self.set_web_acl(resource, None);
                Ok(json!({}))
            }
            _ => Err(ApiError::new(
                "UnknownOperationException",
                format!("There is no operation {operation}"),
            )),
        }
    }

    /// Web ACLs protect application load balancers, of what there is here.
    fn check_resource(&self, arn: &str) -> Result<(), ApiError> {
        if self.is_application_balancer(arn) {
            return Ok(());
        }
        Err(ApiError::new(
            "WAFInvalidParameterException",
            format!("Error reason: The ARN isn't valid, field: RESOURCE_ARN, parameter: {arn}"),
        ))
    }
}
