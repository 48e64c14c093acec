//! The retries of requests: the budget that they draw on, and how many there were.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_elasticbeanstalk::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_elasticbeanstalk::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_elasticbeanstalk::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_elasticbeanstalk::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_types::config_bag::{Storable, StoreReplace};

use bluegreen_core::facts::Retried;
use bluegreen_core::text::foreign;

/// Counts the requests that clients repeat, until the counts are taken out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retries(Arc<Mutex<Vec<Retried>>>);

/// The failure of the last attempt of a request.
#[derive(Debug)]
struct Failed(String);

impl Storable for Failed {
    type Storer = StoreReplace<Failed>;
}

impl Retries {
    /// Takes the counts out: one for each operation and reason.
    pub fn take(&self) -> Vec<Retried> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn count(&self, operation: &str, why: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            |one: &&mut Retried| (one.operation.as_str(), one.why.as_str()) == (operation, why);
        match counts.iter_mut().find(same) {
            Some(one) => one.times = one.times.saturating_add(1),
            None => counts.push(Retried {
                operation: operation.to_owned(),
                times: 1,
                why: why.to_owned(),
            }),
        }
    }
}

impl Intercept for Retries {
    fn name(&self) -> &'static str {
        "Retries"
    }

    fn read_before_attempt(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let (Some(Failed(why)), Some(request)) = (bag.load::<Failed>(), bag.load::<Metadata>()) {
            self.count(request.name(), why);
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(Err(_)) = context.output_or_error() {
            let why = context
                .response()
                .map_or_else(|| "no answer".to_owned(), in_words);
            bag.interceptor_state().store_put(Failed(why));
        }
        Ok(())
    }
}

/// The status of an answer, and the code of its error where its document holds one.
fn in_words(answer: &HttpResponse) -> String {
    let status = answer.status().as_u16();
    match code_of(answer) {
        Some(code) => format!("{} (status {status})", foreign(&code)),
        None => format!("status {status}"),
    }
}

/// The code of an answer's error, where its document holds one.
pub(crate) fn code_of(answer: &HttpResponse) -> Option<String> {
    let body = String::from_utf8_lossy(answer.body().bytes().unwrap_or_default());
    let (_, rest) = body.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    Some(code.to_owned())
}

/// A retry of what was throttled takes five: two retries in five seconds are no storm.
const RETRY_TOKENS_A_SECOND: f32 = 2.0;

/// The budget for the retries of one client. By default all clients of a process share one, and one
/// deployment's throttling would use up another's; and only successes refill it, so that a long
/// release would have none left where an account is throttled throughout.
pub(crate) fn retry_budget(service: &'static str) -> RetryPartition {
    let tokens = TokenBucket::builder().refill_rate(RETRY_TOKENS_A_SECOND);
    RetryPartition::custom(service)
        .token_bucket(tokens.build())
        .build()
}
