//! The limits of the numbers that a person gives: in faults and in described worlds.

use serde_json::Value;

use crate::world::fault::Fault;

/// The longest time of the sandbox's own: a year, in seconds.
pub(crate) const SECONDS_MAX: u64 = 365 * 24 * 60 * 60;
/// The longest time of the wall's: an hour, in milliseconds.
const MILLISECONDS_MAX: u64 = 60 * 60 * 1000;
/// How many modelled clients there may be, and how many requests each may send a second.
pub(crate) const CLIENTS_MAX: usize = 10_000;
pub(crate) const PER_SECOND_MAX: u64 = 10_000;
/// How many batches a deploy may report, and how many terminations of an environment may fail.
pub(crate) const BATCHES_MAX: u32 = 1_000;
pub(crate) const FAILURES_MAX: u32 = 1_000;

/// The least and the most of each number in a fault, by its name in JSON, wherever it is.
const LIMITS: [(&str, u64, u64); 9] = [
    ("after", 0, SECONDS_MAX),
    ("batches", 0, BATCHES_MAX as u64),
    ("clients", 0, CLIENTS_MAX as u64),
    ("failures", 0, FAILURES_MAX as u64),
    ("milliseconds", 0, MILLISECONDS_MAX),
    ("per_second", 0, PER_SECOND_MAX),
    ("percent", 0, 100),
    ("seconds", 0, SECONDS_MAX),
    ("status", 200, 599),
];

impl Fault {
    /// Reads a fault from JSON.
    ///
    /// # Errors
    /// What is wrong in it: it is no fault, or a number is beyond the limits of the reference.
    pub fn read(json: &[u8]) -> Result<Fault, String> {
        let fault: Fault = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if let Some(probability) = fault.probability
            && !(0.0..=1.0).contains(&probability)
        {
            return Err(format!(
                "probability is {probability}: give a number from 0 to 1"
            ));
        }
        check(&serde_json::to_value(&fault).map_err(|error| error.to_string())?)?;
        Ok(fault)
    }
}

/// Refuses a number beyond its limits.
fn check(value: &Value) -> Result<(), String> {
    for (name, value) in value.as_object().into_iter().flatten() {
        let limit = LIMITS.iter().find(|(limited, ..)| limited == name);
        if let (Some((_, least, most)), Some(number)) = (limit, value.as_u64()) {
            within(name, number, *least, *most)?;
        }
        check(value)?;
    }
    Ok(())
}

/// Refuses a number that is less than one limit or more than the other.
pub(crate) fn within(name: &str, number: u64, least: u64, most: u64) -> Result<(), String> {
    match (least..=most).contains(&number) {
        true => Ok(()),
        false => Err(format!(
            "{name} is {number}: give a number from {least} to {most}"
        )),
    }
}
