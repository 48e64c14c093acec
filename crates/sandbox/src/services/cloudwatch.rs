//! The alarms of CloudWatch, version 2010-08-01, and the metric `RequestCount` of load balancers.
//! No alarm follows a metric: it is in the state that SetAlarmState, or [`World::set_alarm`], has
//! left it in.

use serde_json::{Map, Value, json};

use crate::time::{Millis, parse_moment};
use crate::wire::error::ApiError;
use crate::world::World;
use crate::world::alarm::Alarm;
use crate::world::balanced_by::BalancedBy;

pub(crate) const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";

/// How many names DescribeAlarms accepts (API reference, `AlarmNames`), and the most and the usual
/// number of alarms in one answer (`MaxRecords`).
const NAMES_MAX: usize = 100;
const RECORDS_MAX: u64 = 100;

/// The shortest period of a load balancer's metrics, in milliseconds, and how long after it
/// CloudWatch has them (user guides of Elastic Load Balancing, "CloudWatch metrics": it reports in
/// intervals of 60 seconds; nothing says how long CloudWatch takes after that).
const MINUTE: Millis = 60_000;
const TOLD_AFTER: Millis = 120_000;

type Answer = Result<Value, ApiError>;

/// The operations that it offers, sorted.
pub(crate) const OPERATIONS: [&str; 6] = [
    "DeleteAlarms",
    "DescribeAlarms",
    "GetMetricData",
    "PutCompositeAlarm",
    "PutMetricAlarm",
    "SetAlarmState",
];

pub(crate) fn answer(world: &mut World, operation: &str, input: &Value) -> Answer {
    let Some(input) = input.as_object() else {
        return Err(ApiError::new(
            "SerializationException",
            "The request cannot be read.",
        ));
    };
    match operation {
        "DescribeAlarms" => describe_alarms(world, input),
        "PutMetricAlarm" => put_alarm(world, input, false),
        "PutCompositeAlarm" => put_alarm(world, input, true),
        "SetAlarmState" => set_alarm_state(world, input),
        "DeleteAlarms" => delete_alarms(world, input),
        "GetMetricData" => metric_data(world, input),
        _ => Err(ApiError::new(
            "InvalidAction",
            format!("Could not find operation {operation} for version 2010-08-01"),
        )),
    }
}

fn describe_alarms(world: &World, input: &Map<String, Value>) -> Answer {
    let names = texts(input, "AlarmNames");
    let prefix = text(input, "AlarmNamePrefix");
    if names.len() > NAMES_MAX {
        return Err(unfit(format!(
            "1 validation error detected: Value at 'alarmNames' failed to satisfy constraint: Member must have length less than or equal to {NAMES_MAX}"
        )));
    }
    if !names.is_empty() && prefix.is_some() {
        return Err(ApiError::new(
            "InvalidParameterCombination",
            "AlarmNames and AlarmNamePrefix may not both be specified.",
        ));
    }
    let types = texts(input, "AlarmTypes");
    // Without a type only metric alarms return (API reference).
    let wanted = |composite: bool| match (types.is_empty(), composite) {
        (true, composite) => !composite,
        (false, true) => types.contains(&"CompositeAlarm"),
        (false, false) => types.contains(&"MetricAlarm"),
    };
    let most = match input.get("MaxRecords").filter(|most| !most.is_null()) {
        None => RECORDS_MAX,
        Some(most) => number(most)
            .filter(|most| (1..=RECORDS_MAX).contains(most))
            .ok_or_else(|| {
                unfit(format!(
                    "1 validation error detected: Value at 'maxRecords' failed to satisfy constraint: Member must have value between 1 and {RECORDS_MAX}"
                ))
            })?,
    };
    let after = text(input, "NextToken");
    let mut found: Vec<&Alarm> = world
        .services
        .alarms
        .iter()
        .filter(|a| wanted(a.composite))
        .filter(|a| names.is_empty() || names.contains(&a.name.as_str()))
        .filter(|a| prefix.is_none_or(|prefix| a.name.starts_with(prefix)))
        .filter(|a| text(input, "StateValue").is_none_or(|state| a.state == state))
        .filter(|a| after.is_none_or(|after| a.name.as_str() > after))
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let rest = found.split_off(found.len().min(usize::try_from(most).unwrap_or(usize::MAX)));
    let next = (!rest.is_empty()).then(|| found.last().map(|last| last.name.clone()));
    let (composite, metric): (Vec<&Alarm>, Vec<&Alarm>) =
        found.into_iter().partition(|alarm| alarm.composite);
    let told = |alarms: Vec<&Alarm>| -> Vec<Value> {
        alarms.into_iter().map(|alarm| told(world, alarm)).collect()
    };
    Ok(json!({
        "CompositeAlarms": told(composite),
        "MetricAlarms": told(metric),
        "NextToken": next,
    }))
}

