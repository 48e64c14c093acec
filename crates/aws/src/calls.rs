//! The calls of AWS that the clients make, as data, and who hears of them.

use std::fmt::Debug;
use std::time::Duration;

/// One attempt of a request to AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The service, as its API names it.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// How long its answer took.
    pub took: Duration,
    /// The status of the answer; `None` where there was none.
    pub status: Option<u16>,
}

impl Call {
    /// Whether AWS answered that it took the request.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status
            .is_some_and(|status| (200..400).contains(&status))
    }

    /// What it was answered, in words.
    #[must_use]
    pub fn why(&self) -> String {
        match self.status {
            Some(status) => format!("status {status}"),
            None => "no answer".to_owned(),
        }
    }
}

/// Hears of calls.
pub trait CallObserver: Debug + Send + Sync {
    /// Hears of one call. It must not block: the request's caller waits meanwhile.
    fn called(&self, call: &Call);
}
