//! A fleet as a CloudFormation template: a state machine of AWS Step Functions that runs the
//! container once for each target, its roles, and the task definition.
//!
//! The sources of its facts: Step Functions developer guide, "Using Map state in Distributed mode",
//! "Run Amazon ECS or Fargate tasks with Step Functions", "IAM policies for calling Amazon ECS" and
//! "Step Functions service quotas" (a state's input has at most 256 KiB).

use serde_json::{Map, Value, json};

use super::{Exported, STATE, USER};
use crate::fleet::{FleetPlan, StopAfter};

/// The largest input of a state, in bytes.
const INPUT_BYTES_MAX: usize = 256 * 1024;

/// How long the state machine waits before it runs a container again that exited with 75 or was
/// killed, in seconds.
const AGAIN_AFTER: u64 = 60;

/// How long the target of another deployment is given to become free, in seconds.
const FREE_AFTER: u64 = 300;

/// How often a target is tried at most.
const ATTEMPTS_MAX: u64 = 24;

/// How long a task may take, in seconds: longer than any release with its timeouts.
const TASK_SECONDS_MAX: u64 = 24 * 60 * 60;

/// The exit codes that say how a release has ended, each with the name of the error.
const ENDS: [(u8, &str); 6] = [
    (3, "Bluegreen.Refused"),
    (10, "Bluegreen.RolledBack"),
    (11, "Bluegreen.Stuck"),
    (14, "Bluegreen.Held"),
    (20, "Bluegreen.Denied"),
    (2, "Bluegreen.Usage"),
];

/// The CloudFormation template of a fleet with this name.
///
/// # Errors
/// A wave that has more targets than the input of a state may hold, in words.
pub fn template(name: &str, plan: &FleetPlan, targets: &[Exported]) -> Result<Value, String> {
    let definition = definition(plan, targets)?;
    let roles: Vec<_> = targets.iter().filter_map(|one| one.role.clone()).collect();
    Ok(json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!("bluegreen fleet {name}: a container for each target, in waves"),
        "Parameters": {
            "Image": {
                "Type": "String",
                "Description": "Image of bluegreen, with its tag or digest"
            },
            "Cluster": {
                "Type": "String",
                "Description": "ARN of the ECS cluster"
            },
            "Subnets": {
                "Type": "List<AWS::EC2::Subnet::Id>",
                "Description": "Subnets from which AWS and the environments can be reached"
            },
            "SecurityGroups": {
                "Type": "List<AWS::EC2::SecurityGroup::Id>",
                "Description": "Security groups of the tasks; they need no inbound rule"
            },
            "AssignPublicIp": {
                "Type": "String",
                "Default": "DISABLED",
                "AllowedValues": ["ENABLED", "DISABLED"],
                "Description": "ENABLED in subnets without a NAT gateway"
            },
            "ReleasePolicies": {
                "Type": "CommaDelimitedList",
                "Description": "ARNs of managed policies with what `bluegreen iam-policy` prints"
            },
        },
        "Resources": {
            "LogGroup": {
                "Type": "AWS::Logs::LogGroup",
                "Properties": { "RetentionInDays": 90 }
            },
            "ExecutionRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": trust("ecs-tasks.amazonaws.com"),
                    "ManagedPolicyArns": [{
                        "Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
                    }]
                }
            },
            "TaskRole": {
                "Type": "AWS::IAM::Role",
                "Properties": task_role(roles)
            },
            "TaskDefinition": {
                "Type": "AWS::ECS::TaskDefinition",
                "Properties": task_definition(name)
            },
            "ApprovalTopic": {
                "Type": "AWS::SNS::Topic"
            },
            "StateMachineRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": trust("states.amazonaws.com"),
                    "Policies": [{
                        "PolicyName": "run-the-fleet",
                        "PolicyDocument": state_machine_policy()
                    }]
                }
            },
            "StateMachine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "StateMachineType": "STANDARD",
                    "RoleArn": { "Fn::GetAtt": ["StateMachineRole", "Arn"] },
                    "Definition": definition
                }
            },
            // What starts executions of the state machine from itself cannot stand in its role, which
            // it needs to be made.
            "ChildExecutions": {
                "Type": "AWS::IAM::Policy",
                "Properties": {
                    "PolicyName": "run-the-targets",
                    "Roles": [{ "Ref": "StateMachineRole" }],
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Action": "states:StartExecution",
                                "Resource": { "Ref": "StateMachine" }
                            },
                            {
                                "Effect": "Allow",
                                "Action": ["states:DescribeExecution", "states:StopExecution"],
                                "Resource": {
                                    "Fn::Sub": "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution:${StateMachine.Name}/*"
                                }
                            }
                        ]
                    }
                }
            }
        },
        "Outputs": {
            "StateMachine": { "Value": { "Ref": "StateMachine" } },
            "ApprovalTopic": { "Value": { "Ref": "ApprovalTopic" } }
        }
    }))
}

