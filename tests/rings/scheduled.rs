//! docs/operate/scheduled: what its files say is what bluegreen takes, and the pods pass Pod
//! Security "restricted".

use std::path::Path;

use bluegreen::cli::definition;
use serde_json::{Value, json};

use crate::support::sources::files;
use crate::support::yaml::documents;

fn read(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operate/scheduled");
    std::fs::read_to_string(folder.join(name)).expect("the file reads")
}

fn json_of(name: &str) -> Value {
    serde_json::from_str(&read(name)).expect("it is JSON")
}

/// Every document of the folder's YAML files of this kind.
fn of_kind(kind: &str) -> Vec<Value> {
    let all = files("docs/operate/scheduled", "yaml").into_iter();
    let all = all.flat_map(|(_, text)| documents(&text));
    let found: Vec<_> = all.filter(|document| document["kind"] == kind).collect();
    assert!(!found.is_empty(), "there is a {kind}");
    found
}

fn jobs() -> Vec<Value> {
    let jobs = of_kind("CronJob");
    assert_eq!(jobs.len(), 2, "the sweep and the check");
    jobs
}

fn texts(value: &Value) -> Vec<&str> {
    let items = value.as_array().expect("a list").iter();
    items.map(|item| item.as_str().expect("a text")).collect()
}

#[track_caller]
fn takes(arguments: &[&str]) {
    let words = ["bluegreen"].iter().chain(arguments);
    let parsed = definition().try_get_matches_from(words);
    parsed.unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
}

/// What <https://kubernetes.io/docs/concepts/security/pod-security-standards/> requires of
/// "restricted", and what it leaves open about the file system and the token.
#[test]
fn the_pods_pass_pod_security_restricted() {
    for job in jobs() {
        let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        for shared in ["hostNetwork", "hostPID", "hostIPC"] {
            assert_eq!(pod[shared], Value::Null, "{shared}");
        }
        let security = &pod["securityContext"];
        assert_eq!(security["runAsNonRoot"], true);
        assert_eq!(security["runAsUser"], 10001);
        assert_eq!(
            security["seccompProfile"],
            json!({"type": "RuntimeDefault"})
        );
        assert_eq!(pod["automountServiceAccountToken"], false);
        let [container] = &pod["containers"].as_array().expect("containers")[..] else {
            panic!("one container");
        };
        assert_eq!(
            container["securityContext"],
            json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            })
        );
        // Where it writes is a volume of the pod's own, and "restricted" allows no other kind.
        let mounted = container["volumeMounts"].as_array().expect("mounts").iter();
        let mounted: Vec<_> = mounted
            .map(|mount| (&mount["name"], &mount["mountPath"]))
            .collect();
        let places = ["/var/lib/bluegreen", "/tmp"];
        let volumes = pod["volumes"].as_array().expect("volumes");
        assert_eq!(mounted.len(), volumes.len());
        for ((name, path), (volume, place)) in mounted.iter().zip(volumes.iter().zip(places)) {
            assert_eq!((*name, path.as_str()), (&volume["name"], Some(place)));
            assert!(volume["emptyDir"]["sizeLimit"].is_string(), "{volume}");
        }
        for port in ["ports", "lifecycle"] {
            assert_eq!(container[port], Value::Null);
        }
    }
}

#[test]
fn the_jobs_have_limits_and_an_account_of_their_own() {
    let accounts = of_kind("ServiceAccount");
    let annotations = &accounts[0]["metadata"]["annotations"];
    assert!(annotations["eks.amazonaws.com/role-arn"].is_string());
    for job in jobs() {
        let spec = &job["spec"];
        assert_eq!(spec["concurrencyPolicy"], "Forbid");
        let template = &spec["jobTemplate"]["spec"];
        assert_eq!(template["backoffLimit"], 0);
        for (of, limit) in [
            (spec, "startingDeadlineSeconds"),
            (spec, "successfulJobsHistoryLimit"),
            (spec, "failedJobsHistoryLimit"),
            (template, "activeDeadlineSeconds"),
            (template, "ttlSecondsAfterFinished"),
        ] {
            assert!(of[limit].as_u64().is_some_and(|n| n > 0), "{limit}");
        }
        let pod = &template["template"]["spec"];
        assert_eq!(pod["restartPolicy"], "Never");
        assert_eq!(pod["serviceAccountName"], accounts[0]["metadata"]["name"]);
        let container = &pod["containers"][0];
        for amount in ["cpu", "memory"] {
            assert!(container["resources"]["requests"][amount].is_string());
            assert!(container["resources"]["limits"][amount].is_string());
        }
        takes(&texts(&container["args"]));
    }
}

