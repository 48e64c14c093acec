//! What the driver makes of a poll: the facts, what they show of earlier requests, and every move
//! that the machine may answer them with.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use bluegreen_core::deployment::SwapIntent;
use bluegreen_core::followers::listener_rules::{Balancer, Follow, Rule, RuleOwners, TargetGroup};
use bluegreen_core::followers::preview::{Lead, Record};
use bluegreen_core::machine::{
    Deploy, Drift, Effect, EnvSeen, FollowersSeen, Green, HostSeen, Instances, Kind, Late, Launch,
    Likeness, MayArrive, OthersUpdate, Phase, RulesSeen, Seen, State, Step, Termination, Test,
    Update, Version, timed_out,
};
use bluegreen_core::plan::{OwnSizes, Plan, Role, Sizes, Strategy, Which};

use super::journal::{Asked, Drain, Journal, Move, Open};
use super::service::Request;
use super::stage::{RUNNING, Stage, Terms, sizes};
use super::world::{BluePhase, Bundle, Events, Followers, GreenPhase, Label, Swap, View};

/// The rules under test: the machine's own, or some of them broken on purpose.
#[derive(Clone, Copy)]
pub struct Rules {
    pub step: fn(&State, &Plan, &Seen) -> Step,
    /// What the followers make of a step.
    pub with_followers: fn(&State, &Plan, &Seen, Step, bool) -> Step,
    pub is_safe: fn(&Effect, &Seen) -> bool,
    /// Whether the driver takes an answer to a deploy for the deploy.
    pub believes_the_deploys_answer: bool,
    /// Whether the driver believes that a request is done as soon as one poll shows it, though the
    /// next poll may show an older world.
    pub believes_the_first_look: bool,
    /// Whether the driver takes a poll as the end of its swap though the poll may show where
    /// production was before the swap before.
    pub believes_the_swap_before: bool,
    /// Whether the driver takes an unclear answer for a refusal.
    pub gives_up_on_an_unclear_answer: bool,
    /// Whether the driver takes a green that is being terminated for the one that it requested
    /// last.
    pub believes_a_green_that_goes: bool,
    /// Whether the driver sends before it writes its intent down.
    pub sends_before_its_intent: bool,
    pub lease: LeaseRule,
}

/// The rules of the lock, or less than them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseRule {
    Kept,
    /// A contender takes the lock a little too early: the runner that is overtaken still sends what
    /// it stands before, unless its intent is old.
    TakenEarly,
    /// A contender takes the lock from a runner that continues: that runner still sends whatever
    /// needs no checkpoint.
    TakenFromTheLiving,
    /// A second runner acts without taking the lock, and its checkpoints are not fenced.
    NotTaken,
    /// A checkpoint does not notice that another has taken over.
    CheckpointsUnfenced,
    /// A runner sends although another has taken over.
    SendingUnfenced,
    /// A runner that had to renew its lock sends nevertheless, however old its intent is.
    OldIntentsSent,
}

/// Everything that the facts of a poll depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sight {
    stage: Stage,
    terms: Terms,
    drain: Drain,
    /// Whether clients stay on the idle environment. Traffic is read from the environments,
    /// and its counts are no older than ten seconds.
    traffic_stays: bool,
    deploy: Asked,
    resize: Option<(Role, bool)>,
    sized: (bool, bool),
    may_arrive: Open,
    bundle: Bundle,
    view: View,
    /// Whether the poll may be the last of a row that has settled.
    may_be_settled: bool,
    /// Whether the poll may be the last of a row that has settled which environments there are.
    presence_may_be_settled: bool,
    /// Whether the swap of this state was seen to be done.
    swap_is_done: bool,
    discarded: bool,
    deploy_taken: bool,
    followers: Followers,
    late_moves: (Late<RuleOwners>, Late<Lead>),
    lately_moved: (Late<RuleOwners>, Late<Lead>),
    last_lead: Option<Lead>,
}

