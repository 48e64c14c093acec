//! The plan of one deployment: every name, label and limit it will use, chosen
//! before the first effect and kept with every checkpoint, so that asking again
//! asks for the same thing.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The tag on green that names the deployment it belongs to.
pub const TAG_DEPLOYMENT: &str = "bluegreen:deployment";
/// The tag on green that names its part; its value is `green`.
pub const TAG_ROLE: &str = "bluegreen:role";
/// The tag on green that keeps the CNAME that production had at the start.
pub const TAG_PRODUCTION_CNAME: &str = "bluegreen:production-cname";

/// The tag on green that names blue's environment id.
pub const TAG_BLUE: &str = "bluegreen:blue";
/// The tag on green that names the version to release, as [`tag_value`] writes it.
pub const TAG_VERSION: &str = "bluegreen:version";
/// How many tags green gets beside blue's own.
pub const TAGS_OURS: usize = 5;

/// Elastic Beanstalk's limit of tags on an environment (developer guide,
/// "Tagging resources in your Elastic Beanstalk environments").
pub const TAGS_MAX: usize = 50;

/// Which of the two environments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The environment that production lives in before and after.
    Blue,
    /// The clone that serves meanwhile.
    Green,
}

impl Role {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Role {
        match self {
            Role::Blue => Role::Green,
            Role::Green => Role::Blue,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Blue => "blue",
            Role::Green => "green",
        })
    }
}

/// What is deployed to: at most one unfinished deployment each.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The AWS account's twelve digits, as in blue's ARN.
    pub account: String,
    /// The region, as in `eu-central-1`.
    pub region: String,
    /// The Elastic Beanstalk application's name.
    pub application: String,
    /// Blue's environment name.
    pub blue: String,
}

/// Which version the stages are to leave on blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The new version: a release.
    Release,
    /// The version that ran before: a rollback.
    Previous,
}

/// A source bundle in the artifacts bucket, and the file it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bundle {
    /// The key in the artifacts bucket.
    pub key: String,
    /// The local file to upload; none for a bundle that is there already.
    pub file: Option<BundleFile>,
}

/// A local source bundle.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BundleFile {
    /// Where it was when the deployment began.
    pub path: PathBuf,
    /// The SHA-256 of its content, in hexadecimal; the key holds it too.
    pub sha256: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// How blue is tested over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HttpTest {
    /// A path on the environment's own CNAME (begins with `/`) or a whole URL.
    pub url: String,
    /// The status codes that pass; empty means 200 to 299.
    pub expect_status: Vec<u16>,
    /// How long one request may take.
    pub timeout: Duration,
}

impl HttpTest {
    /// The URL to ask of an environment that answers under `cname`.
    #[must_use]
    pub fn url_on(&self, cname: &str) -> String {
        if self.url.starts_with('/') {
            format!("http://{cname}{}", self.url)
        } else {
            self.url.clone()
        }
    }

    /// Whether an answer with this status passes.
    #[must_use]
    pub fn accepts(&self, status: u16) -> bool {
        match self.expect_status.as_slice() {
            [] => (200..300).contains(&status),
            expected => expected.contains(&status),
        }
    }
}

/// Every limit of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// The pause between two looks, give or take a tenth.
    pub poll: Duration,
    /// How long cached DNS answers may still reach an environment after a swap.
    pub drain: Duration,
    /// How long blue is watched after the last swap.
    pub bake: Duration,
    /// The longest wait of any one state that does not end by itself.
    pub patience: Duration,
    /// How long a request without a clear answer may still arrive: the request's
    /// time-out and the five minutes for which its signature holds.
    pub quarantine: Duration,
    /// How long the production CNAME must be seen at one place before that place
    /// is believed although it is the wrong one (reads may be stale).
    pub settle: Duration,
    /// How many looks in a row must find an environment healthy.
    pub healthy_looks: u32,
    /// How many looks in a row may find production sick while it is watched.
    pub sick_looks: u32,
    /// How many tests in a row must pass.
    pub test_passes: u32,
    /// How many tests in a row may fail before the version is given up.
    pub test_failures: u32,
}

/// How long one request to AWS may take before its answer counts as lost.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long after its intent was written down a request may still be sent; its
/// quarantine is as much longer.
pub const SEND_WITHIN: Duration = Duration::from_secs(30);

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            poll: Duration::from_secs(10),
            drain: Duration::from_secs(60),
            bake: Duration::from_secs(300),
            patience: Duration::from_secs(30 * 60),
            quarantine: REQUEST_TIMEOUT + Duration::from_secs(5 * 60),
            settle: Duration::from_secs(30),
            healthy_looks: 3,
            sick_looks: 2,
            test_passes: 3,
            test_failures: 3,
        }
    }
}

/// Everything a deployment has decided beforehand.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// The deployment's id, a ULID.
    pub id: String,
    /// What is deployed to.
    pub target: Target,
    /// Blue's environment id, `e-…`: names can be given again, ids cannot.
    pub blue_id: String,
    /// Green's environment name.
    pub green: String,
    /// The configuration template made for this deployment alone.
    pub template: String,
    /// The CNAME that blue held at the start, and holds again at the end.
    pub production_cname: String,
    /// The version that blue ran at the start.
    pub previous_version: String,
    /// The version to release.
    pub version: String,
    /// Which of the two versions the stages work towards.
    pub goal: Goal,
    /// The source bundle of `version` where it has to be registered.
    pub bundle: Option<Bundle>,
    /// The artifacts bucket.
    pub bucket: String,
    /// Whether the bucket holds a copy of the journal and the target's lease.
    #[serde(default)]
    pub shared_state: bool,
    /// Green's tags: blue's own and ours.
    pub green_tags: Vec<(String, String)>,
    /// How blue is tested.
    pub test: HttpTest,
    /// The names of the CloudWatch alarms that watch production.
    #[serde(default)]
    pub alarms: Vec<String>,
    /// Whether to stop before the last swap until an operator resumes.
    pub pause_before_cutover: bool,
    /// The limits.
    pub limits: Limits,
}

