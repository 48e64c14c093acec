//! What a request selects: filters, and lists of ids or names.

use crate::wire::error::ApiError;
use crate::wire::form::Form;

/// The filters of a request; each has values of which one must fit.
pub(crate) struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    /// Reads the filters of a request. `known` are the names that the operation has here; one with a
    /// colon at its end takes any name after it, as `tag:` does.
    ///
    /// # Errors
    /// `InvalidParameterValue` for any other filter.
    pub fn read(form: &Form, known: &[&str]) -> Result<Filters, ApiError> {
        let mut filters = Vec::new();
        for number in 1.. {
            let Some(name) = form.get(&format!("Filter.{number}.Name")) else {
                break;
            };
            let is_known = |known: &&str| match known.ends_with(':') {
                true => name.starts_with(*known),
                false => name == *known,
            };
            if !known.iter().any(is_known) {
                return Err(invalid(&format!("The filter '{name}' is invalid")));
            }
            let value = |n| form.get(&format!("Filter.{number}.Value.{n}"));
            let values = (1..).map_while(value).map(str::to_owned).collect();
            filters.push((name.to_owned(), values));
        }
        Ok(Filters(filters))
    }

    /// Whether something fits every filter, by the values that it has of each.
    pub fn fit(&self, values_of: impl Fn(&str) -> Vec<String>) -> bool {
        self.0.iter().all(|(name, wanted)| {
            let has = values_of(name);
            let mut pairs = wanted.iter().flat_map(|w| has.iter().map(move |h| (w, h)));
            pairs.any(|(wanted, has)| matches_pattern(wanted, has))
        })
    }
}

/// Whether a text fits a filter's value, where `*` stands for any characters (EC2 user guide,
/// "Filter your resources").
fn matches_pattern(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let mut ends = (0..=rest.len()).filter(|at| rest.is_char_boundary(*at));
            ends.any(|at| matches_pattern(after, &rest[at..]))
        }),
    }
}

/// A list of EC2's protocol: `Name.1`, `Name.2`, ….
pub(crate) fn numbered<'a>(form: &'a Form, name: &str) -> Vec<&'a str> {
    (1..)
        .map_while(|number| form.get(&format!("{name}.{number}")))
        .collect()
}

/// Refuses an id or name that nothing here has.
///
/// # Errors
/// The code, with the words of `message` for that id or name.
pub(crate) fn check_all(
    wanted: &[&str],
    there: &[&str],
    code: &str,
    message: impl Fn(&str) -> String,
) -> Result<(), ApiError> {
    match wanted.iter().find(|one| !there.contains(one)) {
        Some(missing) => Err(ApiError::new(code, message(missing))),
        None => Ok(()),
    }
}

pub(crate) fn invalid(message: &str) -> ApiError {
    ApiError::new("InvalidParameterValue", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, fits) in [
            ("shop-blue", "shop-blue", true),
            ("shop-*", "shop-blue", true),
            ("*-blue", "shop-blue", true),
            ("*", "", true),
            ("s*p*e", "shop-blue", true),
            ("shop", "shop-blue", false),
            ("*x*", "shop-blüe", false),
        ] {
            assert_eq!(matches_pattern(pattern, text), fits, "{pattern} {text}");
        }
    }
}
