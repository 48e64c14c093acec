//! `bluegreen fleet plan`: every check of every target. Changes nothing.

use comfy_table::{Table, presets};

use super::super::exit::{Exit, Failed};
use super::super::output::say;
use super::super::plan::look;
use super::super::run::{check, is_live_already};
use super::kept::Fleet;
use crate::preflight::Finding;
use crate::text::foreign;

pub(super) async fn show(fleet: &Fleet) -> Result<Exit, Failed> {
    let mut table = Table::new();
    let header = ["TARGET", "WAVE", "RUNS", "RELEASES", "CHECKS"];
    table.load_style(presets::NOTHING).set_header(header);
    let mut refusals = Vec::new();
    let waves = &fleet.file.plan.waves;
    for (member, prepared) in fleet.members.iter().zip(&fleet.prepared) {
        let checked = async {
            check(&prepared.config)?;
            let wanted = prepared.wanted()?;
            let mut context = prepared.context(&fleet.context)?;
            let look = look(&mut context, &prepared.config, &wanted);
            fleet.context.signals.unless(look).await
        };
        let (runs, releases, verdict) = match checked.await {
            Ok(looked) => {
                let refused: Vec<_> = looked.findings.iter().filter(|f| f.refuses()).collect();
                let verdict = match refused.len() {
                    0 => "passed".to_owned(),
                    _ if is_live_already(&looked.findings) => "live already".to_owned(),
                    1 => "1 refusal".to_owned(),
                    many => format!("{many} refusals"),
                };
                if !is_live_already(&looked.findings) {
                    refusals.extend(refused.iter().map(|f| of_target(&member.name, f)));
                }
                let plan = looked.plan.as_ref();
                (
                    plan.map(|plan| plan.previous_version.clone()),
                    plan.map(|plan| plan.version.clone()),
                    verdict,
                )
            }
            Err(failed) if failed.exit() == Exit::Interrupted => return Err(failed),
            Err(failed) => {
                refusals.push(format!("{}: {}", foreign(&member.name), failed.message()));
                (None, None, "refused".to_owned())
            }
        };
        let wave = waves.get(member.wave).map(|wave| wave.name.as_str());
        table.add_row([
            foreign(&member.name),
            foreign(wave.unwrap_or_default()),
            foreign(&runs.unwrap_or_default()),
            foreign(
                &releases
                    .or_else(|| member.version.clone())
                    .unwrap_or_default(),
            ),
            verdict,
        ]);
    }
    let plan = &fleet.file.plan;
    let lines: Vec<_> = table.lines().map(|l| l.trim_end().to_owned()).collect();
    let mut told = lines.join("\n");
    told.push_str(&format!(
        "\n\nFleet {}: {} at a time; it stops after {}.",
        foreign(&fleet.file.name),
        plan.concurrency,
        plan.stop_after
    ));
    for (number, wave) in plan.waves.iter().enumerate().take(plan.waves.len() - 1) {
        let bake = match wave.bake.is_zero() {
            true => "nothing".to_owned(),
            false => format!(
                "{} in which its health is watched",
                humantime::format_duration(wave.bake)
            ),
        };
        let pause = if wave.pauses {
            ", then an approval"
        } else {
            ""
        };
        let next = &plan.waves[number + 1].name;
        told.push_str(&format!(
            "\nBetween {} and {}: {bake}{pause}.",
            foreign(&wave.name),
            foreign(next)
        ));
    }
    for refusal in &refusals {
        told.push_str(&format!("\n{refusal}"));
    }
    say(&told);
    match refusals.is_empty() {
        true => Ok(Exit::Completed),
        false => Ok(Exit::Refused),
    }
}

fn of_target(name: &str, finding: &Finding) -> String {
    foreign(&format!("{name}: {}: {}", finding.check, finding.evidence))
}