fn told(world: &World, alarm: &Alarm) -> Value {
    let updated = alarm.updated as f64 / 1000.0;
    let mut told = alarm.definition.clone();
    for (name, value) in [
        ("AlarmName", json!(alarm.name)),
        ("AlarmArn", json!(world.alarm_arn(&alarm.name))),
        ("ActionsEnabled", json!(true)),
        ("StateValue", json!(alarm.state)),
        ("StateReason", json!(alarm.reason)),
        ("StateUpdatedTimestamp", json!(updated)),
    ] {
        told.insert(name.to_owned(), value);
    }
    Value::Object(told)
}

fn put_alarm(world: &mut World, input: &Map<String, Value>, composite: bool) -> Answer {
    let name = required(input, "AlarmName")?.to_owned();
    let needed: &[&str] = if composite {
        &["AlarmRule"]
    } else {
        &["ComparisonOperator", "EvaluationPeriods"]
    };
    for member in needed {
        if input.get(*member).is_none_or(Value::is_null) {
            return Err(missing(member));
        }
    }
    if !composite && !input.contains_key("MetricName") && !input.contains_key("Metrics") {
        return Err(unfit("MetricName or Metrics must be specified.".to_owned()));
    }
    let mut definition = input.clone();
    for member in ["Action", "Version", "Tags", "AlarmName", "ActionsEnabled"] {
        definition.remove(member);
    }
    for (member, value) in &mut definition {
        typed(member, value);
    }
    let old = world
        .services
        .alarms
        .iter()
        .find(|a| a.name == name)
        .cloned();
    let alarm = match old {
        Some(old) if old.composite != composite => {
            return Err(unfit(format!("An alarm of another type is named {name}.")));
        }
        // A change of its definition leaves its state (API reference).
        Some(old) => Alarm { definition, ..old },
        None => world.new_alarm(&name, composite, definition),
    };
    world.services.alarms.retain(|a| a.name != name);
    world.services.alarms.push(alarm);
    Ok(json!({}))
}

fn set_alarm_state(world: &mut World, input: &Map<String, Value>) -> Answer {
    let name = required(input, "AlarmName")?.to_owned();
    let state = required(input, "StateValue")?.to_owned();
    let reason = required(input, "StateReason")?.to_owned();
    if !["OK", "ALARM", "INSUFFICIENT_DATA"].contains(&state.as_str()) {
        return Err(unfit(format!(
            "1 validation error detected: Value '{state}' at 'stateValue' failed to satisfy constraint: Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]"
        )));
    }
    if !world.services.alarms.iter().any(|alarm| alarm.name == name) {
        return Err(ApiError {
            status: 404,
            ..ApiError::new("ResourceNotFound", "")
        });
    }
    world.change_alarm(&name, &state, &reason);
    Ok(json!({}))
}

