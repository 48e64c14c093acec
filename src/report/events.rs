//! What happens in a deployment, in words.

use humantime::format_duration;
use tracing::Level;

use crate::clock::whole_seconds;
use crate::events::{Answer, Approval, Drain, Happened, Poll, Probed};
use crate::facts::update::{fails, warns};
use crate::facts::{Retried, ServiceOperation};
use crate::fidelity::Weight;
use crate::machine::Kind;
use crate::plan::Role;
use crate::text::foreign;

macro_rules! line {
    ($level:ident, $($text:tt)*) => {
        (Level::$level, format!($($text)*))
    };
}

/// The text of an event, and its level. The words of others stand in it unchanged.
#[must_use]
pub fn line(happened: &Happened) -> (Level, String) {
    match happened {
        Happened::StateEntered {
            to, meaning, why, ..
        } => {
            let level = match to {
                Kind::Stuck => Level::ERROR,
                Kind::Held | Kind::RolledBack => Level::WARN,
                _ => Level::INFO,
            };
            (level, format!("{meaning} ({why})"))
        }
        Happened::RollbackBegan { state, why } => line!(
            WARN,
            "rolling back to the previous version from {state}, which bluegreen completes first \
             ({why})"
        ),
        Happened::LockTaken { state, runner } => line!(
            DEBUG,
            "{} holds the lock, in {state}",
            runner.as_deref().unwrap_or("the process")
        ),
        Happened::LockRenewed { lasts } => line!(
            DEBUG,
            "renewed the lock, which lasts for {}",
            whole_seconds(*lasts)
        ),
        Happened::Polled(poll) => (Level::DEBUG, polled(poll)),
        Happened::TestEnded {
            test,
            environment,
            end,
            lasted,
        } => line!(
            DEBUG,
            "{test} on {environment} ended after {}: {end}",
            whole_seconds(*lasted)
        ),
        Happened::TestFailed {
            name,
            runs,
            test,
            got,
            lasted,
            body,
            ..
        } => {
            let body = body.as_ref().map(|body| format!(": {body}"));
            line!(
                WARN,
                "{name} ({}) failed its test: {got} after {} ms, {test}{}",
                runs.as_deref().unwrap_or("no version"),
                lasted.as_millis(),
                body.unwrap_or_default()
            )
        }
        Happened::Unknown => line!(
            DEBUG,
            "an event that this version of bluegreen does not know"
        ),
        Happened::Waiting { state, waits } => {
            let waits: Vec<_> = waits.iter().map(ToString::to_string).collect();
            line!(DEBUG, "{state}: waiting for {}", waits.join(", "))
        }
        Happened::Retried(Retried {
            operation,
            times,
            why,
        }) => line!(DEBUG, "{operation} was repeated {times} times: {why}"),
        // The command ends for it, and says so.
        Happened::LockLost { why } => line!(DEBUG, "the lock is lost: {why}"),
        Happened::PollFailed { why } => line!(WARN, "AWS cannot be read for now: {why}"),
        Happened::Draining { environment, drain } => draining(*environment, drain),
        Happened::DeployTakesLong {
            environment,
            timeout,
            limit,
        } => line!(
            WARN,
            "the deploy onto {environment} takes longer than its timeout of {}, and makes \
                 progress: bluegreen waits for up to {} while it does; users are on production \
                 meanwhile",
            format_duration(*timeout),
            format_duration(*limit)
        ),
        Happened::Asked { operation, subject } => match subject {
            Some(subject) => line!(INFO, "asking AWS: {operation}, {subject}"),
            None => line!(INFO, "asking AWS: {operation}"),
        },
        Happened::Answered { operation, answer } => answered(operation, answer),
        Happened::ServiceEvent {
            of,
            environment,
            severity,
            message,
            ..
        } => service_event(*of, environment.as_deref(), severity, message),
        Happened::EngineLog {
            environment,
            instance,
            lines,
        } => line!(
            WARN,
            "the end of eb-engine.log of {instance} of {environment}:\n{}",
            lines.join("\n")
        ),
        Happened::EngineLogUnread { environment, why } => line!(
            WARN,
            "the end of {environment}'s eb-engine.log cannot be shown, which changes nothing else: \
             {why}"
        ),
        Happened::SwapFailed { why } => {
            line!(
                WARN,
                "the swap has failed, and bluegreen may request it again: {why}"
            )
        }
        Happened::Differs { weight, difference } => match weight {
            Weight::Refuses => line!(WARN, "green differs from blue:\n{difference}"),
            Weight::Warns => line!(
                WARN,
                "green differs from blue in what blue's template does not set, which stops \
                     nothing:\n{difference}"
            ),
        },
        Happened::GroupReplaced { groups } => line!(
            INFO,
            "the template keeps the security group that Elastic Beanstalk made for blue; green \
                 is made with {} instead",
            match groups.is_empty() {
                true => "a group of its own".to_owned(),
                false => format!("{} and a group of its own", groups.join(", ")),
            }
        ),
        Happened::AlarmsUnread { why } => {
            line!(
                WARN,
                "the alarms cannot be read, so the bake does not end: {why}"
            )
        }
        Happened::OthersUpdate { environment, said } => line!(
            WARN,
            "{environment} is busy with an update that this deployment has not requested: \
                 {said} bluegreen waits for it and does not abort it"
        ),
        Happened::OthersTermination {
            environment,
            serves,
        } => line!(
            WARN,
            "{environment} is being terminated, and this deployment has not requested that{}",
            match serves {
                true => ": it SERVES PRODUCTION, and nothing can stop it",
                false => "",
            }
        ),
        Happened::OthersSwap { to, from } => line!(
            WARN,
            "SOMEBODY ELSE HAS MOVED PRODUCTION to {to}: this deployment has left it on {from}"
        ),
        Happened::OthersDeploy {
            environment,
            label,
            serves,
        } => line!(
            WARN,
            "SOMEBODY ELSE HAS DEPLOYED {label} to {environment}{}",
            match serves {
                true => ", which users are on",
                false => "",
            }
        ),
        Happened::ChangesGoLive {
            environment,
            changes,
        } => line!(
            WARN,
            "{environment} is not configured as it was: {}. The version sets that, or somebody \
                 else has; it is kept, and goes live with the swap",
            changes.join("; ")
        ),
        Happened::ChangesAreLost {
            environment,
            successor,
            changes,
        } => line!(
            WARN,
            "somebody else has changed {environment} since {successor} took production: {}. \
                 {environment} is terminated, and these changes with it: put them on {successor} \
                 where they are wanted",
            changes.join("; ")
        ),
        Happened::LessHealthy { health, before } => line!(
            WARN,
            "production's health is {health}, and before the release it was {}: the bake does \
                 not end until it is better",
            before.as_deref().unwrap_or("not seen")
        ),
        Happened::SizesStay {
            environment,
            found,
            before,
        } => line!(
            WARN,
            "{environment} may have {found} instances, and {before} at the start: somebody else \
                 has changed that, or the version sets it, so it stays"
        ),
        Happened::TestBegan { test, environment } => line!(INFO, "running {test} on {environment}"),
        Happened::HookBegan { hook } => line!(INFO, "running the hook {hook}"),
        Happened::HookOutput { hook, line } => line!(INFO, "hook {hook}: {}", foreign(line)),
        Happened::HookEnded {
            hook, end, told, ..
        } => match end.is_success() {
            true => line!(DEBUG, "the hook {hook} succeeded: {told}"),
            false => line!(WARN, "the hook {hook} failed: {told}"),
        },
        Happened::ApprovalAsked { approval } => match approval {
            Approval::Wait => line!(DEBUG, "not approved yet"),
            Approval::Unclear(why) => line!(WARN, "whether it is approved is unclear: {why}"),
            // The change of state tells the rest.
            Approval::Granted => line!(DEBUG, "approved"),
            Approval::Refused(why) => line!(DEBUG, "the approval is refused: {why}"),
        },
        Happened::BucketAway { why } => line!(WARN, "cannot continue for now: {why}"),
        Happened::HostWaits { host, is_read, why } => match is_read {
            true => line!(WARN, "{host} cannot be changed for now: {why}"),
            false => line!(WARN, "what {host} holds cannot be read for now: {why}"),
        },
        Happened::HostForeign { host, holds } => {
            line!(
                WARN,
                "{host} was changed by somebody else and is left so: {holds}"
            )
        }
        Happened::HostsGivenUp { hosts } => line!(
            WARN,
            "continues although preview hostnames do not lead where they should: {}",
            hosts.join(", ")
        ),
        Happened::Probed(probed) => (Level::DEBUG, in_words(probed)),
        Happened::RulesWait { why, is_asked } => match is_asked {
            true => line!(WARN, "{why}; bluegreen asks again"),
            false => line!(WARN, "{why}"),
        },
    }
}

