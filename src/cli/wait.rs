//! `bluegreen wait`: returns once a deployment has come to a state, for scripts.

use std::time::Duration;

use clap::ValueEnum;
use tracing::warn;

use super::context::Context;
use super::exit::{Exit, Failed, exit_code};
use super::output::say;
use crate::config::Options;
use crate::machine::{Kind, State};
use crate::plan::Goal;
use crate::table::duration;

/// What `wait` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Deployment; may be omitted if exactly one is in flight
    id: Option<String>,
    /// What to wait for
    #[arg(long = "for", value_name = "STATE", value_enum, default_value_t)]
    until: Until,
    /// Timeout of the wait [default: none]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Until {
    /// It has ended, or waits for an operator
    #[default]
    Rest,
    /// It has ended, in any state
    End,
    /// The new version is released
    Completed,
    /// It has rolled back to the previous version
    RolledBack,
    /// It is held: users are on green, and a person decides
    Held,
    /// It pauses before a swap, as configured
    Paused,
    /// It is stuck: a person must act
    Stuck,
}

/// How often the journal and its copy are read.
const LOOK_AFTER: Duration = Duration::from_secs(2);

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    let context = Context::for_reading(options).await?;
    let since = context.clock.now();
    let paused = options.ci.exit_code_paused;
    let mut id = args.id.clone();
    let mut was_carried_on = true;
    loop {
        let left = args.timeout.map(|timeout| {
            let waited = context.clock.now().since(since);
            (timeout.saturating_sub(waited), timeout)
        });
        let found = match context.find(id.as_deref()).await {
            Ok(found) => found.deployment,
            // A bucket that does not answer for now is no answer.
            Err(failed) if failed.is_passing() => {
                if let Some((Duration::ZERO, _)) = left {
                    return Err(failed);
                }
                warn!("{}", failed.message());
                rest(&context, left).await?;
                continue;
            }
            Err(failed) => return Err(failed),
        };
        let id = &*id.insert(found.plan.id.clone());
        let kind = found.state.kind();
        if args.until.is_met(&found.state) {
            say(&format!("{id} {kind}"));
            return Ok(match args.until {
                Until::Rest | Until::End => exit_code(found.state.rest(), Goal::Release, paused),
                _ => Exit::Completed,
            });
        }
        if args.until.cannot_be_met(&found.state) {
            let message = format!("deployment {id} is {kind}: {}", found.meaning());
            let exit = match exit_code(found.state.rest(), Goal::Release, paused) {
                Exit::Completed | Exit::Paused(_) => Exit::Refused,
                exit => exit,
            };
            let failed = Failed::new(exit, message).of(id);
            return Err(failed.hint("it does not reach that state any more by itself"));
        }
        let lease = context.lease_of(&found).await;
        let is_carried_on = context.is_carried_on(&found, lease.as_ref());
        if was_carried_on && !is_carried_on && !found.state.rests() {
            warn!(
                id,
                "no process runs this deployment, which is {kind}: waiting for one; continue it with \
                 bluegreen resume {id}"
            );
        }
        was_carried_on = is_carried_on;
        if let Some((Duration::ZERO, timeout)) = left {
            let message = format!(
                "deployment {id} is {kind} after {}: {}",
                humantime::format_duration(timeout),
                found.meaning()
            );
            let hint = match (found.state.rests(), is_carried_on) {
                (true, _) => format!(
                    "it waits for an operator: bluegreen resume {id} continues it, bluegreen rollback \
                     {id} rolls it back"
                ),
                (false, true) => format!("it continues: bluegreen status {id}"),
                (false, false) => {
                    format!("no process runs it; continue with: bluegreen resume {id}")
                }
            };
            return Err(Failed::new(Exit::Interrupted, message).of(id).hint(hint));
        }
        rest(&context, left).await?;
    }
}

/// Waits until the next poll, and no longer than there is time left.
async fn rest(context: &Context, left: Option<(Duration, Duration)>) -> Result<(), Failed> {
    let left = left.map_or(Duration::MAX, |(left, _)| left);
    let sleeps = async {
        tokio::time::sleep(LOOK_AFTER.min(context.clock.wall(left))).await;
        Ok(())
    };
    context.signals.unless(sleeps).await
}

impl Until {
    fn is_met(self, state: &State) -> bool {
        match self {
            Until::Rest => state.rests(),
            Until::End => state.is_end(),
            Until::Completed => state.kind() == Kind::Completed,
            Until::RolledBack => state.kind() == Kind::RolledBack,
            Until::Held => state.kind() == Kind::Held,
            Until::Paused => {
                matches!(state.kind(), Kind::AwaitingSwap | Kind::AwaitingCutover)
            }
            Until::Stuck => state.kind() == Kind::Stuck,
        }
    }

    /// Whether it can no longer come to that: it has ended in another state, or is held, which only
    /// a decision ends. A pause that the plan contains does not count.
    fn cannot_be_met(self, state: &State) -> bool {
        let is_held = state.kind() == Kind::Held && self != Until::End;
        (state.is_end() || is_held) && !self.is_met(state)
    }
}
