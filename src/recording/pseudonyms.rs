//! What is shown in place of a value: the value itself where it is known to be harmless, else
//! a pseudonym of the same form, always the same for the same value. Whatever is of no known
//! form is replaced.

use std::collections::{BTreeMap, BTreeSet};

use crate::secrets::Secrets;

/// Elements and parameters whose values are words of the service.
const HARMLESS: &[&str] = &[
    "AbortableOperationInProgress",
    "AttributeNames",
    "Action",
    "ActionNames",
    "ActionType",
    "Available",
    "ChangeSeverity",
    "Code",
    "Color",
    "ContextKeyName",
    "ContextKeyType",
    "CreatedAt",
    "DeploymentStatus",
    "EvalActionName",
    "EvalResourceDecision",
    "EvalDecision",
    "EnvironmentHealth",
    "Health",
    "HealthStatus",
    "IncludeDeleted",
    "MaxRecords",
    "Namespace",
    "OperatingSystemName",
    "OperatingSystemVersion",
    "OptionName",
    "PlatformBranchName",
    "PlatformCategory",
    "PlatformLifecycleState",
    "PlatformName",
    "PlatformStatus",
    "PlatformVersion",
    "RefreshStatus",
    "RequestId",
    "ResourceStatus",
    "Severity",
    "SolutionStackName",
    "StackStatus",
    "Status",
    "Tier",
    "Type",
    "UserDefined",
    "ValueType",
    "x-id",
];

/// Elements and parameters whose values are sentences.
const SENTENCES: &[&str] = &["Cause", "Causes", "Description", "Message", "message"];

/// Words that the values of options take, beside numbers (developer guide, "Configuration
/// options").
const WORDS: &[&str] = &[
    "AllAtOnce",
    "Average",
    "Bytes",
    "CPUUtilization",
    "Cooldown",
    "Count",
    "Degraded",
    "Fixed",
    "Health",
    "HTTP",
    "HTTPS",
    "Immutable",
    "Latency",
    "LeastConnections",
    "LoadBalanced",
    "Maximum",
    "Minimum",
    "NetworkIn",
    "NetworkOut",
    "Ok",
    "Percent",
    "Percentage",
    "RequestCount",
    "Rolling",
    "RollingWithAdditionalBatch",
    "Seconds",
    "Severe",
    "SingleInstance",
    "Standard",
    "Sum",
    "TCP",
    "TrafficSplitting",
    "UDP",
    "Warning",
    "Any",
    "Any 1",
    "Any 2",
    "Any 3",
    "WebServer",
    "Worker",
    "application",
    "basic",
    "capacity-optimized",
    "classic",
    "default",
    "email",
    "enabled",
    "disabled",
    "enhanced",
    "gp2",
    "gp3",
    "http",
    "https",
    "internal",
    "internet-facing",
    "ipv4",
    "false",
    "io1",
    "lowest-price",
    "network",
    "nginx",
    "none",
    "optional",
    "public",
    "required",
    "round_robin",
    "standard",
    "stopped",
    "true",
];

/// Words with digits or joins in them that name no one.
const COMMON: &[&str] = &[
    "***",
    "group-id",
    "group-name",
    "ip-permission.group-id",
    "egress.ip-permission.group-id",
    "2xx",
    "3xx",
    "4xx",
    "5xx",
    "EC2",
    "S3",
    "S3Bucket",
    "S3Key",
    "t2.micro",
    "t3.micro",
];

/// Paths' and ARNs' parts that name no one.
const PARTS: &[&str] = &[
    "",
    "2013-04-01",
    "app",
    "application",
    "applicationversion",
    "conditional-writes",
    "queues",
    "assumed-role",
    "bundles",
    "bluegreen",
    "configurationtemplate",
    "deployments",
    "environment",
    "hostedzone",
    "instance-profile",
    "leases",
    "listener",
    "listener-rule",
    "loadbalancer",
    "net",
    "parameter",
    "platform",
    "role",
    "rrset",
    "service-role",
    "stack",
    "targetgroup",
    "unfinished",
    "user",
];

/// The ids of AWS that say by their beginning what they are of.
const IDS: &[&str] = &[
    "acl", "ami", "e", "eipalloc", "eni", "i", "igw", "lt", "rtb", "sg", "subnet", "vol", "vpc",
];

