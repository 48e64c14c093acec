//! The releases of each target, and the four figures of DORA over them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets;
use serde::Serialize;

use super::Entry;
use crate::clock::{Moment, whole_seconds};
use crate::events::Happened;
use crate::machine::Kind;
use crate::plan::{Goal, Strategy, Target};
use crate::text::foreign;

/// The version of the JSON document. Fields are only ever added to a version.
pub const JSON_VERSION: u32 = 1;

/// Fewer releases than this say little.
const FEW: usize = 10;

/// The releases of each target.
#[derive(Clone, Debug, Serialize)]
pub struct History {
    version: u32,
    targets: Vec<OfTarget>,
}

/// The releases of one target, and their figures.
#[derive(Clone, Debug, Serialize)]
pub struct OfTarget {
    account: String,
    region: String,
    application: String,
    blue: String,
    /// The four figures.
    pub figures: Dora,
    /// The releases, the latest first.
    pub releases: Vec<Release>,
}

/// One release.
#[derive(Clone, Debug, Serialize)]
pub struct Release {
    /// The deployment's id.
    pub id: String,
    /// Its state.
    pub state: String,
    /// The version before it.
    pub from: String,
    /// The version that it was to release.
    pub version: String,
    /// The processes that ran it, in words; empty where the journal does not say.
    pub by: Vec<String>,
    /// Why it stands where it does.
    pub why: String,
    /// When it began.
    pub began_at: String,
    /// When it ended; none where it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// From its begin until users stayed on the version; none where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_seconds: Option<u64>,
    /// Whether it failed: it was held, rolled back or stuck on its way, or a later release has
    /// undone it.
    pub failed: bool,
    /// Whether an operator called it off before users were on its version, though nothing had
    /// failed: as where a pause is rejected.
    pub called_off: bool,
    /// The id of the release just before it, where it has put back the version that this one had
    /// replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// From its first failure until the end that restored; none where it did not fail, or has not
    /// been restored. Of a release that was undone, from its end until users stayed on the version
    /// before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_seconds: Option<u64>,
}

/// The four figures of DORA over releases: how often, how fast, how many fail, and how soon that is
/// mended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dora {
    /// How many releases there are, those that have not ended included. What undoes a release is
    /// none of its own.
    pub releases: usize,
    /// How many of them have ended and were not called off.
    pub ended: usize,
    /// How many of these are completed.
    pub completed: usize,
    /// How many were called off before users were on their version.
    pub called_off: usize,
    /// Completed releases a week, from the begin of the first release until now; none before a
    /// week has passed.
    pub completed_a_week: Option<f64>,
    /// The median of the lead times.
    pub lead_seconds: Option<u64>,
    /// How many ended releases failed on their way.
    pub failed: usize,
    /// Those of a hundred that ended.
    pub failure_percent: Option<u64>,
    /// The median of the times to restore.
    pub restore_seconds: Option<u64>,
    /// What the figures cannot say, in sentences.
    pub caveats: Vec<String>,
}

impl History {
    /// The history of these deployments. A rehearsal is no release.
    #[must_use]
    pub fn of(entries: &[Entry], now: Moment) -> History {
        let mut of_target = BTreeMap::<_, Vec<&Entry>>::new();
        let releases = entries.iter().filter(|entry| is_release(entry));
        for entry in releases {
            let target = &entry.deployment.plan.target;
            of_target.entry(key(target)).or_default().push(entry);
        }
        let targets = of_target.into_values().map(|mut entries| {
            entries.sort_by_key(|entry| Reverse(entry.deployment.started_at));
            let mut releases: Vec<_> = entries.iter().map(|entry| release(entry)).collect();
            note_the_undone(&mut releases, &entries);
            let target = &entries[0].deployment.plan.target;
            let began = entries.last().map(|first| first.deployment.started_at);
            OfTarget {
                account: target.account.clone(),
                region: target.region.clone(),
                application: target.application.clone(),
                blue: target.blue.clone(),
                figures: figures(&releases, began.map_or(Duration::ZERO, |at| now.since(at))),
                releases,
            }
        });
        History {
            version: JSON_VERSION,
            targets: targets.collect(),
        }
    }

    /// The targets with their releases.
    #[must_use]
    pub fn targets(&self) -> &[OfTarget] {
        &self.targets
    }

    /// The stable, versioned document of `history --json`.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("the document is plain strings and numbers")
    }

    /// The same for people.
    #[must_use]
    pub fn text(&self) -> String {
        let parts: Vec<_> = self.targets.iter().map(text).collect();
        parts.join("\n\n")
    }
}

/// What a target is known by.
fn key(target: &Target) -> [&str; 4] {
    [
        &target.account,
        &target.region,
        &target.application,
        &target.blue,
    ]
}

