//! From what AWS shows to the facts that the machine decides on. Pure.

// Numbers here are read from others.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod launch;
mod needs;
mod others;
mod probe;
mod reasons;
mod retried;
mod service_event;
mod sighting;
#[cfg(test)]
mod tests;
pub mod update;
mod wait;
mod waits;

pub use needs::{EventQuery, Needs};
pub use others::{known, options_of_blue, terminating};
pub use probe::{Probe, Site};
pub use retried::Retried;
pub use service_event::{ServiceEvent, ServiceOperation};
pub use sighting::{
    Alarms, Environment, Event, InstanceVersion, Sighting, VersionRecord, Vitals, Watched,
};
pub use wait::{Timed, Wait};

use std::time::Duration;

use crate::acceptance::AcceptanceTest;
use crate::command::Ran;
use crate::deployment::{Deployment, Intent, Sent};
use crate::fidelity::{Difference, Weight};
use crate::health::Health;
use crate::machine::{
    Deploy, EffectKind, EnvSeen, Green, Kind, Likeness, Phase, Seen, Test, Update, Version,
};
use crate::moment::Moment;
use crate::plan::{Goal, OwnSizes, Plan, Role, Strategy};
use crate::traffic::{self, Idle};
use update::{Ended, SWAP, UPDATE};

/// What a poll must read in the present state.
#[must_use]
pub fn needs(deployment: &Deployment) -> Needs {
    let kind = deployment.state.kind();
    let deploy = deployment.deploys_to().and_then(|role| {
        let intent = deployment.intents.get(&EffectKind::Deploy)?;
        let query = EventQuery {
            asked_at: intent.at,
            request_id: match &intent.outcome {
                Sent::Applied { request_id } => request_id.clone(),
                Sent::Unclear | Sent::NotApplied => None,
            },
        };
        Some((role, query))
    });
    let swap = deployment.intents.get(&EffectKind::Swap);
    let swap = swap.filter(|intent| deployment.state.is_swapping() && intent.shown_at.is_none());
    // Without its request's id no event tells one swap from another.
    let swap = swap.and_then(|intent| match (&intent.outcome, intent.swap) {
        (
            Sent::Applied {
                request_id: Some(id),
            },
            Some(swap),
        ) => Some((
            swap.to,
            EventQuery {
                asked_at: intent.at,
                request_id: Some(id.clone()),
            },
        )),
        _ => None,
    });
    let has_group = deployment.plan.sizes.is_some();
    let rehearses = deployment.plan.rehearses();
    Needs {
        green_id: deployment.green_id.clone(),
        template: matches!(
            kind,
            Kind::Cloning | Kind::Discarding | Kind::TerminatingGreen | Kind::TerminatingBlue
        ),
        bundle: kind == Kind::Preparing,
        version: matches!(kind, Kind::Preparing | Kind::Cloning | Kind::Warming),
        deploy,
        swap,
        launch: launch::launch_query(deployment),
        termination: launch::termination_query(deployment),
        capacity: match kind {
            Kind::Warming if has_group => Some(Role::Green),
            Kind::Testing if has_group => Some(Role::Blue),
            _ => None,
        },
        keeper: match kind {
            Kind::TerminatingGreen | Kind::Discarding if has_group && !rehearses => {
                Some(Role::Blue)
            }
            Kind::TerminatingBlue if has_group => Some(Role::Green),
            _ => None,
        },
        put_back: put_back(deployment),
        template_settings: deployment.plan.template_sets.is_none()
            && matches!(
                kind,
                Kind::Cloning
                    | Kind::Warming
                    | Kind::Discarding
                    | Kind::TerminatingGreen
                    | Kind::TerminatingBlue
            ),
        test: tested(deployment).map(|role| (role, version_under_test(deployment))),
        // On the way back they tell of what is being left.
        alarms: kind == Kind::Baking
            && deployment.plan.goal == Goal::Release
            && !deployment.plan.wishes.alarms.is_empty(),
        within: (kind == Kind::Baking).then(|| {
            let limits = &deployment.plan.wishes.limits;
            // A test that was slow and passed is not to fail for being watched.
            let slow = deployment
                .slowest_answer
                .saturating_mul(limits.latency_rise.max(1));
            limits.watch_within().max(slow)
        }),
        likeness: false,
        marks: match kind {
            Kind::Testing | Kind::TerminatingBlue => true,
            // A swap that AWS carries out already is not stopped by them.
            Kind::SwappingToBlue => deployment.request_under_way().is_none(),
            // On the way back green is not compared with blue.
            Kind::Warming => deployment.plan.goal == Goal::Previous,
            _ => false,
        } && !rehearses,
        updates: others::update_queries(deployment),
        production_traffic: matches!(kind, Kind::Warming | Kind::Baking)
            || tells_the_usual(deployment),
        idle_traffic: deployment.reads_idle_traffic(),
        waits_for_counts: deployment.served.a_minute().is_some()
            && deployment.traffic_moved_at.is_some(),
        reasons: false,
        spares_events: false,
        awaits_more: false,
    }
}

/// Whether production runs what it is compared with afterwards: on green while blue is tested, or
/// on blue while green is, which then keeps production. A rehearsal compares nothing: production
/// stays as it is.
#[must_use]
pub fn tells_the_usual(deployment: &Deployment) -> bool {
    let kind = deployment.state.kind();
    match deployment.plan.strategy {
        Strategy::Restore => kind == Kind::Testing,
        Strategy::Promote => kind == Kind::Warming,
        Strategy::Rehearse => false,
    }
}

/// Whose environment is tested in the present state. During a rollback green runs what production
/// runs, so there is nothing to find out.
fn tested(deployment: &Deployment) -> Option<Role> {
    let plan = &deployment.plan;
    match deployment.state.kind() {
        Kind::Warming if plan.tests_green() => Some(Role::Green),
        Kind::TestingGreen => Some(Role::Green),
        Kind::Testing => Some(Role::Blue),
        Kind::Baking if plan.tests_production() => Some(plan.destination()),
        _ => None,
    }
}

