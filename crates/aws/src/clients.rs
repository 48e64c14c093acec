//! The clients of one region and account: what a look reads, and what an effect asks.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_cloudwatch as cloudwatch;
use aws_sdk_elasticbeanstalk as eb;
use aws_sdk_elasticbeanstalk::config::retry::{
    ClassifyRetry, RetryAction, RetryConfig, RetryPartition, TokenBucket,
};
use aws_sdk_elasticbeanstalk::operation::RequestId;
use aws_sdk_elasticbeanstalk::types::{
    ConfigurationOptionSetting, EnvironmentTier, OptionSpecification, S3Location, Tag,
};
use aws_sdk_elasticloadbalancingv2 as elb;
use aws_sdk_s3 as s3;

use tracing::warn;

use crate::configuration::settings_by_name;
use crate::encryption::Encryption;
use crate::failure::{outcome, outcome_of};
use crate::lazy_clients::LazyClients;
use crate::origin::{AgainWhereForeign, OnlyAws, is_foreign};
use crate::state_key::StateKey;
use crate::time::{SendBy, ServiceTime};
use crate::{
    Alarm, Alarms, Cloud, Counted, Environment, Event, LookError, Needs, Outcome, Probe, Prober,
    Recorder, Sighting, Site, alarms, configuration,
};
use bluegreen_clock::{Clock, Deadline};
use bluegreen_core::acceptance::AcceptanceTest;
use bluegreen_core::command::{Ran, Run};
use bluegreen_core::facts::is_healthy;
use bluegreen_core::fidelity::{Marked, differences, every_difference};
use bluegreen_core::listener_rules::Balancer;
use bluegreen_core::machine::{Effect, EffectKind};
use bluegreen_core::plan::{Goal, Plan, REQUEST_TIMEOUT, Role, Sizes, Which};
use bluegreen_core::preview::Record;

/// The clients of one region and account.
#[derive(Clone, Debug)]
pub struct AwsCloud {
    pub(crate) eb: eb::Client,
    pub(crate) s3: s3::Client,
    pub(crate) lazy_clients: LazyClients,
    pub(crate) cloudwatch: cloudwatch::Client,
    pub(crate) elb: elb::Client,
    pub(crate) time: ServiceTime,
    /// What every upload to the artifacts bucket asks for.
    pub(crate) encryption: Option<Encryption>,
    /// What authenticates the state in it.
    pub(crate) state_key: Option<StateKey>,
    pub(crate) prober: Arc<dyn Prober>,
}

/// How the description of everything that this program makes begins; the
/// deployment's id follows.
pub(crate) const DESCRIPTION: &str = "bluegreen deployment ";

/// Clocks that differ by less are taken for the same: a Date header counts whole
/// seconds, and an answer is under way for a while.
const CLOCKS_AGREE: Duration = Duration::from_secs(5);

/// How often a request to Elastic Beanstalk or S3 is tried at least. A look takes up to ten, and
/// all of them must be answered: with the three of the SDK one look in ten gets through
/// where 60 % of the requests are throttled. A run that begins reads its lease and its place in
/// the queue once.
const ATTEMPTS_MIN: u32 = 5;

/// How often a read before a release is tried at most, and how long that may take: what stays
/// unanswered leaves a check unknown, which stops nothing. Where 60 % of all requests are
/// throttled, one read in five hundred stays unanswered so.
const CHECK_ATTEMPTS_MAX: u32 = 12;
const CHECK_TIME_MAX: Duration = Duration::from_secs(2 * 60);

/// A retry of what was throttled takes five: two retries in five seconds are no storm.
const RETRY_TOKENS_A_SECOND: f32 = 2.0;

impl AwsCloud {
    /// Clients with this configuration; `prober` asks the environments' web sites.
    #[must_use]
    pub fn new(config: &SdkConfig, prober: Arc<dyn Prober>) -> AwsCloud {
        AwsCloud::recorded_by(config, prober, Recorder::default())
    }

