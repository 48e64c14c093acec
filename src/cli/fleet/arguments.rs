//! What several of the commands of a fleet take.

use std::path::PathBuf;

/// The file of a fleet.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct FileArg {
    /// File that describes the fleet
    #[arg(value_name = "FILE", default_value = "fleet.toml")]
    pub file: PathBuf,
}

/// The version that a fleet releases.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct VersionArg {
    /// Version to release, in place of what the file says
    #[arg(long, env = "VERSION_LABEL", value_name = "LABEL")]
    pub version_label: Option<String>,
}

/// The version that the file names.
pub(super) const NO_VERSION: VersionArg = VersionArg {
    version_label: None,
};
