//! Ring 3, before: what an earlier program left in the middle of a release, this one takes over.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use bluegreen::machine::Seen;
use bluegreen::shared::{DeploymentRecord, LeaseRecord, Queue};
use bluegreen::store::{Store, Transition};
use bluegreen_sandbox::Options;
use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::machines::{Elsewhere, all_is_well_after, exits};
use crate::support::served::Served;
use crate::support::shared_balancer::{SHOP, STAGING};
use bluegreen_testing::sample::sampled;

/// How fast the sandbox's clock ran.
const SPEED: f64 = 600.0;

/// A release that was left in its middle, as tests/fixtures/before/README.md tells.
#[derive(Clone, Copy, Debug)]
struct Left {
    fixture: &'static str,
    state: &'static str,
    /// The version that it is to release.
    version: &'static str,
    /// How many releases its world has seen, itself included.
    releases: usize,
}

const PAUSED: Left = Left {
    fixture: "paused",
    state: "AwaitingCutover",
    version: "v1",
    releases: 2,
};
const ALONE: Left = Left {
    fixture: "alone",
    version: "v2",
    releases: 1,
    ..PAUSED
};
const KILLED: Left = Left {
    fixture: "killed",
    state: "Deploying",
    ..ALONE
};
const HELD: Left = Left {
    fixture: "held",
    state: "Held",
    ..ALONE
};
const FOLLOWING: Left = Left {
    fixture: "following",
    state: "SwappingToBlue",
    ..ALONE
};
const ALL: [Left; 5] = [PAUSED, ALONE, KILLED, HELD, FOLLOWING];

/// A copy of it, whose world goes on where it stood.
struct Found {
    left: Left,
    id: String,
    /// What led to where it is.
    transitions: Vec<Transition>,
    served: Served,
    _world: TempDir,
}

impl Left {
    fn folder(self) -> PathBuf {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/before");
        fixtures.join(self.fixture)
    }

    /// A copy of its journal.
    fn journal(self, folder: &Path) -> Store {
        let path = folder.join("journal.db");
        std::fs::copy(self.folder().join("journal.db"), &path).expect("the journal is copied");
        Store::open(&path).expect("the journal opens")
    }

    fn found(self) -> Found {
        let world = tempfile::tempdir().expect("a temporary folder");
        copy(&self.folder().join("world"), world.path());
        goes_on(&world.path().join("world.json"));
        let served = Served::of(Options {
            directory: Some(world.path().to_owned()),
            speed: SPEED,
            ..Options::default()
        });
        let store = self.journal(served.folder.path());
        let unfinished = store.unfinished().expect("the journal reads");
        let [deployment] = &unfinished[..] else {
            panic!("{unfinished:?}");
        };
        assert_eq!(deployment.state.kind().to_string(), self.state);
        let id = deployment.plan.id.clone();
        Found {
            left: self,
            transitions: store.transitions(&id).expect("they read"),
            id,
            served,
            _world: world,
        }
    }
}

/// Copies what is in a folder into another.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("the folder reads") {
        let entry = entry.expect("the entry reads");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&to).expect("a folder is made");
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("a file is copied");
        }
    }
}

/// Lets the clock of a world go on from where the world stood: it has stood still since.
fn goes_on(file: &Path) {
    let mut kept: Value = read(file);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let wall = u64::try_from(now.expect("it is after 1970").as_millis()).expect("it fits");
    kept["clock"] = json!({ "epoch": kept["world"]["now"], "wall": wall, "speed": SPEED });
    std::fs::write(file, kept.to_string()).expect("the world is written");
}

fn read(file: &Path) -> Value {
    let text = std::fs::read(file).expect("the file reads");
    serde_json::from_slice(&text).expect("it is JSON")
}

impl Found {
    /// What its runner was given beside the arguments: a secret, and what it may run.
    fn configured(&self, mut command: Command) -> Command {
        match self.left.fixture {
            "held" => command
                .env("BLUEGREEN_TEST_COMMAND", "echo the pages are as they should be")
                .env("BLUEGREEN_HOOK", "{ when = \"before\", stage = \"deploying\", command = \"echo the database is migrated\", on-failure = \"hold\" }"),
            "following" => command.env(
                "BLUEGREEN_STATE_KEY",
                "a secret of tests, with no fewer than 32 characters",
            ),
            _ => &mut command,
        };
        command
    }

