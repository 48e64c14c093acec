//! What the events of a launch and of a termination report. The texts are those that public event
//! logs, the developer guide ("Environment creation and instance launches") and the EB CLI
//! (`resources/strings.py`) have.

use super::needs::EventQuery;
use super::sighting::{Event, Sighting};
use super::update::is_error;
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
/// The texts that the service has for a failed deletion alone.
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

/// The request whose events report green's launch; none where the deployment waits for no launch.
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

/// The environment whose events say why it is not terminated. bluegreen requests a termination
/// again where it failed, each time by another request: a poll reads all events since the state was
/// entered, and [`of_our_terminations`] selects those of the deployment's own requests.
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

/// The events that say what became of the terminations that bluegreen requested: those of their
/// requests, those of the launch's request, which may terminate what it could not launch, and those
/// without a request. A request of somebody else's for the same environment may fail meanwhile.
/// Where the id of one request is not known, or no event bears any of them, the environment and the
/// time decide.
pub(super) fn of_our_terminations<'a>(
    deployment: &Deployment,
    sighting: &'a Sighting,
) -> Vec<&'a Event> {
    let asked = deployment.terminations.iter();
    let ids: Option<Vec<&str>> = asked.map(|asked| asked.request_id.as_deref()).collect();
    let launch = deployment.intents.get(&EffectKind::CreateGreen);
    let launch = launch.and_then(|intent| match &intent.outcome {
        Sent::Applied { request_id } => request_id.as_deref(),
        Sent::Unclear | Sent::NotApplied => None,
    });
    let events = sighting.termination_events.iter();
    let bears = |event: &Event, ids: &[&str]| {
        let id = event.request_id.as_deref();
        id.is_some_and(|id| ids.contains(&id))
    };
    let Some(ids) = ids.filter(|ids| events.clone().any(|event| bears(event, ids))) else {
        return events.collect();
    };
    let is_ours = |event: &&Event| {
        event.request_id.is_none() || bears(event, &ids) || event.request_id.as_deref() == launch
    };
    events.filter(is_ours).collect()
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

/// What became of a termination: what its last failed attempt reported, and whether another has
/// begun since.
pub(super) fn termination<'a>(events: impl IntoIterator<Item = &'a Event>) -> Termination {
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
    use crate::deployment::{AskedTermination, Intent};
    use crate::moment::Moment;
    use crate::plan::Plan;

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

    /// Each request's events bear its id; where one id is not known, all events count.
    #[test]
    fn a_termination_is_told_by_its_own_request() {
        let event = |severity: &str, message: &str, request: Option<&str>| Event {
            at: Moment(0),
            severity: severity.to_owned(),
            message: message.to_owned(),
            request_id: request.map(str::to_owned),
        };
        let starts = |request| event("INFO", "terminateEnvironment is starting.", request);
        let failed = |request| event("ERROR", "Stack deletion failed: X.", request);
        let foreign = event("ERROR", "Failed to retrieve logs.", Some("foreign"));
        let failure = vec!["Stack deletion failed: X.".to_owned()];
        let [all, theirs] = [
            vec![
                "Failed to retrieve logs.".to_owned(),
                "Stack deletion failed: X.".to_owned(),
            ],
            vec!["Failed to retrieve logs.".to_owned()],
        ];
        let (one, two) = (Some("1"), Some("2"));
        for (asked, events, expected) in [
            // Two were asked for, and the first one failed.
            (
                vec![one, two],
                vec![starts(one), failed(one), starts(two), foreign.clone()],
                Termination::Again(failure.clone()),
            ),
            (
                vec![one],
                vec![starts(one), foreign.clone()],
                Termination::Untold,
            ),
            (
                vec![one],
                vec![starts(one), foreign.clone(), failed(one)],
                Termination::Failed(failure.clone()),
            ),
            // What bears no id may be ours.
            (
                vec![one],
                vec![starts(one), failed(None)],
                Termination::Failed(failure.clone()),
            ),
            // An answer was lost, or the process died before it kept it.
            (
                vec![None],
                vec![starts(one), foreign.clone(), failed(one)],
                Termination::Failed(all),
            ),
            (
                vec![],
                vec![starts(one), failed(one)],
                Termination::Failed(failure.clone()),
            ),
            // The service knows them by other ids than it has told.
            (
                vec![one],
                vec![starts(two), failed(two)],
                Termination::Failed(failure.clone()),
            ),
            // One that began of its own accord with the launch that failed.
            (
                vec![two],
                vec![starts(two), failed(Some("launch"))],
                Termination::Failed(failure),
            ),
            (
                vec![],
                vec![starts(one), foreign],
                Termination::Failed(theirs),
            ),
        ] {
            let told = format!("{asked:?} {events:?}");
            let mut deployment = Deployment::new(Plan::sample("01J"), Moment(0));
            let mut intent = Intent::at(Moment(0));
            intent.outcome = Sent::Applied {
                request_id: Some("launch".to_owned()),
            };
            deployment.intents.insert(EffectKind::CreateGreen, intent);
            for id in asked {
                deployment.keep_termination(AskedTermination {
                    at: Moment(0),
                    request_id: id.map(str::to_owned),
                });
            }
            let sighting = Sighting {
                termination_events: events,
                ..Sighting::default()
            };
            let ours = of_our_terminations(&deployment, &sighting);
            assert_eq!(termination(ours), expected, "{told}");
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