/// The text of an operation's event that people should see. The failure of a swap has a line of its
/// own, and launches that succeed warn of much.
fn service_event(
    of: ServiceOperation,
    environment: Option<&str>,
    severity: &str,
    message: &str,
) -> (Level, String) {
    match of {
        ServiceOperation::Deploy if warns(severity) => line!(
            WARN,
            "Elastic Beanstalk says of the deploy onto {}: {severity} {message}",
            environment.unwrap_or("the environment")
        ),
        ServiceOperation::Launch | ServiceOperation::Termination if fails(severity) => {
            line!(WARN, "Elastic Beanstalk reports an error: {message}")
        }
        _ => line!(DEBUG, "Elastic Beanstalk: {severity} {message}"),
    }
}

fn draining(idle: Role, drain: &Drain) -> (Level, String) {
    match drain {
        Drain::Uncounted { why, limit } => line!(
            INFO,
            "Draining {idle}: nobody counts its requests ({why}): it is drained after --drain, {}, \
             whoever still comes",
            format_duration(*limit)
        ),
        Drain::NotToldYet => line!(
            INFO,
            "Draining {idle}: CloudWatch reports its load balancer's requests some minutes late, \
             and not yet those since production left"
        ),
        Drain::Overdue { counted, limit } => line!(
            WARN,
            "{idle} still gets {counted}, after its clients had {} to leave: it is neither deployed \
             to nor terminated while they come",
            format_duration(*limit)
        ),
        Drain::Requests {
            per_instance,
            done_at,
            counted,
        } => line!(
            INFO,
            "Draining {idle}: {per_instance} requests/min per instance (done at {done_at} or \
             fewer); {counted}"
        ),
        Drain::GivenUp {
            counted,
            is_accepted,
        } => line!(
            WARN,
            "{idle} still gets {counted}: these requests are given up, {}",
            match is_accepted {
                true => "as --accept-traffic-loss says",
                false => "a remainder once --drain-limit is over",
            }
        ),
    }
}

