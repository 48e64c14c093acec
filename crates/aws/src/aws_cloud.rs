//! What a poll reads with the clients, and what an effect requests.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_elasticbeanstalk as eb;
use aws_sdk_elasticbeanstalk::config::retry::{ClassifyRetry, RetryAction, RetryConfig};
use aws_sdk_elasticbeanstalk::operation::RequestId;
use aws_sdk_elasticbeanstalk::types::{
    ConfigurationOptionSetting, EnvironmentTier, OptionSpecification, S3Location, Tag,
};

use crate::alarms::{self, Alarm};
use crate::clients::{AwsCloud, DESCRIPTION};
use crate::cloud::{Cloud, LogTail, LookError, Outcome};
use crate::configuration::{self, settings_by_name};
use crate::failure::{outcome, outcome_of};
use crate::join::all;
use crate::origin::is_foreign;
use crate::time::SendBy;
use crate::traffic::Counted;
use bluegreen_clock::{Deadline, Moment};
use bluegreen_core::acceptance::AcceptanceTest;
use bluegreen_core::command::{Ran, Run};
use bluegreen_core::facts::{
    Alarms, Environment, Event, Needs, Probe, Retried, Sighting, Site, Watched, is_healthy,
};
use bluegreen_core::fidelity::{Marked, differences, every_difference};
use bluegreen_core::followers::listener_rules::Balancer;
use bluegreen_core::followers::preview::Record;
use bluegreen_core::heap::on_heap;
use bluegreen_core::machine::{Effect, EffectKind};
use bluegreen_core::plan::{Goal, Plan, REQUEST_TIMEOUT, Role, Sizes, Which};

impl Cloud for AwsCloud {
    async fn look(&self, plan: &Plan, needs: &Needs) -> Result<Sighting, LookError> {
        let names = [plan.target.blue.clone(), plan.green.clone()];
        let environments = self.environments(&names).await?;
        let mut sighting = Sighting {
            environments,
            ..Sighting::default()
        };
        if let Some(green) = sighting.environment(&plan.green) {
            sighting.green_is_ours = needs.green_id.as_ref() == Some(&green.id)
                || self.carries_deployment_tag(&green.arn, &plan.id).await?;
        }
        if sighting.production(plan).is_none() {
            // Messages name the holder if AWS can be read; no decision depends on it.
            let all = self.all_environments().await.unwrap_or_default();
            let holder = all.into_iter().find(|e| e.holds(&plan.production_cname));
            sighting.production_elsewhere = holder.map(|holder| holder.name);
        }
        // While green is there it is not deleted, unless green is to stay.
        let blue_is_gone = sighting.of(plan, Role::Blue).is_none();
        let green_is_gone = !sighting.green_is_ours;
        if needs.template && (green_is_gone || blue_is_gone) {
            let application = self.application(&plan.target.application).await?;
            sighting.template =
                Some(application.is_some_and(|found| found.templates.contains(&plan.template)));
        }
        if needs.version {
            let version = self
                .version(&plan.target.application, &plan.version)
                .await?;
            if let (true, None, Some(bundle)) = (needs.bundle, &version, &plan.bundle) {
                sighting.bundle = Some(self.object_exists(&plan.bucket, &bundle.key).await?);
            }
            sighting.version = Some(version);
        }
        // At the same time: an answer that does not come holds up nothing else.
        let site = needs
            .test
            .and_then(|(role, goal)| Some((goal, sighting.site(plan, role)?)));
        let (closer, alarms, probes) = tokio::join!(
            on_heap(|| self.look_closer(plan, needs, &mut sighting)),
            self.alarms_of(plan, needs),
            self.test(plan, site, needs.within),
        );
        closer.map_err(gone_meanwhile)?;
        (sighting.alarms, sighting.probes) = (alarms, probes);
        Ok(sighting)
    }