/// Which version the environment runs that is tested in the present state. Green that takes
/// production only for a time runs the previous version, and skips the tests that the release alone
/// can pass.
#[must_use]
pub fn version_under_test(deployment: &Deployment) -> Goal {
    match (deployment.state.kind(), deployment.plan.strategy) {
        (Kind::Warming, Strategy::Restore | Strategy::Rehearse) => Goal::Previous,
        _ => deployment.plan.goal,
    }
}

/// Remembers what only counts in a row. Lost with the process, which only means
/// that the count begins again.
#[derive(Debug, Default)]
pub struct Streaks {
    production: Option<(Option<Role>, Moment)>,
    /// Since when Ready blue has shown its label.
    label: Option<(String, Moment)>,
    /// Since when blue has not been there.
    blue_absent: Option<Moment>,
    /// Since when this deployment's green has not been there.
    green_absent: Option<Moment>,
    /// Since when it has been known that the swap of this state was done.
    swap_done: Option<Moment>,
    /// When the last poll was counted in, and whether that was in the state before.
    observed_at: Option<(Moment, bool)>,
    blue_healthy: u32,
    green_healthy: u32,
    production_sick: u32,
    /// How many polls in a row found production, while it is monitored, less healthy than before.
    new_warning: u32,
    /// How many polls in a row found green different from blue.
    unlike: u32,
    /// Whether a poll of this state found it alike.
    alike: bool,
    /// How many polls in a row found no requests at the environment that production left.
    quiet: u32,
    /// How many polls in a row found that it gets a substantial share of the traffic.
    staying: u32,
    /// How many requests production got in this state, as far as polls have shown.
    production_requests: u64,
    /// One a test of the plan.
    tests: Vec<TestStreak>,
    /// What became of the command that tests, once it was run in this state.
    command: Option<Ran>,
    /// Since when, and for how many polls in a row, an update of Ready blue has shown no change.
    still: Option<Still>,
    /// When this process first polled in this state.
    began: Option<Moment>,
    /// Since when the events of a swap of Ready environments have reported an error.
    swap_ails: Option<Moment>,
    /// What AWS last said in this state to a request that has to wait, and how often.
    put_off: Option<(PutOff, u32)>,
    /// What the events reported of the last swap that has failed in this state.
    swap_failed: Option<String>,
    /// The events of launches and terminations that bluegreen has reported already.
    told: Vec<Event>,
}

/// That a request has to wait, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutOff {
    /// What became of it, as in `AWS said`.
    pub what: String,
    /// To what, as in ` to UpdateEnvironment`; between the two stands how often.
    pub to: String,
    /// What was said.
    pub why: String,
}

/// An update that has shown no change for some polls.
#[derive(Debug)]
struct Still {
    since: Moment,
    looks: u32,
    events: usize,
    instances: Option<Vec<InstanceVersion>>,
}

/// How long after an update has succeeded some instance may still not run the version: one that
/// is replaced takes as long as a launch.
const UNPROVEN_LIMIT: Duration = Duration::from_secs(10 * 60);

#[derive(Clone, Copy, Debug, Default)]
struct TestStreak {
    passes: u32,
    failures: u32,
}