fn trust(service: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": service },
            "Action": "sts:AssumeRole"
        }]
    })
}

fn task_role(mut roles: Vec<String>) -> Value {
    roles.sort();
    roles.dedup();
    let mut properties = json!({
        "AssumeRolePolicyDocument": trust("ecs-tasks.amazonaws.com"),
        "ManagedPolicyArns": { "Ref": "ReleasePolicies" }
    });
    if !roles.is_empty() {
        properties["Policies"] = json!([{
            "PolicyName": "assume-the-roles-of-the-targets",
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Resource": roles
                }]
            }
        }]);
    }
    properties
}

fn task_definition(name: &str) -> Value {
    json!({
        "Family": format!("bluegreen-{}", name.replace('.', "-")),
        "RequiresCompatibilities": ["FARGATE"],
        "NetworkMode": "awsvpc",
        "Cpu": "256",
        "Memory": "512",
        "ExecutionRoleArn": { "Fn::GetAtt": ["ExecutionRole", "Arn"] },
        "TaskRoleArn": { "Fn::GetAtt": ["TaskRole", "Arn"] },
        "Volumes": [{ "Name": "state" }, { "Name": "tmp" }],
        "ContainerDefinitions": [{
            "Name": "bluegreen",
            "Image": { "Ref": "Image" },
            "Essential": true,
            "User": format!("{USER}:{USER}"),
            "ReadonlyRootFilesystem": true,
            // Time to write the last checkpoint after SIGTERM.
            "StopTimeout": 120,
            "Environment": [
                { "Name": "BLUEGREEN_LOG_FORMAT", "Value": "json" },
                { "Name": "AWS_REGION", "Value": { "Ref": "AWS::Region" } }
            ],
            "MountPoints": [
                { "SourceVolume": "state", "ContainerPath": STATE },
                { "SourceVolume": "tmp", "ContainerPath": "/tmp" }
            ],
            "LogConfiguration": {
                "LogDriver": "awslogs",
                "Options": {
                    "awslogs-group": { "Ref": "LogGroup" },
                    "awslogs-region": { "Ref": "AWS::Region" },
                    "awslogs-stream-prefix": "bluegreen"
                }
            }
        }]
    })
}

/// What the state machine may do. It may not stop a task: what has begun finishes its release,
/// instead of standing half done.
fn state_machine_policy() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "ecs:RunTask",
                "Resource": { "Ref": "TaskDefinition" }
            },
            {
                "Effect": "Allow",
                "Action": "ecs:DescribeTasks",
                "Resource": "*",
                "Condition": { "ArnEquals": { "ecs:cluster": { "Ref": "Cluster" } } }
            },
            {
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": [
                    { "Fn::GetAtt": ["ExecutionRole", "Arn"] },
                    { "Fn::GetAtt": ["TaskRole", "Arn"] }
                ],
                "Condition": { "StringEquals": { "iam:PassedToService": "ecs-tasks.amazonaws.com" } }
            },
            {
                "Effect": "Allow",
                "Action": ["events:PutTargets", "events:PutRule", "events:DescribeRule"],
                "Resource": {
                    "Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/StepFunctionsGetEventsForECSTaskRule"
                }
            },
            {
                "Effect": "Allow",
                "Action": "sns:Publish",
                "Resource": { "Ref": "ApprovalTopic" }
            }
        ]
    })
}

