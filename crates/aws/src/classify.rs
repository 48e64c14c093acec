//! The one table that says what a failed request means.

use bluegreen_core::machine::EffectKind;

/// A failed request, without the SDK's types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It never left: no connection, no host.
    NotSent(String),
    /// There were no credentials to sign it with.
    NotSigned(String),
    /// It left, or may have, and no answer came back.
    NoAnswer(String),
    /// The service answered with an error.
    Service {
        /// The HTTP status.
        status: u16,
        /// The error's code.
        code: String,
        /// The service's words.
        message: String,
    },
}

/// Why a request was not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too many requests: waiting is all that helps.
    Throttled(String),
    /// Another operation is in progress: waiting is all that helps.
    Busy(String),
    /// It could not be sent: waiting is all that helps.
    Unreachable(String),
    /// AWS is already in the requested state; a poll will show it.
    AlreadySo(String),
    /// The credentials are missing, wrong or expired.
    Credentials(String),
    /// The credentials do not allow it.
    Denied(String),
    /// Refused for good.
    Invalid(String),
}

impl Refusal {
    /// What the service or the connection said.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Refusal::Throttled(why)
            | Refusal::Busy(why)
            | Refusal::Unreachable(why)
            | Refusal::AlreadySo(why)
            | Refusal::Credentials(why)
            | Refusal::Denied(why)
            | Refusal::Invalid(why) => why,
        }
    }

    /// The text of `Refusal::why`, to be changed.
    pub(crate) fn why_mut(&mut self) -> &mut String {
        match self {
            Refusal::Throttled(why)
            | Refusal::Busy(why)
            | Refusal::Unreachable(why)
            | Refusal::AlreadySo(why)
            | Refusal::Credentials(why)
            | Refusal::Denied(why)
            | Refusal::Invalid(why) => why,
        }
    }
}

/// What an answer means for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Throttled,
    Busy,
    AlreadySo,
    Credentials,
    Denied,
    Unclear,
    Invalid,
}

/// One line of the table: the first that fits decides.
struct Rule {
    /// The requested effect; `None` matches any request.
    effect: Option<EffectKind>,
    /// The error's code; empty matches any.
    code: &'static str,
    /// A part of the message; empty matches any.
    message: &'static str,
    verdict: Verdict,
}

const fn rule(code: &'static str, message: &'static str, verdict: Verdict) -> Rule {
    Rule {
        effect: None,
        code,
        message,
        verdict,
    }
}

const fn of(effect: EffectKind, message: &'static str, verdict: Verdict) -> Rule {
    Rule {
        effect: Some(effect),
        code: "",
        message,
        verdict,
    }
}

/// Whether a code of an error says that there were too many requests.
pub(crate) fn is_throttle(code: &str) -> bool {
    let says = |rule: &&Rule| rule.code == code && rule.verdict == Verdict::Throttled;
    TABLE.iter().any(|rule| says(&rule))
}

/// The service's words where it may not read an object with the caller's rights; the object's
/// bucket follows, then `, S3Key=` and its key.
const DENIED_OBJECT: &str = "Access Denied: S3Bucket=";

/// How the names of AWS's own buckets begin that Elastic Beanstalk reads with its caller's rights;
/// the region follows.
const ASSETS: [&str; 2] = [
    "elasticbeanstalk-env-resources-",
    "elasticbeanstalk-platform-assets-",
];

