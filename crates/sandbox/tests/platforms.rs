//! Platforms: which there are, and how requests name them.

mod play;

use play::{Play, STACK, all, between};

const VALUE: &str = "InvalidParameterValue";
const CREATE: &str = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two";
const BRANCH: &str = "arn:aws:elasticbeanstalk:us-east-1::platform/\
                      Node.js+20+running+on+64bit+Amazon+Linux+2023";

/// The words for a stack are cited in docs/reference/sandbox.md, those for an ARN are of a public
/// test of a client, those for none are EB CLI's (`ebcli/resources/strings.py`).
#[tokio::test]
async fn a_platform_that_is_not_offered_is_refused() {
    let play = Play::new();
    let arn = "arn:aws:elasticbeanstalk:us-east-1::platform/Nope/1.0.0";
    let no_base = "Unable to determine base for template pack (no solution stack)";
    let template = "Action=CreateConfigurationTemplate&ApplicationName=shop&TemplateName=t";
    let update = "Action=UpdateEnvironment&EnvironmentName=shop-blue";
    let bogus = "No Solution Stack named 'bogus' found.";
    let nope = format!("No Platform named '{arn}' found.");
    for request in [CREATE, template, update] {
        play.refused(&format!("{request}&SolutionStackName=bogus"), VALUE, bogus)
            .await;
        play.refused(&format!("{request}&PlatformArn={arn}"), VALUE, &nope)
            .await;
    }
    for request in [CREATE, template] {
        play.refused(request, VALUE, no_base).await;
    }
    let both = format!("{CREATE}&SolutionStackName={STACK}&PlatformArn={BRANCH}");
    let message = "SolutionStackName and PlatformArn may not both be specified.";
    play.refused(&both, "InvalidParameterCombination", message)
        .await;
    let tier = format!("{CREATE}&SolutionStackName={STACK}&Tier.Name=Bogus");
    play.refused(&tier, VALUE, "Invalid tier: Bogus/.").await;
}

/// An ARN without a version is that of the newest one; a template states its platform's ARN.
#[tokio::test]
async fn a_platform_is_named_by_its_arn() {
    let play = Play::new();
    for (name, arn) in [("t1", BRANCH.to_owned()), ("t2", format!("{BRANCH}/4.3.0"))] {
        let request = format!(
            "Action=CreateConfigurationTemplate&ApplicationName=shop&TemplateName={name}\
             &PlatformArn={arn}"
        );
        let told = play.done(&request).await;
        let stack = STACK.replace('+', " ");
        assert_eq!(between(&told, "<SolutionStackName>", "<"), stack);
        let told = between(&told, "<PlatformArn>", "<");
        assert_eq!(told, format!("{BRANCH}/4.3.0").replace('+', " "));
    }
}

/// An environment without a version has the sample application (openraven/magpie#48), and states
/// the template that launched it (API model, `EnvironmentDescription`).
#[tokio::test]
async fn an_environment_states_its_template_and_the_sample_application() {
    let play = Play::new();
    let template = "Action=CreateConfigurationTemplate&ApplicationName=shop&TemplateName=t";
    play.done(&format!("{template}&SolutionStackName={STACK}"))
        .await;
    let told = play.done(&format!("{CREATE}&TemplateName=t")).await;
    assert_eq!(between(&told, "<TemplateName>", "<"), "t");
    assert_eq!(between(&told, "<VersionLabel>", "<"), "Sample Application");
    let told = play
        .done("Action=DescribeEnvironments&EnvironmentNames.member.1=shop-blue")
        .await;
    assert!(!told.contains("<TemplateName>"), "{told}");
}

/// Developer guide, "General options for all environments": a namespace that is not there is an
/// unknown configuration setting (aws/aws-elastic-beanstalk-cli#532).
#[tokio::test]
async fn an_unknown_namespace_is_refused() {
    let play = Play::new();
    let option = "&OptionSettings.member.1.Namespace=aws:bogus\
                  &OptionSettings.member.1.OptionName=Any&OptionSettings.member.1.Value=1";
    let unknown = "Invalid option specification (Namespace: 'aws:bogus', OptionName: 'Any'): \
                   Unknown configuration setting.";
    let message = format!("Configuration validation exception: {unknown}");
    let template = "Action=CreateConfigurationTemplate&ApplicationName=shop&TemplateName=t";
    for request in [
        format!("{CREATE}&SolutionStackName={STACK}"),
        "Action=UpdateEnvironment&EnvironmentName=shop-blue".to_owned(),
        format!("{template}&SolutionStackName={STACK}"),
    ] {
        let request = format!("{request}{option}");
        play.refused(&request, "ConfigurationValidationException", &message)
            .await;
    }
    let validate = "Action=ValidateConfigurationSettings&ApplicationName=shop\
                    &EnvironmentName=shop-blue";
    let told = play.done(&format!("{validate}{option}")).await;
    assert_eq!(all(&told, "<Message>", "<"), [unknown]);
    assert_eq!(between(&told, "<Severity>", "<"), "error");
    let known = option.replace("aws:bogus", "aws:elasticbeanstalk:application:environment");
    let told = play.done(&format!("{validate}{known}")).await;
    assert!(!told.contains("<Severity>"), "{told}");
}

/// API model, `PlatformFilter` and `SearchFilter`: every filter must let a platform through.
#[tokio::test]
async fn platforms_are_filtered() {
    let play = Play::new();
    let versions = ("ListPlatformVersions", "Type", "<PlatformArn>");
    let branches = ("ListPlatformBranches", "Attribute", "<BranchName>");
    for ((operation, name, shown), attribute, operator, value, is_there) in [
        (versions, "PlatformName", "=", "Docker", false),
        (versions, "PlatformName", "contains", "Node.js", true),
        (versions, "PlatformOwner", "=", "self", false),
        (versions, "PlatformOwner", "!=", "self", true),
        (versions, "PlatformVersion", ">=", "4.10.0", false),
        (versions, "PlatformVersion", "<", "4.10.0", true),
        (versions, "PlatformLifecycleState", "=", "recommended", true),
        (versions, "SupportedTier", "=", "Worker/SQS/HTTP", true),
        (
            versions,
            "OperatingSystemName",
            "begins_with",
            "Windows",
            false,
        ),
        (branches, "PlatformName", "=", "Node.js", true),
        (branches, "TierType", "=", "Cluster/EKS", false),
        (branches, "LifecycleState", "in", "Retired", false),
        (branches, "LifecycleState", "not_in", "Retired", true),
        (branches, "BranchName", "ends_with", "2023", true),
    ] {
        let filter = format!(
            "&Filters.member.1.{name}={attribute}&Filters.member.1.Operator={operator}\
             &Filters.member.1.Values.member.1={value}"
        );
        let told = play.done(&format!("Action={operation}{filter}")).await;
        assert_eq!(told.contains(shown), is_there, "{filter}: {told}");
    }
    let two = "Action=ListPlatformBranches&Filters.member.1.Attribute=PlatformName\
               &Filters.member.1.Operator==&Filters.member.1.Values.member.1=Node.js\
               &Filters.member.2.Attribute=LifecycleState&Filters.member.2.Operator=in\
               &Filters.member.2.Values.member.1=Retired&Filters.member.2.Values.member.2=Beta";
    assert!(!play.done(two).await.contains("<BranchName>"));
    let unknown = "Action=ListPlatformBranches&Filters.member.1.Attribute=Colour\
                   &Filters.member.1.Operator==&Filters.member.1.Values.member.1=x";
    let message = "Filter Attribute 'Colour' is not valid.";
    play.refused(unknown, VALUE, message).await;
}
