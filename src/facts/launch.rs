//! What the events of a launch and of a termination tell. The texts are those that public
//! event logs, the developer guide ("Environment creation and instance launches") and the EB
//! CLI (`resources/strings.py`) have.

use super::update::is_error;
use crate::cloud::{Event, EventQuery};
use crate::deployment::{Deployment, Sent};
use crate::machine::{EffectKind, Kind, Launch, Termination};
use crate::plan::Role;

/// How a launch fails for good. The last two come without any of the others.
const LAUNCH_FAILED: [&str; 5] = [
    "Failed to launch environment",
    // "… with errors.", "… with command timeouts."
    "Create environment operation is complete, but with",
    "must have instance profile associated with it",
    // "Launched environment: NAME. However, there were issues during launch."
    "However, there were issues during launch",
    // "Stack named '…' aborted operation. Current state: 'CREATE_FAILED' Reason: …"
    "aborted operation. Current state: 'CREATE_FAILED'",
];
const LAUNCHED: &str = "Successfully launched environment";
const TERMINATES: &str = "terminateEnvironment is starting";
/// What is told of a deletion alone.
const NOT_DELETED: [&str; 3] = [
    "Stack deletion failed",
    "failed to delete",
    // "Deleting security group named: … failed Reason: …"
    "Deleting ",
];
/// An event of the health, which may be an ERROR at any time.
const HEALTH: &str = "Environment health has";
/// How many texts a cause holds at most, and how many characters of each.
const TEXTS_MAX: usize = 6;
const CHARACTERS_MAX: usize = 600;

/// The request whose events tell of green's launch; none where no launch is waited for.
pub(super) fn launch_query(deployment: &Deployment) -> Option<EventQuery> {
    let intent = deployment.intents.get(&EffectKind::CreateGreen)?;
    let is_wanted = match deployment.state.kind() {
        // One of an earlier visit tells of an earlier green.
        Kind::Cloning => intent.at >= deployment.entered_at,
        Kind::Warming => true,
        _ => false,
    };
    is_wanted.then(|| EventQuery {
        asked_at: intent.at,
        request_id: match &intent.outcome {
            Sent::Applied { request_id } => request_id.clone(),
            Sent::Unclear | Sent::NotApplied => None,
        },
    })
}

/// Whose events tell why it is not terminated. A termination is asked for again where it
/// failed, each time by another request: all since the state was entered are read.
pub(super) fn termination_query(deployment: &Deployment) -> Option<(Role, EventQuery)> {
    let role = match deployment.state.kind() {
        Kind::TerminatingGreen | Kind::Discarding => Role::Green,
        Kind::TerminatingBlue => Role::Blue,
        _ => return None,
    };
    let query = EventQuery {
        asked_at: deployment.entered_at,
        request_id: None,
    };
    Some((role, query))
}

/// What became of a launch. ERRORs without a text that ends it end nothing: launches that
/// succeed hold some too.
pub(super) fn launch(events: &[Event]) -> Launch {
    let says = |event: &Event, texts: &[&str]| texts.iter().any(|t| event.message.contains(t));
    let ends = |event: &&Event| says(event, &LAUNCH_FAILED) || says(event, &[LAUNCHED]);
    match events.iter().rev().find(ends) {
        None if events.is_empty() => Launch::Untold,
        None => Launch::Running,
        Some(end) if end.message.contains(LAUNCHED) => Launch::Done,
        Some(_) => {
            let told = |event: &&Event| is_error(event) || says(event, &LAUNCH_FAILED);
            Launch::Failed(texts(events.iter().filter(told)))
        }
    }
}

/// What became of a termination: what its last attempt that failed has told, and whether
/// another has begun since.
pub(super) fn termination(events: &[Event]) -> Termination {
    let mut attempt: Vec<&Event> = Vec::new();
    let mut failed = Vec::new();
    let mut has_begun = false;
    for event in events {
        if event.message.contains(TERMINATES) {
            has_begun = true;
            attempt.clear();
            continue;
        }
        let is_of_a_deletion = NOT_DELETED.iter().any(|t| event.message.contains(t));
        let may_be = has_begun && !event.message.contains(HEALTH);
        if is_error(event) && (is_of_a_deletion || may_be) {
            attempt.push(event);
            failed.clone_from(&attempt);
        }
    }
    if failed.is_empty() {
        return Termination::Untold;
    }
    let why = texts(failed.into_iter());
    match attempt.is_empty() {
        true => Termination::Again(why),
        false => Termination::Failed(why),
    }
}