    /// It is shown as it was left, and this command ends it: blue has this version, no request
    /// was lost, there never was a second green, and nothing is left behind.
    #[track_caller]
    fn ends(&self, bluegreen: &dyn Fn(&[&str]) -> Command, by: &[&str], version: &str) {
        let run = |arguments: &[&str]| {
            let output = self.configured(bluegreen(arguments)).output();
            exits(&output.expect("the binary runs"), 0).0
        };
        let shown = run(&["status", &self.id]);
        assert!(shown.contains(self.left.state), "{shown}");
        self.served
            .sandbox
            .with_world(|world, _| world.clear_faults());
        run(&[by, &[&self.id]].concat());
        let shown = run(&["status", &self.id, "--json"]);
        let shown: Value = serde_json::from_str(&shown).expect("it is JSON");
        let shown = &shown["deployments"][0];
        assert_eq!(shown["terminal"], true, "{shown}");
        self.check_transitions(&shown["transitions"]);
        all_is_well_after(self.left.releases, &self.served, version);
        let report = self.served.sandbox.report();
        assert_eq!(report.peaks.tagged_environments, 1);
        assert_eq!(report.leftovers.records, [""; 0]);
        self.check_rules();
    }

    /// What led to where it was is told as before.
    #[track_caller]
    fn check_transitions(&self, shown: &Value) {
        let shown = shown.as_array().expect("a list");
        assert!(shown.len() > self.transitions.len(), "{shown:?}");
        for (shown, was) in shown.iter().zip(&self.transitions) {
            for (key, was) in [("from", &was.from), ("to", &was.to), ("why", &was.why)] {
                assert_eq!(shown[key], was[..], "{shown}");
            }
        }
    }

    /// Where there are rules, they forward to blue again.
    #[track_caller]
    fn check_rules(&self) {
        self.served.sandbox.with_world(|world, _| {
            for host in [SHOP, STAGING] {
                let reached = world.balanced_to(host).map(|found| found.name.as_str());
                let expected = (self.left.fixture == "following").then_some("shop-blue");
                assert_eq!(reached, expected, "{host}");
            }
        });
    }
}

#[test]
fn a_resume_completes_what_an_earlier_program_left() {
    for left in sampled("releases that were left", ALL, 2) {
        let found = left.found();
        let here = |arguments: &[&str]| found.served.bluegreen(arguments);
        found.ends(&here, &["resume"], left.version);
    }
}

#[test]
fn a_resume_elsewhere_completes_what_an_earlier_program_left_in_the_bucket() {
    let all = [PAUSED, KILLED, HELD, FOLLOWING];
    for left in sampled("releases that were left in the bucket", all, 1) {
        let found = left.found();
        let elsewhere = Elsewhere::of(&found.served);
        let there = |arguments: &[&str]| elsewhere.command(arguments);
        found.ends(&there, &["resume"], left.version);
    }
}

#[test]
fn a_rollback_ends_what_an_earlier_program_left() {
    let all = [KILLED, HELD, FOLLOWING];
    for left in sampled("releases that were left to go back", all, 1) {
        let found = left.found();
        let here = |arguments: &[&str]| found.served.bluegreen(arguments);
        found.ends(&here, &["rollback"], "v1");
    }
}

/// Every value is there with the same meaning; others may have come since, with their defaults.
#[track_caller]
fn check_holds(now: &Value, was: &Value, at: &str) {
    match (now, was) {
        (Value::Object(now), Value::Object(was)) => {
            for (key, was) in was {
                let now = now.get(key).unwrap_or(&Value::Null);
                check_holds(now, was, &format!("{at}.{key}"));
            }
        }
        (Value::Array(now), Value::Array(was)) => {
            assert_eq!(now.len(), was.len(), "{at}");
            for (number, (now, was)) in now.iter().zip(was).enumerate() {
                check_holds(now, was, &format!("{at}[{number}]"));
            }
        }
        (now, was) => assert_eq!(now, was, "{at}"),
    }
}

/// What was written reads as a `T`, which is written with the same meaning.
#[track_caller]
fn check_reads<T: Serialize + DeserializeOwned>(was: &Value, at: &str) {
    let read = serde_json::from_value::<T>(was.clone());
    let read = read.unwrap_or_else(|error| panic!("{at}: {error}"));
    check_holds(&serde_json::to_value(read).expect("plain data"), was, at);
}

