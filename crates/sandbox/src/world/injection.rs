//! Injects faults, and decides which of them strikes a request.

use crate::world::World;
use crate::world::fault::{Fault, FaultEffect, LaunchFault};
use crate::world::limits::{BATCHES_MAX, FAILURES_MAX};
use crate::world::quirks::{Elsewhere, Quirks};
use crate::world::setting::Setting;

impl World {
    /// Injects a fault. Faults of the wire strike requests from now on; those of the world hold at
    /// once. A number beyond its limit counts as much as the limit allows, or forever.
    pub fn inject(&mut self, fault: impl Into<Fault>) {
        let fault = fault.into();
        match &fault.effect {
            FaultEffect::StaleReads { seconds } => {
                self.quirks.stale_seconds = *seconds;
                self.history = vec![(0, self.view.clone())];
            }
            FaultEffect::VersionFailsToDeploy { label } => {
                self.quirks.failing_versions.push(label.clone());
            }
            FaultEffect::VersionFailsToProcess { label } => {
                self.quirks.unprocessable.push(label.clone());
            }
            FaultEffect::SlowDeploy {
                label,
                seconds,
                batches,
            } => {
                let slow = (*seconds, (*batches).min(BATCHES_MAX));
                self.quirks.slow_deploys.insert(label.clone(), slow);
            }
            FaultEffect::UpdateSays {
                label,
                severity,
                message,
            } => {
                let said = self.quirks.updates_say.entry(label.clone()).or_default();
                said.push((severity.clone(), message.clone()));
            }
            FaultEffect::UpdateEndsWith {
                label,
                severity,
                message,
            } => {
                let ending = (severity.clone(), message.clone());
                self.quirks.update_endings.insert(label.clone(), ending);
            }
            FaultEffect::UpdateHangs { label } => {
                self.quirks.hanging_updates.push(label.clone());
            }
            FaultEffect::InstanceMisses { label } => {
                self.quirks.missing_instances.push(label.clone());
            }
            FaultEffect::SlowToAnswer { label, seconds } => {
                self.quirks.slow_to_answer.insert(label.clone(), *seconds);
            }
            FaultEffect::BalancerLags {
                environment,
                seconds,
            } => {
                let lags = &mut self.quirks.balancers_lag;
                lags.insert(environment.clone(), *seconds);
            }
            FaultEffect::VersionAnswers { label, status } => {
                self.quirks.answers.insert(label.clone(), *status);
            }
            FaultEffect::VersionRedirects { label } => {
                self.quirks.redirecting.push(label.clone());
            }
            FaultEffect::EnvironmentAnswers {
                environment,
                status,
            } => {
                self.quirks
                    .answers_there
                    .insert(environment.clone(), *status);
            }
            FaultEffect::VersionErrs { label, percent } => {
                self.quirks.errors.insert(label.clone(), *percent);
            }
            FaultEffect::VersionTakes {
                label,
                milliseconds,
            } => {
                self.quirks.latencies.insert(label.clone(), *milliseconds);
            }
            FaultEffect::VersionSays { label, body } => {
                self.quirks.bodies.insert(label.clone(), body.clone());
            }
            FaultEffect::VersionSets {
                label,
                namespace,
                option,
                value,
            } => {
                let setting = Setting::new(namespace, option, value);
                self.set_by_bundle(label, setting);
            }
            FaultEffect::GroupAdmits { group, environment } => self.admit(group, environment),
            FaultEffect::TemplatesKeepGroups => self.quirks.templates_keep_groups = true,
            FaultEffect::MadeLongAgo { environment } => self.made_long_ago(environment),
            FaultEffect::LaunchTurnsRed { environment } => {
                let fault = (environment.clone(), LaunchFault::Errors);
                self.quirks.launch_faults.push(fault);
            }
            FaultEffect::LaunchFails { environment, how } => {
                self.quirks.launch_faults.push((environment.clone(), *how));
            }
            FaultEffect::RetiredOption { namespace, name } => {
                let option = (namespace.clone(), name.clone());
                self.quirks.retired_options.push(option);
            }
            FaultEffect::NoLaunchConfigurations => self.quirks.no_launch_configurations = true,
            FaultEffect::EnvironmentHealth {
                environment,
                status,
                seconds,
                cause,
            } => {
                let cause = cause.clone().unwrap_or_else(|| {
                    "12.5 % of the requests are failing with HTTP 4xx.".to_owned()
                });
                self.ail(environment, status, *seconds, cause);
            }
            FaultEffect::CoupledDatabase { environment } => self.couple_database(environment),
            FaultEffect::SingleInstance { environment } => self.single_out(environment),
            FaultEffect::SharedBalancer { environment } => self.share_load_balancer(environment),
            FaultEffect::CustomPlatform { environment } => self.customise_platform(environment),
            FaultEffect::ProtectedStack { environment } => self.protect(environment),
            FaultEffect::ManagedActionDue {
                environment,
                seconds,
            } => self.schedule_update(environment, *seconds),
            FaultEffect::PlatformBranch { state } => {
                self.quirks.branch_state = Some(state.clone());
            }
            FaultEffect::Quota { of, maximum } => {
                self.quirks.quotas.insert(*of, *maximum);
            }
            FaultEffect::CnameTaken { prefix } => {
                self.quirks.taken_prefixes.push(prefix.to_lowercase());
            }
            FaultEffect::ForeignEnvironment { name } => self.seed_foreign(name),
            FaultEffect::BusySite {
                clients,
                per_second,
            } => self.traffic.grow(*clients, *per_second, self.now),
            FaultEffect::LongCaches { seconds, percent } => {
                self.traffic.keep_answers(*seconds, *percent);
            }
            FaultEffect::DnsRecord { name, value } => {
                let name = name.trim_end_matches('.').to_ascii_lowercase();
                let value = value.trim_end_matches('.').to_ascii_lowercase();
                self.quirks.dns.push(Elsewhere { name, value });
            }
            FaultEffect::DnsFails => self.quirks.dns_fails = true,
            FaultEffect::IdleShrinks => self.quirks.idle_shrinks = true,
            FaultEffect::ConditionsIgnored => self.quirks.conditions_ignored = true,
            FaultEffect::RulesStay => self.quirks.rules_stay = true,
            FaultEffect::TagsNeedNoRight => self.quirks.tags_need_no_right = true,
            FaultEffect::BundlesReadBy { reader } => self.quirks.bundle_reader = Some(*reader),
            FaultEffect::SwapFailsOnce => {
                self.quirks.failing_swaps = self.quirks.failing_swaps.saturating_add(1);
            }
            FaultEffect::TerminateFailsOnce { environment } => {
                self.quirks.stuck_terminations.push(environment.clone());
            }
            FaultEffect::TerminateFails {
                environment,
                failures,
                lingers,
            } => {
                let names = match lingers {
                    true => &mut self.quirks.lingering_terminations,
                    false => &mut self.quirks.stuck_terminations,
                };
                let failures = (*failures).min(FAILURES_MAX);
                names.extend((0..failures).map(|_| environment.clone()));
            }
            FaultEffect::AnotherFails {
                environment,
                message,
            } => {
                let failures = &mut self.quirks.failures_of_others;
                failures.insert(environment.clone(), message.clone());
            }
            FaultEffect::TerminatesWhileLaunching => {
                self.quirks.terminates_while_launching = true;
            }
            FaultEffect::PendingForGood { environment } => {
                self.quirks.pending_for_good.push(environment.clone());
            }
            FaultEffect::Throttle
            | FaultEffect::Refuse { .. }
            | FaultEffect::DropAnswer
            | FaultEffect::DropRequest
            | FaultEffect::Late { .. }
            | FaultEffect::ForeignAnswer { .. }
            | FaultEffect::SlowAnswer { .. }
            | FaultEffect::ExpiredCredentials
            | FaultEffect::ClockSkewed => self.faults.push(fault),
        }
    }

    /// Ends every fault of the wire and of the world.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
        self.quirks = Quirks::default();
        self.traffic.heed_answers();
        self.history.clear();
    }

    /// The active faults of the wire.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Whether no fault counts the requests that it strikes or spares.
    pub(crate) fn is_quiet(&self) -> bool {
        self.faults.is_empty() && self.quirks.stale_seconds == 0
    }

    /// The fault that strikes this request, if any; `key` is the object's, of S3.
    pub(crate) fn struck(&mut self, operation: &str, key: &str) -> Option<FaultEffect> {
        for at in 0..self.faults.len() {
            let chance = self.random() as f64 / u64::MAX as f64;
            let fault = &mut self.faults[at];
            if fault.operation.as_ref().is_some_and(|o| o != operation)
                || fault
                    .key
                    .as_ref()
                    .is_some_and(|k| !key.contains(k.as_str()))
                || fault.times == Some(0)
                || fault.probability.is_some_and(|p| chance >= p)
            {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if let Some(times) = &mut fault.times {
                *times -= 1;
            }
            let effect = fault.effect.clone();
            *self.strikes.entry(effect.name()).or_default() += 1;
            return Some(effect);
        }
        None
    }
}