impl Streaks {
    /// Counts a poll in and returns the facts.
    pub fn observe(&mut self, deployment: &Deployment, sighting: &Sighting, now: Moment) -> Seen {
        let plan = &deployment.plan;
        let limits = &plan.wishes.limits;
        let blue = sighting.of(plan, Role::Blue);
        let green = sighting
            .of(plan, Role::Green)
            .filter(|_| sighting.green_is_ours);
        let production = sighting.production(plan);
        let since = match self.production {
            Some((before, since)) if before == production => since,
            _ => now,
        };
        self.production = Some((production, since));
        let is_settled =
            |since: Option<Moment>| since.is_some_and(|since| now.since(since) >= limits.settle);
        since_when(&mut self.blue_absent, blue.is_none(), now);
        since_when(&mut self.green_absent, green.is_none(), now);
        let swap_undone = self.swap_undone(deployment, sighting, now);
        let is_well = |role, environment| is_well(deployment, sighting, (role, environment));
        // Between two states a hook may run for as long as it likes, and an environment be anything
        // meanwhile.
        let in_a_row = limits.settle.max(limits.poll.saturating_mul(3));
        let before = self.observed_at.replace((now, false));
        if before.is_some_and(|(at, is_of_before)| is_of_before && now.since(at) > in_a_row) {
            (self.blue_healthy, self.green_healthy) = (0, 0);
        }
        count(&mut self.blue_healthy, is_well(Role::Blue, blue));
        count(&mut self.green_healthy, is_well(Role::Green, green));
        let test = self.test(deployment, sighting, now);
        // A bake does not end on tests that have yet to pass, where they are to watch it.
        let is_tested = tested(deployment).is_none() || test == Test::Passed;
        // Nor on alarms that nobody could read.
        let unread = match &sighting.alarms {
            Alarms::Unread(why) => Some(why),
            Alarms::Unasked | Alarms::Quiet | Alarms::Ringing(_) => None,
        };
        let ailment = self.ailment(deployment, sighting);
        if ailment.is_some() {
            // What is wrong otherwise bears no Warning.
            self.doubt_health(plan, sighting);
        }
        count(&mut self.production_sick, ailment.is_some());
        let idle = sighting.idle_traffic.as_ref();
        let remaining = idle.map(|traffic| {
            let quiet_requests = deployment.quiet_requests();
            traffic.remaining(&deployment.served, quiet_requests)
        });
        let is_of_before = idle.is_some_and(|traffic| deployment.is_of_before(traffic));
        let tells = |what| remaining == Some(what) && !is_of_before;
        count(&mut self.quiet, tells(Idle::Quiet));
        count(&mut self.staying, tells(Idle::Substantial));
        let is_quiet = self.quiet >= limits.healthy_looks;
        let remaining = match remaining {
            // Where nobody counts requests the time alone tells.
            None => Idle::Quiet,
            // Until a later minute is told, it is as if nobody had left.
            Some(_) if is_of_before => Idle::Substantial,
            Some(Idle::Quiet) if !is_quiet => Idle::Remainder,
            Some(remaining) => remaining,
        };
        let stays = self.staying >= limits.healthy_looks
            && deployment.has_waited_for_traffic(idle.and_then(|t| t.ended).unwrap_or(now))
            && !limits.accept_traffic_loss;
        let served = sighting.production_traffic.as_ref();
        let served = served.filter(|traffic| !deployment.is_of_before(traffic));
        let production_requests = served.map(|traffic| traffic.requests);
        self.production_requests = self
            .production_requests
            .saturating_add(production_requests.unwrap_or(0).into());
        let differences: Option<Vec<&Difference>> = sighting.differences.as_ref().map(|found| {
            let refusing = |difference: &&Difference| difference.weight == Weight::Refuses;
            found.iter().filter(refusing).collect()
        });
        self.alike |= differences.as_ref().is_some_and(Vec::is_empty);
        let differs = differences.as_ref().is_some_and(|found| !found.is_empty());
        count(&mut self.unlike, differs);
        let deploy = self.deploy(deployment, sighting, now);
        let began = *self.began.get_or_insert(now);
        let label = blue.filter(|found| found.status == "Ready");
        let label = label.and_then(|found| found.version_label.clone());
        self.label = label.map(|label| match self.label.take() {
            Some((before, since)) if before == label => (label, since),
            _ => (label, now),
        });
        let label_settled = self.label.as_ref();
        let label_settled =
            label_settled.is_some_and(|(_, since)| now.since(*since) >= limits.settle);
        let has_had_it = match deployment.state.kind() {
            Kind::Testing | Kind::SwappingToBlue => true,
            Kind::Deploying => matches!(deploy, Deploy::Proven | Deploy::Unproven),
            _ => false,
        };
        let may_be_off = label_settled && has_had_it && !deployment.may_arrive(now).deploy;
        let likeness = match differences {
            _ if self.alike => Likeness::Alike,
            Some(found) if self.unlike >= limits.healthy_looks => {
                Likeness::Unlike(found.iter().map(ToString::to_string).collect())
            }
            Some(_) | None => Likeness::Unknown,
        };
        Seen {
            likeness,
            launch: launch::launch(&sighting.launch_events),
            termination: launch::termination(launch::of_our_terminations(deployment, sighting)),
            put_off: self.put_off_in_words(),
            reasons: Vec::new(),
            production,
            production_settled: now.since(since) >= limits.settle,
            production_elsewhere: sighting.production_elsewhere.clone(),
            swap_undone,
            blue_gone: is_settled(self.blue_absent),
            green_gone: deployment.green_id.is_some() && is_settled(self.green_absent),
            green_id: deployment.green_id.clone(),
            changes_on_green: others::changes_on_green(deployment, sighting),
            changes_on_blue: others::changes_on_blue(deployment, sighting, may_be_off),
            others_update_of_blue: others::others_update(deployment, sighting, Role::Blue),
            others_update_of_green: others::others_update(deployment, sighting, Role::Green),
            blue: blue.map(|found| env_seen(deployment, found, Role::Blue, sighting)),
            blue_trusted: self.blue_healthy >= limits.healthy_looks,

            green: match (sighting.of(plan, Role::Green), green) {
                (None, _) => Green::Absent,
                (Some(_), Some(green)) => {
                    Green::Ours(env_seen(deployment, green, Role::Green, sighting))
                }
                (Some(_), None) => Green::Foreign,
            },
            green_trusted: self.green_healthy >= limits.healthy_looks,
            production_sick: match &sighting.alarms {
                // An alarm has counted for itself.
                Alarms::Ringing(why) => Some(why.clone()),
                Alarms::Unasked | Alarms::Quiet | Alarms::Unread(_) => {
                    ailment.filter(|_| self.production_sick >= limits.sick_looks)
                }
            },
            unread_alarms: unread.cloned(),
            template: sighting.template.unwrap_or(false),
            bundle: sighting.bundle.unwrap_or(true),
            version: version(plan, sighting),
            deploy,
            update: update(deployment, sighting, (began, now)),
            test,
            drained: deployment.is_drained(remaining, now),
            traffic_stays: idle
                .filter(|_| stays)
                .map(|traffic| traffic.beside(&deployment.served)),
            baked: is_tested && unread.is_none() && now.since(deployment.entered_at) >= limits.bake,
            may_arrive: deployment.may_arrive(now),
            followers: deployment.followers(now),
        }
    }

    /// Production whose health is borne for being as before is not healthy while something
    /// else is wrong with it.
    fn doubt_health(&mut self, plan: &Plan, sighting: &Sighting) {
        let role = plan.destination();
        let production = sighting.of(plan, role);
        if production.is_some_and(|found| is_healthy(found, plan.wishes.healthy)) {
            return;
        }
        match role {
            Role::Blue => self.blue_healthy = 0,
            Role::Green => self.green_healthy = 0,
        }
    }

    /// The health of production while it is monitored, and what it was before the release, for
    /// every few polls in which operators should read it: a Warning that production did not have
    /// before keeps the bake from ending.
    pub fn notices(
        &mut self,
        deployment: &Deployment,
        sighting: &Sighting,
    ) -> Option<(String, Option<String>)> {
        let plan = &deployment.plan;
        let role = plan.destination();
        let production = sighting.of(plan, role)?;
        let is_new = deployment.state.kind() == Kind::Baking
            && health_of(production).is_some_and(|health| health > plan.wishes.healthy)
            && !is_as_before(deployment, sighting, role);
        count(&mut self.new_warning, is_new);
        let is_told = self.new_warning % NOTICED_EVERY_LOOKS == plan.wishes.limits.sick_looks;
        let before = deployment.usual_health.map(Health::word);
        (is_new && is_told).then(|| (health_in_words(production), before.map(str::to_owned)))
    }

