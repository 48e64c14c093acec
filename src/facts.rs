//! From what AWS tells to the facts the machine decides on. Pure.

#[cfg(test)]
mod tests;

use crate::acceptance::AcceptanceTest;
use crate::clock::Moment;
use crate::cloud::{Alarms, Environment, Event, EventQuery, InstanceVersion, Needs, Sighting};
use crate::command::Ran;
use crate::deployment::{Deployment, Sent};
use crate::fidelity::Difference;
use crate::machine::{
    Deploy, EffectKind, EnvSeen, Green, Kind, Likeness, Phase, Seen, Test, Version,
};
use crate::plan::{Goal, Plan, Role, Strategy};
use crate::traffic::{self, Idle};

/// What a look must read in the present state.
#[must_use]
pub fn needs(deployment: &Deployment) -> Needs {
    let kind = deployment.state.kind();
    let deploy = matches!(kind, Kind::Deploying | Kind::AbortingDeploy)
        .then(|| deployment.intents.get(&EffectKind::Deploy))
        .flatten()
        .map(|intent| EventQuery {
            asked_at: intent.at,
            request_id: match &intent.outcome {
                Sent::Applied { request_id } => request_id.clone(),
                Sent::Unclear | Sent::NotApplied => None,
            },
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
        capacity: match kind {
            Kind::Warming if has_group => Some(Role::Green),
            Kind::Testing if has_group => Some(Role::Blue),
            _ => None,
        },
        keeper: match kind {
            Kind::TerminatingGreen | Kind::Discarding if has_group => Some(Role::Blue),
            Kind::TerminatingBlue if has_group => Some(Role::Green),
            _ => None,
        },
        test: tested(deployment),
        // On the way back they tell of what is being left.
        alarms: kind == Kind::Baking
            && deployment.plan.goal == Goal::Release
            && !deployment.plan.alarms.is_empty(),
        within: (kind == Kind::Baking).then(|| {
            let limits = &deployment.plan.limits;
            // A test that was slow and passed is not to fail for being watched.
            let slow = deployment.slowest_answer * limits.latency_rise.max(1);
            limits.watch_within().max(slow)
        }),
        likeness: false,
        production_traffic: matches!(kind, Kind::Warming | Kind::Baking)
            || tells_the_usual(deployment),
        idle_traffic: deployment.reads_idle_traffic(),
    }
}

/// Whether production runs what it is compared with afterwards: on green while blue is
/// tested, or on blue while green is, which is to keep production.
#[must_use]
pub fn tells_the_usual(deployment: &Deployment) -> bool {
    deployment.state.kind()
        == match deployment.plan.strategy {
            Strategy::Restore => Kind::Testing,
            Strategy::Promote => Kind::Warming,
        }
}

/// Whose environment is tested in the present state. On the way back green runs what
/// production runs: there is nothing to find out.
fn tested(deployment: &Deployment) -> Option<Role> {
    let plan = &deployment.plan;
    match deployment.state.kind() {
        Kind::Warming if plan.tests_green() => Some(Role::Green),
        Kind::Testing => Some(Role::Blue),
        Kind::Baking if plan.tests_production() => Some(plan.destination()),
        _ => None,
    }
}

/// Remembers what only counts in a row. Lost with the process, which only means
/// that the count begins again.
#[derive(Debug, Default)]
pub struct Streaks {
    production: Option<(Option<Role>, Moment)>,
    blue_healthy: u32,
    green_healthy: u32,
    production_sick: u32,
    /// How many looks in a row green was not what blue is.
    unlike: u32,
    /// Whether it was, in this state.
    alike: bool,
    /// How many looks in a row the environment that production left was not asked for
    /// anything.
    quiet: u32,
    /// How many looks in a row it got a substantial share of the traffic.
    staying: u32,
    /// How many requests production got in this state, as far as looks told.
    production_requests: u64,
    /// One a test of the plan.
    tests: Vec<TestStreak>,
    /// What became of the command that tests, once it was run in this state.
    command: Option<Ran>,
}

#[derive(Clone, Copy, Debug, Default)]
struct TestStreak {
    passes: u32,
    failures: u32,
}

impl Streaks {
    /// Counts a look in and tells the facts.
    pub fn observe(&mut self, deployment: &Deployment, sighting: &Sighting, now: Moment) -> Seen {
        let plan = &deployment.plan;
        let limits = &plan.limits;
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
        count(&mut self.blue_healthy, blue.is_some_and(is_healthy));
        count(&mut self.green_healthy, green.is_some_and(is_healthy));
        let test = self.test(deployment, sighting, now);
        // A bake does not end on tests that have yet to pass, where they are to watch it.
        let is_tested = tested(deployment).is_none() || test == Test::Passed;
        // Nor on alarms that nobody could read.
        let unread = match &sighting.alarms {
            Alarms::Unread(why) => Some(why),
            Alarms::Unasked | Alarms::Quiet | Alarms::Ringing(_) => None,
        };
        let ailment = self.ailment(deployment, sighting);
        count(&mut self.production_sick, ailment.is_some());
        let idle = sighting.idle_traffic.as_ref();
        let remaining = idle.map(|traffic| {
            let quiet_requests = deployment.quiet_requests();
            traffic.remaining(&deployment.served, quiet_requests)
        });
        count(&mut self.quiet, remaining == Some(Idle::Quiet));
        count(&mut self.staying, remaining == Some(Idle::Substantial));
        let is_quiet = self.quiet >= limits.healthy_looks;
        let remaining = match remaining {
            // With basic health the time alone tells.
            None => Idle::Quiet,
            Some(Idle::Quiet) if !is_quiet => Idle::Remainder,
            Some(remaining) => remaining,
        };
        let stays = self.staying >= limits.healthy_looks
            && deployment.has_waited_for_traffic(now)
            && !limits.accept_traffic_loss;
        let production_requests = sighting.production_traffic.as_ref().map(|t| t.requests);
        self.production_requests = self
            .production_requests
            .saturating_add(production_requests.unwrap_or(0).into());
        let differences = sighting.differences.as_deref();
        self.alike |= differences.is_some_and(<[Difference]>::is_empty);
        let differs = differences.is_some_and(|found| !found.is_empty());
        count(&mut self.unlike, differs);
        let likeness = match differences {
            _ if self.alike => Likeness::Alike,
            Some(found) if self.unlike >= limits.healthy_looks => {
                Likeness::Unlike(found.iter().map(Difference::to_string).collect())
            }
            Some(_) | None => Likeness::Unknown,
        };
        Seen {
            likeness,
            production,
            production_settled: now.since(since) >= limits.settle,
            blue: blue.map(|found| env_seen(found, Role::Blue, sighting)),
            blue_trusted: self.blue_healthy >= limits.healthy_looks,

            green: match (sighting.of(plan, Role::Green), green) {
                (None, _) => Green::Absent,
                (Some(_), Some(green)) => Green::Ours(env_seen(green, Role::Green, sighting)),
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
            deploy: deploy(deployment, sighting),
            test,
            drained: deployment.is_drained(remaining, now),
            traffic_stays: idle
                .filter(|_| stays)
                .map(|traffic| traffic.beside(&deployment.served)),
            baked: is_tested && unread.is_none() && now.since(deployment.entered_at) >= limits.bake,
            may_arrive: deployment.may_arrive(now),
        }
    }

    /// A new state starts its counts anew, except who holds production.
    pub fn entered_a_state(&mut self) {
        *self = Streaks {
            production: self.production,
            quiet: self.quiet,
            staying: self.staying,
            ..Streaks::default()
        };
    }

    /// Whether looks saw production serve anybody in this state.
    #[must_use]
    pub fn saw_requests(&self) -> bool {
        self.production_requests > 0
    }

    /// Whether the next look is to compare green with blue: until it was found to be what
    /// blue is.
    #[must_use]
    pub fn wants_likeness(&self, deployment: &Deployment) -> bool {
        deployment.state.kind() == Kind::Warming
            && deployment.plan.goal == Goal::Release
            && !self.alike
    }

    /// Whose environment the command that tests is to be run for now, if anyone's: once in a
    /// state, when every test over HTTP has passed its number of times in a row. A command
    /// goes by the names it is given: it waits until no cached answer leads it elsewhere.
    #[must_use]
    pub fn wants_command(&self, deployment: &Deployment, now: Moment) -> Option<Role> {
        let plan = &deployment.plan;
        let is_due = plan.command_towards(plan.goal).is_some()
            && self.command.is_none()
            && deployment.caches_are_over(now);
        tested(deployment).filter(|role| is_due && self.have_passed(plan, *role))
    }

    /// Whether every test has passed often enough. Where none is left on the way back,
    /// health has to do.
    fn have_passed(&self, plan: &Plan, role: Role) -> bool {
        let tests = plan.tests_towards(plan.goal);
        if tests.is_empty() {
            let healthy = match role {
                Role::Blue => self.blue_healthy,
                Role::Green => self.green_healthy,
            };
            return healthy >= plan.limits.healthy_looks;
        }
        let enough = |(test, streak): (&&AcceptanceTest, &TestStreak)| {
            streak.passes >= test.passes.unwrap_or(plan.limits.test_passes)
        };
        self.tests.len() == tests.len() && tests.iter().zip(&self.tests).all(enough)
    }

    /// Counts the answers in. Green shows Ready before it can answer: until it is
    /// healthy its answers do not count.
    fn test(&mut self, deployment: &Deployment, sighting: &Sighting, now: Moment) -> Test {
        let plan = &deployment.plan;
        let Some(role) = tested(deployment) else {
            return Test::Undecided;
        };
        let answers = match role {
            Role::Blue => true,
            Role::Green => sighting.of(plan, role).is_some_and(is_healthy),
        };
        let tests = plan.tests_towards(plan.goal);
        if !answers || sighting.probes.len() != tests.len() {
            return Test::Undecided;
        }
        self.tests.resize(tests.len(), TestStreak::default());
        // A failure that may be the other environment's says nothing of this one.
        let caches_are_over = deployment.caches_are_over(now);
        for (streak, probe) in self.tests.iter_mut().zip(&sighting.probes) {
            count(&mut streak.passes, probe.passed);
            let counts = probe.is_sure || caches_are_over;
            count(&mut streak.failures, !probe.passed && counts);
        }
        if let Some(ran) = &sighting.command {
            self.command = Some(ran.clone());
        }
        let given_up = tests.iter().zip(&self.tests).position(|(test, streak)| {
            streak.failures >= test.failures.unwrap_or(plan.limits.test_failures)
        });
        let failed = given_up.and_then(|at| sighting.probes.get(at));
        if let Some(probe) = failed {
            return Test::Failed {
                asked: probe.asked.clone(),
                got: probe.got.clone(),
            };
        }
        match (plan.command_towards(plan.goal), &self.command) {
            (Some(_), Some(ran)) if !ran.passed() => Test::Failed {
                asked: TEST_COMMAND.to_owned(),
                got: ran.in_words(),
            },
            (Some(_), None) => Test::Undecided,
            (Some(_), Some(_)) | (None, _) if self.have_passed(plan, role) => Test::Passed,
            _ => Test::Undecided,
        }
    }

    /// What is wrong with production while it is watched; none where nothing is. A test that
    /// names its own number of failures is wrong no earlier than that.
    fn ailment(&self, deployment: &Deployment, sighting: &Sighting) -> Option<String> {
        if deployment.state.kind() != Kind::Baking {
            return None;
        }
        let plan = &deployment.plan;
        let production = sighting.of(plan, plan.destination())?;
        let health = production.health_status.as_deref().unwrap_or_default();
        if production.health == "Red" || matches!(health, "Degraded" | "Severe" | "Suspended") {
            return Some(format!("its health is {}", health_in_words(production)));
        }
        let traffic = sighting.production_traffic.as_ref();
        let worse = |now| traffic::ailment(now, &deployment.usual, &plan.limits);
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
            let counted = plan.limits.sick_looks.saturating_sub(1);
            let from = test
                .failures
                .map_or(1, |n| n.saturating_sub(counted).max(1));
            !probe.passed && streak.failures >= from
        });
        let (_, probe) = wrong.next()?;
        Some(format!("{} answered {}", probe.asked, probe.got))
    }
}

