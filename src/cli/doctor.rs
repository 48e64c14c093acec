//! `bluegreen doctor`: the first-account check. Reads everything that a release would read, with
//! `--create` also rehearses one, and records each request and answer without anything that
//! identifies the account.

mod template;

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use super::context::Context;
use super::exit::{Exit, Failed};
use super::output::say;
use super::plan::{Looked, look};
use super::rehearse::of_rehearsal;
use super::run::{self, Overridden, Which};
use super::session::go_on;
use super::signals::Standing;
use crate::cloud::Recorder;
use crate::config::keys::RELEASE;
use crate::config::{Config, Named, Options};
use crate::machine::Order;
use crate::plan::{Goal, Plan, Strategy};
use crate::preflight::{Finding, Wanted};
use crate::recording::{Exchange, Recording};
use crate::report::outlook;
use crate::secrets;

/// What `doctor` takes.
#[derive(Clone, Debug, clap::Args)]
#[group(id = RELEASE)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    overridden: Overridden,
    /// Rehearse a release too: create green from blue's template, deploy the version to it, test
    /// it, remove it; costs a second environment for some fifteen minutes
    #[arg(long)]
    create: bool,
    /// File to write [default: bluegreen-doctor-ID.json in the current folder]
    // By a name of its own: `output` in `bluegreen.toml` is the format of other commands.
    #[arg(long = "output", value_name = "FILE")]
    recording: Option<PathBuf>,
}

impl Args {
    /// Whether it changes nothing at AWS.
    pub(super) fn only_looks(&self) -> bool {
        !self.create
    }
}

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    let mut context = Context::open(options).await?;
    let recorder = Recorder::keeping();
    context.recorder = recorder.clone();
    let config = of_rehearsal(context.options.config()?);
    run::check(&config)?;
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
    let mut names = vec![
        ("application", "application", config.app.clone()),
        ("blue", "environment", config.blue.clone()),
        ("green", "environment", config.green.clone()),
        ("bucket", "bucket", config.bucket.clone()),
    ];
    // A bundle's is registered in the course of it.
    let registered = wanted.label.filter(|_| wanted.bundle.is_none());
    names.extend(registered.map(|label| ("version", "version", label)));
    let recording = Recording {
        names,
        region: sdk.region().map(ToString::to_string).unwrap_or_default(),
        exchanges: recorder.exchanges(),
        comparisons: recorder.comparisons(),
        verdicts,
    };
    let variables: Vec<_> = config
        .wishes
        .tests
        .iter()
        .flat_map(|test| test.variables())
        .collect();
    let variables: Vec<_> = variables.into_iter().map(str::to_owned).collect();
    let document = recording.redacted(secrets::of_this_process(&variables));
    let path = match &args.recording {
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

/// Runs every check, and rehearses where `--create` is given and nothing refuses.
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
    // Where no check refuses there is one.
    let Some(plan) = plan else {
        return Err(Failed::bug(&"nothing refuses, and there is no plan"));
    };
    say(&format!("\nThe template of {blue}, which costs nothing:\n"));
    template::examine(context, &plan, verdicts).await?;
    say(&format!(
        "\nRehearsing {}: a template of {blue} and the environment {green} are made, deployed to, \
         tested and removed. {blue} is not touched.\n",
        plan.version
    ));
    let before = newest_rehearsal(context, config)?;
    let mut done = run::begin(context, config, wanted, args.which.wait).await;
    let rehearsed = newest_rehearsal(context, config)?.filter(|id| Some(id) > before.as_ref());
    if let (Err(failed), Some(id)) = (&done, &rehearsed)
        && matches!(failed.exit(), Exit::Interrupted | Exit::Denied)
    {
        warn!(
            "the rehearsal did not come to its end: {}",
            failed.message()
        );
        done = Err(take_back(context, id, failed, verdicts).await);
    }
    if let Some(id) = rehearsed {
        for transition in context.store.transitions(&id)? {
            let passage = format!("to {}: {}", transition.to, transition.why);
            verdicts.push([transition.from, "left".to_owned(), passage]);
        }
    }
    verdicts.push(untouched(&context.recorder.exchanges(), &plan));
    done
}

