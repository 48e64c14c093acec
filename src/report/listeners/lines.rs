//! What happens as lines of the log.

use humantime::format_duration;
use tracing::{debug, info, warn};

use crate::events::{Answer, Approval, DeploymentEvent, Drain, Happened, Listener};
use crate::fidelity::Weight;
use crate::plan::Role;

/// Writes a line of the log for what an operator wants to know of.
#[derive(Clone, Copy, Debug)]
pub struct Lines;

impl Listener for Lines {
    fn hear(&self, event: &DeploymentEvent) {
        match &event.happened {
            Happened::StateEntered {
                to, meaning, why, ..
            } => info!(state = %to, "{meaning} ({why})"),
            Happened::Polled(_) | Happened::LockTaken { .. } | Happened::TestEnded { .. } => {}
            // The command ends for it, and says so.
            Happened::LockLost { why } => debug!("the lock is lost: {why}"),
            Happened::PollFailed { why } => warn!("cannot see AWS for now: {why}"),
            Happened::Draining { environment, drain } => draining(*environment, drain),
            Happened::DeployTakesLong {
                environment,
                timeout,
                limit,
            } => warn!(
                "the deploy onto {environment} takes longer than its timeout of {}, and makes \
                 progress: bluegreen waits for up to {} while it does; users are on production \
                 meanwhile",
                format_duration(*timeout),
                format_duration(*limit)
            ),
            Happened::Asked { operation, subject } => match subject {
                Some(subject) => info!("asking AWS: {operation}, {subject}"),
                None => info!("asking AWS: {operation}"),
            },
            Happened::Answered { operation, answer } => answered(operation, answer),
            Happened::ServiceError { message } => {
                warn!("Elastic Beanstalk reports an error: {message}");
            }
            Happened::DeployWarning {
                environment,
                severity,
                message,
            } => warn!(
                "Elastic Beanstalk says of the deploy onto {environment}: {severity} {message}"
            ),
            Happened::SwapFailed { why } => {
                warn!("the swap has failed, and bluegreen may request it again: {why}");
            }
            Happened::Differs { weight, difference } => match weight {
                Weight::Refuses => warn!("green differs from blue:\n{difference}"),
                Weight::Warns => warn!(
                    "green differs from blue in what blue's template does not set, which stops \
                     nothing:\n{difference}"
                ),
            },
            Happened::GroupReplaced { groups } => info!(
                "the template keeps the security group that Elastic Beanstalk made for blue; green \
                 is made with {} instead",
                match groups.is_empty() {
                    true => "a group of its own".to_owned(),
                    false => format!("{} and a group of its own", groups.join(", ")),
                }
            ),
            Happened::AlarmsUnread { why } => {
                warn!("the alarms cannot be read, so the bake does not end: {why}");
            }
            Happened::Noticed { what } => warn!("{what}"),
            Happened::TestBegan { test, environment } => info!("running {test} on {environment}"),
            Happened::HookBegan { hook } => info!("running the hook {hook}"),
            Happened::HookEnded {
                hook, end, told, ..
            } => {
                if !end.is_success() {
                    warn!("the hook {hook} failed: {told}");
                }
            }
            Happened::ApprovalAsked { approval } => match approval {
                Approval::Wait => debug!("not approved yet"),
                Approval::Unclear(why) => warn!("whether it is approved is unclear: {why}"),
                // The change of state tells the rest.
                Approval::Granted | Approval::Refused(_) => {}
            },
            Happened::BucketAway { why } => warn!("cannot continue for now: {why}"),
            Happened::HostWaits { host, is_read, why } => match is_read {
                true => warn!("{host} cannot be changed for now: {why}"),
                false => warn!("cannot see what {host} holds for now: {why}"),
            },
            Happened::HostForeign { host, holds } => {
                warn!("{host} was changed by somebody else and is left so: {holds}");
            }
            Happened::HostsGivenUp { hosts } => warn!(
                "continues although preview hostnames do not lead where they should: {}",
                hosts.join(", ")
            ),
            Happened::RulesWait { why, is_asked } => match is_asked {
                true => warn!("{why}; bluegreen asks again"),
                false => warn!("{why}"),
            },
        }
    }
}

fn draining(idle: Role, drain: &Drain) {
    match drain {
        Drain::Uncounted { why, limit } => info!(
            "Draining {idle}: nobody counts its requests ({why}): it is drained after --drain, {}, \
             whoever still comes",
            format_duration(*limit)
        ),
        Drain::NotToldYet => info!(
            "Draining {idle}: CloudWatch reports its load balancer's requests some minutes late, \
             and not yet those since production left"
        ),
        Drain::Overdue { counted, limit } => warn!(
            "{idle} still gets {counted}, after its clients had {} to leave: it is neither deployed \
             to nor terminated while they come",
            format_duration(*limit)
        ),
        Drain::Requests {
            per_instance,
            done_at,
            counted,
        } => info!(
            "Draining {idle}: {per_instance} requests/min per instance (done at {done_at} or \
             fewer); {counted}"
        ),
        Drain::GivenUp {
            counted,
            is_accepted,
        } => warn!(
            "{idle} still gets {counted}: these requests are given up, {}",
            match is_accepted {
                true => "as --accept-traffic-loss says",
                false => "a remainder once --drain-limit is over",
            }
        ),
    }
}

fn answered(operation: &str, answer: &Answer) {
    match answer {
        Answer::InDoubt(why) => {
            warn!("no clear answer to {operation}, polling for its outcome: {why}");
        }
        Answer::AlreadySo(why) => debug!("{operation} is so already: {why}"),
        Answer::BackingOff(why) => warn!("{operation} must wait: {why}"),
        // What follows from a refusal tells it.
        Answer::Accepted | Answer::Refused(_) => {}
    }
}