/// How far to believe polls.
#[derive(Clone, Copy)]
pub struct Horizon {
    /// Whether no poll can be stale, or the driver takes none for stale.
    pub looks_are_fresh: bool,
    /// Whether every poll shows the same holder of the production CNAME.
    pub holder_is_settled: bool,
    /// Whether every poll shows the same environments.
    pub presence_is_settled: bool,
    /// Whether this process has seen the swap of this state done.
    pub swap_is_done: bool,
    /// Whether the driver takes a poll that shows the effect of a swap as the end of it, whatever
    /// polls may still show from before.
    pub any_swap_is_believed: bool,
    /// Whether the driver takes a poll that shows a terminating green as the end of a doubt about
    /// its creation: it may be an earlier green.
    pub a_green_that_goes_is_believed: bool,
}

/// A move, and the one that takes its place once the state has lasted as long as it may.
type Moves = (Move, Option<Move>);

/// The CNAME of the environment that does not hold production's.
const IDLE_CNAME: &str = "idle.us-east-1.elasticbeanstalk.com";

/// Asks the machine, and remembers what it said: the facts of a poll that time and health decide
/// are tried in every combination that the view allows.
pub struct Oracle {
    pub rules: Rules,
    moves: RefCell<HashMap<Sight, Rc<[Moves]>>>,
    safety: RefCell<HashMap<(Sight, Request), (bool, bool)>>,
}

impl Sight {
    /// The sight of a view, and the requests of which it shows what became of
    /// them.
    pub fn new(
        journal: &Journal,
        shown: Open,
        bundle: Bundle,
        (view, followers): (View, Followers),
        traffic_stays: bool,
        horizon: Horizon,
    ) -> (Sight, Open) {
        let mut sight = Sight {
            stage: journal.stage,
            terms: journal.terms,
            drain: journal.drain,
            traffic_stays,
            deploy: journal.deploy,
            resize: journal.resize,
            sized: journal.sized,
            may_arrive: journal.open,
            bundle,
            view,
            may_be_settled: horizon.holder_is_settled,
            presence_may_be_settled: horizon.presence_is_settled,
            swap_is_done: horizon.swap_is_done,
            discarded: journal.discarded,
            deploy_taken: journal.deploy_taken,
            followers,
            late_moves: journal.late_moves(),
            lately_moved: match horizon.looks_are_fresh {
                true => (Late::Nothing, Late::Nothing),
                false => journal.lately_moved(),
            },
            last_lead: journal.moves.records,
        };
        let shown = shown.plus(sight.shows(journal, horizon));
        if sight.is_over_with_the_swap_before(journal) {
            sight.may_arrive.swap = false;
        }
        // A later look may be staler than the one that showed it.
        if horizon.looks_are_fresh {
            sight.may_arrive = sight.may_arrive.minus(shown.plus(journal.shown));
        }
        (sight, shown)
    }

    fn shows(&self, journal: &Journal, horizon: Horizon) -> Open {
        let kind = self.stage.kind;
        let swaps_to = self.swaps_to();
        let deploy_ran = matches!(
            self.deploy(),
            Deploy::Running | Deploy::Failed(_) | Deploy::Unproven | Deploy::Proven
        );
        let swap_is_certain = journal.swap.is_some_and(|swap| swap.from_settled)
            || horizon.holder_is_settled
            || horizon.any_swap_is_believed;
        let target = match kind {
            Kind::DeployingGreen => self.green_phase(),
            _ => self.blue_phase(),
        };
        let deploy_runs = journal.deploy_taken && target == Some(Phase::Busy);
        Open {
            template: self.template(),
            green: self.view.green_is_ours()
                && (self.view.green.phase != GreenPhase::Terminating
                    || horizon.a_green_that_goes_is_believed),
            swap: swaps_to.is_some() && self.view.holder == swaps_to && swap_is_certain,
            deploy: matches!(
                kind,
                Kind::Deploying | Kind::AbortingDeploy | Kind::DeployingGreen
            ) && (deploy_ran || deploy_runs),
            resize: self.resize.is_some_and(|(role, raised)| {
                let is = match role {
                    Role::Blue => self.view.blue.raised,
                    Role::Green => self.view.green.raised,
                };
                self.sizes(role, is) == Some(sizes(raised))
            }),
            // Nothing that a look shows ends the doubt about what follows.
            rules: false,
            records: false,
        }
    }

