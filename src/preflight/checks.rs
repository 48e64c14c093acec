//! The checks themselves: each reads what it needs and says what it found. Reads only.

use std::time::Duration;

use super::check::{Check, Finding, Verdict};
use super::permissions::{Balancing, Needed, Use, needed};
use super::reach::{Known, Reach, reach};
use super::steps::{steps, together};
use super::{Facts, Inspection, Surroundings, Wanted};
use crate::acceptance::without_secrets;
use crate::cloud::aws::{
    Alarm, Asked, AwsCloud, Caller, ConditionalWrites, Configuration, Denial, Denied,
    EnvironmentType, ManagedAction, PreviewRefused, Quota, ZoneRecords,
};
use crate::cloud::{Environment, LookError, Prober, VersionRecord};
use crate::config::Config;
use crate::facts::is_healthy;
use crate::fidelity::is_called;
use crate::listener_rules::{Follow, Rule, can_follow};
use crate::plan::{
    Kept, Role, Sizes, Strategy, TAG_DEPLOYMENT, TAGS_MAX, Target, is_own_tag, template_name,
};
use crate::preview::Preview;
use crate::shared::lease_key;

/// How many missing permissions one sentence names.
const NAMED_MAX: usize = 5;

/// What to do about a read that is denied and that nothing can be planned without.
pub(super) const GRANT: &str = "grant it, as docs/permissions.md says";

/// What is looked at, and what for.
pub(super) struct Inspector<'a, P> {
    pub cloud: &'a AwsCloud<P>,
    pub config: &'a Config,
    pub wanted: &'a Wanted,
    pub target: &'a Target,
    pub blue: &'a Environment,
    pub green: Option<&'a Environment>,
    pub around: &'a Surroundings,
}

/// A check that may be left unknown.
type Found = Result<Finding, LookError>;

/// The version to release: its label and its record where it is registered, or why it
/// cannot be released.
type Version = Result<(String, Option<VersionRecord>), Finding>;

/// What the release itself needs to read; none where it cannot be read.
struct Read {
    version: Version,
    tags: Option<Vec<(String, String)>>,
    configuration: Option<Configuration>,
    instances: Option<u32>,
    preview: Option<Preview>,
    rules: Vec<Rule>,
}

