//! One deployment as the journal keeps it: the plan, the state, and the requests that bluegreen has
//! sent to AWS. Pure.

// Numbers here are read from others.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fidelity::Marks;
use crate::followers::listener_rules::RuleOwners;
use crate::followers::preview::Lead;
use crate::health::Health;
use crate::machine::{
    Cause, Change, Deploy, Drift, Effect, EffectKind, EnvSeen, FollowersSeen, Kind, Late,
    MayArrive, Phase, Seen, State,
};
use crate::moment::Moment;
use crate::plan::{Goal, OwnSizes, Plan, REQUEST_TIMEOUT, Role, SEND_WITHIN, Sizes, Which};
use crate::traffic::{Idle, Served, Traffic, Usual};

/// What a termination may take on top of the state's timeout: several minutes, and as long again
/// where a security group was still in use.
const CLEARING_AWAY: Duration = Duration::from_secs(15 * 60);

/// However many requests green gets before users are on it, no more than this many times the plan's
/// figure passes for health checks: those of ten load balancer nodes, each every five seconds, make
/// six times the default.
const MEASURED_FACTOR_MAX: u64 = 6;

/// What a checkpoint holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// Everything decided beforehand.
    pub plan: Plan,
    /// Where it stands.
    pub state: State,
    /// When that state was entered.
    pub entered_at: Moment,
    /// When the deployment began.
    pub started_at: Moment,
    /// When it was last checkpointed.
    pub updated_at: Moment,
    /// Grows with every checkpoint; a process that holds an older one has been
    /// overtaken.
    pub revision: u64,
    /// The fencing number of the lock under which it was last checkpointed; 0 where there is none.
    #[serde(default)]
    pub fence: u64,
    /// When production last left an environment, as far as this deployment did it.
    pub traffic_moved_at: Option<Moment>,
    /// When the environment that production left was found drained.
    #[serde(default)]
    pub drained_at: Option<Moment>,
    /// What production answered before it moved last.
    #[serde(default)]
    pub usual: Usual,
    /// The worst that production's health was before the release touched it; none where it was
    /// not seen.
    #[serde(default)]
    pub usual_health: Option<Health>,
    /// How many requests production got before it moved.
    #[serde(default)]
    pub served: Served,
    /// How many requests a minute and instance green got at most before it took any traffic:
    /// what health checks make.
    #[serde(default)]
    pub health_checks: u64,
    /// Why nobody counts the requests of the environment that production left, in words, so that
    /// it drains by time alone; none where they are counted.
    #[serde(default)]
    pub uncounted: Option<String>,
    /// The state that an operator's order has led out of, while the hooks of that change have yet
    /// to run.
    #[serde(default)]
    pub left: Option<Kind>,
    /// Why the deployment rolls back without an operator's order: a hook failed, or nobody approved
    /// it.
    #[serde(default)]
    pub turned_back: Option<Cause>,
    /// The slowest answer that passed a test before production moved last to where bluegreen
    /// monitors it.
    #[serde(default)]
    pub slowest_answer: Duration,
    /// What the events of the last deploy that bluegreen requested have warned of, oldest first.
    #[serde(default)]
    pub deploy_warnings: Vec<DeployWarning>,
    /// The terminations that bluegreen has requested in the present state, oldest first.
    #[serde(default)]
    pub terminations: Vec<AskedTermination>,
    /// Green's environment id, once its tag or the answer to its creation contained it.
    pub green_id: Option<String>,
    /// What each environment was when green was last found healthy; none where bluegreen has not
    /// read that.
    #[serde(default)]
    pub known: BTreeMap<Role, Known>,
    /// The version labels that it has deployed to blue, or was about to.
    #[serde(default)]
    pub deployed: Vec<String>,
    /// What somebody else has changed and an operator has given up.
    #[serde(default)]
    pub discarded: Vec<Drift>,
    /// What it has set of the sizes of each environment; none where that is not known.
    #[serde(default)]
    pub sized: Option<BTreeMap<Role, OwnSizes>>,
    /// The last request of each effect that bluegreen must not request twice.
    pub intents: BTreeMap<EffectKind, Intent>,
}

/// What an environment was at a moment, by which a later change is noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The version label it showed.
    pub version: Option<String>,
    /// What it was configured with.
    pub marks: Marks,
}

