//! How far a recording was given.

use crate::replay::question::Question;

/// How far a recording was given.
pub(crate) struct Progress {
    /// Which exchanges were.
    exchanges: Vec<bool>,
    /// Behind the last change that was.
    from: usize,
    /// The ids that a client made up in the recording, and in this run.
    pub renamed: Vec<(String, String)>,
}

impl Progress {
    /// Of so many exchanges none yet.
    pub fn of(exchanges: usize) -> Progress {
        Progress {
            exchanges: vec![false; exchanges],
            from: 0,
            renamed: Vec::new(),
        }
    }

    /// Which of these exchanges is given next. Of reads it is one from between the last change
    /// that was asked for and the next, where there is one.
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
