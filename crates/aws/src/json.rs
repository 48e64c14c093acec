//! The protocol AWS JSON 1.1, for the services whose clients in the SDK take minutes to build.

use std::fmt;

use aws_sdk_elasticbeanstalk::config::http::HttpResponse;
use aws_sdk_elasticbeanstalk::error::SdkError;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::lazy_clients::LazyClients;
use super::origin::OnlyAws;
use super::signed::{Service, Signed, Told};

/// A service that speaks this protocol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json {
    pub service: Service,
    /// What stands before the operation in the header `x-amz-target`.
    pub target: &'static str,
}

impl Json {
    /// Requests an operation with this body and reads its answer.
    ///
    /// # Errors
    /// What went wrong, as [`failure`](super::failure::failure) understands it.
    pub async fn ask<T>(
        self,
        clients: &LazyClients,
        operation: &'static str,
        body: &Value,
    ) -> Result<T, SdkError<Told, HttpResponse>>
    where
        T: DeserializeOwned + fmt::Debug + Send + Sync + 'static,
    {
        let signed = Signed {
            service: self.service,
            operation,
            content_type: "application/x-amz-json-1.1",
            target: Some(format!("{}.{operation}", self.target)),
            only: OnlyAws::Typed,
            body: body.to_string(),
        };
        signed.ask(clients, answer).await
    }
}

fn answer<T: DeserializeOwned>(response: &HttpResponse) -> Result<T, OrchestratorError<Told>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return serde_json::from_slice(body)
            .map_err(|error| OrchestratorError::response(error.into()));
    }
    let (code, message) = refusal(body);
    Err(Told::error(code, message))
}

/// The code and the message of an error. Services name the message in either case, and some
/// answers have it twice.
fn refusal(body: &[u8]) -> (Option<String>, String) {
    let refused: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| refused.get(key).and_then(Value::as_str);
    // A code may have the namespace of its model before it.
    let code = text("__type").and_then(|code| code.rsplit('#').next());
    let message = text("message").or_else(|| text("Message"));
    (
        code.map(str::to_owned),
        message.unwrap_or_default().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use bluegreen_testing::garbled::garbled;
    use proptest::prelude::*;

    use super::*;

    const REFUSAL: &str = r#"{"__type": "ParameterNotFound", "message": "not found"}"#;

    #[test]
    fn refusals_are_read_however_they_name_their_message() {
        let found = (Some("ParameterNotFound".to_owned()), "not found".to_owned());
        for body in [
            REFUSAL,
            r#"{"__type":"ParameterNotFound","Message":"not found"}"#,
            r#"{"__type":"ParameterNotFound","message":"not found","Message":"not found"}"#,
            r#"{"__type":"com.amazonaws.ssm#ParameterNotFound","message":"not found"}"#,
        ] {
            assert_eq!(refusal(body.as_bytes()), found, "{body}");
        }
        let bare = r#"{"__type":"ParameterNotFound"}"#;
        assert_eq!(refusal(bare.as_bytes()), (found.0, String::new()));
        for other in ["", "<html>", "[]", "{}", "7"] {
            assert_eq!(refusal(other.as_bytes()), (None, String::new()), "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_garbled_refusal_is_read_or_none(body in garbled(REFUSAL)) {
            let _ = refusal(&body);
        }
    }
}
