//! The diagram of the machine, drawn from the transitions that the exploration
//! really took, so that it cannot be out of date.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use bluegreen_core::machine::Kind;

use super::explore::Transition;
use super::stage::{Stage, Why};
use super::{RUNS, explored};
use bluegreen_testing::sample::is_full;

type Transitions = BTreeMap<(Kind, Kind), Transition>;

#[test]
fn state_machine_md_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/state-machine.md");
    if !is_full() {
        // A part of the exploration finds nothing that is not drawn.
        let kept = std::fs::read_to_string(&path).expect("it is there");
        let drawn: Vec<_> = kept.lines().filter_map(arrow).collect();
        for line in diagram(&all_transitions()).lines().filter_map(arrow) {
            assert!(drawn.contains(&line), "{line:?} is not in the diagram");
        }
        return;
    }
    let drawn = document(&all_transitions());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &drawn).expect("docs/ can be written to");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == drawn,
        "docs/reference/state-machine.md is not what the machine does; write it anew with \
         BLUEGREEN_TESTS=full UPDATE_DOCS=1 cargo test -p bluegreen-core --test model state_machine_md_is_fresh"
    );
}

/// The two states that a line of the diagram leads from and to.
fn arrow(line: &str) -> Option<(&str, &str)> {
    let (from, to) = line.trim().split_once(" --> ")?;
    Some((from, to.split(':').next()?))
}

#[test]
fn every_state_is_reached() {
    let transitions = all_transitions();
    let reached = |kind: &Kind| {
        *kind == Kind::Preparing
            || transitions
                .iter()
                .any(|((_, to), how)| to == kind && (how.alone || !how.orders.is_empty()))
    };
    let missed: Vec<_> = Kind::ALL.iter().filter(|kind| !reached(kind)).collect();
    assert!(missed.is_empty(), "never reached: {missed:?}");
}

fn all_transitions() -> Transitions {
    let mut all = Transitions::new();
    for run in &RUNS {
        for (kinds, how) in &explored(run).transitions {
            let known = all.entry(*kinds).or_default();
            known.alone |= how.alone;
            known.after_console |= how.after_console;
            for order in &how.orders {
                if !known.orders.contains(order) {
                    known.orders.push(order);
                }
            }
            known.orders.sort_unstable();
        }
    }
    all
}

fn document(transitions: &Transitions) -> String {
    format!(
        "<!-- Drawn by crates/core/tests/model/diagram.rs from what the exhaustive exploration of the \
         machine reached; write it anew with BLUEGREEN_TESTS=full UPDATE_DOCS=1 cargo test \
         -p bluegreen-core --test model state_machine_md_is_fresh -->\n\n{}\n{}\n{}\n{}\n{}\n{}",
        include_str!("diagram/reading.md"),
        diagram(transitions),
        "## The states\n",
        table(transitions),
        stuck(transitions),
        include_str!("diagram/rules.md"),
    )
}

fn diagram(transitions: &Transitions) -> String {
    let mut drawn = String::from("```mermaid\nstateDiagram-v2\n    [*] --> Preparing\n");
    for ((from, to), how) in transitions {
        let orders = how.orders.join(", ");
        let _ = match (how.alone, how.orders.is_empty()) {
            (true, true) => writeln!(drawn, "    {from} --> {to}"),
            (true, false) => writeln!(drawn, "    {from} --> {to}: also by {orders}"),
            (false, false) => writeln!(drawn, "    {from} --> {to}: {orders}"),
            (false, true) => Ok(()),
        };
    }
    for kind in Kind::ALL.into_iter().filter(|kind| stage(*kind).is_end()) {
        let _ = writeln!(drawn, "    {kind} --> [*]");
    }
    drawn.push_str("```\n");
    drawn
}

fn table(transitions: &Transitions) -> String {
    let mut drawn = String::from(
        "| state | means | is left once | leads to | by an operator's order | waits for |\n\
         |---|---|---|---|---|---|\n",
    );
    for kind in Kind::ALL {
        let from = || {
            transitions
                .iter()
                .filter(move |((from, _), _)| *from == kind)
        };
        let alone: Vec<String> = from()
            .filter(|(_, how)| how.alone)
            .map(|((_, to), _)| to.to_string())
            .collect();
        let ordered: Vec<String> = from()
            .filter(|(_, how)| !how.orders.is_empty())
            .map(|((_, to), how)| format!("{to} ({})", how.orders.join(", ")))
            .collect();
        let waits_for = match stage(kind) {
            stage if stage.is_end() => "nothing: an end",
            stage if stage.awaits_operator() => "an operator",
            _ => "AWS, time",
        };
        let _ = writeln!(
            drawn,
            "| {kind} | {} | {} | {} | {} | {waits_for} |",
            kind.meaning(),
            kind.left_because(),
            alone.join(", "),
            ordered.join(", "),
        );
    }
    drawn
}

/// The states from which a deployment gets stuck only after an outside change.
fn stuck(transitions: &Transitions) -> String {
    let from: Vec<String> = transitions
        .iter()
        .filter(|((_, to), how)| *to == Kind::Stuck && how.after_console && !how.alone)
        .map(|((from, _), _)| from.to_string())
        .collect();
    format!(
        "Not drawn: **Stuck** is also reached from {}, but only after somebody else has moved \
         production, deployed to blue, or terminated blue or green.\n",
        from.join(", ")
    )
}

fn stage(kind: Kind) -> Stage {
    let why = Why::Any;
    Stage { kind, why }
}
