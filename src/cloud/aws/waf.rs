//! AWS WAF, version 2019-07-29, of which a release needs one operation: `GetWebACLForResource`, by
//! the protocol AWS JSON 1.1.

use aws_sdk_elasticbeanstalk::config::http::HttpResponse;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use serde::Deserialize;
use serde_json::json;

use super::failure::look_error;
use super::origin::OnlyAws;
use super::seldom::Seldom;
use super::signed::{Service, Signed, Told};
use crate::cloud::LookError;

const SERVICE: Service = Service {
    id: "WAFV2",
    name: "wafv2",
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

/// An error of the protocol.
#[derive(Debug, Default, Deserialize)]
struct Refused {
    #[serde(rename = "__type")]
    code: Option<String>,
    #[serde(alias = "Message", default)]
    message: String,
}

/// The name of the web ACL that protects an application load balancer; none where none does.
///
/// # Errors
/// [`LookError`].
pub(super) async fn web_acl_of(
    clients: &Seldom,
    balancer: &str,
) -> Result<Option<String>, LookError> {
    let signed = Signed {
        service: SERVICE,
        operation: "GetWebACLForResource",
        content_type: "application/x-amz-json-1.1",
        target: Some("AWSWAF_20190729.GetWebACLForResource"),
        only: OnlyAws::Typed,
        body: json!({ "ResourceArn": balancer }).to_string(),
    };
    let told = signed.ask(clients, answer).await;
    let told = told.map_err(|error| look_error("GetWebACLForResource", &error))?;
    Ok(told.web_acl.map(|acl| acl.name))
}

fn answer(response: &HttpResponse) -> Result<Protection, OrchestratorError<Told>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return serde_json::from_slice(body)
            .map_err(|error| OrchestratorError::response(error.into()));
    }
    let refused: Refused = serde_json::from_slice(body).unwrap_or_default();
    // A code may have the namespace of its model before it.
    let code = refused.code.map(|code| {
        let name = code.rsplit('#').next();
        name.unwrap_or_default().to_owned()
    });
    Err(Told::error(code, refused.message))
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
