//! Every parameter of every describing operation changes its answer: none is dropped in silence.

mod play;

use std::collections::{BTreeMap, BTreeSet};

use bluegreen_sandbox::FaultEffect;
use play::{HOUR, Play, STACK, between, request_id};

/// The members of every operation's input (botocore 1.44.8, `elasticbeanstalk/2010-12-01`).
const MODEL: &str = include_str!("play/operations.json");

/// A request, and one more parameter that makes its answer another.
struct Case {
    operation: &'static str,
    request: String,
    parameter: &'static str,
    value: String,
}

fn case(operation: &'static str, request: &str, parameter: &'static str, value: &str) -> Case {
    Case {
        operation,
        request: request.to_owned(),
        parameter,
        value: value.to_owned(),
    }
}

/// What happened in a world before it is described.
struct Staged {
    gone: String,
    update: String,
    worker: String,
}

async fn staged(play: &Play) -> Staged {
    play.inject(FaultEffect::VersionFailsToDeploy {
        label: "v2".to_owned(),
    });
    for hours in [1, 3, 100] {
        play.inject(FaultEffect::ManagedActionDue {
            environment: "shop-blue".to_owned(),
            seconds: hours * HOUR,
        });
    }
    play.done("Action=CreateApplication&ApplicationName=other")
        .await;
    play.done("Action=CreateApplicationVersion&ApplicationName=other&VersionLabel=v1")
        .await;
    let template = "Action=CreateConfigurationTemplate&ApplicationName=shop&TemplateName=t";
    play.done(&format!("{template}&SolutionStackName={STACK}"))
        .await;
    let gone = play.launch("shop-gone").await;
    play.done("Action=TerminateEnvironment&EnvironmentName=shop-gone")
        .await;
    play.wait(600);
    let update = "Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2";
    let update = request_id(&play.done(update).await);
    play.wait(10 * HOUR);
    let worker = "Action=DescribeEnvironments&EnvironmentNames.member.1=shop-worker";
    let worker = between(&play.done(worker).await, "<EnvironmentId>", "<");
    Staged {
        gone,
        update,
        worker,
    }
}