/// The rows that a query finds, a list of its columns each.
fn rows(journal: &Path, query: &str) -> Vec<Vec<Value>> {
    let db = Connection::open(journal).expect("the journal opens");
    let mut query = db.prepare(query).expect("the query is one");
    let columns = query.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let values = (0..columns).map(|at| {
            Ok(match row.get(at)? {
                rusqlite::types::Value::Text(text) => json!(text),
                rusqlite::types::Value::Integer(number) => json!(number),
                rusqlite::types::Value::Null => Value::Null,
                other => panic!("{other:?}"),
            })
        });
        values.collect()
    };
    let rows = query.query_map([], row).expect("it finds");
    rows.collect::<Result<_, _>>().expect("the rows read")
}

fn parsed(column: &Value) -> Value {
    let text = column.as_str().expect("a text");
    serde_json::from_str(text).expect("it is JSON")
}

#[test]
fn every_record_of_an_earlier_journal_means_the_same() {
    let (mut outputs, mut queues) = (0, 0);
    for left in ALL {
        let at = left.fixture;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = left.folder().join("journal.db");
        let copy = folder.path().join("raw.db");
        std::fs::copy(file, &copy).expect("the journal is copied");
        let store = left.journal(folder.path());
        let deployments = rows(&copy, "SELECT id, state, ended, checkpoint FROM deployment");
        assert_eq!(deployments.len(), left.releases, "{at}");
        for row in &deployments {
            let id = row[0].as_str().expect("a text");
            let found = store.find(id).expect("it reads").expect("it is there");
            let was = parsed(&row[3]);
            check_holds(&serde_json::to_value(&found).expect("plain data"), &was, at);
            assert_eq!(row[1], found.state.kind().to_string());
            assert_eq!(row[2], i32::from(found.state.is_end()));

            let columns = "SELECT revision, from_state, to_state, at, why, seen FROM transition";
            let was = rows(
                &copy,
                &format!("{columns} WHERE deployment_id = '{id}' ORDER BY revision"),
            );
            let told = store.transitions(id).expect("they read");
            let told: Vec<_> = told
                .iter()
                .map(|t| {
                    vec![
                        json!(t.revision),
                        json!(t.from),
                        json!(t.to),
                        json!(t.at),
                        json!(t.why),
                    ]
                })
                .collect();
            let columns: Vec<_> = was.iter().map(|row| row[..5].to_vec()).collect();
            assert_eq!(told, columns, "{at}");
            for seen in was.iter().map(|row| &row[5]).filter(|seen| !seen.is_null()) {
                check_reads::<Seen>(&parsed(seen), at);
            }

            let told = store.outputs(id).expect("they read");
            let told: Vec<_> = told
                .iter()
                .map(|o| vec![json!(o.at), json!(o.what), json!(o.ended), json!(o.output)])
                .collect();
            let columns = "SELECT at, what, ended, output FROM output";
            let mut was = rows(
                &copy,
                &format!("{columns} WHERE deployment_id = '{id}' ORDER BY at"),
            );
            was.iter_mut().for_each(|row| row[2] = parsed(&row[2]));
            assert_eq!(told, was, "{at}");
            outputs += told.len();
        }
        for row in rows(&copy, "SELECT record FROM queue") {
            check_reads::<Queue>(&parsed(&row[0]), at);
            queues += 1;
        }
    }
    assert!(outputs > 0 && queues > 0, "{outputs} and {queues}");
}

/// The objects of a bucket below a folder of it.
fn objects(left: Left, folder: &str) -> Vec<Value> {
    let mut folders = vec![
        left.folder()
            .join("world/s3/shop-artifacts/bluegreen")
            .join(folder),
    ];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).into_iter().flatten();
        for path in entries.map(|entry| entry.expect("the entry reads").path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let mut object = read(&path);
                // The state key's code, which the object is read with and not part of.
                object.as_object_mut().expect("an object").remove("mac");
                found.push(object);
            }
        }
    }
    found
}

#[test]
fn every_object_of_an_earlier_bucket_means_the_same() {
    let mut queues = 0;
    for left in [PAUSED, KILLED, HELD, FOLLOWING] {
        let at = left.fixture;
        let deployments = objects(left, "deployments");
        assert_eq!(deployments.len(), left.releases, "{at}");
        for object in &deployments {
            check_reads::<DeploymentRecord>(object, at);
        }
        let leases = objects(left, "leases");
        assert_eq!(leases.len(), 1, "{at}");
        check_reads::<LeaseRecord>(&leases[0], at);
        for queue in objects(left, "queues") {
            check_reads::<Queue>(&queue, at);
            queues += 1;
        }
    }
    assert!(queues > 0);
}