    fn swaps_to(&self) -> Option<Role> {
        match self.stage.kind {
            Kind::SwappingToGreen | Kind::ReturningToGreen => Some(Role::Green),
            Kind::SwappingToBlue | Kind::ReturningToBlue => Some(Role::Blue),
            _ => None,
        }
    }

    /// Whether the swap that this state must undo was seen.
    fn is_over_with_the_swap_before(&self, journal: &Journal) -> bool {
        let is_undone = |swap: SwapIntent| self.swaps_to() == Some(swap.to.other());
        journal.shown.swap && journal.swap.is_some_and(is_undone)
    }

    /// Whether a poll reads the template: where it matters and green or blue is gone.
    fn template(&self) -> bool {
        let kinds = [
            Kind::Cloning,
            Kind::Discarding,
            Kind::TerminatingGreen,
            Kind::TerminatingBlue,
        ];
        let blue_is_gone = self.view.blue.phase == BluePhase::Gone;
        kinds.contains(&self.stage.kind)
            && self.view.template
            && (!self.view.green_is_ours() || blue_is_gone)
    }

    fn deploy(&self) -> Deploy {
        let kind = self.stage.kind;
        match self.deploy {
            Asked::Never => Deploy::Never,
            Asked::BeforeEntry if matches!(kind, Kind::Deploying | Kind::DeployingGreen) => {
                Deploy::NotSinceEntry
            }
            // The events are read where the state wants them and what it deploys to is Ready.
            _ if !match kind {
                Kind::Deploying | Kind::AbortingDeploy => self.view.blue_ready(),
                Kind::DeployingGreen => self.view.green_ready(),
                _ => false,
            } =>
            {
                Deploy::Asked
            }
            Asked::BeforeEntry | Asked::SinceEntry => match self.view.events {
                Events::None => Deploy::Asked,
                Events::Running | Events::Silent => Deploy::Running,
                Events::Failed => Deploy::Failed(String::new()),
                Events::Unproven => Deploy::Unproven,
                Events::Proven => Deploy::Proven,
            },
        }
    }

    /// Whether the poll shows a deploy that is under way and has had an event lately.
    pub fn deploy_goes_on(&self) -> bool {
        self.update() == Update::GoesOn
    }

    /// What the poll shows of the update of the last deploy.
    fn update(&self) -> Update {
        let updates = match self.stage.kind {
            Kind::Deploying => matches!(self.view.blue.phase, BluePhase::Updating(_)),
            Kind::DeployingGreen => self.view.green.phase == GreenPhase::Updating,
            _ => false,
        };
        match self.view.events {
            _ if !updates || self.deploy == Asked::Never => Update::Untold,
            Events::Running => Update::GoesOn,
            Events::Silent => Update::Silent,
            Events::None | Events::Failed | Events::Unproven | Events::Proven => Update::Untold,
        }
    }

    /// Whether every instance of the environment that the state deploys to runs the version that it
    /// must get.
    fn runs_the_goal(&self) -> bool {
        match self.stage.kind {
            Kind::DeployingGreen => self.view.green.upgraded && !self.view.green.mixed,
            _ => self.view.blue.label == self.terms.goal_label() && !self.view.blue.mixed,
        }
    }

    fn blue_phase(&self) -> Option<Phase> {
        match self.view.blue.phase {
            BluePhase::Ready if self.view.swap != Swap::Idle => Some(Phase::Busy),
            BluePhase::Ready => Some(Phase::Ready),
            BluePhase::Updating(_) | BluePhase::Aborting | BluePhase::Resizing(_) => {
                Some(Phase::Busy)
            }
            BluePhase::Terminating => Some(Phase::Terminating),
            BluePhase::Gone => None,
        }
    }

