//! What the running version answers to the tests, before anything is created.

use super::super::test_hosts::goes_by_cname;
use super::inspector::Inspector;
use crate::acceptance::{AcceptanceTest, Front, On, without_secrets};
use crate::cloud::{Configuration, Probe, Site};

/// A test, by its place in the configuration, and what blue answered to it.
pub(super) type Answered = (usize, Probe);

impl Inspector<'_> {
    /// What blue answers to each test that its running version must pass too; each request is sent
    /// once. A request that may write is not sent to production, and neither is one that is not
    /// known to lead to blue.
    pub(super) async fn answers(&self, configuration: Option<&Configuration>) -> Vec<Answered> {
        let Some(cname) = self.blue.cname.clone() else {
            return Vec::new();
        };
        if self.blue.status != "Ready" {
            return Vec::new();
        }
        let site = Site {
            cname,
            endpoint: self.blue.endpoint.clone(),
            front: configuration.map_or(Front::Http, Configuration::front),
        };
        let tests = self.config.wishes.tests.iter().enumerate();
        let asked: Vec<_> = tests.filter(|(_, test)| is_asked(test)).collect();
        let tests: Vec<_> = asked.iter().map(|(_, test)| *test).collect();
        let answers = self.cloud.answers(&tests, &site).await;
        let places = asked.iter().map(|(at, _)| *at);
        places.zip(answers).collect()
    }

    /// The tests that blue does not pass, and what to do about them; `None` where it passes each
    /// that was sent.
    pub(super) fn unmet(&self, answers: &[Answered]) -> Option<(String, String)> {
        let failed = answers.iter().filter(|(_, probe)| !probe.passed);
        let failed: Vec<_> = failed
            .map(|(at, probe)| (&self.config.wishes.tests[*at], probe))
            .collect();
        if failed.is_empty() {
            return None;
        }
        let name = &self.blue.name;
        let version = self.blue.version_label.as_deref().unwrap_or("no version");
        let told = failed
            .iter()
            .map(|(_, probe)| format!("{} answered {}", probe.asked, probe.got));
        let told: Vec<_> = told.collect();
        let mut remedies = Vec::new();
        for remedy in failed.iter().map(|(test, probe)| remedy(test, probe)) {
            if !remedies.contains(&remedy) {
                remedies.push(remedy);
            }
        }
        Some((
            format!(
                "{name}, which runs {version}, does not pass: {}",
                told.join("; ")
            ),
            format!(
                "{}; to a test that only the version to release can pass, add on = \"release\"",
                remedies.join("; ")
            ),
        ))
    }
}

/// Whether a test is sent to production before a release.
fn is_asked(test: &AcceptanceTest) -> bool {
    test.on == On::Always && test.reads() && goes_by_cname(test)
}

/// What to do where the running version does not pass a test.
fn remedy(test: &AcceptanceTest, probe: &Probe) -> String {
    let path = test.url.split(['?', '#']).next().unwrap_or_default();
    let path = path.strip_prefix("http://{cname}").unwrap_or(path);
    match (probe.status, &probe.led_to) {
        (Some(status @ 300..=399), Some(host))
            if *host != *test.host.as_deref().unwrap_or_default() =>
        {
            format!(
                "name the site that it redirects to, --test \'{{ url = \"{}\", host = \"{host}\" }}\', \
                 or take the redirect, --expect-status {status}",
                without_secrets(path)
            )
        }
        (Some(status @ (300..=399 | 401 | 403)), _) => format!(
            "ask for a page that needs no login, such as --test-url /health, or take the answer, \
             --expect-status {status}"
        ),
        (Some(status @ 400..=499), _) => format!(
            "ask for a page that is there, such as --test-url /health, or take the answer, \
             --expect-status {status}"
        ),
        (Some(500..=599), _) => {
            "see why it fails, or ask for a page that answers, such as --test-url /health"
                .to_owned()
        }
        (Some(_), _) => "see that the test asks what the site answers".to_owned(),
        (None, _) => {
            "make sure that this machine may connect to it, and that the test names the port where \
             it listens, such as --test-url https://{cname}:8443/health"
                .to_owned()
        }
    }
}
