//! `bluegreen rehearse`: makes green, gives it the version, tests it, and removes it. Blue
//! is never touched.

use super::context::Context;
use super::exit::{Exit, Failed};
use super::run::{self, Overridden, Which};
use crate::config::keys::RELEASE;
use crate::config::{Config, Options, OutputFlag};
use crate::plan::{Strategy, Wishes};
use crate::preflight::Wanted;

/// What `rehearse` takes.
#[derive(Clone, Debug, clap::Args)]
#[group(id = RELEASE)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    overridden: Overridden,
    #[command(flatten)]
    pub(super) output: OutputFlag,
}

impl Args {
    /// The rehearsal that the flags describe; reads the bundle.
    pub fn wanted(&self, config: &Config) -> Result<Wanted, Failed> {
        let (label, bundle) = self.which.version(config)?;
        Ok(Wanted {
            label,
            bundle,
            strategy: Strategy::Rehearse,
            pause_before_swap: false,
            pause_before_cutover: false,
            allow: self.overridden.checks(),
            reuse_version: self.which.reuse_version,
        })
    }
}

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    let mut context = Context::open(options).await?;
    let config = of_rehearsal(context.options.config()?);
    run::check(&config)?;
    let wanted = args.wanted(&config)?;
    run::begin(&mut context, &config, &wanted, args.which.wait).await
}

/// The configuration without what is only for production: hooks may change what production uses,
/// preview hostnames, approvals and messages are for people who wait for a release, and alarms monitor what a
/// rehearsal does not change.
pub(super) fn of_rehearsal(config: Config) -> Config {
    Config {
        preview: None,
        wishes: Wishes {
            hooks: Vec::new(),
            notify: Vec::new(),
            asks_approval: false,
            approval: None,
            alarms: Vec::new(),
            ..config.wishes
        },
        ..config
    }
}