    fn blue(&self) -> Option<EnvSeen> {
        // While it updates it shows the version that it is to have.
        let label = match self.view.blue.phase {
            BluePhase::Updating(label) => label,
            _ => self.view.blue.label,
        };
        Some(EnvSeen {
            id: "e-blue".to_owned(),
            phase: self.blue_phase()?,
            health: String::new(),
            abortable: matches!(self.view.blue.phase, BluePhase::Updating(_)),
            version_label: Some(label.name().to_owned()),
            sizes: self.sizes(Role::Blue, self.view.blue.raised),
            own_sizes: own_sizes(self.sized.0),
            instances: None,
        })
    }

    /// None where there is none of ours.
    fn green_phase(&self) -> Option<Phase> {
        match self.view.green.phase {
            GreenPhase::Absent | GreenPhase::Foreign => None,
            GreenPhase::Launching => Some(Phase::Launching),
            GreenPhase::Ready if self.view.swap != Swap::Idle => Some(Phase::Busy),
            GreenPhase::Ready => Some(Phase::Ready),
            GreenPhase::Updating | GreenPhase::Aborting | GreenPhase::Resizing(_) => {
                Some(Phase::Busy)
            }
            GreenPhase::Terminating => Some(Phase::Terminating),
        }
    }

    fn green(&self) -> Green {
        let Some(phase) = self.green_phase() else {
            return match self.view.green.phase {
                GreenPhase::Foreign => Green::Foreign,
                _ => Green::Absent,
            };
        };
        let is_updating = self.view.green.phase == GreenPhase::Updating;
        let label = match self.view.green.upgraded || is_updating {
            true => self.terms.version,
            false => self.terms.green_label(),
        };
        Green::Ours(EnvSeen {
            id: "e-green".to_owned(),
            phase,
            health: String::new(),
            abortable: is_updating,
            version_label: Some(label.name().to_owned()),
            sizes: self.sizes(Role::Green, self.view.green.raised),
            own_sizes: own_sizes(self.sized.1),
            instances: None,
        })
    }

    /// The sizes: a poll reads those of the Ready environment that takes production next, and of
    /// the one that keeps it once the other is gone.
    fn sizes(&self, role: Role, raised: bool) -> Option<Sizes> {
        let green_is_gone = !self.view.green_is_ours();
        let wanted = match (self.stage.kind, role) {
            (Kind::Warming, Role::Green) | (Kind::Testing, Role::Blue) => true,
            (Kind::TerminatingGreen | Kind::Discarding, Role::Blue) => {
                green_is_gone && self.terms.strategy != Strategy::Rehearse
            }
            (Kind::TerminatingBlue, Role::Green) => self.view.blue.phase == BluePhase::Gone,
            _ => false,
        };
        let ready = match role {
            Role::Blue => self.view.blue_ready(),
            Role::Green => self.view.green_ready(),
        };
        (self.terms.resizes && wanted && ready).then(|| sizes(raised))
    }

    /// Whether green takes production only for a time, and a person's work would be kept.
    fn is_lent(&self) -> bool {
        self.terms.strategy == Strategy::Restore && !self.discarded
    }

    fn changes_on_green(&self) -> Vec<Drift> {
        let is_read = matches!(self.stage.kind, Kind::Testing | Kind::SwappingToBlue)
            && self.view.blue_ready()
            && self.view.green_ready();
        let is_there = is_read && self.is_lent() && self.view.green.changed;
        is_there.then(drift).into_iter().collect()
    }

    fn changes_on_blue(&self) -> Vec<Drift> {
        let is_read = matches!(
            self.stage.kind,
            Kind::DrainingBlue | Kind::Deploying | Kind::Testing | Kind::SwappingToBlue
        ) && self.view.blue_ready();
        let is_there = is_read && self.is_lent() && self.view.blue.label == Label::Other;
        is_there.then(drift).into_iter().collect()
    }

    fn others_update_of_blue(&self) -> Option<OthersUpdate> {
        let is_read = match self.stage.kind {
            Kind::Deploying => self.deploy != Asked::SinceEntry,
            Kind::AbortingDeploy => true,
            _ => false,
        };
        let is_known = self.deploy == Asked::Never || self.deploy_taken;
        (is_read && is_known && self.view.blue.theirs).then(|| OthersUpdate {
            said: String::new(),
        })
    }