/// Codes are those of the API references of the services and of the
/// common errors of AWS; the messages of `InvalidParameterValue` are the service's
/// unmodelled ones.
#[rustfmt::skip]
const TABLE: &[Rule] = &[
    rule("Throttling",                    "", Verdict::Throttled),
    rule("ThrottlingException",           "", Verdict::Throttled),
    rule("ThrottledException",            "", Verdict::Throttled),
    rule("RequestThrottled",              "", Verdict::Throttled),
    rule("RequestThrottledException",     "", Verdict::Throttled),
    rule("RequestLimitExceeded",          "", Verdict::Throttled),
    rule("TooManyRequestsException",      "", Verdict::Throttled),
    rule("BandwidthLimitExceeded",        "", Verdict::Throttled),
    rule("SlowDown",                      "", Verdict::Throttled),
    rule("PriorRequestNotComplete",       "", Verdict::Throttled),
    rule("ExpiredToken",                  "", Verdict::Credentials),
    rule("ExpiredTokenException",         "", Verdict::Credentials),
    rule("RequestExpired",                "", Verdict::Credentials),
    rule("TokenRefreshRequired",          "", Verdict::Credentials),
    rule("InvalidToken",                  "", Verdict::Credentials),
    rule("InvalidClientTokenId",          "", Verdict::Credentials),
    rule("InvalidAccessKeyId",            "", Verdict::Credentials),
    rule("UnrecognizedClientException",   "", Verdict::Credentials),
    rule("MissingAuthenticationToken",    "", Verdict::Credentials),
    rule("MissingAuthenticationTokenException", "", Verdict::Credentials),
    rule("IncompleteSignature",           "", Verdict::Credentials),
    rule("SignatureDoesNotMatch",         "", Verdict::Credentials),
    rule("InvalidSignatureException",     "", Verdict::Credentials),
    // S3: a request whose date is more than 15 minutes off (S3 API reference, "List of error
    // codes").
    rule("RequestTimeTooSkewed",          "", Verdict::Credentials),
    rule("AccessDenied",                  "", Verdict::Denied),
    rule("AccessDeniedException",         "", Verdict::Denied),
    rule("AllAccessDisabled",             "", Verdict::Denied),
    rule("InsufficientPrivilegesException", "", Verdict::Denied),
    rule("NotAuthorized",                 "", Verdict::Denied),
    rule("UnauthorizedOperation",         "", Verdict::Denied),
    rule("OptInRequired",                 "", Verdict::Denied),
    // Whatever its code (hashicorp/terraform-provider-aws#32977: InvalidParameterValue).
    rule("", DENIED_OBJECT,                   Verdict::Denied),
    rule("OperationInProgressFailure",    "", Verdict::Busy),
    rule("OperationInProgressException",  "", Verdict::Busy),
    rule("OperationAborted",              "", Verdict::Busy),
    rule("ConditionalRequestConflict",    "", Verdict::Busy),
    of(EffectKind::AbortUpdate,     "Must be pending deployment",     Verdict::AlreadySo),
    rule("", "is in an invalid state for this operation", Verdict::Busy),
    rule("", "It is currently pending",                   Verdict::Busy),
    of(EffectKind::CreateTemplate,  "already exists",                 Verdict::AlreadySo),
    of(EffectKind::CreateGreen,     "already exists",                 Verdict::AlreadySo),
    // The template shows to a look before it shows to this operation.
    of(EffectKind::CreateGreen,     "No Configuration Template named", Verdict::Busy),
    of(EffectKind::RegisterVersion, "already exists",                 Verdict::AlreadySo),
    of(EffectKind::TerminateGreen,  "No Environment found",           Verdict::AlreadySo),
    of(EffectKind::TerminateBlue,   "No Environment found",           Verdict::AlreadySo),
    of(EffectKind::DeleteTemplate,  "No Configuration Template named", Verdict::AlreadySo),
    rule("PreconditionFailed",            "", Verdict::AlreadySo),
    rule("RequestTimeout",                "", Verdict::Unclear),
    rule("RequestTimeoutException",       "", Verdict::Unclear),
    rule("", "", Verdict::Invalid),
];

/// What a failed request means: a refusal, or `None` where AWS may have applied it all the same.
/// Answers of status 500 and above are of that kind unless they name a throttle.
#[must_use]
pub fn classify(effect: Option<EffectKind>, failure: &Failure) -> Option<Refusal> {
    let (status, code, message) = match failure {
        Failure::NotSent(why) => return Some(Refusal::Unreachable(why.clone())),
        Failure::NotSigned(why) => return Some(Refusal::Credentials(why.clone())),
        Failure::NoAnswer(_) => return None,
        Failure::Service {
            status,
            code,
            message,
        } => (*status, code, message),
    };
    let fits = |rule: &&Rule| {
        (rule.effect.is_none() || rule.effect == effect)
            && (rule.code.is_empty() || rule.code == code)
            && message.contains(rule.message)
    };
    let verdict = TABLE
        .iter()
        .find(fits)
        .map_or(Verdict::Invalid, |r| r.verdict);
    let text = describe(failure);
    match verdict {
        Verdict::Throttled => Some(Refusal::Throttled(text)),
        _ if status >= 500 => None,
        Verdict::Busy => Some(Refusal::Busy(text)),
        Verdict::AlreadySo => Some(Refusal::AlreadySo(text)),
        Verdict::Credentials => Some(Refusal::Credentials(text)),
        Verdict::Denied => Some(Refusal::Denied(text)),
        Verdict::Unclear => None,
        Verdict::Invalid => Some(Refusal::Invalid(text)),
    }
}

/// The text that follows the service's words where it refuses a request for its date.
const CLOCK: &str =
    "this machine's clock differs from AWS's by more minutes than a signature allows";

/// Whether AWS refused a request because this machine's clock is wrong. `why` is the text of the
/// refusal that [`classify`] returned.
#[must_use]
pub fn is_clock(why: &str) -> bool {
    why.contains(CLOCK)
}

