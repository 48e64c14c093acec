//! What `bluegreen plan` tells of a sandbox, and how blue is changed before it.

use std::process::Output;

use bluegreen_sandbox::{Fault, FaultEffect};
use serde_json::Value;

use crate::support::served::Served;

pub fn blue() -> String {
    "shop-blue".to_owned()
}

/// The document of `plan --json` with these arguments.
#[track_caller]
pub fn planned(served: &Served, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = served.run(&[&["plan", "--json"], arguments].concat());
    let document = serde_json::from_slice(&output.stdout);
    let document = document.unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code(), document)
}

/// What a check found: its verdict and evidence.
#[track_caller]
pub fn found(document: &Value, check: &str) -> (String, String) {
    let checks = document["checks"].as_array().expect("checks");
    let found = checks.iter().find(|found| found["check"] == check);
    let found = found.unwrap_or_else(|| panic!("{check} in {document}"));
    let text = |key: &str| found[key].as_str().expect("a text").to_owned();
    (text("verdict"), text("evidence"))
}

/// Sets an option of blue's.
pub fn option(served: &Served, namespace: &str, name: &str, value: &str) {
    served
        .sandbox
        .with_world(|world, _| world.set("shop-blue", namespace, name, value));
}

/// Gives blue a load balancer of this type.
pub fn balanced_by(served: &Served, kind: &str) {
    let namespace = "aws:elasticbeanstalk:environment";
    option(served, namespace, "LoadBalancerType", kind);
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Nothing that changes anything was asked for, but for the write that a bucket must refuse.
#[track_caller]
pub fn nothing_was_written(served: &Served, by_hand: &[&str]) {
    let report = served.sandbox.report();
    // Left in a store that takes even that.
    let objects = report.leftovers.objects.iter();
    let written = objects.filter(|object| !object.ends_with("bluegreen/conditional-writes"));
    assert_eq!(written.count(), 0, "{:?}", report.leftovers.objects);
    let reads = [
        "Describe",
        "Get",
        "Head",
        "List",
        "Check",
        "Simulate",
        "Validate",
        "PutObject",
    ];
    let known = [&reads[..], by_hand].concat();
    let writes = |operation: &&String| !known.iter().any(|read| operation.starts_with(read));
    assert_eq!(report.calls.keys().find(writes), None, "{:?}", report.calls);
}

/// A store that looks at a write's digest before its condition.
pub fn bad_digest() -> Fault {
    Fault {
        operation: Some("PutObject".to_owned()),
        times: Some(1),
        ..Fault::from(FaultEffect::Refuse {
            status: 400,
            code: "BadDigest".to_owned(),
            message: "The Content-MD5 you specified did not match what we received.".to_owned(),
        })
    }
}
