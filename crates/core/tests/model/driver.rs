//! The driver, as small as its loop can be: pick up an order, poll, step, act, checkpoint, with a
//! crash between any two of these.

use bluegreen_core::followers::listener_rules::RuleOwners;
use bluegreen_core::machine::{Cause, Kind, Order, hold, unapproved};
use bluegreen_core::plan::{Role, Strategy};

use super::events::Pace;
use super::journal::{Asked, Errand, Move, Open, Pc};
use super::look::{Horizon, Oracle, Rules, Sight};
use super::node::{By, Next, Node};
use super::service::{Harm, Request, Verdict};
use super::stage::{Follows, Stage};
use super::world::{BluePhase, Green, GreenPhase, Label, View};

/// What may go wrong in an exploration.
#[derive(Clone, Copy)]
pub struct Config {
    pub name: &'static str,
    pub strategy: Strategy,
    /// Whether the operator pauses before the swaps.
    pub pause: bool,
    /// Whether requests may arrive late.
    pub late: bool,
    pub staleness: Staleness,
    /// Whether a person acts at the console, once.
    pub console: bool,
    /// Whether locks run out and a second runner takes over.
    pub two_hands: bool,
    /// Whether blue runs more instances than its group's least.
    pub resizes: bool,
    /// Whether clients may stay on the environment that production left.
    pub stubborn: bool,
    /// What leads to the environments beside their CNAMEs.
    pub follows: Follows,
}

/// What a poll may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staleness {
    /// The world as it is.
    Fresh,
    /// Or the listener rules and the preview hostname as they were before their last change.
    Followers,
    /// Or as it was before its last change.
    OneChange,
    /// Or as it was before any of its last changes, as far back as the last one
    /// that took minutes.
    Window,
}

/// A configuration, and the rules to explore under it.
pub struct Model {
    pub config: Config,
    pub rules: Rules,
    oracle: Oracle,
}

impl Model {
    pub fn new(config: Config, rules: Rules) -> Model {
        Model {
            config,
            rules,
            oracle: Oracle::new(rules),
        }
    }

    /// Everything that may happen next.
    pub fn next(&self, node: &Node, out: &mut Vec<Next>) {
        let first = out.len();
        self.drive(node, out);
        if node.crashed() != *node {
            out.push(Next {
                what: "the driver dies and is resumed",
                by: By::Fault,
                node: node.crashed(),
            });
        }
        self.outside(node, out);
        for next in &mut out[first..] {
            self.grow_late(&mut next.node);
            if self.config.staleness == Staleness::Fresh {
                next.node.journal.settles(std::iter::empty());
            }
            let pc = next.node.pc;
            next.node.journal.forget_moves(pc);
        }
    }

    /// What the runner does next.
    pub fn drive(&self, node: &Node, out: &mut Vec<Next>) {
        let first = out.len();
        match node.pc {
            Pc::Top => {
                orders(node, out);
                nobody_approves(node, out);
                self.look(node, out);
            }
            Pc::Enter(stage) => {
                out.push(Next {
                    what: "the driver checkpoints",
                    by: By::Driver,
                    node: node.entered(stage),
                });
                hook_fails(node, stage, out);
            }
            Pc::Check(errand) => self.check(node, errand, out),
            Pc::Send(errand) if self.may_send(node, errand) => self.send(node, errand, out),
            Pc::Send(errand) => self.without_a_lease(node, errand, out),
            Pc::Note(errand) => out.push(Next {
                what: "the driver writes down what it asked for",
                by: By::Driver,
                node: node.noted(errand.request),
            }),
        }
        for next in &mut out[first..] {
            if next.node.journal != node.journal {
                next.node.hands = next.node.hands.after_a_checkpoint();
            }
        }
    }