/// A secret shorter than this is no secret, and hiding it in sentences would leave nothing
/// of them.
const HIDDEN_CHARS_MIN: usize = 4;

/// The pseudonyms that were given so far.
#[derive(Clone, Debug, Default)]
pub struct Pseudonyms {
    secrets: Secrets,
    given: BTreeMap<String, String>,
    /// Those that were given.
    shown: BTreeSet<String>,
    /// Whether sentences are left for later, when every name is known.
    leaves_sentences: bool,
    counts: BTreeMap<String, u32>,
}

impl Pseudonyms {
    /// None yet. What this process knows for secret is hidden whatever it stands in.
    #[must_use]
    pub fn new(secrets: Secrets) -> Pseudonyms {
        Pseudonyms {
            secrets,
            ..Pseudonyms::default()
        }
    }

    /// The same, leaving sentences out: names get their pseudonyms first from where it is
    /// known what they name.
    pub fn leaving_sentences(&mut self, leaves: bool) {
        self.leaves_sentences = leaves;
    }

    /// The pseudonym of a name.
    pub fn name(&mut self, what: &str, real: &str) -> String {
        if real.is_empty() {
            return String::new();
        }
        if let Some(known) = self.known(real) {
            return known;
        }
        let number = self.next(what);
        let given = format!("{what}-{number}");
        self.give(real, given)
    }

    /// What is shown of the value of an element or parameter.
    pub fn leaf(&mut self, key: &str, value: &str) -> String {
        if HARMLESS.contains(&key) && !self.is_secret(value) {
            return value.to_owned();
        }
        if SENTENCES.contains(&key) {
            return self.text(value);
        }
        self.formed(value).unwrap_or_else(|| {
            let what = match key {
                _ if key.starts_with("Application") => "application",
                _ if key.starts_with("Environment") => "environment",
                _ if key.starts_with("Version") => "version",
                _ if key.starts_with("Template") => "template",
                _ if key.contains("Bucket") => "bucket",
                _ => "name",
            };
            self.name(what, value)
        })
    }

    /// What is shown of an option's value: a property of the application is never harmless.
    pub fn setting(&mut self, namespace: &str, _option: &str, value: &str) -> String {
        let is_its_own = namespace.starts_with("aws:elasticbeanstalk:application:environment")
            || namespace.starts_with("aws:cloudformation");
        if is_its_own {
            return self.name("secret", value);
        }
        let shown = value.split(',').map(|part| match part {
            word if WORDS.contains(&word) && !self.given.contains_key(word) => word.to_owned(),
            _ => {
                let shown = self.formed(part);
                shown.unwrap_or_else(|| self.name("value", part))
            }
        });
        shown.collect::<Vec<_>>().join(",")
    }

    /// A sentence: its words are kept, and whatever in it is known or may be a name is not.
    pub fn text(&mut self, text: &str) -> String {
        if self.leaves_sentences {
            return String::new();
        }
        let mut hidden = self.secrets.hide(text);
        // The longest first: one may be part of another.
        let mut known: Vec<_> = self
            .given
            .iter()
            .filter(|(real, _)| real.chars().count() >= HIDDEN_CHARS_MIN)
            .map(|(real, given)| (real.clone(), given.clone()))
            .collect();
        known.sort_by_key(|(real, _)| std::cmp::Reverse(real.len()));
        for (real, given) in known {
            hidden = replaced(&hidden, &real, &given);
        }
        let mut shown = String::with_capacity(hidden.len());
        let mut word = String::new();
        for character in hidden.chars().chain([' ']) {
            if character.is_alphanumeric() || "-_./:@%+*~".contains(character) {
                word.push(character);
                continue;
            }
            shown.push_str(&self.word(&word));
            word.clear();
            shown.push(character);
        }
        shown.pop();
        shown
    }

    /// A path with its query, as of S3 and Route 53.
    pub fn path(&mut self, path: &str) -> String {
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        let mut shown = self.parts(path);
        if let Some(query) = query {
            let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
            let mut written = form_urlencoded::Serializer::new(String::new());
            for (key, value) in pairs {
                let value = match key.as_ref() {
                    "prefix" => self.parts(&value),
                    key => self.leaf(key, &value),
                };
                written.append_pair(&key, &value);
            }
            shown.push('?');
            shown.push_str(&written.finish());
        }
        shown
    }

