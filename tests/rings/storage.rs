//! Ring 3, bad disks: what becomes of a journal that is damaged, full, read-only or
//! another program's, and of its copy in the bucket.

use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use bluegreen_sandbox::{Phase, TapVerdict};

use crate::served::{Served, Victim};

const SPEED: f64 = 600.0;

#[track_caller]
fn exits(output: &Output, code: i32) -> String {
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{told}");
    told
}

/// A run that was killed when it had just asked for the first swap.
fn killed(extra: &[&str]) -> Served {
    let served = Served::at_speed(SPEED);
    let victim = Victim::default();
    let killer = victim.clone();
    served.sandbox.set_tap(move |call, phase| {
        if phase == Phase::After && call.operation == "SwapEnvironmentCNAMEs" {
            killer.kill();
            return TapVerdict::HangUp;
        }
        TapVerdict::Continue
    });
    let run = [&["run", "--version-label", "v2"], extra].concat();
    assert_eq!(victim.run(&mut served.bluegreen(&run)).code(), None);
    served.sandbox.set_tap(|_, _| TapVerdict::Continue);
    served
}

fn id(served: &Served) -> String {
    let names = std::fs::read_dir(served.folder.path()).expect("the folder reads");
    let names = names.map(|entry| entry.expect("an entry").file_name());
    let lock = names
        .map(|name| name.to_string_lossy().into_owned())
        .find_map(|name| {
            Some(
                name.strip_prefix("journal.db-")?
                    .strip_suffix(".lock")?
                    .to_owned(),
            )
        });
    lock.expect("a killed process leaves its lock")
}

fn wal(served: &Served) -> PathBuf {
    served.folder.path().join("journal.db-wal")
}

/// Moves what is in the log into the file itself, as a process that ends does.
fn settle(path: &Path) {
    drop(bluegreen::store::Store::open(path).expect("the journal opens"));
}

fn overwrite(path: &Path, at: u64, with: &[u8]) {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .expect("it opens");
    file.seek(SeekFrom::Start(at)).expect("it seeks");
    file.write_all(with).expect("it is written");
}

/// Turns one bit of the checkpoint over: SQLite itself does not notice.
fn flip_a_bit_of_the_checkpoint(path: &Path) {
    let mut bytes = Vec::new();
    let mut file = std::fs::File::open(path).expect("it opens");
    file.read_to_end(&mut bytes).expect("it reads");
    let word = b"\"previous_version\":\"v1\"";
    let at = bytes
        .windows(word.len())
        .position(|found| found == word)
        .expect("the checkpoint");
    let at = at + word.len() - 2;
    overwrite(path, at as u64, &[bytes[at] ^ 1]);
}

