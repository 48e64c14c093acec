//! What a described world may not have. Names follow the rules of the API's own requests.

use std::collections::BTreeSet;

use crate::description::{DescribedEnvironment, DescribedVersion, Description};
use crate::query::checks::{
    check_application_name, check_environment_name, check_label, check_length, check_prefix,
    check_tags,
};
use crate::query::namespaces::check_namespaces;
use crate::query::sizes::{INSTANCES_MAX, check_sizes, instance_count};
use crate::query::tagged::Tagged;
use crate::wire::error::ApiError;
use crate::world::environment::Tier;
use crate::world::limits::{CLIENTS_MAX, SECONDS_MAX, within};

/// How many instances all environments may have together.
const ALL_INSTANCES_MAX: usize = 200_000;

/// What is wrong, and where.
type Checked = Result<(), String>;

impl Description {
    /// Refuses what no world can be: something that names what is not there, a bucket that S3
    /// refuses, and numbers beyond their limits.
    pub(super) fn check_world(&self) -> Checked {
        let applications: BTreeSet<_> = self.applications.iter().map(|a| &a.name).collect();
        let versions = self.versions.iter().map(|v| (&v.application, &v.label));
        let versions: BTreeSet<_> = versions.collect();
        let mut buckets = self
            .buckets()
            .chain(self.bundles().map(|(bucket, _)| bucket));
        if let Some(wrong) = buckets.find(|name| !is_bucket_name(name)) {
            return Err(format!(
                "{wrong:?} is no name of a bucket: give 3 to 63 lower-case letters, digits, dots and \
                 hyphens"
            ));
        }
        for version in &self.versions {
            if !applications.contains(&version.application) {
                let (label, application) = (&version.label, &version.application);
                return Err(format!(
                    "version {label} is of application {application}, which is not described: add \
                     [[application]] with name = \"{application}\""
                ));
            }
        }
        for environment in &self.environments {
            let (name, label) = (&environment.name, &environment.version);
            if !versions.contains(&(&environment.application, label)) {
                return Err(format!(
                    "environment {name} runs version {label} of application {}, which is not \
                     described: add [[version]]",
                    environment.application
                ));
            }
        }
        self.check_numbers()
    }

    fn check_numbers(&self) -> Checked {
        if let Some(clients) = &self.clients {
            let (count, seconds) = (clients.count as u64, clients.cache_seconds);
            at("[clients]", within("count", count, 0, CLIENTS_MAX as u64))?;
            at(
                "[clients]",
                within("cache_seconds", seconds, 0, SECONDS_MAX),
            )?;
        }
        let mut all = 0;
        for environment in &self.environments {
            let place = place("environment", &environment.name);
            let least = instance_count(&environment.settings());
            let least = least.map_err(|error| format!("{place}: {}", error.message))?;
            let count = environment.instances.unwrap_or(least);
            at(
                &place,
                within("instances", count as u64, 0, INSTANCES_MAX as u64),
            )?;
            all += count;
        }
        at(
            "all environments",
            within("instances", all as u64, 0, ALL_INSTANCES_MAX as u64),
        )
    }

    /// Refuses names that the API refuses, and what is there twice.
    pub(super) fn check_names(&self) -> Checked {
        self.check_account()?;
        let mut names = BTreeSet::new();
        for application in &self.applications {
            let place = place("application", &application.name);
            obeys(&place, check_application_name(&application.name))?;
            obeys(&place, check_description(&application.description))?;
            if !names.insert(&application.name) {
                return Err(twice("applications", &application.name));
            }
        }
        let mut labels = BTreeSet::new();
        for version in &self.versions {
            version.check()?;
            if !labels.insert((&version.application, &version.label)) {
                let place = format!("{} of application {}", version.label, version.application);
                return Err(twice("versions", &place));
            }
        }
        let (mut names, mut prefixes) = (BTreeSet::new(), BTreeSet::new());
        for environment in &self.environments {
            environment.check()?;
            if !names.insert(&environment.name) {
                return Err(twice("environments", &environment.name));
            }
            let prefix = environment.cname_prefix.as_deref().map(str::to_lowercase);
            if let Some(prefix) = prefix
                && !prefixes.insert(prefix.clone())
            {
                return Err(format!(
                    "there are two environments with cname_prefix {prefix}, in which case does not \
                     matter: give one of them another"
                ));
            }
        }
        Ok(())
    }

    fn check_account(&self) -> Checked {
        let is_region = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if let Some(region) = &self.region
            && (region.is_empty() || !region.chars().all(is_region))
        {
            return Err(format!(
                "region is {region:?}: give one such as \"us-east-1\""
            ));
        }
        if let Some(account) = &self.account
            && (account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(format!("account is {account:?}: give twelve digits"));
        }
        match &self.clients {
            Some(clients) if clients.host.is_empty() => {
                Err("[clients]: host is empty: give the CNAME that they use".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl DescribedVersion {
    fn check(&self) -> Checked {
        let place = place("version", &self.label);
        obeys(&place, check_label(&self.label))?;
        obeys(&place, check_description(&self.description))?;
        obeys(&place, check_length("key", &self.key, 1, 1024))
    }
}

impl DescribedEnvironment {
    fn check(&self) -> Checked {
        let place = place("environment", &self.name);
        obeys(&place, check_environment_name(&self.name))?;
        obeys(&place, check_description(&self.description))?;
        if let Some(prefix) = &self.cname_prefix {
            obeys(&place, check_prefix(prefix))?;
            if self.tier == Tier::Worker {
                return Err(format!(
                    "{place}: a worker has no CNAME: remove cname_prefix"
                ));
            }
        }
        let tags: Vec<_> = self.tags.clone().into_iter().collect();
        obeys(&place, check_tags(&tags, Tagged::Environment))?;
        let settings = self.settings();
        obeys(&place, check_namespaces(&settings))?;
        obeys(&place, check_sizes(&settings))
    }
}

fn check_description(text: &str) -> Result<(), ApiError> {
    check_length("description", text, 0, 200)
}

/// Where something is: the kind of a table and its name.
fn place(kind: &str, name: &str) -> String {
    format!("[[{kind}]] {name:?}")
}

fn twice(what: &str, name: &str) -> String {
    format!("there are two {what} named {name}: remove one, or give it another name")
}

fn at(place: &str, checked: Checked) -> Checked {
    checked.map_err(|error| format!("{place}: {error}"))
}

/// A refusal in the API's words, with its place.
fn obeys(place: &str, checked: Result<(), ApiError>) -> Checked {
    at(place, checked.map_err(|error| error.message))
}

/// Whether S3 accepts the name of a bucket (user guide, "General purpose bucket naming rules").
fn is_bucket_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.chars().all(|c| is_plain(c) || matches!(c, '.' | '-'))
        && name.starts_with(is_plain)
        && name.ends_with(is_plain)
        && !name.contains("..")
}
