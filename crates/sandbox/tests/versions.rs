//! Application versions: their bundles, their lifecycle and their end.

mod play;

use bluegreen_sandbox::{Fault, FaultEffect};
use play::{DAY, Play, all, between};

const CREATE: &str = "Action=CreateApplicationVersion&ApplicationName=shop&VersionLabel=v3";
const COMBINATION: &str = "InvalidParameterCombination";

fn bundle(bucket: &str, key: &str) -> String {
    format!("&SourceBundle.S3Bucket={bucket}&SourceBundle.S3Key={key}")
}

fn not_found(bucket: &str, key: &str) -> String {
    format!("Unable to download from S3 location (Bucket: {bucket}  Key: {key}). Reason: Not Found")
}

/// The service downloads the bundle when a version is made (hsingh/ansible-elastic-beanstalk#40),
/// whether the version is processed or not, and before anything else is made.
#[tokio::test]
async fn a_version_needs_its_bundle() {
    let play = Play::new();
    for (bucket, key) in [
        ("nowhere-bucket", "none.zip"),
        ("shop-artifacts", "none.zip"),
    ] {
        for more in ["", "&Process=true"] {
            let request = format!("{CREATE}{}{more}", bundle(bucket, key));
            play.refused(&request, COMBINATION, &not_found(bucket, key))
                .await;
        }
    }
    let other = "Action=CreateApplicationVersion&ApplicationName=other&VersionLabel=v1\
                 &AutoCreateApplication=true";
    let request = format!("{other}{}", bundle("shop-artifacts", "none.zip"));
    let message = not_found("shop-artifacts", "none.zip");
    play.refused(&request, COMBINATION, &message).await;
    let applications = play.done("Action=DescribeApplications").await;
    assert!(!applications.contains("other"), "{applications}");
    let request = format!("{CREATE}{}", bundle("shop-artifacts", "shop/v2.zip"));
    let told = play.done(&request).await;
    assert_eq!(between(&told, "<S3Key>", "</S3Key>"), "shop/v2.zip");
}