/// A warning or an error among the events of a deploy. One that succeeds may have some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployWarning {
    /// When.
    pub at: Moment,
    /// WARN, ERROR or FATAL.
    pub severity: String,
    /// The service's words.
    pub message: String,
}

/// How many of them are kept.
const WARNINGS_MAX: usize = 50;

/// How many terminations are kept: one that fails takes minutes.
const TERMINATIONS_MAX: usize = 32;

/// A termination that AWS has taken, or may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedTermination {
    /// When it was answered, or found to be without an answer.
    pub at: Moment,
    /// The id that its events bear; none where no answer contained it.
    pub request_id: Option<String>,
}

/// A request that was, or was about to be, sent to AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// When it was written down, just before it was sent.
    pub at: Moment,
    /// What is known of it.
    pub outcome: Sent,
    /// When a poll first showed its outcome.
    pub shown_at: Option<Moment>,
    /// Of a change of sizes: whose, and which.
    #[serde(default)]
    pub sizes: Option<(Role, Sizes)>,
    /// Which of these sizes it sets; where it neither sets nor removes any, all.
    #[serde(default)]
    pub sets: Which,
    /// Which of them it removes.
    #[serde(default)]
    pub removes: Which,
    /// Of a swap: which.
    #[serde(default)]
    pub swap: Option<SwapIntent>,
    /// Of a change of rules: to whom they belong afterwards.
    #[serde(default)]
    pub owners: Option<RuleOwners>,
    /// Of a change of preview hostnames: where they lead afterwards.
    #[serde(default)]
    pub lead: Option<Lead>,
    /// When an earlier one for the same was written down of which nothing is known.
    #[serde(default)]
    pub earlier: Option<Moment>,
    /// When the last one for something else was written down.
    #[serde(default)]
    pub other_at: Option<Moment>,
}

/// A swap that bluegreen has requested, or was about to request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SwapIntent {
    /// The environment that must hold the production CNAME afterwards.
    pub to: Role,
    /// Whether the other environment had held the CNAME for so long
    /// ([`Limits::settle`](crate::plan::Limits::settle)) that a poll that shows it at `to` cannot
    /// be stale.
    pub from_settled: bool,
}

impl Intent {
    /// A request that may be on its way from now on.
    #[must_use]
    pub fn at(now: Moment) -> Intent {
        Intent {
            at: now,
            outcome: Sent::Unclear,
            shown_at: None,
            sizes: None,
            sets: Which::NONE,
            removes: Which::NONE,
            swap: None,
            owners: None,
            lead: None,
            earlier: None,
            other_at: None,
        }
    }
}

impl Intent {
    /// Whether an environment has the sizes that a request sets, and none of those that it removes.
    fn shows_sizes(&self, sizes: Sizes, found: &EnvSeen) -> bool {
        let Some(has) = found.sizes else {
            return false;
        };
        let sets = match self.sets.any() || self.removes.any() {
            true => self.sets,
            false => Which::BOTH,
        };
        let differing = Which::differing(has, sizes);
        let own = found.own_sizes.as_ref();
        let ours = own.map_or(Which::NONE, |own| own.among(has));
        !(sets.min && differing.min
            || sets.max && differing.max
            || self.removes.min && ours.min
            || self.removes.max && ours.max)
    }
}

/// What the answer to a request says about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sent {
    /// No answer is known: it may be on its way, applied, or lost.
    Unclear,
    /// The service took it; with the request's id where it gave one.
    Applied {
        /// The id that isolates the request's events.
        request_id: Option<String>,
    },
    /// It was refused or never sent.
    NotApplied,
}

impl Deployment {
    /// A new deployment in its first state.
    #[must_use]
    pub fn new(plan: Plan, now: Moment) -> Deployment {
        Deployment {
            plan,
            state: State::Preparing,
            entered_at: now,
            started_at: now,
            updated_at: now,
            revision: 0,
            fence: 0,
            traffic_moved_at: None,
            drained_at: None,
            usual: Usual::default(),
            usual_health: None,
            served: Served::default(),
            health_checks: 0,
            uncounted: None,
            slowest_answer: Duration::ZERO,
            left: None,
            deploy_warnings: Vec::new(),
            turned_back: None,
            terminations: Vec::new(),
            green_id: None,
            known: BTreeMap::new(),
            deployed: Vec::new(),
            discarded: Vec::new(),
            sized: Some(BTreeMap::new()),
            intents: BTreeMap::new(),
        }
    }

