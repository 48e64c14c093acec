//! Whether blue is such that it can be cloned, swapped, deployed to and terminated.

use std::time::Duration;

use super::super::check::{Check, Finding};
use super::super::inspection::Inspection;
use super::super::steps::{steps, together};
use super::inspector::{Found, Inspector};
use crate::cloud::LookError;
use crate::cloud::{Configuration, EnvironmentType, ManagedAction};
use crate::facts::{health_of, is_healthy};
use crate::health::Health;
use crate::listener_rules::{Balancer, Follow, can_follow};
use crate::plan::Strategy;

impl Inspector<'_> {
    /// Green is made in the tier WebServer of type Standard, and no other is known to hold a
    /// CNAME that can be swapped.
    pub(super) fn worker_tier(&self) -> Finding {
        let (name, tier, kind) = (&self.blue.name, &self.blue.tier, &self.blue.tier_type);
        let is_standard = kind.is_empty() || kind == "Standard";
        if tier == "WebServer"
            && is_standard
            && let Some(cname) = &self.blue.cname
        {
            return Check::WorkerTier.passed(format!("{name} serves {cname}"));
        }
        let (evidence, remedy) = match (tier.as_str(), &self.blue.cname) {
            ("Worker", _) => (
                format!("{name} is a worker environment"),
                "bluegreen releases web environments, which have a CNAME to swap: is --blue right?",
            ),
            ("WebServer", None) if is_standard => {
                (format!("{name} has no CNAME"), "there is nothing to swap")
            }
            _ => (
                format!("{name} is of tier {}", [tier.as_str(), kind].join("/")),
                "bluegreen releases to environments of tier WebServer/Standard alone",
            ),
        };
        Check::WorkerTier.refused(evidence, remedy)
    }

    /// Whether blue is well enough to be cloned, with what the service says is wrong with it.
    pub(super) fn blue_healthy(
        &self,
        instances: u32,
        causes: &[String],
        configuration: Option<&Configuration>,
    ) -> Finding {
        let check = Check::BlueHealthy;
        let blue = self.blue;
        let shown = blue.health_status.as_ref().unwrap_or(&blue.health);
        let causes = match causes {
            [] => String::new(),
            causes => format!(" ({})", causes.join("; ")),
        };
        let evidence = format!(
            "{} is {} and its health is {shown}{causes}",
            blue.name, blue.status
        );
        let own = configuration.map_or(Health::Ok, Configuration::success_threshold);
        let accepted = self.config.wishes.healthy.max(own);
        let noun = if instances == 1 {
            "instance"
        } else {
            "instances"
        };
        let evidence_with_instances = format!("{evidence}; it runs {instances} {noun}");
        if is_healthy(blue, Health::Ok) {
            return check.passed(evidence_with_instances);
        }
        if is_healthy(blue, accepted) {
            let by = match own >= self.config.wishes.healthy {
                true => format!("{}'s own HealthCheckSuccessThreshold", blue.name),
                false => "--healthy".to_owned(),
            };
            return check.warned(format!("{evidence_with_instances}; {by} accepts that"));
        }
        if is_healthy(blue, Health::Warning) {
            return check.refused(
                evidence,
                "see what causes it, or accept it: --healthy warning for every release, \
                 --allow blue-healthy for this one",
            );
        }
        let remedy = "it must be Ready and healthy before it is cloned";
        check.refused(evidence, remedy).standing()
    }

    /// How many instances blue runs, and what is wrong with it in the service's words. Bluegreen
    /// does not query a blue that is not Ready, or of unknown health.
    pub(super) async fn instances(&self) -> Result<(u32, Vec<String>), LookError> {
        let blue = self.blue;
        if blue.status != "Ready" || health_of(blue).is_none() {
            return Ok((0, Vec::new()));
        }
        let running = self.cloud.instances(&blue.id, Health::Ok).await?.running;
        let causes = match is_healthy(blue, Health::Ok) {
            true => Vec::new(),
            // They only explain.
            false => self.cloud.health_causes(&blue.id).await.unwrap_or_default(),
        };
        Ok((running, causes))
    }

    /// How many nodes blue's load balancer has. It is not queried where nothing depends on it.
    pub(super) async fn nodes(&self) -> Option<u32> {
        let endpoint = self.blue.endpoint.as_deref()?;
        match self.config.drain_requests {
            Some(_) => None,
            None => self.cloud.nodes(endpoint).await,
        }
    }

    pub(super) fn single_instance(&self, configuration: &Configuration) -> Finding {
        let name = &self.blue.name;
        match configuration.environment_type() {
            EnvironmentType::SingleInstance => Check::SingleInstance.warned(format!(
                "{name} runs a single instance: users are on green during its deploy, but \
                 neither environment has an instance in reserve"
            )),
            EnvironmentType::LoadBalanced => Check::SingleInstance
                .passed(format!("{name} balances the load of several instances")),
        }
    }

    pub(super) fn coupled_database(&self, configuration: &Configuration) -> Finding {
        let name = &self.blue.name;
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

    pub(super) fn deployment_policy(&self, configuration: &Configuration) -> Finding {
        let name = &self.blue.name;
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

    pub(super) async fn platform_branch(&self, configuration: Option<&Configuration>) -> Found {
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

    pub(super) fn managed_update(
        &self,
        action: Option<ManagedAction>,
        inspection: &Inspection,
    ) -> Finding {
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

    pub(super) async fn termination_protection(&self) -> Found {
        let check = Check::TerminationProtection;
        let name = &self.blue.name;
        if self.wanted.strategy != Strategy::Promote {
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
                None => check.unknown(format!("the stack of {name} cannot be read")),
            },
        )
    }

    /// The rules of a shared load balancer; `None` where blue shares none. Tagged ones that may not
    /// be read or say nothing are reported before anything depends on them.
    pub(super) async fn rules(
        &self,
        configuration: &Configuration,
    ) -> Result<Option<Balancer>, LookError> {
        let Some(arn) = configuration.shared_balancer() else {
            return Ok(None);
        };
        let balancer = self.cloud.following_rules(arn).await?;
        can_follow(&balancer.following, &balancer.groups, &self.blue.id)
            .map_err(|unfit| LookError::Refused(unfit.to_string()))?;
        Ok(Some(balancer))
    }

    /// Only somebody else's rules keep leading to blue after a swap.
    pub(super) fn shared_balancer(
        &self,
        configuration: &Configuration,
        balancer: Option<&Balancer>,
    ) -> Finding {
        let check = Check::SharedLoadBalancer;
        let name = &self.blue.name;
        let (Some(arn), Some(balancer)) = (configuration.shared_balancer(), balancer) else {
            return check.passed(format!("{name} shares no load balancer"));
        };
        let foreign: Vec<String> = balancer
            .foreign(&self.blue.id)
            .map(<_>::to_string)
            .collect();
        if !foreign.is_empty() {
            return check.refused(
                format!(
                    "{name} shares the load balancer {arn}, and {} forwards to it and does not \
                     follow a swap",
                    foreign.join("; ")
                ),
                check.about().remedy,
            );
        }
        let follow = balancer.following.iter();
        let follow = follow.filter(|rule| rule.follow == Follow::Production);
        check.passed(match follow.count() {
            0 => format!(
                "{name} shares the load balancer {arn}; only Elastic Beanstalk's own rule forwards \
                 to it, which follows the CNAME"
            ),
            count => format!(
                "{name} shares the load balancer {arn}, and {count} of its rules follow production"
            ),
        })
    }
}

/// In whole minutes, rounded up, at least one.
fn in_minutes(span: Duration) -> String {
    let minutes = span.as_secs().div_ceil(60).max(1);
    humantime::format_duration(Duration::from_secs(minutes * 60)).to_string()
}