fn is_release(entry: &Entry) -> bool {
    match entry.deployment.plan.strategy {
        Strategy::Restore | Strategy::Promote => true,
        Strategy::Rehearse => false,
    }
}

/// Whether a state says that a release has failed on its way.
fn fails(state: &str) -> bool {
    let failures = [Kind::Held, Kind::RolledBack, Kind::Stuck];
    failures.iter().any(|kind| kind.to_string() == state)
}

fn release(entry: &Entry) -> Release {
    let deployment = &entry.deployment;
    let plan = &deployment.plan;
    let kind = deployment.state.kind();
    let is_end = deployment.state.is_end();
    let turned = entry.transitions.iter().find(|one| is_failure(&one.to));
    let failed_at = turned.map(|one| one.at);
    let is_restored = matches!(kind, Kind::Completed | Kind::RolledBack);
    let restored = failed_at.filter(|_| is_restored);
    let called_off = is_called_off(entry);
    Release {
        id: plan.id.clone(),
        state: kind.to_string(),
        from: plan.previous_version.clone(),
        version: plan.version.clone(),
        by: runners(entry),
        why: why(entry),
        began_at: deployment.started_at.to_string(),
        ended_at: is_end.then(|| deployment.updated_at.to_string()),
        lead_seconds: lead(entry).map(|lead| lead.as_secs()),
        failed: !called_off && (failed_at.is_some() || plan.goal == Goal::Previous),
        called_off,
        undoes: None,
        restore_seconds: restored
            .filter(|_| !called_off)
            .map(|at| deployment.updated_at.since(at).as_secs()),
    }
}

/// Whether an operator has called it off before users were on its version, and nothing had failed.
fn is_called_off(entry: &Entry) -> bool {
    let deployment = &entry.deployment;
    let went_wrong = [Kind::Held, Kind::Stuck, Kind::Baking].map(|kind| kind.to_string());
    deployment.state.kind() == Kind::RolledBack
        && deployment.turned_back.is_none()
        && deployment.plan.goal == Goal::Previous
        && !entry
            .transitions
            .iter()
            .any(|one| went_wrong.contains(&one.to))
}

/// Notes which releases have undone the one before them: they put back the version that it had
/// replaced. These are of one target, the latest first, both in the same order.
fn note_the_undone(releases: &mut [Release], entries: &[&Entry]) {
    let completed: Vec<usize> = (0..releases.len())
        .rev()
        .filter(|at| releases[*at].lead_seconds.is_some())
        .collect();
    for pair in completed.windows(2) {
        let (earlier, later) = (pair[0], pair[1]);
        let [undone, undoing] = [earlier, later].map(|at| &entries[at].deployment.plan);
        if !undoing.undoes(undone) || releases[earlier].undoes.is_some() {
            continue;
        }
        releases[later].undoes = Some(releases[earlier].id.clone());
        releases[earlier].failed = true;
        let back_at = entries[later]
            .deployment
            .started_at
            .after(lead(entries[later]).unwrap_or_default());
        let ended_at = entries[earlier].deployment.updated_at;
        releases[earlier].restore_seconds = Some(back_at.since(ended_at).as_secs());
    }
}

/// Whether a transition leads where a release has failed: to a hold, to an end without the version,
/// or to a rollback.
fn is_failure(to: &str) -> bool {
    let back = [
        Kind::ReturningToGreen,
        Kind::ReturningToBlue,
        Kind::Discarding,
    ];
    fails(to) || back.iter().any(|kind| kind.to_string() == to)
}

/// From the begin of a release until users stayed on its version: its last swap, where it is
/// completed.
fn lead(entry: &Entry) -> Option<Duration> {
    let deployment = &entry.deployment;
    if deployment.state.kind() != Kind::Completed {
        return None;
    }
    let baking = Kind::Baking.to_string();
    let entered = entry.transitions.iter().rev().find(|one| one.to == baking);
    let at = entered.map_or(deployment.updated_at, |one| one.at);
    Some(at.since(deployment.started_at))
}

/// The processes that ran it, each once.
fn runners(entry: &Entry) -> Vec<String> {
    let mut runners = Vec::<String>::new();
    for event in &entry.events {
        if let Happened::LockTaken {
            runner: Some(runner),
            ..
        } = &event.happened
            && !runners.contains(runner)
        {
            runners.push(runner.clone());
        }
    }
    runners
}

/// Why a release stands where it does: the cause of its state, else why it failed first, else what
/// its state means.
fn why(entry: &Entry) -> String {
    let deployment = &entry.deployment;
    let cause = deployment.state.cause();
    let told = cause.map(|cause| deployment.told(cause).to_string());
    let turned = || entry.transitions.iter().find(|one| is_failure(&one.to));
    told.or_else(|| turned().map(|one| one.why.clone()))
        .unwrap_or_else(|| deployment.meaning().to_owned())
}

