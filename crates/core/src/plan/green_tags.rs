//! Green's tags, which keep what a deployment can be rebuilt from.

use sha2::{Digest, Sha256};

use super::sizes::Sizes;
use super::strategy::Strategy;

/// The tag on green that names the deployment it belongs to.
pub const TAG_DEPLOYMENT: &str = "bluegreen:deployment";
/// The tag on green that names its part; its value is `green`.
pub const TAG_ROLE: &str = "bluegreen:role";
/// The tag on green that keeps the CNAME that production had at the start.
pub const TAG_PRODUCTION_CNAME: &str = "bluegreen:production-cname";

/// The tag on green that names blue's environment id.
pub const TAG_BLUE: &str = "bluegreen:blue";
/// The tag on green that names the version to release, as [`tag_value`] writes it.
pub const TAG_VERSION: &str = "bluegreen:version";
/// The tag on green that names the strategy.
pub const TAG_STRATEGY: &str = "bluegreen:strategy";
/// The tag on green that keeps blue's sizes at the start, as in `2-4`.
pub const TAG_SIZES: &str = "bluegreen:sizes";
/// The tag on green that names the bucket with the journal's copy.
pub const TAG_BUCKET: &str = "bluegreen:bucket";
/// The tag on green that names the pauses that the operator wants, as in `swap cutover`.
pub const TAG_PAUSE: &str = "bluegreen:pause";

/// How many tags an environment may be given: of the fifty that it may have the service itself
/// sets three (developer guide, "Tagging Elastic Beanstalk application resources").
pub const TAGS_MAX: usize = 47;

/// How many characters a tag's value may have (API reference, `Tag`).
const TAG_VALUE_MAX: usize = 256;
/// Stands before the digest of a label that is too long for a tag. It is in no label.
const TAG_DIGEST: char = '/';

/// What green's tags keep of a deployment, so that it can be rebuilt where no journal
/// is left.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// The deployment's id.
    pub id: &'a str,
    /// The CNAME that production had at the start.
    pub production_cname: &'a str,
    /// Blue's environment id.
    pub blue_id: &'a str,
    /// The version to release.
    pub version: &'a str,
    /// Where production lives in the end.
    pub strategy: Strategy,
    /// Blue's sizes at the start.
    pub sizes: Option<Sizes>,
    /// The artifacts bucket.
    pub bucket: &'a str,
    /// Whether it holds a copy of the journal.
    pub shared_state: bool,
    /// Whether it pauses before the first swap.
    pub pause_before_swap: bool,
    /// Whether it pauses before the last one.
    pub pause_before_cutover: bool,
}

impl Kept<'_> {
    /// Green's tags: [blue's own](is_own_tag), and these.
    #[must_use]
    pub fn beside(&self, blue_tags: &[(String, String)]) -> Vec<(String, String)> {
        let own = blue_tags.iter().filter(|(key, _)| is_own_tag(key)).cloned();
        let ours = [
            (TAG_DEPLOYMENT, self.id.to_owned()),
            (TAG_ROLE, "green".to_owned()),
            (TAG_PRODUCTION_CNAME, self.production_cname.to_owned()),
            (TAG_BLUE, self.blue_id.to_owned()),
            (TAG_VERSION, tag_value(self.version)),
            (TAG_STRATEGY, self.strategy.to_string()),
        ];
        let sizes = self.sizes.map(|sizes| (TAG_SIZES, sizes.to_string()));
        let bucket = self
            .shared_state
            .then(|| (TAG_BUCKET, self.bucket.to_owned()));
        let pauses = [
            self.pause_before_swap.then_some(PAUSE_SWAP),
            self.pause_before_cutover.then_some(PAUSE_CUTOVER),
        ];
        let pauses: Vec<_> = pauses.into_iter().flatten().collect();
        let pauses = (!pauses.is_empty()).then(|| (TAG_PAUSE, pauses.join(" ")));
        let ours = ours.into_iter().chain(sizes).chain(bucket).chain(pauses);
        own.chain(ours.map(|(key, value)| (key.to_owned(), value)))
            .collect()
    }
}

/// The words of [`TAG_PAUSE`].
pub const PAUSE_SWAP: &str = "swap";
/// See [`PAUSE_SWAP`].
pub const PAUSE_CUTOVER: &str = "cutover";