impl<P: Prober> Inspector<'_, P> {
    /// Every check. What cannot be read refuses where a release needs it, and leaves a check
    /// unknown where that alone does.
    ///
    /// # Errors
    /// [`LookError::Credentials`].
    pub async fn inspect(&self) -> Result<Inspection, LookError> {
        let tier = self.worker_tier();
        if tier.refuses() {
            // Nothing else that is checked is of a worker.
            return Ok(Inspection {
                findings: vec![tier],
                facts: None,
                preview: None,
            });
        }
        let mut findings = vec![
            Check::Application.passed(format!(
                "application {} is in {} of account {}",
                self.target.application, self.target.region, self.target.account
            )),
            Check::Environments.passed(format!("{} is {}", self.blue.name, self.blue.id)),
            tier,
        ];
        let read = self.read(&mut findings).await?;
        let facts = self.facts(&read);
        let registers = matches!(&read.version, Ok((_, None)));
        let configuration = read.configuration.as_ref();
        let caller = self.cloud.caller().await;
        let (
            green,
            cname,
            platform,
            action,
            quotas,
            protection,
            records,
            bucket,
            alarms,
            permissions,
        ) = tokio::join!(
            self.green_name(),
            self.green_cname(),
            self.platform_branch(configuration),
            self.cloud.managed_action(&self.blue.name),
            self.quotas(registers),
            self.termination_protection(),
            self.cloud.zone_records(),
            self.bucket(),
            self.alarms(),
            self.permissions(&caller, &read),
        );
        findings.push(self.tests(&records, &read));
        for (check, found) in [
            (Check::Credentials, self.credentials(caller)),
            (Check::GreenName, green),
            (Check::GreenCname, cname),
            (Check::PlatformBranch, platform),
            (Check::Quotas, quotas),
            (Check::TerminationProtection, protection),
            (Check::DnsRecords, records.map(|r| self.dns_records(&r))),
            (Check::Bucket, bucket),
            (Check::Alarms, alarms),
            (Check::Permissions, permissions),
        ] {
            findings.push(known(check, found)?);
        }
        findings.extend(self.versions(read.version));
        let mut inspection = Inspection {
            findings,
            facts,
            preview: read.preview,
        };
        let update = action.map(|action| self.managed_update(action, &inspection));
        inspection
            .findings
            .push(known(Check::ManagedUpdate, update)?);
        let allow = &self.wanted.allow;
        inspection.findings = inspection
            .findings
            .into_iter()
            .map(|finding| finding.unless_allowed(allow))
            .collect();
        inspection.findings.sort_by_key(|finding| finding.check);
        Ok(inspection)
    }

    /// Reads what a release needs, with what is found of it.
    async fn read(&self, findings: &mut Vec<Finding>) -> Result<Read, LookError> {
        let (version, tags, configuration, instances, preview) = tokio::join!(
            self.version(),
            self.cloud.tags(&self.blue.arn),
            self.cloud.configuration(&self.config.app, &self.blue.name),
            self.instances(),
            self.preview(),
        );
        let version = match version {
            Err(error) => Err(unread(Check::Version, error)?),
            Ok(version) => version,
        };
        let configuration = match configuration {
            Ok(configuration) => Some(configuration),
            Err(error) => {
                for check in [Check::CoupledDatabase, Check::SharedLoadBalancer] {
                    findings.push(unread(check, error.clone())?);
                }
                for check in [Check::SingleInstance, Check::DeploymentPolicy] {
                    findings.push(known(check, Err(error.clone()))?);
                }
                None
            }
        };
        let mut rules = Vec::new();
        if let Some(configuration) = &configuration {
            findings.extend([
                coupled_database(&self.blue.name, configuration),
                self.single_instance(configuration),
                deployment_policy(&self.blue.name, configuration),
            ]);
            findings.push(match self.rules(configuration).await {
                Ok(read) => {
                    rules = read;
                    self.shared_balancer(configuration, &rules)
                }
                Err(error) => unread(Check::SharedLoadBalancer, error)?,
            });
        }
        let tags = match tags {
            Ok(tags) => {
                findings.push(self.tags(&tags, configuration.as_ref()));
                Some(tags)
            }
            Err(error) => {
                findings.push(unread(Check::Tags, error)?);
                None
            }
        };
        let instances = match instances {
            Ok(instances) => {
                findings.push(self.blue_healthy(instances));
                Some(instances)
            }
            Err(error) => {
                findings.push(unread(Check::BlueHealthy, error)?);
                None
            }
        };
        let preview = match preview {
            Ok(preview) => {
                findings.push(previewed(preview.as_ref()));
                preview
            }
            Err(refused) => {
                findings.push(unfit(refused)?);
                None
            }
        };
        findings.push(self.expected_differences(configuration.as_ref(), tags.as_deref()));
        Ok(Read {
            version,
            tags,
            configuration,
            instances,
            preview,
            rules,
        })
    }

    async fn preview(&self) -> Result<Option<Preview>, PreviewRefused> {
        let Some(asked) = &self.config.preview else {
            return Ok(None);
        };
        let production = [&self.blue.cname, &self.blue.endpoint].map(Clone::clone);
        let production: Vec<String> = production.into_iter().flatten().collect();
        self.cloud.preview(asked, &production).await.map(Some)
    }

    fn facts(&self, read: &Read) -> Option<Facts> {
        Some(Facts {
            production_cname: self.blue.cname.clone()?,
            previous_version: self.blue.version_label.clone()?,
            version: read.version.as_ref().ok()?.0.clone(),
            tags: read.tags.clone()?,
            configuration: read.configuration.clone()?,
            instances: read.instances?,
        })
    }

    /// How many instances blue runs. One that is not fit is not asked.
    async fn instances(&self) -> Result<u32, LookError> {
        if !is_healthy(self.blue) {
            return Ok(0);
        }
        Ok(self.cloud.instances(&self.blue.id).await?.running)
    }

    fn credentials(&self, caller: Result<Caller, LookError>) -> Found {
        let Caller { account, arn, .. } = caller?;
        if account != self.target.account {
            return Ok(Check::Credentials.refused(
                format!(
                    "these are the credentials of {arn}, and {} is in account {}",
                    self.blue.name, self.target.account
                ),
                Check::Credentials.about().remedy,
            ));
        }
        Ok(Check::Credentials.passed(format!("these are the credentials of {arn}")))
    }

    async fn permissions(&self, caller: &Result<Caller, LookError>, read: &Read) -> Found {
        let caller = caller.as_ref().map_err(Clone::clone)?;
        let Some(principal) = &caller.principal else {
            return Ok(Check::Permissions.unknown(format!(
                "the permissions of {} cannot be simulated: they are not a role's or a user's",
                caller.arn
            )));
        };
        let template = template_name("00000000000000000000000000");
        let (label, record) = match &read.version {
            Ok((label, record)) => (label.as_str(), record.as_ref()),
            Err(_) => ("1", None),
        };
        let bundle = self.wanted.bundle.as_ref();
        let unread = Configuration::default();
        let configuration = read.configuration.as_ref().unwrap_or(&unread);
        let given = |namespace: &str, name: &str| {
            let value = configuration.value(namespace, name);
            value.filter(|value| !value.is_empty())
        };
        let profile = given("aws:autoscaling:launchconfiguration", "IamInstanceProfile");
        let needed = needed(&Use {
            partition: self.blue.arn.split(':').nth(1).unwrap_or("aws"),
            region: &self.target.region,
            account: &self.target.account,
            application: &self.config.app,
            blue: &self.blue.name,
            blue_id: &self.blue.id,
            green: &self.config.green,
            template: &template,
            version: label,
            bucket: &self.config.bucket,
            strategy: self.wanted.strategy,
            registers: bundle.is_some() && record.is_none(),
            writes: self.config.shared_state || bundle.is_some_and(|b| b.file.is_some()),
            alarms: !self.config.alarms.is_empty(),
            balancing: Balancing::of(configuration),
            instance_profile: profile,
            service_role: given("aws:elasticbeanstalk:environment", "ServiceRole"),
            zone: read
                .preview
                .as_ref()
                .map(|preview| preview.zone_id.as_str()),
            rules: &read
                .rules
                .iter()
                .map(|rule| rule.arn.clone())
                .collect::<Vec<_>>(),
        });
        let asked = needed.iter().map(|n| Asked {
            action: n.action.clone(),
            resource: n.resource.clone(),
            passed_to: n.passed_to.map(str::to_owned),
        });
        let asked: Vec<_> = asked.collect();
        let denied = self.cloud.simulate(principal, &asked).await?;
        let mut finding = permitted(principal, &needed, &denied);
        let is_about_roles = finding.verdict == Verdict::Passed
            || denied.iter().any(|denied| denied.action == "iam:PassRole");
        if let Some(profile) = profile.filter(|_| is_about_roles) {
            finding.evidence.push_str(&format!(
                "; the role in the instance profile {profile} is taken to have its name"
            ));
        }
        Ok(finding)
    }

    fn worker_tier(&self) -> Finding {
        let name = &self.blue.name;
        if self.blue.tier == "Worker" || self.blue.cname.is_none() {
            return Check::WorkerTier.refused(
                format!("{name} is a worker environment"),
                "it has no CNAME to swap, so there is nothing to do here",
            );
        }
        let cname = self.blue.cname.as_deref().unwrap_or_default();
        Check::WorkerTier.passed(format!("{name} serves {cname}"))
    }

    fn blue_healthy(&self, instances: u32) -> Finding {
        let blue = self.blue;
        let health = blue.health_status.as_ref().unwrap_or(&blue.health);
        let evidence = format!(
            "{} is {} and its health is {health}",
            blue.name, blue.status
        );
        if is_healthy(blue) {
            return Check::BlueHealthy.passed(format!(
                "{evidence}; it runs {instances} {}",
                if instances == 1 {
                    "instance"
                } else {
                    "instances"
                }
            ));
        }
        Check::BlueHealthy.refused(evidence, "it must be Ready and healthy before it is cloned")
    }

    /// The label to release, where it is, or can be, registered.
    async fn version(&self) -> Result<Version, LookError> {
        let (application, bucket) = (&self.config.app, &self.config.bucket);
        let refused =
            |evidence: String, remedy: &str| Ok(Err(Check::Version.refused(evidence, remedy)));
        let Some(label) = self.wanted.label.clone() else {
            return match self.cloud.newest_version(application).await? {
                Some(record) => Ok(Ok((record.label.clone(), Some(record)))),
                None => refused(
                    format!("application {application} has no processed version"),
                    "give one with --bundle",
                ),
            };
        };
        let record = self.cloud.version(application, &label).await?;
        match (&record, &self.wanted.bundle) {
            (Some(record), bundle) => {
                if record.status.eq_ignore_ascii_case("failed") {
                    return refused(
                        format!("version {label} could not be processed by Elastic Beanstalk"),
                        "register a corrected one",
                    );
                }
                if let (Some(ours), Some((at, key))) = (bundle, &record.bundle)
                    && (at, key) != (bucket, &ours.key)
                {
                    return refused(
                        format!("version {label} is registered with another bundle, {at}/{key}"),
                        "choose another label with --version-label",
                    );
                }
            }
            (None, Some(bundle)) if bundle.file.is_none() => {
                if !self.cloud.object_exists(bucket, &bundle.key).await? {
                    return refused(
                        format!("there is no object {} in bucket {bucket}", bundle.key),
                        "is --s3-key right?",
                    );
                }
            }
            (None, Some(_)) => {}
            (None, None) => {
                return refused(
                    format!("application {application} has no version {label}"),
                    "register it, or give its bundle with --bundle or --s3-key",
                );
            }
        }
        Ok(Ok((label, record)))
    }

    /// What there is to say of the version, and of the one before it.
    fn versions(&self, version: Version) -> Vec<Finding> {
        let blue = &self.blue.name;
        let Some(previous) = &self.blue.version_label else {
            let refused = Check::Version.refused(
                format!("{blue} runs no version that could be gone back to"),
                "deploy one to it by hand first",
            );
            return vec![refused];
        };
        let (label, record) = match version {
            Ok(version) => version,
            Err(refused) => return vec![refused],
        };
        let state = match record {
            Some(record) => format!("it is {}", record.status.to_uppercase()),
            None => "its bundle is there to register it with".to_owned(),
        };
        let new = if label == *previous {
            Check::SomethingNew.refused(
                format!("{blue} runs version {label} already"),
                "there is nothing to release",
            )
        } else {
            Check::SomethingNew.passed(format!("{blue} runs version {previous}"))
        };
        let version = Check::Version.passed(format!("version {label} is to be released; {state}"));
        vec![version, new]
    }

    async fn green_name(&self) -> Found {
        let name = &self.config.green;
        let Some(green) = self.green else {
            return Ok(Check::GreenName.passed(format!("no environment is named {name}")));
        };
        // Whose it is only says more: it is in the way all the same.
        let tags = self.cloud.tags(&green.arn).await.unwrap_or_default();
        let owner = tags
            .iter()
            .find(|(key, _)| key == TAG_DEPLOYMENT)
            .map(|(_, id)| format!(", left by deployment {id}"))
            .unwrap_or_default();
        Ok(Check::GreenName.refused(
            format!("an environment named {name} exists{owner}"),
            Check::GreenName.about().remedy,
        ))
    }

    async fn green_cname(&self) -> Found {
        let name = &self.config.green;
        let told = self.cloud.cname_availability(name).await?;
        if told.available {
            return Ok(Check::GreenCname.passed(format!("{} is free", told.cname)));
        }
        Ok(Check::GreenCname.warned(format!(
            "{} is somebody's already; {name} gets a CNAME that the service makes up, and needs \
             no other",
            told.cname
        )))
    }

    fn tags(&self, tags: &[(String, String)], configuration: Option<&Configuration>) -> Finding {
        // Sizes that are not known may take a tag too.
        let unknown = Some(Sizes { min: 1, max: 1 });
        let kept = Kept {
            id: "",
            production_cname: "",
            blue_id: "",
            version: "",
            strategy: self.wanted.strategy,
            sizes: configuration.map_or(unknown, Configuration::sizes),
            bucket: self.config.shared_state.then_some(""),
            pause_before_swap: self.wanted.pause_before_swap,
            pause_before_cutover: self.wanted.pause_before_cutover,
        };
        let all = kept.beside(tags).len();
        let own = tags.iter().filter(|(key, _)| is_own_tag(key)).count();
        let name = &self.blue.name;
        if all > TAGS_MAX {
            return Check::Tags.refused(
                format!(
                    "{name} has {own} tags of its own; with the {} of bluegreen green would \
                     exceed the service's {TAGS_MAX}",
                    all - own
                ),
                format!("take tags off {name}"),
            );
        }
        Check::Tags.passed(format!("green gets {all} tags of at most {TAGS_MAX}"))
    }

    async fn platform_branch(&self, configuration: Option<&Configuration>) -> Found {
        let told = [
            self.blue.platform.as_deref(),
            configuration.map(|configuration| configuration.platform_arn.as_str()),
        ];
        let Some(arn) = told.into_iter().flatten().find(|arn| !arn.is_empty()) else {
            return Ok(Check::PlatformBranch.unknown("the service does not tell blue's platform"));
        };
        let check = Check::PlatformBranch;
        let Some(platform) = self.cloud.platform(arn).await? else {
            return Ok(check.warned(format!("the service knows no platform {arn} any more")));
        };
        let branch = platform.branch.as_deref().unwrap_or("a custom platform");
        let state = platform.branch_lifecycle.as_deref();
        let evidence = match state {
            Some(state) => format!(
                "{branch}, version {}, is {}",
                platform.version,
                state.to_lowercase()
            ),
            None => format!(
                "{}, version {}, is of {branch}",
                platform.name, platform.version
            ),
        };
        if platform.branch_is("Retired") {
            return Ok(check.refused(
                format!("{evidence}: no environment can be created on it"),
                format!("move {} to a supported branch first", self.blue.name),
            ));
        }
        if platform.branch_is("Deprecated") || platform.branch_is("Beta") {
            return Ok(check.warned(evidence));
        }
        Ok(check.passed(evidence))
    }

    fn managed_update(&self, action: Option<ManagedAction>, inspection: &Inspection) -> Finding {
        let check = Check::ManagedUpdate;
        let name = &self.blue.name;
        let Some(action) = action else {
            return check.passed(format!("{name} has no managed update to come"));
        };
        let Some(expected) = self.expected(inspection) else {
            return check
                .unknown("how long the release takes is not known while other checks refuse it");
        };
        let over = self.around.now.after(expected);
        let span = in_minutes(expected);
        let what = format!("{} of {name} ({})", action.kind, action.description);
        let remedy = check.about().remedy;
        match (action.status.as_str(), action.window_start) {
            ("Running" | "Pending", _) => check.refused(
                format!("{what} is {}", action.status.to_lowercase()),
                remedy,
            ),
            (_, Some(start)) if start <= over => check.refused(
                format!(
                    "{what} is due from {start}, and the release may take {span}, until {over}"
                ),
                remedy,
            ),
            (_, Some(start)) if self.wanted.pauses() => check.warned(format!(
                "{what} is due from {start}; the release is expected to be over by {over}, and by \
                 as much later as it pauses"
            )),
            (_, Some(start)) => check.passed(format!(
                "{what} is due from {start}; the release is expected to be over by {over}"
            )),
            (_, None) => check.warned(format!("{what} is to come at a time that is not told")),
        }
    }

    /// How long the release takes at most, as far as that can be said.
    fn expected(&self, inspection: &Inspection) -> Option<Duration> {
        let found = (self.target.clone(), self.blue);
        let plan = inspection.plan(self.config, String::new(), self.wanted, found)?;
        Some(together(&steps(&plan, &self.around.past)).at_most)
    }

    async fn quotas(&self, registers: bool) -> Found {
        let quotas = self.cloud.quotas().await?;
        let mut asked = vec![
            ("environments", quotas.environments),
            ("configuration templates", quotas.templates),
        ];
        if registers {
            asked.push(("application versions", quotas.versions));
        }
        let in_words = |(of, quota): &(&str, Quota)| match (quota.used, quota.maximum) {
            (Some(used), Some(maximum)) => format!("{used} of {maximum} {of}"),
            _ => format!("an untold number of {of}"),
        };
        let spent = asked.iter().filter(|(_, quota)| quota.left() == Some(0));
        let spent: Vec<_> = spent.map(in_words).collect();
        if !spent.is_empty() {
            return Ok(Check::Quotas.refused(
                format!("the account has {} already", spent.join(" and ")),
                Check::Quotas.about().remedy,
            ));
        }
        let all: Vec<_> = asked.iter().map(in_words).collect();
        Ok(Check::Quotas.passed(format!("the account has {}", all.join(", "))))
    }

    async fn termination_protection(&self) -> Found {
        let check = Check::TerminationProtection;
        let name = &self.blue.name;
        if self.wanted.strategy == Strategy::Restore {
            return Ok(check.passed(format!(
                "only green is terminated, whose stack is a new one; {name} stays"
            )));
        }
        Ok(
            match self.cloud.termination_protection(&self.blue.id).await? {
                Some(true) => check.refused(
                    format!(
                        "the stack awseb-{}-stack of {name} is protected against termination",
                        self.blue.id
                    ),
                    check.about().remedy,
                ),
                Some(false) => check.passed(format!("the stack of {name} can be deleted")),
                None => check.unknown(format!("the stack of {name} is not to be seen")),
            },
        )
    }

    /// The rules of a shared load balancer that follow the swap. Those that may not be read,
    /// and tags that say nothing, are told before anything depends on them.
    async fn rules(&self, configuration: &Configuration) -> Result<Vec<Rule>, LookError> {
        let Some(arn) = configuration.shared_balancer() else {
            return Ok(Vec::new());
        };
        let (rules, groups) = self.cloud.following_rules(arn).await?;
        can_follow(&rules, &groups, &self.blue.id)
            .map_err(|unfit| LookError::Refused(unfit.to_string()))?;
        Ok(rules)
    }

    fn shared_balancer(&self, configuration: &Configuration, rules: &[Rule]) -> Finding {
        let check = Check::SharedLoadBalancer;
        let name = &self.blue.name;
        let Some(arn) = configuration.shared_balancer() else {
            return check.passed(format!("{name} shares no load balancer"));
        };
        let follow = rules
            .iter()
            .filter(|rule| rule.follow == Follow::Production);
        match follow.count() {
            0 => check.refused(
                format!(
                    "{name} shares the load balancer {arn}, none of whose rules follows a swap of \
                     CNAMEs"
                ),
                check.about().remedy,
            ),
            count => check.passed(format!(
                "{name} shares the load balancer {arn}, and {count} of its rules follow production"
            )),
        }
    }

    fn single_instance(&self, configuration: &Configuration) -> Finding {
        let name = &self.blue.name;
        match configuration.environment_type() {
            EnvironmentType::SingleInstance => Check::SingleInstance.warned(format!(
                "{name} runs a single instance: a deploy interrupts it, which green's serving \
                 covers, but each of the two alone has nothing in reserve"
            )),
            EnvironmentType::LoadBalanced => Check::SingleInstance
                .passed(format!("{name} balances the load of several instances")),
        }
    }

    /// Records that lead to blue's load balancer keep leading there while green serves.
    fn dns_records(&self, records: &ZoneRecords) -> Finding {
        let check = Check::DnsRecords;
        let Some(endpoint) = self.blue.endpoint.clone() else {
            return check.unknown("the service does not tell blue's load balancer");
        };
        let past = records.leading_to(std::slice::from_ref(&endpoint));
        let past: Vec<_> = past
            .map(|(zone, set)| format!("{} of {zone}", set.name))
            .collect();
        if !past.is_empty() {
            return check.warned(format!(
                "{} leads to {endpoint} itself, past the CNAME, and does not follow a swap: point \
                 it at {}",
                past.join(", "),
                self.blue.cname.as_deref().unwrap_or("the production CNAME")
            ));
        }
        match records.unread.as_slice() {
            [] => check.passed(format!(
                "no record of the account's hosted zones leads to {endpoint} past the CNAME"
            )),
            unread => check.unknown(format!(
                "the hosted zones {} may not be read, or are too many",
                unread.join(", ")
            )),
        }
    }

    async fn bucket(&self) -> Found {
        let bucket = &self.config.bucket;
        if !self.cloud.bucket_exists(bucket).await? {
            return Ok(
                Check::Bucket.refused(format!("there is no bucket {bucket}"), "is --bucket right?")
            );
        }
        if !self.config.shared_state {
            return Ok(Check::Bucket.passed(format!("bucket {bucket} is there")));
        }
        let lease = self
            .cloud
            .bucket(bucket)
            .get(&lease_key(self.target))
            .await?;
        let lease = match lease {
            Some(_) => "the target's lease can be read",
            None => "the target has no lease in it yet",
        };
        Ok(match self.cloud.conditional_writes(bucket).await? {
            ConditionalWrites::Honoured => Check::Bucket.passed(format!(
                "bucket {bucket} heeds the conditions of writes; {lease}"
            )),
            ConditionalWrites::Unknown => Check::Bucket.unknown(format!(
                "bucket {bucket} refused a write whose condition does not hold, but for another \
                 reason; {lease}, and `run` proves the condition once it has taken it"
            )),
            ConditionalWrites::Ignored => Check::Bucket.refused(
                format!("bucket {bucket} took a write whose condition does not hold"),
                "its store knows no conditional writes; use --no-shared-state, with one process \
                 at a time",
            ),
        })
    }

    /// A test that reaches the other environment would pass there and prove nothing of the
    /// one under test.
    fn tests(&self, records: &Result<ZoneRecords, LookError>, read: &Read) -> Finding {
        let check = Check::Tests;
        let (tested, holder) = match self.wanted.strategy {
            Strategy::Restore => (Role::Blue, Role::Green),
            Strategy::Promote => (Role::Green, Role::Blue),
        };
        let production = self.blue.cname.as_deref().unwrap_or_default();
        let records = records.as_ref().map(|records| &records.found);
        let records: Vec<_> = records
            .into_iter()
            .flatten()
            .map(|(_, set)| set.clone())
            .collect();
        let known = Known {
            production,
            endpoint: self.blue.endpoint.as_deref(),
            only_blue: tested == Role::Blue && !self.config.test_green,
            previews: read.preview.as_ref().map_or(&[], |preview| &preview.hosts),
            records: &records,
        };
        let remedy = check.about().remedy;
        let shared = read
            .configuration
            .as_ref()
            .and_then(Configuration::shared_balancer);
        let mut doubts = Vec::new();
        for test in &self.config.tests {
            let asked = without_secrets(&test.url);
            match reach(test, &known) {
                Reach::UnderTest => {}
                Reach::Production => {
                    let evidence = format!(
                        "the test of {asked} asks {production}, which {holder} holds while \
                         {tested} is tested"
                    );
                    return check.refused(evidence, remedy).standing();
                }
                Reach::ToProduction(host) => {
                    let evidence = format!(
                        "the test of {asked} asks {host}, which leads to production, and that is \
                         the other environment while one is tested"
                    );
                    return check.refused(evidence, remedy);
                }
                Reach::Unknown(host) => doubts.push(format!(
                    "the test of {asked} asks {host}, and nothing tells that this is {tested}: where \
                     it is production, the test passes on {holder} and proves nothing; write {{cname}} \
                     in place of the host"
                )),
            }
            if let (Some(host), Some(_)) = (&test.host, shared) {
                doubts.push(format!(
                    "the test of {asked} presents {host} to a load balancer that others share: see \
                     that its rules do not send that name to production"
                ));
            }
        }
        if !doubts.is_empty() {
            return check.warned(doubts.join("; "));
        }
        let tests = self.config.tests.iter();
        let urls: Vec<_> = tests.map(|test| without_secrets(&test.url)).collect();
        check.passed(format!("{tested} itself is asked for {}", urls.join(", ")))
    }

    /// What blue does not have can differ only by what green alone has.
    fn expected_differences(
        &self,
        configuration: Option<&Configuration>,
        tags: Option<&[(String, String)]>,
    ) -> Finding {
        let check = Check::ExpectedDifferences;
        let expected = &self.config.expected_differences;
        if expected.is_empty() {
            return check.passed("green is to be what blue is");
        }
        let (Some(configuration), Some(tags)) = (configuration, tags) else {
            return check.unknown("what blue is configured with could not be read");
        };
        let options = configuration
            .settings
            .iter()
            .map(|setting| setting.full_name());
        let tags = tags.iter().map(|(key, _)| format!("tag {key}"));
        let own = ["version", "platform"].map(str::to_owned);
        let all: Vec<String> = own.into_iter().chain(options).chain(tags).collect();
        let has = |name: &&String| all.iter().any(|what| is_called(name, what));
        let missing: Vec<_> = expected.iter().filter(|name| !has(name)).cloned().collect();
        let name = &self.blue.name;
        if missing.is_empty() {
            return check.passed(format!("{name} has {}", expected.join(", ")));
        }
        check.warned(format!(
            "{name} has no {}: that matches only what green alone has, or nothing",
            missing.join(", ")
        ))
    }

    async fn alarms(&self) -> Found {
        let names = &self.config.alarms;
        if names.is_empty() {
            return Ok(Check::Alarms.passed("no alarm is to watch production"));
        }
        let alarms = self.cloud.alarms(names).await?;
        let ringing: Vec<_> = alarms.iter().filter_map(Alarm::ringing).collect();
        if !ringing.is_empty() {
            return Ok(Check::Alarms.refused(ringing.join("; "), Check::Alarms.about().remedy));
        }
        Ok(Check::Alarms.passed(format!("not in alarm: {}", names.join(", "))))
    }
}

