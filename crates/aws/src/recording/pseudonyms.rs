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
    "Priority",
    "Protocol",
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
    "content-length",
    "last-modified",
    "retry-after",
    "x-amz-bucket-region",
    "x-amz-request-id",
    "x-amz-server-side-encryption",
    "x-amzn-requestid",
    "requestId",
    ERROR,
];

/// Where JSON's errors have their code (AWS JSON protocol).
const ERROR: &str = "__type";

/// Elements and parameters whose values are sentences of the service's.
const SENTENCES: &[&str] = &["Cause", "Causes", "Message", "message"];

/// The beginnings of the elements and parameters whose values are names or notes that somebody has
/// written: never harmless, even where they resemble a number, a date or a region.
const NAMED: &[(&str, &str)] = &[
    ("ApplicationName", "application"),
    ("CNAMEPrefix", "host"),
    ("ConfigurationTemplates", "template"),
    ("Description", "description"),
    ("EnvironmentName", "environment"),
    ("S3Bucket", "bucket"),
    ("SourceEnvironmentName", "environment"),
    ("DestinationEnvironmentName", "environment"),
    ("TemplateName", "template"),
    ("Value", "value"),
    ("VersionLabel", "version"),
    ("Versions", "version"),
];

/// The namespaces in which the names of options are an application's own too, and their
/// values are never harmless (developer guide, "General options for all environments",
/// "Custom resources").
pub(super) const OWN_NAMESPACES: &[&str] = &[
    "aws:elasticbeanstalk:application:environmentsecrets",
    "aws:elasticbeanstalk:application:environment",
    "aws:elasticbeanstalk:customoption",
];

/// Parts of the names of options whose values are somebody's own, in lower case.
const OWN_OPTIONS: &[&str] = &[
    "credential",
    "dbuser",
    "endpoint",
    "keyname",
    "password",
    "secret",
    "token",
];

/// Words of the service's own sentences: a name that is such a word reveals nothing, and replacing
/// it would leave nothing of what the service says.
const SERVICE_WORDS: &[&str] = &[
    "aborted",
    "alarm",
    "application",
    "blue",
    "cname",
    "cnames",
    "command",
    "completed",
    "configuration",
    "create",
    "delete",
    "deleting",
    "deploy",
    "deployed",
    "deployment",
    "environment",
    "environments",
    "errors",
    "failed",
    "from",
    "green",
    "group",
    "health",
    "instance",
    "instances",
    "launch",
    "launched",
    "message",
    "name",
    "named",
    "operation",
    "production",
    "reason",
    "resource",
    "security",
    "stack",
    "starting",
    "successfully",
    "supported",
    "swap",
    "swapping",
    "terminate",
    "timeouts",
    "transitioned",
    "update",
    "version",
    "with",
    // Of the short ones a name is no less likely to be one.
    "all",
    "and",
    "any",
    "are",
    "as",
    "at",
    "be",
    "by",
    "dns",
    "for",
    "has",
    "id",
    "in",
    "is",
    "it",
    "its",
    "new",
    "no",
    "not",
    "of",
    "ok",
    "on",
    "or",
    "s3",
    "the",
    "to",
    "was",
];

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
    "*",
    "***",
    "AWSElasticBeanstalk",
    "aws:cloudformation:logical-id",
    "aws:cloudformation:stack-id",
    "docs/start/guide.md",
    "elasticbeanstalk:environment-id",
    "elasticbeanstalk:environment-name",
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
    "tcp",
    "udp",
];

/// The services that an ARN may be of (service authorization reference).
const SERVICES: &[&str] = &[
    "acm",
    "autoscaling",
    "cloudformation",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "ecs",
    "elasticbeanstalk",
    "elasticloadbalancing",
    "iam",
    "kms",
    "lambda",
    "logs",
    "rds",
    "route53",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "sts",
    "wafv2",
];

/// How the buckets of the service's own begin, before their region.
const OWN_BUCKETS: &[&str] = &[
    "elasticbeanstalk-env-resources-",
    "elasticbeanstalk-platform-assets-",
    "elasticbeanstalk-samples-",
];

/// How the paths of CloudWatch's operations begin, before the operation's name (Smithy RPC
/// v2 protocol).
const RPC: &str = "/service/GraniteServiceVersion20100801/operation/";

