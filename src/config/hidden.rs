//! Texts that do not show themselves.

use std::convert::Infallible;
use std::fmt;

/// A text that does not show itself: it may hold a secret.
#[derive(Clone)]
pub struct Hidden(String);

impl Hidden {
    /// The text itself.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

#[expect(clippy::unnecessary_wraps, reason = "clap asks for it")]
pub(super) fn hidden(text: &str) -> Result<Hidden, Infallible> {
    Ok(Hidden(text.to_owned()))
}
