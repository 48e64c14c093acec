//! `bluegreen config`: whether the configuration can be used, and where each value comes from.
//! Sends no request to AWS and opens no journal.

use clap::Subcommand;

use super::context::sso_profile;
use super::exit::{Exit, Failed};
use super::output::say;
use super::run;
use crate::config::Options;
use crate::config::file::Problem;
use crate::config::layers::Layers;
use crate::report::settings;

/// What `config` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Report every mistake in the configuration of a release
    Check(run::Args),
    /// Show every setting of a release, its value in force and its source
    Show(Show),
}

/// What `config show` takes.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "show")]
struct Show {
    #[command(flatten)]
    release: run::Args,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Whether the command itself reports what is wrong with the file.
    pub fn checks(&self) -> bool {
        matches!(self.what, What::Check(_))
    }
}

pub(super) fn run(options: &Options, args: &Args, layers: &Layers) -> Result<Exit, Failed> {
    match &args.what {
        What::Check(release) => check(options, release, layers),
        What::Show(args) => {
            let options = in_use(options);
            let settings = layers.settings_of(&options);
            say(&match args.json {
                true => settings::json(&settings),
                false => settings::text(&settings),
            });
            Ok(Exit::Completed)
        }
    }
}

/// Refuses a file with mistakes, and reports all of them.
pub(super) fn whole(layers: &Layers) -> Result<(), Failed> {
    let problems = layers.file.iter().flat_map(|file| &file.problems);
    let told: Vec<_> = problems.map(ToString::to_string).collect();
    if told.is_empty() {
        return Ok(());
    }
    Err(Failed::new(Exit::Refused, told.join("\nerror: "))
        .hint("nothing was changed; put the file right, or leave it out with --config /dev/null"))
}

/// The options with the names of what a sandbox is seeded with, where one is used.
#[cfg(feature = "sandbox")]
pub(super) fn in_use(options: &Options) -> Options {
    let mut options = options.clone();
    if options.sandbox().is_some() {
        super::context::name_the_seeded(&mut options);
    }
    options
}

#[cfg(not(feature = "sandbox"))]
pub(super) fn in_use(options: &Options) -> Options {
    options.clone()
}

fn check(options: &Options, release: &run::Args, layers: &Layers) -> Result<Exit, Failed> {
    let options = in_use(options);
    let mut failed: Vec<Failed> = whole(layers).err().into_iter().collect();
    let mut problems = layers.file.iter().flat_map(|file| &file.problems);
    if !problems.any(Problem::is_of_the_text) {
        let (config, wrong) = options.examined();
        failed.extend(wrong.into_iter().map(Failed::from));
        failed.extend(release.without_bundle().wanted(&config).err());
        failed.extend(sso_profile().err());
    }
    if !failed.is_empty() {
        for failed in &failed {
            failed.print_as_one_of_several(layers);
        }
        return Ok(Exit::Refused);
    }
    if let Ok(config) = options.config() {
        for warning in config.warnings() {
            say(&format!("warning: {warning}"));
        }
    }
    say(&match &layers.file {
        Some(file) => format!("{} is in order.", file.path.display()),
        None => "The configuration is in order; there is no file.".to_owned(),
    });
    Ok(Exit::Completed)
}
