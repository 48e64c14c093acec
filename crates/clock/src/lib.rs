//! Time: one clock for the wall, for a sandbox that runs faster, and for tests.
//!
//! Everything that waits or dates anything does so through [`Clock`]. Under
//! tokio's paused time the same clock is virtual.

// Numbers here are read from others.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::time::{Duration, SystemTime};

pub use bluegreen_core::moment::{Moment, part, whole_seconds};

/// A clock that reads `epoch` when it is made and then runs `speed` times as
/// fast as tokio's. What it reads never jumps.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Moment,
    started: tokio::time::Instant,
    speed: f64,
    /// What the machine's own clock reads, which may be set at any moment: only a [`Stopwatch`]
    /// reads it.
    wall: fn() -> SystemTime,
}

impl Clock {
    /// The system's own time.
    #[must_use]
    pub fn system() -> Clock {
        Clock::starting_at(SystemTime::now().into(), 1.0)
    }

    /// A clock that reads `epoch` now and runs `speed` times as fast as the wall's.
    #[must_use]
    pub fn starting_at(epoch: Moment, speed: f64) -> Clock {
        Clock {
            epoch,
            started: tokio::time::Instant::now(),
            speed,
            wall: SystemTime::now,
        }
    }

    /// This clock on a machine whose own clock reads what `wall` returns.
    #[must_use]
    pub fn on_the_wall(self, wall: fn() -> SystemTime) -> Clock {
        Clock { wall, ..self }
    }

    /// What the clock reads.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.epoch.after(self.started.elapsed().mul_f64(self.speed))
    }

    /// The same clock reading `now` from this moment on.
    #[must_use]
    pub fn set_to(&self, now: Moment) -> Clock {
        Clock::starting_at(now, self.speed).on_the_wall(self.wall)
    }

    /// How many of its seconds pass in one of the wall's.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Waits for `duration` of this clock's time.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(self.wall(duration)).await;
    }

    /// How long `duration` of this clock's time takes on the wall's.
    #[must_use]
    pub fn wall(&self, duration: Duration) -> Duration {
        duration.div_f64(self.speed)
    }
}

/// How long something has lasted at most, in a clock's time: what the monotonic
/// clock says or what the wall's says, whichever is longer. The monotonic one
/// stands still while a machine is suspended; the wall's may be set.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    started: tokio::time::Instant,
    started_on_the_wall: SystemTime,
    wall: fn() -> SystemTime,
    speed: f64,
}

impl Stopwatch {
    /// A stopwatch that begins now and runs as fast as `clock`.
    #[must_use]
    pub fn start(clock: &Clock) -> Stopwatch {
        Stopwatch {
            started: tokio::time::Instant::now(),
            started_on_the_wall: (clock.wall)(),
            wall: clock.wall,
            speed: clock.speed,
        }
    }

    /// How long it has run at most: for what must have ended by then.
    #[must_use]
    pub fn elapsed_at_most(&self) -> Duration {
        let wall = (self.wall)().duration_since(self.started_on_the_wall);
        let wall = wall.unwrap_or_default();
        self.started.elapsed().max(wall).mul_f64(self.speed)
    }

    /// How long it has run at least, by the monotonic clock: for what must last
    /// until then.
    #[must_use]
    pub fn elapsed_at_least(&self) -> Duration {
        self.started.elapsed().mul_f64(self.speed)
    }
}

/// Until when something may be done: while no stopwatch has run longer than its
/// limit.
#[derive(Clone, Debug, Default)]
pub struct Deadline(Vec<(Stopwatch, Duration)>);

impl Deadline {
    /// This deadline with one more limit.
    #[must_use]
    pub fn and(mut self, stopwatch: Stopwatch, limit: Duration) -> Deadline {
        self.0.push((stopwatch, limit));
        self
    }

    /// Whether any limit may have passed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let over = |(watch, limit): &(Stopwatch, Duration)| watch.elapsed_at_most() > *limit;
        self.0.iter().any(over)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_over_with_its_first_limit() {
        let clock = Clock::starting_at(Moment(0), 1.0);
        let watch = Stopwatch::start(&clock);
        let second = Duration::from_secs(1);
        let deadline = Deadline::default()
            .and(watch, 9 * second)
            .and(watch, 5 * second);
        tokio::time::advance(4 * second).await;
        assert!(!deadline.is_over());
        tokio::time::advance(2 * second).await;
        assert!(deadline.is_over() && !Deadline::default().is_over());
    }

    thread_local! {
        static SET_BY: std::cell::Cell<i64> = const { std::cell::Cell::new(0) };
    }

    /// A machine's clock that was set by so many seconds.
    fn set() -> SystemTime {
        let since_1970 = Duration::from_secs(1_800_000_000);
        let read = UNIX_EPOCH + since_1970;
        let by = Duration::from_secs(SET_BY.get().unsigned_abs());
        if SET_BY.get() < 0 {
            read - by
        } else {
            read + by
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_is_set_makes_a_stopwatch_longer_and_never_shorter() {
        let clock = Clock::starting_at(Moment(0), 60.0).on_the_wall(set);
        let clock = clock.set_to(Moment(5));
        let watch = Stopwatch::start(&clock);
        let minute = Duration::from_secs(60);
        tokio::time::advance(Duration::from_secs(2)).await;
        for (set_by, at_most) in [(0, 2 * minute), (-3600, 2 * minute), (3600, 3600 * minute)] {
            SET_BY.set(set_by);
            assert_eq!(watch.elapsed_at_most(), at_most, "{set_by}");
            assert_eq!(watch.elapsed_at_least(), 2 * minute, "{set_by}");
            assert_eq!(clock.now(), Moment(120_005), "{set_by}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_clock_runs_ahead() {
        let clock = Clock::starting_at(Moment(0), 60.0);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(clock.now(), Moment(120_000));
        clock.sleep(Duration::from_secs(60)).await;
        assert_eq!(clock.now().since(Moment(120_000)).as_secs(), 60);
    }

    #[test]
    fn moments_read_as_rfc_3339_and_never_panic() {
        assert_eq!(Moment(1_000).to_string(), "1970-01-01T00:00:01Z");
        assert_eq!(Moment(u64::MAX).to_string(), "9999-12-31T23:59:59Z");
    }
}
