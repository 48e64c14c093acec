//! What the events of an operation report: how it ended, and what went wrong meanwhile. Pure.
//!
//! The service's terminal texts decide, whatever their severity: an update that succeeds may hold
//! ERROR events, and the last event of one that fails may be an INFO.

use super::sighting::Event;

/// The texts by which the service begins and ends an operation. A message that holds one of them is
/// that text: some continue with names and advice.
#[derive(Clone, Copy, Debug)]
pub struct Endings {
    /// What its first event says.
    pub begins: &'static str,
    /// What an event says once it has succeeded.
    pub succeeds: &'static [&'static str],
    /// What an event says once it has failed.
    pub fails: &'static [&'static str],
}

/// An update of an environment: a deploy or a change of its configuration (EB CLI,
/// `resources/strings.py`; developer guide, "Troubleshooting"; event logs of real environments).
/// They hold for every deployment policy; no public log shows traffic splitting.
pub const UPDATE: Endings = Endings {
    begins: "Environment update is starting",
    succeeds: &["Environment update completed successfully"],
    fails: &[
        "Failed to deploy application.",
        "Failed to deploy configuration.",
        "The environment was reverted to the previous configuration setting",
        "Update environment operation is complete, but with errors",
        "Update environment operation is complete, but with command timeouts",
    ],
};

/// A swap of CNAMEs (developer guide, "Blue/Green deployments"; EB CLI). No page documents how one
/// fails.
pub const SWAP: Endings = Endings {
    begins: "swapEnvironmentCNAMEs is starting",
    succeeds: &["Completed swapping CNAMEs"],
    fails: &[],
};

/// How an operation has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As requested.
    Well,
    /// It failed.
    Badly,
}

impl Endings {
    /// How the operation of these events has ended; none while no terminal text is among them. A
    /// failure counts whatever else the events report.
    #[must_use]
    pub fn ended(&self, events: &[&Event]) -> Option<Ended> {
        let tells = |texts: &[&str]| {
            let mut all = events.iter();
            all.any(|event| texts.iter().any(|text| event.message.contains(text)))
        };
        match (tells(self.fails), tells(self.succeeds)) {
            (true, _) => Some(Ended::Badly),
            (false, true) => Some(Ended::Well),
            (false, false) => None,
        }
    }

    /// The events of the newest such operation among them, oldest first: without a request's
    /// id those of other operations may be there too.
    #[must_use]
    pub fn newest<'a>(&self, events: &'a [Event]) -> Vec<&'a Event> {
        let mut newest_first = events.iter().rev();
        let Some(start) = newest_first.find(|event| event.message.contains(self.begins)) else {
            return Vec::new();
        };
        let of_it = |event: &&Event| event.at >= start.at && event.request_id == start.request_id;
        events.iter().filter(of_it).collect()
    }

    /// What went wrong, in the service's words: every event that reports it, and the terminal text;
    /// none where nothing did.
    #[must_use]
    pub fn cause(&self, events: &[&Event]) -> Option<String> {
        let is_terminal = |event: &Event| {
            let mut texts = self.fails.iter();
            texts.any(|text| event.message.contains(text))
        };
        let telling = events.iter().filter(|e| is_warning(e) || is_terminal(e));
        let mut told: Vec<&str> = telling.map(|event| event.message.trim()).collect();
        told.dedup();
        if told.len() > TELLING_MAX {
            // The first says what broke, the last how it ended.
            let last = told.len().saturating_sub(1);
            told.swap(TELLING_MAX - 1, last);
            told.truncate(TELLING_MAX);
        }
        (!told.is_empty()).then(|| told.join(" "))
    }
}

/// How many events a cause quotes at most.
const TELLING_MAX: usize = 6;

/// Whether an event is one that people should see, however its operation ends.
#[must_use]
pub fn is_warning(event: &Event) -> bool {
    warns(&event.severity)
}

/// Whether this is the severity of such an event.
#[must_use]
pub fn warns(severity: &str) -> bool {
    matches!(severity, "WARN" | "ERROR" | "FATAL")
}

/// Whether an event is of an error.
#[must_use]
pub fn is_error(event: &Event) -> bool {
    fails(&event.severity)
}

/// Whether this is the severity of an error.
#[must_use]
pub fn fails(severity: &str) -> bool {
    matches!(severity, "ERROR" | "FATAL")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::Moment;

    fn event((severity, message): &(&str, &str)) -> Event {
        Event {
            at: Moment(0),
            severity: (*severity).to_owned(),
            message: (*message).to_owned(),
            request_id: None,
        }
    }

    fn ended(endings: Endings, said: &[(&str, &str)]) -> (Option<Ended>, Option<String>) {
        let events: Vec<_> = said.iter().map(event).collect();
        let events: Vec<_> = events.iter().collect();
        (endings.ended(&events), endings.cause(&events))
    }

    /// EB CLI, `resources/strings.py`; developer guide, "Troubleshooting", which names no
    /// severities: so none counts.
    #[test]
    fn a_terminal_text_decides_whatever_its_severity() {
        for severity in ["INFO", "WARN", "ERROR", "FATAL", ""] {
            for text in [
                "Failed to deploy application.",
                "Failed to deploy configuration.",
                "The environment was reverted to the previous configuration setting.",
                "Update environment operation is complete, but with errors. For more information, see troubleshooting documentation.",
                "Update environment operation is complete, but with command timeouts. Try increasing the timeout period. For more information, see troubleshooting documentation.",
            ] {
                let (how, why) = ended(UPDATE, &[(severity, text)]);
                assert_eq!(how, Some(Ended::Badly), "{severity} {text}");
                assert_eq!(why.as_deref(), Some(text));
            }
            let text = "Environment update completed successfully.";
            let (how, _) = ended(UPDATE, &[(severity, text)]);
            assert_eq!(how, Some(Ended::Well), "{severity}");
        }
        for on_the_way in [
            "Instance deployment completed successfully.",
            "Deployment succeeded. Terminating old instances and temporary Auto Scaling group.",
            "Environment tag update completed successfully.",
            "Command execution completed on 1 of 2 instances in environment.",
        ] {
            assert_eq!(ended(UPDATE, &[("INFO", on_the_way)]), (None, None));
        }
    }

    /// An event log of a command timeout: what explains most comes first, as a WARN.
    #[test]
    fn a_cause_quotes_every_event_that_tells_of_it() {
        let said = [
            ("INFO", "Environment update is starting."),
            ("WARN", "The following instances have not responded: [i-1]."),
            (
                "ERROR",
                "Unsuccessful command execution on instance id(s) 'i-1'.",
            ),
            (
                "ERROR",
                "Unsuccessful command execution on instance id(s) 'i-1'.",
            ),
            ("ERROR", "Failed to deploy application."),
        ];
        let (_, why) = ended(UPDATE, &said);
        assert_eq!(
            why.as_deref(),
            Some(
                "The following instances have not responded: [i-1]. Unsuccessful command \
                 execution on instance id(s) 'i-1'. Failed to deploy application."
            )
        );
    }

    #[test]
    fn a_cause_of_many_events_quotes_the_first_and_the_last() {
        let mut said: Vec<(&str, &str)> = vec![
            ("ERROR", "a"),
            ("ERROR", "b"),
            ("ERROR", "c"),
            ("ERROR", "d"),
            ("ERROR", "e"),
            ("ERROR", "f"),
        ];
        said.push(("INFO", "Failed to deploy application."));
        let (_, why) = ended(UPDATE, &said);
        assert_eq!(
            why.as_deref(),
            Some("a b c d e Failed to deploy application.")
        );
    }
}
