//! The outcome of a request.

use std::time::Duration;

use crate::wire::error::ApiError;
use crate::world::fault::{FaultEffect, Page};

/// The outcome of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer: the HTTP status and the body.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The XML.
        body: String,
        /// The request's id.
        request_id: String,
    },
    /// An answer that is not AWS's.
    Foreign(Page),
    /// A reply that comes this much later.
    Slow(Box<Reply>, Duration),
    /// The connection closes without an answer.
    HangUp,
}

impl Reply {
    /// This reply, so many milliseconds later.
    pub(crate) fn after(self, milliseconds: u64) -> Reply {
        Reply::Slow(Box::new(self), Duration::from_millis(milliseconds))
    }
}

/// The answer of a fault that refuses.
pub(crate) fn refusal(effect: &FaultEffect) -> ApiError {
    match effect {
        FaultEffect::Throttle => ApiError::new("Throttling", "Rate exceeded"),
        FaultEffect::ExpiredCredentials => ApiError {
            status: 403,
            code: "ExpiredToken".to_owned(),
            message: "The security token included in the request is expired".to_owned(),
        },
        FaultEffect::ClockSkewed => ApiError {
            status: 403,
            code: "SignatureDoesNotMatch".to_owned(),
            message: "Signature expired: 20270115T080000Z is now earlier than 20270115T081000Z (20270115T081500Z - 5 min.)".to_owned(),
        },
        FaultEffect::Refuse {
            status,
            code,
            message,
        } => ApiError {
            status: *status,
            code: code.clone(),
            message: message.clone(),
        },
        _ => ApiError {
            status: 500,
            code: "InternalFailure".to_owned(),
            message: "An internal error has occurred.".to_owned(),
        },
    }
}