/// What the pseudonyms of names begin with, which are hidden in sentences also where they
/// are short.
const NAMES: &[&str] = &[
    "application-",
    "bucket-",
    "environment-",
    "host-",
    "tag-",
    "template-",
    "version-",
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

/// The same minimum for a name, which is hidden only where it stands alone in exactly this
/// spelling.
const HIDDEN_NAME_CHARS_MIN: usize = 2;

/// More digits than these are no number of anything: a telephone's, a card's, a PIN's.
const DIGITS_MAX: usize = 9;

/// As in `2026-01-02T03:04:05.123456789+00:00`.
const DATE_BYTES_MAX: usize = 35;

/// A secret of so many bytes is hidden in sentences also where it is part of a word.
const WITHIN_WORDS_BYTES_MIN: usize = 6;

/// How many letters the parts of a word like `DescribeEvents` have at least, on average.
const HUMP_LETTERS_MIN: usize = 3;

/// The pseudonyms that were given so far.
#[derive(Clone, Debug, Default)]
pub struct Pseudonyms {
    secrets: Secrets,
    given: BTreeMap<String, String>,
    /// The pseudonyms of values that are harmless elsewhere, such as `true` and `2`, by what they
    /// are.
    apart: BTreeMap<(String, String), String>,
    /// The pseudonyms that were given.
    shown: BTreeSet<String>,
    /// The values that are hidden also within words.
    secret: BTreeSet<String>,
    /// The namespaces and the full names of the service's own options, as sentences hold them.
    options: BTreeSet<String>,
    /// Whether sentences are left for later, when every name is known.
    leaves_sentences: bool,
    counts: BTreeMap<String, u32>,
}

impl Pseudonyms {
    /// No pseudonyms yet. The secrets that this process knows are hidden wherever they stand.
    #[must_use]
    pub fn new(secrets: Secrets) -> Pseudonyms {
        Pseudonyms {
            secrets,
            ..Pseudonyms::default()
        }
    }

    /// Sets whether sentences are left out: names then get their pseudonyms first from places where
    /// it is known what they name.
    pub fn leaving_sentences(&mut self, leaves: bool) {
        self.leaves_sentences = leaves;
    }

    /// The pseudonym of a name.
    pub fn name(&mut self, what: &str, real: &str) -> String {
        if real.is_empty() {
            return String::new();
        }
        if is_harmless(real) {
            return self.name_apart(what, real);
        }
        if let Some(known) = self.known(real) {
            return known;
        }
        let number = self.next(what);
        let given = format!("{what}-{number}");
        self.give(real, given)
    }

    fn name_apart(&mut self, what: &str, real: &str) -> String {
        let key = (what.to_owned(), real.to_owned());
        if let Some(known) = self.apart.get(&key) {
            return known.clone();
        }
        let given = format!("{what}-{}", self.next(what));
        self.shown.insert(given.clone());
        self.apart.insert(key, given.clone());
        given
    }

    /// The text to show for the value of an element or parameter.
    pub fn leaf(&mut self, key: &str, value: &str) -> String {
        if HARMLESS.contains(&key) && !self.is_secret(value) {
            return value.to_owned();
        }
        if SENTENCES.contains(&key) {
            return self.text(value);
        }
        if let Some((_, what)) = NAMED.iter().find(|(named, _)| key.starts_with(named)) {
            return self.own(what, value);
        }
        match key {
            "Key" => return self.tag_key(value),
            "S3Key" => return self.parts(value),
            "LogicalResourceId" | "ResourceName" => return self.resource(value),
            "ResourceType" if value.starts_with("AWS::") => return value.to_owned(),
            _ => {}
        }
        self.formed(value).unwrap_or_else(|| {
            let what = match key {
                _ if key.starts_with("Application") => "application",
                _ if key.starts_with("Environment") => "environment",
                _ if key.starts_with("Version") => "version",
                _ if key.contains("Template") => "template",
                _ if key.contains("Bucket") => "bucket",
                _ => "name",
            };
            self.name(what, value)
        })
    }

    /// The text to show for a name or note that somebody has written: a pseudonym, of the same form
    /// where it is an id, an ARN or a host. A name that this program has made up is shown as it is.
    pub fn own(&mut self, what: &str, value: &str) -> String {
        if let Some(known) = self.known(value) {
            return known;
        }
        if is_made_up(value) {
            return value.to_owned();
        }
        // What only has a slash in it is no path.
        let is_note = value.contains('/') && !value.contains("://") && !value.starts_with("arn:");
        let shown = (!is_note).then(|| self.formed(value)).flatten();
        match shown.filter(|shown| shown != value) {
            Some(shown) => shown,
            None => self.name(what, value),
        }
    }

    /// The text to show for the name of a field: the service's are plain words.
    pub fn field(&mut self, field: &str) -> String {
        let is_plain = field == ERROR || field.bytes().all(|b| b.is_ascii_alphabetic());
        match is_plain && !self.given.contains_key(field) && !self.is_secret(field) {
            true => field.to_owned(),
            false => self.name("field", field),
        }
    }

    /// The text to show for a tag's key: those of this program and of the service name no one.
    pub fn tag_key(&mut self, key: &str) -> String {
        let is_known = key == "Name"
            || ["aws:", "bluegreen:", "elasticbeanstalk:"]
                .iter()
                .any(|of| key.starts_with(of));
        match is_known && !self.is_secret(key) {
            true => key.to_owned(),
            false => self.own("tag", key),
        }
    }

    /// The text to show for the resource that an option is for: those of the service's own stacks
    /// name no one.
    pub fn resource(&mut self, resource: &str) -> String {
        let is_of_stack = resource.starts_with("AWSEB")
            && resource.len() <= 40
            && resource
                .chars()
                .all(|letter| letter.is_alphabetic() || letter == '2');
        match is_of_stack {
            true => resource.to_owned(),
            false => self.own("resource", resource),
        }
    }

    /// The text to show for an option's name: that of a property is the application's own.
    pub fn option(&mut self, namespace: &str, option: &str) -> String {
        if OWN_NAMESPACES.contains(&namespace) {
            return self.name("property", option);
        }
        // The word of a sentence ends at the first space.
        let full = format!("{namespace}:{option}");
        let told = [namespace, &full].into_iter();
        self.options
            .extend(told.filter_map(|told| told.split(' ').next().map(str::to_owned)));
        option.to_owned()
    }

    /// The text to show in place of a number that is not harmless; `None` for any other.
    pub fn number(&mut self, number: &str) -> Option<String> {
        let is_account = number.len() == 12 && number.bytes().all(|b| b.is_ascii_digit());
        if is_account {
            return self.formed(number);
        }
        let is_own = self.secret.contains(number) && number.len() >= WITHIN_WORDS_BYTES_MIN;
        let is_secret = is_own || self.is_secret(number);
        let known = self.given.get(number).cloned();
        known.or_else(|| is_secret.then(|| self.name("secret", number)))
    }

    /// The text to show for an option's value: a property of the application is never harmless, and
    /// neither is a password, whatever form it has.
    pub fn setting(&mut self, namespace: &str, option: &str, value: &str) -> String {
        let is_of_properties = OWN_NAMESPACES.contains(&namespace)
            || namespace.starts_with("aws:elasticbeanstalk:application:environment")
            || namespace.starts_with("aws:cloudformation");
        if is_of_properties {
            self.secret.insert(value.to_owned());
            return self.name("secret", value);
        }
        let option = option.to_ascii_lowercase();
        let is_own = OWN_OPTIONS.iter().any(|own| option.contains(own));
        if is_own {
            self.secret.insert(value.to_owned());
        }
        let shown = value.split(',').map(|part| match part {
            _ if is_own => self.own("value", part),
            word if WORDS.contains(&word) && !self.given.contains_key(word) => word.to_owned(),
            _ => {
                let shown = self.formed(part);
                shown.unwrap_or_else(|| self.value(part))
            }
        });
        shown.collect::<Vec<_>>().join(",")
    }

    /// The pseudonym of a value of no known form. A value that is named after an environment, as
    /// the service names much of its own, still shows after which.
    fn value(&mut self, value: &str) -> String {
        let environments = self.given.iter().filter(|(real, given)| {
            let is_name = given.starts_with("environment-") || given.starts_with("e-0");
            is_name && value.len() > real.len() && replaced(value, real, "\0") != value
        });
        let longest = environments.max_by_key(|(real, _)| real.len());
        match longest.map(|(real, given)| (real.clone(), given.clone())) {
            Some((real, given)) => {
                let stem = self.name("value", &replaced(value, &real, "\0"));
                format!("{stem}-{given}")
            }
            None => self.name("value", value),
        }
    }

    /// A sentence: its words are kept, and whatever in it is known or may be a name is not.
    pub fn text(&mut self, text: &str) -> String {
        if self.leaves_sentences {
            return String::new();
        }
        // A place stands for the pseudonym until all are known: one may hold another's name.
        let mut hidden = self.secrets.hide(&text.replace(is_place, "\u{fffd}"));
        // The longest first: one may be part of another.
        let apart = self.apart.iter().map(|((_, real), given)| (real, given));
        // What is a number may be a secret; a word or a region is none.
        let apart = apart.filter(|(real, _)| real.bytes().all(|b| b.is_ascii_digit()));
        let mut known: Vec<_> = self
            .given
            .iter()
            .chain(apart)
            .filter(|(real, given)| {
                let chars = real.chars().count();
                let is_name = NAMES.iter().any(|kind| given.starts_with(kind));
                chars >= HIDDEN_CHARS_MIN || is_name && chars >= HIDDEN_NAME_CHARS_MIN
            })
            .map(|(real, given)| (real.clone(), given.clone()))
            .collect();
        known.sort_by_key(|(real, _)| std::cmp::Reverse(real.len()));
        for (at, (real, _)) in known.iter().enumerate() {
            let Some(place) = place(at).map(String::from) else {
                continue;
            };
            if SERVICE_WORDS.contains(&real.to_ascii_lowercase().as_str()) {
                continue;
            }
            // A secret is hidden also within a word; what is short may be part of any.
            let within = self.secret.contains(real) && real.len() >= WITHIN_WORDS_BYTES_MIN;
            let stands = match within {
                true => Stands::Anywhere,
                false if real.chars().count() < HIDDEN_CHARS_MIN => Stands::JustSo,
                false => Stands::Alone,
            };
            for form in forms(real) {
                hidden = replaced_in(&hidden, &form, &place, stands);
            }
        }
        let mut shown = String::with_capacity(hidden.len());
        let mut word = String::new();
        for character in hidden.chars().chain([' ']) {
            let is_joined = character.is_alphanumeric() || "-_./:@%+*~".contains(character);
            if is_joined || is_place(character) {
                word.push(character);
                continue;
            }
            shown.push_str(&self.word(&word, &known));
            word.clear();
            shown.push(character);
        }
        shown.pop();
        shown
    }

    /// The path of a web site, with its query: what both hold is the application's own.
    pub fn page(&mut self, path: &str) -> String {
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        let parts = path.split('/').map(|part| self.name("part", part));
        let mut shown = parts.collect::<Vec<_>>().join("/");
        if let Some(query) = query {
            shown.push('?');
            shown.push_str(&self.name("query", query));
        }
        shown
    }

    /// A path with its query, as of S3 and Route 53.
    pub fn path(&mut self, path: &str) -> String {
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        let mut shown = match path.strip_prefix(RPC) {
            Some(operation) if is_a_word(operation) => path.to_owned(),
            Some(_) | None => self.parts(path),
        };
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
        if let Some(stem) = part.strip_suffix(".json") {
            return format!("{}.json", self.part(stem));
        }
        // However it is encoded, it is the same.
        let decoded = percent_encoding::percent_decode_str(part).decode_utf8_lossy();
        // Within a path a number or a date is somebody's name for something.
        if is_number(&decoded) || is_date(&decoded) {
            return self.name("name", &decoded);
        }
        let shown = self.formed(&decoded);
        shown.unwrap_or_else(|| self.name("name", &decoded))
    }

    /// A word of a sentence; what has digits or joins in it may be a name.
    fn word(&mut self, word: &str, known: &[(String, String)]) -> String {
        let bare = word.trim_end_matches(['.', ':', '-']);
        let rest = &word[bare.len()..];
        let is_known = bare.chars().count() == 1 && bare.chars().all(is_place);
        let has_places = bare.chars().any(is_place);
        let places = known.iter().enumerate().filter(|_| has_places);
        let bare = &places.fold(bare.to_owned(), in_its_place);
        if is_known {
            return format!("{bare}{rest}");
        }
        let bare = bare.as_str();
        let is_plain = is_a_word(bare) || is_a_status(bare);
        let is_pseudonym = self.shown.contains(bare);
        let is_common = COMMON.contains(&bare) || self.options.contains(bare);
        if bare.is_empty() || is_plain || is_pseudonym || is_common {
            return format!("{bare}{rest}");
        }
        let shown = self.formed(bare);
        format!("{}{rest}", shown.unwrap_or_else(|| self.name("word", bare)))
    }

    fn is_secret(&self, value: &str) -> bool {
        self.secrets.hide(value) != value
    }

    /// The text to show for a value whose form says what it is; `None` where it says nothing.
    fn formed(&mut self, value: &str) -> Option<String> {
        if let Some(known) = self.known(value) {
            return Some(known);
        }
        if self.is_secret(value) {
            return Some(self.name("secret", value));
        }
        // Also where it stands for something else, and looks like a number or a date.
        let is_secret = self.secret.contains(value) && value.len() >= WITHIN_WORDS_BYTES_MIN;
        if is_secret && (is_number(value) || is_date(value)) {
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
        let is_own_bucket = OWN_BUCKETS
            .iter()
            .any(|own| value.strip_prefix(own).is_some_and(is_region));
        if is_harmless(value) || is_made_up(value) || is_own_bucket {
            return Some(value.to_owned());
        }
        if let Some(rest) = value.strip_prefix("arn:") {
            return Some(self.arn(rest));
        }
        if let Some(rest) = value.strip_prefix("s3://") {
            return Some(format!("s3://{}", self.parts(rest)));
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
        let is_port = |port: &str| port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if is_port(port) => (host, format!(":{port}")),
            Some(_) | None => (host, String::new()),
        };
        // A password may stand before a host.
        if host.contains(['@', ':']) {
            return self.name("host", host) + &port;
        }
        let ends = ["elasticbeanstalk.com", "amazonaws.com", "amazonaws.com.cn"];
        let Some(end) = ends.iter().find(|end| host.ends_with(**end)) else {
            return match host.parse::<std::net::IpAddr>() {
                Ok(_) => self.formed(host).unwrap_or_default() + &port,
                Err(_) => self.name("host", host) + &port,
            };
        };
        let own = host[..host.len() - end.len()].trim_end_matches('.');
        let service = ["eb", "elb", "s3", "compute", "elasticbeanstalk"];
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
        if (service.as_str(), account.as_str()) == ("elasticbeanstalk", "")
            && partition.starts_with("aws")
            && is_region(&region)
            && resource.starts_with("platform/")
        {
            return format!("arn:{rest}");
        }
        let is_service = SERVICES.contains(&service.as_str());
        let is_region_or_none = region.is_empty() || is_region(&region);
        if !(matches!(partition.as_str(), "aws" | "aws-cn" | "aws-us-gov")
            && is_service
            && is_region_or_none)
        {
            return self.name("arn", &format!("arn:{rest}"));
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

/// Where something is replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// Also where it is part of a word.
    Anywhere,
    /// Where it is a word.
    Alone,
    /// Where it is a word whose letters are capital and small as its own.
    JustSo,
}

/// The first of the characters that nobody's text has a meaning for.
const PLACES: u32 = 0xF_0000;

/// A character that stands for one of the pseudonyms.
fn place(at: usize) -> Option<char> {
    char::from_u32(PLACES + u32::try_from(at).ok()?)
}

fn is_place(character: char) -> bool {
    u32::from(character) >= PLACES
}

/// A word with a pseudonym in its place.
fn in_its_place(word: String, (at, (_, given)): (usize, &(String, String))) -> String {
    match place(at) {
        Some(place) if word.contains(place) => word.replace(place, given),
        Some(_) | None => word,
    }
}

/// A text with a name replaced wherever it stands by itself.
fn replaced(text: &str, real: &str, given: &str) -> String {
    replaced_in(text, real, given, Stands::Alone)
}

/// The text with a name replaced where it stands so, whether letters are capital or small.
fn replaced_in(text: &str, real: &str, given: &str, stands: Stands) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    let small = real.to_ascii_lowercase();
    while let Some(at) = rest.to_ascii_lowercase().find(&small) {
        let (before, found) = rest.split_at(at);
        let (found, after) = found.split_at(small.len());
        let is_joined = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
        shown.push_str(before);
        let is_alone = !is_joined(shown.chars().next_back()) && !is_joined(after.chars().next());
        let is_meant = match stands {
            Stands::Anywhere => true,
            Stands::Alone => is_alone,
            Stands::JustSo => is_alone && found == real,
        };
        shown.push_str(if is_meant { given } else { found });
        rest = after;
    }
    shown.push_str(rest);
    shown
}

/// A value as sentences may hold it: as it is, percent-encoded, and as JSON and XML quote it.
fn forms(value: &str) -> Vec<String> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if value.bytes().all(is_plain) {
        return vec![value.to_owned()];
    }
    let encoded = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
    let quoted = serde_json::Value::from(value).to_string();
    let mut forms = vec![
        value.to_owned(),
        encoded.to_string(),
        form_urlencoded::byte_serialize(value.as_bytes()).collect(),
        quoted.trim_matches('"').to_owned(),
        quick_xml::escape::escape(value).into_owned(),
    ];
    forms.retain(|form| !form.is_empty());
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup();
    forms
}

/// Whether letters are a word as people and the service write them: `Failed`, `INFO`,
/// `DescribeEvents`. What changes its case every other letter is made at random, or encoded.
fn is_a_word(text: &str) -> bool {
    if !text.chars().all(char::is_alphabetic) {
        return false;
    }
    let letters: Vec<char> = text.chars().collect();
    let changes = letters.windows(2);
    let changes = changes.filter(|pair| pair[0].is_lowercase() && pair[1].is_uppercase());
    let humps = changes.count() + 1;
    let begins_small = letters.first().is_some_and(|first| first.is_lowercase());
    humps == 1 && (begins_small || is_capitalised(&letters))
        || humps > 1 && letters.len() >= humps * HUMP_LETTERS_MIN
}

/// As in `Failed`, `AWS` and `CNAMEs`: capital letters only at its beginning.
fn is_capitalised(letters: &[char]) -> bool {
    let small = letters.iter().position(|letter| letter.is_lowercase());
    let rest = small.map_or(&[][..], |small| &letters[small..]);
    rest.iter().all(|letter| letter.is_lowercase())
}

/// As in `CREATE_FAILED`: a status of a stack (API reference, `Stack`, `StackStatus`).
fn is_a_status(text: &str) -> bool {
    let ends = ["_FAILED", "_COMPLETE", "_IN_PROGRESS"];
    let verb = ends.iter().find_map(|end| text.strip_suffix(end));
    verb.is_some_and(|verb| matches!(verb, "CREATE" | "DELETE" | "ROLLBACK" | "UPDATE"))
}

/// Whether a value identifies no one wherever it stands: a number, a date, a region or a word of
/// the service's.
fn is_harmless(value: &str) -> bool {
    let is_digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    match is_digits {
        true => value.len() <= DIGITS_MAX,
        false => {
            is_number(value)
                || is_date(value)
                || is_region(value)
                || COMMON.contains(&value)
                || matches!(value, "true" | "false" | "WebServer" | "Standard")
        }
    }
}

/// As in `-1.5` and `100%`.
fn is_number(value: &str) -> bool {
    let digits = value.trim_end_matches('%');
    let digits = digits.strip_prefix('-').unwrap_or(digits);
    !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && digits.matches('.').count() <= 1
        && digits
            .split('.')
            .next()
            .is_some_and(|whole| whole.len() <= DIGITS_MAX)
}

/// As in `2026-01-02T03:04:05Z`, and a day alone.
fn is_date(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.len() >= 10
        && bytes[..10].iter().enumerate().all(|(at, b)| match at {
            4 | 7 => *b == b'-',
            _ => b.is_ascii_digit(),
        })
        && (bytes.len() == 10
            || bytes[10] == b'T'
                && bytes.len() <= DATE_BYTES_MAX
                && bytes[11..]
                    .iter()
                    .all(|b| b.is_ascii_digit() || b"Z:.+-".contains(b)))
}

/// As in `us-east-1` and `us-gov-west-1`, and a zone of one (AWS General Reference, "AWS service
/// endpoints"). Nothing else passes: a name may have a very similar form.
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
