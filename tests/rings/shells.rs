//! What shells and `man` read of the program: completion scripts and man pages, of the command line
//! as it is.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use bluegreen::cli::definition;

use crate::support::served::hermetic;

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

/// The names of the commands that help lists.
fn commands() -> Vec<String> {
    let definition = definition();
    let listed = definition
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set());
    let names: Vec<_> = listed.map(|sub| sub.get_name().to_owned()).collect();
    assert!(names.len() > 10, "{names:?}");
    names
}

#[track_caller]
fn printed(output: Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(output.stderr, b"");
    String::from_utf8(output.stdout).expect("it is UTF-8")
}

fn run(arguments: &[&str]) -> String {
    printed(hermetic(arguments).output().expect("the binary runs"))
}

#[test]
fn a_script_of_each_shell_completes_every_command_and_flag() {
    for shell in SHELLS {
        let script = run(&["completions", shell]);
        for name in commands() {
            assert!(script.contains(&name), "{shell} lacks {name}");
        }
        for flag in ["test-url", "approve-otherwise", "discover"] {
            assert!(script.contains(flag), "{shell} lacks --{flag}");
        }
        assert!(!script.contains('\u{fffd}'), "{shell}");
    }
}

/// Each shell that is here finds nothing wrong with its script.
#[test]
fn the_shells_that_are_here_read_their_scripts() {
    let mut read = 0;
    for shell in ["bash", "zsh", "fish"] {
        let reads = Command::new(shell)
            .arg("-n")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut reads) = reads else {
            continue;
        };
        let script = run(&["completions", shell]);
        let mut input = reads.stdin.take().expect("it is piped");
        input.write_all(script.as_bytes()).expect("the shell reads");
        drop(input);
        let output = reads.wait_with_output().expect("the shell ends");
        assert!(output.status.success(), "{shell}: {output:?}");
        read += 1;
    }
    assert!(read > 0, "bash is where the tests run");
}

/// bash itself completes a command, a flag and the values of a flag.
#[test]
fn bash_completes_what_is_begun() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("script");
    std::fs::write(&script, run(&["completions", "bash"])).expect("it is written");
    let completed = |words: &str, at: usize| {
        let ask = format!(
            "source \"$1\"
COMP_WORDS=({words})
COMP_CWORD={at}
_bluegreen bluegreen \
             \"${{COMP_WORDS[$COMP_CWORD]}}\" \"${{COMP_WORDS[$COMP_CWORD-1]}}\"
\
             printf '%s\n' \"${{COMPREPLY[@]}}\"
"
        );
        let mut bash = Command::new("bash");
        let bash = bash.args(["-c", &ask, "bash"]).arg(&script);
        printed(bash.output().expect("bash runs"))
    };
    assert_eq!(completed("bluegreen reh", 1), "rehearse\n");
    assert_eq!(completed("bluegreen status --disc", 2), "--discover\n");
    assert_eq!(
        completed("bluegreen run --strategy ''", 3),
        "restore\npromote\n"
    );
}

#[test]
fn the_man_page_names_every_command_and_what_exit_codes_mean() {
    let page = run(&["man"]);
    assert!(page.contains(".TH bluegreen 1"), "{page}");
    for name in commands() {
        let reference = format!("bluegreen\\-{}(1)", name.replace('-', "\\-"));
        assert!(page.contains(&reference), "the man page lacks {name}");
    }
    assert!(page.contains("held, users are on green"));
}

#[test]
fn each_command_has_a_man_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let into = folder.path().to_str().expect("it is UTF-8");
    assert_eq!(run(&["man", "--directory", into]), "");
    let page = |name: &str| {
        let path = folder.path().join(name);
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    assert!(page("bluegreen.1").contains("NAME"));
    for name in commands() {
        let page = page(&format!("bluegreen-{name}.1"));
        assert!(page.contains(&format!(".TH bluegreen-{name} 1")), "{name}");
    }
    assert!(page("bluegreen-config-show.1").contains("source"));
    let nowhere = folder.path().join("nowhere");
    let output = hermetic(&["man", "--directory", nowhere.to_str().expect("it is UTF-8")]).output();
    let output = output.expect("the binary runs");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

/// A shell's start runs it in any folder, with whatever variables are set.
#[test]
fn no_file_and_no_variable_keeps_a_script_from_its_shell() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("bluegreen.toml"), "lease = 'no time'")
        .expect("it is written");
    let plain = run(&["completions", "bash"]);
    let beside = hermetic(&["completions", "bash"])
        .current_dir(folder.path())
        .env("BLUEGREEN_LEASE", "no time")
        .env("BLUEGREEN_STATE_KEY", "a secret that must stay out of it")
        .env("AWS_MAX_ATTEMPTS", "many")
        .output();
    assert_eq!(printed(beside.expect("the binary runs")), plain);
    let page = hermetic(&["man"])
        .env("BEANSTALK_APP_NAME", "mine")
        .output();
    assert!(!printed(page.expect("the binary runs")).contains("mine"));
}
