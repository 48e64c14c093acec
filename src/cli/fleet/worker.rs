//! A worker of a fleet: takes targets, carries their deployments out, and notes how they end.
//! Several workers share a fleet through its record; the lock of each target decides between them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinSet, LocalSet};
use tracing::{info, warn};

use super::super::exit::{Exit, Failed};
use super::super::output::tell;
use super::super::signals::Standing as Stands;
use super::attempt::{Ended, carry_out};
use super::kept::Fleet;
use super::view::{Board, emit_state, exit_of, heartbeat};
use crate::clock::Moment;
use crate::facts::is_healthy;
use crate::fleet::{Attempt, FleetState, Member, Standing, decide};
use crate::plan::Goal;
use crate::report::fleet::story;
use crate::shared::{FleetRecord, Holder};

/// How often a worker reads the record, and how the targets of others stand.
const POLL: Duration = Duration::from_secs(30);

/// The pause after a worker has taken targets and there are more: others get theirs meanwhile.
const NEXT: Duration = Duration::from_secs(1);

/// How many targets a worker takes at once.
const TAKEN_AT_ONCE: usize = 2;

/// How often the view is drawn where nothing happens: of the wall's time.
const TICK: Duration = Duration::from_millis(500);

/// How often a log says how far the fleet is: of the wall's time.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// How often in a row a released target must be unhealthy to stop the fleet.
const SICK_POLLS: u32 = 3;

struct Worker {
    fleet: Fleet,
    /// This process, as the record names it.
    me: String,
    board: Arc<Board>,
    /// The deployments that this process carries out, by the numbers of their targets.
    running: BTreeMap<usize, String>,
    tasks: JoinSet<(usize, Ended)>,
    /// The environments that the released targets' users are on.
    serving: BTreeMap<usize, String>,
    /// How often in a row each released target was unhealthy.
    sick: BTreeMap<usize, u32>,
    /// How many of the fleet's changes of state were reported.
    reported: usize,
    /// Why no more targets are taken.
    failed: Option<Failed>,
}

/// What this process has seen of the targets that it does not carry out.
#[derive(Default)]
struct Others {
    /// Those whose process is gone.
    silent: BTreeSet<usize>,
    /// Those whose deployment rests, which their process has not noted.
    rested: Vec<(usize, Ended)>,
    /// A released target that is not healthy.
    unwell: Option<String>,
}

/// Carries a fleet on until it rests.
/// `goal` is what the operator wanted: the exit code refers to it.
pub(super) async fn work(mut fleet: Fleet, goal: Goal) -> Result<Exit, Failed> {
    let file = fleet.path_for_shell();
    fleet.context.signals.stand(Stands::Begun {
        told: "interrupted by a signal".to_owned(),
        hint: format!("continue with: bluegreen fleet resume {file}"),
    });
    let record = fleet.record().await?;
    let journal = fleet.context.store.identity()?;
    let mut worker = Worker {
        me: Holder::this_process(Some(&journal)).to_string(),
        board: Arc::new(Board::new(&fleet.context, &record)),
        running: BTreeMap::new(),
        tasks: JoinSet::new(),
        serving: BTreeMap::new(),
        sick: BTreeMap::new(),
        reported: record.transitions.len(),
        failed: None,
        fleet,
    };
    // The stores are not shared between threads.
    let local = LocalSet::new();
    let record = local.run_until(worker.run(record)).await?;
    let Worker {
        board, mut fleet, ..
    } = worker;
    drop(board);
    fleet.context.forget_what_is_old();
    let paused = fleet.context.options.ci.exit_code_paused;
    let exit = exit_of(&record, goal, paused);
    tell(&story(&record, &file, &|member| fleet.place_of(member)));
    let why = record.transitions.last().map(|last| last.why.clone());
    emit_state(&record, &why.unwrap_or_default(), Some(exit.code()));
    Ok(exit)
}

