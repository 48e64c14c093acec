//! What requests of the run's own to production came to, and what they could not see.

use std::time::Duration;

use serde::Serialize;

use super::axis::{Axis, Place, clock};
use super::chart::{BLUE, Line, SIZES, TEXT, chart};
use crate::clock::{Moment, whole_seconds};
use crate::events::{EventRecord, Happened, Probed};

/// What requests to production came to.
#[derive(Clone, Debug, Serialize)]
pub struct Probes {
    /// The request.
    pub request: String,
    /// How many were sent.
    pub sent: u64,
    /// How many failed.
    pub failed: u64,
    /// How many of a hundred were answered as they should be.
    pub availability: String,
    /// The median of the median times of all stretches, in milliseconds.
    pub median_ms: u64,
    /// The slowest answer, in milliseconds.
    pub slowest_ms: u64,
    /// The stretches in which requests failed.
    pub failures: Vec<Failed>,
    /// The stretches, on the axis.
    pub stretches: Vec<Stretch>,
    /// Latency over time, at each size.
    pub latency: Vec<String>,
    /// What the requests could not see, in sentences.
    pub blind: Vec<String>,
}

/// A stretch in which requests failed.
#[derive(Clone, Debug, Serialize)]
pub struct Failed {
    /// From when to when.
    pub span: String,
    /// How many failed of how many, and why.
    pub text: String,
}

/// A stretch on the axis.
#[derive(Clone, Debug, Serialize)]
pub struct Stretch {
    /// Where it stands.
    pub place: Place,
    /// `good` or `bad`.
    pub tone: &'static str,
    /// What it came to.
    pub text: String,
}

/// A gap of no more than this between two stretches is the moment at which the next one began.
const GAP: Duration = Duration::from_secs(5);

/// What the requests came to; none where the run sent none.
pub(super) fn of(
    events: &[EventRecord],
    began: Moment,
    ended: Moment,
    axis: &Axis,
) -> Option<Probes> {
    let probed: Vec<_> = events.iter().filter_map(stretch).collect();
    let first = probed.first()?;
    let sum = |count: fn(&Probed) -> u32| probed.iter().map(|one| u64::from(count(one))).sum();
    let (sent, failed): (u64, u64) = (sum(|one| one.sent), sum(|one| one.failed));
    let answered = probed.iter().filter(|one| one.sent > one.failed);
    let mut medians: Vec<_> = answered.map(|one| millis(one.median)).collect();
    medians.sort_unstable();
    Some(Probes {
        request: first.request.clone(),
        sent,
        failed,
        availability: availability(sent, failed),
        median_ms: medians.get(medians.len() / 2).copied().unwrap_or_default(),
        slowest_ms: millis(
            probed
                .iter()
                .map(|one| one.slowest)
                .max()
                .unwrap_or_default(),
        ),
        failures: probed.iter().filter_map(|one| failures(one)).collect(),
        stretches: probed.iter().map(|one| on_axis(one, axis)).collect(),
        latency: latency(&probed, axis),
        blind: blind(&probed, began, ended, sum(|one| one.skipped)),
    })
}

fn stretch(event: &EventRecord) -> Option<&Probed> {
    match &event.happened {
        Happened::Probed(probed) => Some(probed),
        _ => None,
    }
}

/// How many of a hundred were answered; never rounded up to all of them.
fn availability(sent: u64, failed: u64) -> String {
    if sent == 0 {
        return "–".to_owned();
    }
    if failed == 0 {
        return "100 %".to_owned();
    }
    let hundredths = (sent - failed.min(sent)) * 10_000 / sent;
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

fn failures(probed: &Probed) -> Option<Failed> {
    let told = probed.failures.iter();
    let told: Vec<_> = told
        .map(|one| format!("{} × {}", one.times, one.got))
        .collect();
    (probed.failed > 0).then(|| Failed {
        span: format!("{} to {}", clock(probed.began), clock(probed.ended())),
        text: format!(
            "{} of {} failed: {}",
            probed.failed,
            probed.sent,
            told.join("; ")
        ),
    })
}

fn on_axis(probed: &Probed, axis: &Axis) -> Stretch {
    Stretch {
        place: axis.place(probed.began, probed.ended()),
        tone: if probed.failed == 0 { "good" } else { "bad" },
        text: format!(
            "{} to {}: {} requests, {} failed, median {} ms, slowest {} ms",
            clock(probed.began),
            clock(probed.ended()),
            probed.sent,
            probed.failed,
            millis(probed.median),
            millis(probed.slowest)
        ),
    }
}

/// The median and the 95th percentile of each stretch in its middle, with what failed as bars.
fn latency(probed: &[&Probed], axis: &Axis) -> Vec<String> {
    let line = |colour, time: fn(&Probed) -> Duration| {
        let mut parts = vec![Vec::new()];
        let mut last: Option<Moment> = None;
        for one in probed {
            if last.is_some_and(|last| one.began.since(last) > GAP) {
                parts.push(Vec::new());
            }
            last = Some(one.ended());
            if one.sent > one.failed {
                let left = axis.at(one.began.after(one.lasted / 2));
                let part = parts.last_mut().expect("there is one from the start");
                part.push((left, millis(time(one)) as f64));
            }
        }
        parts.retain(|part| !part.is_empty());
        Line { colour, parts }
    };
    let lines = [
        line(TEXT, |one| one.percentile_95),
        line(BLUE, |one| one.median),
    ];
    let failed = probed.iter().filter(|one| one.failed > 0).map(|one| {
        let share = f64::from(one.failed) / f64::from(one.sent.max(1));
        (axis.at(one.began), axis.at(one.ended()), share)
    });
    let failed: Vec<_> = failed.collect();
    let ticks = axis.ticks();
    SIZES
        .map(|size| chart(size, &ticks, &lines, &failed))
        .into()
}

/// What the requests could not see.
fn blind(probed: &[&Probed], began: Moment, ended: Moment, skipped: u64) -> Vec<String> {
    let mut at = began;
    let mut gaps = Vec::new();
    for one in probed {
        gaps.push((at, one.began));
        at = at.max(one.ended());
    }
    gaps.push((at, ended));
    gaps.retain(|(from, to)| to.since(*from) > GAP);
    let mut told = Vec::new();
    if !gaps.is_empty() {
        let all: Duration = gaps.iter().map(|(from, to)| to.since(*from)).sum();
        let named = gaps.iter().take(5);
        let named = named.map(|(from, to)| format!("{} to {}", clock(*from), clock(*to)));
        let named: Vec<_> = named.collect();
        let more = match gaps.len() > named.len() {
            true => format!(" and {} more", gaps.len() - named.len()),
            false => String::new(),
        };
        told.push(format!(
            "For {} nothing was measured, because no process ran the deployment, or \
             one was killed before it had kept it: {}{more}.",
            whole_seconds(all),
            named.join(", ")
        ));
    }
    if skipped > 0 {
        told.push(format!(
            "In {skipped} seconds no request was sent, because earlier ones had no answer yet or the \
             machine was too slow."
        ));
    }
    told.push(
        "One request a second from one machine, through the DNS answers that its resolver gave: \
         users elsewhere, other paths and failures shorter than a second may have been different."
            .to_owned(),
    );
    told
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn availability_is_never_rounded_up() {
        assert_eq!(availability(0, 0), "–");
        assert_eq!(availability(100_000, 0), "100 %");
        assert_eq!(availability(100_000, 1), "99.99 %");
        assert_eq!(availability(3, 1), "66.66 %");
    }
}
