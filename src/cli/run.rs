//! `bluegreen run`: makes a plan, writes it down, and drives.

use std::path::PathBuf;

use tracing::info;

use super::context::Context;
use super::finish::{Asked, drive};
use super::{Exit, Failed};
use crate::bundle;
use crate::config::{Config, Options};
use crate::deployment::Deployment;
use crate::plan::Bundle;
use crate::preflight::{self, Wanted};
use crate::store::StoreError;

/// What `run` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Version to release [default: with --bundle its name and hash, else the newest processed one]
    #[arg(long, env = "VERSION_LABEL", value_name = "LABEL")]
    version_label: Option<String>,
    /// Source bundle to upload and register
    #[arg(long, value_name = "FILE", conflicts_with = "s3_key")]
    bundle: Option<PathBuf>,
    /// Source bundle in the bucket to register
    #[arg(long, env = "S3_ARTIFACTS_OBJECT", value_name = "KEY")]
    s3_key: Option<String>,
    /// Stop before the last swap; `resume` goes on
    #[arg(long)]
    pause_before_cutover: bool,
}

impl Args {
    /// The same, pausing before the last swap.
    pub fn pausing(mut self) -> Args {
        self.pause_before_cutover = true;
        self
    }

    fn wanted(&self, config: &Config) -> Result<Wanted, Failed> {
        let mut label = self.version_label.clone().filter(|label| !label.is_empty());
        let key = self.s3_key.as_ref().filter(|key| !key.is_empty());
        if key.is_some() && label.is_none() {
            return Err(Failed::new(
                Exit::Refused,
                "--s3-key needs --version-label: the label to register the bundle under",
            ));
        }
        let bundle = match (&self.bundle, key) {
            (Some(path), _) => {
                let file = bundle::read(path)?;
                label.get_or_insert_with(|| bundle::label(&file));
                Some(bundle::addressed(&config.app, file))
            }
            (None, Some(key)) => Some(Bundle {
                key: key.clone(),
                file: None,
            }),
            (None, None) => None,
        };
        if let Some(label) = &label
            && (label.chars().count() > 100 || label.contains('/'))
        {
            return Err(Failed::new(
                Exit::Refused,
                format!(
                    "--version-label {label:?}: a version label has 1 to 100 characters and no slash"
                ),
            ));
        }
        Ok(Wanted {
            label,
            bundle,
            pause_before_cutover: self.pause_before_cutover,
        })
    }
}

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    let mut context = Context::open(options).await?;
    let config = context.options.config()?;
    let wanted = args.wanted(&config)?;
    let (cloud, sdk) = context.cloud().await?;
    let region = sdk.region().map(ToString::to_string).unwrap_or_default();
    let found = preflight::find_target(&cloud, &config, &region).await?;
    if let Some(other) = context.store.unfinished_of(&found.0)? {
        return Err(StoreError::InFlight {
            id: other.plan.id,
            application: config.app,
            blue: config.blue,
            state: other.state.kind().to_string(),
        }
        .into());
    }
    let id = ulid::Ulid::new().to_string();
    let plan = preflight::plan(&cloud, &config, id, wanted, found).await?;
    let mut deployment = Deployment::new(plan, context.clock.now());
    let lock = context.store.lock_drive(&deployment.plan.id)?;
    context.store.create(&deployment)?;
    let plan = &deployment.plan;
    info!(
        id = plan.id,
        "releasing {} onto {}, which runs {}",
        plan.version,
        plan.target.blue,
        plan.previous_version
    );
    drive(&mut context, &cloud, &mut deployment, lock, Asked::Release).await
}
