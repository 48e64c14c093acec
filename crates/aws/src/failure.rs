//! The SDK's errors, understood by the table of [`crate::classify`].

use std::error::Error;

use aws_sdk_elasticbeanstalk::config::http::HttpResponse;
use aws_sdk_elasticbeanstalk::error::{ProvideErrorMetadata, SdkError};
use hyper_util::client::legacy;

use super::origin::{Foreign, has_content, has_request_id};
use super::time::TooLate;
use crate::classify::describe;
use crate::classify::{Failure, Refusal, classify};
use crate::cloud::{LookError, Outcome};
use crate::secrets;
use bluegreen_core::machine::EffectKind;
use bluegreen_core::text::foreign;

/// The answer to an effect; `request_id` reads the id from a good one.
pub(super) fn outcome<T, E>(
    kind: EffectKind,
    answer: Result<T, SdkError<E, HttpResponse>>,
    request_id: impl FnOnce(&T) -> Option<String>,
) -> Outcome
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match outcome_of(kind, answer) {
        Ok(done) => Outcome::Applied {
            request_id: request_id(&done),
            environment_id: None,
        },
        Err(outcome) => outcome,
    }
}

/// The good answer to an effect, or what a bad one means.
pub(super) fn outcome_of<T, E>(
    kind: EffectKind,
    answer: Result<T, SdkError<E, HttpResponse>>,
) -> Result<T, Outcome>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    answer.map_err(|error| {
        let failure = failure(&error);
        match classify(Some(kind), &failure) {
            Some(refusal) => Outcome::NotApplied(refusal),
            None => Outcome::Unclear(describe(&failure)),
        }
    })
}

/// The answer to a write that is no effect of the machine's.
pub(super) fn outcome_without_effect<T, E>(answer: Result<T, SdkError<E, HttpResponse>>) -> Outcome
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match answer {
        Ok(_) => Outcome::Applied {
            request_id: None,
            environment_id: None,
        },
        Err(error) => {
            let failure = failure(&error);
            match classify(None, &failure) {
                Some(refusal) => Outcome::NotApplied(refusal),
                None => Outcome::Unclear(describe(&failure)),
            }
        }
    }
}

/// What a failed poll means.
pub(super) fn look_error<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> LookError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let failure = failure(error);
    let text = format!("{operation}: {}", describe(&failure));
    match classify(None, &failure) {
        None
        | Some(
            Refusal::Throttled(_)
            | Refusal::Busy(_)
            | Refusal::Unreachable(_)
            | Refusal::AlreadySo(_),
        ) => LookError::Passing(text),
        Some(Refusal::Credentials(_)) => LookError::Credentials(text),
        Some(Refusal::Denied(_)) => LookError::Denied(text),
        Some(Refusal::Invalid(_)) => LookError::Refused(text),
    }
}

/// The error without the SDK's types.
pub(super) fn failure<E>(error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match error {
        _ if is_too_late(error) => Failure::NotSent(TooLate.to_string()),
        SdkError::ConstructionFailure(_) => Failure::NotSent(root_cause(error)),
        SdkError::DispatchFailure(_) if is_unsigned(error) => {
            Failure::NotSigned(without_secrets(&root_cause(error)))
        }
        SdkError::DispatchFailure(_) if is_unconnected(error) => {
            Failure::NotSent(root_cause(error))
        }
        SdkError::ServiceError(service) => match error.code() {
            // The SDK gives an empty answer of status 404 a code of its own.
            Some(code) if has_request_id(service.raw()) || has_content(service.raw()) => {
                Failure::Service {
                    status: service.raw().status().as_u16(),
                    code: foreign(code),
                    message: foreign(error.message().unwrap_or_default()),
                }
            }
            // A filter on the way may replace what an answer says and leave its headers.
            _ => Failure::NoAnswer(Foreign::of(service.raw()).to_string()),
        },
        _ => {
            let answer = error.raw_response();
            let told = answer.filter(|answer| !has_request_id(answer));
            Failure::NoAnswer(match told {
                Some(answer) => Foreign::of(answer).to_string(),
                None => root_cause(error),
            })
        }
    }
}

/// The status with which S3 answered a HEAD request, whose answer has no document; `None` where
/// there was none, or where a page answered in S3's place.
pub(super) fn status_of_head<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    let answer = error.raw_response()?;
    has_request_id(answer).then(|| answer.status().as_u16())
}

/// No credentials were found, or they could not be refreshed: nothing was sent.
fn is_unsigned(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|link| {
        link.downcast_ref::<aws_credential_types::provider::error::CredentialsError>()
            .is_some()
    })
}

/// Its deadline was over: nothing was sent.
fn is_too_late(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|link| link.downcast_ref::<TooLate>().is_some())
}

/// The connection was never made: nothing was sent.
fn is_unconnected(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|link| {
        link.downcast_ref::<legacy::Error>()
            .is_some_and(legacy::Error::is_connect)
    })
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |link: &&'a (dyn Error + 'static)| {
        (*link).source()
    })
}

/// A list has no more pages than this: no account holds so much.
pub const PAGES_MAX: usize = 1_000;

/// The error for a list that does not end within [`PAGES_MAX`].
#[must_use]
pub fn endless(operation: &str) -> LookError {
    LookError::Refused(format!(
        "{operation}: there is no end after {PAGES_MAX} pages"
    ))
}

/// Why there are no credentials, a line for each place that was searched. It includes the output of
/// a credential process.
fn without_secrets(why: &str) -> String {
    let why = secrets::of_this_process(&[]).hide(why);
    let lines: Vec<_> = why.lines().take(LINES_MAX).map(foreign).collect();
    lines.join("\n  | ")
}

/// How many lines of it a message shows.
const LINES_MAX: usize = 12;

/// The error's chain in words, without its generic first links.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let links: Vec<String> = chain(error).map(ToString::to_string).collect();
    let tail = links.len().saturating_sub(2);
    let mut words = links[tail..].to_vec();
    words.dedup();
    words.join(": ")
}