/// Whether the service refuses the date of a request: S3 by a code of its own, every other service
/// by the words about an invalid signature (IAM user guide, "Troubleshoot Signature Version 4
/// signing").
fn is_skewed(code: &str, message: &str) -> bool {
    let is_signature = matches!(code, "SignatureDoesNotMatch" | "InvalidSignatureException");
    code == "RequestTimeTooSkewed"
        || is_signature
            && (message.contains("Signature expired")
                || message.contains("Signature not yet current"))
}

/// The failure in words.
pub(super) fn describe(failure: &Failure) -> String {
    match failure {
        Failure::Service { code, message, .. } if is_skewed(code, message) => {
            format!("{code}: {message} ({CLOCK})")
        }
        Failure::NotSent(why) | Failure::NotSigned(why) | Failure::NoAnswer(why) => why.clone(),
        Failure::Service { code, message, .. } if message.is_empty() => code.clone(),
        Failure::Service { code, message, .. } => match denied_object(message) {
            None => format!("{code}: {message}"),
            Some((bucket, key)) => {
                let of_aws = ASSETS.iter().any(|asset| bucket.starts_with(asset));
                let remedy = match of_aws {
                    true => {
                        " (a bucket of AWS's own: the statement ReadAssets of \
                         docs/start/iam-policy.json allows it)"
                    }
                    false => "",
                };
                format!(
                    "{code}: {message}: Elastic Beanstalk may not read s3://{bucket}/{key} with \
                     these credentials; allow them s3:GetObject on it{remedy}"
                )
            }
        },
    }
}

