//! Values that are there.

/// A value that is there: an empty variable is none, as CI systems set it.
pub(super) fn given(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|value| !value.is_empty())
}