    async fn watch(
        &self,
        plan: &Plan,
        needs: &Needs,
        production: &Environment,
        site: Option<&Site>,
    ) -> Watched {
        let site = needs.test.zip(site);
        let site = site.map(|((_, goal), site)| (goal, site.clone()));
        // A slow service does not hold up what production itself answers.
        let within = needs.within.unwrap_or(REQUEST_TIMEOUT);
        let (alarms, probes, health) = tokio::join!(
            self.alarms_of(plan, needs),
            self.test(plan, site, needs.within),
            tokio::time::timeout(within, self.vitals_among_others(production))
        );
        Watched {
            alarms,
            probes,
            health: health.ok().and_then(Result::ok),
        }
    }

    async fn request_tails(&self, environment_id: &str) -> Result<(), LookError> {
        AwsCloud::request_tails(self, environment_id).await
    }

    async fn collected_tail(
        &self,
        environment_id: &str,
        since: Moment,
    ) -> Result<Option<LogTail>, LookError> {
        AwsCloud::collected_tail(self, environment_id, since).await
    }

    async fn ask(&self, plan: &Plan, effect: &Effect, send_by: &Deadline) -> Outcome {
        if let Some(limits) = &self.limits {
            limits.change();
        }
        match effect {
            Effect::UploadBundle => self.upload_bundle(plan).await,
            Effect::RegisterVersion => self.register_version(plan, send_by).await,
            Effect::CreateTemplate => self.create_template(plan, send_by).await,
            Effect::CreateGreen => self.create_green(plan, send_by).await,
            Effect::Swap {
                blue_id, green_id, ..
            } => {
                let answer = self
                    .eb
                    .swap_environment_cnames()
                    .source_environment_id(blue_id)
                    .destination_environment_id(green_id)
                    .customize()
                    .config_override(bounded(send_by).retry_config(RetryConfig::disabled()))
                    .send()
                    .await;
                outcome(EffectKind::Swap, answer, |done| {
                    done.request_id().map(str::to_owned)
                })
            }
            Effect::Deploy {
                environment_id,
                version_label,
            } => {
                let answer = self
                    .eb
                    .update_environment()
                    .environment_id(environment_id)
                    .version_label(version_label)
                    .customize()
                    .config_override(retry_refusals_only(send_by))
                    .send()
                    .await;
                outcome(EffectKind::Deploy, answer, |done| {
                    done.request_id().map(str::to_owned)
                })
            }
            Effect::Resize {
                environment_id,
                sizes,
                sets,
                removes,
                ..
            } => {
                let request = self
                    .eb
                    .update_environment()
                    .environment_id(environment_id)
                    .set_option_settings(some(size_settings(*sizes, *sets)))
                    .set_options_to_remove(some(size_options(*removes)))
                    .customize()
                    .config_override(retry_refusals_only(send_by));
                outcome(EffectKind::Resize, request.send().await, |done| {
                    done.request_id().map(str::to_owned)
                })
            }
            Effect::AbortUpdate { environment_id } => {
                let request = self
                    .eb
                    .abort_environment_update()
                    .environment_id(environment_id)
                    .customize()
                    .config_override(bounded(send_by));
                outcome(EffectKind::AbortUpdate, request.send().await, |_| None)
            }
            Effect::TerminateGreen { environment_id }
            | Effect::TerminateBlue { environment_id } => {
                let request = self
                    .eb
                    .terminate_environment()
                    .environment_id(environment_id)
                    .customize()
                    .config_override(bounded(send_by));
                outcome(effect.kind(), request.send().await, |done| {
                    done.request_id().map(str::to_owned)
                })
            }
            Effect::DeleteTemplate => {
                let application = &plan.target.application;
                self.delete_template(application, &plan.template, send_by)
                    .await
            }
            Effect::MoveRules { moves, .. } => self.move_rules(moves, send_by).await,
            Effect::MoveRecords { moves, .. } => self.move_records(plan, moves, send_by).await,
        }
    }

    async fn record(&self, zone_id: &str, host: &str) -> Result<Record, LookError> {
        self.hosted_zone(zone_id).record(host).await
    }

    async fn shared_balancer(
        &self,
        application: &str,
        environment_name: &str,
    ) -> Result<Option<String>, LookError> {
        let configuration = self.configuration(application, environment_name).await?;
        let balancer = configuration.shared_balancer();
        Ok(balancer.filter(|arn| !arn.is_empty()).map(str::to_owned))
    }

