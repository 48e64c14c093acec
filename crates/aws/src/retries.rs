//! What the retries of requests draw on.

use aws_sdk_elasticbeanstalk::config::retry::{RetryPartition, TokenBucket};

/// A retry of what was throttled takes five: two retries in five seconds are no storm.
const RETRY_TOKENS_A_SECOND: f32 = 2.0;

/// What the retries of one client draw on. By default all clients of a process share it, and
/// one deployment's throttling would take another's; and it fills with what succeeds alone,
/// so that a long release would have none left where an account is throttled throughout.
pub(crate) fn retry_budget(service: &'static str) -> RetryPartition {
    let tokens = TokenBucket::builder().refill_rate(RETRY_TOKENS_A_SECOND);
    RetryPartition::custom(service)
        .token_bucket(tokens.build())
        .build()
}
