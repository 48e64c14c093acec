//! A world on disk: what writes it, and what only reads.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bluegreen_sandbox::{BUCKET, Fault, FaultEffect, Options, PRODUCTION, Sandbox, Sharing};
use bytes::Bytes;

fn open(folder: &Path, sharing: Sharing) -> Sandbox {
    let options = Options {
        directory: Some(folder.to_owned()),
        sharing,
        ..Options::default()
    };
    Sandbox::open(options).expect("it opens")
}

async fn ask(sandbox: &Sandbox, form: &str) -> (u16, String) {
    let request = http::Request::post("http://127.0.0.1/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(form.to_owned()));
    let answer = sandbox.handle(request.expect("a request")).await;
    let answer = answer.expect("an answer");
    let status = answer.status().as_u16();
    (status, String::from_utf8_lossy(answer.body()).into_owned())
}

async fn get(sandbox: &Sandbox, url: &str) -> u16 {
    let request = http::Request::get(url).body(Bytes::new());
    let answer = sandbox.handle(request.expect("a request")).await;
    answer.expect("an answer").status().as_u16()
}

/// Sends what only reads, of every kind.
async fn read(sandbox: &Sandbox) {
    for form in [
        "Action=DescribeEnvironments",
        "Action=DescribeApplicationVersions&MaxRecords=1",
        "Action=DescribeEvents",
        "Action=CheckDNSAvailability&CNAMEPrefix=shop",
    ] {
        assert_eq!(ask(sandbox, form).await.0, 200, "{form}");
    }
    for url in [
        &format!("http://127.0.0.1/{BUCKET}/shop/v1.zip"),
        &format!("http://127.0.0.1/{BUCKET}?list-type=2"),
        &format!("http://{PRODUCTION}/health"),
        "http://127.0.0.1/_sandbox/state",
        "http://127.0.0.1/_sandbox/report",
        "http://127.0.0.1/_sandbox/clock",
        "http://127.0.0.1/_sandbox/faults",
    ] {
        assert_eq!(get(sandbox, url).await, 200, "{url}");
    }
}

/// Whoever has a folder alone writes the world once it changes, and what it has counted with that
/// or at its end.
#[tokio::test]
async fn what_only_reads_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = || {
        let world = std::fs::metadata(folder.path().join("world.json")).expect("it is there");
        (world.ino(), world.mtime(), world.mtime_nsec(), world.len())
    };
    let sandbox = open(folder.path(), Sharing::Exclusive);
    // The bucket of a world that begins is made by the first request.
    read(&sandbox).await;
    let before = written();
    for _ in 0..3 {
        read(&sandbox).await;
    }
    assert_eq!(written(), before);
    drop(sandbox);
    let counted = written();
    assert_ne!(counted, before, "the counts are written at the end");
    let sandbox = open(folder.path(), Sharing::Exclusive);
    assert_eq!(sandbox.report().calls["DescribeEnvironments"], 4);
    assert_eq!(sandbox.report().calls["GetObject"], 4);
    let before = written();
    let update = "Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2";
    assert_eq!(ask(&sandbox, update).await.0, 200);
    assert_ne!(written(), before, "a change is written at once");
    // A fault counts the requests that it strikes.
    sandbox.with_world(|world, _| {
        world.inject(Fault {
            times: Some(1),
            ..Fault::from(FaultEffect::Throttle)
        });
    });
    let before = written();
    assert_eq!(ask(&sandbox, "Action=DescribeEnvironments").await.0, 400);
    assert_ne!(written(), before, "a strike is written at once");
}

/// Sandboxes that share a folder see each other's changes and counts at once.
#[tokio::test]
async fn what_another_sandbox_writes_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let [first, second] = [(); 2].map(|()| open(folder.path(), Sharing::Shared));
    for sandbox in [&first, &second, &first, &second] {
        assert_eq!(ask(sandbox, "Action=DescribeEnvironments").await.0, 200);
    }
    for sandbox in [&first, &second] {
        assert_eq!(sandbox.report().calls["DescribeEnvironments"], 4);
    }
    let create = "Action=CreateApplication&ApplicationName=books";
    assert_eq!(ask(&first, create).await.0, 200);
    let (_, told) = ask(&second, "Action=DescribeApplications").await;
    assert!(told.contains("books"), "{told}");
}