    async fn rules(&self, balancer: &str) -> Result<Balancer, LookError> {
        self.following_rules(balancer).await
    }

    async fn run_test(&self, run: &Run) -> Ran {
        self.prober.run(run).await
    }

    fn retries(&self) -> Vec<Retried> {
        self.repeated.take()
    }
}

impl AwsCloud {
    /// Reads what the state needs to know of the environments themselves.
    async fn look_closer(
        &self,
        plan: &Plan,
        needs: &Needs,
        sighting: &mut Sighting,
    ) -> Result<(), LookError> {
        let blue_is_gone = sighting.of(plan, Role::Blue).is_none();
        let green_is_gone = !sighting.green_is_ours;
        let [blue, green] = [Role::Blue, Role::Green].map(|role| {
            let found = sighting.of(plan, role).cloned();
            found.filter(|environment| environment.status == "Ready")
        });
        let ready = |role| match role {
            Role::Blue => blue.as_ref(),
            Role::Green => green.as_ref(),
        };
        if let Some((role, query)) = &needs.deploy
            && let Some(target) = sighting.of(plan, *role).cloned()
            && (*role == Role::Blue || sighting.green_is_ours)
        {
            // Also of an update that goes on: its events tell whether it does.
            if !(needs.spares_events && target.status == "Updating") {
                sighting.events = self.events_of(&target.id, query).await?;
            }
            if ready(*role).is_some() || needs.reasons {
                sighting.instances = self.instance_versions(&target.id).await?;
            }
        }
        if needs.reasons {
            sighting.causes = self.causes(plan, sighting).await;
        }
        if let (Some((to, query)), Some(blue), Some(_)) = (&needs.swap, &blue, &green)
            && sighting.production(plan) != Some(*to)
        {
            sighting.swap_events = self.events_of(&blue.id, query).await?;
        }
        // Green may be gone by now: its id outlives it.
        let our_green = sighting.of(plan, Role::Green);
        let our_green = our_green.filter(|_| sighting.green_is_ours);
        let launches = our_green.is_some_and(|green| green.status == "Launching");
        let terminates = our_green.is_some_and(|green| green.status == "Terminating");
        let our_green = our_green.map(|green| green.id.clone());
        if let Some(query) = &needs.launch
            && !(needs.spares_events && (launches || needs.awaits_more))
            && let Some(id) = our_green.clone().or_else(|| needs.green_id.clone())
        {
            let is_there = our_green.is_some();
            sighting.launch_events = told(is_there, self.events_of(&id, query).await)?;
        }
        let to_go = needs.termination.as_ref();
        let to_go = to_go.and_then(|(role, query)| match role {
            Role::Blue => (!blue_is_gone).then(|| (plan.blue_id.clone(), query)),
            Role::Green if needs.spares_events && terminates => None,
            Role::Green => our_green.map(|id| (id, query)),
        });
        if let Some((id, query)) = to_go {
            sighting.termination_events = told(true, self.events_of(&id, query).await)?;
        }
        for (role, query) in &needs.updates {
            let ours = *role == Role::Blue || sighting.green_is_ours;
            let found = sighting.of(plan, *role).filter(|_| ours);
            let is_busy = |found: &&Environment| {
                !matches!(found.status.as_str(), "Ready" | "Launching" | "Terminating")
            };
            if let Some(id) = found.filter(is_busy).map(|found| found.id.clone()) {
                let events = told(true, self.events_of(&id, query).await)?;
                sighting.updates.push((*role, events));
            }
        }
        let application = &plan.target.application;
        if let Some(role) = needs.capacity
            && let (Some(target), Some(serving)) = (ready(role), ready(role.other()))
            && is_healthy(target, plan.wishes.healthy)
        {
            let configuration = self.configuration(application, &target.name).await?;
            sighting.sizes = configuration.sizes().map(|sizes| (role, sizes));
            if needs.marks {
                sighting.marked.push((role, configuration.marked()));
            }
            sighting.counts = vec![
                (role, self.instances(&target.id, plan.wishes.healthy).await?),
                (
                    role.other(),
                    self.instances(&serving.id, plan.wishes.healthy).await?,
                ),
            ];
        }
        if let Some(role) = needs.keeper
            && let Some(keeper) = ready(role)
            && match role {
                Role::Blue => green_is_gone,
                Role::Green => blue_is_gone,
            }
        {
            let configuration = self.configuration(application, &keeper.name).await?;
            sighting.sizes = configuration.sizes().map(|sizes| (role, sizes));
            if let Some(query) = &needs.put_back {
                sighting.put_back_events = self.events_of(&keeper.id, query).await?;
            }
        }
        if needs.template_settings && sighting.template != Some(false) {
            let read = self.template(application, &plan.template).await?;
            sighting.template_settings = read.map(settings_by_name);
        }
        if let Some(serving) = sighting.production(plan) {
            if needs.production_traffic {
                let counted = self.traffic_of(sighting, plan, serving).await?;
                sighting.production_traffic = counted.and_then(Counted::told);
            }
            if needs.idle_traffic {
                match self.traffic_of(sighting, plan, serving.other()).await? {
                    Some(Counted::Told(traffic)) => sighting.idle_traffic = Some(traffic),
                    // Whoever has told requests is waited for: they may still come.
                    Some(Counted::Silent(why)) if needs.waits_for_counts => {
                        return Err(LookError::Passing(why));
                    }
                    Some(Counted::Nobody(why) | Counted::Unread(why) | Counted::Silent(why)) => {
                        sighting.uncounted = Some(why);
                    }
                    None => {}
                }
            }
        }
        if needs.likeness
            && let (Some(blue), Some(green)) = (&blue, &green)
            && sighting.green_is_ours
            && is_healthy(green, plan.wishes.healthy)
        {
            let (blue, green) = (self.traits(blue).await?, self.traits(green).await?);
            sighting.differences = Some(differences(plan, &blue, &green));
            let recorder = self.lazy_clients.recorder();
            recorder.compared("green", || every_difference(plan, &blue, &green));
            sighting.marked = [(Role::Blue, blue), (Role::Green, green)]
                .map(|(role, traits)| (role, Marked::of(&traits.platform, &traits.settings)))
                .into();
        } else if needs.marks
            && let (Some(blue), Some(green)) = (&blue, &green)
            && sighting.green_is_ours
        {
            for (role, of) in [(Role::Blue, blue), (Role::Green, green)] {
                if sighting.marked.iter().any(|(read, _)| *read == role) {
                    continue;
                }
                let read = self.configuration(application, &of.name).await?;
                sighting.marked.push((role, read.marked()));
            }
        }
        Ok(())
    }

