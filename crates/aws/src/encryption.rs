//! The encryption that this program requests from S3 for what it writes to the artifacts bucket.
//! Pure.

use std::fmt;
use std::str::FromStr;

/// Server-side encryption that every upload requests (S3 user guide, "Protecting data with
/// server-side encryption"): a bucket's policy may deny uploads that request none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// With S3's own keys: `AES256`.
    S3,
    /// With a key of KMS: `aws:kms`.
    Kms {
        /// Its ARN, id or alias; `None` for the bucket's own, else for AWS's key of S3.
        key: Option<String>,
    },
}

impl Encryption {
    /// The key of KMS that it names.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Encryption::S3 => None,
            Encryption::Kms { key } => key.as_deref(),
        }
    }
}

impl FromStr for Encryption {
    type Err = String;

    fn from_str(text: &str) -> Result<Encryption, String> {
        let text = text.trim();
        match (text, text.strip_prefix("aws:kms:")) {
            ("AES256", _) => Ok(Encryption::S3),
            ("aws:kms", _) => Ok(Encryption::Kms { key: None }),
            (_, Some(key)) if !key.is_empty() && !key.contains(char::is_whitespace) => {
                Ok(Encryption::Kms {
                    key: Some(key.to_owned()),
                })
            }
            _ => Err(
                "expected AES256, aws:kms, or aws:kms:KEY with the ARN, id or alias of a key \
                      of KMS"
                    .to_owned(),
            ),
        }
    }
}

impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Encryption::S3 => f.write_str("AES256"),
            Encryption::Kms { key: None } => f.write_str("aws:kms"),
            Encryption::Kms { key: Some(key) } => write!(f, "aws:kms:{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_those_of_s3() {
        for text in [
            "AES256",
            "aws:kms",
            "aws:kms:alias/shop",
            "aws:kms:arn:aws:kms:eu-central-1:123456789012:key/1",
        ] {
            let read: Encryption = text.parse().expect("it is one");
            assert_eq!(read.to_string(), text);
        }
        for text in ["", "aes256", "aws:kms:", "kms", "aws:kms:a b"] {
            let why = text.parse::<Encryption>().expect_err("it is none");
            assert!(why.contains("aws:kms:KEY"), "{text}: {why}");
        }
    }
}