    /// The same, whose requests and answers this recorder keeps.
    #[must_use]
    pub fn recorded_by(
        config: &SdkConfig,
        prober: Arc<dyn Prober>,
        recorder: Recorder,
    ) -> AwsCloud {
        let time = ServiceTime::default();
        let retries = config.retry_config().cloned();
        let retries = retries.unwrap_or_else(RetryConfig::standard);
        let attempts = retries.max_attempts().max(ATTEMPTS_MIN);
        let eb = eb::config::Builder::from(config)
            .interceptor(time.clone())
            .interceptor(recorder.clone())
            .retry_config(retries.clone().with_max_attempts(attempts))
            .interceptor(OnlyAws::Xml)
            .retry_classifier(AgainWhereForeign)
            .retry_partition(retry_budget("elasticbeanstalk"));
        let s3 = s3::config::Builder::from(config)
            .interceptor(recorder.clone())
            .retry_config(retries.with_max_attempts(attempts))
            .interceptor(OnlyAws::Objects)
            .retry_classifier(AgainWhereForeign)
            .retry_partition(retry_budget("s3"));
        let cloudwatch = cloudwatch::config::Builder::from(config)
            .interceptor(recorder.clone())
            .interceptor(OnlyAws::Typed)
            .retry_classifier(AgainWhereForeign)
            .retry_partition(retry_budget("cloudwatch"));
        let elb = elb::config::Builder::from(config)
            .interceptor(recorder.clone())
            .interceptor(OnlyAws::Xml)
            .retry_classifier(AgainWhereForeign)
            .retry_partition(retry_budget("elb"));
        AwsCloud {
            cloudwatch: cloudwatch::Client::from_conf(cloudwatch.build()),
            elb: elb::Client::from_conf(elb.build()),
            eb: eb::Client::from_conf(eb.build()),
            s3: s3::Client::from_conf(s3.build()),
            lazy_clients: LazyClients::new(config, recorder),
            time,
            encryption: None,
            state_key: None,
            prober,
        }
    }

    /// The same, asking S3 to encrypt every upload to the artifacts bucket so.
    #[must_use]
    pub fn encrypting(self, encryption: Option<Encryption>) -> AwsCloud {
        AwsCloud { encryption, ..self }
    }

    /// The same, authenticating the state in the artifacts bucket with this key.
    #[must_use]
    pub fn authenticating(self, state_key: Option<StateKey>) -> AwsCloud {
        AwsCloud { state_key, ..self }
    }

    /// How S3 is asked to encrypt every upload.
    #[must_use]
    pub fn encryption(&self) -> Option<&Encryption> {
        self.encryption.as_ref()
    }

    /// The same for the checks before a release, which are asked once: passing errors are
    /// tried again for longer.
    #[must_use]
    pub fn patient(&self) -> AwsCloud {
        let config = self.lazy_clients.config();
        let retries = config.retry_config().cloned();
        let retries = retries.unwrap_or_else(RetryConfig::standard);
        let attempts = retries.max_attempts().max(CHECK_ATTEMPTS_MAX);
        let timeouts = config.timeout_config().map(TimeoutConfig::to_builder);
        let timeouts = timeouts.unwrap_or_default();
        let config = config
            .to_builder()
            .retry_config(retries.with_max_attempts(attempts))
            .timeout_config(timeouts.operation_timeout(CHECK_TIME_MAX).build())
            .build();
        AwsCloud {
            time: self.time.clone(),
            encryption: self.encryption.clone(),
            state_key: self.state_key.clone(),
            ..AwsCloud::recorded_by(
                &config,
                self.prober.clone(),
                self.lazy_clients.recorder().clone(),
            )
        }
    }

    /// The clock set by that of AWS, as far as an answer has told it: what is
    /// dated by one machine is read by another.
    #[must_use]
    pub fn corrected(&self, clock: Clock) -> Clock {
        let Some((date, read)) = self.time.last() else {
            return clock;
        };
        let theirs = date.after(read.elapsed().mul_f64(clock.speed()));
        let ours = clock.now();
        let apart = theirs.since(ours).max(ours.since(theirs));
        if apart <= CLOCKS_AGREE.mul_f64(clock.speed().max(1.0)) {
            return clock;
        }
        warn!(
            "the clock of this machine is {} {} that of AWS, which is taken instead",
            humantime::format_duration(Duration::from_secs(apart.as_secs())),
            if ours > theirs { "ahead of" } else { "behind" }
        );
        clock.set_to(theirs)
    }
}

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
            // Who has it is told where it can be read, and changes nothing.
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
            self.look_closer(plan, needs, &mut sighting),
            self.watch(plan, needs),
            self.test(plan, site, needs.within),
        );
        closer.map_err(gone_meanwhile)?;
        (sighting.alarms, sighting.probes) = (alarms, probes);
        Ok(sighting)
    }

    async fn ask(&self, plan: &Plan, effect: &Effect, send_by: &Deadline) -> Outcome {
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
}