/// Whether a tag is its owner's: neither one that the service reserves (`aws:…`,
/// `elasticbeanstalk:…`, `Name`) nor one of ours.
#[must_use]
pub fn is_own_tag(key: &str) -> bool {
    let key = key.to_lowercase();
    let prefixes = ["aws:", "elasticbeanstalk:", "bluegreen:"];
    key != "name" && !prefixes.iter().any(|prefix| key.starts_with(prefix))
}

/// The value of a tag.
#[must_use]
pub fn tag_of<'a>(tags: &'a [(String, String)], key: &str) -> Option<&'a str> {
    let found = tags.iter().find(|(name, _)| name == key);
    found.map(|(_, value)| value.as_str())
}

/// A version label as a tag's value: labels take any character but a slash, tags
/// letters, digits, spaces and `+-=._:/@` (developer guide, "Tagging resources").
/// Any other byte is written as `=XX`, and so is the equals sign. What is too long for a tag
/// then, as a long label in another script is, ends in a slash and a digest of the whole label.
#[must_use]
pub fn tag_value(label: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"+-._:@".contains(&b);
    let escape = |b: u8| {
        if plain(b) {
            char::from(b).to_string()
        } else {
            format!("={b:02X}")
        }
    };
    let whole: String = label.bytes().map(escape).collect();
    if whole.len() <= TAG_VALUE_MAX {
        return whole;
    }
    let digest = Sha256::digest(label.as_bytes());
    let digest: String = digest[..16].iter().map(|b| format!("{b:02x}")).collect();
    let kept = TAG_VALUE_MAX.saturating_sub(digest.len().saturating_add(TAG_DIGEST.len_utf8()));
    format!("{}{TAG_DIGEST}{digest}", &whole[..kept])
}

/// The version label of a tag's value; none where it is not well-formed, or holds a part of
/// the label alone.
#[must_use]
pub fn label_of_tag(value: &str) -> Option<String> {
    if value.contains(TAG_DIGEST) {
        return None;
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut parts = value.split('=');
    bytes.extend(parts.next()?.bytes());
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend(part.get(2..)?.bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn green_carries_blues_own_tags_and_ours() {
        let blue: Vec<_> = [
            ("team", "storefront"),
            ("Name", "shop-blue"),
            ("elasticbeanstalk:environment-id", "e-1"),
            ("aws:cloudformation:stack-name", "s"),
            ("bluegreen:deployment", "old"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .to_vec();
        let kept = Kept {
            id: "01J",
            production_cname: "shop.example",
            blue_id: "e-1",
            version: "v 2",
            strategy: Strategy::Promote,
            sizes: Some(Sizes { min: 2, max: 4 }),
            bucket: "shop-artifacts",
            shared_state: true,
            pause_before_swap: true,
            pause_before_cutover: true,
        };
        let tags = kept.beside(&blue);
        let keys: Vec<_> = tags.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "team",
                TAG_DEPLOYMENT,
                TAG_ROLE,
                TAG_PRODUCTION_CNAME,
                TAG_BLUE,
                TAG_VERSION,
                TAG_STRATEGY,
                TAG_SIZES,
                TAG_BUCKET,
                TAG_PAUSE
            ]
        );
        assert_eq!((tags[1].1.as_str(), tags[5].1.as_str()), ("01J", "v=202"));
        assert_eq!(tags[7].1.parse(), Ok(Sizes { min: 2, max: 4 }));
    }

    #[test]
    fn a_label_survives_as_a_tag() {
        for label in ["v2", "release 1.0", "a=b#c,é", "=41", "%"] {
            let value = tag_value(label);
            assert_eq!(label_of_tag(&value).as_deref(), Some(label), "{value}");
        }
        assert_eq!(label_of_tag("=4"), None);
    }

    /// A label has up to a hundred characters (API reference, `CreateApplicationVersion`), of up
    /// to four bytes, each of which is written as three characters; a tag's value has 256.
    #[test]
    fn a_label_that_is_too_long_for_a_tag_ends_in_its_digest() {
        let long = "ж".repeat(100);
        let (one, other) = (tag_value(&long), tag_value(&format!("{}з", &long[2..])));
        assert_eq!(one.len(), TAG_VALUE_MAX);
        assert!(one.starts_with("=D0=B6") && one.contains('/'), "{one}");
        assert_eq!(label_of_tag(&one), None, "it is not the whole label");
        assert_ne!(one, other, "labels that begin alike are told apart");
        let fits = "ж".repeat(42);
        assert_eq!(label_of_tag(&tag_value(&fits)), Some(fits));
    }
}