/// A release cannot do without what could not be read: that refuses, whatever is allowed.
/// Nothing is known without credentials.
fn unread(check: Check, error: LookError) -> Found {
    let (why, remedy) = match error {
        LookError::Credentials(_) => return Err(error),
        LookError::Denied(why) => (why, GRANT),
        LookError::Passing(why) => (why, "try again once the service answers"),
        LookError::Refused(why) => (why, check.about().remedy),
    };
    Ok(check.refused(why, remedy).standing())
}

/// Preview hostnames that cannot be used, or not be read.
fn unfit(refused: PreviewRefused) -> Found {
    let check = Check::PreviewHosts;
    match refused {
        PreviewRefused::Look(error) => unread(check, error),
        PreviewRefused::Unfit(error) => {
            let words = error.to_string();
            let (evidence, remedy) = words
                .rsplit_once(": ")
                .unwrap_or((&words, check.about().remedy));
            Ok(check.refused(evidence, remedy))
        }
    }
}

fn previewed(preview: Option<&Preview>) -> Finding {
    Check::PreviewHosts.passed(match preview {
        Some(preview) => format!(
            "{} can be led to what is tested, in zone {}",
            preview.hosts.join(", "),
            preview.zone_id
        ),
        None => "no hostname is to lead to what is tested".to_owned(),
    })
}

