//! Worlds that somebody describes, the folders that keep them, and the status page.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bluegreen_sandbox::{Description, Options, Sandbox, SandboxError, Sharing};
use bytes::Bytes;

const BOOKS: &str = r#"
region = "eu-central-1"

[clients]
host = "books.eu-central-1.elasticbeanstalk.com"
count = 5

[[application]]
name = "books"

[[version]]
application = "books"
label = "2026-11-01"
bucket = "book-artifacts"
key = "books/2026-11-01.zip"

[[environment]]
application = "books"
name = "books-live"
version = "2026-11-01"
cname_prefix = "books"
instances = 3
tags = { team = "catalogue" }

[environment.settings."aws:autoscaling:asg"]
MinSize = "3"

[[environment]]
application = "books"
name = "books-queue"
version = "2026-11-01"
tier = "Worker"

[[bucket]]
name = "book-reports"
"#;

fn described(text: &str) -> Result<Description, SandboxError> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("world.toml");
    std::fs::write(&file, text).expect("it is written");
    Description::read(&file)
}

fn opened(text: &str, folder: Option<&Path>) -> Sandbox {
    Sandbox::open(Options {
        world: Some(described(text).expect("a world")),
        directory: folder.map(Path::to_owned),
        ..Options::default()
    })
    .expect("it opens")
}

/// The sandbox of a folder, on the world that it keeps.
fn kept(folder: &Path) -> Sandbox {
    let options = Options {
        directory: Some(folder.to_owned()),
        ..Options::default()
    };
    Sandbox::open(options).expect("it opens")
}

async fn get(sandbox: &Sandbox, path: &str) -> (u16, String) {
    let request = http::Request::get(format!("http://127.0.0.1{path}"));
    let request = request.body(Bytes::new()).expect("a request");
    let answer = sandbox.handle(request).await.expect("an answer");
    let status = answer.status().as_u16();
    (status, String::from_utf8_lossy(answer.body()).into_owned())
}

#[tokio::test]
async fn a_described_world_has_what_the_file_says() {
    let sandbox = opened(BOOKS, None);
    sandbox.with_world(|world, _| {
        assert_eq!(world.region, "eu-central-1");
        let live = world.environment("books-live").expect("it is there");
        assert_eq!(live.instances.len(), 3);
        assert_eq!(live.tags, [("team".to_owned(), "catalogue".to_owned())]);
        let cname = "books.eu-central-1.elasticbeanstalk.com";
        assert_eq!(live.cname.as_deref(), Some(cname));
        assert_eq!(live.setting("aws:autoscaling:asg", "MinSize"), Some("3"));
        assert_eq!(live.setting("aws:autoscaling:asg", "MaxSize"), Some("4"));
        let queue = world.environment("books-queue").expect("it is there");
        assert_eq!(queue.cname, None);
        assert!(world.environment("shop-blue").is_none());
    });
    let (status, _) = get(&sandbox, "/book-artifacts/books/2026-11-01.zip").await;
    assert_eq!(status, 200);
    assert_eq!(get(&sandbox, "/book-reports?location").await.0, 200);
    assert_eq!(get(&sandbox, "/shop-artifacts?location").await.0, 404);
    let left = sandbox.report().leftovers;
    assert!(
        left.objects.is_empty() && left.environments.is_empty(),
        "{left:?}"
    );
}

/// The world of books with something in place of something else.
fn with(of: &str, other: &str) -> String {
    assert!(BOOKS.contains(of), "{of}");
    BOOKS.replacen(of, other, 1)
}

/// Numbers have limits, and a larger one is refused before the world is made.
#[test]
fn a_number_beyond_its_limit_in_a_description_is_named() {
    let most = i64::MAX;
    for (text, words) in [
        (
            with("instances = 3", &format!("instances = {most}")),
            "[[environment]] \"books-live\": instances is 9223372036854775807: give a number from 0 to \
             10000",
        ),
        (
            with("count = 5", &format!("count = {most}")),
            "[clients]: count is 9223372036854775807: give a number from 0 to 10000",
        ),
        (
            with("count = 5", &format!("cache_seconds = {most}")),
            "[clients]: cache_seconds is 9223372036854775807: give a number from 0 to 31536000",
        ),
        (
            with("MinSize = \"3\"", &format!("MinSize = \"{most}\"")),
            "[[environment]] \"books-live\": Invalid option value: '9223372036854775807'",
        ),
        (with("instances = 3", "instances = -1"), "line 22"),
        (
            with("instances = 3", "instances = 99999999999999999999"),
            "line 22",
        ),
    ] {
        let error = described(&text).expect_err("a mistake").to_string();
        assert!(
            error.contains(words) && error.contains("world.toml"),
            "{error}"
        );
    }
    let mut many = with("instances = 3", "instances = 10000");
    for number in 0..20 {
        many += &format!(
            "[[environment]]\napplication = \"books\"\nname = \"many-{number}\"\n\
             version = \"2026-11-01\"\ninstances = 10000\n"
        );
    }
    let error = described(&many).expect_err("too many").to_string();
    assert!(
        error.contains("all environments: instances is 210002"),
        "{error}"
    );
}

