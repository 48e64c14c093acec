//! Garbled input for property tests: what somebody writes who is damaged, newer or hostile.
//!
//! `PROPTEST_CASES` says how many inputs each of those tests tries; `.ci/run` says many.

use proptest::prelude::*;

/// What parsers trip over.
const AWKWARD: [&str; 24] = [
    "18446744073709551615",
    "-9223372036854775808",
    "1e999",
    "0.1",
    "null",
    "{}",
    "[]",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "\"\"",
    "\"secs\":18446744073709551615,\"nanos\":999999999",
    "\\u0000",
    "\\ud800",
    "\u{1b}[31m",
    "\u{202e}",
    "\u{0}",
    "é",
    "\r\n::error::",
    "<![CDATA[",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>&b;",
    "&#x0;",
    "</item>",
    "{{{{",
    "env:",
    "'",
];

/// One change to an input.
#[derive(Clone, Debug)]
enum Edit {
    Flip(u8),
    Remove(usize),
    Repeat(usize),
    Insert(&'static str),
    Truncate,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        any::<u8>().prop_map(Edit::Flip),
        (1_usize..80).prop_map(Edit::Remove),
        (1_usize..200).prop_map(Edit::Repeat),
        prop::sample::select(&AWKWARD[..]).prop_map(Edit::Insert),
        Just(Edit::Truncate),
    ]
}

/// An input with up to five changes, each at a place of its own.
pub fn garbled(input: impl Into<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let input = input.into();
    let edits = prop::collection::vec((any::<prop::sample::Index>(), edit()), 0..6);
    edits.prop_map(move |edits| {
        let mut bytes = input.clone();
        for (at, edit) in edits {
            let at = at.index(bytes.len() + 1);
            let through = |length: usize| at..(at + length).min(bytes.len());
            match edit {
                Edit::Flip(bits) => bytes.iter_mut().skip(at).take(1).for_each(|b| *b ^= bits),
                Edit::Remove(length) => drop(bytes.drain(through(length))),
                Edit::Repeat(length) => {
                    let again = bytes[through(length)].to_vec();
                    bytes.splice(at..at, again);
                }
                Edit::Insert(text) => drop(bytes.splice(at..at, text.bytes())),
                Edit::Truncate => bytes.truncate(at),
            }
        }
        bytes
    })
}

/// Garbled input as a text.
pub fn garbled_text(input: &str) -> impl Strategy<Value = String> {
    garbled(input).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}
