//! What instances are launched by: a launch template, or in an environment from before the service
//! made those, a launch configuration (developer guide, "Launch templates": an environment gets a
//! launch template for an option that needs one, and keeps it).

use crate::policy::beneath::resource::On;
use crate::world::setting::Setting;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Launch {
    Configuration,
    Template,
}

impl Launch {
    /// What an environment that is, or is not, older than launch templates has with these settings.
    pub fn of(is_older: bool, settings: &[Setting]) -> Launch {
        let asks = |setting: &Setting| {
            matches!(
                (setting.name.as_str(), setting.value.as_str()),
                ("DisableIMDSv1" | "EnableSpot", "true") | ("RootVolumeType", "gp3")
            )
        };
        match is_older && !settings.iter().any(asks) {
            true => Launch::Configuration,
            false => Launch::Template,
        }
    }

    pub fn create(self) -> &'static [(&'static str, On)] {
        match self {
            Launch::Configuration => &[
                (
                    "autoscaling:CreateLaunchConfiguration",
                    On::LaunchConfiguration,
                ),
                ("autoscaling:DescribeLaunchConfigurations", On::Any),
            ],
            Launch::Template => &[
                ("ec2:CreateLaunchTemplate", On::Any),
                ("ec2:DescribeLaunchTemplates", On::Any),
                ("ec2:DescribeLaunchTemplateVersions", On::Any),
            ],
        }
    }

    /// A launch configuration cannot be changed, and a launch template gets a new version.
    pub fn change(self) -> &'static [(&'static str, On)] {
        match self {
            Launch::Configuration => &[
                (
                    "autoscaling:CreateLaunchConfiguration",
                    On::LaunchConfiguration,
                ),
                (
                    "autoscaling:DeleteLaunchConfiguration",
                    On::LaunchConfiguration,
                ),
                ("autoscaling:DescribeLaunchConfigurations", On::Any),
            ],
            Launch::Template => &[
                ("ec2:CreateLaunchTemplateVersion", On::Any),
                ("ec2:DeleteLaunchTemplateVersions", On::Any),
                ("ec2:DescribeLaunchTemplateVersions", On::Any),
            ],
        }
    }

    pub fn terminate(self) -> &'static [(&'static str, On)] {
        match self {
            Launch::Configuration => &[(
                "autoscaling:DeleteLaunchConfiguration",
                On::LaunchConfiguration,
            )],
            Launch::Template => &[("ec2:DeleteLaunchTemplate", On::Any)],
        }
    }
}