/// Names follow the rules of the API's requests, and nothing is there twice.
#[test]
fn a_name_that_the_api_refuses_is_refused_in_a_description() {
    let application = "[[application]]\nname = \"books\"\n";
    let version = "[[version]]\napplication = \"books\"\nlabel = \"2026-11-01\"\n\
                   bucket = \"b-1\"\nkey = \"k\"\n";
    let queue = "tier = \"Worker\"";
    let long = "x".repeat(101);
    for (text, words) in [
        (
            format!("{BOOKS}{application}"),
            "two applications named books: remove one",
        ),
        (
            format!("{BOOKS}{version}"),
            "two versions named 2026-11-01 of application books: remove one",
        ),
        (
            with(queue, "cname_prefix = \"BOOKS\""),
            "two environments with cname_prefix books",
        ),
        (
            with(queue, "cname_prefix = \"a\""),
            "length between 4 and 63",
        ),
        (
            with(queue, "tier = \"Worker\"\ncname_prefix = \"queue\""),
            "a worker has no CNAME: remove cname_prefix",
        ),
        (
            format!("{BOOKS}[[application]]\nname = \"\"\n"),
            "[[application]] \"\": Value  at 'applicationName' failed to satisfy constraint",
        ),
        (
            format!("{BOOKS}[[application]]\nname = \"a/b\"\n"),
            "[[application]] \"a/b\": ApplicationName may not contain a slash.",
        ),
        (
            format!("{BOOKS}[[application]]\nname = \"a\\u0007\"\n"),
            "ApplicationName may not contain a control character.",
        ),
        (
            format!("{BOOKS}{}", version.replace("2026-11-01", &long)),
            "'versionLabel' failed to satisfy constraint: Member must have length between 1 and 100",
        ),
        (
            format!("{BOOKS}{}", version.replace("\"k\"", "\"\"")),
            "'key' failed to satisfy constraint",
        ),
        (
            with("books-queue", "a queue"),
            "[[environment]] \"a queue\": Value a queue at 'EnvironmentName' failed to satisfy",
        ),
        (
            with("team =", "\"aws:team\" ="),
            "[[environment]] \"books-live\": Tag key aws:team is reserved.",
        ),
        (
            with("aws:autoscaling:asg", "aws:autoscalling:asg"),
            "Namespace: 'aws:autoscalling:asg', OptionName: 'MinSize'",
        ),
        (
            with("MinSize = \"3\"", "\"\" = \"3\""),
            "Namespace: 'aws:autoscaling:asg', OptionName: ''",
        ),
        (
            with("MinSize = \"3\"", "MinSize = \"5\""),
            "MinSize must be less than or equal to MaxSize (4)",
        ),
        (with("eu-central-1", ""), "region is \"\""),
        (
            format!("account = \"12\"\n{BOOKS}"),
            "account is \"12\": give twelve digits",
        ),
    ] {
        let error = described(&text).expect_err(words).to_string();
        assert!(
            error.contains(words) && error.contains("world.toml"),
            "{error}"
        );
    }
}

/// A mistake is refused with the file, the place and the remedy.
#[test]
fn a_mistake_in_a_description_is_named() {
    let gone = BOOKS.replace("label = \"2026-11-01\"", "label = \"other\"");
    let twice = BOOKS.replace("books-queue", "books-live");
    for (text, words) in [
        (
            BOOKS.replace("cname_prefix", "cname"),
            "unknown field `cname`",
        ),
        (BOOKS.replace("[clients]", "[clients"), "line 4"),
        (gone, "environment books-live runs version 2026-11-01"),
        (twice, "two environments named books-live"),
        (
            BOOKS.replace("book-reports", "../../reports"),
            "\"../../reports\" is no name of a bucket",
        ),
        (
            "{}".to_owned(),
            "not a recording that `bluegreen doctor` wrote",
        ),
    ] {
        let error = described(&text).expect_err("a mistake").to_string();
        assert!(
            error.contains(words) && error.contains("world.toml"),
            "{error}"
        );
    }
}

