//! DescribeTargetHealth: the instances behind target groups.

use serde_json::{Value, json};

use crate::services::elbv2::answer::{Answer, environment_behind, invalid};
use crate::wire::form::Form;
use crate::world::World;
use crate::world::targets::TargetState;

/// The port that instances are registered with.
const PORT: u16 = 80;

pub(crate) fn describe_target_health(world: &World, form: &Form) -> Answer {
    let arn = form.get("TargetGroupArn");
    let arn = arn.ok_or_else(|| invalid("TargetGroupArn must be specified"))?;
    let environment = environment_behind(world, arn)?;
    let targets = form.members("Targets");
    let is_wanted =
        |id: &str| targets.is_empty() || targets.iter().any(|target| target.get("Id") == Some(id));
    let instances = environment.iter().flat_map(|e| e.instances.iter());
    let mut told: Vec<Value> = Vec::new();
    for instance in instances.filter(|instance| is_wanted(&instance.id)) {
        let state = environment.map(|e| world.target_state(e, instance));
        told.extend(state.map(|state| description(&instance.id, state)));
    }
    let unknown = targets.iter().filter_map(|target| target.get("Id"));
    let unknown = unknown.filter(|id| !told.iter().any(|one| one["Target"]["Id"] == **id));
    let unused: Vec<Value> = unknown.map(not_registered).collect();
    told.extend(unused);
    Ok(json!({ "TargetHealthDescriptions": told }))
}

/// A target with its state, in the words of the API reference (`TargetHealth`).
fn description(id: &str, state: TargetState) -> Value {
    let (state, why) = match state {
        TargetState::Healthy => ("healthy", None),
        TargetState::Initial => (
            "initial",
            Some((
                "Elb.InitialHealthChecking",
                "Initial health checks in progress".to_owned(),
            )),
        ),
        TargetState::Draining => (
            "draining",
            Some((
                "Target.DeregistrationInProgress",
                "Target deregistration is in progress".to_owned(),
            )),
        ),
        TargetState::Answers(status) => (
            "unhealthy",
            Some((
                "Target.ResponseCodeMismatch",
                format!("Health checks failed with these codes: [{status}]"),
            )),
        ),
    };
    let (reason, words) = why.unzip();
    json!({
        "Target": { "Id": id, "Port": PORT },
        "HealthCheckPort": PORT.to_string(),
        "TargetHealth": { "State": state, "Reason": reason, "Description": words },
    })
}

fn not_registered(id: &str) -> Value {
    json!({
        "Target": { "Id": id, "Port": PORT },
        "TargetHealth": {
            "State": "unused",
            "Reason": "Target.NotRegistered",
            "Description": "Target is not registered to the target group",
        },
    })
}