    /// What became of the deploy. An update of an environment that is Ready has ended, even where
    /// its events do not say so: once it has shown no change for some polls, and for longer than a
    /// poll may be stale, its errors, the label and the instances decide.
    fn deploy(&mut self, deployment: &Deployment, sighting: &Sighting, now: Moment) -> Deploy {
        let judged = match deploy(deployment, sighting) {
            // What may still arrive would change it again.
            Deploy::NotSinceEntry
                if is_there(deployment, sighting) && !deployment.may_arrive(now).deploy =>
            {
                Deploy::Proven
            }
            judged => judged,
        };
        let limits = &deployment.plan.wishes.limits;
        if !matches!(judged, Deploy::Running | Deploy::Unproven) {
            self.still = None;
            return judged;
        }
        let is_same = |still: &Still| {
            (still.events, &still.instances) == (sighting.events.len(), &sighting.instances)
        };
        let mut still = self.still.take().filter(is_same).unwrap_or_else(|| Still {
            since: now,
            looks: 0,
            events: sighting.events.len(),
            instances: sighting.instances.clone(),
        });
        still.looks = still.looks.saturating_add(1);
        let lasted = now.since(still.since);
        let is_settled = lasted >= limits.settle && still.looks >= limits.healthy_looks;
        self.still = Some(still);
        match judged {
            Deploy::Running if is_settled => without_a_word(deployment, sighting),
            Deploy::Unproven if lasted >= UNPROVEN_LIMIT => {
                let goal = deployment.plan.goal_version();
                Deploy::Failed(format!(
                    "the update completed, and {}",
                    elsewhere(sighting.instances.as_deref(), goal)
                ))
            }
            judged => judged,
        }
    }

    /// The failure that the events of a swap report, in the service's words: the swap then moves
    /// nothing any more, and bluegreen may request it again. Both environments are Ready, which
    /// ends a swap; bluegreen believes it once that has been so for longer than a poll may be
    /// stale.
    pub fn failure_of_the_swap(
        &mut self,
        deployment: &Deployment,
        sighting: &Sighting,
        now: Moment,
    ) -> Option<String> {
        let events: Vec<_> = sighting.swap_events.iter().collect();
        let ails = SWAP.ended(&events).is_none() && events.iter().any(|e| update::is_error(e));
        if !ails {
            self.swap_ails = None;
            return None;
        }
        let since = *self.swap_ails.get_or_insert(now);
        let is_settled = now.since(since) >= deployment.plan.wishes.limits.settle;
        let failed = SWAP.cause(&events).filter(|_| is_settled);
        self.swap_failed = failed.clone().or(self.swap_failed.take());
        failed
    }

    /// Whether the swap of this state was done, and production is nevertheless where it was
    /// although no poll can be so stale any more.
    fn swap_undone(&mut self, deployment: &Deployment, sighting: &Sighting, now: Moment) -> bool {
        let intent = deployment.intents.get(&EffectKind::Swap);
        let swap = intent.and_then(|intent| Some((intent, intent.swap?)));
        let asked_here =
            |intent: &Intent| deployment.state.is_swapping() && intent.at >= deployment.entered_at;
        let Some((intent, swap)) = swap.filter(|(intent, _)| asked_here(intent)) else {
            self.swap_done = None;
            return false;
        };
        let events: Vec<_> = sighting.swap_events.iter().collect();
        if SWAP.ended(&events) == Some(Ended::Well) {
            self.swap_done.get_or_insert(now);
        }
        let done = self.swap_done.or(intent.shown_at);
        let is_settled =
            done.is_some_and(|done| now.since(done) >= deployment.plan.wishes.limits.settle);
        is_settled && sighting.production(&deployment.plan) == Some(swap.to.other())
    }

    /// A new state starts its counts anew, except who holds production; and except the health of
    /// the environment that production moves to next, which the state before has counted and nobody
    /// has touched since.
    pub fn entered_a_state(&mut self, (left, entered): (Kind, Kind)) {
        let (blue_healthy, green_healthy) = match (left, entered) {
            (Kind::Testing, Kind::SwappingToBlue) => (self.blue_healthy, 0),
            (Kind::Warming | Kind::TestingGreen, Kind::SwappingToGreen) => (0, self.green_healthy),
            _ => (0, 0),
        };
        *self = Streaks {
            production: self.production,
            observed_at: self.observed_at.map(|(at, _)| (at, true)),
            blue_healthy,
            green_healthy,
            label: self.label.take(),
            blue_absent: self.blue_absent,
            green_absent: self.green_absent,
            quiet: self.quiet,
            told: std::mem::take(&mut self.told),
            staying: self.staying,
            ..Streaks::default()
        };
    }

    /// Remembers why a request has to wait; none where AWS took it.
    pub fn put_off(&mut self, said: Option<PutOff>) {
        let before = self.put_off.take();
        self.put_off = said.map(|said| match before {
            Some((before, times)) if (&before.what, &before.to) == (&said.what, &said.to) => {
                (said, times.saturating_add(1))
            }
            _ => (said, 1),
        });
    }

    fn put_off_in_words(&self) -> Option<String> {
        let (PutOff { what, to, why }, times) = self.put_off.as_ref()?;
        Some(match times {
            1 => format!("{what}{to}: {why}"),
            times => format!("{what} {times} times{to}: {why}"),
        })
    }

    /// Whether the next poll must read the causes: something is wrong with production.
    #[must_use]
    pub fn wants_reasons(&self) -> bool {
        self.production_sick > 0
    }

