//! The sizes that option settings give a group of instances.

use crate::wire::error::ApiError;
use crate::world::setting::Setting;

/// The most that an environment's `MinSize` may be.
pub(crate) const INSTANCES_MAX: usize = 10_000;

/// Refuses sizes that a group cannot have.
pub(crate) fn check_sizes(options: &[Setting]) -> Result<(), ApiError> {
    let min = instance_count(options)?;
    let max = options
        .iter()
        .find(|s| s.namespace == "aws:autoscaling:asg" && s.name == "MaxSize")
        .and_then(|s| s.value.parse::<usize>().ok());
    match max {
        Some(max) if max < min => Err(ApiError::invalid(format!(
            "Invalid option value: '{min}' (Namespace: 'aws:autoscaling:asg', OptionName: 'MinSize'): MinSize must be less than or equal to MaxSize ({max})."
        ))),
        _ => Ok(()),
    }
}

/// How many instances these settings launch: `MinSize`, by default 1 and at most
/// 10,000 (developer guide, "General options for all environments").
pub(crate) fn instance_count(options: &[Setting]) -> Result<usize, ApiError> {
    let least = options
        .iter()
        .find(|s| s.namespace == "aws:autoscaling:asg" && s.name == "MinSize");
    let Some(least) = least else { return Ok(1) };
    least
        .value
        .parse()
        .ok()
        .filter(|count| *count <= INSTANCES_MAX)
        .ok_or_else(|| {
            ApiError::invalid(format!(
                "Invalid option value: '{}' (Namespace: 'aws:autoscaling:asg', OptionName: 'MinSize'): Value must be an integer of at most {INSTANCES_MAX}.",
                least.value
            ))
        })
}