    /// The causes that AWS names for environments that are not healthy. Messages quote them, and
    /// no decision depends on them, so this omits what it cannot read.
    async fn causes(&self, plan: &Plan, sighting: &Sighting) -> Vec<(Role, Vec<String>)> {
        let mut all = Vec::new();
        for role in [Role::Blue, Role::Green] {
            let ours = role == Role::Blue || sighting.green_is_ours;
            let found = sighting.of(plan, role).filter(|_| ours);
            if let Some(found) = found.filter(|found| !is_healthy(found, plan.wishes.healthy))
                && let Ok(causes) = self.health_causes(&found.id).await
                && !causes.is_empty()
            {
                all.push((role, causes));
            }
        }
        all
    }

    /// Sends an environment its tests, all at once.
    async fn test(
        &self,
        plan: &Plan,
        site: Option<(Goal, Site)>,
        within: Option<Duration>,
    ) -> Vec<Probe> {
        let Some((goal, site)) = site else {
            return Vec::new();
        };
        let tests = plan.tests_towards(goal).into_iter();
        let mut tests: Vec<_> = tests.cloned().collect();
        for test in &mut tests {
            test.timeout = test.timeout.min(within.unwrap_or(Duration::MAX));
        }
        let answers = all(tests.iter().map(|test| self.prober.probe(test, &site))).await;
        for (test, probe) in tests.iter().zip(&answers) {
            self.lazy_clients.recorder().site(&site, test, probe);
        }
        answers
    }

