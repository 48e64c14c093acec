//! Replays IAM's simulations. A client sends one resource at a time, and the names of resources in
//! it are pseudonyms or made up: so the answer for each action is the recorded decision on it,
//! whatever request that was in.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::replay::question::Question;
use crate::replay::recording::Exchange;

/// The operation (IAM API reference).
pub(crate) const OPERATION: &str = "SimulatePrincipalPolicy";

const ALLOWED: &str = "allowed";

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "SimulatePrincipalPolicyResult")]
    result: Evaluated,
}

#[derive(Deserialize)]
struct Evaluated {
    #[serde(rename = "EvaluationResults", default)]
    results: Evaluations,
}

#[derive(Default, Deserialize)]
struct Evaluations {
    #[serde(rename = "member", default)]
    members: Vec<Evaluation>,
}

#[derive(Deserialize)]
struct Evaluation {
    #[serde(rename = "EvalActionName")]
    action: String,
    #[serde(rename = "EvalDecision")]
    decision: String,
}

/// The decision on an action, on the resource that the request named.
struct Decided {
    resource: String,
    decision: String,
}

/// The answer to a simulation; `None` where one of its actions was never simulated.
pub(crate) fn answer(exchanges: &[Exchange], asked: &Question) -> Option<String> {
    let known = known(exchanges);
    let resource = asked.parameter("ResourceArns.member.1").unwrap_or("*");
    let mut results = String::new();
    for action in asked.listed("ActionNames.member.") {
        let decided = known.get(action)?;
        let same = decided.iter().find(|d| d.resource == resource);
        let mut others = decided.iter();
        let not_allowed = others.find(|d| d.decision != ALLOWED);
        // Of a resource that was not asked for the worst is said.
        let decision = same
            .or(not_allowed)
            .map_or(ALLOWED, |d| d.decision.as_str());
        results.push_str(&format!(
            "<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}\
             </EvalDecision><EvalResourceName>*</EvalResourceName></member>"
        ));
    }
    Some(format!(
        "<SimulatePrincipalPolicyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
         <SimulatePrincipalPolicyResult><EvaluationResults>{results}</EvaluationResults>\
         <IsTruncated>false</IsTruncated></SimulatePrincipalPolicyResult><ResponseMetadata>\
         <RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata>\
         </SimulatePrincipalPolicyResponse>"
    ))
}

/// By action, the decisions on each resource.
fn known(exchanges: &[Exchange]) -> BTreeMap<String, Vec<Decided>> {
    let mut known: BTreeMap<String, Vec<Decided>> = BTreeMap::new();
    for exchange in exchanges {
        let asked = Question::of(
            &exchange.method,
            &exchange.path,
            exchange.target.as_deref(),
            exchange.body.as_deref().unwrap_or_default(),
        );
        let answer = exchange.answer.as_deref().unwrap_or_default();
        let Ok(answer) = quick_xml::de::from_str::<Answer>(answer) else {
            continue;
        };
        let resource = asked.parameter("ResourceArns.member.1").unwrap_or("*");
        for evaluation in answer.result.results.members {
            known.entry(evaluation.action).or_default().push(Decided {
                resource: resource.to_owned(),
                decision: evaluation.decision,
            });
        }
    }
    known
}

impl Question {
    fn parameter(&self, name: &str) -> Option<&str> {
        let mut all = self.parameters.iter();
        all.find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The values of a list, whose members begin so.
    fn listed<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let members = self.parameters.iter();
        let members = members.filter(move |(key, _)| key.starts_with(prefix));
        members.map(|(_, value)| value.as_str())
    }
}
