//! The command that tests an environment, while it runs: from look to look, so that
//! everything else is judged meanwhile.

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
    /// It has ended, which no look has judged yet.
    Ended(Kind, Ran),
}

impl TestRun<'_> {
    /// Whether one runs, or has ended and is yet to be judged.
    pub(super) fn is_under_way(&self) -> bool {
        !matches!(self, TestRun::None)
    }

    /// Stops what was begun for another state. It may take a moment to stop, and production
    /// that is on its way back has none: it is stopped once it is there.
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

    /// Goes on with it, and returns once, when it ends.
    pub(super) async fn goes_on(&mut self) {
        let TestRun::Running(kind, running) = self else {
            return std::future::pending().await;
        };
        let (kind, ran) = (*kind, running.await);
        *self = TestRun::Ended(kind, ran);
    }

    /// What became of it, once.
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
