//! The command that tests an environment, while it runs: across polls, so that everything else is
//! judged meanwhile.

use std::pin::Pin;

use crate::command::Ran;
use crate::machine::Kind;

/// The command, or nothing.
#[derive(Default)]
pub(super) enum TestRun<'a> {
    /// There is none.
    #[default]
    None,
    /// It runs for this state. Dropped, it is stopped.
    Running(Kind, Pin<Box<dyn Future<Output = Ran> + 'a>>),
    /// It has ended, and no poll has judged it yet.
    Ended(Kind, Ran),
}

impl TestRun<'_> {
    /// Whether a command runs, or has ended and is not judged yet.
    pub(super) fn is_under_way(&self) -> bool {
        !matches!(self, TestRun::None)
    }

    /// Whether a command has ended and waits for a poll to judge it.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self, TestRun::Ended(..))
    }

    /// Stops what was begun for another state. It may take a moment to stop, for which a rollback
    /// that returns production does not wait: it is stopped once production is back.
    pub(super) fn keep_to(&mut self, state: Kind) {
        if matches!(state, Kind::ReturningToGreen | Kind::ReturningToBlue) {
            return;
        }
        match self {
            TestRun::Running(kind, _) | TestRun::Ended(kind, _) if *kind != state => {
                *self = TestRun::None;
            }
            TestRun::None | TestRun::Running(..) | TestRun::Ended(..) => {}
        }
    }

    /// Runs it on, and returns once, when it ends.
    pub(super) async fn goes_on(&mut self) {
        let TestRun::Running(kind, running) = self else {
            return std::future::pending().await;
        };
        let (kind, ran) = (*kind, running.await);
        *self = TestRun::Ended(kind, ran);
    }

    /// Its result, once.
    pub(super) fn take(&mut self) -> Option<Ran> {
        match std::mem::take(self) {
            TestRun::Ended(_, ran) => Some(ran),
            going_on => {
                *self = going_on;
                None
            }
        }
    }
}