    /// The world changes; stale polls may show what was before this change, or what was before an
    /// earlier one.
    pub fn change(
        &self,
        node: &Node,
        changed: Node,
        pace: Pace,
        (what, by): (&'static str, By),
        out: &mut Vec<Next>,
    ) {
        let was = node.world.view;
        let is = changed.world.view;
        if self.config.staleness == Staleness::Followers {
            let before = match is.followers == was.followers {
                true => node.before.map(|before| before.followers),
                false => Some(was.followers),
            };
            let before = before.map(|followers| View { followers, ..is });
            let node = Node {
                before: before.filter(|before| *before != is),
                ..changed
            };
            out.push(Next { what, by, node });
            return;
        }
        let mut befores = [Some(node.before), None];
        if is != was && self.config.staleness != Staleness::Fresh {
            befores[0] = Some(Some(was));
            let reaches_back = self.config.staleness == Staleness::Window;
            if reaches_back && node.before.is_some() && pace == Pace::Seconds {
                befores[1] = Some(node.before);
            }
        }
        for before in befores.into_iter().flatten() {
            let node = Node {
                before: before.filter(|before| *before != is),
                ..changed
            };
            out.push(Next { what, by, node });
        }
    }

    /// Everything that a poll may show now, and what is shown by then.
    fn sights(&self, node: &Node) -> Vec<(Sight, Node)> {
        let mut views = vec![node.world.view];
        if matches!(
            self.config.staleness,
            Staleness::OneChange | Staleness::Window
        ) {
            views.extend(node.before);
            let tagless: Vec<View> = views.iter().filter_map(|v| tagless(node, v)).collect();
            views.extend(tagless);
        }
        let horizon = Horizon {
            looks_are_fresh: node.before.is_none() || self.rules.believes_the_first_look,
            holder_is_settled: node.is_settled(),
            presence_is_settled: node.presence_is_settled(),
            swap_is_done: node.swap_done,
            any_swap_is_believed: self.rules.believes_the_swap_before,
            a_green_that_goes_is_believed: self.rules.believes_a_green_that_goes,
        };
        let sight = |(view, followers)| {
            let stays = node.traffic_stays();
            let (sight, shown) = Sight::new(
                &node.journal,
                node.shown,
                node.world.bundle,
                (view, followers),
                stays,
                horizon,
            );
            let shown = shown.and(node.journal.open);
            let is_followed = self.config.console && node.journal.stage.state().is_swapping();
            let swap_done = node.swap_done || is_followed && shown.swap;
            let looked = Node {
                shown,
                swap_done,
                ..*node
            };
            (sight, looked)
        };
        // What follows is read by calls of its own.
        let mut followers = vec![node.world.view.followers];
        followers.extend(node.before.map(|before| before.followers));
        followers.dedup();
        let each = views.into_iter().flat_map(|view| {
            let both = followers.iter().map(move |followers| (view, *followers));
            both.collect::<Vec<_>>()
        });
        each.map(sight).collect()
    }

    fn look(&self, node: &Node, out: &mut Vec<Next>) {
        // A patience is far longer than looks may be stale: who held production
        // when the state was entered is known by the time it is spent.
        let patience_may_end = node.is_settled() || node.journal.stage.state().is_swapping();
        for (sight, looked) in self.sights(node) {
            let mut push = |what, next: Node| {
                if next != *node {
                    let by = By::Driver;
                    out.push(Next {
                        what,
                        by,
                        node: next,
                    });
                }
            };
            let after = |a_move| match a_move {
                Move::Rest | Move::Wait(_) => looked,
                Move::Enter(stage) => looked.at(Pc::Enter(stage)),
                Move::Ask(errand, _) if errand.request.touches_service() => {
                    looked.at(Pc::Check(errand))
                }
                Move::Ask(errand, _) => self.intending(&looked, errand),
            };
            for (a_move, timed_out) in self.oracle.moves(&sight).iter() {
                if let Some(timed_out) = timed_out.filter(|_| patience_may_end) {
                    let gives_up = |stage: Stage| {
                        matches!(stage.kind, Kind::AbortingDeploy | Kind::Discarding)
                    };
                    let mut next = after(timed_out);
                    if matches!(next.pc, Pc::Enter(stage) if gives_up(stage))
                        && sight.deploy_goes_on()
                    {
                        next.harm = Some(Harm::GaveUpWhatGoesOn);
                    }
                    push("a look, out of patience", next);
                }
                let what = match a_move {
                    Move::Rest => continue,
                    Move::Enter(_) => "a look: go on",
                    Move::Wait(_) => "a look: wait",
                    Move::Ask(..) => "a look: ask",
                };
                push(what, after(*a_move));
            }
        }
    }

    /// The fresh poll before a request that touches the service, and the intent of one that is sent
    /// only once.
    fn check(&self, node: &Node, errand: Errand, out: &mut Vec<Next>) {
        for (sight, looked) in self.sights(node) {
            let (safe, not_safe) = self.oracle.safety(&sight, errand.request);
            if not_safe {
                out.push(Next {
                    what: "a fresh look: not safe any more",
                    by: By::Driver,
                    node: looked.at(Pc::Top),
                });
            }
            let ready = self.intending(&looked, errand);
            // Somebody at the console can always come between a look and its
            // request; see the module's documentation.
            if safe && self.config.console {
                self.send(&ready, errand, out);
            } else if safe {
                out.push(Next {
                    what: "a fresh look: safe",
                    by: By::Driver,
                    node: ready,
                });
            }
        }
    }

    /// About to send, with its intent written down, as the rules want it.
    fn intending(&self, node: &Node, errand: Errand) -> Node {
        if self.rules.sends_before_its_intent {
            node.at(Pc::Send(errand))
        } else {
            node.intending(errand)
        }
    }

    pub fn send(&self, node: &Node, errand: Errand, out: &mut Vec<Next>) {
        let request = errand.request;
        let sent = node.at(Pc::Top);
        let unclear = sent.at(if self.rules.gives_up_on_an_unclear_answer {
            Pc::Enter(errand.refused)
        } else if self.rules.sends_before_its_intent && errand.once {
            Pc::Note(errand)
        } else {
            Pc::Top
        });
        // Nothing is given up because what follows cannot be moved.
        let refused = match request.moves_followers() {
            true => sent.not_applied(request),
            false => sent.not_applied(request).at(Pc::Enter(errand.refused)),
        };
        match node.world.receive(request) {
            Verdict::Applied(world, harm) => {
                let harm = harm.or(harm_to_others(node, request));
                let arrived = |node| Node {
                    world,
                    harm,
                    ..node
                };
                let answered = arrived(self.answered(sent, request));
                let label = ("the request is applied", By::Driver);
                self.change(node, answered, Pace::Seconds, label, out);
                let label = ("the request is applied, its answer is lost", By::Fault);
                self.change(node, arrived(unclear), Pace::Seconds, label, out);
                for part in parts_of(node, request) {
                    let mut partly = unclear;
                    partly.world.view.followers.rules = Some(part);
                    let label = (
                        "some rules are moved, the answer for others is lost",
                        By::Fault,
                    );
                    self.change(node, partly, Pace::Seconds, label, out);
                }
            }
            Verdict::Busy => out.push(Next {
                what: "the service is busy, or it is so already",
                by: By::Driver,
                node: sent.not_applied(request),
            }),
            Verdict::Invalid => out.push(Next {
                what: "the request is not valid",
                by: By::Driver,
                node: refused,
            }),
        }
        let mut fault = |what, node| {
            out.push(Next {
                what,
                by: By::Fault,
                node,
            });
        };
        fault("the request is lost", unclear);
        fault("the request is throttled", sent.not_applied(request));
        fault("the request is refused for good", refused);
        let may_be_late = self.config.late || request.moves_followers();
        if may_be_late && !node.world.view.finds_nothing(request) {
            let mut late = unclear;
            late.world.in_flight.set(request, true);
            fault("the request is on its way", late);
        }
    }

    /// The driver after an answer that says applied.
    fn answered(&self, mut node: Node, request: Request) -> Node {
        if request.moves_followers() {
            node.journal.open.set(request, false);
        }
        let tests = match request {
            Request::Deploy(_) => Some(Kind::Testing),
            Request::DeployGreen(_) => Some(Kind::TestingGreen),
            _ => None,
        };
        if let Some(kind) = tests {
            node.journal.deploy_taken = true;
            if self.rules.believes_the_deploys_answer {
                return node.at(Pc::Enter(Stage {
                    kind,
                    ..node.journal.stage
                }));
            }
        }
        node
    }
}

/// What a request does to a person's work, to the update that they have begun, or to their swap.
fn harm_to_others(node: &Node, request: Request) -> Option<Harm> {
    let (journal, view) = (&node.journal, &node.world.view);
    let is_kept = !journal.discarded && journal.terms.strategy == Strategy::Restore;
    match request {
        Request::TerminateGreen if view.holder == Some(Role::Blue) => {
            (view.blue.phase == BluePhase::Terminating).then_some(Harm::TerminatedLast)
        }
        Request::TerminateBlue if view.holder == Some(Role::Green) => {
            (view.green.phase == GreenPhase::Terminating).then_some(Harm::TerminatedLast)
        }
        Request::Swap(to) if node.swap_done && view.holder == Some(to.other()) => {
            Some(Harm::SwappedAgainst)
        }
        Request::Swap(Role::Blue) if is_kept && view.holder == Some(Role::Green) => {
            view.green.changed.then_some(Harm::LostWork)
        }
        Request::Deploy(label) if is_kept && view.blue.label == Label::Other => {
            (label != Label::Other).then_some(Harm::LostWork)
        }
        // Without its request's id the newest update passes for ours.
        Request::AbortUpdate if journal.deploy == Asked::Never || journal.deploy_taken => {
            view.blue.theirs.then_some(Harm::AbortedOthers)
        }
        _ => None,
    }
}

/// What becomes of the rules where a request to move them takes effect for some of them alone.
fn parts_of(node: &Node, request: Request) -> Vec<RuleOwners> {
    let Request::MoveRules(owners) = request else {
        return Vec::new();
    };
    let Some(was) = node.world.view.followers.rules else {
        return Vec::new();
    };
    let parts = [
        RuleOwners {
            production: owners.production,
            ..was
        },
        RuleOwners {
            staging: owners.staging,
            ..was
        },
    ];
    let parts = parts.into_iter();
    parts
        .filter(|part| *part != was && *part != owners)
        .collect()
}

/// A hook at a change of state fails, and holds the deployment. A hook that rolls the deployment
/// back does nothing that an order may not do at any time.
fn hook_fails(node: &Node, next: Stage, out: &mut Vec<Next>) {
    let strategy = node.journal.terms.strategy;
    let goes_on = |stage: Stage| hold(&stage.state(), strategy, Cause::AskedToRetreat).is_some();
    let from = node.journal.stage;
    let is_forward = goes_on(from) || from.kind == Kind::SwappingToGreen;
    if !is_forward || strategy == Strategy::Promote {
        return;
    }
    let cause = Cause::HookFailed {
        hook: String::new(),
        stage: next.kind,
        ended: String::new(),
    };
    if let Some(held) = hold(&next.state(), strategy, cause) {
        out.push(Next {
            what: "a hook fails: held",
            by: By::Fault,
            node: node.entered(Stage::of(&held)),
        });
    }
}

/// A pause is not approved in time.
fn nobody_approves(node: &Node, out: &mut Vec<Next>) {
    let cause = Cause::NotApproved { seconds: 0 };
    if let Some(next) = unapproved(&node.journal.stage.state(), cause) {
        out.push(Next {
            what: "nobody approves in time",
            by: By::Fault,
            node: node.entered(Stage::of(&next)),
        });
    }
}

/// Our own green may show before its tag does, as long as its creation is in
/// doubt.
fn tagless(node: &Node, view: &View) -> Option<View> {
    let known: Open = node.journal.shown.plus(node.shown);
    let in_doubt = node.journal.open.minus(known).green;
    let green = Green {
        phase: GreenPhase::Foreign,
        ..view.green
    };
    (in_doubt && view.green.phase == GreenPhase::Launching).then_some(View { green, ..*view })
}

/// An operator may speak at any time; the driver hears it at the top of its loop.
fn orders(node: &Node, out: &mut Vec<Next>) {
    let corrected = Order::Correct {
        version: Label::Fixed.name().to_owned(),
    };
    for (what, order) in [
        ("resume", Order::Resume),
        ("resume --version-label", corrected),
        ("rollback", Order::Retreat),
    ] {
        // Where what follows leads does not depend on the version.
        let is_version = matches!(order, Order::Correct { .. });
        if is_version && node.journal.terms.follows != Follows::Nothing {
            continue;
        }
        let Some((stage, terms)) = node.journal.obey(&order) else {
            continue;
        };
        if (stage, terms) == (node.journal.stage, node.journal.terms) {
            continue;
        }
        let mut next = node.flushed();
        if order == Order::Resume {
            next.journal.approved.swap |= node.journal.stage.kind == Kind::AwaitingSwap;
            next.journal.approved.cutover |= node.journal.stage.kind == Kind::AwaitingCutover;
        }
        if terms.version != node.journal.terms.version {
            next.journal.approved.cutover = false;
        }
        next.journal.terms = terms;
        if stage != node.journal.stage {
            next = next.entered(stage);
        }
        out.push(Next {
            what,
            by: By::Operator,
            node: next,
        });
    }
    discards(node, out);
}

/// `resume --discard-changes` of a deployment that is held.
fn discards(node: &Node, out: &mut Vec<Next>) {
    let is_held = node.journal.stage.kind == Kind::Held;
    if !is_held || !node.console || node.journal.discarded {
        return;
    }
    if let Some((stage, terms)) = node.journal.obey(&Order::Resume) {
        let mut next = node.flushed();
        next.journal.terms = terms;
        next.journal.discarded = true;
        out.push(Next {
            what: "resume --discard-changes",
            by: By::Operator,
            node: next.entered(stage),
        });
    }
}