/// The recording of an account becomes a world with its environments and their settings.
#[test]
fn a_doctors_file_describes_its_account() {
    let answer = |operation: &str, list: &str, members: &str| {
        serde_json::json!({
            "at": "2026-11-28T12:00:00Z", "service": "elasticbeanstalk", "method": "POST",
            "path": "/", "status": 200, "body": format!("Action={operation}&Version=2010-12-01"),
            "answer": format!(
                "<{operation}Response><{operation}Result><{list}>{members}</{list}>\
                 </{operation}Result></{operation}Response>"
            )
        })
    };
    let environment = "<member><EnvironmentName>app-1-blue</EnvironmentName>\
        <ApplicationName>app-1</ApplicationName><VersionLabel>label-1</VersionLabel>\
        <CNAME>name-1.eu-west-1.elasticbeanstalk.com</CNAME><Status>Ready</Status>\
        <Tier><Name>WebServer</Name></Tier></member>\
        <member><EnvironmentName>app-1-old</EnvironmentName><ApplicationName>app-1\
        </ApplicationName><Status>Terminated</Status></member>";
    let settings = "<member><EnvironmentName>app-1-blue</EnvironmentName><OptionSettings><member>\
        <Namespace>aws:autoscaling:asg</Namespace><OptionName>MinSize</OptionName><Value>5</Value>\
        </member></OptionSettings></member>";
    let recording = serde_json::json!({
        "format": "bluegreen-doctor", "version": 1, "region": "eu-west-1",
        "names": { "blue": "app-1-blue", "bucket": "bucket-1" },
        "exchanges": [
            answer("DescribeEnvironments", "Environments", environment),
            answer("DescribeConfigurationSettings", "ConfigurationSettings", settings),
        ]
    });
    let sandbox = opened(&recording.to_string(), None);
    sandbox.with_world(|world, _| {
        let blue = world.environment("app-1-blue").expect("it is there");
        assert_eq!(blue.version_label, "label-1");
        assert_eq!(blue.instances.len(), 5);
        let cname = "name-1.eu-west-1.elasticbeanstalk.com";
        assert_eq!(
            world.cname_holder(cname).map(|e| &*e.name),
            Some("app-1-blue")
        );
        assert_eq!(world.environments().count(), 1);
    });
}

/// A world is removed with its objects, and nothing where there is no world.
#[test]
fn a_folder_begins_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    drop(opened(BOOKS, Some(folder)));
    let is_there = |sandbox: Sandbox, name: &str| {
        sandbox.with_world(|world, _| world.environment(name).is_some())
    };
    assert!(is_there(kept(folder), "books-live"));
    assert!(is_there(anew(folder).expect("it opens"), "shop-blue"));
    assert!(is_there(kept(folder), "shop-blue"));
    let objects = kept(folder).report().leftovers.objects;
    assert!(objects.is_empty(), "{objects:?}");

    let other = tempfile::tempdir().expect("a folder");
    let notes = other.path().join("s3/notes.txt");
    std::fs::create_dir(other.path().join("s3")).expect("a folder of somebody else's");
    std::fs::write(&notes, "notes").expect("it is written");
    anew(other.path()).expect_err("it is refused");
    assert!(notes.exists());
}

/// A sandbox that begins anew in a folder.
fn anew(folder: &Path) -> Result<Sandbox, SandboxError> {
    Sandbox::open(Options {
        directory: Some(folder.to_owned()),
        fresh: true,
        ..Options::default()
    })
}

/// Whoever needs a folder alone is refused while another sandbox uses it, and whoever shares it
/// changes nothing for the others.
#[test]
fn a_folder_in_use_is_refused_to_whoever_needs_it_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |sharing: Sharing, speed: f64| {
        Sandbox::open(Options {
            directory: Some(folder.path().to_owned()),
            sharing,
            speed,
            ..Options::default()
        })
    };
    let first = open(Sharing::Shared, 10.0).expect("it opens");
    let second = open(Sharing::Shared, 100.0).expect("it shares");
    for sandbox in [&first, &second] {
        assert_eq!(sandbox.clock().speed, 10.0);
    }
    drop(first);
    let before = tree(folder.path());
    let named = folder.path().display().to_string();
    for refused in [open(Sharing::Exclusive, 10.0), anew(folder.path())] {
        let error = refused.expect_err("it is refused").to_string();
        assert!(
            error.contains("another sandbox uses the folder") && error.contains(&named),
            "{error}"
        );
    }
    assert_eq!(tree(folder.path()), before);
    drop(second);
    let alone = open(Sharing::Exclusive, 100.0).expect("nobody uses it");
    assert_eq!(alone.clock().speed, 100.0);
    open(Sharing::Shared, 10.0).expect_err("it is refused");
    drop(alone);
    open(Sharing::Shared, 10.0).expect("nobody uses it");
}

