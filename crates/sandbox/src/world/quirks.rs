//! The lasting faults of the world, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Millis;
use crate::world::fault::{BundleReader, LaunchFault};
use crate::world::managed_action::ManagedAction;
use crate::world::quota::QuotaOf;
use crate::world::setting::Setting;

/// The lasting faults of the world itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Quirks {
    pub stale_seconds: u64,
    pub failing_versions: Vec<String>,
    pub unprocessable: Vec<String>,
    /// How many seconds deploys of a version take, and how many batches their events name.
    #[serde(default)]
    pub slow_deploys: BTreeMap<String, (u64, u32)>,
    /// The events of deploys of a version: severities and texts.
    #[serde(default)]
    pub updates_say: BTreeMap<String, Vec<(String, String)>>,
    /// The last event of deploys of a version: a severity and a text.
    #[serde(default)]
    pub update_endings: BTreeMap<String, (String, String)>,
    /// Versions of which deploys do not end.
    #[serde(default)]
    pub hanging_updates: Vec<String>,
    /// Versions of which deploys leave one instance out.
    #[serde(default)]
    pub missing_instances: Vec<String>,
    /// How many seconds versions take before they answer.
    #[serde(default)]
    pub slow_to_answer: BTreeMap<String, u64>,
    /// How many seconds load balancers take, by the names of their environments.
    #[serde(default)]
    pub balancers_lag: BTreeMap<String, u64>,
    pub answers: BTreeMap<String, u16>,
    /// Versions that send http to https.
    #[serde(default)]
    pub redirecting: Vec<String>,
    /// What environments answer whatever version they have, by their names.
    #[serde(default)]
    pub answers_there: BTreeMap<String, u16>,
    #[serde(default)]
    pub errors: BTreeMap<String, usize>,
    #[serde(default)]
    pub latencies: BTreeMap<String, u64>,
    #[serde(default)]
    pub bodies: BTreeMap<String, String>,
    /// Environments, by their names, whose health is not Ok for a while.
    #[serde(default)]
    pub healths: BTreeMap<String, LastingHealth>,
    /// Options that the source bundle of a version sets, by its label.
    #[serde(default)]
    pub bundled: Vec<(String, Setting)>,
    /// Whether new environments get other defaults than older ones have.
    #[serde(default)]
    pub defaults_change: bool,
    #[serde(default)]
    pub templates_keep_groups: bool,
    pub stuck_terminations: Vec<String>,
    /// The terminations that leave the environment Terminating, one name for each time.
    #[serde(default)]
    pub lingering_terminations: Vec<String>,
    /// The texts with which requests of somebody else's for an environment fail once it is
    /// terminated.
    #[serde(default)]
    pub failures_of_others: BTreeMap<String, String>,
    #[serde(default)]
    pub launch_faults: Vec<(String, LaunchFault)>,
    /// Namespace and name.
    #[serde(default)]
    pub retired_options: Vec<(String, String)>,
    #[serde(default)]
    pub no_launch_configurations: bool,
    #[serde(default)]
    pub terminates_while_launching: bool,
    #[serde(default)]
    pub pending_for_good: Vec<String>,
    #[serde(default)]
    pub managed_actions: Vec<ManagedAction>,
    /// The state of the platform's branch; `None` while it is supported.
    #[serde(default)]
    pub branch_state: Option<String>,
    #[serde(default)]
    pub quotas: BTreeMap<QuotaOf, usize>,
    /// The prefixes that another account has, in lower case.
    #[serde(default)]
    pub taken_prefixes: Vec<String>,
    /// Whether the account has made no environment before.
    #[serde(default)]
    pub fresh_account: bool,
    /// The encryption that the policies of buckets demand of uploads.
    #[serde(default)]
    pub encrypted: BTreeMap<String, Encryption>,
    /// The records at other DNS providers.
    #[serde(default)]
    pub dns: Vec<Elsewhere>,
    #[serde(default)]
    pub dns_fails: bool,
    #[serde(default)]
    pub idle_shrinks: bool,
    #[serde(default)]
    pub conditions_ignored: bool,
    #[serde(default)]
    pub rules_stay: bool,
    #[serde(default)]
    pub tags_need_no_right: bool,
    /// `None` for the operations role, or without one the caller.
    #[serde(default)]
    pub bundle_reader: Option<BundleReader>,
    /// How many swaps will still fail.
    #[serde(default)]
    pub failing_swaps: u32,
}

/// A health that lasts for a while, and why it is so.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LastingHealth {
    pub status: String,
    pub cause: String,
    pub until: Millis,
}

/// The service's colour of a status (developer guide, "Health colors and statuses").
pub(crate) fn colour_of(status: &str) -> &'static str {
    match status {
        "Ok" | "Info" => "Green",
        "Warning" => "Yellow",
        "Degraded" | "Severe" => "Red",
        _ => "Grey",
    }
}

impl Quirks {
    /// Of a hundred requests to a version, how many end in a server error.
    pub fn errors_of(&self, label: &str) -> usize {
        self.errors
            .get(label)
            .map_or(0, |percent| (*percent).min(100))
    }

    /// The status with which a version's web site answers.
    pub fn answer_of(&self, label: &str) -> u16 {
        self.answers.get(label).copied().unwrap_or(200)
    }
}

/// A record at a DNS provider that is none of the account's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Elsewhere {
    pub name: String,
    /// A name for a CNAME, an address for an A or AAAA record.
    pub value: String,
}

/// The encryption that a bucket's policy demands of every upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Encryption {
    pub method: String,
    /// The ARN of its key.
    pub key: Option<String>,
}
