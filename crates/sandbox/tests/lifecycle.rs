//! The end of applications and environments, and how environments come back.

mod play;

use bluegreen_sandbox::FaultEffect;
use play::{DAY, HOUR, Play, STACK, WEEK, all, between, request_id};

const VALUE: &str = "InvalidParameterValue";
const ENVIRONMENTS: &str = "Action=DescribeEnvironments";

/// API reference, `DeleteApplication`: its versions and templates go with it, their bundles stay;
/// one with running environments is refused without `TerminateEnvByForce`.
#[tokio::test]
async fn an_application_is_deleted_with_all_it_has() {
    let play = Play::new();
    let template = "Action=CreateConfigurationTemplate&ApplicationName=shop&TemplateName=t";
    play.done(&format!("{template}&SolutionStackName={STACK}"))
        .await;
    let delete = "Action=DeleteApplication&ApplicationName=shop";
    let message = "Unable to delete application shop because it is deployed to running \
                   environments.";
    play.refused(delete, VALUE, message).await;
    let by_force = format!("{delete}&TerminateEnvByForce=true");
    let id = request_id(&play.done(&by_force).await);
    let told = play.done(ENVIRONMENTS).await;
    assert_eq!(all(&told, "<Status>", "<"), ["Terminating"; 2], "{told}");
    let applications = "Action=DescribeApplications";
    assert!(play.done(applications).await.contains("shop"));
    play.wait(600);
    assert!(!play.done(applications).await.contains("shop"));
    let versions = play.done("Action=DescribeApplicationVersions").await;
    assert!(!versions.contains("<VersionLabel>"), "{versions}");
    assert!(play.world(|world| world.templates()).is_empty());
    assert!(play.object("shop-artifacts", "shop/v1.zip").await.is_some());
    let messages = play.events(&id).await;
    let last = messages.last().map(String::as_str);
    assert_eq!(last, Some("The application has been deleted successfully."));
    play.done("Action=CreateApplication&ApplicationName=idle")
        .await;
    play.done("Action=DeleteApplication&ApplicationName=idle")
        .await;
    assert!(!play.done(applications).await.contains("idle"));
}

/// An environment that cannot be terminated keeps its application, and so does one that is busy.
#[tokio::test]
async fn an_application_stays_with_its_environments() {
    let play = Play::new();
    let delete = "Action=DeleteApplication&ApplicationName=shop&TerminateEnvByForce=true";
    play.done("Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2")
        .await;
    let message = "Unable to delete application: shop. An operation is already in progress, \
                   please retry again shortly.";
    play.refused(delete, "OperationInProgressFailure", message)
        .await;
    play.wait(300);
    play.inject(FaultEffect::TerminateFailsOnce {
        environment: "shop-blue".to_owned(),
    });
    play.done(delete).await;
    play.wait(600);
    let terminate = "Action=TerminateEnvironment&EnvironmentName=shop-blue";
    play.done(terminate).await;
    play.wait(600);
    let told = play.done(ENVIRONMENTS).await;
    assert_eq!(all(&told, "<Status>", "<"), ["Terminated"; 2], "{told}");
    let applications = play.done("Action=DescribeApplications").await;
    assert!(applications.contains("<ApplicationName>shop<"));
    play.done(delete).await;
    let applications = play.done("Action=DescribeApplications").await;
    assert!(!applications.contains("<ApplicationName>"));
}

/// EB CLI, `restore`: terminated environments can be restored for six weeks. Whoever names no
/// date sees them for an hour.
#[tokio::test]
async fn terminated_environments_are_remembered_for_six_weeks() {
    let play = Play::new();
    let id = play.launch("shop-two").await;
    play.done("Action=TerminateEnvironment&EnvironmentName=shop-two")
        .await;
    play.wait(600);
    let by_id = format!("{ENVIRONMENTS}&EnvironmentIds.member.1={id}");
    let back_to = format!("{by_id}&IncludeDeleted=true&IncludedDeletedBackTo=2020-01-01T00:00:00Z");
    let is_told = async |request: &str| play.done(request).await.contains("<EnvironmentName>");
    assert!(is_told(&by_id).await);
    assert!(!is_told(&format!("{by_id}&IncludeDeleted=false")).await);
    play.wait(HOUR);
    assert!(!is_told(&by_id).await);
    assert!(is_told(&back_to).await);
    let later = format!("{by_id}&IncludedDeletedBackTo=2027-02-01T00:00:00Z");
    assert!(!is_told(&later).await);
    play.wait(6 * WEEK - DAY);
    assert!(is_told(&back_to).await);
    play.wait(DAY);
    assert!(!is_told(&back_to).await);
    let rebuild = format!("Action=RebuildEnvironment&EnvironmentId={id}");
    let message = format!("No Environment found for EnvironmentId = '{id}'.");
    play.refused(&rebuild, VALUE, &message).await;
}

