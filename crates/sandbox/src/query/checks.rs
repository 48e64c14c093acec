//! Limits on the values of a request: names, descriptions and tags.

use crate::query::tagged::Tagged;
use crate::wire::error::ApiError;
use crate::wire::form::Form;

/// A limit on a name's length.
pub(crate) fn check_length(
    what: &str,
    value: &str,
    least: usize,
    most: usize,
) -> Result<(), ApiError> {
    let length = value.chars().count();
    if (least..=most).contains(&length) {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "Value {value} at '{what}' failed to satisfy constraint: Member must have length between {least} and {most}"
    )))
}

/// Refuses a description of more than 200 characters (API model, `Description`).
pub(crate) fn check_description(form: &Form) -> Result<(), ApiError> {
    let description = form.get("Description").unwrap_or_default();
    check_length("description", description, 0, 200)
}

/// Application names: 1 to 100 characters, none of them a slash or a control character (API
/// reference, and the console's hint for the name).
pub(crate) fn check_application_name(name: &str) -> Result<(), ApiError> {
    check_length("applicationName", name, 1, 100)?;
    check_plain("ApplicationName", name)
}

/// Version labels: as application names.
pub(crate) fn check_label(label: &str) -> Result<(), ApiError> {
    check_length("versionLabel", label, 1, 100)?;
    check_plain("VersionLabel", label)
}

fn check_plain(what: &str, name: &str) -> Result<(), ApiError> {
    if name.contains('/') {
        return Err(ApiError::invalid(format!(
            "{what} may not contain a slash."
        )));
    }
    match name.contains(char::is_control) {
        true => Err(ApiError::invalid(format!(
            "{what} may not contain a control character."
        ))),
        false => Ok(()),
    }
}

/// Environment names: 4 to 40 letters, digits and hyphens (API reference).
pub(crate) fn check_environment_name(name: &str) -> Result<(), ApiError> {
    check_length("environmentName", name, 4, 40)?;
    check_hyphenated("EnvironmentName", name)
}

/// CNAME prefixes: 4 to 63 letters, digits and hyphens (API reference).
pub(crate) fn check_prefix(prefix: &str) -> Result<(), ApiError> {
    check_length("cNAMEPrefix", prefix, 4, 63)?;
    check_hyphenated("CNAMEPrefix", prefix)
}

/// Letters, digits and hyphens, none of the hyphens at an edge.
fn check_hyphenated(what: &str, name: &str) -> Result<(), ApiError> {
    let well_formed = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if well_formed {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "Value {name} at '{what}' failed to satisfy constraint: Member must contain only letters, digits, and the dash character and may not start or end with a dash"
    )))
}

/// Refuses tags that a resource may not have: too many of them, and those that the service
/// reserves.
pub(crate) fn check_tags(tags: &[(String, String)], kind: Tagged) -> Result<(), ApiError> {
    check_tag_count(tags.len(), kind)?;
    for (key, value) in tags {
        check_length("tagKey", key, 1, 128)?;
        check_length("tagValue", value, 0, 256)?;
        let lower = key.to_lowercase();
        let is_name = key == "Name" && kind == Tagged::Environment;
        if lower.starts_with("aws:") || lower.starts_with("elasticbeanstalk:") || is_name {
            return Err(ApiError::invalid(format!("Tag key {key} is reserved.")));
        }
    }
    Ok(())
}

/// Refuses more tags of its owner's than a resource may have.
pub(crate) fn check_tag_count(count: usize, kind: Tagged) -> Result<(), ApiError> {
    let maximum = kind.maximum();
    match count > maximum {
        true => Err(ApiError::new(
            "TooManyTagsException",
            format!("The number of tags exceeds {maximum}."),
        )),
        false => Ok(()),
    }
}
