//! The axis of time of a report: where on it a moment stands.

use std::time::Duration;

use serde::Serialize;

use crate::clock::Moment;

/// A rest that lasts longer than this share of the rest of the deployment is folded: a hold
/// overnight would leave no room for a release of half an hour.
const FOLDED_FROM: f64 = 0.15;

/// The width of a folded rest, in percent of the axis, and of all of them at most.
const FOLDED_WIDTH: f64 = 8.0;
const FOLDED_WIDTHS_MAX: f64 = 40.0;

/// How many ticks an axis has at most.
const TICKS_MAX: u64 = 6;

/// The distances between two ticks, in minutes.
const STEPS: [u64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1_440, 10_080];

/// An axis of time, from 0 to 100.
#[derive(Clone, Debug)]
pub struct Axis {
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    from: Moment,
    to: Moment,
    left: f64,
    width: f64,
    is_folded: bool,
}

/// A place on the axis, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Place {
    /// Where it begins.
    pub left: f64,
    /// How wide it is.
    pub width: f64,
}

/// A moment that the axis names.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tick {
    /// Where it stands, in percent.
    pub left: f64,
    /// The time of the day.
    pub label: String,
}

impl Axis {
    /// The axis of a deployment that rested in these spans, in their order.
    #[must_use]
    pub fn new(began: Moment, ended: Moment, rests: &[(Moment, Moment)]) -> Axis {
        let ended = ended.max(began.after(Duration::from_secs(1)));
        let within = |at: Moment| at.max(began).min(ended);
        let rests = rests.iter().map(|(from, to)| (within(*from), within(*to)));
        let rests: Vec<_> = rests.filter(|(from, to)| from < to).collect();
        let rested: f64 = rests.iter().map(|(from, to)| seconds(*from, *to)).sum();
        let worked = seconds(began, ended) - rested;
        let is_long = |(from, to): &&(Moment, Moment)| {
            worked > 0.0 && seconds(*from, *to) > worked * FOLDED_FROM
        };
        let folded: Vec<_> = rests.iter().filter(is_long).copied().collect();
        let mut spans = Vec::new();
        let mut at = began;
        for (from, to) in folded {
            spans.extend([(at, from, false), (from, to, true)]);
            at = to;
        }
        spans.push((at, ended, false));
        spans.retain(|(from, to, _)| from < to);
        Axis {
            pieces: placed(&spans),
        }
    }

    /// Where a moment stands, in percent.
    #[must_use]
    pub fn at(&self, moment: Moment) -> f64 {
        let piece = self.pieces.iter().find(|piece| moment <= piece.to);
        let Some(piece) = piece.or(self.pieces.last()) else {
            return 0.0;
        };
        let share = seconds(piece.from, moment) / seconds(piece.from, piece.to);
        rounded(piece.left + piece.width * share.clamp(0.0, 1.0))
    }

    /// Where a span stands.
    #[must_use]
    pub fn place(&self, from: Moment, to: Moment) -> Place {
        let left = self.at(from);
        Place {
            left,
            width: rounded((self.at(to) - left).max(0.0)),
        }
    }

    /// The rests that are folded.
    #[must_use]
    pub fn folds(&self) -> Vec<Place> {
        let folded = self.pieces.iter().filter(|piece| piece.is_folded);
        folded
            .map(|piece| self.place(piece.from, piece.to))
            .collect()
    }

    /// The moments that the axis names.
    #[must_use]
    pub fn ticks(&self) -> Vec<Tick> {
        let open = || self.pieces.iter().filter(|piece| !piece.is_folded);
        let shown: f64 = open().map(|piece| seconds(piece.from, piece.to)).sum();
        let fits = |step: &&u64| shown / 60.0 <= (**step * TICKS_MAX) as f64;
        let step = STEPS.iter().find(fits).unwrap_or(&STEPS[STEPS.len() - 1]);
        let step = step.saturating_mul(60_000);
        let mut ticks = Vec::<Tick>::new();
        for piece in open() {
            let mut at = piece.from.0.div_ceil(step).saturating_mul(step);
            while at <= piece.to.0 {
                let left = self.at(Moment(at));
                if ticks.last().is_none_or(|last| left - last.left > 8.0) && left < 96.0 {
                    let label = clock(Moment(at))[..5].to_owned();
                    ticks.push(Tick { left, label });
                }
                at = at.saturating_add(step);
            }
        }
        ticks
    }
}

/// Pieces side by side: each folded one of the same width, the others by their length.
fn placed(spans: &[(Moment, Moment, bool)]) -> Vec<Piece> {
    let folds = spans.iter().filter(|(.., is_folded)| *is_folded).count() as f64;
    let folded_width = FOLDED_WIDTH.min(FOLDED_WIDTHS_MAX / folds.max(1.0));
    let open = spans.iter().filter(|(.., is_folded)| !is_folded);
    let length: f64 = open.map(|(from, to, _)| seconds(*from, *to)).sum();
    let width = 100.0 - folds * folded_width;
    let mut left = 0.0;
    let pieces = spans.iter().map(|(from, to, is_folded)| {
        let width = match is_folded {
            true => folded_width,
            false => width * seconds(*from, *to) / length,
        };
        let piece = Piece {
            from: *from,
            to: *to,
            left,
            width,
            is_folded: *is_folded,
        };
        left += width;
        piece
    });
    pieces.collect()
}

/// The time of the day in UTC, as in `09:42:59`.
#[must_use]
pub fn clock(at: Moment) -> String {
    at.to_string().chars().skip(11).take(8).collect()
}

fn seconds(from: Moment, to: Moment) -> f64 {
    to.since(from).as_secs_f64()
}

fn rounded(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: u64) -> Moment {
        Moment(minute * 60_000)
    }

    #[test]
    fn an_axis_without_rests_is_even() {
        let axis = Axis::new(minute(0), minute(40), &[]);
        assert_eq!([axis.at(minute(0)), axis.at(minute(10))], [0.0, 25.0]);
        let labels: Vec<_> = axis.ticks().into_iter().map(|tick| tick.label).collect();
        assert_eq!(labels, ["00:00", "00:10", "00:20", "00:30"]);
        assert!(axis.folds().is_empty());
    }

    #[test]
    fn a_hold_overnight_leaves_room_for_the_release() {
        let axis = Axis::new(minute(0), minute(640), &[(minute(20), minute(620))]);
        let hold = axis.place(minute(20), minute(620));
        assert_eq!(hold, axis.folds()[0]);
        assert_eq!((hold.left, hold.width), (46.0, 8.0));
        assert_eq!(axis.at(minute(640)), 100.0);
        assert_eq!(axis.at(minute(9_999)), 100.0);
        let ticks = axis.ticks();
        assert!(
            ticks
                .iter()
                .all(|tick| tick.left <= 46.0 || tick.left >= 54.0),
            "{ticks:?}"
        );
    }

    #[test]
    fn what_takes_no_time_divides_by_nothing() {
        let axis = Axis::new(minute(5), minute(5), &[(minute(5), minute(5))]);
        assert_eq!(axis.at(minute(5)), 0.0);
        let all = Axis::new(minute(0), minute(5), &[(minute(0), minute(5))]);
        assert_eq!(all.at(minute(5)), 100.0);
    }
}
