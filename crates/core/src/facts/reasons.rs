//! What is known of why a state has not ended yet, in words: what bluegreen reports of a deployment
//! that it gives up. Pure.

use super::sighting::{Event, Sighting};
use super::update::{Ended, UPDATE};
use super::{
    Streaks, TEST_COMMAND, causes, deployed, elsewhere, events_of_the_deploy, is_busy, is_healthy,
    tested, version_under_test,
};
use crate::deployment::Deployment;
use crate::machine::Kind;
use crate::moment::{Moment, whole_seconds};
use crate::plan::{Goal, Role};
use crate::text::short;

/// How many tests a report names at most.
const TOLD_MAX: usize = 3;
/// How many characters of an event a report shows at most.
const CHARACTERS_MAX: usize = 300;

impl Streaks {
    /// Everything that is known of why the state has not ended yet, once this poll is counted in;
    /// what explains most first.
    #[must_use]
    pub fn reasons(
        &self,
        deployment: &Deployment,
        sighting: &Sighting,
        now: Moment,
    ) -> Vec<String> {
        let mut all = Vec::new();
        let swap = self.swap_failed.iter();
        all.extend(swap.map(|why| format!("the last swap failed: {why}")));
        all.extend(of_the_deploy(deployment, sighting, now));
        all.extend(of_the_tests(self, deployment, sighting));
        for role in [Role::Blue, Role::Green] {
            all.extend(causes(sighting, role).map(|why| format!("{role}'s health: {why}")));
        }
        all.extend(of_the_launch(deployment, sighting, now));
        all.extend(of_the_capacity(deployment, sighting));
        all.extend(of_the_traffic(deployment, sighting));
        all.extend(of_the_streaks(self, deployment, sighting));
        all.extend(on_the_way(deployment, now));
        all
    }
}

/// An event, and how long ago it was.
fn last(events: &[&Event], now: Moment) -> Option<String> {
    let last = events.last()?;
    Some(format!(
        "its last event, {} ago: {}",
        whole_seconds(now.since(last.at)),
        short(&last.message, CHARACTERS_MAX)
    ))
}

fn of_the_deploy(deployment: &Deployment, sighting: &Sighting, now: Moment) -> Option<String> {
    deployment.deploys_to()?;
    let target = deployed(deployment, sighting)?;
    let events = events_of_the_deploy(deployment, sighting);
    let name = &target.name;
    let instances = sighting.instances.as_deref();
    let goal = deployment.plan.goal_version();
    let which = elsewhere(instances, goal);
    Some(
        match (is_busy(deployment, sighting), UPDATE.ended(&events)) {
            (true, None) => {
                let last = last(&events, now)?;
                let which = instances.map_or_else(String::new, |_| format!(", and {which}"));
                format!("the update of {name} has not ended, {last}{which}")
            }
            (false, None) => format!(
                "the update of {name} told no end, {}, and {which}",
                last(&events, now)?
            ),
            (_, Some(Ended::Well)) => format!("the update of {name} completed, and {which}"),
            (_, Some(Ended::Badly)) => UPDATE.cause(&events)?,
        },
    )
}

/// The last answers of the tests that have not passed.
fn of_the_tests(streaks: &Streaks, deployment: &Deployment, sighting: &Sighting) -> Option<String> {
    let role = tested(deployment)?;
    let failing = sighting.probes.iter().filter(|probe| !probe.passed);
    let failing = failing.take(TOLD_MAX);
    let told: Vec<_> = failing
        .map(|probe| format!("{} answered {}", probe.asked, probe.got))
        .collect();
    if !told.is_empty() {
        return Some(told.join(", "));
    }
    let command = deployment
        .plan
        .command_towards(version_under_test(deployment));
    (command.is_some() && streaks.command.is_none() && streaks.have_passed(deployment, role))
        .then(|| format!("{TEST_COMMAND} has not ended"))
}

