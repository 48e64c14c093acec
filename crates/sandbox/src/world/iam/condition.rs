//! The conditions of a statement.

use serde_json::Value;

use crate::world::iam::need::Need;
use crate::world::iam::pattern::like;
use crate::world::iam::syntax::{PolicyError, invalid, object, texts};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub quantifier: Quantifier,
    pub wildcards: bool,
    pub key: String,
    pub values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantifier {
    /// A key of one value, which must be there.
    Single,
    /// Each value of the key; true where there is none.
    ForAllValues,
    /// At least one value of the key.
    ForAnyValue,
    /// Whether the key is there at all (IAM user guide, "Condition operator to check existence
    /// of condition keys"): `true` where it must not be.
    Null,
}

/// The condition keys that the sandbox gives values to, in lower case; a tag's key follows those
/// that end in a slash.
const KEYS: [&str; 20] = [
    "aws:requestedregion",
    "aws:requesttag/",
    "aws:resourcetag/",
    "aws:tagkeys",
    "ec2:launchtemplate",
    "ec2:resourcetag/",
    "elasticbeanstalk:fromapplication",
    "elasticbeanstalk:fromapplicationversion",
    "elasticbeanstalk:fromconfigurationtemplate",
    "elasticbeanstalk:fromenvironment",
    "elasticbeanstalk:fromsolutionstack",
    "elasticbeanstalk:inapplication",
    "iam:awsservicename",
    "iam:passedtoservice",
    "iam:policyarn",
    "route53:changeresourcerecordsetsactions",
    "route53:changeresourcerecordsetsnormalizedrecordnames",
    "route53:changeresourcerecordsetsrecordtypes",
    "s3:delimiter",
    "s3:prefix",
];

impl Condition {
    pub(crate) fn holds(&self, need: &Need) -> bool {
        let fits = |value: &String| {
            self.values.iter().any(|wanted| {
                if self.wildcards {
                    like(wanted, value)
                } else {
                    wanted == value
                }
            })
        };
        let found = need.keys.get(&self.key).map_or(&[][..], Vec::as_slice);
        match self.quantifier {
            Quantifier::Null => self.values == [found.is_empty().to_string()],
            Quantifier::ForAllValues => found.iter().all(fits),
            Quantifier::Single | Quantifier::ForAnyValue => found.iter().any(fits),
        }
    }
}

pub(crate) fn conditions(
    found: Option<&Value>,
    place: &str,
) -> Result<Vec<Condition>, PolicyError> {
    let Some(found) = found else {
        return Ok(Vec::new());
    };
    let mut conditions = Vec::new();
    for (operator, keys) in object(found, place)? {
        let place = format!("{place}.{operator}");
        let (quantifier, plain) = match operator.split_once(':') {
            None if operator == "Null" => (Quantifier::Null, "StringEquals"),
            None => (Quantifier::Single, operator.as_str()),
            Some(("ForAllValues", plain)) => (Quantifier::ForAllValues, plain),
            Some(("ForAnyValue", plain)) => (Quantifier::ForAnyValue, plain),
            Some(_) => return Err(unknown_operator(&place)),
        };
        let wildcards = match plain {
            "StringEquals" => false,
            "StringLike" | "ArnLike" | "ArnEquals" => true,
            _ => return Err(unknown_operator(&place)),
        };
        for (key, values) in object(keys, &place)? {
            let place = format!("{place}.{key}");
            let key = key.to_lowercase();
            let known = |k: &str| key == k || (k.ends_with('/') && key.starts_with(k));
            if !KEYS.into_iter().any(known) {
                return Err(invalid(
                    place,
                    "the sandbox gives this condition key no value",
                ));
            }
            let values = texts(values, &place)?;
            let is_one = matches!(values.as_slice(), [one] if one == "true" || one == "false");
            if quantifier == Quantifier::Null && !is_one {
                return Err(invalid(place, "it must be \"true\" or \"false\""));
            }
            conditions.push(Condition {
                quantifier,
                wildcards,
                values,
                key,
            });
        }
    }
    Ok(conditions)
}

fn unknown_operator(place: &str) -> PolicyError {
    let message = "the sandbox judges by StringEquals, StringLike, ArnEquals and ArnLike, \
                   alone or behind ForAllValues: or ForAnyValue:, and by Null";
    invalid(place, message)
}
