//! The numbers of a deployment's events, and which of them the journal keeps.

use std::mem::discriminant;

use super::happened::{Happened, Keeping};
use super::record::{DeploymentEvent, EventRecord};
use crate::deployment::Deployment;
use crate::moment::Moment;

/// Numbers the events of one deployment, and sorts out those that its journal keeps.
#[derive(Debug, Default)]
pub struct EventLog {
    sequence: u64,
    /// What is kept of the types that repeat themselves: the last one, or each.
    known: Vec<Happened>,
    unwritten: Vec<EventRecord>,
}

impl EventLog {
    /// The log of a deployment whose journal keeps these events already.
    #[must_use]
    pub fn after(kept: &[EventRecord]) -> EventLog {
        let mut log = EventLog::default();
        for record in kept {
            log.sequence = log.sequence.max(record.sequence);
            log.is_news(&record.happened);
        }
        log
    }

    /// The event of something that happens in a deployment.
    pub fn note(
        &mut self,
        deployment: &Deployment,
        at: Moment,
        happened: Happened,
    ) -> DeploymentEvent {
        self.sequence = self.sequence.saturating_add(1);
        let record = EventRecord {
            sequence: self.sequence,
            at,
            version: deployment.plan.goal_version().to_owned(),
            happened,
        };
        let event = record.of(deployment);
        if self.is_news(&record.happened) {
            self.unwritten.push(record);
        }
        event
    }

    /// What the journal must keep with the next checkpoint, in its order.
    #[must_use]
    pub fn unwritten(&self) -> &[EventRecord] {
        &self.unwritten
    }

    /// Marks all of that as written.
    pub fn mark_written(&mut self) {
        self.unwritten.clear();
    }

    /// Takes back an event that did not happen.
    pub fn withdraw(&mut self, event: &DeploymentEvent) {
        let sequence = event.record.sequence;
        self.unwritten.retain(|record| record.sequence != sequence);
    }

    /// Whether the journal must keep it; the log knows it from now on.
    fn is_news(&mut self, happened: &Happened) -> bool {
        let of_its_type = |known: &Happened| discriminant(known) == discriminant(happened);
        match happened.keeping() {
            Keeping::Always => return true,
            Keeping::Never => return false,
            Keeping::Once if self.known.contains(happened) => return false,
            Keeping::Changes => {
                let last = self.known.iter().find(|known| of_its_type(known));
                if last.is_some_and(|last| happened.repeats(last)) {
                    return false;
                }
                self.known.retain(|known| !of_its_type(known));
            }
            Keeping::Once => {}
        }
        self.known.push(happened.clone());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::happened::Answer;
    use crate::events::poll::Poll;
    use crate::facts::ServiceOperation;
    use crate::plan::{Plan, Role};

    fn deployment() -> Deployment {
        Deployment::new(Plan::sample("01HXAMPLE"), Moment(0))
    }

    fn noted(log: &mut EventLog, happened: impl IntoIterator<Item = Happened>) -> Vec<EventRecord> {
        for happened in happened {
            log.note(&deployment(), Moment(1), happened);
        }
        let unwritten = log.unwritten().to_vec();
        log.mark_written();
        unwritten
    }

    fn polled(production: Role) -> Happened {
        Happened::Polled(Poll {
            production: Some(production),
            ..Poll::default()
        })
    }

    fn event(severity: &str, message: &str) -> Happened {
        Happened::ServiceEvent {
            of: ServiceOperation::Deploy,
            environment: Some("shop-blue".to_owned()),
            emitted_at: Moment(1),
            severity: severity.to_owned(),
            message: message.to_owned(),
        }
    }

    fn asked() -> Happened {
        Happened::Asked {
            operation: "SwapEnvironmentCNAMEs".to_owned(),
            subject: None,
        }
    }

    #[test]
    fn a_process_counts_on_from_the_last_event_that_is_kept() {
        let mut first = EventLog::default();
        let kept = noted(&mut first, [asked(), polled(Role::Blue)]);
        let sequences: Vec<_> = kept.iter().map(|event| event.sequence).collect();
        assert_eq!(sequences, [1, 2]);
        let mut second = EventLog::after(&kept);
        let event = second.note(&deployment(), Moment(2), polled(Role::Blue));
        assert_eq!(event.record.sequence, 3);
        assert_eq!(second.unwritten(), [], "the last poll saw the same");
    }

    #[test]
    fn of_what_repeats_only_what_changes_is_kept() {
        let mut log = EventLog::default();
        let polls = [Role::Blue, Role::Blue, Role::Green, Role::Blue].map(polled);
        assert_eq!(noted(&mut log, polls).len(), 3);
        assert_eq!(noted(&mut log, [asked(), asked()]).len(), 2);
        let (odd, bad) = (event("WARN", "odd"), event("ERROR", "bad"));
        let events = [odd.clone(), bad.clone(), odd, bad, event("INFO", "fine")];
        assert_eq!(noted(&mut log, events).len(), 2);
        let renewed = Happened::LockRenewed {
            lasts: std::time::Duration::from_secs(60),
        };
        assert_eq!(noted(&mut log, [renewed]), []);
    }

    #[test]
    fn what_a_checkpoint_did_not_write_waits_for_the_next_one() {
        let mut log = EventLog::default();
        log.note(&deployment(), Moment(1), asked());
        let entered = log.note(&deployment(), Moment(1), polled(Role::Green));
        log.withdraw(&entered);
        let unwritten = noted(&mut log, [polled(Role::Blue)]);
        let sequences: Vec<_> = unwritten.iter().map(|event| event.sequence).collect();
        assert_eq!(sequences, [1, 3]);
    }

    #[test]
    fn an_event_reads_back_from_json_and_one_of_a_later_version_is_unknown() {
        let answered = Happened::Answered {
            operation: "UpdateEnvironment".to_owned(),
            answer: Answer::InDoubt("no answer".to_owned()),
        };
        for record in noted(&mut EventLog::default(), [answered, event("WARN", "odd")]) {
            let text = serde_json::to_string(&record).expect("an event is data");
            assert_eq!(
                serde_json::from_str::<EventRecord>(&text).ok(),
                Some(record)
            );
        }
        let later = r#"{"sequence":1,"at":1,"version":"v2","type":"teleported","to":"mars"}"#;
        let later: EventRecord = serde_json::from_str(later).expect("it is read");
        assert_eq!(later.happened, Happened::Unknown);
    }
}
