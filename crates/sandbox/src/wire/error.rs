//! An error answer.

use crate::wire::answer::{document, node};

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The error's code.
    pub code: String,
    /// The error's message.
    pub message: String,
}

impl ApiError {
    /// An error with status 400.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> ApiError {
        ApiError {
            status: 400,
            code: code.to_owned(),
            message: message.into(),
        }
    }

    /// The service's `InvalidParameterValue`, which its model does not list.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> ApiError {
        ApiError::new("InvalidParameterValue", message)
    }

    /// Whose fault it is, as answers say it.
    pub(crate) fn side(&self) -> &'static str {
        match self.status {
            ..500 => "Sender",
            500.. => "Receiver",
        }
    }

    /// The answer's body.
    #[must_use]
    pub fn to_xml(&self, request_id: &str) -> String {
        let error = node()
            .text("Type", self.side())
            .text("Code", self.code.as_str())
            .text("Message", self.message.as_str());
        document(
            "ErrorResponse",
            node().node("Error", error).text("RequestId", request_id),
        )
    }
}
