//! The protocol AWS JSON 1.1, for the services whose clients in the SDK take minutes to build.

use std::fmt;

use aws_sdk_elasticbeanstalk::config::http::HttpResponse;
use aws_sdk_elasticbeanstalk::error::SdkError;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::lazy_clients::LazyClients;
use super::origin::OnlyAws;
use super::signed::{Service, Signed, Told};

/// A service that is asked by this protocol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json {
    pub service: Service,
    /// What stands before the operation in the header `x-amz-target`.
    pub target: &'static str,
}

/// An error of the protocol.
#[derive(Debug, Default, Deserialize)]
struct Refused {
    #[serde(rename = "__type")]
    code: Option<String>,
    #[serde(alias = "Message", default)]
    message: String,
}

impl Json {
    /// Asks an operation with this body and reads its answer.
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
    let refused: Refused = serde_json::from_slice(body).unwrap_or_default();
    // A code may have the namespace of its model before it.
    let code = refused.code.map(|code| {
        let name = code.rsplit('#').next();
        name.unwrap_or_default().to_owned()
    });
    Err(Told::error(code, refused.message))
}