/// A check that could not look is unknown; nothing is known without credentials.
fn known(check: Check, found: Found) -> Found {
    match found {
        // The lease is written before anything else.
        Err(LookError::Denied(why)) if check == Check::Bucket => {
            Ok(check.refused(why, check.about().remedy))
        }
        Err(LookError::Passing(why) | LookError::Denied(why)) => Ok(check.unknown(why)),
        // Alarms, buckets and zones that are not there are named so.
        Err(LookError::Refused(why)) => Ok(match check {
            Check::Alarms | Check::Bucket => check.refused(why, check.about().remedy),
            _ => check.unknown(why),
        }),
        found => found,
    }
}

/// What is missing: what the caller itself needs refuses, what may be another's warns.
fn permitted(principal: &str, needed: &[Needed], denied: &[Denied]) -> Finding {
    let check = Check::Permissions;
    let is_beneath = |denied: &Denied| {
        let mut same = needed
            .iter()
            .filter(|n| n.action == denied.action && n.resource == denied.resource);
        same.all(|needed| needed.beneath)
    };
    let is_undecided = |denied: &Denied| matches!(denied.why, Denial::Undecided(_));
    let (may_be, own): (Vec<&Denied>, Vec<&Denied>) = denied
        .iter()
        .partition(|d| is_undecided(d) || is_beneath(d));
    if !own.is_empty() {
        return check.refused(
            format!("{principal} may not {}", listed(&own)),
            check.about().remedy,
        );
    }
    let (beneath, undecided): (Vec<&Denied>, Vec<&Denied>) =
        may_be.into_iter().partition(|denied| is_beneath(denied));
    let mut doubts = Vec::new();
    if !undecided.is_empty() {
        doubts.push(format!(
            "whether {principal} may {} depends on the request itself",
            listed(&undecided)
        ));
    }
    if !beneath.is_empty() {
        doubts.push(format!(
            "{principal} may not {}; an operations role of the environments may have that instead",
            listed(&beneath)
        ));
    }
    if !doubts.is_empty() {
        return check.warned(doubts.join("; "));
    }
    check.passed(format!(
        "{principal} may do all {} things that this release needs",
        needed.len()
    ))
}