fn metric_data(world: &World, input: &Map<String, Value>) -> Answer {
    let moment = |name: &str| {
        let told = input.get(name).and_then(moment);
        told.ok_or_else(|| missing(name))
    };
    let (from, to) = (moment("StartTime")?, moment("EndTime")?);
    if from >= to {
        return Err(unfit(
            "The parameter StartTime must be less than the parameter EndTime.".to_owned(),
        ));
    }
    let queries = input.get("MetricDataQueries").and_then(Value::as_array);
    let queries = queries.ok_or_else(|| missing("MetricDataQueries"))?;
    let mut results = Vec::new();
    for query in queries {
        let stat = &query["MetricStat"];
        let period = number(&stat["Period"]).unwrap_or(0).saturating_mul(1000);
        if period == 0 || !period.is_multiple_of(MINUTE) {
            return Err(unfit("Period must be a multiple of 60.".to_owned()));
        }
        if stat["Stat"] != "Sum" {
            return Err(unfit("The sandbox knows no statistic but Sum.".to_owned()));
        }
        let mut sums = std::collections::BTreeMap::new();
        for (at, requests) in request_counts(world, &stat["Metric"]) {
            let is_told = at + MINUTE + TOLD_AFTER <= world.now;
            if is_told && (from..to).contains(&at) {
                let begins = at - at % period;
                *sums.entry(begins).or_insert(0) += requests;
            }
        }
        // The newest first (API reference, `ScanBy`).
        let (times, values): (Vec<f64>, Vec<f64>) = sums
            .into_iter()
            .rev()
            .map(|(at, sum)| (at as f64 / 1000.0, sum as f64))
            .unzip();
        results.push(json!({
            "Id": query["Id"],
            "Label": stat["Metric"]["MetricName"],
            "Timestamps": times,
            "Values": values,
            "StatusCode": "Complete",
        }));
    }
    Ok(json!({ "MetricDataResults": results, "Messages": [] }))
}

/// The requests of each minute that has any, of what the dimensions of a metric name: a whole
/// classic load balancer, a target group behind an application load balancer, or a whole
/// application load balancer. Anything else has none.
fn request_counts(world: &World, metric: &Value) -> Vec<(Millis, u64)> {
    let dimension = |name: &str| {
        let mut all = metric["Dimensions"].as_array().into_iter().flatten();
        all.find(|d| d["Name"] == name)?["Value"].as_str()
    };
    if metric["MetricName"] != "RequestCount" {
        return Vec::new();
    }
    let environments =
        world
            .environments()
            .filter(|environment| match metric["Namespace"].as_str() {
                Some("AWS/ELB") => match world.balanced_by(environment) {
                    BalancedBy::Classic(name) => dimension("LoadBalancerName") == Some(&name),
                    _ => false,
                },
                Some("AWS/ApplicationELB") => world.is_balanced_by(
                    environment,
                    dimension("LoadBalancer").unwrap_or_default(),
                    dimension("TargetGroup"),
                ),
                _ => false,
            });
    environments
        .flat_map(|environment| world.traffic.counted(&environment.id))
        .collect()
}

fn delete_alarms(world: &mut World, input: &Map<String, Value>) -> Answer {
    let names = texts(input, "AlarmNames");
    if let Some(unknown) = names
        .iter()
        .find(|name| !world.services.alarms.iter().any(|a| a.name == **name))
    {
        return Err(ApiError {
            status: 404,
            ..ApiError::new("ResourceNotFound", format!("Unknown alarm {unknown}"))
        });
    }
    world
        .services
        .alarms
        .retain(|alarm| !names.contains(&alarm.name.as_str()));
    Ok(json!({}))
}

/// Gives a member of an alarm its type, which the Query protocol does not carry.
fn typed(member: &str, value: &mut Value) {
    let Some(text) = value.as_str() else { return };
    let number: Option<Value> = match member {
        "Period" | "EvaluationPeriods" | "DatapointsToAlarm" => {
            text.parse::<i64>().ok().map(Value::from)
        }
        "Threshold" => text.parse::<f64>().ok().map(Value::from),
        _ => None,
    };
    if let Some(number) = number {
        *value = number;
    }
}

fn text<'a>(input: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    input
        .get(member)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

fn texts<'a>(input: &'a Map<String, Value>, member: &str) -> Vec<&'a str> {
    let members = input.get(member).and_then(Value::as_array);
    members
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// A moment, in seconds since the epoch or as a date.
fn moment(value: &Value) -> Option<Millis> {
    match value {
        Value::String(text) => parse_moment(text),
        value => Some((value.as_f64()? * 1000.0) as Millis),
    }
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn required<'a>(input: &'a Map<String, Value>, member: &str) -> Result<&'a str, ApiError> {
    text(input, member).ok_or_else(|| missing(member))
}

fn missing(member: &str) -> ApiError {
    ApiError::new(
        "MissingParameter",
        format!("The request must contain the parameter {member}."),
    )
}

fn unfit(message: String) -> ApiError {
    ApiError::new("ValidationError", message)
}
