//! What time it is at AWS: every answer says so in its Date header.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_elasticbeanstalk::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_elasticbeanstalk::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_elasticbeanstalk::error::BoxError;
use aws_sdk_elasticbeanstalk::primitives::{DateTime, DateTimeFormat};
use tokio::time::Instant;

use crate::clock::Moment;

/// Remembers the date of the last answer.
#[derive(Clone, Debug, Default)]
pub(super) struct ServiceTime(Arc<Mutex<Option<(Moment, Instant)>>>);

impl ServiceTime {
    /// The date of the last answer and when it came; none before the first.
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