    fn parts(&mut self, path: &str) -> String {
        let parts = path.split('/').map(|part| self.part(part));
        parts.collect::<Vec<_>>().join("/")
    }

    fn part(&mut self, part: &str) -> String {
        if PARTS.contains(&part) {
            return part.to_owned();
        }
        match part.strip_suffix(".json") {
            Some(stem) => format!("{}.json", self.part(stem)),
            None => self.formed(part).unwrap_or_else(|| self.name("name", part)),
        }
    }

    /// A word of a sentence; what has digits or joins in it may be a name.
    fn word(&mut self, word: &str) -> String {
        let bare = word.trim_end_matches(['.', ':', '-']);
        let rest = &word[bare.len()..];
        let is_plain = bare.chars().all(char::is_alphabetic);
        let is_pseudonym = self.shown.contains(bare);
        let is_common = COMMON.contains(&bare);
        if bare.is_empty() || is_plain || is_pseudonym || is_common {
            return word.to_owned();
        }
        let shown = self.formed(bare);
        format!("{}{rest}", shown.unwrap_or_else(|| self.name("word", bare)))
    }

    fn is_secret(&self, value: &str) -> bool {
        self.secrets.hide(value) != value
    }

    /// What is shown of a value whose form says what it is; none where it says nothing.
    fn formed(&mut self, value: &str) -> Option<String> {
        if let Some(known) = self.known(value) {
            return Some(known);
        }
        if self.is_secret(value) {
            return Some(self.name("secret", value));
        }
        let is_digits = value.bytes().all(|b| b.is_ascii_digit());
        if value.len() == 12 && is_digits {
            let number = self.next("account");
            return Some(self.give(
                value,
                format!("{:012}", 100_000_000_000 + u64::from(number)),
            ));
        }
        if is_digits || is_number(value) || is_date(value) || is_region(value) || is_made_up(value)
        {
            return Some(value.to_owned());
        }
        if matches!(value, "true" | "false" | "WebServer" | "Standard") || COMMON.contains(&value) {
            return Some(value.to_owned());
        }
        if let Some(rest) = value.strip_prefix("arn:") {
            return Some(self.arn(rest));
        }
        if let Some((scheme, rest)) = value.split_once("://")
            && matches!(scheme, "http" | "https")
        {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = self.host(host);
            return Some(format!("{scheme}://{host}/{}", self.parts(path)));
        }
        if let Some((kind, id)) = value.split_once('-')
            && IDS.contains(&kind)
            && id.len() >= 8
            && id.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            let number = self.next(kind);
            let given = format!("{kind}-{number:0width$}", width = id.len());
            return Some(self.give(value, given));
        }
        if let Some(stack) = value.strip_prefix("awseb-")
            && let Some(id) = stack.strip_suffix("-stack")
        {
            return Some(format!("awseb-{}-stack", self.part(id)));
        }
        if let Some(rest) = value.strip_prefix("elasticbeanstalk-")
            && let Some((region, account)) = rest.rsplit_once('-')
            && is_region(region)
        {
            let account = self.formed(account)?;
            return Some(format!("elasticbeanstalk-{region}-{account}"));
        }
        if value.parse::<std::net::IpAddr>().is_ok() {
            let number = self.next("address");
            let given = format!("192.0.{}.{}", 2 + number / 250, 1 + number % 250);
            return Some(self.give(value, given));
        }
        if [
            ".elasticbeanstalk.com",
            ".amazonaws.com",
            ".amazonaws.com.cn",
        ]
        .iter()
        .any(|end| value.ends_with(end))
        {
            return Some(self.host(value));
        }
        if value.contains('/') && !value.contains(' ') {
            return Some(self.parts(value));
        }
        None
    }

    /// A host's own labels are replaced, and the service's and the region's kept.
    fn host(&mut self, host: &str) -> String {
        let (host, port) = match host.split_once(':') {
            Some((host, port)) => (host, format!(":{port}")),
            None => (host, String::new()),
        };
        let ends = ["elasticbeanstalk.com", "amazonaws.com", "amazonaws.com.cn"];
        let Some(end) = ends.iter().find(|end| host.ends_with(**end)) else {
            return match host.parse::<std::net::IpAddr>() {
                Ok(_) => self.formed(host).unwrap_or_default() + &port,
                Err(_) => self.name("host", host) + &port,
            };
        };
        let own = host[..host.len() - end.len()].trim_end_matches('.');
        let service = ["elb", "s3", "compute", "elasticbeanstalk"];
        let labels = own.split('.').filter(|label| !label.is_empty());
        let labels: Vec<_> = labels
            .map(|label| match label {
                label if is_region(label) || service.contains(&label) => label.to_owned(),
                label => self.name("host", label),
            })
            .chain([(*end).to_owned()])
            .collect();
        labels.join(".") + &port
    }

    /// `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
    fn arn(&mut self, rest: &str) -> String {
        let mut fields = rest.splitn(5, ':');
        let mut next = || fields.next().unwrap_or_default().to_owned();
        let (partition, service, region, account, resource) =
            (next(), next(), next(), next(), next());
        // The platforms of the service itself are everybody's.
        if account.is_empty() && resource.starts_with("platform/") {
            return format!("arn:{rest}");
        }
        let account = match account.as_str() {
            "" => String::new(),
            account => self
                .formed(account)
                .unwrap_or_else(|| self.name("account", account)),
        };
        let resource = resource.split(':').map(|part| self.parts(part));
        let resource = resource.collect::<Vec<_>>().join(":");
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    fn next(&mut self, what: &str) -> u32 {
        let count = self.counts.entry(what.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// The pseudonym that was given; one is its own.
    fn known(&self, value: &str) -> Option<String> {
        let given = self.given.get(value);
        given
            .or_else(|| self.shown.get(value))
            .map(ToOwned::to_owned)
    }

    fn give(&mut self, real: &str, given: String) -> String {
        self.shown.insert(given.clone());
        self.given.insert(real.to_owned(), given.clone());
        given
    }
}

/// A text with a name replaced wherever it stands by itself.
fn replaced(text: &str, real: &str, given: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(real) {
        let (before, found) = rest.split_at(at);
        let after = &found[real.len()..];
        let is_joined = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
        shown.push_str(before);
        let stands_alone =
            !is_joined(shown.chars().next_back()) && !is_joined(after.chars().next());
        shown.push_str(if stands_alone { given } else { real });
        rest = after;
    }
    shown.push_str(rest);
    shown
}

/// As in `-1.5` and `100%`.
fn is_number(value: &str) -> bool {
    let digits = value.trim_end_matches('%');
    let digits = digits.strip_prefix('-').unwrap_or(digits);
    !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && digits.matches('.').count() <= 1
        && digits.bytes().filter(u8::is_ascii_digit).count() < 12
}

/// As in `2026-01-02T03:04:05Z`, and a day alone.
fn is_date(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.len() >= 10
        && bytes[..10].iter().enumerate().all(|(at, b)| match at {
            4 | 7 => *b == b'-',
            _ => b.is_ascii_digit(),
        })
        && bytes[10..]
            .iter()
            .all(|b| b.is_ascii_digit() || b"TZ:.+-".contains(b))
}

/// As in `us-east-1` and `us-gov-west-1`, and a zone of one (AWS General Reference, "AWS
/// service endpoints"). Nothing else passes: a name may look much the same.
fn is_region(value: &str) -> bool {
    const AREAS: &[&str] = &[
        "af", "ap", "ca", "cn", "eu", "eusc", "il", "me", "mx", "sa", "us",
    ];
    const PLACES: &[&str] = &[
        "central",
        "de",
        "east",
        "gov",
        "iso",
        "isob",
        "isoe",
        "isof",
        "north",
        "northeast",
        "northwest",
        "south",
        "southeast",
        "southwest",
        "west",
    ];
    let parts: Vec<_> = value.split('-').collect();
    let [area, places @ .., last] = parts.as_slice() else {
        return false;
    };
    let number = last.trim_end_matches(|c: char| c.is_ascii_lowercase());
    AREAS.contains(area)
        && (1..=2).contains(&places.len())
        && places.iter().all(|place| PLACES.contains(place))
        && number.len() == 1
        && number.bytes().all(|b| b.is_ascii_digit())
        && last.len() <= 2
}

/// A name or a description that this program has made up, with a ULID in it. One that stands
/// alone may be anything.
fn is_made_up(value: &str) -> bool {
    let id = value
        .strip_prefix("bluegreen deployment ")
        .or_else(|| value.strip_prefix("bluegreen-"));
    id.is_some_and(|id| id.len() == 26 && id.bytes().all(|b| b.is_ascii_alphanumeric()))
}
