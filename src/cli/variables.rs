//! Corrects the variables that the AWS SDK reads by itself before it reads them: the SDK ends the
//! program over some of the values that people and CI systems set.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::exit::{Exit, Failed};
use crate::approval::web_url;

/// A variable and its value.
type Variable = (String, String);

/// Starts the program anew, in the same process, where a variable of the SDK's is empty, which
/// counts as unset, or has blanks around its value. Returns where there is nothing to correct.
///
/// # Errors
/// A value that the SDK cannot read, named by its variable.
pub(super) fn put_right() -> Result<(), Failed> {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        name.starts_with("AWS_").then_some((name, value))
    });
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    for (name, value) in variables {
        let Ok(value) = value.into_string() else {
            return Err(unreadable(&name, "is not UTF-8"));
        };
        let meant = value.trim();
        check(&name, meant).map_err(|why| unreadable(&name, why))?;
        if meant.is_empty() || meant != value {
            wrong.push(name.clone());
        }
        if !meant.is_empty() {
            right.push((name, meant.to_owned()));
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(anew(&wrong, right)),
    }
}

/// Replaces this process with the same program and these variables; returns only where that fails.
fn anew(wrong: &[String], right: Vec<Variable>) -> Failed {
    let mut arguments = std::env::args_os();
    let name = arguments
        .next()
        .unwrap_or_else(|| OsString::from("bluegreen"));
    let failed = match std::env::current_exe() {
        Ok(program) => {
            let mut command = Command::new(program);
            command.arg0(name).args(arguments);
            wrong.iter().for_each(|name| _ = command.env_remove(name));
            command.envs(right).exec()
        }
        Err(error) => error,
    };
    let message = format!("{} cannot be put right: {failed}", wrong.join(" and "));
    Failed::new(Exit::Refused, message)
        .hint("nothing was changed; unset what is empty, and leave out blanks around values")
}

fn unreadable(name: &str, why: &str) -> Failed {
    Failed::new(Exit::Refused, format!("{name} {why}"))
        .hint(format!("nothing was changed; set {name} anew, or unset it"))
}

/// What is wrong with a value, without the value: it may be a secret.
fn check(name: &str, value: &str) -> Result<(), &'static str> {
    if value.contains(char::is_control) {
        return Err("holds a line break or another control character");
    }
    if value.is_empty() {
        return Ok(());
    }
    let (is_right, wrong) = match name {
        "AWS_MAX_ATTEMPTS" => (
            value.parse::<u32>().is_ok_and(|attempts| attempts > 0),
            "is not a number of attempts from 1 on",
        ),
        "AWS_RETRY_MODE" => {
            let mut modes = ["standard", "adaptive"].iter();
            let is_known = modes.any(|mode| value.eq_ignore_ascii_case(mode));
            (is_known, "is neither standard nor adaptive")
        }
        name if name.starts_with("AWS_ENDPOINT_URL") => {
            (web_url(value).is_some(), "is not an http or https URL")
        }
        _ => return Ok(()),
    };
    is_right.then_some(()).ok_or(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sdk_cannot_read_is_named_and_not_told() {
        for (name, value) in [
            ("AWS_MAX_ATTEMPTS", "0"),
            ("AWS_MAX_ATTEMPTS", "abc"),
            ("AWS_RETRY_MODE", "weird"),
            ("AWS_ENDPOINT_URL", "localhost:4566"),
            ("AWS_ENDPOINT_URL_STS", "ftp://host/"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2\nhunter3"),
        ] {
            let why = check(name, value).expect_err(name);
            assert!(!why.contains(value), "{why}");
        }
        for (name, value) in [
            ("AWS_MAX_ATTEMPTS", "7"),
            ("AWS_MAX_ATTEMPTS", ""),
            ("AWS_RETRY_MODE", "Adaptive"),
            ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:4566"),
            ("AWS_PROFILE", "a profile"),
        ] {
            assert_eq!(check(name, value), Ok(()), "{name}");
        }
    }
}