    /// What an environment answers to these tests, each sent once and all at the same time.
    pub async fn answers(&self, tests: &[&AcceptanceTest], site: &Site) -> Vec<Probe> {
        let answers = all(tests.iter().map(|test| self.prober.probe(test, site))).await;
        for (test, probe) in tests.iter().zip(&answers) {
            self.lazy_clients.recorder().site(site, test, probe);
        }
        answers
    }

    /// The states of production's alarms. A poll does not fail where they cannot be read: every
    /// other sign is judged all the same.
    async fn alarms_of(&self, plan: &Plan, needs: &Needs) -> Alarms {
        if !needs.alarms {
            return Alarms::Unasked;
        }
        let within = needs.within.unwrap_or(REQUEST_TIMEOUT);
        let read = tokio::time::timeout(within, self.alarms_found(&plan.wishes.alarms)).await;
        match read {
            Err(_) => Alarms::Unread(format!(
                "CloudWatch does not answer within {}",
                humantime::format_duration(within)
            )),
            Ok(Err(error)) => Alarms::Unread(error.to_string()),
            Ok(Ok(found)) => match found.iter().find_map(Alarm::ringing) {
                Some(ringing) => Alarms::Ringing(ringing),
                None => alarms::missing(&plan.wishes.alarms, &found)
                    .map_or(Alarms::Quiet, Alarms::Unread),
            },
        }
    }
}

/// Between two requests an environment may disappear, or not yet be known everywhere. AWS then
/// refuses the second request, and the next poll shows which of the two it was.
fn gone_meanwhile(error: LookError) -> LookError {
    match error {
        LookError::Refused(why) => LookError::Passing(why),
        other => other,
    }
}

/// The events of an environment that may be gone: then the service may refuse the request, and deny
/// the right to send it.
fn told(is_there: bool, events: Result<Vec<Event>, LookError>) -> Result<Vec<Event>, LookError> {
    match events {
        Err(LookError::Refused(_)) => Ok(Vec::new()),
        Err(LookError::Denied(_)) if !is_there => Ok(Vec::new()),
        events => events,
    }
}

impl AwsCloud {
    async fn register_version(&self, plan: &Plan, send_by: &Deadline) -> Outcome {
        let key = plan.bundle.as_ref().map(|bundle| bundle.key.as_str());
        let bundle = S3Location::builder()
            .s3_bucket(&plan.bucket)
            .set_s3_key(key.map(str::to_owned))
            .build();
        let answer = self
            .eb
            .create_application_version()
            .application_name(&plan.target.application)
            .version_label(&plan.version)
            .description(format!("{DESCRIPTION}{}", plan.id))
            .source_bundle(bundle)
            .process(true)
            .customize()
            .config_override(bounded(send_by))
            .send()
            .await;
        outcome(EffectKind::RegisterVersion, answer, |_| None)
    }

    /// Deletes a configuration template; no environment depends on it.
    pub async fn delete_template(
        &self,
        application: &str,
        template: &str,
        send_by: &Deadline,
    ) -> Outcome {
        let request = self
            .eb
            .delete_configuration_template()
            .application_name(application)
            .template_name(template)
            .customize()
            .config_override(bounded(send_by));
        outcome(EffectKind::DeleteTemplate, request.send().await, |_| None)
    }

    async fn create_template(&self, plan: &Plan, send_by: &Deadline) -> Outcome {
        let answer = self
            .eb
            .create_configuration_template()
            .application_name(&plan.target.application)
            .template_name(&plan.template)
            .environment_id(&plan.blue_id)
            .description(format!("{DESCRIPTION}{}", plan.id))
            .customize()
            .config_override(retry_refusals_only(send_by))
            .send()
            .await;
        outcome(EffectKind::CreateTemplate, answer, |_| None)
    }

