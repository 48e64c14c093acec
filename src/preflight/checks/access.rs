//! What the credentials may do, and whether the bucket can hold a lock.

use super::super::check::{Check, Finding, Verdict};
use super::super::permissions::{
    Balancing, By, DeploymentPolicy, Launch, Needed, Scope, Use, needed,
};
use super::inspector::{Found, Inspector, Read};
use crate::cloud::LookError;
use crate::cloud::{Asked, Caller, ConditionalWrites, Configuration, Denial, Denied};
use crate::encryption::Encryption;
use crate::plan::template_name;
use crate::shared::lease_key;

/// How many missing permissions one sentence names.
const NAMED_MAX: usize = 3;

impl Inspector<'_> {
    pub(super) fn credentials(&self, caller: Result<Caller, LookError>) -> Found {
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

    pub(super) async fn permissions(
        &self,
        caller: &Result<Caller, LookError>,
        read: &Read,
    ) -> Found {
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
        let scope = Scope {
            partition: self.blue.arn.split(':').nth(1).unwrap_or("aws"),
            region: &self.target.region,
            account: &self.target.account,
            application: &self.config.app,
            blue: &self.blue.name,
            green: &self.config.green,
            bucket: &self.config.bucket,
            strategy: self.wanted.strategy,
            alarms: !self.config.wishes.alarms.is_empty(),
            zone: read
                .preview
                .as_ref()
                .map(|preview| preview.zone_id.as_str()),
            key: self
                .cloud
                .encryption()
                .and_then(Encryption::key)
                .filter(|key| key.starts_with("arn:")),
            operations_role: self.blue.operations_role.as_deref(),
            launch: Launch::of(configuration),
        };
        let needed = needed(&Use {
            scope,
            blue_id: &self.blue.id,
            template: &template,
            version: label,
            registers: bundle.is_some() && record.is_none(),
            writes: self.config.shared_state || bundle.is_some_and(|b| b.file.is_some()),
            balancing: Balancing::of(configuration),
            policy: DeploymentPolicy::of(configuration.deployment_policy()),
            schedules: configuration.has_any("aws:autoscaling:scheduledaction"),
            own_rules: configuration.has_any("aws:elbv2:listenerrule:"),
            instance_profile: profile,
            service_role: given("aws:elasticbeanstalk:environment", "ServiceRole"),
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

    pub(super) async fn bucket(&self) -> Found {
        let bucket = &self.config.bucket;
        if !self.cloud.bucket(bucket).exists().await? {
            return Ok(
                Check::Bucket.refused(format!("there is no bucket {bucket}"), "is --bucket right?")
            );
        }
        if !self.config.shared_state {
            return Ok(Check::Bucket.passed(format!("bucket {bucket} is there")));
        }
        let state = self.cloud.bucket(bucket);
        let authentic = match state.state_key() {
            Some(_) => "what is kept there is authenticated with the state key",
            None => {
                "what is kept there is not authenticated: docs/operate/security.md recommends \
                 BLUEGREEN_STATE_KEY"
            }
        };
        let lease = match state.get(&lease_key(self.target)).await? {
            Some(_) => "the target's lock is readable",
            None => "the target has no lock in it yet",
        };
        Ok(match self.cloud.conditional_writes(bucket).await? {
            ConditionalWrites::Honoured => Check::Bucket.passed(format!(
                "bucket {bucket} honours the conditions of writes; {lease}; {authentic}"
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
}

/// What is missing: what a release needs refuses, and what depends on the request or on what the
/// account did before, or is not known to be needed, warns.
fn permitted(principal: &str, needed: &[Needed], denied: &[Denied]) -> Finding {
    let check = Check::Permissions;
    let by = |denied: &Denied| {
        let same = needed
            .iter()
            .filter(|n| n.action == denied.action && n.resource == denied.resource);
        same.map(|needed| needed.by).min().unwrap_or(By::Caller)
    };
    let (undecided, missing): (Vec<&Denied>, Vec<&Denied>) = denied
        .iter()
        .partition(|denied| matches!(denied.why, Denial::Undecided(_)));
    let of = |who| {
        let of_it = missing.iter().filter(|denied| by(denied) == who);
        of_it.copied().collect::<Vec<_>>()
    };
    let (own, beneath, first) = (of(By::Caller), of(By::Service), of(By::FirstUse));
    let perhaps = of(By::Perhaps);
    let mut found = Vec::new();
    if !own.is_empty() {
        found.push(format!(
            "{principal} has no permission for {}",
            listed(&own)
        ));
    }
    if !beneath.is_empty() {
        found.push(format!(
            "Elastic Beanstalk has no permission for {}: blue has no operations role, so that it does \
             this with the rights of {principal}",
            listed(&beneath)
        ));
    }
    if !found.is_empty() {
        return check.refused(found.join("; "), check.about().remedy);
    }
    if !undecided.is_empty() {
        found.push(format!(
            "whether {principal} may {} depends on the request itself",
            listed(&undecided)
        ));
    }
    if !first.is_empty() {
        found.push(format!(
            "{principal} has no permission for {}, which Elastic Beanstalk needs once in an account",
            listed(&first)
        ));
    }
    if !perhaps.is_empty() {
        found.push(format!(
            "{principal} has no permission for {}, which AWS may need so that green is made with its tags: where \
             it does, it refuses to make green, and blue is untouched",
            listed(&perhaps)
        ));
    }
    if !found.is_empty() {
        return check.warned(found.join("; "));
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