    /// Once nothing of a swap that was done can be stale, it does not arrive any more either.
    fn swap_undone(&self) -> bool {
        let before = self.swaps_to().map(Role::other);
        self.swap_is_done && before.is_some() && self.view.holder == before
    }

    /// What is certain, with every fact of time and health still false.
    fn certain(&self) -> Seen {
        Seen {
            unread_alarms: None,
            production: self.view.holder,
            production_settled: false,
            production_elsewhere: None,
            swap_undone: self.swap_undone(),
            blue_gone: false,
            green_gone: false,
            green_id: (!matches!(self.stage.kind, Kind::Preparing | Kind::Cloning))
                .then(|| "e-green".to_owned()),
            changes_on_green: self.changes_on_green(),
            changes_on_blue: self.changes_on_blue(),
            others_update_of_blue: self.others_update_of_blue(),
            others_update_of_green: None,
            blue: self.blue(),
            blue_trusted: false,
            green: self.green(),
            green_trusted: false,
            likeness: Likeness::Unknown,
            launch: Launch::Untold,
            termination: Termination::Untold,
            put_off: None,
            reasons: Vec::new(),
            production_sick: None,
            template: self.template(),
            bundle: self.bundle != Bundle::Missing,
            version: match self.bundle {
                Bundle::Missing | Bundle::Uploaded => Version::Absent,
                Bundle::Processing => Version::Processing,
                Bundle::Processed => Version::Processed,
                Bundle::Failed => Version::Failed,
            },
            deploy: self.deploy(),
            update: self.update(),
            test: Test::Undecided,
            drained: self.drain != Drain::Running && !self.traffic_stays,
            traffic_stays: None,
            baked: false,
            may_arrive: MayArrive {
                template: self.may_arrive.template,
                green: self.may_arrive.green,
                swap: self.may_arrive.swap,
                deploy: self.may_arrive.deploy,
                resize: self.may_arrive.resize,
                rules: self.late_moves.0,
                records: self.late_moves.1,
            },
            followers: self.followers(),
        }
    }

    fn followers(&self) -> FollowersSeen {
        let cname = |role| match self.view.holder == Some(role) {
            true => self.terms.plan().production_cname.clone(),
            false => IDLE_CNAME.to_owned(),
        };
        let record = match self.followers.preview {
            true => Record::preview(IDLE_CNAME),
            false => Record::Absent,
        };
        FollowersSeen {
            cnames: [Role::Blue, Role::Green]
                .map(|role| (role, cname(role)))
                .into(),
            rules: Some(match self.followers.rules {
                Some(rules) => RulesSeen::Read(self.balancer(rules)),
                None => RulesSeen::NotShared,
            }),
            records: Some(vec![HostSeen::Holds(record)]),
            last_lead: self.last_lead,
            lately_given: self.lately_moved.0,
            lately_led: self.lately_moved.1,
            ..FollowersSeen::default()
        }
    }

    /// A rule of each kind, and a target group of each environment that is there.
    fn balancer(&self, rules: RuleOwners) -> Balancer {
        let rule = |follow| Rule {
            arn: format!("{follow:?}"),
            follow,
            forwards: vec![rules.of(follow).to_string()],
            is_default: false,
        };
        let group = |role: Role| TargetGroup {
            arn: role.to_string(),
            environment_id: format!("e-{role}"),
            part: "web".to_owned(),
        };
        let there = |role: &Role| match role {
            Role::Blue => self.view.blue.phase != BluePhase::Gone,
            Role::Green => self.view.green_is_ours(),
        };
        let both = [Role::Blue, Role::Green].into_iter();
        Balancer {
            following: vec![rule(Follow::Production), rule(Follow::Staging)],
            untagged: Vec::new(),
            groups: both.filter(there).map(group).collect(),
        }
    }

