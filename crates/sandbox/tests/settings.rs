//! Tags and option settings of environments, as the service takes and tells them.

use bluegreen_sandbox::{FaultEffect, Form, Reply, World, advance, apply};

const START: u64 = 1_800_000_000_000;

/// A world, and how many hours of it were waited for.
struct Play(World, u64);

impl Play {
    fn new() -> Play {
        Play(World::seeded(START), 1)
    }

    /// The status and body of a request's answer, given as a query string.
    fn ask(&mut self, request: &str) -> (u16, String) {
        match apply(&mut self.0, &Form::parse(request.as_bytes())) {
            Reply::Answer { status, body, .. } => (status, body.replace("&apos;", "'")),
            Reply::Foreign(_) | Reply::Slow(..) | Reply::HangUp => (0, String::new()),
        }
    }

    #[track_caller]
    fn done(&mut self, request: &str) -> String {
        let (status, body) = self.ask(request);
        assert_eq!(status, 200, "{request}: {body}");
        body
    }

    #[track_caller]
    fn refused(&mut self, request: &str, words: &str) {
        let (status, body) = self.ask(request);
        assert!(
            status >= 400 && body.contains(words),
            "{request}: {status} {body}"
        );
    }
}

const LAUNCH: &str = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two&VersionLabel=v1&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20";

fn tags(list: &str, count: usize) -> String {
    let tag = |n| format!("&{list}.member.{n}.Key=t{n}&{list}.member.{n}.Value=");
    (1..=count).map(tag).collect()
}

/// "Elastic Beanstalk applies three system tags … you can specify up to 47 tags of your own"
/// (developer guide, "Tagging Elastic Beanstalk application resources", and
/// "Environment manifest": up to 47).
#[test]
fn an_environment_takes_47_tags_of_its_owner() {
    let mut play = Play::new();
    let too_many = format!("{LAUNCH}{}", tags("Tags", 48));
    play.refused(&too_many, "TooManyTagsException");
    play.done(&format!("{LAUNCH}{}", tags("Tags", 47)));
    let environment = play.0.environment("shop-two").expect("it is there");
    let arn = environment.arn("us-east-1", "123456789012");
    advance(&mut play.0, START + 600_000);
    let one_more = "&TagsToAdd.member.1.Key=more&TagsToAdd.member.1.Value=";
    let update = format!("Action=UpdateTagsForResource&ResourceArn={arn}{one_more}");
    play.refused(&update, "TooManyTagsException");
    play.done(&format!("{update}&TagsToRemove.member.1=t1"));
}

const SIZES: &str = "aws:autoscaling:asg";

fn update(play: &mut Play, fields: &str) {
    play.done(&format!(
        "Action=UpdateEnvironment&EnvironmentName=shop-blue{fields}"
    ));
    let later = START + 3_600_000 * play.1;
    play.1 += 1;
    advance(&mut play.0, later);
}

fn told(play: &mut Play, environment: &str, name: &str) -> String {
    let request = format!(
        "Action=DescribeConfigurationSettings&ApplicationName=shop&EnvironmentName={environment}"
    );
    value(&play.done(&request), name).unwrap_or_default()
}

/// What an answer tells of an option.
fn value(answer: &str, name: &str) -> Option<String> {
    let (_, after) = answer.split_once(&format!("<OptionName>{name}</OptionName>"))?;
    let (told, _) = after.split_once("</member>")?;
    let (_, value) = told.split_once("<Value>")?;
    Some(value.split('<').next().unwrap_or_default().to_owned())
}

fn bundle_sets(play: &mut Play, label: &str, option: &str, value: &str) {
    play.0.inject(FaultEffect::VersionSets {
        label: label.to_owned(),
        namespace: SIZES.to_owned(),
        option: option.to_owned(),
        value: value.to_owned(),
    });
}