fn figures(releases: &[Release], lasted: Duration) -> Dora {
    let releases: Vec<_> = releases.iter().filter(|one| one.undoes.is_none()).collect();
    let called_off = releases.iter().filter(|one| one.called_off).count();
    let ended: Vec<_> = releases
        .iter()
        .filter(|one| one.ended_at.is_some() && !one.called_off)
        .collect();
    let completed = releases
        .iter()
        .filter(|one| one.lead_seconds.is_some())
        .count();
    let failed = ended.iter().filter(|one| one.failed).count();
    let weeks = lasted.as_secs_f64() / (7.0 * 24.0 * 3600.0);
    let a_week = (weeks >= 1.0).then(|| (completed as f64 / weeks * 10.0).round() / 10.0);
    Dora {
        releases: releases.len(),
        ended: ended.len(),
        called_off,
        completed,
        completed_a_week: a_week,
        lead_seconds: median(releases.iter().filter_map(|one| one.lead_seconds)),
        failed,
        failure_percent: percent(failed, ended.len()),
        restore_seconds: median(releases.iter().filter_map(|one| one.restore_seconds)),
        caveats: caveats(ended.len(), called_off, a_week.is_some()),
    }
}

fn caveats(ended: usize, called_off: usize, has_frequency: bool) -> Vec<String> {
    let mut caveats = Vec::new();
    if called_off > 0 {
        let were = match called_off {
            1 => "1 release was".to_owned(),
            many => format!("{many} releases were"),
        };
        caveats.push(format!(
            "{were} called off before users were on the version: no failure."
        ));
    }
    if ended < FEW {
        let releases = match ended {
            1 => "1 release has".to_owned(),
            many => format!("{many} releases have"),
        };
        caveats.push(format!(
            "{releases} ended: too few for more than an impression."
        ));
    }
    if !has_frequency {
        caveats.push("The first release began less than a week ago: no frequency yet.".to_owned());
    }
    caveats.push(
        "Lead time begins with the run, not with the commit, which bluegreen does not know."
            .to_owned(),
    );
    caveats
}

fn percent(part: usize, whole: usize) -> Option<u64> {
    let percent = part.saturating_mul(100).checked_div(whole)?;
    u64::try_from(percent).ok()
}

/// The middle one; the lower one of two.
fn median(values: impl Iterator<Item = u64>) -> Option<u64> {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied()
}

fn text(target: &OfTarget) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "ID", "STATE", "FROM", "TO", "BEGAN", "LEAD", "RESTORED", "BY", "WHY",
    ]);
    for release in &target.releases {
        table.add_row(
            [
                release.id.clone(),
                match (&release.undoes, release.called_off) {
                    (Some(_), _) => format!("{}, an undoing", release.state),
                    (None, true) => format!("{}, called off", release.state),
                    (None, false) => release.state.clone(),
                },
                release.from.clone(),
                release.version.clone(),
                release.began_at.clone(),
                span(release.lead_seconds),
                match (release.failed, release.restore_seconds) {
                    (true, None) => "not yet".to_owned(),
                    (_, restored) => span(restored),
                },
                release.by.last().cloned().unwrap_or_else(|| "-".to_owned()),
                release.why.clone(),
            ]
            .map(|cell| foreign(&cell)),
        );
    }
    let Dora {
        releases,
        completed,
        completed_a_week,
        lead_seconds,
        failed,
        ended,
        failure_percent,
        restore_seconds,
        caveats,
        ..
    } = &target.figures;
    let often = completed_a_week.map(|often| format!("{often} completed a week"));
    let often = often.unwrap_or_else(|| "not known yet".to_owned());
    let releases = match releases {
        1 => "1 release".to_owned(),
        many => format!("{many} releases"),
    };
    let failure = failure_percent.map_or_else(|| "-".to_owned(), |share| format!("{share} %"));
    let mut lines = vec![
        foreign(&format!(
            "{} of {} in {}: {releases}, {completed} completed",
            target.blue, target.application, target.region
        )),
        format!("  Deployment frequency   {often}"),
        format!(
            "  Lead time              {} (median, from the start of the run until users stayed on the version)",
            span(*lead_seconds)
        ),
        format!(
            "  Change failure rate    {failure} ({failed} of {ended} ended releases were held, rolled back, stuck or undone)"
        ),
        format!(
            "  Time to restore        {} (median, from the failure to the end that restored)",
            span(*restore_seconds)
        ),
    ];
    lines.extend(caveats.iter().map(|caveat| format!("  {caveat}")));
    lines.extend([String::new(), table.trim_fmt()]);
    lines.join("\n")
}

