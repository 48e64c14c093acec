//! Ring 3, bad disks: what becomes of a journal that is damaged, full, read-only or
//! another program's, and of its copy in the bucket.

use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use bluegreen::clock::Moment;
use bluegreen::deployment::Deployment;
use bluegreen::machine::State;
use bluegreen::store::{Store, StoreError};
use bluegreen_sandbox::{Phase, TapVerdict};

use crate::support::parallel::in_parallel;
use crate::support::served::{Served, Victim};
use bluegreen_testing::sample::sampled;

const SPEED: f64 = 600.0;
/// How many damages are tried at a time.
const AT_A_TIME: usize = 6;

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

/// Moves what is in the log into the file itself, as a process that ends does, where nothing is
/// left of what it held before.
fn settle(path: &Path) {
    drop(Store::open(path).expect("the journal opens"));
    let file = rusqlite::Connection::open(path).expect("it opens");
    file.execute_batch("VACUUM").expect("it is rewritten");
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

/// What damages a journal.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// A bit of the file is turned over; of its log where it has one.
    Flip { of_the_log: bool, seed: u64 },
    /// The file is cut to this share of its length, in thousandths.
    Cut(u64),
}

impl Damage {
    fn strike(self, journal: &Path) {
        let log = journal.with_extension("db-wal");
        match self {
            Damage::Flip { of_the_log, seed } => {
                let path = if of_the_log { &log } else { journal };
                let mut bytes = std::fs::read(path).expect("it reads");
                let mut rng = fastrand::Rng::with_seed(seed);
                let at = rng.usize(..bytes.len());
                bytes[at] ^= 1 << rng.u8(..8);
                overwrite(path, at as u64, &bytes[at..=at]);
            }
            Damage::Cut(thousandths) => {
                let file = std::fs::OpenOptions::new().write(true).open(journal);
                let file = file.expect("it opens");
                let length = file.metadata().expect("it is there").len();
                file.set_len(length * thousandths / 1000)
                    .expect("it is cut");
            }
        }
    }
}

/// What a journal in this file gives.
fn given(journal: &Path, id: &str) -> Result<Option<Deployment>, StoreError> {
    let store = Store::open(journal)?;
    store.all()?;
    store.transitions(id)?;
    store.outputs(id)?;
    store.find(id)
}

/// Puts a journal with its log into a folder; the id of its deployment, and each checkpoint
/// that there was.
fn checkpointed(folder: &Path) -> (String, Vec<Deployment>) {
    let served = killed(&[]);
    let id = id(&served);
    let intact = folder.join("intact.db");
    settle(&served.journal());
    std::fs::copy(served.journal(), &intact).expect("it is copied");
    let mut store = Store::open(&intact).expect("it opens");
    let mut deployment = store.find(&id).expect("it reads").expect("it is there");
    let mut all = vec![deployment.clone()];
    for state in [State::Deploying, State::Testing, State::SwappingToBlue] {
        let now = Moment(deployment.updated_at.0 + 1);
        let next = deployment.entering(state, now);
        let written = store.checkpoint(&mut deployment, next, now, "because", None, &[]);
        written.expect("it is written");
        all.push(deployment.clone());
    }
    // Copied while it is open: its log is still there.
    for suffix in ["", "-wal"] {
        let from = folder.join(format!("intact.db{suffix}"));
        std::fs::copy(from, folder.join(format!("journal.db{suffix}"))).expect("it is copied");
    }
    drop(store);
    (id, all)
}

/// Wherever a bit is turned over and wherever it is cut: the journal is refused with words
/// that name it, or gives a checkpoint that there was, the last one or an earlier.
#[test]
fn a_damaged_journal_is_refused_or_gives_a_checkpoint_that_there_was() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (id, checkpoints) = checkpointed(folder.path());
    let flips = (0..400).map(|seed| Damage::Flip {
        of_the_log: seed % 2 == 0,
        seed,
    });
    let cuts = (0..1000).step_by(29).map(Damage::Cut);
    let (mut refused, mut earlier, mut last) = (0, 0, 0);
    for damage in flips.chain(cuts) {
        let struck = folder.path().join("struck.db");
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.path().join(format!("struck.db{suffix}")));
        }
        for suffix in ["", "-wal"] {
            let from = folder.path().join(format!("journal.db{suffix}"));
            let to = folder.path().join(format!("struck.db{suffix}"));
            std::fs::copy(from, to).expect("it is copied");
        }
        damage.strike(&struck);
        match given(&struck, &id) {
            Err(error) => {
                let told = error.to_string();
                assert!(told.contains("struck.db"), "{damage:?}: {told}");
                refused += 1;
            }
            Ok(found) if found.as_ref() == checkpoints.last() => last += 1,
            Ok(Some(found)) => {
                assert!(checkpoints.contains(&found), "{damage:?}: {found:?}");
                earlier += 1;
            }
            // What is left is an empty file.
            Ok(None) => assert!(matches!(damage, Damage::Cut(0)), "{damage:?}"),
        }
    }
    println!("{refused} refused, {earlier} gave an earlier checkpoint and {last} the last");
    assert!(refused > 10 && earlier > 10 && last > 10);
}

