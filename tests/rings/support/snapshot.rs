//! What a command prints, as a snapshot.

use std::process::Output;

/// Everything a user gets, with what varies between runs replaced. The log's
/// lines are left out: they are not a contract.
#[track_caller]
pub fn check(name: &str, output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("the output is UTF-8");
    let is_log = |line: &&str| line.len() > 20 && line.as_bytes()[4] == b'-' && line.contains("Z ");
    let stderr = text(&output.stderr);
    // The further lines of an event of the log begin with a bar, as those of an error may.
    let mut is_of_the_log = false;
    let is_kept = |line: &&str| {
        is_of_the_log = is_log(line) || is_of_the_log && line.starts_with("  | ");
        !is_of_the_log
    };
    let stderr: Vec<_> = stderr.lines().filter(is_kept).collect();
    let all = format!(
        "exit code: {:?}\n--- stdout\n{}--- stderr\n{}\n",
        output.status.code(),
        text(&output.stdout),
        stderr.join("\n")
    );
    let mut settings = insta::Settings::clone_current();
    for (pattern, replacement) in [
        (r"(?i)\b01[0-9A-HJKMNP-TV-Z]{24}\b", "[id]"),
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "[time]"),
        (r"\d{4}/\d\d/\d\d [\d:.]+", "[time]"),
        (r"127\.0\.0\.1:\d+", "[address]"),
        (r"\be-[a-z0-9]{10}\b", "e-[environment]"),
        (r"\beba-[a-z0-9]{8}\b", "eba-[cname]"),
        (r"\bi-[0-9a-f]{17}\b", "i-[instance]"),
        (r"/[^ ]*/\.tmp[A-Za-z0-9]+", "[folder]"),
        (r"process \d+", "process [pid]"),
        (r"after \d+ ms", "after [ms]"),
        // Where an interruption finds them is up to its moment; tests/rings/answers.rs checks that.
        (
            r"Users: .* when last polled",
            "Users: [place] when last polled",
        ),
        (
            r"Users: .* at the last checkpoint",
            "Users: [place] at the last checkpoint",
        ),
        (r"Sandbox: \d+ requests", "Sandbox: [many] requests"),
        (r"; seed \d+", "; seed [seed]"),
        (r"(after|for) (\d+(h|m|s|ms) ?)+:", "$1 [span]:"),
        (r"(?m)^( [A-Z][A-Za-z]+ +)(\d+(h|m|s) ?)+ *", "$1[span]  "),
        // Whether it is there in time is up to the machine; tests/rings/policy.rs checks that.
        (
            r"(?m)^ *the end of [^\n]*eb-engine\.log[^\n]*(?:\n *\[time\] \[[^\n]*)*",
            "  [the end of eb-engine.log]",
        ),
        (r" {2,}", "  "),
    ] {
        settings.add_filter(pattern, replacement);
    }
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("../snapshots");
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, all));
}