/// The texts of events, each once, oldest first, none of them endless.
fn texts<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for event in events {
        let text: String = event.message.trim().chars().take(CHARACTERS_MAX).collect();
        if !texts.contains(&text) && texts.len() < TEXTS_MAX {
            texts.push(text);
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;

    fn told(events: &[(&str, &str)]) -> Vec<Event> {
        let event = |(at, (severity, message)): (usize, &(&str, &str))| Event {
            at: Moment(at as u64),
            severity: (*severity).to_owned(),
            message: (*message).to_owned(),
            request_id: None,
        };
        events.iter().enumerate().map(event).collect()
    }

    const STARTS: (&str, &str) = ("INFO", "createEnvironment is starting.");
    const STACK: &str = "Stack named 'awseb-e-1-stack' aborted operation. Current state: \
                         'CREATE_FAILED'  Reason: The following resource(s) failed to create: \
                         [AWSEBLoadBalancer].";

    /// Every way in which public logs and the guide have a launch end.
    #[test]
    fn a_launch_ends_by_the_services_own_texts() {
        let failed =
            |texts: &[&str]| Launch::Failed(texts.iter().map(|text| (*text).to_owned()).collect());
        let wsgi = "Your WSGIPath refers to a file that does not exist.";
        let errors = "Create environment operation is complete, but with errors. For more \
                      information, see troubleshooting documentation.";
        let timeouts = "Create environment operation is complete, but with command timeouts. Try \
                        increasing the timeout period.";
        let issues = "Launched environment: a. However, there were issues during launch. See \
                      event log for details.";
        let profile = "Environment must have instance profile associated with it.";
        let launch_failed = "Failed to launch environment.";
        let launched = ("INFO", "Successfully launched environment: a");
        for (events, expected) in [
            (vec![], Launch::Untold),
            (vec![STARTS], Launch::Running),
            (vec![STARTS, ("ERROR", wsgi)], Launch::Running),
            (vec![STARTS, ("ERROR", wsgi), launched], Launch::Done),
            (vec![STARTS, ("ERROR", errors)], failed(&[errors])),
            // Its severity no public source tells.
            (vec![STARTS, ("WARN", timeouts)], failed(&[timeouts])),
            (vec![STARTS, ("ERROR", STACK)], failed(&[STACK])),
            (
                vec![STARTS, ("ERROR", STACK), ("INFO", issues)],
                failed(&[STACK, issues]),
            ),
            (vec![STARTS, ("INFO", issues)], failed(&[issues])),
            (
                vec![STARTS, ("ERROR", profile), ("ERROR", launch_failed)],
                failed(&[profile, launch_failed]),
            ),
            (
                vec![STARTS, ("ERROR", wsgi), ("ERROR", wsgi), ("ERROR", errors)],
                failed(&[wsgi, errors]),
            ),
        ] {
            assert_eq!(launch(&told(&events)), expected, "{events:?}");
        }
    }

    #[test]
    fn a_termination_that_failed_says_why_while_it_is_tried_again() {
        let starts = ("INFO", "terminateEnvironment is starting.");
        let group = "Deleting security group named: sg-1 failed Reason: resource sg-1 has a \
                     dependent object";
        let stack = "Stack deletion failed: The following resource(s) failed to delete: \
                     [AWSEBSecurityGroup].";
        let texts = |texts: &[&str]| -> Vec<String> {
            texts.iter().map(|text| (*text).to_owned()).collect()
        };
        for (events, expected) in [
            (vec![], Termination::Untold),
            (vec![starts], Termination::Untold),
            // What green's launch told before is not why it is not terminated.
            (
                vec![("ERROR", "Failed to launch environment."), starts],
                Termination::Untold,
            ),
            (
                vec![("ERROR", "Failed to launch environment.")],
                Termination::Untold,
            ),
            (
                vec![
                    starts,
                    (
                        "ERROR",
                        "Environment health has transitioned from Ok to Severe.",
                    ),
                ],
                Termination::Untold,
            ),
            (
                vec![starts, ("ERROR", group), ("ERROR", stack)],
                Termination::Failed(texts(&[group, stack])),
            ),
            // One that the service began by itself.
            (vec![("ERROR", stack)], Termination::Failed(texts(&[stack]))),
            (
                vec![starts, ("ERROR", group), ("ERROR", stack), starts],
                Termination::Again(texts(&[group, stack])),
            ),
            (
                vec![starts, ("ERROR", group), starts, ("ERROR", stack)],
                Termination::Failed(texts(&[stack])),
            ),
        ] {
            assert_eq!(termination(&told(&events)), expected, "{events:?}");
        }
    }
}
