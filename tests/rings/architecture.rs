//! The invariants of docs/develop/architecture.md that the source itself can show.

use crate::support::modules::{circle, uses, uses_among};
use crate::support::sources::sources;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// No file below `folder` whose path lacks all of `except` holds one of `words`.
#[track_caller]
fn absent(folder: &str, words: &[&str], except: &[&str]) {
    for (path, text) in sources(folder) {
        let name = path.to_string_lossy();
        if except.iter().any(|part| name.contains(part)) {
            continue;
        }
        for word in words {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
}

/// What `cargo tree` tells of these packages, a line each.
fn tree(format: &str, of: &[&str]) -> BTreeSet<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let tree = Command::new(cargo)
        .args(["tree", "--offline", "--locked", "--prefix", "none"])
        .args(["--no-dedupe", "--format", format])
        .args(of)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{tree:?}");
    let lines = String::from_utf8_lossy(&tree.stdout);
    lines.lines().map(str::to_owned).collect()
}

/// The names of these packages.
fn names(of: &[&str]) -> BTreeSet<String> {
    let lines = tree("{p}", of);
    let names = lines.iter().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

/// The names of the packages that one is built with, those of its dependencies included.
fn built_with(package: &str) -> BTreeSet<String> {
    names(&["--edges", "normal", "--package", package])
}

/// A package that the tests want with other features is compiled twice by the README's two
/// commands, and so is everything that stands on it.
#[test]
fn the_program_and_its_tests_share_one_build_of_the_sdk() {
    let below = built_with("aws-config");
    assert!(below.contains("tokio"), "{below:?}");
    let features = |of: &[&str]| {
        let lines = tree("{p} with {f}", of);
        let of_sdk = |line: &String| {
            line.split(' ')
                .next()
                .is_some_and(|name| below.contains(name))
        };
        lines.into_iter().filter(of_sdk).collect::<BTreeSet<_>>()
    };
    let program = features(&["--package", "bluegreen", "--edges", "no-dev"]);
    let tests = features(&["--workspace", "--edges", "normal,build,dev"]);
    let differ: Vec<_> = program.difference(&tests).collect();
    assert!(differ.is_empty(), "other features in tests: {differ:#?}");
}

#[test]
fn the_core_is_built_without_input_and_output() {
    let packages = built_with("bluegreen-core");
    assert!(packages.contains("serde"), "{packages:?}");
    for package in packages {
        let is_out = [
            "tokio",
            "reqwest",
            "hyper",
            "rusqlite",
            "clap",
            "rustix",
            "bluegreen",
        ];
        let is_out = is_out.contains(&&*package) || package.starts_with("aws-");
        assert!(!is_out, "the core is built with {package}");
    }
}

#[test]
fn the_core_reads_no_clock_no_file_and_no_variable() {
    let words = [
        "std::fs",
        "std::env",
        "net::Tcp",
        "net::Udp",
        "ToSocketAddrs",
        "std::process",
        "Instant::now",
        "SystemTime::now",
        "async fn",
    ];
    // A test of its own asks a shell how it reads what is quoted for one.
    absent("crates/core/src", &words, &["core/src/text.rs"]);
}

/// The packages that a package of the workspace names in its manifest.
fn named_by(package: &str) -> BTreeSet<String> {
    names(&["--edges", "normal", "--depth", "1", "--package", package])
}

const CRATES: [&str; 6] = [
    "bluegreen",
    "bluegreen-aws",
    "bluegreen-clock",
    "bluegreen-core",
    "bluegreen-journal",
    "bluegreen-sandbox",
];

#[test]
fn one_crate_names_the_sdk_and_one_sqlite() {
    for (prefix, of) in [
        ("aws-sdk-", "bluegreen-aws"),
        ("rusqlite", "bluegreen-journal"),
    ] {
        for package in CRATES {
            let named = named_by(package);
            let names_it = named.iter().any(|name| name.starts_with(prefix));
            assert_eq!(names_it, package == of, "{package} and {prefix}: {named:?}");
        }
    }
}

/// Each of our crates is built with those below it alone.
#[test]
fn the_crates_lie_above_one_another() {
    let below: [(&str, &[&str]); 6] = [
        ("bluegreen-core", &[]),
        ("bluegreen-sandbox", &[]),
        ("bluegreen-clock", &["bluegreen-core"]),
        ("bluegreen-aws", &["bluegreen-clock", "bluegreen-core"]),
        (
            "bluegreen-journal",
            &["bluegreen-aws", "bluegreen-clock", "bluegreen-core"],
        ),
        ("bluegreen", &CRATES[1..]),
    ];
    for (package, below) in below {
        let ours = |name: &String| name.starts_with("bluegreen") && name != package;
        let found: Vec<_> = named_by(package).into_iter().filter(ours).collect();
        assert_eq!(found, below, "{package}");
    }
}

/// A file that uses another is not used by it, however many lie between.
#[test]
fn no_circle_between_files_of_a_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = std::fs::read_dir(root.join("crates")).expect("the folder reads");
    let names = crates.map(|entry| entry.expect("the entry reads").file_name());
    let folders = names.map(|name| format!("crates/{}/src", name.to_string_lossy()));
    for folder in folders.chain(["src".to_owned()]) {
        let found = circle(&uses(&folder));
        let told = found.map(|files| files.join(" → "));
        assert_eq!(told, None, "a circle in {folder}");
    }
}

/// What a circle is made of, and what not.
#[test]
fn a_circle_is_told_file_by_file() {
    let told = |files: &[(&str, &str)]| {
        let files = files
            .iter()
            .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()));
        circle(&uses_among(&files.collect::<Vec<_>>()))
    };
    let a_child = "use super::Shared; // crate::a::b\nconst TEXT: &str = \"crate::c\";";
    for (parent, expected) in [
        // That a parent declares its child is no use of it.
        ("mod b; pub struct Shared;", None),
        (
            "mod b; pub struct Shared; pub use b::TEXT;",
            Some(vec!["a.rs", "a/b.rs"]),
        ),
        (
            "mod b; fn f() { self::b::g() }",
            Some(vec!["a.rs", "a/b.rs"]),
        ),
        (
            "mod b; /* b::g() /* */ b::g() */ const B: char = '\"';",
            None,
        ),
        (
            "mod b; #[cfg(test)] mod tests { use super::b::TEXT; }",
            None,
        ),
        (
            "mod b; use crate::{c, d::{self, e as f}};",
            Some(vec!["a.rs", "c.rs", "d.rs"]),
        ),
    ] {
        let found = told(&[
            ("lib.rs", "mod a; mod c; mod d; pub use a::Shared;"),
            ("a.rs", parent),
            ("a/b.rs", a_child),
            (
                "c.rs",
                "pub(in crate::a) fn f() { crate::d::g::<r#\"crate::a\"#>() }",
            ),
            ("d.rs", "fn g<'a>(_: char) { super::a::f('\\'') }"),
        ]);
        let expected = expected.map(|files| files.into_iter().map(str::to_owned).collect());
        assert_eq!(found, expected, "{parent}");
    }
}

