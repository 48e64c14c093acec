//! What a release would do and what is checked before it, as text and as JSON.

use comfy_table::Table;
use comfy_table::presets;
use serde::Serialize;

use crate::clock::whole_seconds;
use crate::plan::{Plan, Strategy, Target};
use crate::preflight::{Finding, Step, Takes, Verdict, together};
use crate::text::on_one_line;

/// The version of the JSON document. Fields are only ever added to a version.
pub const JSON_VERSION: u32 = 1;

/// What a release would do, as far as it is known.
#[derive(Clone, Debug)]
pub struct Outlook<'a> {
    /// What is deployed to.
    pub target: &'a Target,
    /// Green's name.
    pub green: &'a str,
    /// Which environment users are on in the end.
    pub strategy: Strategy,
    /// The plan; `None` where it cannot be made.
    pub plan: Option<&'a Plan>,
    /// Its steps.
    pub steps: &'a [Step],
    /// What every check found.
    pub findings: &'a [Finding],
}

impl Outlook<'_> {
    fn refusals(&self) -> usize {
        self.findings.iter().filter(|f| f.refuses()).count()
    }
}

/// As text for people.
#[must_use]
pub fn text(outlook: &Outlook<'_>) -> String {
    let target = outlook.target;
    let mut parts = vec![match outlook.plan {
        Some(plan) => format!(
            "Release of {} onto {} of {} in {}, account {}: from {}, strategy {}",
            plan.version,
            target.blue,
            target.application,
            target.region,
            target.account,
            plan.previous_version,
            outlook.strategy
        ),
        None => {
            let account = match target.account.as_str() {
                "" => String::new(),
                account => format!(", account {account}"),
            };
            format!(
                "Release onto {} of {} in {}{account}, strategy {}: no plan can be made",
                target.blue, target.application, target.region, outlook.strategy
            )
        }
    }];
    if !outlook.steps.is_empty() {
        parts.push(String::new());
        parts.push(steps(outlook.steps));
        parts.push(format!(
            "Together {}, beside pauses and approvals.",
            range(together(outlook.steps))
        ));
    }
    parts.push(String::new());
    parts.push(checks(outlook.findings));
    parts.push(match outlook.refusals() {
        0 => "Nothing refuses. Nothing was changed.".to_owned(),
        1 => "1 check refuses. Nothing was changed.".to_owned(),
        many => format!("{many} checks refuse. Nothing was changed."),
    });
    parts.join("\n")
}

fn steps(steps: &[Step]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["STEP", "TAKES", "DOES", "EXPECTED"]);
    for step in steps {
        table.add_row([
            step.kind.to_string(),
            step.takes.map_or_else(|| "-".to_owned(), range),
            on_one_line(&step.what),
            on_one_line(&step.because),
        ]);
    }
    table.trim_fmt()
}

/// What every check found, as a table.
#[must_use]
pub fn checks(findings: &[Finding]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["CHECK", "VERDICT", "EVIDENCE"]);
    for finding in findings {
        let mut evidence = finding.to_string();
        if finding.refuses() && finding.may_be_allowed() {
            evidence.push_str(&format!(" (--allow {} overrides it)", finding.check));
        }
        table.add_row([
            finding.check.to_string(),
            in_words(&finding.verdict).to_owned(),
            on_one_line(&evidence),
        ]);
    }
    table.trim_fmt()
}

/// A verdict, as the table says it.
#[must_use]
pub fn in_words(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Warned => "warned",
        Verdict::Refused { .. } => "REFUSED",
        Verdict::Allowed => "allowed",
        Verdict::Unknown => "unknown",
    }
}

fn range(takes: Takes) -> String {
    let [least, most] = [takes.at_least, takes.at_most].map(|span| whole_seconds(span).to_string());
    match least == most {
        true => least,
        false => format!("{least} to {most}"),
    }
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    account: &'a str,
    region: &'a str,
    application: &'a str,
    blue: &'a str,
    green: &'a str,
    strategy: Strategy,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    production_cname: Option<&'a str>,
    refused: bool,
    steps: Vec<StepItem<'a>>,
    at_least_seconds: u64,
    at_most_seconds: u64,
    checks: Vec<CheckItem<'a>>,
}

#[derive(Serialize)]
struct StepItem<'a> {
    state: String,
    does: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_least_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_most_seconds: Option<u64>,
    because: &'a str,
}

#[derive(Serialize)]
struct CheckItem<'a> {
    check: &'static str,
    #[serde(flatten)]
    verdict: &'a Verdict,
    evidence: &'a str,
    may_be_allowed: bool,
}

/// The stable, versioned document of `plan --json`.
#[must_use]
pub fn json(outlook: &Outlook<'_>) -> String {
    let all = together(outlook.steps);
    let document = Document {
        version: JSON_VERSION,
        account: &outlook.target.account,
        region: &outlook.target.region,
        application: &outlook.target.application,
        blue: &outlook.target.blue,
        green: outlook.green,
        strategy: outlook.strategy,
        release: outlook.plan.map(|plan| plan.version.as_str()),
        previous_version: outlook.plan.map(|plan| plan.previous_version.as_str()),
        production_cname: outlook.plan.map(|plan| plan.production_cname.as_str()),
        refused: outlook.refusals() > 0,
        steps: outlook
            .steps
            .iter()
            .map(|step| StepItem {
                state: step.kind.to_string(),
                does: &step.what,
                at_least_seconds: step.takes.map(|takes| takes.at_least.as_secs()),
                at_most_seconds: step.takes.map(|takes| takes.at_most.as_secs()),
                because: &step.because,
            })
            .collect(),
        at_least_seconds: all.at_least.as_secs(),
        at_most_seconds: all.at_most.as_secs(),
        checks: outlook
            .findings
            .iter()
            .map(|finding| CheckItem {
                check: finding.check.name(),
                verdict: &finding.verdict,
                evidence: &finding.evidence,
                may_be_allowed: finding.may_be_allowed(),
            })
            .collect(),
    };
    serde_json::to_string_pretty(&document).expect("the document is plain strings and numbers")
}