fn of_the_launch(deployment: &Deployment, sighting: &Sighting, now: Moment) -> Option<String> {
    let kind = deployment.state.kind();
    let version = match (&sighting.version, kind) {
        (Some(Some(record)), Kind::Cloning | Kind::Warming)
            if record.status.eq_ignore_ascii_case("processing")
                || record.status.eq_ignore_ascii_case("building") =>
        {
            Some(format!("version {} is {}", record.label, record.status))
        }
        _ => None,
    };
    let green = sighting.of(&deployment.plan, Role::Green);
    let is_launching = green.is_some_and(|green| green.status != "Ready");
    let events: Vec<_> = sighting.launch_events.iter().collect();
    let launch = last(&events, now).filter(|_| is_launching);
    let launch = launch.map(|last| format!("green's launch has not ended, {last}"));
    let all: Vec<_> = launch.into_iter().chain(version).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// Whether fewer instances are healthy than production runs.
fn of_the_capacity(deployment: &Deployment, sighting: &Sighting) -> Option<String> {
    let target = tested(deployment).or(match deployment.state.kind() {
        Kind::Warming => Some(Role::Green),
        _ => None,
    })?;
    let of = |role| {
        let mut counts = sighting.counts.iter();
        counts.find(|(of, _)| *of == role).map(|(_, count)| *count)
    };
    let (own, serving) = (of(target)?, of(target.other())?);
    (own.healthy < serving.running).then(|| {
        format!(
            "{} of the {} instances of {target} are healthy, and {} runs {}",
            own.healthy,
            own.running,
            target.other(),
            serving.running
        )
    })
}

/// The clients that still come to an environment which they should have left.
fn of_the_traffic(deployment: &Deployment, sighting: &Sighting) -> Option<String> {
    let waits = matches!(
        deployment.state.kind(),
        Kind::Baking
            | Kind::Deploying
            | Kind::TerminatingGreen
            | Kind::TerminatingBlue
            | Kind::Discarding
    );
    let serving = sighting.production(&deployment.plan)?;
    let traffic = sighting.idle_traffic.as_ref();
    let traffic = traffic.filter(|_| waits && deployment.may_drain())?;
    let beside = traffic.beside(&deployment.served);
    Some(format!("{} still gets {beside}", serving.other()))
}

/// What must hold for several polls in a row and has held for fewer.
fn of_the_streaks(streaks: &Streaks, deployment: &Deployment, sighting: &Sighting) -> Vec<String> {
    let plan = &deployment.plan;
    let kind = deployment.state.kind();
    let looks = plan.wishes.limits.healthy_looks;
    let waits_for_health = !matches!(
        kind,
        Kind::Preparing | Kind::TerminatingGreen | Kind::TerminatingBlue | Kind::Discarding
    );
    let mut all = Vec::new();
    for (role, healthy) in [
        (Role::Blue, streaks.blue_healthy),
        (Role::Green, streaks.green_healthy),
    ] {
        let found = sighting.of(plan, role);
        let is_well = found.is_some_and(|found| is_healthy(found, plan.wishes.healthy));
        if is_well && healthy < looks && waits_for_health {
            all.push(format!(
                "{role} was healthy in {healthy} polls in a row and needs {looks}"
            ));
        }
    }
    let compares = kind == Kind::Warming && plan.goal == Goal::Release;
    if compares && !streaks.alike && streaks.green_healthy >= looks {
        all.push("green could not be compared with blue".to_owned());
    }
    all
}

/// The requests that may still arrive, so that bluegreen sends no other.
fn on_the_way(deployment: &Deployment, now: Moment) -> Option<String> {
    let may = deployment.may_arrive(now);
    let open: Vec<_> = [
        (may.template, "CreateConfigurationTemplate"),
        (may.green, "CreateEnvironment"),
        (may.swap, "SwapEnvironmentCNAMEs"),
        (may.deploy || may.resize, "UpdateEnvironment"),
    ]
    .into_iter()
    .filter_map(|(is_open, operation)| is_open.then_some(operation))
    .collect();
    (!open.is_empty()).then(|| format!("an earlier {} may still arrive", open.join(" and ")))
}
