//! The operations of Elastic Beanstalk: each is carried out, or refused for a reason that the
//! documentation states.

mod play;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use bluegreen_sandbox::{operations, other_services};
use play::Play;

/// The members of every operation's input (botocore 1.44.8, `elasticbeanstalk/2010-12-01`).
const MODEL: &str = include_str!("play/operations.json");
const PAGE: &str = "../../docs/reference/sandbox.md";
const BEGIN: &str = "<!-- The operations: made by UPDATE_DOCS=1 cargo test -p bluegreen-sandbox \
                     --test operations -->\n";
const END: &str = "<!-- end of the operations -->\n";
const OTHERS_BEGIN: &str = "<!-- The other services: made by UPDATE_DOCS=1 cargo test -p \
                            bluegreen-sandbox --test operations -->\n";
const OTHERS_END: &str = "<!-- end of the other services -->\n";

#[test]
fn every_operation_of_the_model_is_known() {
    let model: BTreeMap<String, Vec<String>> = serde_json::from_str(MODEL).expect("it is JSON");
    let known: Vec<&str> = operations().map(|(name, _)| name).collect();
    assert_eq!(known, model.keys().collect::<Vec<_>>());
}

#[tokio::test]
async fn an_operation_is_carried_out_or_refused_for_its_reason() {
    let play = Play::new();
    for (name, refused) in operations() {
        let (_, answer) = play.ask(&format!("Action={name}")).await;
        match refused {
            None => assert!(!answer.contains("<Code>InvalidAction"), "{name}: {answer}"),
            Some(reason) => {
                let message = format!("The sandbox does not offer {name}: {reason}.");
                let request = format!("Action={name}");
                play.refused(&request, "UnsupportedOperation", &message)
                    .await;
            }
        }
    }
    let message = "Could not find operation Frobnicate for version 2010-12-01";
    play.refused("Action=Frobnicate", "InvalidAction", message)
        .await;
}

/// The list of the other services in the documentation.
fn others_listed() -> String {
    let mut text = "| service | operations |\n|---|---|\n".to_owned();
    for (service, operations) in other_services() {
        let _ = writeln!(text, "| {service} | {} |", operations.join(", "));
    }
    text
}

/// The list in the documentation, in lines of at most 100 characters.
fn listed() -> String {
    let done = operations().filter(|(_, refused)| refused.is_none());
    let mut words: Vec<String> = done.map(|(name, _)| format!("{name},")).collect();
    if let Some(last) = words.last_mut() {
        *last = last.replace(',', ".");
    }
    let mut text = String::new();
    let mut line = String::new();
    for word in words {
        if line.len() + word.len() >= 100 {
            let _ = writeln!(text, "{}", line.trim_end());
            line.clear();
        }
        let _ = write!(line, "{word} ");
    }
    let _ = writeln!(text, "{}\n", line.trim_end());
    let _ = writeln!(text, "| refused | why |\n|---|---|");
    for (name, refused) in operations() {
        if let Some(reason) = refused {
            let _ = writeln!(text, "| {name} | {reason} |");
        }
    }
    text
}

/// Holds what stands in the documentation between two marks, or writes it anew.
fn hold(begin: &str, end: &str, fresh: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&path).expect("the page reads");
    let (before, rest) = page.split_once(begin).expect("the list begins");
    let (list, after) = rest.split_once(end).expect("the list ends");
    let fresh = format!("\n{fresh}\n");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let page = format!("{before}{begin}{fresh}{end}{after}");
        std::fs::write(&path, page).expect("the page is written");
        return;
    }
    assert_eq!(
        list, fresh,
        "docs/reference/sandbox.md does not list the operations there are; write it anew with \
         UPDATE_DOCS=1 cargo test -p bluegreen-sandbox --test operations"
    );
}

#[test]
fn sandbox_md_lists_every_operation() {
    hold(BEGIN, END, &listed());
    hold(OTHERS_BEGIN, OTHERS_END, &others_listed());
}

/// Every operation of another service that is listed is known there.
#[tokio::test]
async fn an_operation_of_another_service_is_known_there() {
    let play = Play::new();
    for (service, scope, target) in [
        ("Auto Scaling", "autoscaling", None),
        ("CloudFormation", "cloudformation", None),
        ("CloudWatch", "monitoring", None),
        ("EC2", "ec2", None),
        ("Elastic Load Balancing", "elasticloadbalancing", None),
        ("IAM", "iam", None),
        ("STS", "sts", None),
        ("SQS", "sqs", Some("AmazonSQS")),
        ("SSM", "ssm", Some("AmazonSSM")),
        ("WAF", "wafv2", Some("AWSWAF_20190729")),
        (
            "Service Quotas",
            "servicequotas",
            Some("ServiceQuotasV20190624"),
        ),
    ] {
        for operation in &other_services()[service] {
            let (_, body) = play.call(scope, target, operation).await;
            let unknown = [
                "InvalidAction",
                "UnknownOperation",
                "Could not find operation",
            ];
            assert!(
                !unknown.iter().any(|word| body.contains(word)),
                "{service} {operation}: {body}"
            );
        }
        let (status, body) = play.call(scope, target, "Frobnicate").await;
        assert!(status >= 400, "{service}: {body}");
    }
}
