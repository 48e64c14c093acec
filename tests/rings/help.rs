//! Help as each command needs it.

use crate::support::served::hermetic;

fn help(arguments: &[&str]) -> String {
    let output = hermetic(arguments).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn short_help_is_short_and_shows_what_people_need() {
    let status = help(&["status", "-h"]);
    assert!(status.lines().count() <= 15, "{status}");
    assert!(
        status.contains("--watch") && !status.contains("--test-url"),
        "{status}"
    );
    for command in [
        "run",
        "deploy",
        "rehearse",
        "plan",
        "doctor",
        "init",
        "resume",
        "approve",
        "rollback",
        "wait",
        "cleanup",
        "iam-policy",
        "config",
        "sandbox",
    ] {
        let told = help(&[command, "-h"]);
        assert!(told.lines().count() <= 30, "{command}: {told}");
        for line in told.lines() {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
    }
    let run = help(&["run", "-h"]);
    assert!(
        run.contains("--bundle") && run.contains("Examples:"),
        "{run}"
    );
    assert!(!run.contains("--quarantine"), "{run}");
}

#[test]
fn no_command_shows_settings_that_it_does_not_heed() {
    for (command, heeds, has_not) in [
        ("run", "--hook", "--discard-changes"),
        ("resume", "--patience", "--healthy"),
        ("rollback", "--patience", "--approve-url"),
        ("status", "--bucket", "--patience"),
        ("wait", "--bucket", "--hook"),
        ("cleanup", "--state", "--test"),
    ] {
        let told = help(&[command, "--help"]);
        let has = |flag: &str| told.split_whitespace().any(|word| word == flag);
        assert!(has(heeds), "{command} {heeds}: {told}");
        assert!(!has(has_not), "{command} {has_not}: {told}");
    }
    let run = help(&["run", "--help"]);
    for heading in [
        "Target:",
        "Version:",
        "Tests:",
        "Gates:",
        "Drain and bake:",
        "Timeouts:",
        "Output:",
        "Sandbox:",
        "Advanced:",
    ] {
        assert!(run.lines().any(|line| line == heading), "{heading}: {run}");
    }
    // An alias and the command `help` show the same.
    assert_eq!(help(&["abort", "--help"]), help(&["rollback", "--help"]));
    assert_eq!(help(&["help", "rollback"]), help(&["rollback", "--help"]));
}

#[test]
fn help_of_the_program_lists_its_commands_and_exit_codes() {
    for arguments in [["-h"], ["--help"]] {
        let told = help(&arguments);
        assert!(
            told.contains("Exit codes:") && told.contains("  rollback "),
            "{told}"
        );
    }
    assert!(!help(&["-h"]).contains("--patience"));
    assert!(help(&["--help"]).contains("--patience"));
}