/// The sandbox's world knows nobody above it, and nobody above adds to it.
#[test]
fn the_sandbox_has_its_data_below_its_behaviour() {
    let below = |file: &str| {
        let room = file.split(['/', '.']).next().unwrap_or_default();
        ["time", "wire", "world"].contains(&room)
    };
    for (file, used) in uses("crates/sandbox/src") {
        let above: Vec<_> = used.iter().filter(|used| !below(used)).collect();
        assert!(!below(&file) || above.is_empty(), "{file} uses {above:?}");
    }
    absent("crates/sandbox/src", &["impl World"], &["src/world"]);
}

/// The driver tells what happens; whoever listens renders it.
/// The driver tells what happens; whoever listens renders it. So does a session of its claim.
#[test]
fn the_driver_and_a_session_render_nothing() {
    for (path, text) in sources("src") {
        let name = path.to_string_lossy();
        let is_in = |part: &str| name.contains(&format!("src/{part}")) && !name.contains("src/cli");
        let words: &[&str] = match (is_in("driver"), is_in("session")) {
            (true, _) => &["crate::report", "info!(", "warn!(", "error!("],
            (_, true) => &["info!(", "warn!(", "error!("],
            (false, false) => continue,
        };
        for word in words {
            assert!(!text.contains(word), "{name} names {word}");
        }
    }
}

/// Below the command line a failure is a value: its exit code and what to do about it are decided
/// at the edge, of the errors of everything below in one file.
#[test]
fn exit_codes_and_hints_are_the_command_lines() {
    let words = [
        "Exit::",
        "ExitCode::",
        "process::ExitCode",
        "process::exit",
        "process::abort",
        ".hint(",
    ];
    absent("src", &words, &["src/cli", "src/main.rs"]);
    for below in ["core", "clock", "aws", "journal"] {
        absent(&format!("crates/{below}/src"), &words, &[]);
    }
    absent("src/cli", &["for Failed {"], &["src/cli/exit.rs"]);
}