/// "Settings applied directly to the environment … Configuration files (.ebextensions) …
/// Default values", in this order of precedence; a template holds only what was applied
/// directly; an option that is removed falls back to the level below (developer guide,
/// "Configuration options", and "Setting configuration options after your environment is
/// created"; API reference, `UpdateEnvironment`, `OptionsToRemove`).
#[test]
fn a_setting_that_is_removed_falls_back_to_the_level_below() {
    let mut play = Play::new();
    bundle_sets(&mut play, "v1", "MinSize", "3");
    bundle_sets(&mut play, "v2", "MinSize", "1");
    assert_eq!(
        told(&mut play, "shop-blue", "MinSize"),
        "2",
        "it is applied"
    );
    let member = |list: &str, value: &str| {
        format!("&{list}.member.1.Namespace={SIZES}&{list}.member.1.OptionName=MinSize{value}")
    };
    update(&mut play, &member("OptionsToRemove", ""));
    assert_eq!(told(&mut play, "shop-blue", "MinSize"), "3", "the bundle's");
    let blue = play.0.environment("shop-blue").expect("blue");
    assert_eq!(blue.instances.len(), 3);
    let template =
        "Action=CreateConfigurationTemplate&ApplicationName=shop&TemplateName=t&EnvironmentId=";
    let id = blue.id.clone();
    play.done(&format!("{template}{id}"));
    let describe = "Action=DescribeConfigurationSettings&ApplicationName=shop&TemplateName=t";
    let kept = play.done(describe);
    assert_eq!(value(&kept, "MinSize"), None, "{kept}");
    assert_eq!(value(&kept, "MaxSize").as_deref(), Some("4"));
    update(&mut play, "&VersionLabel=v2");
    assert_eq!(told(&mut play, "shop-blue", "MinSize"), "1");
    let value = "&OptionSettings.member.1.Value=2";
    update(&mut play, &member("OptionSettings", value));
    update(&mut play, "&VersionLabel=v1");
    assert_eq!(told(&mut play, "shop-blue", "MinSize"), "2", "it masks");
}

/// "Previously the default setting was `false`" (developer guide, "Enhanced health reporting and
/// monitoring", of `EnhancedHealthAuthEnabled`): an environment keeps the defaults of its day,
/// its clone gets today's; and values are told as the service spells them
/// (hashicorp/terraform#3157).
#[test]
fn a_clone_of_an_old_environment_has_the_defaults_of_today() {
    let mut play = Play::new();
    play.0.inject(FaultEffect::MadeLongAgo {
        environment: "shop-blue".to_owned(),
    });
    play.0.set(
        "shop-blue",
        "aws:autoscaling:launchconfiguration",
        "MonitoringInterval",
        "5 Minutes",
    );
    let id = play.0.environment("shop-blue").expect("blue").id.clone();
    play.done(&format!(
        "Action=CreateConfigurationTemplate&ApplicationName=shop&TemplateName=t&EnvironmentId={id}"
    ));
    play.done("Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two&VersionLabel=v1&TemplateName=t");
    for (option, of_blue, of_clone) in [
        ("EnhancedHealthAuthEnabled", "false", "true"),
        ("SupportedArchitectures", "", "x86_64"),
        ("MonitoringInterval", "5 Minutes", "5 minute"),
        ("DeploymentPolicy", "AllAtOnce", "AllAtOnce"),
    ] {
        assert_eq!(told(&mut play, "shop-blue", option), of_blue, "{option}");
        assert_eq!(told(&mut play, "shop-two", option), of_clone, "{option}");
    }
}

/// An option that is told without a value while it is not set is told once where it is.
#[test]
fn an_option_that_is_set_is_told_once() {
    let mut play = Play::new();
    let namespace = "aws:autoscaling:launchconfiguration";
    let told = |play: &mut Play| {
        let settings =
            "Action=DescribeConfigurationSettings&ApplicationName=shop&EnvironmentName=shop-blue";
        play.done(settings).matches(">EC2KeyName<").count()
    };
    assert_eq!(told(&mut play), 1);
    play.0.set("shop-blue", namespace, "EC2KeyName", "laptop");
    assert_eq!(told(&mut play), 1);
}

/// AWS CLI reference, `validate-configuration-settings`: no message where all is valid, and an
/// error for an option that the service does not know.
#[test]
fn settings_are_validated_by_whether_there_is_such_an_option() {
    let mut play = Play::new();
    let validate = "Action=ValidateConfigurationSettings&ApplicationName=shop&EnvironmentName=shop-blue\
        &OptionSettings.member.1.Namespace=aws:elasticbeanstalk:environment\
        &OptionSettings.member.1.OptionName=Domain&OptionSettings.member.1.Value=x";
    assert!(play.done(validate).contains("<Messages></Messages>"));
    play.0
        .inject(bluegreen_sandbox::FaultEffect::RetiredOption {
            namespace: "aws:elasticbeanstalk:environment".to_owned(),
            name: "Domain".to_owned(),
        });
    let told = play.done(validate);
    let words = "(Namespace: 'aws:elasticbeanstalk:environment', OptionName: 'Domain'): Unknown \
                 configuration setting.";
    assert!(told.replace("&apos;", "'").contains(words), "{told}");
    assert!(told.contains("<Severity>error</Severity>"), "{told}");
}
