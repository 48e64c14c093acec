//! How far a recording has been replayed.

use crate::replay::question::Question;

/// How far a recording has been replayed.
pub(crate) struct Progress {
    /// Which exchanges have been replayed.
    exchanges: Vec<bool>,
    /// The first exchange behind the last replayed change.
    from: usize,
    /// The ids that a client made up in the recording, and in this run.
    pub renamed: Vec<(String, String)>,
}

impl Progress {
    /// The progress at the beginning: none of so many exchanges has been replayed.
    pub fn of(exchanges: usize) -> Progress {
        Progress {
            exchanges: vec![false; exchanges],
            from: 0,
            renamed: Vec::new(),
        }
    }

    /// Which of these exchanges is replayed next. Of reads it is one from between the last change
    /// that a client has requested and the next change, where there is one.
    pub fn next(
        &mut self,
        recorded: &[Question],
        candidates: &[usize],
        changes: bool,
    ) -> Option<usize> {
        let from = self.from;
        let is_new = |at: &&usize| !self.exchanges[**at];
        let at = match changes {
            true => {
                let mut later = candidates.iter().filter(|at| **at >= from);
                later.find(is_new).or(candidates.last())
            }
            false => {
                let until = (from..recorded.len()).find(|at| recorded[*at].changes());
                let until = until.unwrap_or(recorded.len());
                let between = candidates.iter().filter(|at| (from..until).contains(*at));
                let before = candidates.iter().rfind(|at| **at < from);
                between
                    .clone()
                    .find(is_new)
                    .or(between.clone().next_back())
                    .or(before)
                    .or(candidates.first())
            }
        };
        let at = *at?;
        self.exchanges[at] = true;
        if changes && at >= from {
            self.from = at + 1;
        }
        Some(at)
    }
}
