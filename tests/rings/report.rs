//! The report of a release that fails its test, is held, corrected and completed: the page tells
//! that, and its figures are the journal's.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bluegreen::events::{EventRecord, Happened, Probed};
use bluegreen::shared::report_key;
use bluegreen::store::{Store, Transition};
use bluegreen_sandbox::FaultEffect;
use bluegreen_testing::sample::is_full;
use serde_json::Value;

use crate::support::served::{Served, clients_of};

const SPEED: f64 = 600.0;

/// What was printed, of a command that succeeded.
#[track_caller]
fn printed(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("it is text")
}

/// A release of v2, which answers 500, is held and corrected by v3, which is completed.
fn corrected() -> Served {
    let served = Served::at_speed(SPEED);
    served.inject(FaultEffect::VersionAnswers {
        label: "v2".to_owned(),
        status: 500,
    });
    let held = served.run(&["run", "--probe", "--report-to-bucket"]);
    assert_eq!(held.status.code(), Some(14), "{held:?}");
    served.sandbox.with_world(|world, _| {
        let mut corrected = world.view.versions[1].clone();
        "v3".clone_into(&mut corrected.label);
        world.view.versions.push(corrected);
    });
    let page = printed(&served.run(&["report", "--html", "-"]));
    assert_eq!(of_id(&page, "state"), "Held");
    assert!(page.contains("bluegreen resume"), "{page}");
    printed(&served.run(&["resume", "--version-label", "v3"]));
    served
}

/// The text of the element of a page with this id.
#[track_caller]
fn of_id(page: &str, id: &str) -> String {
    let (_, rest) = page
        .split_once(&format!("id=\"{id}\">"))
        .unwrap_or_else(|| panic!("no {id} in {page}"));
    let (text, _) = rest.split_once("</").expect("it is closed");
    text.to_owned()
}

/// The part of a page from this mark to the end of its list or table.
fn part<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = page.split_once(from).unwrap_or_default();
    rest.split_once(to).unwrap_or_default().0
}

struct Kept {
    id: String,
    transitions: Vec<Transition>,
    events: Vec<EventRecord>,
}

fn kept(journal: &Path) -> Kept {
    let store = Store::open(journal).expect("it opens");
    let all = store.all().expect("it reads");
    let [deployment] = &all[..] else {
        panic!("{all:?}")
    };
    let id = deployment.plan.id.clone();
    Kept {
        transitions: store.transitions(&id).expect("they read"),
        events: store.events(&id).expect("they read"),
        id,
    }
}

impl Kept {
    fn probed(&self) -> impl Iterator<Item = &Probed> {
        self.events
            .iter()
            .filter_map(|event| match &event.happened {
                Happened::Probed(probed) => Some(probed),
                _ => None,
            })
    }

    /// When a state was entered first.
    #[track_caller]
    fn entered(&self, state: &str) -> u64 {
        let found = self.transitions.iter().find(|one| one.to == state);
        found.expect("it was entered").at.0
    }
}

/// The page tells the story, and every figure of it is the journal's.
fn check(page: &str, kept: &Kept) {
    assert_eq!(of_id(page, "id"), kept.id);
    assert_eq!(of_id(page, "state"), "Completed");
    assert!(
        of_id(page, "users").starts_with("v3 on shop-blue"),
        "{page}"
    );
    assert!(
        page.contains("<h1>Release of v2, then v3 to shop-blue of shop"),
        "{page}"
    );
    let story = part(page, "id=\"story\">", "</ol>");
    let mut rest = story;
    for chapter in [
        "Began, with users on v1 (shop-blue)",
        "Users on v1 (shop-blue-green)",
        "shop-blue (v2) failed its test: 500",
        "Held: ",
        "An operator resumed, with v3",
        "Users on v3 (shop-blue)",
        "Completed: ",
    ] {
        let (_, after) = rest
            .split_once(chapter)
            .unwrap_or_else(|| panic!("{chapter} is not in its place: {story}"));
        rest = after;
    }
    let table = part(page, "id=\"transitions\">", "</table>");
    assert_eq!(table.matches("<tr><td").count(), kept.transitions.len());
    let stages = part(page, "id=\"stages\">", "<p class=\"key\">");
    assert_eq!(
        stages.matches("class=\"row\"").count(),
        kept.transitions.len()
    );
    let mut rest = table;
    for transition in &kept.transitions {
        let row = format!("<td>{}</td>", transition.from);
        rest = rest.split_once(&row).expect("each in its order").1;
    }
    let sum = |count: fn(&Probed) -> u32| kept.probed().map(count).sum::<u32>().to_string();
    assert_eq!(of_id(page, "sent"), sum(|probed| probed.sent));
    assert_eq!(of_id(page, "failed"), sum(|probed| probed.failed));
}