    /// What has made the deployment roll back, where that was no operator. The machine knows only
    /// that it rolls back, and not who ordered it.
    #[must_use]
    pub fn told<'a>(&'a self, cause: &'a Cause) -> &'a Cause {
        match &self.turned_back {
            Some(told) if self.plan.goal == Goal::Previous && *cause == Cause::AskedToRetreat => {
                told
            }
            _ => cause,
        }
    }

    /// An end, or the way to one, with the cause that has sent the deployment there.
    #[must_use]
    pub fn for_its_cause(&self, state: State) -> State {
        let is_told = matches!(
            state.kind(),
            Kind::Discarding | Kind::RolledBack | Kind::Stuck
        );
        match state.cause() {
            Some(cause) if is_told => {
                let told = self.told(cause).clone();
                state.because(told)
            }
            _ => state,
        }
    }

    /// The same deployment in another state. Leaving a swap state dates the move
    /// of production, from which draining counts.
    #[must_use]
    pub fn entering(&self, state: State, now: Moment) -> Deployment {
        let mut next = self.clone();
        let state = self.for_its_cause(state);
        if self.state.is_swapping() && self.state.kind() != state.kind() {
            next.traffic_moved_at = Some(now);
            next.drained_at = None;
        }
        if self.state.kind() != state.kind() {
            next.terminations.clear();
        }
        next.state = state;
        next.entered_at = now;
        next.left = None;
        next
    }

    /// What is given up of somebody else's changes once those that it is held for are too; none
    /// where it is not held for any.
    #[must_use]
    pub fn with_changes_discarded(&self) -> Option<Vec<Drift>> {
        let Some(Cause::ChangedMeanwhile { changes, .. }) = self.state.cause() else {
            return None;
        };
        Some([self.discarded.as_slice(), changes].concat())
    }