/// What requests to production came to.
fn in_words(probed: &Probed) -> String {
    let Probed {
        request,
        lasted,
        sent,
        failed,
        median,
        slowest,
        failures,
        ..
    } = probed;
    let failures = failures
        .iter()
        .map(|one| format!("; {} times {}", one.times, one.got));
    format!(
        "{request}, once a second for {}: {sent} requests, {failed} failed, median {} ms, slowest {} ms{}",
        whole_seconds(*lasted),
        median.as_millis(),
        slowest.as_millis(),
        failures.collect::<String>()
    )
}

fn answered(operation: &str, answer: &Answer) -> (Level, String) {
    match answer {
        Answer::InDoubt(why) => {
            line!(
                WARN,
                "no clear answer to {operation}, polling for its outcome: {why}"
            )
        }
        Answer::AlreadySo(why) => line!(DEBUG, "{operation} is so already: {why}"),
        Answer::BackingOff(why) => line!(WARN, "{operation} must wait: {why}"),
        Answer::Accepted => line!(DEBUG, "AWS accepted {operation}"),
        // What follows from a refusal tells it.
        Answer::Refused(why) => line!(DEBUG, "AWS refused {operation}: {why}"),
    }
}

fn polled(poll: &Poll) -> String {
    let mut told: Vec<_> = poll
        .environments
        .iter()
        .map(|found| {
            let version = found.version.as_deref().unwrap_or("none");
            let requests = found.requests_a_minute;
            let requests = requests.map(|requests| format!(", {requests} requests/min"));
            format!(
                "{} {}: {}, {}, version {version}{}",
                found.role,
                found.name,
                found.status,
                found.health,
                requests.unwrap_or_default()
            )
        })
        .collect();
    told.push(match poll.production {
        Some(role) => format!("production is on {role}"),
        None => "neither has production".to_owned(),
    });
    if poll.tests.asked > 0 {
        told.push(format!(
            "{} of {} tests passed",
            poll.tests.passed, poll.tests.asked
        ));
    }
    told.join("; ")
}