fn cases(staged: &Staged) -> Vec<Case> {
    let filter = |name: &str| {
        format!(
            "PlatformName&Filters.member.1.Operator=%3D&Filters.member.1.Values.member.1={name}"
        )
    };
    let health = "EnvironmentName=shop-blue&AttributeNames.member.1=Status";
    let past = "2020-01-01T00:00:00Z";
    let early = "2027-01-15T08:05:00Z";
    let (gone, worker) = (staged.gone.as_str(), staged.worker.as_str());
    vec![
        case(
            "DescribeApplicationVersions",
            "",
            "ApplicationName",
            "other",
        ),
        case(
            "DescribeApplicationVersions",
            "",
            "VersionLabels.member.1",
            "v2",
        ),
        case("DescribeApplicationVersions", "", "MaxRecords", "1"),
        case("DescribeApplicationVersions", "", "NextToken", "after-1"),
        case(
            "DescribeApplications",
            "",
            "ApplicationNames.member.1",
            "other",
        ),
        case(
            "DescribeConfigurationOptions",
            "",
            "ApplicationName",
            "nowhere",
        ),
        case(
            "DescribeConfigurationOptions",
            "ApplicationName=shop",
            "TemplateName",
            "none",
        ),
        case(
            "DescribeConfigurationOptions",
            "",
            "EnvironmentName",
            "none",
        ),
        case(
            "DescribeConfigurationOptions",
            "",
            "SolutionStackName",
            "none",
        ),
        case("DescribeConfigurationOptions", "", "PlatformArn", "none"),
        case(
            "DescribeConfigurationOptions",
            "",
            "Options.member.1.OptionName",
            "MinSize",
        ),
        case(
            "DescribeConfigurationSettings",
            "EnvironmentName=shop-blue",
            "ApplicationName",
            "shop",
        ),
        case(
            "DescribeConfigurationSettings",
            "ApplicationName=shop",
            "TemplateName",
            "t",
        ),
        case(
            "DescribeConfigurationSettings",
            "ApplicationName=shop",
            "EnvironmentName",
            "shop-blue",
        ),
        case(
            "DescribeEnvironmentHealth",
            "",
            "EnvironmentName",
            "shop-blue",
        ),
        case("DescribeEnvironmentHealth", "", "EnvironmentId", worker),
        case(
            "DescribeEnvironmentHealth",
            health,
            "AttributeNames.member.2",
            "Color",
        ),
        case(
            "DescribeEnvironmentManagedActionHistory",
            "",
            "EnvironmentId",
            worker,
        ),
        case(
            "DescribeEnvironmentManagedActionHistory",
            "",
            "EnvironmentName",
            "shop-blue",
        ),
        case(
            "DescribeEnvironmentManagedActionHistory",
            "EnvironmentName=shop-blue",
            "NextToken",
            "after-1",
        ),
        case(
            "DescribeEnvironmentManagedActionHistory",
            "EnvironmentName=shop-blue",
            "MaxItems",
            "1",
        ),
        case(
            "DescribeEnvironmentManagedActions",
            "",
            "EnvironmentName",
            "shop-blue",
        ),
        case(
            "DescribeEnvironmentManagedActions",
            "",
            "EnvironmentId",
            worker,
        ),
        case(
            "DescribeEnvironmentManagedActions",
            "EnvironmentName=shop-blue",
            "Status",
            "Running",
        ),
        case("DescribeEnvironmentResources", "", "EnvironmentId", worker),
        case(
            "DescribeEnvironmentResources",
            "",
            "EnvironmentName",
            "shop-blue",
        ),
        case("DescribeEnvironments", "", "ApplicationName", "other"),
        case("DescribeEnvironments", "", "VersionLabel", "v2"),
        case(
            "DescribeEnvironments",
            "",
            "EnvironmentIds.member.1",
            worker,
        ),
        case(
            "DescribeEnvironments",
            "",
            "EnvironmentNames.member.1",
            "shop-worker",
        ),
        case(
            "DescribeEnvironments",
            &format!("IncludedDeletedBackTo={past}"),
            "IncludeDeleted",
            "false",
        ),
        case(
            "DescribeEnvironments",
            &format!("EnvironmentIds.member.1={gone}"),
            "IncludedDeletedBackTo",
            past,
        ),
        case("DescribeEnvironments", "", "MaxRecords", "1"),
        case("DescribeEnvironments", "", "NextToken", "after-1"),
        case("DescribeEvents", "", "ApplicationName", "other"),
        case("DescribeEvents", "", "VersionLabel", "v9"),
        case("DescribeEvents", "", "TemplateName", "t"),
        case("DescribeEvents", "", "EnvironmentId", gone),
        case("DescribeEvents", "", "EnvironmentName", "shop-gone"),
        case("DescribeEvents", "", "PlatformArn", "arn:none"),
        case("DescribeEvents", "", "RequestId", &staged.update),
        case("DescribeEvents", "", "Severity", "ERROR"),
        case("DescribeEvents", "", "StartTime", early),
        case("DescribeEvents", "", "EndTime", early),
        case("DescribeEvents", "", "MaxRecords", "1"),
        case("DescribeEvents", "", "NextToken", "after-1"),
        case(
            "DescribeInstancesHealth",
            "",
            "EnvironmentName",
            "shop-blue",
        ),
        case("DescribeInstancesHealth", "", "EnvironmentId", worker),
        case(
            "DescribeInstancesHealth",
            health,
            "AttributeNames.member.2",
            "Color",
        ),
        case("DescribeInstancesHealth", health, "NextToken", "after-1"),
        case("DescribePlatformVersion", "", "PlatformArn", "arn:none"),
        case(
            "ListPlatformBranches",
            "",
            "Filters.member.1.Attribute",
            &filter("Docker"),
        ),
        case("ListPlatformBranches", "", "MaxRecords", "0"),
        case("ListPlatformBranches", "", "NextToken", "after-1"),
        case(
            "ListPlatformVersions",
            "",
            "Filters.member.1.Type",
            &filter("Docker"),
        ),
        case("ListPlatformVersions", "", "MaxRecords", "0"),
        case("ListPlatformVersions", "", "NextToken", "after-1"),
        case("ListTagsForResource", "", "ResourceArn", "arn:none"),
    ]
}

