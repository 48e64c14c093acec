//! Saved configurations: the file that the service keeps of a configuration template.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::world::environment::Tier;
use crate::world::view::Template;

impl Template {
    /// The key of its file in the storage bucket (EB CLI, `ebcli/operations/saved_configs.py`).
    pub(crate) fn saved_at(&self) -> String {
        format!("resources/templates/{}/{}", self.application, self.name)
    }

    /// Its file (developer guide, "Saved configurations", "Saved configuration format"), with the
    /// ARN of its platform and its tags.
    pub(crate) fn saved(&self, platform: &str, tags: &[(String, String)]) -> String {
        let updated = self.created.max(self.updated);
        let mut lines = Lines::default();
        lines.section("EnvironmentConfigurationMetadata");
        if !self.description.is_empty() {
            lines.field(1, "Description", &self.description);
        }
        lines.field(1, "DateCreated", &self.created.to_string());
        lines.field(1, "DateModified", &updated.to_string());
        lines.section("Platform");
        lines.field(1, "PlatformArn", platform);
        lines.options(self);
        lines.tier(self.tier);
        lines.field(0, "AWSConfigurationTemplateVersion", "1.1.0.0");
        if !tags.is_empty() {
            lines.section("Tags");
        }
        for (key, value) in tags {
            lines.field(1, key, value);
        }
        lines.0
    }
}

/// YAML, line by line. Keys and values are JSON strings, which are YAML (YAML 1.2, chapter 1.3).
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn section(&mut self, name: &str) {
        self.0.push_str(&format!("{name}:\n"));
    }

    fn field(&mut self, depth: usize, name: &str, value: &str) {
        let (indent, name) = ("  ".repeat(depth), key(name));
        let value = Value::from(value);
        self.0.push_str(&format!("{indent}{name}: {value}\n"));
    }

    fn options(&mut self, template: &Template) {
        let mut by_namespace: BTreeMap<String, Vec<(&str, &str)>> = BTreeMap::new();
        for setting in &template.settings {
            // A resource stands before its namespace.
            let namespace = match &setting.resource {
                Some(resource) => format!("{resource}.{}", setting.namespace),
                None => setting.namespace.clone(),
            };
            let options = by_namespace.entry(namespace).or_default();
            options.push((&setting.name, &setting.value));
        }
        match by_namespace.is_empty() {
            true => self.0.push_str("OptionSettings: {}\n"),
            false => self.section("OptionSettings"),
        }
        for (namespace, options) in by_namespace {
            self.0.push_str(&format!("  {}:\n", key(&namespace)));
            for (name, value) in options {
                self.field(2, name, value);
            }
        }
    }

    fn tier(&mut self, tier: Tier) {
        let (name, kind) = match tier {
            Tier::WebServer => ("WebServer", "Standard"),
            Tier::Worker => ("Worker", "SQS/HTTP"),
            Tier::Cluster => ("Cluster", "EKS"),
        };
        self.section("EnvironmentTier");
        self.field(1, "Type", kind);
        self.field(1, "Name", name);
    }
}

/// A key: plain where nothing in it means anything to YAML.
fn key(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '_');
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
    match starts && !name.ends_with(':') && name.chars().all(is_plain) {
        true => name.to_owned(),
        false => Value::from(name).to_string(),
    }
}
