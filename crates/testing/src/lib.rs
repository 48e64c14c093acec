//! What the tests of several crates share.
#![warn(missing_docs)]

pub mod garbled;
pub mod sample;

use std::io::Write;

/// Says something that is seen of a test that passes, too: only what the printing macros
/// write is kept back.
pub fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
