//! Blue's template as a step of its own: creates it, reads it, compares it with blue, and deletes
//! it. It costs nothing, and shows beforehand what green will be made of.

use tokio::sync::watch;
use tracing::warn;

use super::super::context::Context;
use super::super::exit::{Exit, Failed};
use super::super::output::say;
use super::super::signals::Standing;
use crate::clock::Deadline;
use crate::cloud::{AwsCloud, TemplateBesideBlue};
use crate::cloud::{Cloud, Outcome, Refusal};
use crate::machine::Effect;
use crate::plan::Plan;

/// How often at most bluegreen requests the deletion, a poll apart.
const DELETIONS_MAX: u32 = 5;
/// How many options a step names.
const NAMED_MAX: usize = 8;

/// The outcome of a step, in the words of the checks.
type Verdict = [String; 3];

/// Creates a template of blue, reads it, compares it with blue, and deletes it whatever became of
/// the other steps, also after a signal.
///
/// Its name holds the id of a plan that nothing else is begun under, as every template's of
/// this program: `bluegreen status --discover` and `bluegreen cleanup ID` find what a killed
/// process has left.
pub(super) async fn examine(
    context: &Context,
    plan: &Plan,
    verdicts: &mut Vec<Verdict>,
) -> Result<(), Failed> {
    let (cloud, _) = context.cloud().await?;
    let mut tell = |verdict: Verdict| {
        let [step, what, evidence] = &verdict;
        say(&format!("{step}: {what}, {evidence}"));
        verdicts.push(verdict);
    };
    let signals = &context.signals;
    signals.stand(Standing::Begun {
        told: "interrupted by a signal".to_owned(),
        hint: may_still_be_made(plan),
    });
    tell(made(&cloud, plan).await?);
    let read = read(&cloud, plan, signals.came()).await;
    let failed = match read {
        Ok(beside) => {
            tell(described(plan, &beside));
            tell(compared(plan, &beside));
            None
        }
        Err(failed) => {
            let why = failed.message().to_owned();
            tell(step("template read", "FAILED", why));
            Some(failed)
        }
    };
    // The removal is not to be cut short by the signal that asks for it.
    let has_come = signals.await_another();
    let deleted = deleted(context, &cloud, plan).await;
    tell(match &deleted {
        Ok(()) => step(
            "template deleted",
            "passed",
            format!("{} is gone", plan.template),
        ),
        Err(left) => step("template deleted", "FAILED", left.message().to_owned()),
    });
    deleted?;
    signals.stand(Standing::Idle);
    match failed {
        // It came once everything was read.
        None if has_come => Err(interrupted_by_a_signal()),
        None => Ok(()),
        Some(failed) => Err(failed),
    }
}

fn step(what: &str, verdict: &str, evidence: String) -> Verdict {
    [what.to_owned(), verdict.to_owned(), evidence]
}

/// Requests the template. Where no clear answer comes, whether it exists decides.
async fn made(cloud: &AwsCloud, plan: &Plan) -> Result<Verdict, Failed> {
    let name = &plan.template;
    let nothing = "nothing was changed, and users are on blue";
    let of_blue = format!("{name} is made of {}", plan.target.blue);
    match cloud
        .ask(plan, &Effect::CreateTemplate, &Deadline::default())
        .await
    {
        Outcome::Applied { .. } => Ok(step("template made", "passed", of_blue)),
        Outcome::NotApplied(Refusal::Credentials(why)) => {
            let message = format!("AWS refused the credentials: {why}");
            Err(Failed::new(Exit::Interrupted, message).hint(nothing))
        }
        Outcome::NotApplied(refusal) => {
            let message = format!(
                "AWS refused the template of {}: {}",
                plan.target.blue,
                refusal.why()
            );
            Err(Failed::new(Exit::Denied, message).hint(nothing))
        }
        Outcome::Unclear(why) => {
            let application = cloud.application(&plan.target.application).await;
            let is_there = application
                .as_ref()
                .is_ok_and(|found| found.as_ref().is_some_and(|a| a.templates.contains(name)));
            if is_there {
                return Ok(step("template made", "passed", of_blue));
            }
            let message = format!("no clear answer to CreateConfigurationTemplate: {why}");
            Err(Failed::new(Exit::Interrupted, message).hint(may_still_be_made(plan)))
        }
    }
}

