//! What people ask of Elastic Beanstalk, as forms of its Query API.

/// Registers the version `hotfix`.
pub const HOTFIX: &str = "Action=CreateApplicationVersion&ApplicationName=shop&VersionLabel=hotfix\
                          &SourceBundle.S3Bucket=shop-artifacts&SourceBundle.S3Key=shop/v1.zip";

pub fn deploys(name: &str, label: &str) -> String {
    format!("Action=UpdateEnvironment&EnvironmentName={name}&VersionLabel={label}")
}

pub fn sets(name: &str, options: &[(&str, &str)]) -> String {
    let mut form = format!("Action=UpdateEnvironment&EnvironmentName={name}");
    for (number, (option, value)) in (1..).zip(options) {
        let (namespace, name) = option.rsplit_once(':').expect("NAMESPACE:OPTION");
        let member = format!("OptionSettings.member.{number}");
        form.push_str(&format!(
            "&{member}.Namespace={namespace}&{member}.OptionName={name}&{member}.Value={value}"
        ));
    }
    form
}

pub fn swaps(a: &str, b: &str) -> String {
    format!("Action=SwapEnvironmentCNAMEs&SourceEnvironmentName={a}&DestinationEnvironmentName={b}")
}

pub fn terminates(name: &str) -> String {
    format!("Action=TerminateEnvironment&EnvironmentName={name}")
}