    /// Whether production is as healthy as the last poll found it, by what was read of it since: then
    /// no poll is due.
    #[must_use]
    pub fn is_still_well(
        &self,
        deployment: &Deployment,
        sighting: &Sighting,
        watched: &Watched,
    ) -> bool {
        let Some((vitals, traffic)) = &watched.health else {
            return false;
        };
        let plan = &deployment.plan;
        let mut now = sighting.clone();
        let role = plan.destination();
        let id = sighting.of(plan, role).map(|found| &found.id);
        for environment in &mut now.environments {
            if Some(&environment.id) == id {
                vitals.status.clone_into(&mut environment.status);
                vitals.color.clone_into(&mut environment.health);
                environment.health_status = Some(vitals.health.clone());
            }
        }
        now.production_traffic.clone_from(traffic);
        is_well(deployment, &now, (role, now.of(plan, role)))
            && vitals.status == "Ready"
            && !matches!(watched.alarms, Alarms::Ringing(_))
            && watched.probes.iter().all(|probe| probe.passed)
            && self.ailment(deployment, &now).is_none()
    }

    /// The events of the operations that the deployment requested, as far as they are not reported
    /// yet.
    pub fn news(&mut self, deployment: &Deployment, sighting: &Sighting) -> Vec<ServiceEvent> {
        let mut news = service_event::service_events(
            deployment,
            sighting,
            &events_of_the_deploy(deployment, sighting),
        );
        news.retain(|found| {
            let is_new = !self.told.contains(&found.event);
            if is_new {
                self.told.push(found.event.clone());
            }
            is_new
        });
        news
    }

    /// Whether polls saw requests at production in this state.
    #[must_use]
    pub fn saw_requests(&self) -> bool {
        self.production_requests > 0
    }

    /// Whether the next poll must compare green with blue: until one has found them alike.
    #[must_use]
    pub fn wants_likeness(&self, deployment: &Deployment) -> bool {
        deployment.state.kind() == Kind::Warming
            && deployment.plan.goal == Goal::Release
            && !self.alike
    }

    /// Whether the next poll may be the last one in the present state: every count of polls in a row
    /// that the state waits for may be complete with it. What the next state must be sure of need
    /// not be read before.
    #[must_use]
    fn may_be_complete(&self, deployment: &Deployment) -> bool {
        let plan = &deployment.plan;
        let limits = &plan.wishes.limits;
        let healthy = |role| self.healthy(role).saturating_add(1) >= limits.healthy_looks;
        match deployment.state.kind() {
            Kind::Warming => healthy(Role::Blue) && healthy(Role::Green),
            Kind::Testing => {
                let tests = plan.tests_towards(version_under_test(deployment));
                let streaks = self.tests.iter().map(|streak| streak.passes);
                let mut passes = streaks.chain(std::iter::repeat(0));
                healthy(Role::Blue)
                    && tests.iter().all(|test| {
                        let passed = passes.next().unwrap_or_default();
                        passed.saturating_add(1) >= test.passes.unwrap_or(limits.test_passes)
                    })
            }
            _ => true,
        }
    }

    /// Takes out of what a poll must read what the present state decides nothing by yet. It counts
    /// polls in a row that find its environment healthy. What the next state must be sure of is read
    /// with the last of them, and the sizes with the first too: changing them takes minutes.
    pub fn spare(&self, deployment: &Deployment, needs: &mut Needs) {
        let kind = deployment.state.kind();
        let healthy = match kind {
            Kind::Warming => self.green_healthy,
            Kind::Testing => self.blue_healthy,
            _ => return,
        };
        if self.may_be_complete(deployment) {
            return;
        }
        needs.awaits_more = true;
        needs.marks = false;
        if healthy > 0 {
            needs.capacity = None;
        } else if kind == Kind::Warming && !tells_the_usual(deployment) {
            needs.production_traffic = false;
            needs.idle_traffic = false;
        }
    }

    /// Whose environment the test command must run against now, if anyone's: once in a state, when
    /// every test over HTTP has passed its number of times in a row. A command uses the names that
    /// it is given, so it waits until no cached DNS answer leads it elsewhere.
    #[must_use]
    pub fn wants_command(&self, deployment: &Deployment, now: Moment) -> Option<Role> {
        let plan = &deployment.plan;
        let is_due = plan
            .command_towards(version_under_test(deployment))
            .is_some()
            && self.command.is_none()
            && deployment.caches_are_over(now);
        tested(deployment).filter(|role| {
            is_due && self.counts(deployment, *role, now) && self.have_passed(deployment, *role)
        })
    }

    /// Whether every test has passed often enough. Where no test applies to a rollback, health
    /// decides alone.
    fn have_passed(&self, deployment: &Deployment, role: Role) -> bool {
        let plan = &deployment.plan;
        let tests = plan.tests_towards(version_under_test(deployment));
        if tests.is_empty() {
            return self.healthy(role) >= plan.wishes.limits.healthy_looks;
        }
        let enough = |(test, streak): (&&AcceptanceTest, &TestStreak)| {
            streak.passes >= test.passes.unwrap_or(plan.wishes.limits.test_passes)
        };
        self.tests.len() == tests.len() && tests.iter().zip(&self.tests).all(enough)
    }

    /// How many polls in a row found an environment healthy.
    fn healthy(&self, role: Role) -> u32 {
        match role {
            Role::Blue => self.blue_healthy,
            Role::Green => self.green_healthy,
        }
    }

    /// Whether a failure of an environment's tests counts. It shows Ready before its load
    /// balancer has its instances in service again and before the application answers: until it
    /// is healthy, or its grace is over, a failure says nothing of the version.
    fn counts(&self, deployment: &Deployment, role: Role, now: Moment) -> bool {
        let limits = &deployment.plan.wishes.limits;
        deployment.state.kind() == Kind::Baking
            || self.healthy(role) >= limits.healthy_looks
            || now.since(deployment.entered_at) >= limits.test_grace
    }

