//! `bluegreen cleanup`: removes the orphaned resources of a deployment.

use std::io::{IsTerminal, Write};

use super::context::Context;
use super::exit::{Exit, Failed};
use super::orphans::{deployment_of, kept_elsewhere, tagged_by_this_program};
use super::output::say;
use super::session::Console;
use super::signals::Standing;
use crate::clock::Deadline;
use crate::cloud::AwsCloud;
use crate::cloud::Outcome;
use crate::cloud::Refusal;
use crate::config::Options;
use crate::plan::{Goal, template_name};
use crate::rebuild::{Remains, clean_up};
use crate::shared::{LeaseRecord, SharedState};
use crate::store::StoreError;
use crate::text::for_shell;

/// What `cleanup` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Deployment whose orphaned resources to remove, as `status --discover` names it
    id: String,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    let mut context = Context::open(options).await?;
    let id = context.whole_id(&args.id).await?;
    let has_ended = match context.find(Some(&id)).await {
        Ok(found) if !found.deployment.state.is_end() => {
            return Err(Failed::from(StoreError::in_flight(&found.deployment)));
        }
        Ok(_) => true,
        Err(failed) if failed.exit() == Exit::NoDeployment => false,
        Err(failed) => return Err(failed),
    };
    let (cloud, _) = context.cloud().await?;
    let remains = context.remains(&cloud, Some(&id)).await?;
    if let Some(remains) = &remains
        && let Some(record) = context
            .known_elsewhere(&cloud, (&remains.green, &remains.tags))
            .await?
    {
        return Err(kept_elsewhere(&record));
    }
    let templates = left_templates(&cloud, &id).await?;
    let shared = context.shared().await?;
    let lease = match &shared {
        Some(shared) => held_lease(shared, &id).await?,
        None => None,
    };
    context.clock = cloud.corrected(context.clock);
    let mut what = Vec::new();
    if let Some(remains) = &remains {
        what.push(format!("environment {}", remains.green.name));
    }
    what.extend(templates.iter().map(|(_, name)| format!("template {name}")));
    what.extend(lease.iter().map(|lease| {
        let target = &lease.target;
        format!("the lock of {}/{}", target.application, target.blue)
    }));
    if what.is_empty() {
        return Err(Failed::new(
            Exit::NoDeployment,
            format!("deployment {id} has left nothing in this region"),
        )
        .hint("`bluegreen status --discover` lists what is left"));
    }
    let question = format!("Remove {}, left by deployment {id}?", what.join(", "));
    if !args.yes && !confirmed(question).await? {
        say("Nothing was changed.");
        return Ok(Exit::Completed);
    }
    context.signals.stand(Standing::Begun {
        told: "interrupted by a signal, in the middle of the removal".to_owned(),
        hint: format!("remove the rest with: bluegreen cleanup {id}"),
    });
    if let (Some(lease), Some(shared)) = (lease, shared) {
        let console = Console::new(&context);
        let mut session = context.session(cloud.clone(), &console)?;
        let freed = session.free(shared, &lease.target, &id).await;
        freed.map_err(|error| context.failed(error))?;
    }
    if let Some(remains) = remains {
        return remove_green(&mut context, &cloud, &remains, has_ended).await;
    }
    for (application, template) in templates {
        match cloud
            .delete_template(&application, &template, &Deadline::default())
            .await
        {
            Outcome::Applied { .. } | Outcome::NotApplied(Refusal::AlreadySo(_)) => {}
            other => {
                let message = format!("template {template} could not be deleted: {other:?}");
                return Err(Failed::new(Exit::Denied, message));
            }
        }
    }
    say(&format!("Removed {}.", what.join(", ")));
    Ok(Exit::Completed)
}

/// Terminates green through the machine's own states: after a drain, and never while it holds the
/// production CNAME.
async fn remove_green(
    context: &mut Context,
    cloud: &AwsCloud,
    remains: &Remains,
    has_ended: bool,
) -> Result<Exit, Failed> {
    let config = context.config_for(remains)?;
    let new_id = ulid::Ulid::new().to_string();
    let deployment = clean_up(remains, &config, new_id.clone(), context.clock.now())?;
    tagged_by_this_program(remains, &deployment)?;
    let cname = &deployment.plan.production_cname;
    if remains.green.holds(cname) {
        let id = deployment_of(&remains.tags);
        let way_back = match has_ended {
            true => swap_by_hand(&remains.green.name, &deployment.plan.target.blue),
            false => format!("`bluegreen rollback {id}`"),
        };
        return Err(Failed::new(
            Exit::Refused,
            format!("green {} serves production ({cname})", remains.green.name),
        )
        .hint(format!(
            "nothing was changed; first bring production back to blue: {way_back}"
        )));
    }
    context.may_use_its_lease(&deployment.plan)?;
    let console = Console::new(context);
    let mut session = context.session(cloud.clone(), &console)?;
    let done = console.traced(Box::pin(session.clean_up(deployment))).await;
    context.told(done, Goal::Previous).await
}

/// The command that returns production to blue where a deployment has ended while users are on
/// green.
pub(super) fn swap_by_hand(green: &str, blue: &str) -> String {
    format!(
        "aws elasticbeanstalk swap-environment-cnames --source-environment-name {} \
         --destination-environment-name {}",
        for_shell(green),
        for_shell(blue)
    )
}

/// The templates that a deployment has left, each with its application.
pub(super) async fn left_templates(
    cloud: &AwsCloud,
    id: &str,
) -> Result<Vec<(String, String)>, Failed> {
    let name = template_name(id);
    let applications = cloud.templates().await?.into_iter();
    let left = applications.filter(|(_, templates)| templates.contains(&name));
    Ok(left
        .map(|(application, _)| (application, name.clone()))
        .collect())
}

/// The lock that a deployment still holds.
async fn held_lease(shared: &SharedState, id: &str) -> Result<Option<LeaseRecord>, Failed> {
    let leases = shared.leases().await?;
    let held = |lease: &LeaseRecord| lease.deployment == id && lease.holder.is_some();
    Ok(leases.answered()?.into_iter().find(held))
}

/// Requests a confirmation on the terminal, where a signal may come instead of the answer.
async fn confirmed(question: String) -> Result<bool, Failed> {
    let asked = tokio::task::spawn_blocking(move || ask(&question));
    asked.await.map_err(|e| Failed::bug(&e))?
}

fn ask(question: &str) -> Result<bool, Failed> {
    if !std::io::stdin().is_terminal() {
        return Err(Failed::new(
            Exit::Usage,
            format!("{question} There is no terminal to confirm on"),
        )
        .hint("nothing was changed; say --yes"));
    }
    let _ = write!(std::io::stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    let answer = answer.trim();
    Ok(read.is_ok() && (answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes")))
}