impl AwsCloud {
    /// Reads what is wanted of the environments themselves.
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
            sighting.events = self.events_of(&target.id, query).await?;
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
        let our_green = our_green.map(|green| green.id.clone());
        if let Some(query) = &needs.launch
            && let Some(id) = our_green.clone().or_else(|| needs.green_id.clone())
        {
            let is_there = our_green.is_some();
            sighting.launch_events = told(is_there, self.events_of(&id, query).await)?;
        }
        let to_go = needs.termination.as_ref();
        let to_go = to_go.and_then(|(role, query)| match role {
            Role::Blue => (!blue_is_gone).then(|| (plan.blue_id.clone(), query)),
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
                let read = self.configuration(application, &of.name).await?;
                sighting.marked.push((role, read.marked()));
            }
        }
        Ok(())
    }

    /// Why the environments that are not healthy are not. It is told, and decides nothing: what
    /// cannot be read is left out.
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

    /// Asks an environment its tests, all at once.
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

    /// What an environment answers to these tests, each asked once and all at the same time.
    pub async fn answers(&self, tests: &[&AcceptanceTest], site: &Site) -> Vec<Probe> {
        let answers = all(tests.iter().map(|test| self.prober.probe(test, site))).await;
        for (test, probe) in tests.iter().zip(&answers) {
            self.lazy_clients.recorder().site(site, test, probe);
        }
        answers
    }

    /// What the alarms of production say. That they cannot be read fails no look: every
    /// other sign is judged all the same.
    async fn watch(&self, plan: &Plan, needs: &Needs) -> Alarms {
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

/// An environment that was listed and is asked for again may be gone meanwhile, or not be
/// known yet everywhere: then the service refuses the question, and the next look tells.
fn gone_meanwhile(error: LookError) -> LookError {
    match error {
        LookError::Refused(why) => LookError::Passing(why),
        other => other,
    }
}

/// The events of an environment that may be gone: then the service may refuse the question,
/// and know of no right to ask it.
fn told(is_there: bool, events: Result<Vec<Event>, LookError>) -> Result<Vec<Event>, LookError> {
    match events {
        Err(LookError::Refused(_)) => Ok(Vec::new()),
        Err(LookError::Denied(_)) if !is_there => Ok(Vec::new()),
        events => events,
    }
}

/// Waits for all of them at the same time.
pub(crate) async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        for (future, done) in &mut pending {
            if done.is_none()
                && let Poll::Ready(output) = future.as_mut().poll(context)
            {
                *done = Some(output);
            }
        }
        match pending.iter().all(|(_, done)| done.is_some()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    pending.into_iter().filter_map(|(_, done)| done).collect()
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

/// A list that is left out where it is empty.
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

/// The options of the sizes that nothing is to set any more.
fn size_options(removes: Which) -> Vec<OptionSpecification> {
    let option = |name| specification(configuration::GROUP, name);
    let min = removes.min.then(|| option(configuration::MIN_SIZE));
    let max = removes.max.then(|| option(configuration::MAX_SIZE));
    min.into_iter().chain(max).collect()
}

/// The SDK's standard retries for an effect that must not be left in doubt: it
/// is sent again only after an answer that says it was refused.
fn retry_refusals_only(send_by: &Deadline) -> eb::config::Builder {
    bounded(send_by).retry_classifier(RefusalsOnly)
}

/// What the retries of one client draw on. By default all clients of a process share it, and
/// one deployment's throttling would take another's; and it fills with what succeeds alone,
/// so that a long release would have none left where an account is throttled throughout.
pub(crate) fn retry_budget(service: &'static str) -> RetryPartition {
    let tokens = TokenBucket::builder().refill_rate(RETRY_TOKENS_A_SECOND);
    RetryPartition::custom(service)
        .token_bucket(tokens.build())
        .build()
}

/// All attempts of an effect together take no longer than one request may: the
/// lease is checked before the first.
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
