//! The levels of option settings: what source bundles set, and defaults that change over the
//! years (developer guide, "Configuration options", "Precedence").

use crate::world::World;
use crate::world::environment::Environment;
use crate::world::setting::Setting;

/// Defaults that the service lists for an environment from some years ago.
/// `EnhancedHealthAuthEnabled`: "Previously the default setting was `false`" (developer guide,
/// "Enhanced health reporting and monitoring").
const OF_OLD: [(&str, &str, &str); 3] = [
    (
        "aws:elasticbeanstalk:healthreporting:system",
        "EnhancedHealthAuthEnabled",
        "false",
    ),
    (
        "aws:autoscaling:launchconfiguration",
        "InstanceType",
        "t3.small",
    ),
    (
        "aws:autoscaling:launchconfiguration",
        "RootVolumeType",
        "gp2",
    ),
];

/// The defaults of an environment that is created today: other values, and options that did not
/// exist before.
const OF_TODAY: [(&str, &str, &str); 7] = [
    (
        "aws:elasticbeanstalk:healthreporting:system",
        "EnhancedHealthAuthEnabled",
        "true",
    ),
    (
        "aws:autoscaling:launchconfiguration",
        "InstanceType",
        "t3.small",
    ),
    (
        "aws:autoscaling:launchconfiguration",
        "RootVolumeType",
        "gp3",
    ),
    (
        "aws:autoscaling:launchconfiguration",
        "DisableIMDSv1",
        "true",
    ),
    ("aws:ec2:instances", "InstanceTypes", "t3.small"),
    ("aws:ec2:instances", "EnableSpot", "false"),
    ("aws:ec2:instances", "SupportedArchitectures", "x86_64"),
];

fn told(defaults: &[(&str, &str, &str)]) -> Vec<Setting> {
    let defaults = defaults.iter();
    let settings = defaults.map(|(namespace, name, value)| Setting::new(namespace, name, value));
    settings.collect()
}

impl World {
    /// The settings of a version's source bundle.
    pub(crate) fn bundled(&self, label: &str) -> Vec<Setting> {
        let all = self.quirks.bundled.iter();
        let of_version = all.filter(|(version, _)| version == label);
        of_version.map(|(_, setting)| setting.clone()).collect()
    }

    /// The defaults that a new environment gets.
    pub(crate) fn defaults_of_today(&self) -> Vec<Setting> {
        match self.quirks.defaults_change {
            true => told(&OF_TODAY),
            false => Vec::new(),
        }
    }

    /// The type of an environment's instances.
    pub(crate) fn instance_type<'a>(&self, environment: &'a Environment) -> &'a str {
        let launch = "aws:autoscaling:launchconfiguration";
        let types = environment.setting("aws:ec2:instances", "InstanceTypes");
        let first = types.and_then(|types| types.split(',').next());
        first
            .or(environment.setting(launch, "InstanceType"))
            .unwrap_or("t3.small")
    }

    /// Gives an environment the version's own settings from now on.
    pub(crate) fn bundle_again(&mut self, at: usize) {
        let bundled = self.bundled(&self.view.environments[at].version_label);
        self.view.environments[at].bundled = bundled;
    }

    /// Makes the source bundle of a version set an option.
    pub(crate) fn set_by_bundle(&mut self, label: &str, setting: Setting) {
        self.quirks.bundled.push((label.to_owned(), setting));
        for at in 0..self.view.environments.len() {
            self.bundle_again(at);
        }
        self.changed();
    }

    /// Makes an environment one from long ago: newer ones get other defaults.
    pub(crate) fn made_long_ago(&mut self, name: &str) {
        self.quirks.defaults_change = true;
        if let Some(environment) = self.environment_mut(name) {
            environment.defaults = told(&OF_OLD);
        }
        self.changed();
    }

    /// A setting as the service keeps it, which is not always as it was given: names in place
    /// of ARNs, units in small letters, lists in another order (hashicorp/terraform#3157).
    pub(crate) fn as_kept(&self, setting: Setting) -> Setting {
        if !self.quirks.defaults_change {
            return setting;
        }
        let value = &setting.value;
        let value = match setting.name.as_str() {
            "IamInstanceProfile" | "ServiceRole" => {
                let named = value.split_once("/").filter(|_| value.starts_with("arn:"));
                named.map_or(value.clone(), |(_, name)| name.to_owned())
            }
            "MonitoringInterval" => value.to_lowercase().trim_end_matches('s').to_owned(),
            "Subnets" | "ELBSubnets" | "SecurityGroups" => {
                let mut parts: Vec<_> = value.split(',').map(str::trim).collect();
                parts.reverse();
                parts.join(",")
            }
            _ => value.clone(),
        };
        Setting { value, ..setting }
    }
}