fn listed(denied: &[&Denied]) -> String {
    let one = |denied: &&Denied| {
        let why = match &denied.why {
            Denial::NotAllowed => String::new(),
            Denial::Explicit => ", which is denied".to_owned(),
            Denial::Boundary => ", which its boundary forbids".to_owned(),
            Denial::Organization => ", which the organization forbids".to_owned(),
            Denial::Undecided(keys) => format!(", which depends on {}", keys.join(", ")),
        };
        format!("{} on {}{why}", denied.action, denied.resource)
    };
    let named: Vec<_> = denied.iter().take(NAMED_MAX).map(one).collect();
    match denied.len().saturating_sub(NAMED_MAX) {
        0 => named.join("; "),
        more => format!("{}; and {more} more", named.join("; ")),
    }
}

fn coupled_database(name: &str, configuration: &Configuration) -> Finding {
    let check = Check::CoupledDatabase;
    match configuration.coupled_database() {
        None => check.passed(format!("no database belongs to {name}")),
        Some(engine) => {
            let engine = match engine {
                "" => "a database",
                engine => &format!("a {engine} database"),
            };
            check.refused(
                format!(
                    "{engine} belongs to {name}: green would get a new one, which is empty, and \
                     serve with that"
                ),
                check.about().remedy,
            )
        }
    }
}

fn deployment_policy(name: &str, configuration: &Configuration) -> Finding {
    let check = Check::DeploymentPolicy;
    let policy = configuration.deployment_policy();
    let so = format!("{name} takes versions by {policy}");
    match policy {
        "AllAtOnce" => check.passed(format!("{so}: that interrupts it, while it is idle")),
        "TrafficSplitting" => check.warned(format!(
            "{so}, which judges the version by traffic that idle {name} does not get"
        )),
        "Immutable" => check.passed(format!(
            "{so}: the deploy takes a launch's time, and twice the instances for a while"
        )),
        _ => check.passed(format!("{so}: the deploy takes longer than all at once")),
    }
}

/// In whole minutes, rounded up, at least one.
fn in_minutes(span: Duration) -> String {
    let minutes = span.as_secs().div_ceil(60).max(1);
    humantime::format_duration(Duration::from_secs(minutes * 60)).to_string()
}