    async fn create_green(&self, plan: &Plan, send_by: &Deadline) -> Outcome {
        let tags = plan
            .green_tags
            .iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build())
            .collect();
        let sizes = plan.sizes.zip(plan.green_sizes());
        let mut settings = sizes.map_or(Vec::new(), |(own, wanted)| {
            size_settings(wanted, Which::differing(wanted, own))
        });
        let mut removed = Vec::new();
        let sets = plan.template_sets.as_ref();
        match sets.and_then(|sets| sets.groups.as_deref()) {
            None => {}
            Some([]) => removed.push(specification(configuration::LAUNCH, configuration::GROUPS)),
            Some(groups) => settings.push(setting(
                configuration::LAUNCH,
                configuration::GROUPS,
                groups.join(","),
            )),
        }
        let answer = self
            .eb
            .create_environment()
            .application_name(&plan.target.application)
            .environment_name(&plan.green)
            .template_name(&plan.template)
            .tier(web_server())
            .version_label(plan.green_version())
            .description(format!("{DESCRIPTION}{}", plan.id))
            .set_tags(Some(tags))
            .set_operations_role(plan.operations_role.clone())
            .set_option_settings(some(settings))
            .set_options_to_remove(some(removed))
            .customize()
            .config_override(retry_refusals_only(send_by))
            .send()
            .await;
        match outcome_of(EffectKind::CreateGreen, answer) {
            Ok(made) => Outcome::Applied {
                request_id: made.request_id().map(str::to_owned),
                environment_id: made.environment_id,
            },
            Err(outcome) => outcome,
        }
    }
}

/// The only tier with a CNAME; preflight lets no other pass.
fn web_server() -> EnvironmentTier {
    EnvironmentTier::builder()
        .name("WebServer")
        .r#type("Standard")
        .build()
}

/// A list, or `None` where it is empty.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn setting(namespace: &str, name: &str, value: impl ToString) -> ConfigurationOptionSetting {
    ConfigurationOptionSetting::builder()
        .namespace(namespace)
        .option_name(name)
        .value(value.to_string())
        .build()
}

fn specification(namespace: &str, name: &str) -> OptionSpecification {
    OptionSpecification::builder()
        .namespace(namespace)
        .option_name(name)
        .build()
}

/// The option settings that set the sizes of an environment's group.
fn size_settings(sizes: Sizes, sets: Which) -> Vec<ConfigurationOptionSetting> {
    let min = setting(configuration::GROUP, configuration::MIN_SIZE, sizes.min);
    let max = setting(configuration::GROUP, configuration::MAX_SIZE, sizes.max);
    let min = sets.min.then_some(min);
    min.into_iter().chain(sets.max.then_some(max)).collect()
}

/// The options of the sizes that must no longer be set.
fn size_options(removes: Which) -> Vec<OptionSpecification> {
    let option = |name| specification(configuration::GROUP, name);
    let min = removes.min.then(|| option(configuration::MIN_SIZE));
    let max = removes.max.then(|| option(configuration::MAX_SIZE));
    min.into_iter().chain(max).collect()
}

/// The SDK's standard retries for an effect that must not be left in doubt: it is sent again only
/// after an answer that says that AWS refused it.
fn retry_refusals_only(send_by: &Deadline) -> eb::config::Builder {
    bounded(send_by).retry_classifier(RefusalsOnly)
}

/// All attempts of an effect together take no longer than one request may: the runner checks its
/// lock only before the first.
fn bounded(send_by: &Deadline) -> eb::config::Builder {
    let timeout = TimeoutConfig::builder().operation_timeout(REQUEST_TIMEOUT);
    eb::config::Builder::new()
        .timeout_config(timeout.build())
        .interceptor(SendBy(send_by.clone()))
}

/// Forbids a retry unless the service itself has answered with a status below 500.
#[derive(Debug)]
struct RefusalsOnly;

impl ClassifyRetry for RefusalsOnly {
    fn classify_retry(
        &self,
        context: &eb::config::interceptors::InterceptorContext,
    ) -> RetryAction {
        match context.response() {
            Some(response) if response.status().as_u16() < 500 && !is_foreign(context) => {
                RetryAction::NoActionIndicated
            }
            _ => RetryAction::RetryForbidden,
        }
    }

    fn name(&self) -> &'static str {
        "refusals only"
    }
}