#[test]
fn a_release_that_was_held_and_corrected_tells_its_story() {
    let served = corrected();
    let kept = kept(&served.journal());
    let file = served.folder.path().join("report.html");
    let name = file.to_str().expect("a name");
    printed(&served.run(&["report", "latest", "--html", name]));
    let page = std::fs::read_to_string(&file).expect("it is written");
    check(&page, &kept);
    // Probes saw production while it was moved twice, and nothing was lost.
    assert!(kept.probed().count() > 4, "{}", kept.events.len());
    assert_eq!(of_id(&page, "availability"), "100 %");
    assert!(
        page.contains("no process ran the deployment"),
        "the hold is told"
    );
    let beside = std::fs::read_dir(served.folder.path()).expect("it reads");
    let beside = beside.map(|entry| entry.expect("it reads").file_name());
    let reports = beside.filter(|name| name.to_string_lossy().starts_with("report.html"));
    assert_eq!(reports.count(), 1, "nothing half written is left");

    let text = printed(&served.run(&["report", &kept.id[..12]]));
    assert!(text.starts_with("Users: v3 on shop-blue"), "{text}");
    assert!(
        text.contains("What happened:") && text.contains("Held: "),
        "{text}"
    );
    let markdown = printed(&served.run(&["report", &kept.id, "--markdown"]));
    assert!(
        markdown.starts_with("## Completed: Release of v2, then v3"),
        "{markdown}"
    );

    the_bucket_has_it(&served, &kept);
    history_counts_it(&served, &kept);
}

fn the_bucket_has_it(served: &Served, kept: &Kept) {
    let status = printed(&served.run(&["status", &kept.id]));
    let key = report_key(&kept.id);
    assert!(
        status.contains(&format!("Report: s3://shop-artifacts/{key}")),
        "{status}"
    );
    served.sandbox.set_policy(None);
    let object = served.block_on(async {
        let clients = clients_of(&served.url).await;
        clients.bucket("shop-artifacts").get(&key).await
    });
    let object = object.expect("it reads").expect("it is there");
    check(&String::from_utf8_lossy(&object.body), kept);
    // Another machine has the bucket alone.
    let elsewhere = served.folder.path().join("elsewhere.db");
    let elsewhere = elsewhere.to_str().expect("a name");
    let page = ["report", "latest", "--html", "-", "--state", elsewhere];
    check(&printed(&served.run(&page)), kept);
}

fn history_counts_it(served: &Served, kept: &Kept) {
    let history = printed(&served.run(&["history", "--json"]));
    let history: Value = serde_json::from_str(&history).expect("it is JSON");
    let target = &history["targets"][0];
    let release = &target["releases"][0];
    assert_eq!(release["version"], "v3");
    assert_eq!(release["failed"], true);
    let restored = (kept.entered("Completed") - kept.entered("Held")) / 1000;
    assert_eq!(release["restore_seconds"], restored);
    assert_eq!(target["figures"]["failure_percent"], 100);
    assert!(
        release["by"][0]
            .as_str()
            .expect("it is text")
            .starts_with("process ")
    );
    let text = printed(&served.run(&["history"]));
    assert!(
        text.contains("too few for more than an impression"),
        "{text}"
    );
    let other = printed(&served.run(&["history", "--blue", "till-blue"]));
    assert!(other.starts_with("No release in "), "{other}");
}

#[test]
fn a_report_that_cannot_be_written_is_refused_with_its_place() {
    let served = Served::at_speed(SPEED);
    printed(&served.run(&["run"]));
    let refused = served.run(&["report", "--html", "nowhere/report.html"]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("nowhere/report.html"), "{told}");
    let unknown = served.run(&["report", "01HZZZZZZZZZZZZZZZZZZZZZZZ"]);
    assert_eq!(unknown.status.code(), Some(13), "{unknown:?}");
    // A run without --probe says so by saying nothing.
    let page = printed(&served.run(&["report", "--html", "-"]));
    assert!(!page.contains("seen from this run"), "{page}");
}

/// A bucket that does not take the report fails no release.
#[test]
fn a_report_that_the_bucket_refuses_fails_no_release() {
    let served = Served::at_speed(SPEED);
    served.inject(bluegreen_sandbox::Fault {
        operation: Some("PutObject".to_owned()),
        key: Some("bluegreen/reports/".to_owned()),
        ..bluegreen_sandbox::Fault::from(FaultEffect::Refuse {
            status: 403,
            code: "AccessDenied".to_owned(),
            message: "no".to_owned(),
        })
    });
    let done = served.run(&["run", "--report-to-bucket"]);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    printed(&done);
    assert!(told.contains("the report is not in the bucket"), "{told}");
}

/// The browser of this machine, where it has one.
fn browser() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let mut files = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    files.find(|file| file.is_file())
}

/// Only where everything is tested and a browser is there: it takes seconds.
#[test]
fn a_browser_renders_the_page_without_an_error() {
    let Some(browser) = browser().filter(|_| is_full()) else {
        return;
    };
    let served = corrected();
    let file = served.folder.path().join("report.html");
    let name = file.to_str().expect("a name");
    printed(&served.run(&["report", "--html", name]));
    let opened = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args(["--disable-dev-shm-usage", "--enable-logging=stderr"])
        .arg(format!(
            "--user-data-dir={}",
            served.folder.path().join("profile").display()
        ))
        .args(["--virtual-time-budget=1000", "--dump-dom"])
        .arg(format!("file://{name}"))
        .output()
        .expect("the browser runs");
    let logged = String::from_utf8_lossy(&opened.stderr).into_owned();
    let logged: Vec<_> = logged
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect();
    assert!(logged.is_empty(), "{logged:?}");
    let page = String::from_utf8_lossy(&opened.stdout).into_owned();
    check(&page, &kept(&served.journal()));
    assert_eq!(page.matches("<svg").count(), 4, "two charts, at two sizes");
}
