//! What to do about what the service is known to say. Pure.

/// What the service says, and what to do about it.
struct Known {
    /// A part of the text.
    says: &'static str,
    /// What to do; `{option}` is the option that the text names.
    todo: &'static str,
}

const fn known(says: &'static str, todo: &'static str) -> Known {
    Known { says, todo }
}

/// Texts of the service in public event logs and issues; the first that matches decides.
const KNOWN: [Known; 14] = [
    // aws/aws-elastic-beanstalk-cli#532, pulumi/pulumi-aws#3461.
    known(
        "Unknown configuration setting",
        "AWS has retired the option {option}: remove it from blue (aws elasticbeanstalk \
         update-environment --options-to-remove), then release again",
    ),
    // squidsolutions/aws-eb-shell#1.
    known(
        "Unknown or duplicate parameter",
        "blue's platform has no option {option}: remove it from blue (aws elasticbeanstalk \
         update-environment --options-to-remove), then release again",
    ),
    // aws/aws-elastic-beanstalk-cli#528.
    known(
        "The Launch Configuration creation operation is not available in your account",
        "set aws:autoscaling:launchconfiguration:DisableIMDSv1 = true on blue, so that Elastic \
         Beanstalk uses a launch template, then release again",
    ),
    // aws/elastic-beanstalk-roadmap#97.
    known(
        "access_logs.s3.prefix' cannot start or end with",
        "take the slash off aws:elbv2:loadbalancer:access_logs.s3.prefix on blue, then release \
         again",
    ),
    // Amazon EC2 Auto Scaling, PutScheduledUpdateGroupAction.
    known(
        "start time is in the past",
        "remove the scheduled actions whose time is over from blue, then release again",
    ),
    // aws-samples/aws-cdk-examples#1126.
    known(
        "must have instance profile associated with it",
        "set aws:autoscaling:launchconfiguration:IamInstanceProfile on blue, then release again",
    ),
    // EC2 API reference, "Error codes".
    known(
        "VcpuLimitExceeded",
        "ask AWS for more vCPUs (Service Quotas, ec2, L-1216C47A for standard instances) or stop \
         instances that nobody needs, then release again",
    ),
    known(
        "AddressLimitExceeded",
        "ask AWS for more Elastic IP addresses (Service Quotas, ec2, L-0263D0A3) or release some \
         that nobody needs, then release again",
    ),
    // hsingh/ansible-elastic-beanstalk#40.
    known(
        "Unable to download from S3 location",
        "put the version's bundle back in S3, then release again",
    ),
    // aws/elastic-beanstalk-roadmap#229.
    known(
        "has a dependent object",
        "remove what refers to that security group (a rule of another group, a network \
         interface), then terminate the environment",
    ),
    // meteor-up/mup-aws-beanstalk#2.
    known(
        "No Solution Stack named",
        "AWS no longer offers the platform version that blue runs: update blue's platform (aws \
         elasticbeanstalk list-available-solution-stacks names what is offered), then release \
         again",
    ),
    // boto/boto3#920.
    known(
        "Application Versions. Either remove some",
        "delete versions that nothing runs, or have the application's lifecycle policy do it \
         (aws elasticbeanstalk update-application-resource-lifecycle), then release again",
    ),
    // aws-solutions/instance-scheduler-on-aws#705.
    known(
        "are currently associated with this autoscaling group",
        "remove the scheduled actions that the text names from the Auto Scaling group, or \
         suspend its process ScheduledActions, then deploy again",
    ),
    // aws/aws-elastic-beanstalk-cli-setup#144.
    known(
        "It is currently pending deployment",
        "contact AWS support: Elastic Beanstalk neither terminates this environment nor aborts \
         its deployment",
    ),
];

/// What to do about a text of the service; none where it is not known.
#[must_use]
pub fn remedy(said: &str) -> Option<String> {
    let known = KNOWN.iter().find(|known| said.contains(known.says))?;
    let option = option_in(said);
    let option = option.unwrap_or_else(|| "that it names".to_owned());
    Some(known.todo.replace("{option}", &option))
}

/// `said`, and what to do about it where that is known.
pub(super) fn with_remedy(said: &str) -> String {
    match remedy(said) {
        Some(todo) => format!("{said}; what to do: {todo}"),
        None => said.to_owned(),
    }
}

/// The option that a text names: `(Namespace: '…', OptionName: '…')`, or the word behind
/// `parameter:`.
fn option_in(said: &str) -> Option<String> {
    let quoted = |label: &str| {
        let (_, rest) = said.split_once(label)?;
        let (_, rest) = rest.split_once('\'')?;
        Some(rest.split_once('\'')?.0)
    };
    if let (Some(namespace), Some(name)) = (quoted("Namespace:"), quoted("OptionName:")) {
        return Some(format!("{namespace}:{name}"));
    }
    let (_, rest) = said.split_once("duplicate parameter:")?;
    let word = rest.split_whitespace().next()?;
    Some(word.trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line decides the texts it is there for: none is shadowed by an earlier one.
    #[test]
    fn every_known_text_has_its_remedy() {
        for known in &KNOWN {
            let said = format!("ERROR: something {} or other.", known.says);
            let told = remedy(&said).expect("it is known");
            let (begins, _) = known
                .todo
                .split_once("{option}")
                .unwrap_or((known.todo, ""));
            assert!(told.starts_with(begins), "{told}");
        }
        assert_eq!(remedy("Stack deletion failed"), None);
    }

    /// The service's own sentences, word for word.
    #[test]
    fn a_retired_option_is_named() {
        for (said, option) in [
            (
                "ConfigurationValidationException: Configuration validation exception: Invalid \
                 option specification (Namespace: 'aws:elasticbeanstalk:environment', OptionName: \
                 'Domain'): Unknown configuration setting.",
                "AWS has retired the option aws:elasticbeanstalk:environment:Domain: remove",
            ),
            (
                "Configuration validation exception: Unknown or duplicate parameter: JVMOptions ",
                "has no option JVMOptions: remove",
            ),
            ("Unknown configuration setting", "the option that it names"),
        ] {
            let told = remedy(said).expect("it is known");
            assert!(told.contains(option), "{told}");
        }
    }
}
