//! Whether green can be created, and what it may differ in.

use super::super::check::{Check, Finding};
use super::inspector::{Found, Inspector};
use crate::cloud::LookError;
use crate::cloud::{Configuration, EnvironmentType, Quota};
use crate::fidelity::{OPERATIONS_ROLE, is_called};
use crate::plan::{Kept, Sizes, TAG_DEPLOYMENT, TAG_PRODUCTION_CNAME, TAGS_MAX, is_own_tag};

impl Inspector<'_> {
    pub(super) async fn green_name(&self) -> Found {
        let name = &self.config.green;
        let Some(green) = self.green else {
            return Ok(Check::GreenName.passed(format!("no environment is named {name}")));
        };
        // Whose it is only says more: it is in the way all the same.
        let tags = self.cloud.tags(&green.arn).await.unwrap_or_default();
        let tag = |name: &str| {
            let found = tags.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str())
        };
        let exists = format!("an environment named {name} exists");
        let Some(owner) = tag(TAG_DEPLOYMENT) else {
            let remedy = Check::GreenName.about().remedy;
            return Ok(Check::GreenName.refused(exists, remedy));
        };
        let serves = tag(TAG_PRODUCTION_CNAME).is_some_and(|production| green.holds(production));
        let users = match serves {
            true => ", and users are on it",
            false => "",
        };
        // Only who knows the deployment knows whether users need it.
        Ok(Check::GreenName.refused(
            format!("{exists}, created by deployment {owner}{users}"),
            match ulid::Ulid::from_string(owner) {
                Ok(id) => format!(
                    "let that deployment end: `bluegreen status {id}` says how; do not remove \
                     {name} yourself"
                ),
                Err(_) => format!("find out who created {name}, and let that end first"),
            },
        ))
    }

    pub(super) async fn green_cname(&self) -> Found {
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

    pub(super) fn tags(
        &self,
        tags: &[(String, String)],
        configuration: Option<&Configuration>,
    ) -> Finding {
        // Sizes that are not known may take a tag too.
        let unknown = Some(Sizes { min: 1, max: 1 });
        let kept = Kept {
            id: "",
            production_cname: "",
            blue_id: "",
            version: "",
            strategy: self.wanted.strategy,
            sizes: configuration.map_or(unknown, Configuration::sizes),
            bucket: "",
            shared_state: self.config.shared_state,
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

    pub(super) async fn quotas(
        &self,
        registers: bool,
        configuration: Option<&Configuration>,
    ) -> Found {
        let quotas = self.cloud.quotas().await?;
        let mut asked = vec![
            ("environments", quotas.environments),
            ("configuration templates", quotas.templates),
        ];
        if registers {
            asked.push(("application versions", quotas.versions));
        }
        asked.extend(self.addresses(configuration).await?);
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
        Ok(Check::Quotas.passed(format!(
            "the account has {}; whether it has the vCPUs for green's instances is not counted",
            all.join(", ")
        )))
    }

    /// The Elastic IP addresses, where blue, a single instance, has one and green needs another.
    async fn addresses(
        &self,
        configuration: Option<&Configuration>,
    ) -> Result<Option<(&'static str, Quota)>, LookError> {
        let kind = configuration.map(Configuration::environment_type);
        let (Some(EnvironmentType::SingleInstance), Some(own)) = (kind, &self.blue.endpoint) else {
            return Ok(None);
        };
        let (allocated, maximum) = self.cloud.elastic_addresses().await?;
        let used = u32::try_from(allocated.len()).ok();
        let quota = Quota { used, maximum };
        Ok(allocated
            .contains(own)
            .then_some(("Elastic IP addresses", quota)))
    }

    /// What blue does not have can differ only by what green alone has.
    pub(super) fn expected_differences(
        &self,
        configuration: Option<&Configuration>,
        tags: Option<&[(String, String)]>,
    ) -> Finding {
        let check = Check::ExpectedDifferences;
        let expected = &self.config.wishes.expected_differences;
        if expected.is_empty() {
            return check.passed("green must equal blue");
        }
        let (Some(configuration), Some(tags)) = (configuration, tags) else {
            return check.unknown("what blue is configured with could not be read");
        };
        let options = configuration
            .settings
            .iter()
            .map(|setting| setting.full_name());
        let tags = tags.iter().map(|(key, _)| format!("tag {key}"));
        let own = ["version", "platform", OPERATIONS_ROLE].map(str::to_owned);
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
}