fn may_still_be_made(plan: &Plan) -> String {
    format!(
        "users are on blue; the template {} may still be made: bluegreen status --discover shows \
         it, bluegreen cleanup {} --yes removes it",
        plan.template, plan.id
    )
}

/// Reads the template and blue, unless a signal comes.
async fn read(
    cloud: &AwsCloud,
    plan: &Plan,
    mut interrupted: watch::Receiver<bool>,
) -> Result<TemplateBesideBlue, Failed> {
    let read = tokio::select! {
        biased;
        _ = interrupted.wait_for(|yes| *yes) => {
            return Err(interrupted_by_a_signal());
        }
        read = cloud.template_beside_blue(plan) => read?,
    };
    read.ok_or_else(|| {
        let message = format!("AWS refuses to describe the template {}", plan.template);
        Failed::new(Exit::Denied, message).hint(
            "the file holds its answer; a release needs elasticbeanstalk:DescribeConfigurationSettings \
             on templates, and reads AWS's own files with your rights",
        )
    })
}

fn interrupted_by_a_signal() -> Failed {
    Failed::new(Exit::Interrupted, "interrupted by a signal")
        .hint("users are on blue, which was not touched")
}

fn described(plan: &Plan, beside: &TemplateBesideBlue) -> Verdict {
    let sets = beside.sets.options.len();
    match &beside.sets.groups {
        None => step("template read", "passed", format!("it sets {sets} options")),
        Some(_) => step(
            "template read",
            "warned",
            format!(
                "it sets {sets} options, and keeps the security group that Elastic Beanstalk made for \
                 {}: green is made with a group of its own instead",
                plan.target.blue
            ),
        ),
    }
}

fn compared(plan: &Plan, beside: &TemplateBesideBlue) -> Verdict {
    let blue = &plan.target.blue;
    let otherwise: Vec<_> = beside
        .differing
        .iter()
        .filter(|one| one.weight.is_some())
        .map(|one| one.what.as_str())
        .collect();
    let not_kept = beside.differing.iter().filter(|one| one.other.is_none());
    let not_kept = not_kept.count();
    let rest = match not_kept {
        1 => format!("1 option of {blue} is a default or its own and is not in it"),
        many => format!("{many} options of {blue} are defaults or its own and are not in it"),
    };
    match otherwise.len() {
        0 => step(
            "template compared",
            "passed",
            format!("what it sets is {blue}'s; {rest}"),
        ),
        many => {
            let named = otherwise[..many.min(NAMED_MAX)].join(", ");
            let more = if many > NAMED_MAX { " and more" } else { "" };
            let are = if many == 1 {
                "option is"
            } else {
                "options are"
            };
            let evidence = format!("{many} {are} not {blue}'s: {named}{more}; {rest}");
            step("template compared", "warned", evidence)
        }
    }
}

/// Deletes the template. A signal does not end that: nothing may be left.
async fn deleted(context: &Context, cloud: &AwsCloud, plan: &Plan) -> Result<(), Failed> {
    let mut why = String::new();
    for asked in 0..DELETIONS_MAX {
        if asked > 0 {
            warn!("the template {} is not deleted yet: {why}", plan.template);
            context.clock.sleep(plan.wishes.limits.poll).await;
        }
        why = match cloud
            .ask(plan, &Effect::DeleteTemplate, &Deadline::default())
            .await
        {
            Outcome::Applied { .. } | Outcome::NotApplied(Refusal::AlreadySo(_)) => return Ok(()),
            Outcome::Unclear(why) => why,
            Outcome::NotApplied(refusal) => {
                let is_final = matches!(
                    refusal,
                    Refusal::Denied(_) | Refusal::Invalid(_) | Refusal::Credentials(_)
                );
                let told = refusal.why().to_owned();
                if is_final {
                    why = told;
                    break;
                }
                told
            }
        };
    }
    let message = format!("the template {} could not be deleted: {why}", plan.template);
    Err(Failed::new(Exit::Denied, message).hint(format!(
        "it costs nothing, and users are on blue; remove it with: bluegreen cleanup {} --yes",
        plan.id
    )))
}