/// The bucket and key of an object that Elastic Beanstalk was denied.
fn denied_object(message: &str) -> Option<(&str, &str)> {
    let (_, rest) = message.split_once(DENIED_OBJECT)?;
    let (bucket, key) = rest.split_once(", S3Key=").unwrap_or((rest, ""));
    let key = key.split_whitespace().next().unwrap_or_default();
    Some((
        bucket.trim_end_matches('.'),
        key.trim_end_matches(['.', ',', ';', ')']),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(status: u16, code: &str, message: &str) -> Failure {
        Failure::Service {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }

    fn verdict_of(refusal: Option<&Refusal>) -> Verdict {
        match refusal {
            None => Verdict::Unclear,
            Some(Refusal::Throttled(_)) => Verdict::Throttled,
            Some(Refusal::Busy(_)) => Verdict::Busy,
            Some(Refusal::AlreadySo(_)) => Verdict::AlreadySo,
            Some(Refusal::Credentials(_)) => Verdict::Credentials,
            Some(Refusal::Denied(_)) => Verdict::Denied,
            Some(Refusal::Invalid(_) | Refusal::Unreachable(_)) => Verdict::Invalid,
        }
    }

    /// Every line decides the answers it is there for: none is shadowed by an
    /// earlier one.
    #[test]
    fn every_line_of_the_table_decides() {
        for rule in TABLE {
            let code = if rule.code.is_empty() {
                "InvalidParameterValue"
            } else {
                rule.code
            };
            let message = format!("Environment named X {}.", rule.message);
            let refusal = classify(rule.effect, &service(400, code, &message));
            assert_eq!(
                verdict_of(refusal.as_ref()),
                rule.verdict,
                "{code}: {message}"
            );
        }
    }

    /// The service's own sentences, word for word, with what each must mean.
    #[test]
    fn the_services_own_words_are_understood() {
        use EffectKind::{
            AbortUpdate, CreateGreen, CreateTemplate, DeleteTemplate, Deploy, RegisterVersion,
            Swap, TerminateGreen,
        };
        let invalid = "InvalidParameterValue";
        let cases = [
            (Swap, 400, "Throttling", "Rate exceeded", Verdict::Throttled),
            (Swap, 503, "Throttling", "Rate exceeded", Verdict::Throttled),
            (Swap, 500, "InternalFailure", "", Verdict::Unclear),
            (Swap, 503, "ServiceUnavailable", "", Verdict::Unclear),
            (
                Swap,
                400,
                invalid,
                "Environment named shop-blue is in an invalid state for this operation. Must be Ready.",
                Verdict::Busy,
            ),
            (
                Deploy,
                400,
                invalid,
                "No Application Version named 'v9' found.",
                Verdict::Invalid,
            ),
            (
                AbortUpdate,
                400,
                invalid,
                "Environment named shop-blue is in an invalid state for this operation. Must be pending deployment.",
                Verdict::AlreadySo,
            ),
            (
                CreateGreen,
                400,
                invalid,
                "Environment shop-green already exists.",
                Verdict::AlreadySo,
            ),
            (
                CreateGreen,
                400,
                invalid,
                "DNS name (shop) is not available.",
                Verdict::Invalid,
            ),
            (
                CreateTemplate,
                400,
                invalid,
                "Configuration Template t already exists.",
                Verdict::AlreadySo,
            ),
            (
                RegisterVersion,
                400,
                invalid,
                "Application Version v2 already exists.",
                Verdict::AlreadySo,
            ),
            (
                TerminateGreen,
                400,
                invalid,
                "Cannot terminate environment named shop-green. It is currently pending deployment.",
                Verdict::Busy,
            ),
            (
                TerminateGreen,
                400,
                invalid,
                "No Environment found for EnvironmentName = 'shop-green'.",
                Verdict::AlreadySo,
            ),
            (
                DeleteTemplate,
                400,
                invalid,
                "No Configuration Template named 't' found.",
                Verdict::AlreadySo,
            ),
            (
                CreateGreen,
                400,
                "TooManyEnvironmentsException",
                "",
                Verdict::Invalid,
            ),
            (
                CreateGreen,
                403,
                "ExpiredToken",
                "The security token included in the request is expired",
                Verdict::Credentials,
            ),
            (
                CreateGreen,
                403,
                "InsufficientPrivilegesException",
                "Access Denied",
                Verdict::Denied,
            ),
            (
                RegisterVersion,
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
                Verdict::Credentials,
            ),
            (
                Swap,
                403,
                "InvalidSignatureException",
                "Signature not yet current: 20270115T080000Z is still later than 20270115T075500Z",
                Verdict::Credentials,
            ),
        ];
        for (effect, status, code, message, expected) in cases {
            let refusal = classify(Some(effect), &service(status, code, message));
            assert_eq!(verdict_of(refusal.as_ref()), expected, "{code}: {message}");
        }
    }

    /// Each service refuses a wrong clock in words of its own; bluegreen recognises all of them.
    #[test]
    fn a_wrong_clock_is_told_as_one() {
        for (code, message) in [
            (
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
            ),
            (
                "SignatureDoesNotMatch",
                "Signature expired: 20270115T080000Z is now earlier than 20270115T081000Z",
            ),
            (
                "InvalidSignatureException",
                "Signature not yet current: 20270115T081000Z is still later than 20270115T080000Z",
            ),
        ] {
            let refusal = classify(None, &service(403, code, message));
            let Some(Refusal::Credentials(why)) = refusal else {
                panic!("{code}: {refusal:?}");
            };
            assert!(is_clock(&why) && why.contains(message), "{why}");
        }
        let wrong_key = "The request signature we calculated does not match";
        let refusal = classify(None, &service(403, "SignatureDoesNotMatch", wrong_key));
        assert!(matches!(refusal, Some(Refusal::Credentials(why)) if !is_clock(&why)));
    }

    /// Whatever the code and the words around it, what is denied is named with its remedy.
    #[test]
    fn an_object_that_is_denied_is_named() {
        let assets = "S3Bucket=elasticbeanstalk-env-resources-us-east-1, \
                      S3Key=eb_patching_resources/instance_patch_extension.linux";
        for (status, code, message) in [
            (
                400,
                "InvalidParameterValue",
                format!("Access Denied: {assets}"),
            ),
            (
                403,
                "InsufficientPrivilegesException",
                format!("Access Denied: {assets}"),
            ),
            (
                400,
                "InvalidParameterValue",
                format!(
                    "Failed to deploy application. Service:Amazon S3, Message:Access Denied: {assets}."
                ),
            ),
        ] {
            let refusal = classify(None, &service(status, code, &message));
            let Some(Refusal::Denied(text)) = refusal else {
                panic!("{code}: {refusal:?}");
            };
            for words in [
                "s3://elasticbeanstalk-env-resources-us-east-1/eb_patching_resources/\
                 instance_patch_extension.linux with",
                "s3:GetObject",
                "ReadAssets",
            ] {
                assert!(text.contains(words), "{words}: {text}");
            }
        }
        let own = "Access Denied: S3Bucket=shop-artifacts, S3Key=v1.zip";
        let text = describe(&service(400, "InvalidParameterValue", own));
        assert!(text.contains("s3://shop-artifacts/v1.zip"), "{text}");
        assert!(!text.contains("AWS's own"), "{text}");
    }

    #[test]
    fn a_lost_answer_is_unclear_and_a_failed_connection_is_not() {
        let lost = Failure::NoAnswer("timed out".to_owned());
        assert_eq!(classify(Some(EffectKind::Swap), &lost), None);
        let refused = Failure::NotSent("connection refused".to_owned());
        assert!(matches!(
            classify(Some(EffectKind::Swap), &refused),
            Some(Refusal::Unreachable(_))
        ));
    }
}
