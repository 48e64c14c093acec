//! The time at AWS, which every answer states in its Date header; and until when a request may be
//! sent.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_elasticbeanstalk::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_elasticbeanstalk::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_elasticbeanstalk::error::BoxError;
use aws_sdk_elasticbeanstalk::primitives::{DateTime, DateTimeFormat};
use tokio::time::Instant;

use bluegreen_clock::{Deadline, Moment};

/// Remembers the date of the last answer.
#[derive(Clone, Debug, Default)]
pub(super) struct ServiceTime(Arc<Mutex<Option<(Moment, Instant)>>>);

impl ServiceTime {
    /// The date of the last answer and when it came; `None` before the first.
    pub fn last(&self) -> Option<(Moment, Instant)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for ServiceTime {
    fn name(&self) -> &'static str {
        "ServiceTime"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context
            .response()
            .headers()
            .get("date")
            .and_then(|text| DateTime::from_str(text, DateTimeFormat::HttpDate).ok())
            .and_then(|date| u64::try_from(date.to_millis().ok()?).ok());
        if let Some(date) = date {
            let read = (Moment(date), Instant::now());
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
        }
        Ok(())
    }
}

/// Stops a request that is signed and ready where its deadline is over.
#[derive(Clone, Debug)]
pub(super) struct SendBy(pub Deadline);

/// The deadline of a request is over; it was not sent.
#[derive(Debug, thiserror::Error)]
#[error("it was ready too late to be sent safely, and was not sent")]
pub(super) struct TooLate;

impl Intercept for SendBy {
    fn name(&self) -> &'static str {
        "SendBy"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.0.is_over() {
            return Err(TooLate.into());
        }
        Ok(())
    }
}
