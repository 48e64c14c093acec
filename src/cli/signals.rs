//! The signals that end a command. It ends within a moment, whatever hangs, and what it says then
//! is true.

use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::exit::{Exit, Failed};
use crate::claim::{Interrupted, Interruption};
use crate::driver::DriveError;

/// How long a command may take to release what it holds after a signal.
const MOMENT: Duration = Duration::from_secs(1);

/// How long the driver may take to end: it limits itself, and it waits for a hook that ignores
/// SIGTERM until that is killed.
const DRIVE_ENDS: Duration = Duration::from_secs(4);

/// How a command stands, should a signal come.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    /// Nothing was changed, and the command holds nothing.
    Idle,
    /// Nothing was changed, but the command may hold a lock or a place in a queue.
    Holding,
    /// More than that: what the command says on a signal, and what leads on.
    Begun { told: String, hint: String },
    /// This process is the runner of the deployment with this id.
    Driven(String),
    /// The server runs until a signal comes, and then ends by itself.
    #[cfg(feature = "sandbox")]
    Serving,
}

/// SIGINT and SIGTERM, and how the command that heeds them stands.
#[derive(Clone, Debug)]
pub(super) struct Signals {
    came: watch::Sender<bool>,
    standing: Arc<Mutex<Standing>>,
}

static OF_THIS_PROCESS: OnceLock<Signals> = OnceLock::new();

impl Signals {
    /// The signals of this process; from the first call on they no longer end it by themselves.
    pub fn of_this_process() -> Result<Signals, Failed> {
        if let Some(signals) = OF_THIS_PROCESS.get() {
            return Ok(signals.clone());
        }
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| Failed::bug(&e))?;
        let mut terminate = signal(SignalKind::terminate()).map_err(|e| Failed::bug(&e))?;
        let signals = OF_THIS_PROCESS.get_or_init(|| Signals {
            came: watch::Sender::new(false),
            standing: Arc::new(Mutex::new(Standing::Idle)),
        });
        let came = signals.came.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                came.send_replace(true);
            }
        });
        Ok(signals.clone())
    }

    /// The same signals for one of several deployments that one command continues.
    pub fn apart(&self) -> Signals {
        Signals {
            came: self.came.clone(),
            standing: Arc::new(Mutex::new(Standing::Idle)),
        }
    }

    /// True from a signal on, for every receiver at any time: a signal that comes between two of a
    /// command's waits is not lost.
    pub fn came(&self) -> watch::Receiver<bool> {
        self.came.subscribe()
    }

    /// The interruption by these signals, for what a command does without this module.
    pub fn interruption(&self) -> Interruption {
        self.came().into()
    }

    /// Forgets the signals that came so far: only another one interrupts what follows. Whether
    /// one had come.
    pub fn await_another(&self) -> bool {
        self.came.send_replace(false)
    }

    /// Notes how the command stands from now on. What has begun is not forgotten where
    /// something more is taken hold of.
    pub fn stand(&self, standing: Standing) {
        let mut stands = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let has_begun = matches!(*stands, Standing::Begun { .. } | Standing::Driven(_));
        if !(has_begun && matches!(standing, Standing::Holding)) {
            *stands = standing;
        }
    }

    fn standing(&self) -> Standing {
        let stands = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        stands.clone()
    }

    /// What the command says where a signal ends it now.
    pub fn interrupted(&self) -> Failed {
        match self.standing() {
            Standing::Begun { told, hint } => Failed::new(Exit::Interrupted, told).hint(hint),
            Standing::Driven(id) => Failed::drive(&id, DriveError::Signal),
            _ => Failed::new(Exit::Interrupted, DriveError::Signal).hint("nothing was changed"),
        }
    }

    /// Waits for something unless a signal comes first.
    pub async fn unless<T>(
        &self,
        awaited: impl Future<Output = Result<T, Failed>>,
    ) -> Result<T, Failed> {
        match self.interruption().unless(awaited).await {
            Ok(done) => done,
            Err(Interrupted) => Err(self.interrupted()),
        }
    }

    /// Carries a command out. Once a signal has come, the command has a moment to end by itself
    /// where it holds anything. After that it is dropped where it stands, which harms no more than
    /// a kill: what was begun continues from its last checkpoint.
    pub async fn heeded<T>(
        &self,
        command: impl Future<Output = Result<T, Failed>>,
    ) -> Result<T, Failed> {
        let mut command = pin!(command);
        tokio::select! {
            biased;
            done = &mut command => done,
            () = self.is_late() => Err(self.interrupted()),
        }
    }

    /// Returns once a command has had its moment since a signal that it does not forget.
    async fn is_late(&self) {
        let mut came = self.came();
        loop {
            come(came.clone()).await;
            let moment = match self.standing() {
                Standing::Idle => Duration::ZERO,
                Standing::Holding | Standing::Begun { .. } => MOMENT,
                Standing::Driven(_) => DRIVE_ENDS,
                #[cfg(feature = "sandbox")]
                Standing::Serving => Duration::MAX,
            };
            let forgotten = came.wait_for(|came| !came);
            if tokio::time::timeout(moment, forgotten).await.is_err() {
                return;
            }
        }
    }
}

/// Returns once a signal has come.
async fn come(mut came: watch::Receiver<bool>) {
    // Its sender is as old as the process.
    let _ = came.wait_for(|came| *came).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signals() -> Signals {
        Signals {
            came: watch::Sender::new(false),
            standing: Arc::new(Mutex::new(Standing::Idle)),
        }
    }

    fn begun() -> Standing {
        Standing::Begun {
            told: "interrupted; the word is left".to_owned(),
            hint: "follow it".to_owned(),
        }
    }

    /// The failure that a hanging command reports after a signal, and after how long.
    async fn ended_by_a_signal(signals: &Signals) -> (String, Duration) {
        signals.came.send_replace(true);
        let since = tokio::time::Instant::now();
        let hangs = std::future::pending::<Result<(), Failed>>();
        let failed = signals.heeded(hangs).await.expect_err("it hangs");
        assert_eq!(failed.exit(), Exit::Interrupted);
        (failed.message().to_owned(), since.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_hangs_ends_within_its_moment() {
        let signals = signals();
        let (told, after) = ended_by_a_signal(&signals).await;
        assert_eq!((&*told, after.as_millis()), ("interrupted by a signal", 0));
        signals.stand(Standing::Holding);
        let (_, after) = ended_by_a_signal(&signals).await;
        assert_eq!(after.as_secs(), MOMENT.as_secs());
        signals.stand(begun());
        signals.stand(Standing::Holding);
        let (told, _) = ended_by_a_signal(&signals).await;
        assert_eq!(told, "interrupted; the word is left");
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_awaits_another_signal_goes_on() {
        let signals = signals();
        signals.stand(begun());
        signals.came.send_replace(true);
        let cleans_up = async {
            let interrupted = signals.unless(std::future::pending::<Result<(), _>>());
            interrupted.await.expect_err("a signal has come");
            assert!(signals.await_another());
            assert!(!signals.await_another());
            signals
                .unless(async {
                    tokio::time::sleep(60 * MOMENT).await;
                    Ok(())
                })
                .await
        };
        signals.heeded(cleans_up).await.expect("it is cleaned up");
    }
}
