//! The secrets that this process was started with.

pub use bluegreen_core::secrets::Secrets;

/// The secrets among this process's own variables, and the values of those that are
/// `referred` to by name.
#[must_use]
pub fn of_this_process(referred: &[String]) -> Secrets {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    Secrets::of(std::env::vars_os().filter_map(text), referred)
}
