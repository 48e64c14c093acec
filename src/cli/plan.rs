//! `bluegreen plan`: what a run would do, and every check before it. Changes nothing.

use super::context::Context;
use super::exit::{Exit, Failed};
use super::output::{say, tell};
use super::run;
use crate::claim::{Claim, ClaimError};
use crate::config::{Config, Options};
use crate::plan::{Plan, Target};
use crate::preflight::{self, Check, Finding, Refused, Step, Wanted, steps};
use crate::report::outlook::{self, Outlook};
use crate::session::surroundings;
use crate::shared::SharedState;

/// What `plan` takes.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(id = "plan")]
pub(super) struct Args {
    #[command(flatten)]
    release: run::Args,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    let mut context = Context::open(options).await?;
    let config = context.options.config()?;
    run::check(&config)?;
    let wanted = args.release.wanted(&config)?;
    let looked = look(&mut context, &config, &wanted).await?;
    let outlook = Outlook {
        target: &looked.target,
        green: &config.green,
        strategy: wanted.strategy,
        plan: looked.plan.as_ref(),
        steps: &looked.steps,
        findings: &looked.findings,
    };
    Ok(told(&outlook, args))
}

/// Shows what a release with no flags would do.
pub(super) async fn show(options: &Options) -> Result<Exit, Failed> {
    run(options, &Args::default()).await
}

/// The findings before a release.
pub(super) struct Looked {
    pub target: Target,
    /// `None` where it cannot be made.
    pub plan: Option<Plan>,
    pub steps: Vec<Step>,
    pub findings: Vec<Finding>,
}

/// Runs every check that is possible before a release. Changes nothing.
pub(super) async fn look(
    context: &mut Context,
    config: &Config,
    wanted: &Wanted,
) -> Result<Looked, Failed> {
    let (cloud, sdk) = context.cloud().await?;
    let region = sdk.region().map(ToString::to_string).unwrap_or_default();
    let found = match preflight::find_target(&cloud, config, &region).await {
        Ok(found) => found,
        Err(Refused::Checks(findings)) => {
            let account = cloud.caller().await.map(|caller| caller.account);
            let target = Target {
                account: account.unwrap_or_default(),
                region,
                application: config.app.clone(),
                blue: config.blue.clone(),
            };
            return Ok(Looked {
                target,
                plan: None,
                steps: Vec::new(),
                findings,
            });
        }
        Err(refused) => return Err(refused.into()),
    };
    context.clock = cloud.corrected(context.clock);
    // Nothing is begun under it.
    let id = ulid::Ulid::new().to_string();
    let shared = config.shared_state;
    let shared = shared.then(|| SharedState::new(cloud.bucket(&config.bucket)));
    let often = (context.options.lease, config.wishes.limits.poll);
    let of = (&found.0, &*id);
    let mut claim = Claim::to_begin(&context.store, &context.clock, shared, of, often)?;
    let busy = claim
        .unobstructed(&mut context.store, &context.clock, &found.1)
        .await;
    let around = surroundings(&context.store, &found.0, &context.clock)?;
    let inspection = preflight::inspect(&cloud, config, wanted, &found, &around).await?;
    let inspection = inspection.with(free(busy));
    let (target, blue, _) = found;
    let plan = inspection.plan(config, id, wanted, (target.clone(), &blue));
    let steps = plan.as_ref().map(|plan| steps(plan, &around.past));
    Ok(Looked {
        target,
        plan,
        steps: steps.unwrap_or_default(),
        findings: inspection.findings,
    })
}

/// Prints the findings.
fn told(outlook: &Outlook<'_>, args: &Args) -> Exit {
    match args.json {
        true => say(&outlook::json(outlook)),
        false => tell(&outlook::text(outlook)),
    }
    match outlook.findings.iter().any(Finding::refuses) {
        true => Exit::Refused,
        false => Exit::Completed,
    }
}

/// Whether another deployment holds the target.
fn free(busy: Result<(), ClaimError>) -> Finding {
    let error = match busy {
        Ok(()) => return Check::FreeTarget.passed("no deployment of the target is in flight"),
        Err(error) => error,
    };
    let is_obstructed = matches!(error, ClaimError::Obstructed(_));
    let failed = Failed::from(error);
    match is_obstructed || failed.exit() == Exit::Refused {
        true => Check::FreeTarget.refused(failed.message(), Check::FreeTarget.about().remedy),
        false => Check::FreeTarget.unknown(failed.message()),
    }
}
