//! The namespaces of option settings (developer guide, "General options for all environments" and
//! "Platform specific options").

use crate::query::options::unknown_option;
use crate::wire::error::ApiError;
use crate::world::setting::Setting;

/// The namespaces that environments of the sandbox's platform have. One with a colon at its end
/// stands for all below it.
const KNOWN: &[&str] = &[
    "aws:autoscaling:asg",
    "aws:autoscaling:launchconfiguration",
    "aws:autoscaling:scheduledaction",
    "aws:autoscaling:trigger",
    "aws:autoscaling:updatepolicy:rollingupdate",
    "aws:cloudformation:template:parameter",
    "aws:cloudformation:template:resource:property",
    "aws:ec2:instances",
    "aws:ec2:vpc",
    "aws:elasticbeanstalk:application",
    "aws:elasticbeanstalk:application:environment",
    "aws:elasticbeanstalk:application:environmentsecrets",
    "aws:elasticbeanstalk:cloudwatch:logs",
    "aws:elasticbeanstalk:cloudwatch:logs:health",
    "aws:elasticbeanstalk:command",
    "aws:elasticbeanstalk:control",
    "aws:elasticbeanstalk:customoption",
    "aws:elasticbeanstalk:environment",
    "aws:elasticbeanstalk:environment:process:",
    "aws:elasticbeanstalk:environment:proxy",
    "aws:elasticbeanstalk:environment:proxy:staticfiles",
    "aws:elasticbeanstalk:healthreporting:system",
    "aws:elasticbeanstalk:hostmanager",
    "aws:elasticbeanstalk:managedactions",
    "aws:elasticbeanstalk:managedactions:platformupdate",
    "aws:elasticbeanstalk:monitoring",
    "aws:elasticbeanstalk:sns:topics",
    "aws:elasticbeanstalk:sqsd",
    "aws:elasticbeanstalk:trafficsplitting",
    "aws:elasticbeanstalk:xray",
    "aws:elb:healthcheck",
    "aws:elb:listener",
    "aws:elb:listener:",
    "aws:elb:loadbalancer",
    "aws:elb:policies",
    "aws:elb:policies:",
    "aws:elbv2:listener:",
    "aws:elbv2:listenerrule:",
    "aws:elbv2:loadbalancer",
    "aws:rds:dbinstance",
];

/// Whether the service knows a namespace.
pub(crate) fn is_known(namespace: &str) -> bool {
    KNOWN.iter().any(|known| match known.ends_with(':') {
        true => namespace.len() > known.len() && namespace.starts_with(known),
        false => namespace == *known,
    })
}

/// Refuses settings in a namespace that the service does not know, and those of no option, as it
/// refuses a retired option.
pub(crate) fn check_namespaces(settings: &[Setting]) -> Result<(), ApiError> {
    let is_wrong = |s: &&Setting| !is_known(&s.namespace) || s.name.is_empty();
    match settings.iter().find(is_wrong) {
        None => Ok(()),
        Some(setting) => Err(refusal(setting)),
    }
}

/// The refusal of an option that the service does not know (aws/aws-elastic-beanstalk-cli#532,
/// pulumi/pulumi-aws#3461).
pub(crate) fn refusal(setting: &Setting) -> ApiError {
    ApiError::new(
        "ConfigurationValidationException",
        format!(
            "Configuration validation exception: {}",
            unknown_option(setting)
        ),
    )
}
