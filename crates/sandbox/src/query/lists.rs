//! Refuses lists that cannot be read, which would otherwise count as not there.

use crate::wire::error::ApiError;
use crate::wire::form::Form;

/// The words for a list without `member` before its numbers (aws-beam/aws-elixir#199, of
/// CloudWatch).
const NO_LIST: &str = "Top level element may not be treated as a list";

/// What the members of a list are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Members {
    Texts,
    Structures,
}

/// The lists of an operation's request (API model, version 2010-12-01). The service ignores every
/// parameter that the model does not have.
fn lists_of(operation: &str) -> &'static [&'static str] {
    match operation {
        "ComposeEnvironments" | "DescribeApplicationVersions" => &["VersionLabels"],
        "CreateApplication" | "CreateApplicationVersion" => &["Tags"],
        "CreateConfigurationTemplate" | "CreatePlatformVersion" => &["OptionSettings", "Tags"],
        "CreateEnvironment" => &["OptionSettings", "OptionsToRemove", "Tags"],
        "DescribeApplications" => &["ApplicationNames"],
        "DescribeConfigurationOptions" => &["Options"],
        "DescribeEnvironmentHealth" | "DescribeInstancesHealth" => &["AttributeNames"],
        "DescribeEnvironments" => &["EnvironmentIds", "EnvironmentNames"],
        "ListPlatformBranches" | "ListPlatformVersions" => &["Filters"],
        "UpdateConfigurationTemplate" | "UpdateEnvironment" => {
            &["OptionSettings", "OptionsToRemove"]
        }
        "UpdateTagsForResource" => &["TagsToAdd", "TagsToRemove"],
        "ValidateConfigurationSettings" => &["OptionSettings"],
        _ => &[],
    }
}

/// Checks every list of a request.
///
/// # Errors
/// `MalformedInput`, in the words that AWS has for such a list.
pub(crate) fn check_lists(form: &Form) -> Result<(), ApiError> {
    for list in lists_of(form.operation()) {
        check_list(form, list, members_of(list))?;
        if *list == "Filters" {
            let mut filters = form.members(list).into_iter();
            filters.try_for_each(|filter| check_list(&filter, "Values", Members::Texts))?;
        }
    }
    Ok(())
}

fn members_of(list: &str) -> Members {
    match list {
        "Filters" | "Options" | "OptionSettings" | "OptionsToRemove" | "Tags" | "TagsToAdd" => {
            Members::Structures
        }
        _ => Members::Texts,
    }
}

/// A list's own name may stand alone and empty: botocore writes an empty list so.
fn check_list(form: &Form, name: &str, members: Members) -> Result<(), ApiError> {
    for (key, value) in form.fields() {
        let Some(rest) = key.strip_prefix(name) else {
            continue;
        };
        match rest.strip_prefix('.') {
            Some(member) => check_member(member, members)?,
            None if rest.starts_with('[') => return Err(malformed(NO_LIST)),
            None if rest.is_empty() && !value.is_empty() => {
                // boto/boto#872.
                return Err(malformed("Unexpected list element termination"));
            }
            None => {}
        }
    }
    Ok(())
}

/// The key of a member after the list's name, as in `member.1` or `member.1.Key`.
fn check_member(key: &str, members: Members) -> Result<(), ApiError> {
    let mut parts = key.splitn(3, '.');
    let is_member = parts
        .next()
        .is_some_and(|word| matches!(word, "member" | "members"));
    let is_numbered = parts
        .next()
        .is_some_and(|number| number.parse::<u32>().is_ok());
    if !is_member || !is_numbered {
        return Err(malformed(NO_LIST));
    }
    match (members, parts.next()) {
        (Members::Texts, None) | (Members::Structures, Some(_)) => Ok(()),
        (Members::Texts, Some(_)) => Err(malformed(
            "Start of structure or map found where not expected",
        )),
        (Members::Structures, None) => Err(malformed("Unexpected complex element termination")),
    }
}

fn malformed(message: &str) -> ApiError {
    ApiError::new("MalformedInput", message)
}
