//! An answer to a test, and what it is worth.

use std::time::Duration;

/// How much of an answer's body is read and judged, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The status of the redirect from http to https that led to this answer.
    pub redirected: Option<u16>,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// The body's first [`BODY_BYTES_MAX`] bytes; empty where it is not judged.
    pub body: Vec<u8>,
    /// How long it took.
    pub latency: Duration,
}

/// What an answer is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What came back, and what is wrong with it.
    pub got: String,
    /// Whether that passes.
    pub passed: bool,
}
