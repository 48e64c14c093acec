//! What the service keeps in its bucket of the account: saved configurations and logs.

mod play;

use bluegreen_sandbox::FaultEffect;
use play::{Play, all, between, request_id};

const BUCKET: &str = "elasticbeanstalk-us-east-1-123456789012";
const LOCATION: &str = "Action=CreateStorageLocation";

/// Somebody removes the bucket, which the account has since its first environment.
async fn without_bucket(play: &Play) {
    let request = http::Request::delete(format!("http://127.0.0.1/{BUCKET}"));
    let request = request.body(bytes::Bytes::new()).expect("a request");
    assert_eq!(play.send(request).await.0, 204);
}

/// The launch of an environment makes the bucket (developer guide, "Using Elastic Beanstalk with
/// Amazon S3"), which therefore is there before CreateStorageLocation.
#[tokio::test]
async fn a_launch_makes_the_bucket() {
    let play = Play::new();
    let object = format!("{BUCKET}/shop/v3.zip");
    assert_eq!(play.put(&object, "a bundle").await, 200);
    let again = Play::new();
    without_bucket(&again).await;
    again.launch("shop-two").await;
    assert_eq!(again.put(&object, "a bundle").await, 200);
}

/// "Creates a bucket in Amazon S3 … If the storage location already exists, CreateStorageLocation
/// still returns the bucket name" (API reference).
#[tokio::test]
async fn the_storage_location_is_a_bucket() {
    let play = Play::new();
    let object = format!("{BUCKET}/shop/v3.zip");
    without_bucket(&play).await;
    assert_eq!(play.put(&object, "a bundle").await, 404);
    for _ in 0..2 {
        let told = play.done(LOCATION).await;
        assert_eq!(between(&told, "<S3Bucket>", "<"), BUCKET);
        assert_eq!(play.put(&object, "a bundle").await, 200);
    }
    let kept = play.object(BUCKET, "shop/v3.zip").await;
    assert_eq!(kept.as_deref(), Some(&b"a bundle"[..]));
}

/// EB CLI makes a template of an environment, then the bucket, and reads the file there
/// (`ebcli/operations/saved_configs.py`); its form is the developer guide's, "Saved
/// configurations".
#[tokio::test]
async fn a_template_is_a_file_in_the_bucket() {
    let play = Play::new();
    let key = "resources/templates/shop/saved";
    let create = "Action=CreateConfigurationTemplate&ApplicationName=shop&TemplateName=saved\
                  &Description=It's&Tags.member.1.Key=a+b&Tags.member.1.Value=1\
                  &TemplateSpecification.TemplateSource.EnvironmentName=shop-blue";
    play.done(create).await;
    play.done(LOCATION).await;
    let read = async || {
        let content = play.object(BUCKET, key).await.expect("it is there");
        String::from_utf8(content.to_vec()).expect("text")
    };
    let saved = read().await;
    for line in [
        "EnvironmentConfigurationMetadata:\n  Description: \"It's\"\n",
        "  DateCreated: \"1800000000000\"\n",
        "Platform:\n  PlatformArn: \"arn:aws:elasticbeanstalk:us-east-1::platform/Node.js 20",
        "  aws:autoscaling:asg:\n    MinSize: \"2\"\n    MaxSize: \"4\"\n",
        "EnvironmentTier:\n  Type: \"Standard\"\n  Name: \"WebServer\"\n",
        "AWSConfigurationTemplateVersion: \"1.1.0.0\"\n",
        "Tags:\n  \"a b\": \"1\"\n",
    ] {
        assert!(saved.contains(line), "{line} in {saved}");
    }
    play.done(
        "Action=UpdateConfigurationTemplate&ApplicationName=shop&TemplateName=saved\
         &OptionSettings.member.1.Namespace=aws:autoscaling:asg\
         &OptionSettings.member.1.OptionName=MinSize&OptionSettings.member.1.Value=3\
         &OptionsToRemove.member.1.Namespace=aws:autoscaling:asg\
         &OptionsToRemove.member.1.OptionName=MaxSize",
    )
    .await;
    let saved = read().await;
    assert!(
        saved.contains("  aws:autoscaling:asg:\n    MinSize: \"3\"\n"),
        "{saved}"
    );
    assert!(!saved.contains("MaxSize"), "{saved}");
    play.done("Action=DeleteConfigurationTemplate&ApplicationName=shop&TemplateName=saved")
        .await;
    assert_eq!(play.object(BUCKET, key).await, None);
}

/// Without the bucket nothing is kept, and nothing is made.
#[tokio::test]
async fn a_template_makes_no_bucket() {
    let play = Play::new();
    without_bucket(&play).await;
    play.done(
        "Action=CreateConfigurationTemplate&ApplicationName=shop&TemplateName=saved\
         &TemplateSpecification.TemplateSource.EnvironmentName=shop-blue",
    )
    .await;
    assert_eq!(play.put(&format!("{BUCKET}/a"), "a").await, 404);
}

/// EB CLI, `logs`: it waits for the event, and reads the URL of each instance; what the last
/// deploy did stands there, its failure too.
#[tokio::test]
async fn the_logs_of_instances_are_pulled() {
    let play = Play::new();
    play.inject(FaultEffect::VersionFailsToDeploy {
        label: "v2".to_owned(),
    });
    play.done("Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2")
        .await;
    play.wait(300);
    for (kind, done, begins) in [
        ("tail", "tailing", &b"----"[..]),
        ("bundle", "bundling", &b"PK\x03\x04"[..]),
    ] {
        let of = format!("EnvironmentName=shop-blue&InfoType={kind}");
        let retrieve = format!("Action=RetrieveEnvironmentInfo&{of}");
        let id = request_id(
            &play
                .done(&format!("Action=RequestEnvironmentInfo&{of}"))
                .await,
        );
        assert!(!play.done(&retrieve).await.contains("<Message>"));
        play.wait(20);
        let messages = play.events(&id).await;
        assert_eq!(messages.len(), 4, "{messages:?}");
        assert_eq!(messages[0], "requestEnvironmentInfo is starting.");
        let finished = format!("Successfully finished {done} 1 log(s)");
        assert!(messages[1].ends_with(&finished), "{messages:?}");
        assert_eq!(messages[3], "Pulled logs for environment instances.");
        let told = play.done(&retrieve).await;
        let urls = all(&told, "<Message>", "</Message>");
        assert_eq!(urls.len(), 2, "{told}");
        let mut logs = Vec::new();
        for url in urls {
            assert!(url.starts_with("http://127.0.0.1:4577/"), "{url}");
            let (status, log) = play.get(&url).await;
            assert_eq!(status, 200, "{url}");
            assert!(log.starts_with(begins), "{log:?}");
            logs.push(String::from_utf8_lossy(&log).into_owned());
        }
        assert!(logs[0].contains("[ERROR] An error occurred during execution of command"));
        assert!(!logs[1].contains("[ERROR]"), "{}", logs[1]);
        play.wait(20 * 60);
        assert!(!play.done(&retrieve).await.contains("<Message>"));
    }
}