fn span(seconds: Option<u64>) -> String {
    match seconds {
        Some(seconds) => whole_seconds(Duration::from_secs(seconds)).to_string(),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::State;
    use crate::shared::DeploymentRecord;
    use crate::store::Transition;

    const HOUR: u64 = 3_600_000;

    /// A deployment that began at this hour and went this way, a state each ten minutes.
    fn entry(hour: u64, way: &[&str], state: State) -> Entry {
        let mut deployment = DeploymentRecord::sample(&format!("01H{hour}")).deployment;
        let began = deployment
            .started_at
            .after(Duration::from_millis(hour * HOUR));
        deployment.started_at = began;
        let mut from = "Preparing";
        let mut at = began;
        let mut transitions = Vec::new();
        for (revision, to) in (1..).zip(way) {
            at = at.after(Duration::from_secs(600));
            transitions.push(Transition {
                revision,
                from: from.to_owned(),
                to: (*to).to_owned(),
                at,
                why: format!("to {to}"),
            });
            from = to;
        }
        deployment.updated_at = at;
        deployment.state = state;
        Entry::of(deployment, transitions, Vec::new())
    }

    fn now() -> Moment {
        let began = DeploymentRecord::sample("01HX").deployment.started_at;
        began.after(Duration::from_secs(14 * 24 * 3600))
    }

    #[test]
    fn the_four_figures_are_those_of_the_journal() {
        let smooth = entry(0, &["Cloning", "Baking", "Completed"], State::Completed);
        let corrected = ["Testing", "Held", "Deploying", "Baking", "Completed"];
        let corrected = entry(1, &corrected, State::Completed);
        let history = History::of(&[smooth, corrected], now());
        let [target] = history.targets() else {
            panic!("{history:?}");
        };
        let figures = &target.figures;
        assert_eq!((figures.completed, figures.failed), (2, 1));
        assert_eq!(figures.completed_a_week, Some(1.0));
        assert_eq!(figures.failure_percent, Some(50));
        // Users stayed on it after 20 and after 40 minutes; held after 20, restored after 50.
        assert_eq!(figures.lead_seconds, Some(1_200));
        assert_eq!(figures.restore_seconds, Some(1_800));
        assert_eq!(target.releases[0].why, "to Held");
        assert!(figures.caveats[0].contains("too few"), "{figures:?}");
    }

    fn rolled_back() -> State {
        State::RolledBack {
            cause: crate::machine::Cause::AskedToRetreat,
        }
    }

    #[test]
    fn what_an_operator_calls_off_is_no_failure_and_what_undoes_a_release_is_none() {
        let mut rejected = entry(0, &["AwaitingSwap", "Discarding"], rolled_back());
        rejected.deployment.plan.goal = Goal::Previous;
        let released = entry(1, &["Cloning", "Baking", "Completed"], State::Completed);
        let mut undoing = entry(3, &["Cloning", "Baking", "Completed"], State::Completed);
        let plan = &mut undoing.deployment.plan;
        std::mem::swap(&mut plan.version, &mut plan.previous_version);
        let mut failed = entry(5, &["AwaitingSwap", "Discarding"], rolled_back());
        failed.deployment.plan.goal = Goal::Previous;
        failed.deployment.turned_back = Some(crate::machine::Cause::AskedToRetreat);
        let history = History::of(&[rejected, released, undoing, failed], now());
        let target = &history.targets()[0];
        let figures = &target.figures;
        assert_eq!((figures.releases, figures.called_off), (3, 1));
        assert_eq!((figures.ended, figures.failed), (2, 2));
        let [_, undoing, released, rejected] = &*target.releases else {
            panic!("{target:?}");
        };
        assert_eq!(undoing.undoes.as_ref(), Some(&released.id));
        // It ended after half an hour; users were back on the version before it an hour and fifty
        // minutes later.
        assert_eq!(released.restore_seconds, Some(6_600));
        assert!(rejected.called_off && !rejected.failed);
    }

    #[test]
    fn what_is_not_restored_has_no_time_and_what_has_not_ended_no_rate() {
        let held = State::Stuck {
            cause: crate::machine::Cause::AskedToRetreat,
        };
        let stuck = entry(0, &["Deploying", "Stuck"], held);
        let running = entry(1, &["Cloning"], State::Cloning);
        let history = History::of(&[stuck, running], now());
        let target = &history.targets()[0];
        assert_eq!(target.figures.restore_seconds, None);
        assert_eq!(target.figures.failure_percent, Some(100));
        assert_eq!((target.figures.releases, target.figures.ended), (2, 1));
        assert!(history.text().contains("not yet"), "{}", history.text());
        assert_eq!(History::of(&[], now()).text(), "");
        serde_json::from_str::<serde_json::Value>(&history.json()).expect("it is JSON");
    }
}