/// The same through the binary, where the bucket has the truth: it says what it found, and
/// completes from there.
#[test]
fn whatever_damages_a_journal_the_bucket_has_the_truth() {
    let damages = [
        Damage::Flip {
            of_the_log: true,
            seed: 1,
        },
        Damage::Flip {
            of_the_log: true,
            seed: 2,
        },
        Damage::Flip {
            of_the_log: false,
            seed: 3,
        },
        Damage::Flip {
            of_the_log: false,
            seed: 4,
        },
        Damage::Flip {
            of_the_log: false,
            seed: 5,
        },
        Damage::Cut(0),
        Damage::Cut(300),
        Damage::Cut(990),
    ];
    in_parallel(
        AT_A_TIME,
        sampled("damages", damages, 3),
        damaged_and_resumed,
    );
}

fn damaged_and_resumed(damage: Damage) {
    let served = killed(&[]);
    if !matches!(
        damage,
        Damage::Flip {
            of_the_log: true,
            ..
        }
    ) {
        settle(&served.journal());
    }
    let id = id(&served);
    damage.strike(&served.journal());
    // What is found, told of a copy: to look at it may mend its log.
    let copy = served.folder.path().join("copy.db");
    for suffix in ["", "-wal"] {
        let from = served.folder.path().join(format!("journal.db{suffix}"));
        let _ = std::fs::copy(from, served.folder.path().join(format!("copy.db{suffix}")));
    }
    let ended = served.run(&["resume", &id]);
    let expected: &[&str] = match given(&copy, &id) {
        Ok(None) => &["recovered from its copy in the bucket"],
        Ok(Some(_)) => &[],
        Err(StoreError::Damaged { .. }) => {
            &["is damaged", "put aside as", "recovered from its copy"]
        }
        // A bit of its header says that it is not this program's: then it is left alone.
        Err(error) => {
            let told = exits(&ended, 3);
            assert!(
                told.contains(&error.to_string().replace("copy.db", "journal.db")),
                "{told}"
            );
            return;
        }
    };
    let told = exits(&ended, 0);
    for expected in expected {
        assert!(told.contains(expected), "{damage:?}, {expected}: {told}");
    }
    let report = served.sandbox.report();
    assert_eq!(
        (report.lost, report.interruptions.len()),
        (0, 0),
        "{damage:?}"
    );
    assert_eq!(report.leftovers.environments, [""; 0], "{damage:?}");
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
    let told = exits(
        &resumed
            .env("BLUEGREEN_STATE", elsewhere)
            .output()
            .expect("it runs"),
        0,
    );
    assert!(
        told.contains("recovered from its copy in the bucket"),
        "{told}"
    );
}

/// The binary as somebody who is not root, whom no file mode keeps out: another user where
/// the tests run as root, else the same.
fn as_anybody(served: &Served, arguments: &[&str]) -> std::process::Command {
    let model = served.bluegreen(arguments);
    if !rustix::process::geteuid().is_root() {
        return model;
    }
    // He can run only what he can reach.
    let binary = served.folder.path().join("bluegreen");
    let built = env!("CARGO_BIN_EXE_bluegreen");
    if std::fs::hard_link(built, &binary).is_err() {
        std::fs::copy(built, &binary).expect("it is copied");
    }
    set_mode(served.folder.path(), 0o755);
    let mut command = std::process::Command::new(binary);
    let set = model.get_envs();
    command
        .args(arguments)
        .current_dir(served.folder.path())
        .env_clear()
        .envs(set.filter_map(|(name, value)| Some((name, value?))))
        .uid(65_534)
        .gid(65_534);
    command
}

fn set_mode(path: &Path, mode: u32) {
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, mode).expect("it is set");
}

/// A journal that can be read and not written, in a folder that can be written or not.
#[test]
fn a_read_only_journal_is_told_and_another_will_do() {
    for (folder, code, remedy) in [
        // Its log can be begun, and its first checkpoint is refused.
        (0o777, 75, "see to the journal"),
        (0o555, 3, "name a readable journal with --state"),
    ] {
        let served = killed(&[]);
        settle(&served.journal());
        let id = id(&served);
        let disk = served.folder.path().join("disk");
        std::fs::create_dir(&disk).expect("it is made");
        let journal = disk.join("journal.db");
        std::fs::copy(served.journal(), &journal).expect("it is copied");
        set_mode(&journal, 0o444);
        set_mode(&disk, folder);
        let before = std::fs::read(&journal).expect("it reads");
        let mut resumed = as_anybody(&served, &["resume", &id]);
        let output = resumed.env("BLUEGREEN_STATE", &journal).output();
        let told = exits(&output.expect("it runs"), code);
        assert!(told.contains("disk/journal.db: "), "{folder:o}: {told}");
        assert!(told.contains(remedy), "{folder:o}: {told}");
        let after = std::fs::read(&journal).expect("it reads");
        assert_eq!(after, before, "{folder:o}: it is left alone");
        set_mode(&disk, 0o755);
        exits(&served.run(&["resume", &id]), 0);
        assert_eq!(served.sandbox.report().lost, 0);
    }
}