/// A request that arrives late finds the buckets as they are then.
#[tokio::test]
async fn a_late_version_needs_its_bundle_too() {
    let play = Play::new();
    play.inject(Fault {
        operation: Some("CreateApplicationVersion".to_owned()),
        times: Some(1),
        ..FaultEffect::Late { seconds: 60 }.into()
    });
    let request = format!("{CREATE}{}", bundle("shop-artifacts", "none.zip"));
    let form = http::Request::post("http://127.0.0.1/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(bytes::Bytes::from(request))
        .expect("a request");
    play.sandbox.handle(form).await.expect_err("no answer");
    play.wait(120);
    let versions = play.done("Action=DescribeApplicationVersions").await;
    assert_eq!(all(&versions, "<VersionLabel>", "<").len(), 2, "{versions}");
}

/// API model, `CreateApplicationVersionMessage`: without a source the version is of the sample
/// application; more than one source is an `InvalidParameterCombination`.
#[tokio::test]
async fn a_version_may_have_another_source() {
    let play = Play::new();
    let told = play.done(CREATE).await;
    let bucket = between(&told, "<S3Bucket>", "</S3Bucket>");
    assert!(bucket.starts_with("elasticbeanstalk-samples-"), "{told}");
    let build = "&SourceBuildInformation.SourceType=Git\
                 &SourceBuildInformation.SourceRepository=CodeCommit\
                 &SourceBuildInformation.SourceLocation=repo/265cfa0c";
    let create = CREATE.replace("v3", "v4");
    let told = play.done(&format!("{create}{build}")).await;
    assert_eq!(between(&told, "<SourceLocation>", "<"), "repo/265cfa0c");
    assert!(!told.contains("<SourceBundle>"), "{told}");
    let create = CREATE.replace("v3", "v5");
    let both = format!("{create}{build}{}", bundle("shop-artifacts", "shop/v2.zip"));
    let message = "SourceBundle and SourceBuildInformation may not both be specified.";
    play.refused(&both, COMBINATION, message).await;
}

/// API reference, `DeleteApplicationVersion`: `DeleteSourceBundle` deletes the object, and the
/// version of a running environment cannot be deleted.
#[tokio::test]
async fn a_version_is_deleted_with_its_bundle() {
    let play = Play::new();
    let delete = "Action=DeleteApplicationVersion&ApplicationName=shop&DeleteSourceBundle=true";
    let message = "Unable to delete application version v1 because it is deployed to running \
                   environments.";
    let request = format!("{delete}&VersionLabel=v1");
    play.refused(&request, "InvalidParameterValue", message)
        .await;
    assert!(play.object("shop-artifacts", "shop/v1.zip").await.is_some());
    play.done("Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2")
        .await;
    let message = "Unable to delete application version: v2. An operation is already in \
                   progress, please retry again shortly.";
    let request = format!("{delete}&VersionLabel=v2");
    play.refused(&request, "OperationInProgressFailure", message)
        .await;
    let create = CREATE.replace("v3", "v9");
    play.put("shop-artifacts/shop/v9.zip", "a bundle").await;
    play.done(&format!(
        "{create}{}",
        bundle("shop-artifacts", "shop/v9.zip")
    ))
    .await;
    play.done(&format!("{delete}&VersionLabel=v9")).await;
    assert_eq!(play.object("shop-artifacts", "shop/v9.zip").await, None);
}

/// API model, `Description`: at most 200 characters.
#[tokio::test]
async fn a_description_has_200_characters() {
    let play = Play::new();
    let name = "Action=UpdateApplication&ApplicationName=shop";
    let fits = "d".repeat(200);
    for request in [
        CREATE,
        name,
        "Action=UpdateEnvironment&EnvironmentName=shop-blue",
        "Action=CreateConfigurationTemplate&ApplicationName=shop&TemplateName=t",
    ] {
        let request = format!("{request}&Description={fits}d");
        let message = format!(
            "Value {fits}d at 'description' failed to satisfy constraint: Member must have \
             length between 0 and 200"
        );
        play.refused(&request, "InvalidParameterValue", &message)
            .await;
    }
    let told = play.done(&format!("{name}&Description={fits}")).await;
    assert!(told.contains(&fits), "{told}");
    let told = play.done(name).await;
    assert!(told.contains(&fits), "what is left out stays: {told}");
    let told = play.done(&format!("{name}&Description=")).await;
    assert!(!told.contains(&fits), "an empty one clears it: {told}");
}

/// Developer guide, "Configuring application version lifecycle settings": the oldest versions go
/// when one more is made, and those of environments stay.
#[tokio::test]
async fn a_lifecycle_deletes_the_oldest_versions() {
    let play = Play::new();
    let rules = "ResourceLifecycleConfig.VersionLifecycleConfig";
    let update = "Action=UpdateApplicationResourceLifecycle&ApplicationName=shop";
    let count = format!(
        "&{rules}.MaxCountRule.Enabled=true&{rules}.MaxCountRule.MaxCount=3\
         &{rules}.MaxCountRule.DeleteSourceFromS3=true"
    );
    let message = "ServiceRole is required when VersionLifecycleConfig is provided.";
    let request = format!("{update}{count}");
    play.refused(&request, "MissingRequiredParameter", message)
        .await;
    let role = "&ResourceLifecycleConfig.ServiceRole=arn:aws:iam::123456789012:role/lifecycle";
    let told = play.done(&format!("{update}{count}{role}")).await;
    assert_eq!(between(&told, "<MaxCount>", "<"), "3", "{told}");
    assert_eq!(between(&told, "<MaxAgeInDays>", "<"), "180", "{told}");
    for label in ["v3", "v4", "v5"] {
        let key = format!("shop/{label}.zip");
        play.put(&format!("shop-artifacts/{key}"), "a bundle").await;
        let create = CREATE.replace("v3", label);
        play.done(&format!("{create}{}", bundle("shop-artifacts", &key)))
            .await;
    }
    let labels = |told: &str| all(told, "<VersionLabel>", "</VersionLabel>");
    let versions = "Action=DescribeApplicationVersions&ApplicationName=shop";
    let told = play.done(versions).await;
    assert_eq!(labels(&told), ["v5", "v4", "v3", "v1"], "{told}");
    assert_eq!(play.object("shop-artifacts", "shop/v2.zip").await, None);
    let off = format!("&{rules}.MaxCountRule.Enabled=false");
    let age = format!("&{rules}.MaxAgeRule.Enabled=true&{rules}.MaxAgeRule.MaxAgeInDays=7");
    play.done(&format!("{update}{off}{age}")).await;
    play.wait(8 * DAY);
    play.done(&CREATE.replace("v3", "v6")).await;
    let told = play.done(versions).await;
    assert_eq!(labels(&told), ["v6", "v1"], "{told}");
    assert!(play.object("shop-artifacts", "shop/v4.zip").await.is_some());
}

/// EB CLI reads `ResourceLifecycleConfig` of every application
/// (`ebcli/operations/lifecycleops.py`).
#[tokio::test]
async fn every_application_states_its_lifecycle() {
    let play = Play::new();
    play.done("Action=CreateApplication&ApplicationName=other")
        .await;
    let told = play.done("Action=DescribeApplications").await;
    assert_eq!(all(&told, "<ResourceLifecycleConfig>", "<").len(), 2);
    assert_eq!(all(&told, "<MaxCountRule><Enabled>", "<"), ["false"; 2]);
}

/// The names of applications and versions have no slash and no control character, whichever
/// operation makes them.
#[tokio::test]
async fn a_name_has_no_slash_and_no_control_character() {
    let play = Play::new();
    for (name, what) in [("a%2Fb", "a slash"), ("a%07b", "a control character")] {
        let create = format!("Action=CreateApplication&ApplicationName={name}");
        let words = format!("ApplicationName may not contain {what}.");
        play.refused(&create, "InvalidParameterValue", &words).await;
        let create = format!(
            "Action=CreateApplicationVersion&ApplicationName={name}&VersionLabel=v1\
             &AutoCreateApplication=true"
        );
        play.refused(&create, "InvalidParameterValue", &words).await;
        let create =
            format!("Action=CreateApplicationVersion&ApplicationName=shop&VersionLabel={name}");
        let words = format!("VersionLabel may not contain {what}.");
        play.refused(&create, "InvalidParameterValue", &words).await;
    }
    assert_eq!(play.world(|world| world.view.applications.len()), 1);
}