/// Removes what an unfinished rehearsal has created; reports that, or what is left and the command
/// that removes it.
async fn take_back(
    context: &mut Context,
    id: &str,
    failed: &Failed,
    verdicts: &mut Vec<[String; 3]>,
) -> Failed {
    info!(
        id,
        "removing what the rehearsal has made, which takes some minutes; another signal leaves that to: \
         bluegreen rollback {id}"
    );
    context.signals.await_another();
    context.signals.stand(Standing::Begun {
        told: "interrupted by another signal, in the middle of the removal".to_owned(),
        hint: format!(
            "users are on blue, which was not touched; remove the rest with: bluegreen rollback {id}"
        ),
    });
    let removed = retreat(context, id).await;
    let why = failed.message();
    let (verdict, evidence, told) = match &removed {
        Ok(Exit::Completed) => {
            let message = format!("{why}; everything that was made is removed again");
            let told = Failed::new(failed.exit(), message);
            let hint = "users are on blue, which was not touched; run it again when you like";
            (
                "passed",
                "everything is removed".to_owned(),
                told.hint(hint),
            )
        }
        Ok(_) | Err(_) => {
            let kept = match &removed {
                Err(error) => error.message().to_owned(),
                Ok(_) => "the removal did not come to its end".to_owned(),
            };
            let left = match context.store.find(id) {
                Ok(Some(deployment)) => {
                    let plan = deployment.plan;
                    format!(
                        "the environment {} and the template {}",
                        plan.green, plan.template
                    )
                }
                Ok(None) | Err(_) => "an environment and a template".to_owned(),
            };
            let message = format!("{why}; {left} may be left: {kept}");
            let hint = format!(
                "users are on blue, which was not touched; remove them with: bluegreen rollback {id}"
            );
            (
                "FAILED",
                message.clone(),
                Failed::new(failed.exit(), message).hint(hint),
            )
        }
    };
    verdicts.push(["removal".to_owned(), verdict.to_owned(), evidence]);
    told
}

/// Takes over a rehearsal and rolls it back until nothing of it is left.
async fn retreat(context: &mut Context, id: &str) -> Result<Exit, Failed> {
    let found = context.find(Some(id)).await?;
    if found.deployment.state.is_end() {
        return Ok(Exit::Completed);
    }
    go_on(
        context,
        found,
        Order::Retreat,
        Goal::Previous,
        Named::default(),
    )
    .await
}

/// Whether no request that changes an environment was for blue.
fn untouched(exchanges: &[Exchange], plan: &Plan) -> [String; 3] {
    const READS: [&str; 6] = ["Check", "Describe", "Get", "List", "Simulate", "Validate"];
    let is_read = |operation: &str| READS.iter().any(|read| operation.starts_with(read));
    let asked = exchanges.iter().map(Exchange::operation);
    // A template is made of blue, which it leaves as it is.
    let changes: Vec<_> = asked
        .filter(|(operation, of)| {
            !of.is_empty() && !is_read(operation) && operation != "CreateConfigurationTemplate"
                || operation == "SwapEnvironmentCNAMEs"
        })
        .collect();
    let of_blue = [&plan.target.blue, &plan.blue_id];
    let found = changes
        .iter()
        .find(|(operation, of)| of_blue.contains(&of) || operation == "SwapEnvironmentCNAMEs");
    let (verdict, evidence) = match found {
        None => (
            "passed",
            format!(
                "of the requests that made, changed or removed an environment, {} in all, none was for {}",
                changes.len(),
                plan.target.blue
            ),
        ),
        Some((operation, _)) => (
            "FAILED",
            format!("{operation} was requested for {}", plan.target.blue),
        ),
    };
    ["blue".to_owned(), verdict.to_owned(), evidence]
}

/// The id of the newest rehearsal for this blue.
fn newest_rehearsal(context: &Context, config: &Config) -> Result<Option<String>, Failed> {
    let newest = context.store.newest()?;
    let of_blue = newest.into_iter().filter(|deployment| {
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
