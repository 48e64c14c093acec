//! The names of files: a key as folders, since a key may hold whatever a file's name may not.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The characters of a key that its folders do not show as they are. Capital letters are among
/// them, because the file systems of some machines do not tell them from small ones.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The longest name of a folder, in bytes: file systems allow 255.
const NAME_BYTES_MAX: usize = 200;

/// The end of the name of a folder that holds an object.
const WHOLE: char = '=';

/// The end of the name of a folder with a part of a key, whose rest is below it.
const PARTIAL: char = '+';

/// The meaning of a folder's name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// It holds the object with this key.
    Key(String),
    /// The keys of the objects below it begin with this text, still encoded.
    Beginning(String),
}

/// The folders, one below the other, of an object with this key.
pub(crate) fn parts(key: &str) -> Vec<String> {
    let encoded = encoded(key);
    let mut rest = encoded.as_str();
    let mut parts = Vec::new();
    while rest.len() > NAME_BYTES_MAX {
        let (part, after) = rest.split_at(NAME_BYTES_MAX);
        parts.push(format!("{part}{PARTIAL}"));
        rest = after;
    }
    parts.push(format!("{rest}{WHOLE}"));
    parts
}

/// Reads the name of a folder below those whose names begin the key with `before`.
pub(crate) fn read(before: &str, name: &str) -> Option<Read> {
    if let Some(part) = name.strip_suffix(PARTIAL) {
        return Some(Read::Beginning(format!("{before}{part}")));
    }
    let encoded = format!("{before}{}", name.strip_suffix(WHOLE)?);
    let key = percent_decode_str(&encoded).decode_utf8().ok()?;
    Some(Read::Key(key.into_owned()))
}

/// A name that nothing else has.
pub(crate) fn unique() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn encoded(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for piece in utf8_percent_encode(key, ENCODED) {
        match piece.starts_with('%') {
            true => encoded.push_str(piece),
            false => piece.chars().for_each(|letter| match letter {
                'A'..='Z' => encoded.push_str(&format!("%{:02X}", letter as u32)),
                _ => encoded.push(letter),
            }),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(key: &str) -> String {
        let mut before = String::new();
        for part in parts(key) {
            assert!(part.len() <= 255 && part != "." && part != "..", "{part}");
            match read(&before, &part) {
                Some(Read::Beginning(text)) => before = text,
                Some(Read::Key(key)) => return key,
                None => panic!("{part} is no name"),
            }
        }
        panic!("{key} has no end");
    }

    #[test]
    fn any_key_is_read_back() {
        let long = "n/".repeat(512);
        for key in [
            "shop/v1.zip",
            "/",
            "n//y",
            "n/./x",
            "..",
            ".",
            "a+b=c",
            "A",
            "é/ü",
            "%41",
            "\u{1}",
            &long,
        ] {
            assert_eq!(read_back(key), key);
        }
        assert_ne!(parts("A"), parts("a"));
        assert_eq!(parts("v1.zip"), ["v1.zip="]);
    }
}