/// The state machine, with references to the template's parameters and resources.
///
/// # Errors
/// A wave that has more targets than the input of a state may hold, in words.
pub fn definition(plan: &FleetPlan, targets: &[Exported]) -> Result<Value, String> {
    let mut states = Map::new();
    let last = plan.waves.len().saturating_sub(1);
    for (number, wave) in plan.waves.iter().enumerate() {
        let of_wave: Vec<_> = targets.iter().filter(|one| one.wave == number).collect();
        let items = Value::Array(of_wave.iter().map(|one| item(one)).collect());
        let bytes = items.to_string().len();
        if bytes > INPUT_BYTES_MAX {
            return Err(format!(
                "wave {} has {} KiB of targets, and a state of Step Functions takes at most 256: \
                 make two waves of it",
                wave.name,
                bytes / 1024
            ));
        }
        let name = |what: &str| format!("{what} {}", wave.name);
        let mut steps = vec![
            (
                name("Targets of"),
                json!({ "Type": "Pass", "Result": items }),
            ),
            (name("Release"), release(plan, targets.len())),
        ];
        if number < last && !wave.bake.is_zero() {
            let seconds = wave.bake.as_secs();
            steps.push((
                name("Bake after"),
                json!({ "Type": "Wait", "Seconds": seconds }),
            ));
        }
        if number < last && wave.pauses {
            let next = &plan.waves[number + 1].name;
            steps.push((format!("Approve {next}"), approval(&wave.name, next)));
        }
        let next = plan.waves.get(number + 1);
        let next = next.map(|next| format!("Targets of {}", next.name));
        let names: Vec<_> = steps.iter().map(|(name, _)| name.clone()).collect();
        for (place, (name, mut state)) in steps.into_iter().enumerate() {
            match names.get(place + 1).or(next.as_ref()) {
                Some(next) => state["Next"] = json!(next),
                None => state["End"] = json!(true),
            }
            states.insert(name, state);
        }
    }
    let first = plan.waves.first().map(|wave| wave.name.as_str());
    Ok(json!({
        "Comment": "Releases every target of a bluegreen fleet, wave by wave",
        "StartAt": format!("Targets of {}", first.unwrap_or_default()),
        "States": states
    }))
}

fn item(target: &Exported) -> Value {
    json!({
        "name": target.name,
        "command": target.arguments,
        "attempts": 0
    })
}

/// How many targets of one wave may fail for the next one to begin.
fn tolerated(stop: StopAfter, targets: usize) -> usize {
    let mut failed = 0;
    while failed < targets && !stop.is_reached(failed + 1, targets) {
        failed += 1;
    }
    failed
}

/// The state that releases the targets of its input.
fn release(plan: &FleetPlan, targets: usize) -> Value {
    json!({
        "Type": "Map",
        "Label": "Targets",
        "MaxConcurrency": plan.concurrency,
        "ToleratedFailureCount": tolerated(plan.stop_after, targets),
        "ItemProcessor": {
            "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
            "StartAt": "Run",
            "States": target()
        },
        // What comes after needs none of it.
        "ResultPath": null
    })
}