#[track_caller]
fn recovers(served: &Served, expected: &[&str]) {
    let told = exits(&served.run(&["resume", &id(served)]), 0);
    for expected in expected {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let report = served.sandbox.report();
    assert_eq!((report.lost, report.interruptions.len()), (0, 0));
    assert_eq!(report.leftovers.environments, [""; 0]);
    let told = exits(&served.run(&["status", "--all"]), 0);
    assert_eq!(told, "");
}

#[track_caller]
fn refuses(served: &Served, expected: &[&str]) {
    let before = std::fs::read(served.journal()).expect("it reads");
    let told = exits(&served.run(&["resume", &id(served)]), 3);
    for expected in expected {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert_eq!(
        std::fs::read(served.journal()).expect("it reads"),
        before,
        "it is left alone"
    );
}

const LOCAL: &[&str] = &["--no-shared-state"];

#[test]
fn a_flipped_bit_is_noticed_and_the_bucket_has_the_truth() {
    let served = killed(&[]);
    settle(&served.journal());
    flip_a_bit_of_the_checkpoint(&served.journal());
    recovers(
        &served,
        &[
            "does not match its checksum",
            "put aside as",
            "recovered from its copy",
        ],
    );
}

#[test]
fn a_flipped_bit_without_a_copy_is_refused() {
    let served = killed(LOCAL);
    settle(&served.journal());
    flip_a_bit_of_the_checkpoint(&served.journal());
    let told = exits(
        &served.run(&["resume", &id(&served), "--no-shared-state"]),
        3,
    );
    assert!(told.contains("does not match its checksum"), "{told}");
}

#[test]
fn a_truncated_journal_is_noticed_and_the_bucket_has_the_truth() {
    let served = killed(&[]);
    settle(&served.journal());
    let length = std::fs::metadata(served.journal())
        .expect("it is there")
        .len();
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(served.journal())
        .expect("it opens");
    file.set_len(length / 2).expect("it is cut");
    recovers(
        &served,
        &["is damaged", "put aside as", "recovered from its copy"],
    );
}

#[test]
fn a_journal_without_its_log_is_older_than_the_bucket() {
    let served = killed(&[]);
    std::fs::remove_file(wal(&served)).expect("a killed process leaves its log");
    recovers(&served, &["bucket"]);
}

#[test]
fn a_journal_that_lost_its_log_and_has_no_copy_is_rebuilt_from_aws() {
    let served = killed(LOCAL);
    std::fs::remove_file(wal(&served)).expect("a killed process leaves its log");
    let told = exits(
        &served.run(&["resume", &id(&served), "--no-shared-state"]),
        0,
    );
    assert!(told.contains("rebuilt from green's tags"), "{told}");
    assert_eq!(served.sandbox.report().lost, 0);
}

#[test]
fn a_journal_that_forgot_checkpoints_and_has_no_copy_is_refused() {
    let served = killed(LOCAL);
    settle(&served.journal());
    let earlier = std::fs::read(served.journal()).expect("it reads");
    let victim = Victim::default();
    let killer = victim.clone();
    served.sandbox.set_tap(move |call, phase| {
        if phase == Phase::After && call.operation == "UpdateEnvironment" {
            killer.kill();
            return TapVerdict::HangUp;
        }
        TapVerdict::Continue
    });
    let resume = ["resume", "--no-shared-state"];
    assert_eq!(victim.run(&mut served.bluegreen(&resume)).code(), None);
    served.sandbox.set_tap(|_, _| TapVerdict::Continue);
    std::fs::remove_file(wal(&served)).expect("a killed process leaves its log");
    std::fs::write(served.journal(), earlier).expect("it is written");
    let told = exits(&served.run(&resume), 3);
    assert!(told.contains("was its -wal file removed?"), "{told}");
    assert!(told.contains("rebuilt from what AWS shows"), "{told}");
    let id = id(&served);
    std::fs::remove_file(served.journal()).expect("it is moved away");
    exits(&served.run(&["resume", &id, "--no-shared-state"]), 0);
    assert_eq!(served.sandbox.report().lost, 0);
}

#[test]
fn a_journal_of_a_newer_program_is_left_alone() {
    let served = killed(&[]);
    settle(&served.journal());
    // SQLite keeps user_version at offset 60.
    overwrite(&served.journal(), 60, &99_u32.to_be_bytes());
    refuses(&served, &["newer bluegreen"]);
}

#[test]
fn another_programs_file_is_left_alone() {
    let served = killed(&[]);
    settle(&served.journal());
    std::fs::write(
        served.journal(),
        "not a database, and longer than a header of SQLite".repeat(4),
    )
    .expect("it is written");
    refuses(&served, &["is not a journal of bluegreen", "--state"]);
    let elsewhere = served.folder.path().join("other.db");
    let mut resumed = served.bluegreen(&["resume", &id(&served)]);
    exits(
        &resumed
            .env("BLUEGREEN_STATE", elsewhere)
            .output()
            .expect("it runs"),
        0,
    );
}

/// Nobody is kept out of anything as root, so a folder in a file's place stands for
/// a disk that cannot be written.
#[test]
fn a_read_only_disk_is_told_and_another_will_do() {
    let served = killed(&[]);
    settle(&served.journal());
    let id = id(&served);
    let disk = served.folder.path().join("disk");
    std::fs::write(&disk, "no folder").expect("it is written");
    std::fs::set_permissions(&disk, std::fs::Permissions::from_mode(0o400)).expect("it is set");
    let mut resumed = served.bluegreen(&["resume", &id]);
    let output = resumed
        .env("BLUEGREEN_STATE", disk.join("journal.db"))
        .output();
    let told = exits(&output.expect("it runs"), 3);
    assert!(told.contains("cannot open the journal"), "{told}");
    assert!(
        told.contains("name a journal that can be opened with --state"),
        "{told}"
    );
    exits(&served.run(&["resume", &id]), 0);
}

/// A limit on the size of files stands for a full disk.
#[test]
fn a_full_disk_stops_it_and_it_goes_on_elsewhere() {
    let served = Served::at_speed(SPEED);
    let binary = env!("CARGO_BIN_EXE_bluegreen");
    let model = served.bluegreen(&[]);
    let mut limited = std::process::Command::new("sh");
    limited
        .arg("-c")
        // In blocks of 512 bytes; the signal that comes with it is ignored, so that
        // writing fails as it does on a full disk.
        .arg(format!(
            "trap '' XFSZ; ulimit -f 120; exec {binary} run --version-label v2"
        ))
        .current_dir(served.folder.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(
            model
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    let output = limited.output().expect("it runs");
    let told = exits(&output, 75);
    assert!(told.contains("cannot write the journal"), "{told}");
    let objects = served.sandbox.report().leftovers.objects;
    let id = objects.iter().find_map(|key| {
        let (_, name) = key.split_once("/deployments/")?;
        Some(name.trim_end_matches(".json").to_owned())
    });
    let elsewhere = served.folder.path().join("other.db");
    let mut resumed = served.bluegreen(&["resume", &id.expect("it had begun")]);
    exits(
        &resumed
            .env("BLUEGREEN_STATE", elsewhere)
            .output()
            .expect("it runs"),
        0,
    );
    assert_eq!(served.sandbox.report().lost, 0);
}

/// The copy in the bucket is damaged or a newer program's: the objects are left as
/// they are, and nothing is changed.
#[test]
fn a_copy_that_cannot_be_read_is_refused() {
    for (content, expected) in [
        ("{\"format\":1,\"deployment\":", "is damaged"),
        ("{\"format\":99}", "was written by a newer bluegreen"),
    ] {
        let served = killed(&[]);
        let id = id(&served);
        let request = http::Request::put(format!(
            "http://localhost/shop-artifacts/bluegreen/deployments/{id}.json"
        ))
        .header("host", "localhost")
        .header("content-length", content.len())
        .body(bytes::Bytes::from_static(content.as_bytes()))
        .expect("a request");
        let answered = served
            .block_on(served.sandbox.handle(request))
            .expect("it answers");
        assert!(answered.status().is_success());
        let elsewhere = served.folder.path().join("other.db");
        let mut resumed = served.bluegreen(&["resume", &id]);
        let output = resumed.env("BLUEGREEN_STATE", elsewhere).output();
        let told = exits(&output.expect("it runs"), 3);
        assert!(told.contains(expected) && told.contains(&id), "{told}");
    }
}