/// An answer without the id of its request, which is another each time.
async fn told(play: &Play, request: &str) -> String {
    let (status, body) = play.ask(request).await;
    let end = body.rfind("<RequestId>").unwrap_or(body.len());
    format!("{status} {}", &body[..end])
}

#[tokio::test]
async fn every_parameter_of_the_model_makes_a_difference() {
    let play = Play::new();
    let staged = staged(&play).await;
    let mut tried = BTreeSet::new();
    for case in cases(&staged) {
        let base = format!("Action={}&{}", case.operation, case.request);
        let more = format!("{base}&{}={}", case.parameter, case.value);
        let again = told(&play, &base).await;
        assert_eq!(again, told(&play, &base).await, "{base} is steady");
        assert_ne!(again, told(&play, &more).await, "{more}");
        let member = case.parameter.split('.').next().unwrap_or_default();
        tried.insert((case.operation.to_owned(), member.to_owned()));
    }
    let model: BTreeMap<String, Vec<String>> = serde_json::from_str(MODEL).expect("it is JSON");
    let describing = model.into_iter();
    let describing =
        describing.filter(|(name, _)| name.starts_with("Describe") || name.starts_with("List"));
    let members = describing.flat_map(|(operation, members)| {
        members
            .into_iter()
            .map(move |member| (operation.clone(), member))
    });
    let members: BTreeSet<_> = members.collect();
    let left: Vec<_> = members.symmetric_difference(&tried).collect();
    assert!(left.is_empty(), "not tried, or not in the model: {left:?}");
}

/// A list of ten thousand environments by their ids, half of them terminated: with a scan of the
/// ids for each environment it would be a hundred million comparisons.
#[tokio::test]
async fn a_long_list_is_not_quadratic() {
    let play = Play::new();
    let many = 10_000;
    play.world(|world| {
        let blue = world.environment("shop-blue").expect("blue").clone();
        for number in 0..many {
            let mut one = blue.clone();
            one.name = format!("shop-{number}");
            one.id = format!("e-{number:010}");
            one.cname = None;
            if number % 2 == 1 {
                one.status = bluegreen_sandbox::Status::Terminated;
            }
            world.view.environments.push(one);
        }
    });
    play.wait(2 * HOUR);
    let ids: String = (0..many)
        .map(|n| format!("&EnvironmentIds.member.{}=e-{n:010}", n + 1))
        .collect();
    let list =
        format!("Action=DescribeEnvironments&IncludedDeletedBackTo=2020-01-01T00:00:00Z{ids}");
    let answer = play.done(&list).await;
    assert_eq!(play::all(&answer, "<EnvironmentId>", "<").len(), 1000);
    assert!(answer.contains("<NextToken>"));
}

/// A page costs what its own members cost, however long the list is: a hundred times as many
/// versions take far less than a hundred times as long.
#[tokio::test]
async fn a_page_of_a_long_list_costs_a_page() {
    let took = async |many: usize| {
        let play = Play::new();
        play.world(|world| {
            let version = world.view.versions[0].clone();
            for number in 0..many {
                let mut one = version.clone();
                one.label = format!("build-{number}");
                world.view.versions.push(one);
            }
        });
        let list = "Action=DescribeApplicationVersions&ApplicationName=shop&MaxRecords=1000";
        let mut least = std::time::Duration::MAX;
        for _ in 0..5 {
            let began = std::time::Instant::now();
            let answer = play.done(list).await;
            least = least.min(began.elapsed());
            assert_eq!(play::all(&answer, "<VersionLabel>", "<").len(), 1000);
        }
        least
    };
    let (some, many) = (took(1_000).await, took(100_000).await);
    assert!(many < 20 * some, "{some:?} and {many:?}");
}
