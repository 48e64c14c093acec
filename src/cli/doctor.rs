//! `bluegreen doctor`: the first-account check. Reads everything that a release would read,
//! with `--create` also rehearses one, and writes down what was asked and answered, without
//! anything that tells whose account it was.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::context::Context;
use super::plan::{Looked, look};
use super::rehearse::of_rehearsal;
use super::run::{self, Overridden, Which};
use super::{Exit, Failed, say, warn_of};
use crate::acceptance::all_set;
use crate::cloud::aws::Recorder;
use crate::config::keys::RELEASE;
use crate::config::{Config, Options};
use crate::plan::Strategy;
use crate::preflight::{Finding, Wanted};
use crate::recording::Recording;
use crate::report::outlook;
use crate::secrets::Secrets;

/// What `doctor` takes.
#[derive(Clone, Debug, clap::Args)]
#[group(id = RELEASE)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    overridden: Overridden,
    /// Rehearse a release too: make green from blue's template, give it the version, test it,
    /// remove it; it costs a second environment for some fifteen minutes
    #[arg(long)]
    create: bool,
    /// File to write [default: bluegreen-doctor-ID.json in this folder]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    let mut context = Context::open(options).await?;
    let recorder = Recorder::keeping();
    context.recorder = recorder.clone();
    let config = of_rehearsal(context.options.config()?);
    warn_of(&config);
    all_set(&config.tests, |name| std::env::var(name).ok())?;
    let (label, bundle) = args.which.version(&config)?;
    let wanted = Wanted {
        label,
        bundle,
        strategy: Strategy::Rehearse,
        pause_before_swap: false,
        pause_before_cutover: false,
        allow: args.overridden.checks(),
        reuse_version: args.which.reuse_version,
    };
    let mut verdicts = Vec::new();
    let done = examine(&mut context, &config, &wanted, args, &mut verdicts).await;
    if let Err(failed) = &done {
        let why = failed.message().to_owned();
        verdicts.push(["doctor".to_owned(), "failed".to_owned(), why]);
    }
    let (_, sdk) = context.cloud().await?;
    let recording = Recording {
        names: vec![
            ("application", "application", config.app.clone()),
            ("blue", "environment", config.blue.clone()),
            ("green", "environment", config.green.clone()),
            ("bucket", "bucket", config.bucket.clone()),
        ],
        region: sdk.region().map(ToString::to_string).unwrap_or_default(),
        exchanges: recorder.exchanges(),
        verdicts,
    };
    let variables: Vec<_> = config
        .tests
        .iter()
        .flat_map(|test| test.variables())
        .collect();
    let variables: Vec<_> = variables.into_iter().map(str::to_owned).collect();
    let document = recording.redacted(Secrets::of_this_process(&variables));
    let path = match &args.output {
        Some(path) => path.clone(),
        None => PathBuf::from(format!("bluegreen-doctor-{}.json", ulid::Ulid::new())),
    };
    write(&path, &document)?;
    say(&format!(
        "\n{} requests and answers are in {}: names, ids, addresses and values are replaced by pseudonyms. \
         Read it before you show it to anybody; `bluegreen sandbox --replay FILE` answers from it.",
        recording.exchanges.len(),
        path.display()
    ));
    done
}

/// Looks at everything, and rehearses where that is asked for and nothing refuses.
async fn examine(
    context: &mut Context,
    config: &Config,
    wanted: &Wanted,
    args: &Args,
    verdicts: &mut Vec<[String; 3]>,
) -> Result<Exit, Failed> {
    let Looked { findings, plan, .. } = look(context, config, wanted).await?;
    for finding in &findings {
        let verdict = outlook::in_words(&finding.verdict).to_owned();
        verdicts.push([finding.check.to_string(), verdict, finding.to_string()]);
    }
    say(&outlook::checks(&findings));
    if findings.iter().any(Finding::refuses) {
        say("\nA release would be refused. Nothing was changed.");
        return Ok(Exit::Refused);
    }
    let (blue, green) = (&config.blue, &config.green);
    if !args.create {
        say(&format!(
            "\nNothing refuses, and nothing was changed. `bluegreen doctor --create` rehearses a release \
             too: it makes the template and the environment {green}, deploys to it, tests it and removes \
             both. That costs a second environment for some fifteen minutes; {blue} is not touched."
        ));
        return Ok(Exit::Completed);
    }
    let template = plan.map(|plan| plan.version).unwrap_or_default();
    say(&format!(
        "\nRehearsing {template}: a template of {blue} and the environment {green} are made, deployed to, \
         tested and removed. {blue} is not touched.\n"
    ));
    let done = run::begin(context, config, wanted, args.which.wait).await;
    if let Some(rehearsed) = newest_rehearsal(context, config)? {
        for transition in context.store.transitions(&rehearsed)? {
            let passage = format!("to {}: {}", transition.to, transition.why);
            verdicts.push([transition.from, "left".to_owned(), passage]);
        }
    }
    done
}

/// The id of the newest rehearsal for this blue.
fn newest_rehearsal(context: &Context, config: &Config) -> Result<Option<String>, Failed> {
    let all = context.store.all()?;
    let of_blue = all.into_iter().filter(|deployment| {
        let plan = &deployment.plan;
        plan.rehearses() && plan.target.blue == config.blue && plan.target.application == config.app
    });
    Ok(of_blue.map(|deployment| deployment.plan.id).max())
}

/// Writes a file that nobody else may read, and that is not there yet.
fn write(path: &Path, document: &str) -> Result<(), Failed> {
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(path);
    let written = opened.and_then(|mut file| {
        file.write_all(document.as_bytes())?;
        file.write_all(b"\n")
    });
    written.map_err(|error| {
        let message = format!("cannot write {}: {error}", path.display());
        Failed::new(Exit::Refused, message).hint("name another file with --output")
    })
}