    /// Counts the answers in.
    fn test(&mut self, deployment: &Deployment, sighting: &Sighting, now: Moment) -> Test {
        let plan = &deployment.plan;
        let Some(role) = tested(deployment) else {
            return Test::Undecided;
        };
        let goal = version_under_test(deployment);
        let tests = plan.tests_towards(goal);
        if sighting.probes.len() != tests.len() {
            return Test::Undecided;
        }
        let has_its_chance = self.counts(deployment, role, now);
        self.tests.resize(tests.len(), TestStreak::default());
        // A failure that may be the other environment's says nothing of this one.
        let caches_are_over = deployment.caches_are_over(now);
        for (streak, probe) in self.tests.iter_mut().zip(&sighting.probes) {
            count(&mut streak.passes, probe.passed);
            let counts = has_its_chance && (probe.is_sure || caches_are_over);
            count(&mut streak.failures, !probe.passed && counts);
        }
        if let Some(ran) = &sighting.command {
            self.command = Some(ran.clone());
        }
        let given_up = tests.iter().zip(&self.tests).position(|(test, streak)| {
            streak.failures >= test.failures.unwrap_or(plan.wishes.limits.test_failures)
        });
        let failed = given_up.and_then(|at| sighting.probes.get(at));
        if let Some(probe) = failed {
            return Test::Failed {
                asked: probe.asked.clone(),
                got: probe.got.clone(),
            };
        }
        match (plan.command_towards(goal), &self.command) {
            (Some(_), Some(ran)) if !ran.passed() => Test::Failed {
                asked: TEST_COMMAND.to_owned(),
                got: ran.in_words(),
            },
            (Some(_), None) => Test::Undecided,
            (Some(_), Some(_)) | (None, _) if self.have_passed(deployment, role) => Test::Passed,
            _ => Test::Undecided,
        }
    }

    /// What is wrong with production while it is monitored; none where nothing is. A test that
    /// names its own number of failures is wrong no earlier than that.
    fn ailment(&self, deployment: &Deployment, sighting: &Sighting) -> Option<String> {
        if deployment.state.kind() != Kind::Baking {
            return None;
        }
        let plan = &deployment.plan;
        let production = sighting.of(plan, plan.destination())?;
        let status = production.health_status.as_deref().unwrap_or_default();
        let is_red =
            production.health == "Red" || matches!(status, "Degraded" | "Severe" | "Suspended");
        if is_red && !is_as_before(deployment, sighting, plan.destination()) {
            let why = causes(sighting, plan.destination());
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            return Some(format!(
                "its health is {}{why}",
                health_in_words(production)
            ));
        }
        let traffic = sighting.production_traffic.as_ref();
        let worse = |now| traffic::ailment(now, &deployment.usual, &plan.wishes.limits);
        if let Some(worse) = traffic.and_then(worse) {
            return Some(worse);
        }
        if let Some(ran) = self.command.as_ref().filter(|ran| !ran.passed()) {
            return Some(format!("{TEST_COMMAND} answered {}", ran.in_words()));
        }
        let tests = plan.tests_towards(plan.goal);
        let tests = tests.iter().zip(&self.tests).zip(&sighting.probes);
        let mut wrong = tests.filter(|((test, streak), probe)| {
            // Sickness itself counts looks in a row, this one included.
            let counted = plan.wishes.limits.sick_looks.saturating_sub(1);
            let from = test
                .failures
                .map_or(1, |n| n.saturating_sub(counted).max(1));
            !probe.passed && streak.failures >= from
        });
        let (_, probe) = wrong.next()?;
        Some(format!("{} answered {}", probe.asked, probe.got))
    }
}

/// How many polls pass from one notice of production's health to the next: some two minutes.
const NOTICED_EVERY_LOOKS: u32 = 30;

/// The name of a test that is the command.
pub const TEST_COMMAND: &str = "--test-command";

/// Remembers since when something holds without a break.
fn since_when(since: &mut Option<Moment>, holds: bool, now: Moment) {
    *since = holds.then(|| since.unwrap_or(now));
}

fn count(streak: &mut u32, holds: bool) {
    *streak = if holds { streak.saturating_add(1) } else { 0 };
}

/// Whether an environment of a role is healthy, or as unhealthy as before the release.
fn is_well(
    deployment: &Deployment,
    sighting: &Sighting,
    (role, environment): (Role, Option<&Environment>),
) -> bool {
    environment.is_some_and(|found| is_healthy(found, deployment.plan.wishes.healthy))
        || is_as_before(deployment, sighting, role)
}

/// Ready, and as well as is accepted.
#[must_use]
pub fn is_healthy(environment: &Environment, accepted: Health) -> bool {
    environment.status == "Ready" && health_of(environment).is_some_and(|health| health <= accepted)
}

/// How well an environment is; none where that is not known.
#[must_use]
pub fn health_of(environment: &Environment) -> Option<Health> {
    Health::of(environment.health_status.as_deref(), &environment.health)
}

/// How production was before this release touched it, with one poll more: the worst of them.
#[must_use]
pub fn usual_health(deployment: &Deployment, sighting: &Sighting) -> Option<Health> {
    let plan = &deployment.plan;
    let is_before = matches!(
        deployment.state.kind(),
        Kind::Preparing | Kind::Cloning | Kind::Warming
    ) && deployment.traffic_moved_at.is_none()
        && sighting.production(plan) == Some(Role::Blue);
    let blue = sighting.of(plan, Role::Blue);
    let blue = blue.filter(|blue| is_before && blue.status == "Ready");
    deployment.usual_health.max(blue.and_then(health_of))
}

/// Whether an environment is production while it is monitored, and no less healthy than production
/// was before the release, or than the other environment is, so that its health is no reason to
/// roll back. Health worse than a Warning is tolerated only where the plan accepts it and it was so
/// before.
fn is_as_before(deployment: &Deployment, sighting: &Sighting, role: Role) -> bool {
    let plan = &deployment.plan;
    if deployment.state.kind() != Kind::Baking || role != plan.destination() {
        return false;
    }
    let environment = sighting.of(plan, role);
    let Some(health) = environment
        .filter(|e| e.status == "Ready")
        .and_then(health_of)
    else {
        return false;
    };
    let other = sighting.of(plan, role.other()).and_then(health_of);
    let was_so = deployment
        .usual_health
        .is_some_and(|before| health <= before);
    let is_so_there = other.is_some_and(|other| health <= other);
    match health {
        Health::Ok | Health::Warning => was_so || is_so_there,
        Health::Degraded | Health::Severe => was_so && health <= plan.wishes.healthy,
    }
}

