//! What is given to others: the licence, what the program is built with, the images and the
//! packages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::sources::files;
use crate::support::yaml::documents;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    let text = std::fs::read_to_string(root().join(name));
    text.unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn manifests() -> Vec<(PathBuf, toml::Table)> {
    let mut manifests = files("crates", "toml");
    manifests.retain(|(path, _)| path.ends_with("Cargo.toml"));
    manifests.push((root().join("Cargo.toml"), read("Cargo.toml")));
    let parsed = manifests.into_iter().map(|(path, text)| {
        let table = text.parse().expect("it is TOML");
        (path, table)
    });
    parsed.collect()
}

#[test]
fn every_package_has_the_licence_of_the_project() {
    let licence = read("LICENSE");
    assert!(licence.contains("Apache License") && licence.contains("Version 2.0"));
    for (path, manifest) in manifests() {
        let inherited = manifest["package"]["license"].get("workspace");
        let is_inherited = inherited == Some(&toml::Value::Boolean(true));
        assert!(is_inherited, "{} has another licence", path.display());
        if let Some(workspace) = manifest.get("workspace") {
            assert_eq!(workspace["package"]["license"].as_str(), Some("Apache-2.0"));
        }
    }
}

/// A package that the program is built with.
struct Built {
    name: String,
    version: String,
    licence: String,
}

/// What the program is built with on this machine's kind, build scripts included.
fn built_with() -> Vec<Built> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let tree = Command::new(cargo)
        .args(["tree", "--offline", "--locked", "--prefix", "none"])
        .args(["--no-dedupe", "--format", "{p}|{l}"])
        .args(["--edges", "normal,build", "--package", "bluegreen"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{tree:?}");
    let text = String::from_utf8(tree.stdout).expect("it is UTF-8");
    let lines: BTreeSet<_> = text.lines().collect();
    assert!(lines.len() > 200, "{}", lines.len());
    let built = lines.into_iter().map(|line| {
        let (package, licence) = line.split_once('|').expect("a licence");
        let mut words = package.split(' ');
        let (name, version) = (words.next(), words.next());
        Built {
            name: name.expect("a name").to_owned(),
            version: version
                .expect("a version")
                .trim_start_matches('v')
                .to_owned(),
            licence: licence.to_owned(),
        }
    });
    built.collect()
}

fn deny() -> toml::Table {
    read("deny.toml").parse().expect("it is TOML")
}

fn texts<'a>(list: &'a toml::Value, key: Option<&str>) -> Vec<&'a str> {
    let items = list.as_array().expect("a list").iter();
    let texts = items.map(|item| key.map_or(item, |key| &item[key]));
    texts.map(|text| text.as_str().expect("a text")).collect()
}

/// Whether an expression of SPDX holds where these licences are allowed. Old manifests write `/` for
/// OR.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ");
    let spaced = spaced.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let (is_allowed, rest) = either(&words, allowed);
    assert!(rest.is_empty(), "{expression} is no expression");
    is_allowed
}

