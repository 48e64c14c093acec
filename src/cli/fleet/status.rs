//! `bluegreen fleet status`: the targets of a fleet, and how far it is.

use std::time::Duration;

use super::super::exit::{Exit, Failed};
use super::super::output::{say, tell};
use super::kept::Fleet;
use super::view::exit_of;
use crate::plan::Goal;
use crate::report::fleet::{document, story};

/// How often the record is read while watching.
const WATCH: Duration = Duration::from_secs(2);

pub(super) async fn show(fleet: &mut Fleet, json: bool, watch: bool) -> Result<Exit, Failed> {
    let mut interrupted = fleet.context.signals.came();
    let mut shown = String::new();
    loop {
        let record = fleet.record().await?;
        let record = fleet.as_it_stands(record).await?;
        let text = match json {
            true => serde_json::to_string_pretty(&document(&record))
                .expect("a document is plain strings and numbers"),
            false => story(&record, &fleet.path_for_shell(), &|member| {
                fleet.place_of(member)
            }),
        };
        if text != shown {
            match json {
                true => say(&text),
                false => tell(&text),
            }
            shown = text;
        }
        if !watch {
            return Ok(Exit::Completed);
        }
        if record.state.rests() {
            return Ok(exit_of(
                &record,
                Goal::Release,
                fleet.context.options.ci.exit_code_paused,
            ));
        }
        tokio::select! {
            () = tokio::time::sleep(WATCH) => {}
            _ = interrupted.wait_for(|yes| *yes) => return Ok(Exit::Completed),
        }
    }
}