/// The states of one target: the container runs, and its exit code decides.
fn target() -> Value {
    let mut choices: Vec<_> = ENDS
        .iter()
        .map(|(code, error)| exits(*code, error))
        .collect();
    choices.insert(
        0,
        json!({
            "Variable": "$.attempts",
            "NumericGreaterThanEquals": ATTEMPTS_MAX,
            "Next": "Bluegreen.NotDone"
        }),
    );
    // Somebody else's deployment holds the target.
    choices.push(exits(12, "Wait until it is free"));
    let mut states = json!({
        "Run": {
            "Type": "Task",
            "Resource": "arn:aws:states:::ecs:runTask.sync",
            "TimeoutSeconds": TASK_SECONDS_MAX,
            "Parameters": {
                "Cluster": { "Ref": "Cluster" },
                "TaskDefinition": { "Ref": "TaskDefinition" },
                "LaunchType": "FARGATE",
                "PropagateTags": "TASK_DEFINITION",
                "NetworkConfiguration": {
                    "AwsvpcConfiguration": {
                        "Subnets": { "Ref": "Subnets" },
                        "SecurityGroups": { "Ref": "SecurityGroups" },
                        "AssignPublicIp": { "Ref": "AssignPublicIp" }
                    }
                },
                "Overrides": {
                    "ContainerOverrides": [{ "Name": "bluegreen", "Command.$": "$.command" }]
                }
            },
            "Retry": [{
                // Requests that ECS has refused for now: the container has not run.
                "ErrorEquals": ["ECS.AmazonECSException", "ECS.ThrottlingException", "ECS.ServerException"],
                "IntervalSeconds": 10,
                "BackoffRate": 2,
                "MaxAttempts": 8,
                "MaxDelaySeconds": 300,
                "JitterStrategy": "FULL"
            }],
            "Catch": [{
                "ErrorEquals": ["States.TaskFailed"],
                "ResultPath": "$.failed",
                "Next": "Read its exit code"
            }],
            "ResultPath": null,
            "Next": "Released"
        },
        "Released": { "Type": "Succeed" },
        "Read its exit code": {
            "Type": "Pass",
            "Parameters": {
                "name.$": "$.name",
                "command.$": "$.command",
                "attempts.$": "States.MathAdd($.attempts, 1)",
                "task.$": "States.StringToJson($.failed.Cause)"
            },
            "Next": "Write it down"
        },
        // As text: a container that was lost with its host has none.
        "Write it down": {
            "Type": "Pass",
            "Parameters": {
                "name.$": "$.name",
                "command.$": "$.command",
                "attempts.$": "$.attempts",
                "exit_codes.$": "States.JsonToString($.task.Containers[*].ExitCode)"
            },
            "Next": "Decide by its exit code"
        },
        "Decide by its exit code": {
            "Type": "Choice",
            "Choices": choices,
            // 75, a signal, or a container that was lost with its host: the same command continues.
            "Default": "Wait before it continues"
        },
        "Wait before it continues": { "Type": "Wait", "Seconds": AGAIN_AFTER, "Next": "Run" },
        "Wait until it is free": { "Type": "Wait", "Seconds": FREE_AFTER, "Next": "Run" },
        "Bluegreen.NotDone": {
            "Type": "Fail",
            "Error": "Bluegreen.NotDone",
            "CausePath": "States.Format('{} was tried {} times and is not done: bluegreen status shows it', $.name, $.attempts)"
        }
    });
    for (code, error) in ENDS {
        states[error] = json!({
            "Type": "Fail",
            "Error": error,
            "CausePath": format!("States.Format('{{}} exited with {code}: bluegreen status shows it', $.name)")
        });
    }
    states
}

fn exits(code: u8, next: &str) -> Value {
    json!({
        "Variable": "$.exit_codes",
        "StringEquals": format!("[{code}]"),
        "Next": next
    })
}

/// The state that waits until somebody approves the next wave.
fn approval(over: &str, next: &str) -> Value {
    json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish.waitForTaskToken",
        "Parameters": {
            "TopicArn": { "Ref": "ApprovalTopic" },
            "Subject": "bluegreen: a wave waits for your approval",
            "Message": {
                "text": format!(
                    "Wave {over} is released, and wave {next} waits. Approve it with: aws stepfunctions \
                     send-task-success --task-output {{}} --task-token TOKEN"
                ),
                "token.$": "$$.Task.Token"
            }
        },
        "ResultPath": null
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_less_than_those_that_stop_is_tolerated() {
        for (stop, targets, expected) in [
            (StopAfter::Failures(1), 40, 0),
            (StopAfter::Failures(3), 40, 2),
            (StopAfter::Percent(10), 40, 3),
            (StopAfter::Percent(100), 4, 3),
            (StopAfter::Failures(9), 4, 4),
        ] {
            assert_eq!(tolerated(stop, targets), expected, "{stop} of {targets}");
        }
    }
}