/// The alert names the Jobs that there are, and a Job that failed is there longer than the next one
/// takes to start, so that the alert stays while a deployment is held.
#[test]
fn the_rule_of_prometheus_names_the_jobs() {
    let rules = of_kind("PrometheusRule");
    let rules = rules[0]["spec"]["groups"][0]["rules"].as_array();
    let rules = rules.expect("rules").clone();
    for job in jobs() {
        let name = job["metadata"]["name"].as_str().expect("a name");
        let named = format!("job_name=~\"{name}-[0-9]+\"");
        let rule = rules.iter().find(|rule| {
            let expression = rule["expr"].as_str().expect("an expression");
            expression.contains(&named)
        });
        assert!(rule.is_some(), "an alert about {name}");
        assert_eq!(job["spec"]["schedule"], "*/5 * * * *");
        let kept = &job["spec"]["jobTemplate"]["spec"]["ttlSecondsAfterFinished"];
        assert!(
            kept.as_u64()
                .is_some_and(|seconds| seconds > 2 * 5 * 60 - 1)
        );
    }
}

#[test]
fn the_task_of_ecs_runs_as_the_pod_does() {
    let task = json_of("ecs.json");
    let container = &task["containerDefinitions"][0];
    takes(&texts(&container["command"]));
    assert_eq!(container["readonlyRootFilesystem"], true);
    let mounted = container["mountPoints"].as_array().expect("mounts").iter();
    let mounted: Vec<_> = mounted.map(|mount| &mount["containerPath"]).collect();
    assert_eq!(mounted, ["/var/lib/bluegreen", "/tmp"]);
    let family = task["family"].as_str().expect("a family");
    for (name, of) in [
        ("bluegreen-resume", "ecs-schedule.json"),
        ("bluegreen-held", "ecs-held-schedule.json"),
    ] {
        let schedule = json_of(of);
        assert_eq!(schedule["Name"], name);
        let parameters = &schedule["Target"]["EcsParameters"];
        let definition = parameters["TaskDefinitionArn"].as_str();
        assert!(definition.is_some_and(|arn| arn.ends_with(&format!("/{family}"))));
    }
    let held = json_of("ecs-held-schedule.json");
    let input = held["Target"]["Input"].as_str().expect("an input");
    let input: Value = serde_json::from_str(input).expect("it is JSON");
    let instead = &input["containerOverrides"][0];
    assert_eq!(instead["name"], container["name"]);
    takes(&texts(&instead["command"]));
    let alert = json_of("ecs-alert.json");
    assert_eq!(alert["detail"]["group"][0], format!("family:{family}"));
    assert_eq!(alert["detail"]["containers"]["name"][0], container["name"]);
}

/// The scheduler may start the task in its cluster and give it its two roles, and nothing else.
#[test]
fn the_schedulers_role_starts_the_task_alone() {
    let trust = json_of("ecs-scheduler-trust.json");
    let only = &trust["Statement"][0];
    assert_eq!(only["Principal"]["Service"], "scheduler.amazonaws.com");
    assert_eq!(
        only["Condition"]["StringEquals"]["aws:SourceAccount"],
        "ACCOUNT"
    );
    let policy = json_of("ecs-scheduler-policy.json");
    let statements = policy["Statement"].as_array().expect("statements");
    let actions: Vec<_> = statements
        .iter()
        .map(|statement| &statement["Action"])
        .collect();
    assert_eq!(actions, ["ecs:RunTask", "iam:PassRole"]);
    let task = json_of("ecs.json");
    let roles = json!([task["executionRoleArn"], task["taskRoleArn"]]);
    assert_eq!(statements[1]["Resource"], roles);
    let schedule = json_of("ecs-schedule.json");
    let target = &schedule["Target"];
    let definition = &target["EcsParameters"]["TaskDefinitionArn"];
    assert_eq!(&statements[0]["Resource"][0], definition);
    let cluster = &statements[0]["Condition"]["ArnEquals"]["ecs:cluster"];
    assert_eq!(cluster, &target["Arn"]);
}

#[test]
fn the_commands_of_cron_are_those_of_bluegreen() {
    let text = read("cron.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut taken = 0;
    for line in lines {
        let (_, command) = line
            .split_once("/usr/local/bin/bluegreen ")
            .expect("a command");
        let words = command.split_whitespace();
        let words: Vec<_> = words.take_while(|word| !word.starts_with('>')).collect();
        takes(&words);
        taken += 1;
    }
    assert_eq!(taken, 2, "the sweep and the check");
}