fn either<'a>(words: &'a [&'a str], allowed: &[&str]) -> (bool, &'a [&'a str]) {
    let (mut holds, mut rest) = both(words, allowed);
    while let ["OR", after @ ..] = rest {
        let (other, after) = both(after, allowed);
        (holds, rest) = (holds || other, after);
    }
    (holds, rest)
}

fn both<'a>(words: &'a [&'a str], allowed: &[&str]) -> (bool, &'a [&'a str]) {
    let (mut holds, mut rest) = licence(words, allowed);
    while let ["AND", after @ ..] = rest {
        let (other, after) = licence(after, allowed);
        (holds, rest) = (holds && other, after);
    }
    (holds, rest)
}

fn licence<'a>(words: &'a [&'a str], allowed: &[&str]) -> (bool, &'a [&'a str]) {
    match words {
        ["(", rest @ ..] => match either(rest, allowed) {
            (holds, [")", rest @ ..]) => (holds, rest),
            _ => panic!("a bracket stays open"),
        },
        [name, "WITH", exception, rest @ ..] => (
            allowed.contains(&&*format!("{name} WITH {exception}")),
            rest,
        ),
        [name, rest @ ..] => (allowed.contains(name), rest),
        [] => panic!("a licence is missing"),
    }
}

#[test]
fn an_expression_of_licences_holds_as_its_words_say() {
    for (expression, holds) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("MIT/GPL-3.0-only", true),
        ("MIT AND GPL-3.0-only", false),
        ("ISC AND (GPL-3.0-only OR MIT)", true),
        ("(MIT OR ISC) AND GPL-3.0-only", false),
        ("MIT WITH Some-exception", false),
        ("GPL-3.0-only AND ISC OR MIT", true),
    ] {
        assert_eq!(
            is_allowed(expression, &["ISC", "MIT"]),
            holds,
            "{expression}"
        );
    }
}

#[test]
fn what_the_program_is_built_with_may_be_given_away_under_its_licence() {
    let deny = deny();
    let allowed = texts(&deny["licenses"]["allow"], None);
    let built = built_with();
    for Built { name, licence, .. } in &built {
        assert!(is_allowed(licence, &allowed), "{name} is under {licence}");
    }
    for one in &allowed {
        let fewer: Vec<_> = allowed
            .iter()
            .copied()
            .filter(|other| other != one)
            .collect();
        let is_needed = built
            .iter()
            .any(|package| !is_allowed(&package.licence, &fewer));
        assert!(
            is_needed,
            "no package needs {one}: deny.toml need not allow it"
        );
    }
}

/// A second TLS library, and a second version of anything that deny.toml does not explain.
#[test]
fn no_package_is_there_twice_and_none_that_is_banned() {
    let deny = deny();
    let banned = texts(&deny["bans"]["deny"], Some("crate"));
    let skipped = texts(&deny["bans"]["skip"], Some("crate"));
    let skipped = skipped.iter().map(|skip| {
        skip.split_once(":^")
            .unwrap_or_else(|| panic!("{skip} is no name with a version"))
    });
    let skipped: Vec<_> = skipped.collect();
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Built { name, version, .. } in built_with() {
        assert!(!banned.contains(&&*name), "{name} is banned");
        versions.entry(name).or_default().push(version);
    }
    let is = |version: &String, of: &str| version.starts_with(&format!("{of}."));
    let locked = locked();
    for (name, of) in &skipped {
        let found: Vec<_> = locked
            .iter()
            .filter(|(locked, ..)| locked == name)
            .collect();
        let is_there = found.len() > 1 && found.iter().any(|(_, version, _)| is(version, of));
        assert!(
            is_there,
            "{name} {of} is no second version: deny.toml need not skip it"
        );
    }
    for (name, versions) in versions {
        let counted = versions.iter().filter(|version| {
            !skipped
                .iter()
                .any(|(skip, of)| *skip == name && is(version, of))
        });
        assert_eq!(counted.count(), 1, "{name}: {versions:?}");
    }
}

/// The packages of Cargo.lock, those of every machine and of the tests: name, version and source.
fn locked() -> Vec<(String, String, Option<String>)> {
    let lock: toml::Table = read("Cargo.lock").parse().expect("it is TOML");
    let packages = lock["package"].as_array().expect("packages").iter();
    let text = |package: &toml::Value, key| Some(package.get(key)?.as_str()?.to_owned());
    let packages = packages.map(|package| {
        let name = text(package, "name").expect("a name");
        let version = text(package, "version").expect("a version");
        (name, version, text(package, "source"))
    });
    packages.collect()
}

#[test]
fn every_package_comes_from_the_registry() {
    let registry = "registry+https://github.com/rust-lang/crates.io-index";
    for (name, _, source) in locked() {
        let is_ours = source.is_none() && name.starts_with("bluegreen");
        assert!(
            is_ours || source.as_deref() == Some(registry),
            "{name}: {source:?}"
        );
    }
}

/// The stages of the Dockerfile: their base, their name, and their lines.
fn stages() -> Vec<(String, String, String)> {
    let text = read("Dockerfile");
    let parts = text.split("\nFROM ").skip(1);
    let stages = parts.map(|part| {
        let (first, lines) = part.split_once('\n').expect("a line");
        let (base, name) = first.split_once(" AS ").expect("a name");
        (base.to_owned(), name.to_owned(), lines.to_owned())
    });
    stages.collect()
}

/// The layer of the dependencies is built from every manifest, and before any source is copied.
#[test]
fn a_change_of_the_source_leaves_the_images_dependencies_alone() {
    let stages = stages();
    let (_, name, build) = &stages[0];
    assert_eq!(name, "build");
    let (before, after) = build
        .split_once("\nCOPY . .\n")
        .expect("it copies the source");
    for line in [before, after] {
        assert!(line.contains("cargo build --release --locked --bin bluegreen"));
    }
    let mut copied = 0;
    for (path, _) in manifests() {
        let folder = path.parent().expect("a folder");
        let folder = folder.strip_prefix(root()).expect("it is below the root");
        let folder = folder.to_str().expect("it is UTF-8");
        let line = match folder {
            "" => "COPY Cargo.toml Cargo.lock ./".to_owned(),
            folder => format!("COPY {folder}/Cargo.toml {folder}/"),
        };
        assert!(
            before.lines().any(|of| of == line),
            "the Dockerfile lacks {line}"
        );
        copied += 1;
    }
    assert_eq!(before.matches("\nCOPY ").count(), copied);
}

/// Each image runs as nobody in particular, writes into two volumes alone, and says what it is; the
/// one that is built by default has no shell.
#[test]
fn the_images_run_without_root_and_say_what_they_are() {
    let stages = stages();
    let names: Vec<_> = stages.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(names, ["build", "shell", "distroless"]);
    assert!(
        stages[2].0.starts_with("gcr.io/distroless/"),
        "{}",
        stages[2].0
    );
    for (_, name, lines) in &stages[1..] {
        for line in [
            "USER 10001:10001",
            "VOLUME [\"/var/lib/bluegreen\", \"/tmp\"]",
            "ENV BLUEGREEN_STATE=/var/lib/bluegreen/bluegreen.db",
        ] {
            assert!(lines.lines().any(|of| of == line), "{name} lacks {line}");
        }
        for label in ["title", "description", "licenses", "version", "revision"] {
            let label = format!("org.opencontainers.image.{label}=");
            assert!(lines.contains(&label), "{name} lacks {label}");
        }
        assert!(!lines.contains("RUN "), "{name} runs something");
    }
}

/// What the workflow of a release builds is what the packages, the formula and the pages name.
#[test]
fn a_release_is_built_for_four_kinds_of_machine_and_two_images() {
    let workflow = &documents(&read(".github/workflows/release.yml"))[0];
    let jobs = &workflow["jobs"];
    let of = |value: &Value, key: &str| {
        let items = value.as_array().expect("a list").iter();
        let texts = items.map(|item| item[key].as_str().expect("a text").to_owned());
        texts.collect::<Vec<_>>()
    };
    let targets = of(&jobs["binaries"]["strategy"]["matrix"]["include"], "target");
    let expected = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];
    let expected = [expected, ["x86_64-apple-darwin", "aarch64-apple-darwin"]].concat();
    assert_eq!(targets, expected);
    let deny = deny();
    assert_eq!(texts(&deny["graph"]["targets"], None), expected);
    let images = &jobs["image"]["strategy"]["matrix"];
    assert_eq!(of(&images["platform"], "arch"), ["amd64", "arm64"]);
    let stages = stages();
    for kind in images["kind"].as_array().expect("kinds") {
        assert!(stages.iter().any(|(_, name, _)| kind == name), "{kind}");
    }
    // A branch of a fork runs none of it, and nothing is published before everything is built.
    assert_eq!(
        workflow["permissions"],
        serde_json::json!({"contents": "read"})
    );
    let needed = &jobs["publish"]["needs"];
    assert_eq!(needed, &serde_json::json!(["binaries", "image"]));
}

#[track_caller]
fn ran(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("it is UTF-8")
}

/// The formula names the archive of each machine with its sum, and installs what is in an archive.
#[test]
fn the_formula_of_homebrew_names_every_archive() {
    let folder = tempfile::tempdir().expect("a folder");
    let deny = deny();
    let targets = texts(&deny["graph"]["targets"], None);
    for (number, target) in targets.iter().enumerate() {
        let name = format!("bluegreen-1.2.3-{target}.tar.gz");
        let sum = format!("{}  {name}\n", number.to_string().repeat(64));
        std::fs::write(folder.path().join(format!("{name}.sha256")), sum).expect("it is written");
    }
    let url = "https://github.com/OWNER/bluegreen/releases/download/v1.2.3";
    let mut homebrew = Command::new(root().join(".ci/homebrew"));
    let formula = ran(homebrew.args(["1.2.3", url]).arg(folder.path()));
    for (number, target) in targets.iter().enumerate() {
        let of = format!(
            "url \"{url}/bluegreen-1.2.3-{target}.tar.gz\"\n      sha256 \"{}\"",
            number.to_string().repeat(64)
        );
        assert!(formula.contains(&of), "{target}: {formula}");
    }
    assert!(formula.contains("homepage \"https://github.com/OWNER/bluegreen\""));
    let package = read(".ci/package");
    for part in ["bluegreen.bash", "_bluegreen", "bluegreen.fish"] {
        let part = format!("completions/{part}");
        assert!(formula.contains(&part) && package.contains(&part), "{part}");
    }
    let manifest: toml::Table = read("Cargo.toml").parse().expect("it is TOML");
    let assets = &manifest["package"]["metadata"]["deb"]["assets"];
    let assets = assets.as_array().expect("assets").iter();
    let files: Vec<_> = assets.map(|asset| texts(asset, None)[0]).collect();
    for file in ["bluegreen.bash", "_bluegreen", "bluegreen.fish"] {
        let file = format!("target/package/completions/{file}");
        assert!(files.contains(&&*file), "{file}");
    }
}
