//! AWS WAF, version 2019-07-29, of which a release needs one operation: `GetWebACLForResource`, by
//! the protocol AWS JSON 1.1.

use serde::Deserialize;
use serde_json::json;

use super::failure::look_error;
use super::json::Json;
use super::lazy_clients::LazyClients;
use super::signed::Service;
use crate::cloud::LookError;

const WAF: Json = Json {
    service: Service {
        id: "WAFV2",
        name: "wafv2",
        gov_is_fips: false,
    },
    target: "AWSWAF_20190729",
};

/// The answer (API reference, `GetWebACLForResource`); without a web ACL nothing is in it.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Protection {
    #[serde(rename = "WebACL")]
    web_acl: Option<WebAcl>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WebAcl {
    name: String,
}

/// The name of the web ACL that protects an application load balancer; `None` where none does.
///
/// # Errors
/// [`LookError`].
pub(super) async fn web_acl_of(
    clients: &LazyClients,
    balancer: &str,
) -> Result<Option<String>, LookError> {
    let body = json!({ "ResourceArn": balancer });
    let told = WAF.ask(clients, "GetWebACLForResource", &body).await;
    let told: Protection = told.map_err(|error| look_error("GetWebACLForResource", &error))?;
    Ok(told.web_acl.map(|acl| acl.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the API reference shows it: a web ACL has much more than its name.
    #[test]
    fn the_name_of_a_web_acl_is_read() {
        let told = r#"{"WebACL":{"Name":"shop","Id":"1","ARN":"arn:aws:wafv2:x","Capacity":2}}"#;
        let told: Protection = serde_json::from_str(told).expect("it is one");
        assert_eq!(told.web_acl.map(|acl| acl.name).as_deref(), Some("shop"));
        let none: Protection = serde_json::from_str("{}").expect("it is one");
        assert_eq!(none, Protection::default());
    }
}