    /// What its state means, in one sentence without a full stop.
    #[must_use]
    pub fn meaning(&self) -> &'static str {
        self.state.meaning(self.plan.strategy)
    }

    /// Keeps a warning of the deploy, once, unless too many are kept.
    pub fn keep_warning(&mut self, warning: DeployWarning) {
        let kept = &mut self.deploy_warnings;
        if kept.len() < WARNINGS_MAX && !kept.contains(&warning) {
            kept.push(warning);
        }
    }

    /// Keeps a termination that AWS has taken, or may have.
    pub fn keep_termination(&mut self, asked: AskedTermination) {
        let kept = &mut self.terminations;
        kept.push(asked);
        let over = kept.len().saturating_sub(TERMINATIONS_MAX);
        kept.drain(..over);
    }

    /// Whether it is paused until its approval, for which bluegreen polls a URL.
    #[must_use]
    pub fn awaits_approval(&self) -> bool {
        let is_paused = matches!(self.state, State::AwaitingSwap | State::AwaitingCutover);
        is_paused && self.plan.wishes.asks_approval
    }

    /// What distinguishes a later checkpoint from an earlier one: a higher fencing number is always
    /// later.
    #[must_use]
    pub fn age(&self) -> (u64, u64) {
        (self.fence, self.revision)
    }

    /// Whether the environment that production left is drained: no cached DNS answer leads there
    /// any more, and it is quiet, or no more than a remainder comes once the limit is over. Once
    /// drained, it stays so until production moves again, unless a substantial share of the traffic
    /// is back.
    #[must_use]
    pub fn is_drained(&self, idle: Idle, now: Moment) -> bool {
        let limits = &self.plan.wishes.limits;
        let Some(moved) = self.traffic_moved_at else {
            return true;
        };
        let is_substantial = idle == Idle::Substantial && !limits.accept_traffic_loss;
        if self.drained_at.is_some() {
            return !is_substantial;
        }
        let since = now.since(moved);
        let is_forgiven = since >= limits.drain_limit && !is_substantial;
        since >= limits.drain && (idle == Idle::Quiet || is_forgiven)
    }

    /// How many requests a minute one instance of an environment without users may get: what the
    /// plan says, or half as many again as green got before users were on it.
    #[must_use]
    pub fn quiet_requests(&self) -> u64 {
        let planned = u64::from(self.plan.wishes.limits.drain_requests);
        let measured = self.health_checks.saturating_mul(3).div_ceil(2);
        planned.max(measured.min(planned.saturating_mul(MEASURED_FACTOR_MAX)))
    }

    /// Counts in what green gets before users are on it, and what production gets meanwhile.
    pub fn learn_the_usual_traffic(
        &mut self,
        production: Option<&Traffic>,
        idle: Option<&Traffic>,
    ) {
        let kind = self.state.kind();
        if let (Some(traffic), Kind::Warming | Kind::Testing) = (production, kind) {
            self.served = self.served.with(traffic);
        }
        if let (Some(traffic), Kind::Warming) = (idle, kind) {
            self.health_checks = self.health_checks.max(traffic.per_instance());
        }
    }

    /// Whether the traffic of the environment that production left has had its time to
    /// leave: what still comes then stays.
    #[must_use]
    pub fn has_waited_for_traffic(&self, now: Moment) -> bool {
        let limit = self
            .plan
            .wishes
            .limits
            .drain_limit
            .max(self.plan.wishes.limits.drain);
        let moved = self.traffic_moved_at;
        self.drained_at.is_some() || moved.is_some_and(|moved| now.since(moved) >= limit)
    }

    /// Whether a count began before production moved: it then counts the requests that production
    /// got there, and does not show which clients stay.
    #[must_use]
    pub fn is_of_before(&self, traffic: &Traffic) -> bool {
        let moved = self.traffic_moved_at;
        let times = traffic.ended.zip(moved);
        times.is_some_and(|(ended, moved)| ended < moved.after(traffic.counted))
    }

    /// Whether to read the requests of the environment that users are not on: before the first
    /// swap, from when production left it until it is drained, and again before bluegreen deploys
    /// to it or terminates it.
    #[must_use]
    pub fn reads_idle_traffic(&self) -> bool {
        if self.state.kind() == Kind::Warming {
            return true;
        }
        let is_next_interrupted = matches!(
            self.state.kind(),
            Kind::Deploying | Kind::TerminatingGreen | Kind::TerminatingBlue | Kind::Discarding
        ) && self.request_under_way().is_none();
        self.traffic_moved_at.is_some() && (self.drained_at.is_none() || is_next_interrupted)
    }

    /// Whether no DNS answer from before production moved may still be cached, as far as clients
    /// respect its time to live.
    #[must_use]
    pub fn caches_are_over(&self, now: Moment) -> bool {
        let moved = self.traffic_moved_at;
        moved.is_none_or(|moved| now.since(moved) >= self.plan.wishes.limits.drain)
    }

    /// When bluegreen sent the request that AWS is carrying out for the present state; none where
    /// AWS has not taken it, or that is not known.
    #[must_use]
    pub fn request_under_way(&self) -> Option<Moment> {
        let effect = match self.state.kind() {
            Kind::Cloning => EffectKind::CreateGreen,
            Kind::Deploying | Kind::DeployingGreen => EffectKind::Deploy,
            Kind::TerminatingGreen | Kind::TerminatingBlue => {
                let asked = self.terminations.last()?;
                let is_taken = asked.request_id.is_some() && asked.at >= self.entered_at;
                return is_taken.then_some(asked.at);
            }
            _ if self.state.is_swapping() => EffectKind::Swap,
            _ => return None,
        };
        let intent = self.intents.get(&effect)?;
        let is_taken = matches!(intent.outcome, Sent::Applied { .. });
        (is_taken && intent.at >= self.entered_at).then_some(intent.at)
    }

    /// Whether production has left an environment that is not drained yet.
    #[must_use]
    pub fn may_drain(&self) -> bool {
        self.traffic_moved_at.is_some() && self.drained_at.is_none()
    }

    /// The timeout of the present state. A state that waits for a time of its own gets that time on
    /// top of its timeout.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.patience_in(self.state.kind())
    }

    /// The same of another state.
    #[must_use]
    pub fn patience_in(&self, kind: Kind) -> Duration {
        let limits = &self.plan.wishes.limits;
        let of_state = limits.patience_of.get(&kind.to_string()).copied();
        let longest_drain = limits.drain.max(limits.drain_limit);
        let own = match kind {
            Kind::DrainingBlue => longest_drain,
            // However short the patience, a termination takes its minutes.
            Kind::TerminatingGreen | Kind::TerminatingBlue | Kind::Discarding => {
                longest_drain.saturating_add(CLEARING_AWAY)
            }
            Kind::Baking => limits.bake.max(longest_drain),
            Kind::SwappingToGreen
            | Kind::SwappingToBlue
            | Kind::ReturningToGreen
            | Kind::ReturningToBlue
            | Kind::Cloning
            | Kind::DeployingGreen
            | Kind::Deploying
            | Kind::AbortingDeploy => limits.quarantine,
            Kind::Preparing
            | Kind::Warming
            | Kind::TestingGreen
            | Kind::AwaitingSwap
            | Kind::Testing
            | Kind::AwaitingCutover
            | Kind::Held
            | Kind::Completed
            | Kind::RolledBack
            | Kind::Stuck => Duration::ZERO,
        };
        own.saturating_add(of_state.unwrap_or(limits.patience))
    }

    /// Which requests may still arrive at AWS, or may have arrived unseen.
    #[must_use]
    pub fn may_arrive(&self, now: Moment) -> MayArrive {
        let limits = &self.plan.wishes.limits;
        let open = |kind| {
            self.intents.get(&kind).is_some_and(|intent| {
                intent.outcome != Sent::NotApplied
                    && match intent.shown_at {
                        // A staler look may hide again what this one showed.
                        Some(shown) => now.since(shown) < limits.settle,
                        None => {
                            now.since(intent.at) < limits.quarantine.saturating_add(SEND_WITHIN)
                        }
                    }
            })
        };
        MayArrive {
            template: open(EffectKind::CreateTemplate),
            green: open(EffectKind::CreateGreen),
            swap: open(EffectKind::Swap) && !self.is_over_with_the_swap_before(),
            deploy: open(EffectKind::Deploy),
            resize: open(EffectKind::Resize),
            rules: self.late(EffectKind::MoveRules, now, |intent| intent.owners),
            records: self.late(EffectKind::MoveRecords, now, |intent| intent.lead),
        }
    }

    /// What a change of the listener rules or the preview hostnames that is in doubt may still
    /// bring about. No poll ends the doubt: it may be stale, and show what was so before.
    fn late<T>(&self, kind: EffectKind, now: Moment, brings: fn(&Intent) -> Option<T>) -> Late<T> {
        let may_arrive = |at: Moment| {
            let limits = &self.plan.wishes.limits;
            let quarantine = limits.quarantine.saturating_add(SEND_WITHIN);
            // One that arrives at its end may still be hidden by a stale look.
            now.since(at) < quarantine.saturating_add(limits.settle)
        };
        let in_doubt = self.intents.get(&kind).filter(|intent| {
            let unclear = Some(intent.at).filter(|_| intent.outcome == Sent::Unclear);
            unclear.or(intent.earlier).is_some_and(may_arrive)
        });
        match in_doubt.map(brings) {
            None => Late::Nothing,
            Some(Some(brings)) => Late::This(brings),
            Some(None) => Late::Anything,
        }
    }

    /// What is known of the listener rules and the preview hostnames before a poll reads them.
    #[must_use]
    pub fn followers(&self, now: Moment) -> FollowersSeen {
        let records = self.intents.get(&EffectKind::MoveRecords);
        FollowersSeen {
            last_lead: records.and_then(|intent| intent.lead),
            lately_given: self.lately(EffectKind::MoveRules, now, |intent| intent.owners),
            lately_led: self.lately(EffectKind::MoveRecords, now, |intent| intent.lead),
            ..FollowersSeen::default()
        }
    }

    /// What changes of the listener rules or the preview hostnames have brought about so lately
    /// that a stale poll may not show it.
    fn lately<T>(
        &self,
        kind: EffectKind,
        now: Moment,
        brings: fn(&Intent) -> Option<T>,
    ) -> Late<T> {
        // Its answer came no later than that.
        let within = SEND_WITHIN
            .saturating_add(REQUEST_TIMEOUT)
            .saturating_add(self.plan.wishes.limits.settle);
        let is_late = |at: Moment| now.since(at) < within;
        let Some(intent) = self.intents.get(&kind).filter(|intent| is_late(intent.at)) else {
            return Late::Nothing;
        };
        match brings(intent) {
            Some(brings) if !intent.other_at.is_some_and(is_late) => Late::This(brings),
            Some(_) | None => Late::Anything,
        }
    }

    /// The same deployment with the intent of an effect that bluegreen is about to request.
    /// `is_settled` says whether polls have seen production where it is for so long
    /// ([`Limits::settle`](crate::plan::Limits::settle)) that none of them can be stale.
    #[must_use]
    pub fn intending(&self, effect: &Effect, now: Moment, is_settled: bool) -> Deployment {
        let mut next = self.clone();
        let mut intent = Intent::at(now);
        match effect {
            Effect::Resize {
                role,
                sizes,
                sets,
                removes,
                ..
            } => {
                intent.sizes = Some((*role, *sizes));
                (intent.sets, intent.removes) = (*sets, *removes);
            }
            Effect::Swap { to, .. } => {
                intent.swap = Some(SwapIntent {
                    to: *to,
                    from_settled: is_settled,
                });
            }
            Effect::Deploy { version_label, .. } => {
                // What an earlier one warned of is no part of this one.
                next.deploy_warnings.clear();
                if !next.deployed.contains(version_label) {
                    next.deployed.push(version_label.clone());
                }
            }
            // What is known is of an earlier green.
            Effect::CreateGreen => next.known.clear(),
            Effect::MoveRules { owners, .. } => intent.owners = Some(*owners),
            Effect::MoveRecords { lead, .. } => intent.lead = Some(*lead),
            Effect::UploadBundle
            | Effect::RegisterVersion
            | Effect::CreateTemplate
            | Effect::AbortUpdate { .. }
            | Effect::TerminateGreen { .. }
            | Effect::TerminateBlue { .. }
            | Effect::DeleteTemplate => {}
        }
        if let Some(before) = next.intents.get(&effect.kind())
            && effect.moves_followers()
        {
            let is_same = (before.owners, before.lead) == (intent.owners, intent.lead);
            intent.earlier = match before.outcome {
                Sent::Unclear => Some(before.at),
                Sent::Applied { .. } | Sent::NotApplied => before.earlier,
            };
            intent.other_at = match is_same {
                true => before.other_at,
                false => Some(before.at),
            };
        }
        next.sizing(effect);
        next.intents.insert(effect.kind(), intent);
        next
    }

    /// Records which sizes of an environment an effect sets that bluegreen is about to request.
    fn sizing(&mut self, effect: &Effect) {
        let Some(sized) = &mut self.sized else {
            return;
        };
        let mut add = |role: Role, sizes: Sizes, sets: Which, over: Sizes| {
            sized.entry(role).or_default().add(sizes, sets, over);
        };
        match effect {
            Effect::Resize {
                role,
                sizes,
                sets,
                over,
                change: Change::Raise,
                ..
            } => add(*role, *sizes, *sets, *over),
            Effect::CreateGreen => {
                if let (Some(own), Some(wanted)) = (self.plan.sizes, self.plan.green_sizes()) {
                    add(Role::Green, wanted, Which::differing(wanted, own), own);
                }
            }
            Effect::Resize {
                change: Change::PutBack,
                ..
            }
            | Effect::UploadBundle
            | Effect::RegisterVersion
            | Effect::CreateTemplate
            | Effect::Swap { .. }
            | Effect::Deploy { .. }
            | Effect::AbortUpdate { .. }
            | Effect::TerminateGreen { .. }
            | Effect::TerminateBlue { .. }
            | Effect::DeleteTemplate
            | Effect::MoveRules { .. }
            | Effect::MoveRecords { .. } => {}
        }
    }

    /// Records that the last swap has failed: it can no longer move production.
    pub fn swap_has_failed(&mut self) {
        if let Some(intent) = self.intents.get_mut(&EffectKind::Swap) {
            intent.outcome = Sent::NotApplied;
        }
    }

    /// Whose environment the present state deploys to; none where it deploys nothing.
    #[must_use]
    pub fn deploys_to(&self) -> Option<Role> {
        match self.state.kind() {
            Kind::Deploying | Kind::AbortingDeploy => Some(Role::Blue),
            Kind::DeployingGreen => Some(Role::Green),
            _ => None,
        }
    }

    /// Where the present state must move production.
    fn swaps_to(&self) -> Option<Role> {
        match self.state.kind() {
            Kind::SwappingToGreen | Kind::ReturningToGreen => Some(Role::Green),
            Kind::SwappingToBlue | Kind::ReturningToBlue => Some(Role::Blue),
            _ => None,
        }
    }

    /// Whether the last swap is the one that this state must undo, and a poll has shown it.
    /// bluegreen has requested nothing since that a stale poll could be taken for, so production
    /// need not stay where it is unhealthy until polls have settled.
    fn is_over_with_the_swap_before(&self) -> bool {
        self.intents.get(&EffectKind::Swap).is_some_and(|intent| {
            let is_undone = |swap: SwapIntent| self.swaps_to() == Some(swap.to.other());
            intent.shown_at.is_some() && intent.swap.is_some_and(is_undone)
        })
    }

    /// Records what a poll has shown of each request: the swap's target holds production, green or
    /// the template is there, the deploy's version or events show, the sizes are there. Records
    /// also that the environment that production left is drained.
    pub fn resolve(&mut self, seen: &Seen, now: Moment) {
        if self.may_drain() && seen.drained {
            self.drained_at = Some(now);
        }
        let swaps_to = self.swaps_to();
        let deploys_to = self.deploys_to();
        let deploy_ran = matches!(
            seen.deploy,
            Deploy::Running | Deploy::Failed(_) | Deploy::Unproven | Deploy::Proven
        );
        let target = match deploys_to {
            Some(Role::Blue) => seen.blue.as_ref(),
            Some(Role::Green) => seen.our_green(),
            None => None,
        };
        let is_busy = target.is_some_and(|target| target.phase == Phase::Busy);
        for (kind, intent) in &mut self.intents {
            let shows = match kind {
                EffectKind::CreateTemplate => seen.template,
                // One that goes may be an earlier one, which a stale look still shows.
                EffectKind::CreateGreen => seen
                    .our_green()
                    .is_some_and(|green| green.phase != Phase::Terminating),
                EffectKind::Swap => {
                    // A stale look may show where production was before the swap before.
                    let is_certain =
                        intent.swap.is_none_or(|swap| swap.from_settled) || seen.production_settled;
                    swaps_to.is_some() && seen.production == swaps_to && is_certain
                }
                EffectKind::Deploy => {
                    let taken = matches!(intent.outcome, Sent::Applied { .. });
                    deploys_to.is_some() && (deploy_ran || taken && is_busy)
                }
                EffectKind::Resize => intent.sizes.is_some_and(|(role, sizes)| {
                    let environment = match role {
                        Role::Blue => seen.blue.as_ref(),
                        Role::Green => seen.our_green(),
                    };
                    environment.is_some_and(|found| intent.shows_sizes(sizes, found))
                }),
                EffectKind::UploadBundle
                | EffectKind::RegisterVersion
                | EffectKind::AbortUpdate
                | EffectKind::TerminateGreen
                | EffectKind::TerminateBlue
                | EffectKind::DeleteTemplate
                | EffectKind::MoveRules
                | EffectKind::MoveRecords => false,
            };
            if shows {
                intent.shown_at.get_or_insert(now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_may_have_a_patience_of_its_own() {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        let mut plan = Plan::sample("01J");
        plan.wishes.limits.patience = minutes(30);
        let states = [
            ("Warming".to_owned(), minutes(10)),
            ("Baking".to_owned(), minutes(1)),
        ];
        plan.wishes.limits.patience_of = states.into();
        let limits = plan.wishes.limits.clone();
        let now = Moment(0);
        let preparing = Deployment::new(plan, now);
        let patience = |state| preparing.entering(state, now).patience();
        assert_eq!(preparing.patience(), minutes(30));
        assert_eq!(patience(State::Warming), minutes(10));
        assert_eq!(
            patience(State::Baking),
            limits.bake.max(limits.drain_limit) + minutes(1)
        );
        assert_eq!(patience(State::Testing), minutes(30));
    }

    /// A journal of a version that knew a single timeout for all states.
    #[test]
    fn an_older_plan_has_one_patience() {
        let plan = Plan::sample("01J");
        let mut older = serde_json::to_value(&plan).expect("JSON");
        let limits = older["limits"].as_object_mut().expect("limits");
        assert!(limits.remove("patience_of").is_some());
        assert_eq!(serde_json::from_value::<Plan>(older).expect("a plan"), plan);
    }
}