impl Plan {
    /// The version label that blue is to run at the end.
    #[must_use]
    pub fn goal_version(&self) -> &str {
        match self.goal {
            Goal::Release => &self.version,
            Goal::Previous => &self.previous_version,
        }
    }

    /// The version label that green runs: the one blue runs when it is cloned.
    #[must_use]
    pub fn green_version(&self) -> &str {
        match self.goal {
            Goal::Release => &self.previous_version,
            Goal::Previous => &self.version,
        }
    }

    /// The environment name of a role.
    #[must_use]
    pub fn environment(&self, role: Role) -> &str {
        match role {
            Role::Blue => &self.target.blue,
            Role::Green => &self.green,
        }
    }
}

/// The name of the configuration template of a deployment; the id makes it its own.
#[must_use]
pub fn template_name(id: &str) -> String {
    format!("bluegreen-{}", id.to_lowercase())
}

/// Green's tags: blue's own without those that the service reserves
/// (`aws:…`, `elasticbeanstalk:…`, `Name`) or that an earlier deployment left,
/// and those of this deployment, from which it can be rebuilt where no journal is
/// left.
#[must_use]
pub fn green_tags(
    id: &str,
    production_cname: &str,
    blue_id: &str,
    version: &str,
    blue_tags: &[(String, String)],
) -> Vec<(String, String)> {
    let reserved = |key: &str| {
        let key = key.to_lowercase();
        key == "name"
            || ["aws:", "elasticbeanstalk:", "bluegreen:"]
                .iter()
                .any(|prefix| key.starts_with(prefix))
    };
    let own = blue_tags.iter().filter(|(key, _)| !reserved(key)).cloned();
    let ours = [
        (TAG_DEPLOYMENT, id),
        (TAG_ROLE, "green"),
        (TAG_PRODUCTION_CNAME, production_cname),
        (TAG_BLUE, blue_id),
        (TAG_VERSION, &tag_value(version)),
    ];
    debug_assert_eq!(ours.len(), TAGS_OURS);
    own.chain(ours.map(|(key, value)| (key.to_owned(), value.to_owned())))
        .collect()
}

/// A version label as a tag's value: labels take any character but a slash, tags
/// letters, digits, spaces and `+-=._:/@` (developer guide, "Tagging resources").
/// Any other byte is written as `=XX`, and so is the equals sign.
#[must_use]
pub fn tag_value(label: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"+-._:@".contains(&b);
    label
        .bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("={b:02X}")
            }
        })
        .collect()
}

/// The version label of a tag's value; none where it is not well-formed.
#[must_use]
pub fn label_of_tag(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut parts = value.split('=');
    bytes.extend(parts.next()?.bytes());
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend(part.get(2..)?.bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
impl Plan {
    /// A plan to release `v2` where `v1` runs, for tests.
    pub(crate) fn sample(id: &str) -> Plan {
        Plan {
            id: id.to_owned(),
            target: Target {
                account: "123456789012".to_owned(),
                region: "us-east-1".to_owned(),
                application: "shop".to_owned(),
                blue: "blue".to_owned(),
            },
            blue_id: "e-blue".to_owned(),
            green: "green".to_owned(),
            template: "t".to_owned(),
            production_cname: "shop.example".to_owned(),
            previous_version: "v1".to_owned(),
            version: "v2".to_owned(),
            goal: Goal::Release,
            bundle: None,
            bucket: "b".to_owned(),
            shared_state: false,
            green_tags: vec![],
            test: HttpTest {
                url: "/".to_owned(),
                expect_status: vec![],
                timeout: Duration::from_secs(1),
            },
            alarms: vec![],
            pause_before_cutover: false,
            limits: Limits::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn green_carries_blues_own_tags_and_ours() {
        let blue: Vec<_> = [
            ("team", "storefront"),
            ("Name", "shop-blue"),
            ("elasticbeanstalk:environment-id", "e-1"),
            ("aws:cloudformation:stack-name", "s"),
            ("bluegreen:deployment", "old"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .to_vec();
        let tags = green_tags("01J", "shop.example", "e-1", "v 2", &blue);
        let keys: Vec<_> = tags.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "team",
                TAG_DEPLOYMENT,
                TAG_ROLE,
                TAG_PRODUCTION_CNAME,
                TAG_BLUE,
                TAG_VERSION
            ]
        );
        assert_eq!((tags[1].1.as_str(), tags[5].1.as_str()), ("01J", "v=202"));
    }

    #[test]
    fn a_label_survives_as_a_tag() {
        for label in ["v2", "release 1.0", "a=b#c,é", "=41", "%"] {
            let value = tag_value(label);
            assert_eq!(label_of_tag(&value).as_deref(), Some(label), "{value}");
        }
        assert_eq!(label_of_tag("=4"), None);
    }

    #[test]
    fn a_path_is_asked_of_the_environment_and_a_url_is_asked_as_it_is() {
        let mut test = HttpTest {
            url: "/health?full=1".to_owned(),
            expect_status: vec![],
            timeout: Duration::from_secs(10),
        };
        assert_eq!(test.url_on("a.example"), "http://a.example/health?full=1");
        assert!(test.accepts(204) && !test.accepts(301));
        test.url = "https://b.example/".to_owned();
        test.expect_status = vec![301];
        assert_eq!(test.url_on("a.example"), "https://b.example/");
        assert!(test.accepts(301) && !test.accepts(200));
    }
}
