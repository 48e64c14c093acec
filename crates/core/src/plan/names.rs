//! Names that AWS and this program give.

use crate::text::short;

/// How long a name of AWS's is at most that goes into requests: a hostname (RFC 1035, 2.3.4).
const NAME_BYTES_MAX: usize = 255;
/// How many characters an application's name and a version label have at most (API reference,
/// `CreateApplicationVersion`).
const LABEL_CHARS_MAX: usize = 100;

/// How much of a name that is none is shown.
pub(super) const SHOWN: usize = 80;

/// Whether an environment may have this name (API reference, `CreateEnvironment`).
#[must_use]
pub fn is_environment_name(name: &str) -> bool {
    (4..=40).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Whether a name may go into requests: of letters, digits and what else is allowed.
pub(super) fn is_name(text: &str, allowed: &[u8]) -> bool {
    let allows = |b: u8| b.is_ascii_alphanumeric() || allowed.contains(&b);
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.bytes().all(allows)
}

/// Whether a version label or the name of an application may be this.
pub(super) fn is_label(text: &str) -> bool {
    text.chars().count() <= LABEL_CHARS_MAX && !text.contains(char::is_control)
}

/// Checks that a text is a deployment's id, as this program writes it.
///
/// # Errors
/// That it is none, for people.
pub fn is_id(text: &str) -> Result<(), String> {
    let id = ulid::Ulid::from_string(text).ok();
    match id.is_some_and(|id| id.to_string() == text) {
        true => Ok(()),
        false => Err(format!("{:?} is no deployment's id", short(text, SHOWN))),
    }
}
