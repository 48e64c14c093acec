//! `bluegreen status --discover`: the orphaned resources at AWS.

use comfy_table::{Table, presets};
use serde::Serialize;

use super::cleanup::swap_by_hand;
use super::context::Context;
use super::exit::{Exit, Failed};
use super::find::InFlight;
use super::orphans::deployment_of;
use super::output::{say, tell};
use crate::clock::Moment;
use crate::clock::whole_seconds;
use crate::plan::{Strategy, TAG_BLUE, TAG_PRODUCTION_CNAME, template_name};
use crate::rebuild::strategy_of;
use crate::report::JSON_VERSION;
use crate::shared::DeploymentRecord;
use crate::text::for_shell;

/// An orphaned resource.
#[derive(Serialize)]
struct Left {
    kind: &'static str,
    name: String,
    application: String,
    /// The deployment that made it.
    deployment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    /// Of an environment: whether it holds its deployment's production CNAME.
    #[serde(skip_serializing_if = "Option::is_none")]
    serves_production: Option<bool>,
    /// The command that removes it safely, or leads there.
    remove_with: String,
    #[serde(skip)]
    age: String,
}

#[derive(Serialize)]
struct Document {
    version: u32,
    left: Vec<Left>,
}

pub(super) async fn run(mut context: Context, json: bool) -> Result<Exit, Failed> {
    context.names_a_bucket("what it owns would be shown as left")?;
    let left = left(&mut context).await?;
    if json {
        let document = Document {
            version: JSON_VERSION,
            left,
        };
        let text = serde_json::to_string_pretty(&document).map_err(|e| Failed::bug(&e))?;
        say(&text);
        return Ok(Exit::Completed);
    }
    if left.is_empty() {
        say("Nothing is left that no unfinished deployment owns.");
        return Ok(Exit::Completed);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "WHAT",
        "NAME",
        "APPLICATION",
        "AGE",
        "SERVES",
        "REMOVE WITH",
    ]);
    for left in left {
        let serves = match left.serves_production {
            Some(true) => "production",
            Some(false) => "nothing",
            None => "",
        };
        table.add_row([
            left.kind,
            &left.name,
            &left.application,
            &left.age,
            serves,
            &left.remove_with,
        ]);
    }
    tell(&table.trim_fmt());
    Ok(Exit::Completed)
}

async fn left(context: &mut Context) -> Result<Vec<Left>, Failed> {
    let (cloud, _) = context.cloud().await?;
    let environments = cloud.all_environments().await?;
    let named = environments.iter().map(|e| (e.id.clone(), e.name.clone()));
    let blues: Vec<_> = named.collect();
    let greens = cloud.greens(environments).await?;
    context.clock = cloud.corrected(context.clock);
    let now = context.clock.now();
    let InFlight { found, unseen } = context.unfinished().await?;
    // What the bucket owns would be shown as left.
    if let Some(failed) = unseen {
        return Err(failed);
    }
    let owned: Vec<String> = found
        .into_iter()
        .map(|(record, _)| record.deployment.plan.id)
        .collect();
    let blue_of = |tags: &[(String, String)]| {
        let (_, id) = tags.iter().find(|(key, _)| key == TAG_BLUE)?;
        let (_, name) = blues.iter().find(|(blue, _)| blue == id)?;
        Some(name.clone())
    };
    let is_owned = |id: &str| owned.iter().any(|owner| owner.eq_ignore_ascii_case(id));
    let age = |created: Option<Moment>| created.map(|at| whole_seconds(now.since(at)).to_string());
    let mut found = Vec::new();
    for (green, tags) in greens {
        let id = deployment_of(&tags);
        if id.is_empty() || is_owned(id) {
            continue;
        }
        let elsewhere = context.known_elsewhere(&cloud, (&green, &tags)).await?;
        let is_unfinished = |record: &DeploymentRecord| !record.deployment.state.is_end();
        if elsewhere.as_ref().is_some_and(is_unfinished) {
            continue;
        }
        let production = tags.iter().find(|(key, _)| key == TAG_PRODUCTION_CNAME);
        let serves = production.is_some_and(|(_, cname)| green.holds(cname));
        // It was to keep production, and does.
        let blue = blue_of(&tags);
        if serves && strategy_of(&tags) == Strategy::Promote && blue.is_none() {
            continue;
        }
        let remove_with = match (serves, blue) {
            (false, Some(_)) => format!("bluegreen cleanup {id}"),
            // Without blue nothing is left to release onto, and nothing to swap with.
            (false, None) => format!(
                "aws elasticbeanstalk terminate-environment --environment-id {}",
                for_shell(&green.id)
            ),
            (true, Some(blue)) if elsewhere.is_some() || context.has_ended(id).await? => {
                format!(
                    "{}, then bluegreen cleanup {id}",
                    swap_by_hand(&green.name, &blue)
                )
            }
            (true, Some(_)) => format!("bluegreen rollback {id}"),
            (true, None) => "nothing: it is all that serves".to_owned(),
        };
        found.push(Left {
            kind: "environment",
            remove_with,
            name: green.name,
            application: green.application,
            deployment: id.to_owned(),
            created_at: green.created.map(|at| at.to_string()),
            serves_production: Some(serves),
            age: age(green.created).unwrap_or_default(),
        });
    }
    for (application, templates) in cloud.templates().await? {
        for name in templates {
            let Some(id) = deployment_of_template(&name).filter(|id| !is_owned(id)) else {
                continue;
            };
            let created = created_with(&id);
            found.push(Left {
                kind: "template",
                remove_with: format!("bluegreen cleanup {id}"),
                name,
                application: application.clone(),
                created_at: created.map(|at| at.to_string()),
                serves_production: None,
                age: age(created).unwrap_or_default(),
                deployment: id,
            });
        }
    }
    if let Some(shared) = context.shared().await? {
        for lease in shared.leases().await?.answered()? {
            if lease.holder.is_none() || is_owned(&lease.deployment) {
                continue;
            }
            found.push(Left {
                kind: "lease",
                remove_with: format!("bluegreen cleanup {}", for_shell(&lease.deployment)),
                name: lease.target.blue,
                application: lease.target.application,
                created_at: Some(lease.taken_at.to_string()),
                serves_production: None,
                age: age(Some(lease.taken_at)).unwrap_or_default(),
                deployment: lease.deployment,
            });
        }
    }
    Ok(found)
}

/// The id in the name of a template of ours.
fn deployment_of_template(name: &str) -> Option<String> {
    let id = name.strip_prefix("bluegreen-")?.to_uppercase();
    (ulid::Ulid::from_string(&id).is_ok() && template_name(&id) == name).then_some(id)
}

/// When a deployment was begun: its id says so.
fn created_with(id: &str) -> Option<Moment> {
    let id = ulid::Ulid::from_string(id).ok()?;
    Some(Moment(id.timestamp_ms()))
}