fn health_in_words(environment: &Environment) -> String {
    match &environment.health_status {
        Some(status) => format!("{} {status}", environment.health),
        None => environment.health.clone(),
    }
}

/// Why an environment's health is what it is, in the service's words.
fn causes(sighting: &Sighting, role: Role) -> Option<String> {
    let (_, causes) = sighting.causes.iter().find(|(of, _)| *of == role)?;
    let told = causes.iter().take(CAUSES_TOLD).map(|cause| cause.trim());
    Some(told.collect::<Vec<_>>().join(" "))
}

/// How many causes of a health a text names at most.
const CAUSES_TOLD: usize = 3;

fn env_seen(
    deployment: &Deployment,
    environment: &Environment,
    role: Role,
    sighting: &Sighting,
) -> EnvSeen {
    let counted = sighting.counts.iter().find(|(of, _)| *of == role);
    EnvSeen {
        sizes: sighting
            .sizes
            .and_then(|(of, sizes)| (of == role).then_some(sizes)),
        own_sizes: own_sizes(deployment, role, sighting),
        instances: counted.map(|(_, instances)| *instances),
        id: environment.id.clone(),
        phase: match environment.status.as_str() {
            "Ready" => Phase::Ready,
            "Launching" => Phase::Launching,
            "Terminating" => Phase::Terminating,
            _ => Phase::Busy,
        },
        health: health_in_words(environment),
        abortable: environment.abortable,
        version_label: environment.version_label.clone(),
    }
}

/// What the deployment has set of an environment's sizes and not taken back. An update that
/// has removed some is over when its own events say so: the sizes may be the same.
fn own_sizes(deployment: &Deployment, role: Role, sighting: &Sighting) -> Option<OwnSizes> {
    let own = deployment.sized.as_ref()?.get(&role);
    let removal = removal(deployment).is_some_and(|(of, _)| of == role);
    let is_over = removal && sighting.put_back_events.iter().any(is_completion);
    let mut own = own.cloned().unwrap_or_default();
    if is_over {
        (own.min, own.max) = (Vec::new(), Vec::new());
    }
    Some(own)
}

/// The last request that has removed sizes, where the service has taken it.
fn removal(deployment: &Deployment) -> Option<(Role, EventQuery)> {
    let intent = deployment.intents.get(&EffectKind::Resize)?;
    let (role, _) = intent.sizes.filter(|_| intent.removes.any())?;
    match &intent.outcome {
        // Without its request's id no event tells one update from another.
        Sent::Applied {
            request_id: Some(id),
        } => Some((
            role,
            EventQuery {
                asked_at: intent.at,
                request_id: Some(id.clone()),
            },
        )),
        Sent::Applied { request_id: None } | Sent::Unclear | Sent::NotApplied => None,
    }
}

/// The last request that has removed sizes, where it was for the environment that keeps production.
fn put_back(deployment: &Deployment) -> Option<EventQuery> {
    let keeper = match deployment.state.kind() {
        Kind::TerminatingGreen | Kind::Discarding => Role::Blue,
        Kind::TerminatingBlue => Role::Green,
        _ => return None,
    };
    let (role, query) = removal(deployment)?;
    (role == keeper).then_some(query)
}

fn is_completion(event: &Event) -> bool {
    let done = "Environment update completed successfully";
    event.message.contains(done)
}

/// The version to release as a poll has found it, where nothing of it changes any more.
#[must_use]
pub fn processed_version(plan: &Plan, sighting: &Sighting) -> Option<VersionRecord> {
    let record = sighting.version.clone().flatten();
    record.filter(|_| version(plan, sighting) == Version::Processed)
}

/// The version to release. The service spells its statuses in more than one case.
fn version(plan: &Plan, sighting: &Sighting) -> Version {
    let record = match &sighting.version {
        None => return Version::Processing,
        Some(None) => return Version::Absent,
        Some(Some(record)) => record,
    };
    let elsewhere = plan.bundle.as_ref().and_then(|ours| {
        let (bucket, key) = record.bundle.as_ref()?;
        ((bucket, key) != (&plan.bucket, &ours.key)).then(|| format!("{bucket}/{key}"))
    });
    if let Some(registered) = elsewhere {
        return Version::Conflict(registered);
    }
    match record.status.to_ascii_lowercase().as_str() {
        // Registered without processing: deployable, and checked by the deploy.
        "processed" | "unprocessed" | "" => Version::Processed,
        "failed" => Version::Failed,
        _ => Version::Processing,
    }
}

fn deploy(deployment: &Deployment, sighting: &Sighting) -> Deploy {
    let Some(intent) = deployment.intents.get(&EffectKind::Deploy) else {
        return Deploy::Never;
    };
    let begins_anew = matches!(
        deployment.state.kind(),
        Kind::Deploying | Kind::DeployingGreen
    );
    if intent.at < deployment.entered_at && begins_anew {
        return Deploy::NotSinceEntry;
    }
    let events = events_of_the_deploy(deployment, sighting);
    if events.is_empty() || is_busy(deployment, sighting) {
        return Deploy::Asked;
    }
    match UPDATE.ended(&events) {
        Some(Ended::Badly) => Deploy::Failed(UPDATE.cause(&events).unwrap_or_default()),
        None => Deploy::Running,
        Some(Ended::Well) => match &sighting.instances {
            Some(instances) if all_run(instances, deployment.plan.goal_version()) => Deploy::Proven,
            // Basic health tells of no instance.
            None if !deployment.plan.wishes.limits.rollout.tells_instances => Deploy::Proven,
            Some(_) | None => Deploy::Unproven,
        },
    }
}

