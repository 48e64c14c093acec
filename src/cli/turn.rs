//! What is told of a turn that has not come, or never will.

use super::claim::{in_flight, whole_seconds};
use super::{Exit, Failed};
use crate::deployment::Deployment;
use crate::shared::{LeaseRecord, Ticket};
use crate::text::for_shell;
use crate::turn::{Hindrance, Overtaken};

impl From<Hindrance> for Failed {
    fn from(hindrance: Hindrance) -> Failed {
        match hindrance {
            Hindrance::Unfinished {
                deployment,
                lease,
                is_driven,
            } => busy_with(&deployment, lease.as_ref(), is_driven),
            Hindrance::Ahead(ahead) => goes_first(&ahead),
            Hindrance::Held(held) => held.into(),
        }
    }
}

impl From<Overtaken> for Failed {
    fn from(overtaken: Overtaken) -> Failed {
        Failed::new(Exit::Refused, overtaken)
            .hint("nothing was changed; run it again to release it all the same")
    }
}

/// Who waits and goes first.
fn goes_first(ahead: &[Ticket]) -> Failed {
    let [first, more @ ..] = ahead else {
        return Failed::new(Exit::Busy, "another release goes first");
    };
    let more = match more.len() {
        0 => String::new(),
        count => format!(", and {count} more go before this one"),
    };
    let message = format!(
        "{} has waited since {} to release, and goes first{more}",
        first.holder, first.joined_at
    );
    Failed::new(Exit::Busy, message).hint(format!(
        "nothing was changed; --wait 1h waits behind it; a process that is not heard of for {} loses \
         its place",
        whole_seconds(first.length())
    ))
}

/// The target has this deployment, which is not finished. Where no process drives it the text
/// names the commands that lead on: nothing does so by itself.
fn busy_with(deployment: &Deployment, lease: Option<&LeaseRecord>, is_driven: bool) -> Failed {
    let in_flight = in_flight(deployment);
    let id = for_shell(&deployment.plan.id);
    if !is_driven {
        let why = match deployment.state.rests() {
            true => "it waits for an operator",
            false => "no process runs it",
        };
        let message = format!(
            "{in_flight}, and {why}: `bluegreen resume {id}` continues it, `bluegreen rollback \
             {id}` rolls back"
        );
        return Failed::new(Exit::Busy, message);
    }
    let failed = Failed::from(in_flight);
    match lease.filter(|lease| lease.holder.is_some()) {
        Some(lease) => failed.hint(format!(
            "{}; `bluegreen wait {id}` waits for it, `bluegreen abort {id}` cancels it, `bluegreen \
             resume {id}` takes over once it is silent for {}",
            lease.in_words(),
            whole_seconds(lease.length())
        )),
        None => failed,
    }
}