/// Whoever takes a lock or a lease, or finds one taken, leaves the waiting to `claim::wait`: the
/// only loop, and the only pause, in the files that do so.
#[test]
fn one_loop_waits_for_the_claim_to_drive() {
    let claims = ["lock_drive(", "Claim::to_", "Obstacle::", "claim::wait("];
    let waits = ["loop {", "sleep(", "interval("];
    let folders = ["src", "crates/journal/src"];
    let sources = folders.into_iter().flat_map(sources);
    let mut waiting = Vec::new();
    for (path, text) in sources {
        let claims = claims.iter().any(|word| text.contains(word));
        let is_test = path.ends_with("tests.rs");
        if claims && !is_test && waits.iter().any(|word| text.contains(word)) {
            waiting.push((path, text));
        }
    }
    let [(path, claim)] = &waiting[..] else {
        panic!(
            "{:?}",
            waiting.iter().map(|(path, _)| path).collect::<Vec<_>>()
        );
    };
    assert!(path.ends_with("journal/src/claim.rs"), "{}", path.display());
    for word in waits {
        let expected = usize::from(word != "interval(");
        assert_eq!(claim.matches(word).count(), expected, "{word}");
    }
    // The command line claims by way of a session.
    absent(
        "src/cli",
        &["lock_drive(", "claim::wait(", "Contender"],
        &[],
    );
}

/// The places that make a whole plan: a literal of it without another plan behind `..`.
fn makers_of_a_plan() -> Vec<String> {
    let mut makers = Vec::new();
    for folder in ["src", "crates", "tests", "benches"] {
        let others = |path: &Path| !path.ends_with("architecture.rs");
        for (path, text) in sources(folder).into_iter().filter(|(path, _)| others(path)) {
            for (at, name) in text.match_indices("Plan {") {
                let before = text[..at].trim_end();
                let is_other = ["struct", "impl", "->", "for", "'static"];
                let is_other = is_other.iter().any(|word| before.ends_with(word));
                let is_whole_name = !text[..at].ends_with(|c: char| c.is_alphanumeric());
                let mut depth = 1;
                let ends = |c: char| {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    depth == 0
                };
                let fields = text[at + name.len()..].split(ends).next();
                if is_whole_name && !is_other && !fields.is_some_and(|text| text.contains("..")) {
                    makers.push(path.to_string_lossy().into_owned());
                }
            }
        }
    }
    makers
}

/// Elsewhere a plan is what `Plan::of` makes, or a sample, with other values in some fields.
#[test]
fn a_plan_is_made_at_one_place() {
    let makers = makers_of_a_plan();
    assert!(
        matches!(&makers[..], [only] if only.ends_with("crates/core/src/plan.rs")),
        "{makers:?}"
    );
}

#[test]
fn only_the_command_line_prints() {
    let words = ["println!", "print!(", "eprintln!", "dbg!("];
    absent("src", &words, &["src/cli"]);
    for below in ["core", "clock", "aws", "journal"] {
        absent(&format!("crates/{below}/src"), &words, &[]);
    }
}

/// What the source takes in at build time is in the image's build context.
#[test]
fn what_is_embedded_is_built_into_the_image() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kept = std::fs::read_to_string(root.join(".dockerignore")).expect("it reads");
    let kept: Vec<_> = kept
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    let mut embedded = 0;
    for (path, text) in sources("src") {
        for named in text.split("include_str!(\"").skip(1) {
            let named = named.split('"').next().expect("a path");
            let file = path.parent().expect("a folder").join(named);
            let file = file.canonicalize().expect("it is there");
            let root = root.canonicalize().expect("it is there");
            let file = file.strip_prefix(&root).expect("it is below the root");
            let is_kept = kept.iter().any(|kept| file.starts_with(kept));
            assert!(is_kept, "{} is not in .dockerignore", file.display());
            embedded += 1;
        }
    }
    assert!(embedded > 0);
}

/// What several rings need lies in `support`.
#[test]
fn no_ring_uses_another() {
    let ring = |file: &str| file.split(['/', '.']).next().map(str::to_owned);
    for (file, used) in uses("tests/rings") {
        for used in used {
            let is_shared = ring(&used).is_some_and(|ring| ring == "support");
            assert!(
                is_shared || ring(&used) == ring(&file),
                "{file} uses {used}"
            );
        }
    }
}
