//! The key that authenticates what this program writes to the artifacts bucket. Pure.
//!
//! A builder that may put bundles into the bucket may as a rule write every object there. What
//! bears a right code was written by somebody who has the key, which is not in the bucket.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How many bytes a key has at least: as many as the digest (RFC 2104, section 3).
const KEY_BYTES_MIN: usize = 32;

/// Stands between an object's own members and its code.
const MEMBER: &str = ",\"mac\":\"";
/// How many hexadecimal digits a code has.
const DIGITS: usize = 64;

/// A key for HMAC-SHA256 (RFC 2104) over objects in the bucket. Its `Debug` output leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct StateKey(Vec<u8>);

/// What an object's code proves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authenticity {
    /// No key is given: whoever may write to the bucket may have written it.
    #[default]
    Unknown,
    /// Its code is right.
    Proven,
    /// A key is given, and the object bears no code, or another one.
    Wrong,
}

impl StateKey {
    /// A JSON object with its code as the last member. The code is over the names of the bucket
    /// and of the key too, so that no object passes for another.
    #[must_use]
    pub fn sign(&self, bucket: &str, key: &str, mut object: Vec<u8>) -> Vec<u8> {
        let code = self.code(bucket, key, &object).finalize().into_bytes();
        object.pop();
        object.extend_from_slice(MEMBER.as_bytes());
        object.extend(
            code.iter()
                .flat_map(|byte| format!("{byte:02x}").into_bytes()),
        );
        object.extend_from_slice(b"\"}");
        object
    }

    /// Whether an object bears the code that [`StateKey::sign`] gives it.
    #[must_use]
    pub fn verify(&self, bucket: &str, key: &str, signed: &[u8]) -> Authenticity {
        let proven = || {
            let signed = signed.strip_suffix(b"\"}")?;
            let (rest, code) = signed.split_at_checked(signed.len().checked_sub(DIGITS)?)?;
            let mut object = rest.strip_suffix(MEMBER.as_bytes())?.to_vec();
            object.push(b'}');
            let digit = |digit: &u8| char::from(*digit).to_digit(16);
            let byte = |pair: &[u8]| Some(digit(pair.first()?)? << 4 | digit(pair.last()?)?);
            let code: Option<Vec<u8>> = code
                .chunks(2)
                .map(|pair| byte(pair).and_then(|byte| u8::try_from(byte).ok()))
                .collect();
            // In constant time.
            self.code(bucket, key, &object).verify_slice(&code?).ok()
        };
        match proven() {
            Some(()) => Authenticity::Proven,
            None => Authenticity::Wrong,
        }
    }

    fn code(&self, bucket: &str, key: &str, object: &[u8]) -> Hmac<Sha256> {
        let mut code = Hmac::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        for part in [
            b"bluegreen".as_slice(),
            bucket.as_bytes(),
            key.as_bytes(),
            object,
        ] {
            code.update(part);
            // In no name, and in no JSON.
            code.update(&[0]);
        }
        code
    }
}

impl FromStr for StateKey {
    type Err = String;

    fn from_str(text: &str) -> Result<StateKey, String> {
        let key = text.trim().as_bytes();
        if key.len() < KEY_BYTES_MIN {
            return Err(format!(
                "it has {} characters, and needs {KEY_BYTES_MIN} at least; `openssl rand -hex 32` \
                 makes one",
                key.len()
            ));
        }
        Ok(StateKey(key.to_vec()))
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StateKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> StateKey {
        text.parse().expect("it is long enough")
    }

    #[test]
    fn an_object_passes_where_it_was_signed_and_nowhere_else() {
        let (ours, other) = (key(&"k".repeat(32)), key(&"o".repeat(32)));
        let signed = ours.sign("shop", "a.json", br#"{"format":2,"id":"A"}"#.to_vec());
        let read: serde_json::Value = serde_json::from_slice(&signed).expect("it is JSON");
        assert_eq!(read["id"], "A");
        assert_eq!(ours.verify("shop", "a.json", &signed), Authenticity::Proven);
        for (key, bucket, name) in [
            (&other, "shop", "a.json"),
            (&ours, "shops", "a.json"),
            (&ours, "shop", "b.json"),
            // What moves from one name to the other.
            (&ours, "shopa", ".json"),
        ] {
            assert_eq!(key.verify(bucket, name, &signed), Authenticity::Wrong);
        }
    }

    /// Every byte counts, and nothing that is cut off or put before passes.
    #[test]
    fn an_object_that_was_changed_does_not_pass() {
        let ours = key(&"k".repeat(32));
        let signed = ours.sign("shop", "a.json", br#"{"format":2,"id":"A"}"#.to_vec());
        for at in 0..signed.len() {
            let mut changed = signed.clone();
            changed[at] ^= 1;
            assert_eq!(
                ours.verify("shop", "a.json", &changed),
                Authenticity::Wrong,
                "byte {at}"
            );
            let cut = &signed[..at];
            assert_eq!(ours.verify("shop", "a.json", cut), Authenticity::Wrong);
        }
        let plain = br#"{"format":2,"id":"A"}"#;
        assert_eq!(ours.verify("shop", "a.json", plain), Authenticity::Wrong);
    }

    #[test]
    fn a_key_is_long_and_does_not_show_itself() {
        let why = "hunter2".parse::<StateKey>().expect_err("it is short");
        assert!(why.contains("32") && !why.contains("hunter2"), "{why}");
        let padded: StateKey = format!(" {}\n", "k".repeat(32)).parse().expect("a key");
        assert_eq!(padded, key(&"k".repeat(32)));
        assert_eq!(format!("{padded:?}"), "StateKey");
    }
}