    /// Every combination of facts that time and health may add.
    fn seen(&self) -> Vec<Seen> {
        let kind = self.stage.kind;
        let blue_ready = self.view.blue_ready();
        let watched = kind == Kind::Baking;
        let production_ready = match self.terms.strategy {
            Strategy::Restore | Strategy::Rehearse => blue_ready,
            Strategy::Promote => self.view.green_ready(),
        };
        let mut all = vec![self.certain()];
        vary(&mut all, self.may_be_settled, |seen| {
            seen.production_settled = true;
        });
        let settled = self.presence_may_be_settled;
        let blue_is_gone = self.view.blue.phase == BluePhase::Gone;
        vary(&mut all, settled && blue_is_gone, |seen| {
            seen.blue_gone = true;
        });
        let had_green = !matches!(kind, Kind::Preparing | Kind::Cloning);
        let green_is_gone = had_green && !self.view.green_is_ours();
        vary(&mut all, settled && green_is_gone, |seen| {
            seen.green_gone = true;
        });
        // Blue that has had the goal, and shows another version for so long that it is no stale
        // look; also where a staler look than the one before shows it.
        let has_had_it = match kind {
            Kind::Testing | Kind::SwappingToBlue => true,
            Kind::Deploying => matches!(self.deploy(), Deploy::Proven | Deploy::Unproven),
            _ => false,
        };
        let is_off = has_had_it
            && self.terms.strategy == Strategy::Restore
            && blue_ready
            && !self.may_arrive.deploy
            && self.view.blue.label != self.terms.goal_label();
        vary(&mut all, is_off, |seen| {
            seen.changes_on_blue = vec![drift()];
        });
        vary(&mut all, blue_ready && self.view.blue.fit, |seen| {
            seen.blue_trusted = true;
        });
        // Its instances are in the middle of it, or it has taken as long as it may.
        let is_silent = self.update() == Update::Silent;
        vary(&mut all, is_silent, |seen| seen.update = Update::GoesOn);
        let may_be_overdue = kind == Kind::Deploying && self.update() != Update::Untold;
        vary(&mut all, may_be_overdue, |seen| {
            seen.update = Update::Overdue;
        });
        let green_fit = self.view.green_ready() && self.view.green.fit;
        vary(&mut all, green_fit, |seen| seen.green_trusted = true);
        // The events are read, or cannot be: green's id may not be known.
        let awaits_launch = matches!(kind, Kind::Cloning | Kind::Warming);
        vary(&mut all, awaits_launch && self.view.launch_failed, |seen| {
            seen.launch = Launch::Failed(Vec::new());
        });
        // One that failed may leave it Terminating.
        let awaits_end = matches!(
            kind,
            Kind::TerminatingGreen | Kind::TerminatingBlue | Kind::Discarding
        );
        vary(&mut all, awaits_end, |seen| {
            seen.termination = Termination::Failed(Vec::new());
        });
        if kind == Kind::Warming {
            // Nothing that a look can show makes green another than it is.
            let likeness = match self.view.green.fit {
                true => Likeness::Alike,
                false => Likeness::Unlike(Vec::new()),
            };
            let ready = self.view.green_ready();
            vary(&mut all, ready, |seen| seen.likeness = likeness.clone());
        }
        if self.deploy() == Deploy::NotSinceEntry {
            // It has it already, and nothing that may still arrive changes that.
            let is_ready = match kind {
                Kind::DeployingGreen => self.view.green_ready(),
                _ => blue_ready,
            };
            let is_there = is_ready && self.runs_the_goal() && !self.may_arrive.deploy;
            vary(&mut all, is_there, |seen| seen.deploy = Deploy::Proven);
        }
        if self.deploy() == Deploy::Running {
            // It is Ready: once that has settled, the label and the instances decide.
            let settled = match self.runs_the_goal() {
                true => Deploy::Proven,
                false => Deploy::Failed(String::new()),
            };
            vary(&mut all, true, |seen| seen.deploy = settled.clone());
        }
        // It shows only once several looks in a row have found it.
        vary(&mut all, self.traffic_stays, |seen| {
            seen.traffic_stays = Some(String::new());
        });
        vary(&mut all, watched, |seen| seen.baked = true);
        vary(&mut all, watched && production_ready, |seen| {
            seen.production_sick = Some(String::new());
        });
        if self.terms.resizes && matches!(kind, Kind::Warming | Kind::Testing) {
            // The one that serves runs as many as it may; of the other one all are
            // healthy, or none.
            all.iter_mut().for_each(|seen| count(seen, 0));
            vary(&mut all, true, |seen| count(seen, RUNNING));
        }
        let tested = match kind {
            Kind::Testing => blue_ready.then_some(self.view.blue.fit),
            Kind::TestingGreen => self.view.green_ready().then_some(self.view.green.fit),
            Kind::Warming if self.terms.plan().tests_green() => {
                self.view.green_ready().then_some(self.view.green.fit)
            }
            _ => None,
        };
        if let Some(fit) = tested {
            let undecided = all.clone();
            vary(&mut all, true, |seen| {
                seen.test = Test::Failed {
                    asked: "GET /".to_owned(),
                    got: "500".to_owned(),
                };
            });
            if fit {
                all.extend(undecided.into_iter().map(|seen| Seen {
                    test: Test::Passed,
                    ..seen
                }));
            }
        }
        all
    }
}