impl Worker {
    async fn run(&mut self, mut record: FleetRecord) -> Result<FleetRecord, Failed> {
        let mut came = self.fleet.context.signals.came();
        let mut others = Others::default();
        loop {
            let ends = *came.borrow() || self.failed.is_some();
            let mut pause = POLL;
            if !ends {
                match self.step(&others).await {
                    Ok((now, more)) => {
                        record = now;
                        if more {
                            pause = NEXT;
                        }
                    }
                    Err(failed) if failed.is_passing() => {
                        warn!(
                            "the fleet's record cannot be read for now: {}",
                            failed.message()
                        );
                    }
                    Err(failed) => self.failed = Some(failed),
                }
                others = Others::default();
            }
            if self.running.is_empty() {
                if record.state.rests() && self.failed.is_none() {
                    return Ok(record);
                }
                if let Some(failed) = self.failed.take() {
                    return Err(failed);
                }
                if ends {
                    return Err(self.fleet.context.signals.interrupted());
                }
            }
            self.board.update(&record);
            let clock = self.fleet.context.clock;
            let mut woken = std::pin::pin!(clock.sleep(pause));
            let mut heard = tokio::time::interval(HEARTBEAT);
            heard.reset();
            loop {
                self.board.draw(&record, &clock);
                tokio::select! {
                    // A panic ends the process.
                    Some(Ok((number, ended))) = self.tasks.join_next() => {
                        if let Err(failed) = self.ended(number, ended).await {
                            warn!("{}", failed.message());
                        }
                        break;
                    }
                    () = &mut woken => {
                        if pause == POLL && !ends {
                            others = self.others(&record).await;
                        }
                        break;
                    }
                    _ = came.wait_for(|yes| *yes), if !ends => break,
                    _ = heard.tick(), if !self.board.is_drawn() => heartbeat(&record),
                    () = tokio::time::sleep(TICK), if self.board.is_drawn() => {}
                }
            }
        }
    }

    /// Lets the fleet do what follows, and begins what this process has taken. Returns the record,
    /// and whether there is more to take.
    async fn step(&mut self, others: &Others) -> Result<(FleetRecord, bool), Failed> {
        for (number, ended) in &others.rested {
            self.note(*number, ended).await?;
        }
        let now = self.fleet.context.clock.now();
        let (me, running) = (self.me.clone(), self.running.clone());
        let taking = |record: &mut FleetRecord| {
            let mut change = Change {
                record,
                me: &me,
                running: &running,
                silent: &others.silent,
                now,
                taken: Vec::new(),
                returned: Vec::new(),
                more: false,
            };
            change.take(others.unwell.as_deref());
            (change.taken, change.returned, change.more)
        };
        let (record, (taken, returned, more)) = self.fleet.change(taking).await?;
        for transition in record.transitions.iter().skip(self.reported) {
            info!("fleet {}: {}", record.name, transition.why);
            emit_state(&record, &transition.why, None);
        }
        self.reported = record.transitions.len();
        for deployment in returned {
            let store = &mut self.fleet.context.store;
            store.request_retreat(&deployment, now)?;
        }
        for number in taken {
            self.begin(number, &record.members[number])?;
        }
        Ok((record, more))
    }

    /// Begins, or continues, the deployment of a target.
    fn begin(&mut self, number: usize, member: &Member) -> Result<(), Failed> {
        let Some(attempt) = member.attempt.clone() else {
            return Err(Failed::bug(&"a target was taken without an attempt"));
        };
        let prepared = self.fleet.prepared[number].clone();
        let context = prepared.context(&self.fleet.context)?;
        let board = Arc::clone(&self.board);
        let target = (number, member.name.clone());
        let released = member.released.clone();
        self.running.insert(number, attempt.deployment.clone());
        self.tasks.spawn_local(async move {
            let number = target.0;
            let ended = carry_out(context, &prepared, &attempt, released, (target, board)).await;
            (number, ended)
        });
        Ok(())
    }