/// What is asked where it is the command.
pub(crate) const TEST_COMMAND: &str = "--test-command";

fn count(streak: &mut u32, holds: bool) {
    *streak = if holds { streak.saturating_add(1) } else { 0 };
}

/// Ready, and Ok or Info; Green where health is basic.
#[must_use]
pub fn is_healthy(environment: &Environment) -> bool {
    environment.status == "Ready"
        && match environment.health_status.as_deref() {
            Some(status) => matches!(status, "Ok" | "Info"),
            None => environment.health == "Green",
        }
}

fn health_in_words(environment: &Environment) -> String {
    match &environment.health_status {
        Some(status) => format!("{} {status}", environment.health),
        None => environment.health.clone(),
    }
}

fn env_seen(environment: &Environment, role: Role, sighting: &Sighting) -> EnvSeen {
    let counted = sighting.counts.iter().find(|(of, _)| *of == role);
    EnvSeen {
        sizes: sighting
            .sizes
            .and_then(|(of, sizes)| (of == role).then_some(sizes)),
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
    if intent.at < deployment.entered_at && deployment.state.kind() == Kind::Deploying {
        return Deploy::NotSinceEntry;
    }
    let events = of_newest_update(&sighting.events);
    if events.is_empty() {
        return Deploy::Asked;
    }
    if let Some(failure) = events.iter().find(|event| is_failure(event)) {
        return Deploy::Failed(failure.message.clone());
    }
    let done = |event: &&Event| {
        event
            .message
            .contains("Environment update completed successfully")
    };
    if !events.iter().any(done) {
        return Deploy::Running;
    }
    match &sighting.instances {
        Some(instances) if !all_run(instances, deployment.plan.goal_version()) => Deploy::Unproven,
        _ => Deploy::Proven,
    }
}

/// The failure that the events of a swap tell of, in the service's words: then it moves
/// nothing any more, and may be asked for again.
#[must_use]
pub fn failure_of_the_swap(sighting: &Sighting) -> Option<&str> {
    let events = &sighting.swap_events;
    let is_done = |event: &Event| event.message.contains("Completed swapping CNAMEs");
    if events.iter().any(is_done) {
        return None;
    }
    let failure = events.iter().find(|event| is_failure(event))?;
    Some(&failure.message)
}

/// The events of the newest update among them, oldest first: without a request
/// id those of other operations may be there too.
fn of_newest_update(events: &[Event]) -> Vec<&Event> {
    let start = events
        .iter()
        .rev()
        .find(|event| event.message.contains("Environment update is starting"));
    let Some(start) = start else {
        return Vec::new();
    };
    events
        .iter()
        .filter(|event| event.at >= start.at && event.request_id == start.request_id)
        .collect()
}

fn is_failure(event: &Event) -> bool {
    matches!(event.severity.as_str(), "ERROR" | "FATAL")
}

fn all_run(instances: &[InstanceVersion], goal: &str) -> bool {
    !instances.is_empty()
        && instances.iter().all(|instance| {
            instance.version_label.as_deref() == Some(goal)
                && instance.status.as_deref().is_none_or(|s| s == "Deployed")
        })
}