/// The events of the last deploy that bluegreen requested, oldest first.
#[must_use]
pub fn events_of_the_deploy<'a>(deployment: &Deployment, sighting: &'a Sighting) -> Vec<&'a Event> {
    let intent = deployment.intents.get(&EffectKind::Deploy);
    match intent.map(|intent| &intent.outcome) {
        None => Vec::new(),
        // What AWS tells of one request is all of that one.
        Some(Sent::Applied {
            request_id: Some(id),
        }) => {
            let of_it = |event: &&Event| event.request_id.as_ref() == Some(id);
            sighting.events.iter().filter(of_it).collect()
        }
        Some(Sent::Applied { request_id: None } | Sent::Unclear | Sent::NotApplied) => {
            UPDATE.newest(&sighting.events)
        }
    }
}

/// What is known of the update that carries the deploy out. It continues where it has had an event
/// no longer ago than its policy's options explain, or an instance is in the middle of it, which
/// basic health does not show. That counts for no longer than [`PATIENCES_MAX`] from the first of
/// these moments; the second is now.
fn update(deployment: &Deployment, sighting: &Sighting, (began, now): (Moment, Moment)) -> Update {
    let events = events_of_the_deploy(deployment, sighting);
    let deploys = matches!(
        deployment.state.kind(),
        Kind::Deploying | Kind::DeployingGreen
    );
    let is_over = UPDATE.ended(&events).is_some() || !is_busy(deployment, sighting);
    let Some(last) = events.last().filter(|_| deploys && !is_over) else {
        return Update::Untold;
    };
    let rollout = &deployment.plan.wishes.limits.rollout;
    let goes_on = now.since(last.at) < rollout.silence
        || match &sighting.instances {
            Some(instances) => instances.iter().any(InstanceVersion::is_in_progress),
            None => !rollout.tells_instances,
        };
    match (
        goes_on,
        now.since(began) < deployment.patience().saturating_mul(PATIENCES_MAX),
    ) {
        (false, _) => Update::Silent,
        (true, true) => Update::GoesOn,
        (true, false) => Update::Overdue,
    }
}

/// Whether the environment that the state deploys to has the version already, though bluegreen has
/// requested nothing since it entered the state: an earlier update has ended well meanwhile, or
/// nothing remains to do.
fn is_there(deployment: &Deployment, sighting: &Sighting) -> bool {
    let goal = deployment.plan.goal_version();
    let found = deployed(deployment, sighting).filter(|found| found.status == "Ready");
    let shows_it = found.is_some_and(|found| found.version_label.as_deref() == Some(goal));
    let events = events_of_the_deploy(deployment, sighting);
    let ended = UPDATE.ended(&events);
    let tells_instances = deployment.plan.wishes.limits.rollout.tells_instances;
    // On the way back it was the version's own deploy that failed.
    let has_failed = deployment.plan.goal == Goal::Release && ended == Some(Ended::Badly);
    shows_it
        && !has_failed
        && match &sighting.instances {
            Some(instances) => all_run(instances, goal),
            None => !tells_instances && ended == Some(Ended::Well),
        }
}

/// The environment that the state deploys to.
fn deployed<'a>(deployment: &Deployment, sighting: &'a Sighting) -> Option<&'a Environment> {
    let role = deployment.deploys_to().unwrap_or(Role::Blue);
    sighting.of(&deployment.plan, role)
}

/// Whether the environment that the state deploys to is not Ready.
fn is_busy(deployment: &Deployment, sighting: &Sighting) -> bool {
    deployed(deployment, sighting).is_some_and(|found| found.status != "Ready")
}

/// How many times its timeout a deploy may take that continues.
pub const PATIENCES_MAX: u32 = 4;

/// What became of an update that has ended without a terminal event: no page documents the final
/// events of traffic splitting.
fn without_a_word(deployment: &Deployment, sighting: &Sighting) -> Deploy {
    let events = events_of_the_deploy(deployment, sighting);
    let errors: Vec<_> = events.into_iter().filter(|e| update::is_error(e)).collect();
    if let Some(errors) = UPDATE.cause(&errors) {
        return Deploy::Failed(errors);
    }
    let goal = deployment.plan.goal_version();
    let deployed = deployed(deployment, sighting);
    let label = deployed.and_then(|found| found.version_label.as_deref());
    let instances = sighting.instances.as_deref();
    if label == Some(goal) && instances.is_some_and(|instances| all_run(instances, goal)) {
        return Deploy::Proven;
    }
    Deploy::Failed(format!(
        "the update ended and its events do not say how: {} shows version {}, and {}",
        deployed.map_or("the environment", |found| found.name.as_str()),
        label.unwrap_or("none"),
        elsewhere(instances, goal)
    ))
}

/// Which instances do not run a version, in words.
fn elsewhere(instances: Option<&[InstanceVersion]>, goal: &str) -> String {
    let Some(instances) = instances else {
        return "AWS does not say what its instances run".to_owned();
    };
    let others = instances.iter().filter(|one| !one.runs(goal));
    let words = |one: &InstanceVersion| {
        format!(
            "{} runs {} ({})",
            one.id,
            one.version_label
                .as_deref()
                .unwrap_or("no version that it tells"),
            one.status.as_deref().unwrap_or("no status")
        )
    };
    let told: Vec<_> = others.take(INSTANCES_TOLD).map(words).collect();
    match (instances.is_empty(), told.is_empty()) {
        (true, _) => "it has no instance".to_owned(),
        (false, true) => format!("every instance runs {goal}"),
        (false, false) => told.join(", "),
    }
}

/// How many instances a text names at most.
const INSTANCES_TOLD: usize = 3;

fn all_run(instances: &[InstanceVersion], goal: &str) -> bool {
    !instances.is_empty() && instances.iter().all(|instance| instance.runs(goal))
}