    /// Notes how a deployment of this process has ended.
    async fn ended(&mut self, number: usize, ended: Ended) -> Result<(), Failed> {
        self.running.remove(&number);
        if let Ended::Rests(deployment) = &ended {
            let serving = deployment.plan.environment(deployment.plan.destination());
            self.serving.insert(number, serving.to_owned());
        }
        let is_signal = *self.fleet.context.signals.came().borrow();
        let ended = match ended {
            Ended::Interrupted(_) if is_signal => Ended::Left,
            ended => ended,
        };
        self.note(number, &ended).await
    }

    async fn note(&mut self, number: usize, ended: &Ended) -> Result<(), Failed> {
        let noted = |record: &mut FleetRecord| {
            let member = &mut record.members[number];
            ended.note(member);
            member.clone()
        };
        let (record, member) = self.fleet.change(noted).await?;
        let why = member.why.as_ref().map(|why| format!(": {why}"));
        let (name, stands) = (&member.name, member.standing.in_words());
        let text = format!("{name} is {stands}{}", why.unwrap_or_default());
        match member.has_failed() {
            true => warn!("{text}"),
            false => info!("{text}"),
        }
        self.board.update(&record);
        emit_state(&record, &text, None);
        Ok(())
    }

    /// How the targets stand that others carry out, or that are released and baking.
    async fn others(&mut self, record: &FleetRecord) -> Others {
        let mut others = Others::default();
        for (number, member) in record.members.iter().enumerate() {
            let is_own = self.running.contains_key(&number);
            let Some(attempt) = member.attempt.as_ref().filter(|_| !is_own) else {
                continue;
            };
            if member.standing == Standing::UnderWay {
                match self.other(number, attempt).await {
                    Ok(Seen::Alive) => {}
                    Ok(Seen::Silent) => {
                        others.silent.insert(number);
                    }
                    Ok(Seen::Rests(ended)) => others.rested.push((number, *ended)),
                    Err(failed) => warn!("{}: {}", member.name, failed.message()),
                }
            }
        }
        if let FleetState::Baking { wave, .. } = record.state {
            for (number, member) in record.members.iter().enumerate() {
                let is_released = member.standing == Standing::Completed && member.wave <= wave;
                if is_released && let Some(health) = self.unhealthy(number, member).await {
                    others.unwell = Some(format!("{} is not healthy: {health}", member.name));
                }
            }
        }
        others
    }

    /// How a deployment stands that another process carries out, or has left.
    async fn other(&self, number: usize, attempt: &Attempt) -> Result<Seen, Failed> {
        let prepared = &self.fleet.prepared[number];
        let context = self.fleet.reader(number)?;
        let Some(found) = context.known(&attempt.deployment).await? else {
            // Its process checks, or waits in the queue; or it is gone.
            let now = self.fleet.context.clock.now();
            let lease = prepared.options.lease;
            let patience = prepared.args.wait() + lease + lease;
            let is_here = context.store.is_driven(&attempt.deployment);
            let is_late = now.since(attempt.since) > patience;
            let is_left = attempt.worker.is_none() || is_late;
            return Ok(match is_left && !is_here {
                true => Seen::Silent,
                false => Seen::Alive,
            });
        };
        let deployment = found.deployment;
        let may_return = attempt.goal == Goal::Previous && !deployment.state.is_end();
        if deployment.state.rests() && !may_return {
            return Ok(Seen::Rests(Box::new(Ended::Rests(Box::new(deployment)))));
        }
        let lease = context.lease_of(&deployment).await;
        Ok(match context.is_carried_on(&deployment, lease.as_ref()) {
            true => Seen::Alive,
            false => Seen::Silent,
        })
    }