/// `eb restore`: the environment comes back under its id, name, CNAME and version (developer
/// guide, "Rebuilding Elastic Beanstalk environments").
#[tokio::test]
async fn a_terminated_environment_is_rebuilt() {
    let play = Play::new();
    let id = play.launch("shop-two").await;
    play.done("Action=TerminateEnvironment&EnvironmentName=shop-two")
        .await;
    play.wait(WEEK);
    let rebuild = format!("Action=RebuildEnvironment&EnvironmentId={id}");
    let request = request_id(&play.done(&rebuild).await);
    let told = play
        .done(&format!("{ENVIRONMENTS}&EnvironmentIds.member.1={id}"))
        .await;
    assert_eq!(between(&told, "<Status>", "<"), "Launching", "{told}");
    play.wait(600);
    let told = play
        .done(&format!(
            "{ENVIRONMENTS}&EnvironmentNames.member.1=shop-two"
        ))
        .await;
    assert_eq!(between(&told, "<EnvironmentId>", "<"), id);
    assert_eq!(between(&told, "<Status>", "<"), "Ready");
    assert_eq!(between(&told, "<VersionLabel>", "<"), "v1");
    let messages = play.events(&request).await;
    assert_eq!(messages[0], "rebuildEnvironment is starting.");
    let (status, page) = play
        .get("http://shop-two.us-east-1.elasticbeanstalk.com/")
        .await;
    assert_eq!(status, 200, "{page:?}");
    // What another one has taken meanwhile cannot be given back.
    play.done("Action=TerminateEnvironment&EnvironmentName=shop-two")
        .await;
    play.wait(600);
    play.launch("shop-two").await;
    play.refused(&rebuild, VALUE, "Environment shop-two already exists.")
        .await;
}

/// A living environment gets new instances, and is not there for its users meanwhile.
#[tokio::test]
async fn a_living_environment_is_rebuilt() {
    let play = Play::new();
    let instances = |play: &Play| {
        play.world(|world| {
            let blue = world.environment("shop-blue").expect("blue");
            let ids = blue.instances.iter().map(|i| i.id.clone());
            ids.collect::<Vec<_>>()
        })
    };
    let before = instances(&play);
    let rebuild = "Action=RebuildEnvironment&EnvironmentName=shop-blue";
    play.done(rebuild).await;
    let told = play
        .done(&format!(
            "{ENVIRONMENTS}&EnvironmentNames.member.1=shop-blue"
        ))
        .await;
    assert_eq!(between(&told, "<Status>", "<"), "Updating", "{told}");
    let (code, _) = play.ask(rebuild).await;
    assert_eq!(code, 400, "it must be Ready");
    play.wait(600);
    let after = instances(&play);
    assert_eq!(after.len(), before.len());
    assert!(after.iter().all(|id| !before.contains(id)), "{after:?}");
    let told = play
        .done(&format!(
            "{ENVIRONMENTS}&EnvironmentNames.member.1=shop-blue"
        ))
        .await;
    assert_eq!(between(&told, "<Status>", "<"), "Ready", "{told}");
}

/// An environment that a request names belongs to the application that it names.
#[tokio::test]
async fn another_applications_environment_is_not_found() {
    let play = Play::new();
    play.done("Action=CreateApplication&ApplicationName=other")
        .await;
    let message = "No Environment found for EnvironmentName = 'shop-blue'.";
    for request in [
        "UpdateEnvironment&VersionLabel=v2",
        "DescribeConfigurationSettings",
        "ValidateConfigurationSettings",
        "DeleteEnvironmentConfiguration",
    ] {
        let request = format!("Action={request}&ApplicationName=other&EnvironmentName=shop-blue");
        play.refused(&request, VALUE, message).await;
    }
    let update = "Action=UpdateEnvironment&ApplicationName=nowhere&EnvironmentName=shop-blue";
    play.refused(update, VALUE, "No Application named 'nowhere' found.")
        .await;
}

/// EB CLI, `health`: the requests of an environment are the sum of its instances'.
#[tokio::test]
async fn an_environment_has_the_requests_of_its_instances() {
    let play = Play::new();
    play.wait(61);
    let of = "EnvironmentName=shop-blue&AttributeNames.member.1=ApplicationMetrics";
    let counts = async |operation: &str| {
        let told = play.done(&format!("Action={operation}&{of}")).await;
        let counts = all(&told, "<RequestCount>", "<");
        let counts = counts.iter().map(|n| n.parse::<u64>().expect("a number"));
        counts.collect::<Vec<_>>()
    };
    let whole = counts("DescribeEnvironmentHealth").await;
    let parts = counts("DescribeInstancesHealth").await;
    assert_eq!(parts.len(), 2);
    assert_eq!(whole, [parts.iter().sum::<u64>()]);
    assert!(parts.iter().all(|n| *n >= 100), "{parts:?}");
}

/// ApplyEnvironmentManagedAction begins a scheduled update at once (API reference).
#[tokio::test]
async fn a_managed_action_begins_when_it_is_applied() {
    let play = Play::new();
    play.inject(FaultEffect::ManagedActionDue {
        environment: "shop-blue".to_owned(),
        seconds: DAY,
    });
    let actions = "Action=DescribeEnvironmentManagedActions&EnvironmentName=shop-blue";
    let told = play.done(actions).await;
    let id = between(&told, "<ActionId>", "<");
    let apply =
        format!("Action=ApplyEnvironmentManagedAction&EnvironmentName=shop-blue&ActionId={id}");
    let told = play.done(&apply).await;
    assert_eq!(between(&told, "<Status>", "<"), "Running");
    assert_eq!(between(&told, "<ActionId>", "<"), id);
    let told = play
        .done(&format!(
            "{ENVIRONMENTS}&EnvironmentNames.member.1=shop-blue"
        ))
        .await;
    assert_eq!(between(&told, "<Status>", "<"), "Updating");
    let message = "Cannot modify the managed action in its current state.";
    play.refused(&apply, "ManagedActionInvalidStateException", message)
        .await;
    play.wait(600);
    let history = "Action=DescribeEnvironmentManagedActionHistory&EnvironmentName=shop-blue";
    assert!(play.done(history).await.contains(&id));
}
