//! What interrupts whoever waits: a signal, or a caller that has changed its mind.

use std::pin::pin;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;

/// How long a request that takes hold of something may still be answered after an interruption.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Interrupts everything that holds a copy of it.
#[derive(Clone, Debug)]
pub struct Interruption(watch::Receiver<bool>);

/// An interruption has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("interrupted by a signal")]
pub struct Interrupted;

/// Comes once the channel holds true, and never comes any more where its sender is gone.
impl From<watch::Receiver<bool>> for Interruption {
    fn from(came: watch::Receiver<bool>) -> Interruption {
        Interruption(came)
    }
}

impl Interruption {
    /// The channel that it comes by.
    #[must_use]
    pub fn receiver(&self) -> watch::Receiver<bool> {
        self.0.clone()
    }

    /// Returns once it has come.
    async fn comes(&self) {
        if self.receiver().wait_for(|came| *came).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits for something unless the interruption comes first.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub async fn unless<T>(&self, awaited: impl Future<Output = T>) -> Result<T, Interrupted> {
        tokio::select! {
            biased;
            () = self.comes() => Err(Interrupted),
            done = awaited => Ok(done),
        }
    }

    /// Takes hold of something. What is got all the same after an interruption is given back.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub async fn take<T>(
        &self,
        taking: impl Future<Output = T>,
        give_back: impl AsyncFnOnce(T),
    ) -> Result<T, Interrupted> {
        let mut taking = pin!(taking);
        tokio::select! {
            biased;
            taken = &mut taking => return Ok(taken),
            () = self.comes() => {}
        }
        if let Ok(taken) = tokio::time::timeout(LAST_WORDS, taking).await {
            give_back(taken).await;
        }
        Err(Interrupted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_comes_in_time_is_given_back() {
        let (_sender, came) = watch::channel(true);
        let interruption = Interruption::from(came);
        for (after, comes) in [(LAST_WORDS / 2, true), (2 * LAST_WORDS, false)] {
            let taking = async {
                tokio::time::sleep(after).await;
                7
            };
            let mut given_back = None;
            let taken = interruption.take(taking, async |it| given_back = Some(it));
            assert_eq!(taken.await, Err(Interrupted));
            assert_eq!(given_back, comes.then_some(7));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_cannot_interrupt_any_more_does_not() {
        let (sender, came) = watch::channel(false);
        drop(sender);
        let sleeps = tokio::time::sleep(LAST_WORDS);
        assert_eq!(Interruption::from(came).unless(sleeps).await, Ok(()));
    }
}
