//! What an environment is configured with, kept so that a later change is noticed and no
//! secret is kept. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::options::{is_its_own, is_secret, option, settings};
use super::same::canonical;
use crate::machine::Drift;
use crate::plan::OwnSizes;

/// The sizes of an environment's group, which the deployment itself may change.
const MIN_SIZE: &str = "aws:autoscaling:asg:MinSize";
const MAX_SIZE: &str = "aws:autoscaling:asg:MaxSize";
/// What the platform is called among the options.
const PLATFORM: &str = "platform";
/// The option names and values of one environment that a text shows at most.
const VALUE_CHARACTERS_MAX: usize = 80;

/// A checksum of sixteen bits of each option's value: enough to notice a change, and far too little
/// to show the value or to prove a guess of it. One value of one option always has the same, in
/// every deployment, so that many of them show no more than one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Marks(BTreeMap<String, u16>);

/// What an environment is configured with, as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marked {
    values: BTreeMap<String, String>,
}

impl Marked {
    /// From its platform, empty where the service does not return it, and the option settings by
    /// their full names.
    #[must_use]
    pub fn of(platform: &str, all: &BTreeMap<String, String>) -> Marked {
        let mut values = settings(all);
        values.retain(|what, _| {
            let is_size = [MIN_SIZE, MAX_SIZE].contains(&option(what));
            is_size || !is_its_own(what)
        });
        if !platform.is_empty() {
            values.insert(PLATFORM.to_owned(), platform.to_owned());
        }
        Marked { values }
    }

    /// What is kept of it.
    #[must_use]
    pub fn marks(&self) -> Marks {
        let marked = self.values.iter();
        Marks(
            marked
                .map(|(what, value)| (what.clone(), mark(what, value)))
                .collect(),
        )
    }

    fn mark(&self, what: &str) -> Option<u16> {
        Some(mark(what, self.values.get(what)?))
    }
}

fn mark(what: &str, value: &str) -> u16 {
    let mut hash = Sha256::new();
    hash.update(what);
    hash.update([0]);
    hash.update(canonical(what, value));
    let digest = hash.finalize();
    u16::from_be_bytes([digest[0], digest[1]])
}

/// What somebody else has changed of an environment's options since its marks were taken. Sizes
/// that the deployment has set are its own. Where `other`, which takes its place, has the same
/// value, nothing would be lost, and that is no drift either; except for sizes that the deployment
/// has given it.
#[must_use]
pub fn drift(
    before: &Marks,
    (now, own): (&Marked, &OwnSizes),
    other: Option<(&Marked, &OwnSizes)>,
) -> Vec<Drift> {
    let mut names: Vec<&String> = before.0.keys().chain(now.values.keys()).collect();
    names.sort();
    names.dedup();
    let is_drift = |what: &&String| {
        let value = now.values.get(*what);
        let is_same = before.0.get(*what).copied() == now.mark(what);
        let is_there_too = other.is_some_and(|(other, own)| {
            other.mark(what) == now.mark(what) && !is_own(what, other.values.get(*what), own)
        });
        !is_same && !is_own(what, value, own) && !is_there_too
    };
    let told = |what: &String| {
        let value = now.values.get(what);
        Drift {
            what: what.clone(),
            is: match value {
                None => "is removed".to_owned(),
                Some(_) if is_secret(what) => match before.0.contains_key(what) {
                    true => "has another value".to_owned(),
                    false => "is new".to_owned(),
                },
                Some(value) => format!("is {}", shown(value)),
            },
            mark: now.mark(what).unwrap_or_default(),
        }
    };
    names.into_iter().filter(is_drift).map(told).collect()
}

/// Whether a size is one that the deployment has set.
fn is_own(what: &str, value: Option<&String>, own: &OwnSizes) -> bool {
    let set = match option(what) {
        MIN_SIZE => &own.min,
        MAX_SIZE => &own.max,
        _ => return false,
    };
    value
        .and_then(|value| value.parse().ok())
        .is_some_and(|size: u32| set.contains(&size))
}

/// A value for a terminal.
fn shown(value: &str) -> String {
    let plain = value.chars().filter(|c| !c.is_control());
    plain.take(VALUE_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIABLE: &str = "aws:elasticbeanstalk:application:environment:DB_URL";
    const TIMEOUT: &str = "aws:elasticbeanstalk:command:Timeout";

    fn marked(values: &[(&str, &str)]) -> Marked {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Marked::of("Node/1.0", &values.iter().map(own).collect())
    }

    fn told(before: &Marked, now: &Marked, other: Option<&Marked>) -> Vec<String> {
        let own = OwnSizes::default();
        let other = other.map(|other| (other, &own));
        let found = drift(&before.marks(), (now, &own), other);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_change_is_told_by_its_option_and_a_secret_by_its_name_alone() {
        let before = marked(&[
            (VARIABLE, "hush"),
            (TIMEOUT, "600"),
            (MIN_SIZE, "2"),
            ("aws:ec2:vpc:Subnets", "b,a"),
        ]);
        let now = marked(&[
            (VARIABLE, "whisper"),
            ("aws:elasticbeanstalk:application:environment:NEW", "quiet"),
            (MIN_SIZE, "6"),
            ("aws:ec2:vpc:Subnets", "a, b"),
        ]);
        assert_eq!(
            told(&before, &now, None),
            [
                "aws:autoscaling:asg:MinSize is 6",
                "aws:elasticbeanstalk:application:environment:DB_URL has another value",
                "aws:elasticbeanstalk:application:environment:NEW is new",
                "aws:elasticbeanstalk:command:Timeout is removed",
            ]
        );
        assert_eq!(told(&before, &before, None), [""; 0]);
    }

    #[test]
    fn what_the_other_environment_has_too_is_not_lost() {
        let before = marked(&[(TIMEOUT, "600")]);
        let now = marked(&[(TIMEOUT, "900"), (VARIABLE, "hush")]);
        assert_eq!(told(&before, &now, Some(&now)), [""; 0]);
        let other = marked(&[(TIMEOUT, "900")]);
        assert_eq!(
            told(&before, &now, Some(&other)),
            ["aws:elasticbeanstalk:application:environment:DB_URL is new"]
        );
    }

    #[test]
    fn sizes_that_the_deployment_has_set_are_no_drift() {
        let before = marked(&[(MIN_SIZE, "2")]);
        let (now, none) = (marked(&[(MIN_SIZE, "6")]), OwnSizes::default());
        let own = OwnSizes {
            min: vec![6],
            ..OwnSizes::default()
        };
        assert_eq!(drift(&before.marks(), (&now, &own), None), []);
        // Blue was given as many as green runs: that does not keep green's.
        let lost = drift(&before.marks(), (&now, &none), Some((&now, &own)));
        assert_eq!(lost.len(), 1);
    }

    /// No value can be read from what is kept, and the same value is kept the same everywhere.
    #[test]
    fn what_is_kept_is_sixteen_bits() {
        let kept = serde_json::to_value(marked(&[(VARIABLE, "hush")]).marks()).expect("JSON");
        let again = serde_json::to_value(marked(&[(VARIABLE, "hush")]).marks()).expect("JSON");
        assert_eq!(kept, again);
        let number = kept[VARIABLE].as_u64().expect("a number");
        assert!(number <= u16::MAX.into());
    }
}
