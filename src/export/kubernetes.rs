//! A fleet as objects of Kubernetes: its file in a ConfigMap, and an indexed Job of workers that
//! share it.
//!
//! The sources of its facts: Kubernetes documentation, "Jobs" (indexed completion, pod failure
//! policies) and "Pod Security Standards" (restricted).

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{STATE, USER};

/// Where the file of the fleet is mounted.
const FILE_FOLDER: &str = "/etc/bluegreen";

/// How often a worker is replaced: each continues where the one before stood.
const REPLACED_MAX: u32 = 20;

/// The objects of the fleet with this name: its file's text, the image, and how many workers share
/// it.
#[must_use]
pub fn objects(name: &str, text: &str, image: &str, workers: u32) -> Value {
    let object = format!("bluegreen-{}", dns_label(name));
    json!({
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": { "name": object },
                "data": { "fleet.toml": with_its_name(name, text) }
            },
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": { "name": object },
                "spec": {
                    "completionMode": "Indexed",
                    "completions": workers,
                    "parallelism": workers,
                    "backoffLimit": REPLACED_MAX.saturating_mul(workers),
                    "podFailurePolicy": {
                        "rules": [
                            // How the fleet has ended: another worker would say the same.
                            {
                                "action": "FailJob",
                                "onExitCodes": {
                                    "containerName": "bluegreen",
                                    "operator": "In",
                                    "values": [2, 3, 10, 11, 12, 13, 14, 20]
                                }
                            },
                            // A node that is drained, and a worker that was interrupted: the next one
                            // continues.
                            {
                                "action": "Ignore",
                                "onPodConditions": [{ "type": "DisruptionTarget", "status": "True" }]
                            },
                            {
                                "action": "Count",
                                "onExitCodes": {
                                    "containerName": "bluegreen",
                                    "operator": "In",
                                    "values": [75]
                                }
                            }
                        ]
                    },
                    "template": { "spec": pod(&object, image) }
                }
            }
        ]
    })
}

fn pod(object: &str, image: &str) -> Value {
    json!({
        "restartPolicy": "Never",
        "serviceAccountName": "bluegreen",
        "automountServiceAccountToken": false,
        // Time to write the last checkpoints after SIGTERM.
        "terminationGracePeriodSeconds": 120,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": { "type": "RuntimeDefault" }
        },
        "containers": [{
            "name": "bluegreen",
            "image": image,
            "args": ["fleet", "run", format!("{FILE_FOLDER}/fleet.toml"), "--log-format", "json"],
            "volumeMounts": [
                { "name": "fleet", "mountPath": FILE_FOLDER, "readOnly": true },
                { "name": "state", "mountPath": STATE },
                { "name": "tmp", "mountPath": "/tmp" }
            ],
            "resources": {
                "requests": { "cpu": "100m", "memory": "128Mi" },
                "limits": { "cpu": "1", "memory": "512Mi" }
            },
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"] }
            }
        }],
        "volumes": [
            { "name": "fleet", "configMap": { "name": object } },
            { "name": "state", "emptyDir": { "sizeLimit": "256Mi" } },
            { "name": "tmp", "emptyDir": { "sizeLimit": "256Mi" } }
        ]
    })
}

/// The file's text, whose name does not follow from that of the file any longer.
fn with_its_name(name: &str, text: &str) -> String {
    let has_a_name = toml::from_str::<toml::Table>(text)
        .ok()
        .and_then(|table| table.get("fleet")?.as_table()?.get("name").cloned());
    if has_a_name.is_some() {
        return text.to_owned();
    }
    let named = format!("name = {}\n", toml::Value::from(name));
    match text.find("[fleet]") {
        Some(at) => {
            let (before, after) = text.split_at(at + "[fleet]".len());
            format!("{before}\n{named}{}", after.trim_start_matches('\n'))
        }
        None => format!("[fleet]\n{named}\n{text}"),
    }
}

/// A name as a DNS label (RFC 1123), shorter than the 63 characters that a Job's pods leave it. One
/// that is changed for that ends in a part of its hash: two fleets never have one label.
fn dns_label(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let safe = lower.chars().map(|c| match c.is_ascii_alphanumeric() {
        true => c,
        false => '-',
    });
    let label: String = safe.take(40).collect();
    let label = label.trim_matches('-');
    match label == name {
        true => label.to_owned(),
        false => {
            let hash = Sha256::digest(name.as_bytes());
            let hash: String = hash
                .iter()
                .take(4)
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!("{label}-{hash}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_keeps_the_name_that_its_path_gave_it() {
        let named = |text: &str| {
            let text = with_its_name("shops", text);
            let table: toml::Table = toml::from_str(&text).expect("TOML");
            table["fleet"]["name"].as_str().map(str::to_owned)
        };
        for text in [
            "",
            "[settings]\napp = \"a\"\n",
            "[fleet]\nconcurrency = 3\n",
            "# [x]\n[fleet]\n",
        ] {
            assert_eq!(named(text).as_deref(), Some("shops"), "{text}");
        }
        assert_eq!(named("[fleet]\nname = \"own\"\n").as_deref(), Some("own"));
    }

    #[test]
    fn names_become_labels() {
        assert_eq!(dns_label("shops-of-europe"), "shops-of-europe");
        let other = dns_label("Shops_of.Europe-");
        assert!(
            other.starts_with("shops-of-europe-") && other.len() == 24,
            "{other}"
        );
        assert_ne!(other, dns_label("shops_of.europe-"));
    }
}
