//! What each target of a fleet is released with: its own settings over those that all share.

use std::collections::BTreeSet;

use clap::{Command, FromArgMatches};

use super::super::config::in_use;
use super::super::context::Context;
use super::super::exit::{Exit, Failed};
use super::super::run;
use crate::config::file::File;
use crate::config::fleet::{FleetFile, Query, Target};
use crate::config::keys::leaf;
use crate::config::layers::of_file;
use crate::config::{Config, Options};
use crate::fleet::{Member, Standing};
use crate::plan::TAG_DEPLOYMENT;
use crate::preflight::Wanted;

/// How a target is released.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub options: Options,
    pub config: Config,
    pub args: run::Args,
}

impl Prepared {
    /// The settings of a target, checked; `own` are those of this process.
    pub fn new(
        (target, release): (&Target, &Command),
        own: &Options,
        version: Option<&String>,
    ) -> Result<Prepared, Failed> {
        let about = |failed: Failed| failed.about(&format!("target {}", target.name));
        let (options, mut args) = settings((&target.settings, release), own).map_err(about)?;
        if version.is_some() {
            args.version(version.cloned());
        }
        let config = options.config().map_err(|error| about(error.into()))?;
        Ok(Prepared {
            options,
            config,
            args,
        })
    }

    /// The target as the fleet's record holds it before it begins.
    pub fn member(&self, target: &Target, query: Option<usize>) -> Member {
        Member {
            name: target.name.clone(),
            wave: target.wave,
            query,
            region: self.options.region.clone(),
            application: self.config.app.clone(),
            blue: self.config.blue.clone(),
            version: self.args.version_label(),
            standing: Standing::Waiting,
            attempt: None,
            released: None,
            live: None,
            why: None,
        }
    }

    /// A context for it.
    pub fn context(&self, of: &Context) -> Result<Context, Failed> {
        of.of_target(self.options.clone())
    }

    /// Names the version where the file does not: that of its bundle, else the newest one now.
    pub async fn settle_its_version(&mut self, of: &Context) -> Result<(), Failed> {
        if self.args.version_label().is_some() {
            return Ok(());
        }
        let version = match self.wanted()?.label {
            Some(label) => Some(label),
            None => {
                let (cloud, _) = self.context(of)?.cloud().await?;
                let newest = cloud.newest_version(&self.config.app).await?;
                newest.map(|newest| newest.label)
            }
        };
        self.args.version(version);
        Ok(())
    }

    /// What its release wants; reads its bundle.
    pub fn wanted(&self) -> Result<Wanted, Failed> {
        self.args.wanted(&self.config)
    }
}

/// A release's flags with the values of a file, and what is of this process.
fn settings(
    (file, release): (&File, &Command),
    own: &Options,
) -> Result<(Options, run::Args), Failed> {
    let wrong = |error: clap::Error| {
        let told = error.to_string();
        let told = told.trim_start_matches("error: ");
        let told = told.split("\n\n").next().unwrap_or(told).trim();
        Failed::new(Exit::Refused, told).hint("nothing was changed; put the file right")
    };
    let matches = of_file(release, file).map_err(wrong)?;
    let given = Options::from_arg_matches(&matches).map_err(wrong)?;
    let args = run::Args::from_arg_matches(leaf(&matches)).map_err(wrong)?;
    let options = Options {
        state: own.state.clone(),
        state_key: own.state_key.clone(),
        no_shared_state: own.no_shared_state || given.no_shared_state,
        log_format: own.log_format,
        quiet: own.quiet,
        verbose: own.verbose,
        color: own.color,
        #[cfg(feature = "sandbox")]
        sandbox: own.sandbox.clone(),
        #[cfg(feature = "sandbox")]
        sandbox_speed: own.sandbox_speed,
        #[cfg(feature = "sandbox")]
        sandbox_policy: own.sandbox_policy.clone(),
        ..given
    };
    Ok((in_use(&options), args))
}

/// The targets that the queries of a file find now. An environment that bluegreen has made counts
/// only where it is the only one of its application that has the tags: it serves then.
pub(super) async fn found(
    context: &Context,
    file: &FleetFile,
    release: &Command,
) -> Result<Vec<(Target, usize)>, Failed> {
    let mut found: Vec<(Target, usize)> = Vec::new();
    let mut names: BTreeSet<String> = file.targets.iter().map(|t| t.name.clone()).collect();
    // One that the file names, or that an earlier query has found, is what that says.
    let environment = |target: &Target| {
        ["region", "app", "blue"].map(|key| target.settings.value(key).unwrap_or_default())
    };
    let mut known: BTreeSet<_> = file.targets.iter().map(environment).collect();
    for (number, query) in file.queries.iter().enumerate() {
        for target in answers(context, query, release).await? {
            if !known.insert(environment(&target)) {
                continue;
            }
            let region = target.settings.value("region").unwrap_or_default();
            let mut named = target;
            if names.contains(&named.name) {
                named.name = format!("{region}/{}", named.name);
            }
            if !names.insert(named.name.clone()) {
                let message = format!("two targets of the fleet are called {}", named.name);
                return Err(Failed::new(Exit::Refused, message).hint(
                    "nothing was changed; let one query find each environment, or name it in a \
                     [[target]] of its own",
                ));
            }
            found.push((named, number));
        }
    }
    Ok(found)
}

async fn answers(
    context: &Context,
    query: &Query,
    release: &Command,
) -> Result<Vec<Target>, Failed> {
    let (options, _) = settings((&query.target.settings, release), &context.options)?;
    let app = query.target.settings.value("app");
    let (cloud, _) = context.of_target(options)?.cloud().await?;
    let mut matching = Vec::new();
    for environment in cloud.all_environments().await? {
        if app
            .as_ref()
            .is_some_and(|app| *app != environment.application)
        {
            continue;
        }
        let tags = cloud.tags(&environment.arn).await?;
        let has =
            |(key, value): (&String, &String)| tags.iter().any(|(k, v)| k == key && v == value);
        if query.tags.iter().all(has) {
            let is_made = tags.iter().any(|(key, _)| key == TAG_DEPLOYMENT);
            matching.push((environment.application, environment.name, is_made));
        }
    }
    matching.sort();
    let is_alone = |app: &str| matching.iter().filter(|(of, ..)| of == app).count() == 1;
    let serving = matching
        .iter()
        .filter(|(app, _, is_made)| !is_made || is_alone(app));
    let target = |(app, blue, _): &(String, String, bool)| Target {
        name: blue.clone(),
        settings: query.target.settings.clone().of(app, blue),
        ..query.target.clone()
    };
    Ok(serving.map(target).collect())
}

/// The target that a query had found, as a record holds it.
pub(super) fn again(file: &FleetFile, member: &Member) -> Result<Target, Failed> {
    let gone = || {
        let message = format!(
            "target {} is in the fleet's record, and the file no longer has it",
            member.name
        );
        Failed::new(Exit::Refused, message).hint(
            "nothing was changed; bring it back into the file: a fleet that has begun keeps its \
             targets and its waves",
        )
    };
    match member.query {
        None => {
            let target = file
                .targets
                .iter()
                .find(|target| target.name == member.name);
            target.cloned().ok_or_else(gone)
        }
        Some(number) => {
            let query = file.queries.get(number).ok_or_else(gone)?;
            Ok(Target {
                name: member.name.clone(),
                wave: member.wave,
                settings: query
                    .target
                    .settings
                    .clone()
                    .of(&member.application, &member.blue),
            })
        }
    }
}