/// Everything below a folder, by its path.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder reads") {
            let path = entry.expect("the entry reads").path();
            match path.is_dir() {
                true => folders.push(path.clone()),
                false => drop(found.insert(path.clone(), std::fs::read(&path).expect("it reads"))),
            }
            found.entry(path).or_default();
        }
    }
    found
}

/// A folder that holds something else, or the world of a newer program, is refused by its name,
/// and nothing in it changes.
#[test]
fn a_folder_of_something_else_is_left_alone() {
    let files = [
        ("s3/photos/holiday.jpg", "a holiday"),
        ("s3/notes.txt", "notes"),
    ];
    let newer = [("world.json", "{\"format\":99}"), files[0]];
    let not_a_world = [("world.json", "{\"name\":\"a game\"}"), files[0]];
    let leftover = [(".upload-1.json", ""), ("s3/.upload-1.json", "somebody's")];
    for (files, words) in [
        (&files[..], "holds no world of a sandbox"),
        (&leftover[..], "holds no world of a sandbox"),
        (&newer[..], "written by a newer sandbox"),
        (&not_a_world[..], "is not the world of a sandbox"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        for (name, content) in files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("it is made");
            std::fs::write(path, content).expect("it is written");
        }
        let before = tree(folder);
        let error = Sandbox::open(Options {
            directory: Some(folder.to_owned()),
            ..Options::default()
        });
        let error = error.expect_err("it is refused").to_string();
        let named = folder.display().to_string();
        assert!(error.contains(words) && error.contains(&named), "{error}");
        assert_eq!(tree(folder), before);
    }
    // Files beside those that a sandbox makes are no obstacle.
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("notes.txt"), "notes").expect("it is written");
    drop(opened(BOOKS, Some(folder.path())));
    assert_eq!(
        std::fs::read(folder.path().join("notes.txt")).expect("read"),
        b"notes"
    );
}

/// Only a new world gets buckets and bundles: what was deleted stays so, and nothing of the usual
/// world comes into one that was described.
#[tokio::test]
async fn a_world_that_is_opened_again_gets_no_bundles() {
    for (described, key, other) in [
        (
            true,
            "/book-artifacts/books/2026-11-01.zip",
            "/shop-artifacts",
        ),
        (false, "/shop-artifacts/shop/v1.zip", "/book-artifacts"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let open = |described: bool| match described {
            true => opened(BOOKS, Some(folder.path())),
            false => kept(folder.path()),
        };
        let sandbox = open(described);
        let request = http::Request::delete(format!("http://127.0.0.1{key}"));
        let request = request.body(Bytes::new()).expect("a request");
        let deleted = sandbox.handle(request).await.expect("an answer");
        assert_eq!(deleted.status(), 204);
        drop(sandbox);
        for described in [false, described] {
            let again = open(described);
            assert_eq!(get(&again, key).await.0, 404, "{key}");
            assert_eq!(get(&again, &format!("{other}?location")).await.0, 404);
        }
    }
}

/// The page needs no file beside it, may read the sandbox alone, and shows what the state says.
#[tokio::test]
async fn the_status_page_shows_what_there_is() {
    let sandbox = opened(BOOKS, None);
    sandbox.with_world(|world, _| world.seed_chance(u64::MAX));
    let request = http::Request::get("http://127.0.0.1/_sandbox/");
    let request = request.body(Bytes::new()).expect("a request");
    let page = sandbox.handle(request).await.expect("an answer");
    let rights = page.headers().get("content-security-policy");
    let rights = rights
        .and_then(|value| value.to_str().ok())
        .expect("rights");
    assert!(rights.starts_with("default-src 'none'") && rights.contains("connect-src 'self'"));
    let text = String::from_utf8_lossy(page.body());
    assert!(
        !text.contains("http://") && !text.contains("https://"),
        "it needs no network"
    );
    assert!(!text.contains("innerHTML"), "names are set as text");
    let (status, state) = get(&sandbox, "/_sandbox/state").await;
    assert_eq!(status, 200);
    let state: serde_json::Value = serde_json::from_str(&state).expect("JSON");
    assert_eq!(state["environments"][0]["name"], "books-live");
    assert_eq!(state["environments"][0]["serves"], true);
    assert_eq!(state["seed"], u64::MAX.to_string());
    assert_eq!(state["host"], "books.eu-central-1.elasticbeanstalk.com");
}