    /// The health of a released target that has been unhealthy several times in a row.
    async fn unhealthy(&mut self, number: usize, member: &Member) -> Option<String> {
        let prepared = &self.fleet.prepared[number];
        let context = self.fleet.reader(number).ok()?;
        let serving = match self.serving.get(&number) {
            Some(serving) => serving.clone(),
            None => {
                let id = &member.attempt.as_ref()?.deployment;
                let plan = context.known(id).await.ok()??.deployment.plan;
                plan.environment(plan.destination()).to_owned()
            }
        };
        self.serving.insert(number, serving.clone());
        let (cloud, _) = context.cloud().await.ok()?;
        let found = cloud.environments(std::slice::from_ref(&serving)).await;
        let environment = found.ok()?.into_iter().next();
        let is_well = environment
            .as_ref()
            .is_some_and(|found| is_healthy(found, prepared.config.wishes.healthy));
        if is_well {
            self.sick.remove(&number);
            return None;
        }
        let times = self.sick.entry(number).or_default();
        *times = times.saturating_add(1);
        let health = environment.map_or_else(
            || "it is gone".to_owned(),
            |found| {
                format!(
                    "{} is {}",
                    found.name,
                    found.health_status.unwrap_or(found.health)
                )
            },
        );
        (*times >= SICK_POLLS).then_some(health)
    }
}

/// How a deployment of another process stands.
enum Seen {
    /// A process carries it out.
    Alive,
    /// No process does.
    Silent,
    /// It rests.
    Rests(Box<Ended>),
}

/// One change of the record: what follows for the fleet, and what this process takes.
struct Change<'a> {
    record: &'a mut FleetRecord,
    me: &'a str,
    running: &'a BTreeMap<usize, String>,
    silent: &'a BTreeSet<usize>,
    now: Moment,
    /// The targets that this process has taken.
    taken: Vec<usize>,
    /// The deployments of this process that roll back from now on.
    returned: Vec<String>,
    /// Whether there is more to take.
    more: bool,
}

impl Change<'_> {
    fn take(&mut self, unwell: Option<&str>) {
        let mut begin = Vec::new();
        // A wave that is over leads to the next one, and that to its targets.
        for _ in 0..=self.record.plan.waves.len().saturating_mul(3) {
            let record = &self.record;
            let (state, members) = (record.state, &record.members);
            let decision = decide(&record.plan, state, members, unwell, self.now);
            begin = decision.begin;
            let Some((state, why)) = decision.enter else {
                break;
            };
            self.record.enter(state, &why, self.now);
        }
        for number in begin {
            self.begin(number);
        }
        for number in self.silent {
            let member = &mut self.record.members[*number];
            let is_left = member.standing == Standing::UnderWay && !self.taken.contains(number);
            if let Some(attempt) = member.attempt.as_mut().filter(|_| is_left) {
                attempt.worker = Some(self.me.to_owned());
                attempt.since = self.now;
                self.taken.push(*number);
            }
        }
    }

    fn begin(&mut self, number: usize) {
        let is_rolling_back = matches!(self.record.state, FleetState::RollingBack { .. });
        let member = &mut self.record.members[number];
        let is_own = self.running.contains_key(&number);
        let standing = member.standing;
        if is_rolling_back && standing == Standing::UnderWay {
            let Some(attempt) = &mut member.attempt else {
                return;
            };
            if is_own {
                attempt.goal = Goal::Previous;
                self.returned.push(attempt.deployment.clone());
            } else if self.silent.contains(&number) {
                // It is taken below, and returns then.
                attempt.goal = Goal::Previous;
            }
            return;
        }
        if self.taken.len() >= TAKEN_AT_ONCE {
            self.more = true;
            return;
        }
        let goal = match is_rolling_back {
            true => Goal::Previous,
            false => Goal::Release,
        };
        let new = || ulid::Ulid::new().to_string();
        let deployment = match (&member.attempt, standing) {
            // What it has released is undone by a release of the version before.
            (Some(attempt), Standing::Completed) => {
                member.released = Some(attempt.deployment.clone());
                new()
            }
            (Some(attempt), _) => attempt.deployment.clone(),
            (None, _) => new(),
        };
        member.attempt = Some(Attempt {
            deployment,
            goal,
            worker: Some(self.me.to_owned()),
            since: self.now,
        });
        member.standing = Standing::UnderWay;
        member.why = None;
        self.taken.push(number);
    }
}