/// What a person has changed.
fn drift() -> Drift {
    Drift {
        what: "version".to_owned(),
        is: String::new(),
        mark: 0,
    }
}

/// What the journal knows that an environment was given.
fn own_sizes(sized: bool) -> Option<OwnSizes> {
    let mut own = OwnSizes::default();
    if sized {
        let (own_ones, raised) = (sizes(false), sizes(true));
        own.add(raised, Which::differing(raised, own_ones), own_ones);
    }
    Some(own)
}

fn count(seen: &mut Seen, healthy: u32) {
    let instances = Some(Instances {
        running: RUNNING,
        healthy,
    });
    if let Some(blue) = &mut seen.blue {
        blue.instances = instances;
    }
    if let Green::Ours(green) = &mut seen.green {
        green.instances = instances;
    }
}

/// Doubles the facts by one that may also hold.
fn vary(all: &mut Vec<Seen>, may_hold: bool, hold: impl Fn(&mut Seen)) {
    if may_hold {
        let mut with = all.clone();
        with.iter_mut().for_each(hold);
        all.append(&mut with);
    }
}

impl Oracle {
    pub fn new(rules: Rules) -> Oracle {
        Oracle {
            rules,
            moves: RefCell::default(),
            safety: RefCell::default(),
        }
    }

    /// Every move that the machine may make on this sight.
    pub fn moves(&self, sight: &Sight) -> Rc<[Moves]> {
        if let Some(known) = self.moves.borrow().get(sight) {
            return Rc::clone(known);
        }
        let (state, plan) = (sight.stage.state(), sight.terms.plan());
        let mut moves: Vec<Moves> = Vec::new();
        for seen in sight.seen() {
            let step = (self.rules.step)(&state, plan, &seen);
            let follow = |step, is_timed_out| {
                let step = (self.rules.with_followers)(&state, plan, &seen, step, is_timed_out);
                Move::of(&step, sight.stage)
            };
            let late = timed_out(&state, step.clone());
            let late = (late != step).then(|| follow(late, true));
            let both = (follow(step, false), late);
            if !moves.contains(&both) {
                moves.push(both);
            }
        }
        let moves: Rc<[Moves]> = moves.into();
        self.moves.borrow_mut().insert(*sight, Rc::clone(&moves));
        moves
    }

    /// Whether the live-safety rule may allow a request on this sight, and
    /// whether it may forbid it.
    pub fn safety(&self, sight: &Sight, request: Request) -> (bool, bool) {
        *self
            .safety
            .borrow_mut()
            .entry((*sight, request))
            .or_insert_with(|| {
                let effect = request.effect();
                let says: Vec<bool> = sight
                    .seen()
                    .iter()
                    .map(|seen| (self.rules.is_safe)(&effect, seen))
                    .collect();
                (says.contains(&true), says.contains(&false))
            })
    }
}
