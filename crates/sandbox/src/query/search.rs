//! Filters of the lists of platforms.

use std::cmp::Ordering;

use crate::wire::error::ApiError;
use crate::wire::form::Form;

/// A filter (API model, `PlatformFilter` and `SearchFilter`).
struct Filter {
    attribute: String,
    operator: String,
    values: Vec<String>,
}

/// The names and the values of what a list shows: an attribute may have several values.
pub(crate) type Attributes<'a> = [(&'static str, Vec<&'a str>)];

/// Whether every filter of a request lets this through; `name` is the field of a filter that names
/// the attribute.
///
/// # Errors
/// Where a filter names an attribute or an operator that there is not, or no value.
pub(crate) fn lets_through(
    form: &Form,
    name: &str,
    held: &Attributes<'_>,
) -> Result<bool, ApiError> {
    for filter in filters(form, name)? {
        let mut attributes = held.iter();
        let found = attributes.find(|(attribute, _)| *attribute == filter.attribute);
        let (_, values) = found.ok_or_else(|| {
            let attribute = &filter.attribute;
            ApiError::invalid(format!("Filter {name} '{attribute}' is not valid."))
        })?;
        if !filter.admits(values)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn filters(form: &Form, name: &str) -> Result<Vec<Filter>, ApiError> {
    let read = |member: &Form| {
        let values = member.list("Values");
        if values.is_empty() {
            return Err(ApiError::invalid("A filter must have a value."));
        }
        Ok(Filter {
            attribute: member.require(name)?.to_owned(),
            operator: member.require("Operator")?.to_owned(),
            values: values.into_iter().map(str::to_owned).collect(),
        })
    };
    form.members("Filters").iter().map(read).collect()
}

impl Filter {
    /// Whether one of the attribute's values is as the filter wants it; with `!=` and `not_in`
    /// none may be. Case does not matter: the model gives `recommended` for what the answers spell
    /// `Recommended`.
    fn admits(&self, held: &[&str]) -> Result<bool, ApiError> {
        let wanted: Vec<String> = self.values.iter().map(|v| v.to_lowercase()).collect();
        let first = wanted.first().map_or("", String::as_str);
        let any = |test: &dyn Fn(&str) -> bool| held.iter().any(|v| test(&v.to_lowercase()));
        let is = |orders: &[Ordering]| any(&|value| orders.contains(&compare(value, first)));
        Ok(match self.operator.as_str() {
            "=" => any(&|value| value == first),
            "!=" => !any(&|value| value == first),
            "<" => is(&[Ordering::Less]),
            "<=" => is(&[Ordering::Less, Ordering::Equal]),
            ">" => is(&[Ordering::Greater]),
            ">=" => is(&[Ordering::Greater, Ordering::Equal]),
            "contains" => any(&|value| value.contains(first)),
            "begins_with" => any(&|value| value.starts_with(first)),
            "ends_with" => any(&|value| value.ends_with(first)),
            "in" => any(&|value| wanted.iter().any(|one| one == value)),
            "not_in" => !any(&|value| wanted.iter().any(|one| one == value)),
            operator => {
                return Err(ApiError::invalid(format!(
                    "Filter Operator '{operator}' is not valid."
                )));
            }
        })
    }
}

/// The order of two versions, number by number; of other texts, letter by letter.
fn compare(one: &str, other: &str) -> Ordering {
    let numbers = |text: &str| text.split('.').map(|n| n.parse().ok()).collect();
    let (a, b): (Option<Vec<u64>>, Option<Vec<u64>>) = (numbers(one), numbers(other));
    match a.zip(b) {
        Some((a, b)) => a.cmp(&b),
        None => one.cmp(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(compare("4.10.0", "4.9.1"), Ordering::Greater);
        assert_eq!(compare("4.3.0", "4.3.0"), Ordering::Equal);
        assert_eq!(compare("docker", "node.js"), Ordering::Less);
    }
}