/// A file in a folder's place, and the kernel's own files, where nobody may make any.
#[test]
fn a_read_only_disk_is_told_and_another_will_do() {
    let served = killed(&[]);
    settle(&served.journal());
    let id = id(&served);
    let disk = served.folder.path().join("disk");
    std::fs::write(&disk, "no folder").expect("it is written");
    for folder in [disk.as_path(), Path::new("/proc/self"), Path::new("/sys")] {
        let journal = folder.join("journal.db");
        let mut resumed = served.bluegreen(&["resume", &id]);
        let output = resumed.env("BLUEGREEN_STATE", &journal).output();
        let told = exits(&output.expect("it runs"), 3);
        let opened = format!("cannot open the journal {}", journal.display());
        assert!(told.contains(&opened), "{told}");
        assert!(
            told.contains("name a readable journal with --state"),
            "{told}"
        );
    }
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
            "trap '' XFSZ; ulimit -f 190; exec {binary} run --version-label v2"
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
    let told = exits(
        &resumed
            .env("BLUEGREEN_STATE", elsewhere)
            .output()
            .expect("it runs"),
        0,
    );
    assert!(
        told.contains("recovered from its copy in the bucket"),
        "{told}"
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

/// SQLite would keep nothing under such a name, and nobody would be told.
#[test]
fn a_journal_is_a_file_whatever_its_name() {
    let served = Served::at_speed(SPEED);
    for name in [":memory:", "file:memory?mode=memory"] {
        let mut paused = served.bluegreen(&["deploy", "--version-label", "v2"]);
        let paused = paused.env("BLUEGREEN_STATE", name).output();
        exits(&paused.expect("the binary runs"), 0);
        let journal = served.folder.path().join(name);
        assert!(std::fs::metadata(journal).expect("it is a file").len() > 0);
        let mut back = served.bluegreen(&["rollback"]);
        let back = back.env("BLUEGREEN_STATE", name).output();
        exits(&back.expect("the binary runs"), 0);
    }
}

/// Whoever may write to the folder has put a link where the lock is to be.
#[test]
fn a_lock_is_not_written_through_a_link() {
    let served = Served::at_speed(SPEED);
    let paused = served.run(&["deploy", "--version-label", "v2"]);
    exits(&paused, 0);
    let status = served.run(&["status", "--json"]);
    let told = String::from_utf8_lossy(&status.stdout).into_owned();
    let (_, rest) = told.split_once("\"id\": \"").expect("its id is told");
    let id = rest.split('"').next().expect("an id");
    let (precious, link) = (
        served.folder.path().join("precious"),
        served.folder.path().join(format!("journal.db-{id}.lock")),
    );
    std::fs::write(&precious, "mine").expect("it is written");
    std::fs::remove_file(&link).ok();
    std::os::unix::fs::symlink(&precious, &link).expect("a link");
    let refused = served.run(&["resume"]);
    assert_ne!(refused.status.code(), Some(0));
    assert_eq!(
        std::fs::read_to_string(&precious).expect("it reads"),
        "mine"
    );
    std::fs::remove_file(&link).expect("it is there");
    exits(&served.run(&["resume"]), 0);
}

#[test]
fn a_new_folder_of_a_journal_is_its_owners_alone() {
    let served = Served::at_speed(SPEED);
    let folder = served.folder.path().join("state");
    let mut status = served.bluegreen(&["status"]);
    let status = status
        .env("BLUEGREEN_STATE", folder.join("journal.db"))
        .output();
    status.expect("the binary runs");
    let made = std::fs::metadata(folder).expect("it is made");
    assert_eq!(made.permissions().mode() & 0o777, 0o700);
}

/// Another user, as an operator at night is, reads a journal that is not his.
#[test]
fn a_journal_that_may_only_be_read_is_shown() {
    let served = killed(&[]);
    let id = id(&served);
    let is_root = rustix::process::getuid().is_root();
    let folder = served.folder.path();
    for (path, mode) in [
        (folder.to_owned(), 0o755),
        (served.journal(), 0o644),
        (wal(&served), 0o644),
    ] {
        let mode = if is_root { mode } else { mode & 0o555 };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    }
    let before = std::fs::read(served.journal()).expect("it reads");
    let mut status = served.bluegreen(&["status", &id, "--no-shared-state"]);
    if is_root {
        status.uid(65_534).gid(65_534);
    }
    let output = status.output().expect("the binary runs");
    exits(&output, 0);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("SwappingToGreen"), "{shown}");
    assert_eq!(std::fs::read(served.journal()).expect("it reads"), before);
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
}
