//! A description from what `bluegreen doctor` recorded.

use std::collections::BTreeMap;

use crate::description::{
    Clients, DescribedApplication, DescribedBucket, DescribedEnvironment, DescribedVersion,
    Description,
};
use crate::replay::recording::{Exchange, Recording};
use crate::wire::element::Element;
use crate::wire::form::Form;
use crate::world::environment::{Status, Tier};

impl Description {
    /// What a recording shows of applications, versions, environments and their settings. It
    /// leaves out what was not recorded; a version that an environment runs is there in any case.
    pub(super) fn of_recording(recording: &Recording) -> Description {
        let mut described = Description {
            region: Some(recording.region.clone()),
            ..Description::default()
        };
        let settings = settings(recording);
        for (operation, answer) in answers(recording) {
            for member in members(&answer, &operation) {
                match operation.as_str() {
                    "DescribeApplications" => {
                        described.add_application(member.get("ApplicationName"))
                    }
                    "DescribeApplicationVersions" => described.add_version(member),
                    "DescribeEnvironments" => described.add_environment(member, &settings),
                    _ => {}
                }
            }
        }
        let blue = recording.names.get("blue");
        let blue = described
            .environments
            .iter()
            .find(|e| Some(&e.name) == blue);
        let prefix = blue.and_then(|blue| blue.cname_prefix.clone());
        described.clients = prefix.map(|prefix| Clients {
            host: format!("{prefix}.{}.elasticbeanstalk.com", recording.region),
            count: super::twenty(),
            cache_seconds: super::sixty(),
        });
        if let Some(bucket) = recording.names.get("bucket") {
            described.buckets.push(DescribedBucket {
                name: bucket.clone(),
            });
        }
        described
    }

    fn add_application(&mut self, name: &str) {
        if !name.is_empty() && !self.applications.iter().any(|a| a.name == name) {
            self.applications.push(DescribedApplication {
                name: name.to_owned(),
                description: String::new(),
            });
        }
    }

    fn add_version(&mut self, member: &Element) {
        let (application, label) = (member.get("ApplicationName"), member.get("VersionLabel"));
        let bundle = member.child("SourceBundle");
        let of = |name: &str| bundle.map(|b| b.get(name)).filter(|text| !text.is_empty());
        self.add_described_version(
            application,
            label,
            of("S3Bucket").unwrap_or("bundles"),
            of("S3Key").unwrap_or(label),
        );
    }

    fn add_described_version(&mut self, application: &str, label: &str, bucket: &str, key: &str) {
        let mut versions = self.versions.iter();
        if versions.any(|v| v.application == application && v.label == label) || label.is_empty() {
            return;
        }
        self.add_application(application);
        self.versions.push(DescribedVersion {
            application: application.to_owned(),
            label: label.to_owned(),
            description: String::new(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        });
    }

    fn add_environment(
        &mut self,
        member: &Element,
        settings: &BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>,
    ) {
        let name = member.get("EnvironmentName");
        let is_gone = member.get("Status") == format!("{:?}", Status::Terminated);
        if is_gone || name.is_empty() || self.environments.iter().any(|e| e.name == name) {
            return;
        }
        let (application, label) = (member.get("ApplicationName"), member.get("VersionLabel"));
        self.add_described_version(application, label, "bundles", label);
        let tier = match member.child("Tier").map(|tier| tier.get("Name")) {
            Some("Worker") => Tier::Worker,
            _ => Tier::WebServer,
        };
        let prefix = member
            .get("CNAME")
            .split_once('.')
            .map(|(prefix, _)| prefix);
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        self.environments.push(DescribedEnvironment {
            application: application.to_owned(),
            name: name.to_owned(),
            version: label.to_owned(),
            description: String::new(),
            tier,
            cname_prefix: prefix.and_then(some),
            solution_stack: some(member.get("SolutionStackName")),
            instances: None,
            tags: BTreeMap::new(),
            settings: settings.get(name).cloned().unwrap_or_default(),
        });
    }
}

/// The answers to successful requests of the Query API, by their operations.
fn answers(recording: &Recording) -> impl Iterator<Item = (String, Element)> {
    recording.exchanges.iter().filter_map(|exchange| {
        let answer = exchange
            .answer
            .as_deref()
            .filter(|_| exchange.status == Some(200))?;
        Some((operation(exchange)?, Element::parse(answer)?))
    })
}

fn operation(exchange: &Exchange) -> Option<String> {
    let form = Form::parse(exchange.body.as_deref()?.as_bytes());
    Some(form.operation().to_owned()).filter(|operation| !operation.is_empty())
}

/// The members of the one list that a describing operation's answer is about.
fn members<'a>(answer: &'a Element, operation: &str) -> &'a [Element] {
    let list = match operation {
        "DescribeApplications" => "Applications",
        "DescribeApplicationVersions" => "ApplicationVersions",
        "DescribeEnvironments" => "Environments",
        "DescribeConfigurationSettings" => "ConfigurationSettings",
        _ => return &[],
    };
    let result = answer.child(&format!("{operation}Result"));
    let list = result.and_then(|result| result.child(list));
    list.map_or(&[], |list| &list.children)
}

/// The deployed settings of each environment whose settings were read, by namespace and name.
fn settings(recording: &Recording) -> BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>> {
    let mut found = BTreeMap::<String, BTreeMap<String, BTreeMap<String, String>>>::new();
    for (operation, answer) in answers(recording) {
        if operation != "DescribeConfigurationSettings" {
            continue;
        }
        for set in members(&answer, &operation) {
            let environment = set.get("EnvironmentName");
            if environment.is_empty() || set.get("DeploymentStatus") == "pending" {
                continue;
            }
            let of = found.entry(environment.to_owned()).or_default();
            let options = set.child("OptionSettings");
            for option in options.map_or(&[][..], |options| &options.children) {
                let value = option.get("Value");
                if !value.is_empty() {
                    let namespace = of.entry(option.get("Namespace").to_owned()).or_default();
                    namespace.insert(option.get("OptionName").to_owned(), value.to_owned());
                }
            }
        }
    }
    found
}
