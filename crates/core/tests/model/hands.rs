//! Two runners on one deployment: the lock of the first runs out, another takes it, and the first
//! stands where it stood.
//!
//! The node follows one runner, whose words the shared record holds; [`Hands`] says what its lock
//! is worth and what is left of the other.

use bluegreen_core::machine::Kind;

use super::driver::Model;
use super::journal::{Errand, Journal, Open, Pc};
use super::look::LeaseRule;
use super::node::{By, Next, Node};
use super::outside::time;
use super::service::{Harm, Request};

/// Which runners the deployment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hands {
    /// The runner alone, and its lock is alive.
    One,
    /// The runner alone; its lock has run out, and nobody has taken it.
    RanOut,
    /// A contender has taken the lock; the record is still as the runner left it, or leaves it.
    Contended {
        /// Whether the contender has read the record as it is now.
        has_read: bool,
    },
    /// The runner has taken over, and the earlier one stands before sending this. Anywhere else it
    /// can do no more than poll and meet a checkpoint or a sending that ends it, so it is
    /// forgotten.
    Overtaken {
        request: Request,
        /// Whether its intent is no longer in doubt, or what it names is gone; not followed where
        /// it sends nothing anyway.
        is_late: bool,
    },
    /// Against the rules: another runner with a copy of its own.
    Apart {
        other: Hand,
        /// Whether the record holds the other's words.
        other_wrote_last: bool,
    },
}

/// A runner with its own copy of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hand {
    pub journal: Journal,
    pub shown: Open,
    pub pc: Pc,
}

impl Hands {
    /// Whether the runner's lock is its own by every clock.
    pub fn lease_is_alive(self) -> bool {
        match self {
            Hands::One | Hands::Overtaken { .. } | Hands::Apart { .. } => true,
            Hands::RanOut | Hands::Contended { .. } => false,
        }
    }

    /// A new process takes the lock and writes the record anew, so that the one before is
    /// overtaken.
    pub fn with_a_new_lease(self) -> Hands {
        match self {
            Hands::One | Hands::RanOut | Hands::Contended { .. } => Hands::One,
            Hands::Overtaken { .. } => self,
            Hands::Apart { other, .. } => Hands::Apart {
                other,
                other_wrote_last: false,
            },
        }
    }

    /// What the shared record holds, where the runner's own copy is this.
    pub fn record(self, own: Journal) -> Journal {
        match self {
            Hands::Apart {
                other,
                other_wrote_last: true,
            } => other.journal,
            _ => own,
        }
    }

    /// The runner has written the record.
    pub fn after_a_checkpoint(self) -> Hands {
        match self {
            // What the contender has read is not what is there any more.
            Hands::Contended { .. } => Hands::Contended { has_read: false },
            Hands::Apart { other, .. } => Hands::Apart {
                other,
                other_wrote_last: false,
            },
            Hands::One | Hands::RanOut | Hands::Overtaken { .. } => self,
        }
    }
}

impl Model {
    fn takes_leases_early(&self) -> bool {
        let rules = [LeaseRule::TakenEarly, LeaseRule::TakenFromTheLiving];
        rules.contains(&self.rules.lease)
    }

    /// Whether the runner may send with its lock as it is, or with its intent as it is.
    pub fn may_send(&self, node: &Node, errand: Errand) -> bool {
        let is_fresh = !errand.once || node.journal.open.has(errand.request);
        node.hands.lease_is_alive() || self.takes_leases_early() && is_fresh
    }

    /// A runner whose lock does not outlive its request does not send it: it writes that down and
    /// polls again. It may renew its lock and send all the same, where nobody has taken the lock
    /// and the intent is not old.
    pub fn without_a_lease(&self, node: &Node, errand: Errand, out: &mut Vec<Next>) {
        let mut push = |what, node| {
            let by = By::Driver;
            out.push(Next { what, by, node });
        };
        let not_sent = node.not_applied(errand.request).at(Pc::Top);
        push("the runner's lease is too short: not sent", not_sent);
        let renewed = Node {
            hands: Hands::One,
            ..*node
        };
        // Its quarantine cannot have ended where it was written just now.
        let is_old = errand.once && !node.journal.open.has(errand.request);
        let may_be_sent = !is_old || self.rules.lease == LeaseRule::OldIntentsSent;
        if node.hands == Hands::RanOut && may_be_sent {
            push("the runner renews its lease", renewed);
        }
    }

    /// What locks and the other runner do.
    pub fn hands(&self, node: &Node, out: &mut Vec<Next>) {
        let mut push = |what, by, hands| {
            let node = Node { hands, ..*node };
            out.push(Next { what, by, node });
        };
        let stage = node.journal.stage;
        let at_rest = stage.state().rests() && !stage.is_paused();
        match node.hands {
            // At rest no process runs and no lease is held, unless it asks for an approval.
            Hands::One if node.pc == Pc::Top && at_rest => {}
            Hands::One if self.rules.lease == LeaseRule::NotTaken => {
                push(
                    "a second runner drives",
                    By::Fault,
                    second_copy(node, Pc::Top),
                );
            }
            Hands::One if self.takes_leases_early() => {
                let hands = Hands::Contended { has_read: false };
                push("another takes the lease too early", By::Fault, hands);
            }
            Hands::One => push("the runner's lease runs out", By::Fault, Hands::RanOut),
            Hands::RanOut => {
                // Before a sending more than the lease counts.
                if !matches!(node.pc, Pc::Send(_)) {
                    push("the runner renews its lease", By::Driver, Hands::One);
                }
                let hands = Hands::Contended { has_read: false };
                push("another takes the lease", By::Driver, hands);
            }
            Hands::Contended { has_read: false } => {
                let hands = Hands::Contended { has_read: true };
                push("the other reads the record", By::Driver, hands);
            }
            Hands::Contended { has_read: true } => out.push(Next {
                what: "the other writes the record anew: the runner is overtaken",
                by: By::Driver,
                node: self.overtaken(node),
            }),
            Hands::Overtaken { request, is_late } => {
                let what = "the overtaken runner finds its lease taken, and ends";
                push(what, By::Driver, Hands::One);
                match self.rules.lease {
                    LeaseRule::SendingUnfenced => self.send_overtaken(node, request, out),
                    LeaseRule::TakenEarly if !is_late => self.send_overtaken(node, request, out),
                    _ => {}
                }
            }
            Hands::Apart { .. } => self.other_drives(node, out),
        }
    }

    /// Another runner continues from the record; what the overtaken one could still do is left of
    /// it.
    fn overtaken(&self, node: &Node) -> Node {
        let hands = match node.pc {
            _ if self.rules.lease == LeaseRule::CheckpointsUnfenced => second_copy(node, node.pc),
            _ if self.rules.lease == LeaseRule::TakenFromTheLiving => match node.journal.stage.kind
            {
                // What is asked without a checkpoint and is not an upload.
                Kind::AbortingDeploy
                | Kind::TerminatingGreen
                | Kind::TerminatingBlue
                | Kind::Discarding => second_copy(node, node.pc),
                _ => Hands::One,
            },
            Pc::Send(errand) => Hands::Overtaken {
                request: errand.request,
                is_late: false,
            },
            Pc::Top | Pc::Enter(_) | Pc::Check(_) | Pc::Note(_) => Hands::One,
        };
        Node {
            hands,
            ..node.crashed()
        }
    }

    /// Marks what an overtaken runner is about to send as too late, where it is.
    pub fn grow_late(&self, next: &mut Node) {
        if let Hands::Overtaken { request, is_late } = &mut next.hands
            && self.rules.lease == LeaseRule::TakenEarly
        {
            let is_old = request.is_sent_once() && !next.journal.open.has(*request);
            *is_late |= is_old || next.world.view.finds_nothing(*request);
        }
    }

    /// Against the rules: the runner sends the request, and nothing records what becomes of it,
    /// because the checkpoint finds that another has taken over.
    fn send_overtaken(&self, node: &Node, request: Request, out: &mut Vec<Next>) {
        let errand = Errand {
            request,
            once: false,
            refused: node.journal.stage,
        };
        let silence_broken =
            (self.rules.lease == LeaseRule::SendingUnfenced).then_some(Harm::SentOvertaken);
        let first = out.len();
        self.send(node, errand, out);
        for next in &mut out[first..] {
            next.what = "the overtaken runner sends";
            next.node = Node {
                journal: node.journal,
                shown: node.shown,
                pc: node.pc,
                hands: Hands::One,
                harm: next.node.harm.or(silence_broken),
                ..next.node
            };
        }
    }

    /// Against the rules: the other runner continues with its own copy.
    fn other_drives(&self, node: &Node, out: &mut Vec<Next>) {
        let Some(other) = node.seen_by_the_other() else {
            return;
        };
        let first = out.len();
        match other.pc {
            // Of the rules of the lease only one is broken at a time.
            Pc::Send(errand) if self.rules.lease == LeaseRule::CheckpointsUnfenced => {
                self.without_a_lease(&other, errand, out);
            }
            // Its intent may be old.
            Pc::Send(errand)
                if errand.once && self.rules.lease == LeaseRule::TakenFromTheLiving => {}
            _ => self.drive(&other, out),
        }
        if self.rules.lease == LeaseRule::TakenFromTheLiving {
            // Its checkpoints find that it is overtaken, which ends it.
            let mut nth = 0;
            out.retain(|next| {
                nth += 1;
                nth <= first || next.node.journal == other.journal
            });
        }
        time(&other, out);
        for next in &mut out[first..] {
            if let Some(back) = next.node.seen_by_the_other() {
                next.node = back;
            }
        }
    }
}

fn second_copy(node: &Node, pc: Pc) -> Hands {
    Hands::Apart {
        other: Hand {
            journal: node.journal,
            shown: Open::default(),
            pc,
        },
        other_wrote_last: false,
    }
}

impl Node {
    /// The same situation, followed from the other runner of two that are apart.
    fn seen_by_the_other(&self) -> Option<Node> {
        let Hands::Apart {
            other,
            other_wrote_last,
        } = self.hands
        else {
            return None;
        };
        let own = Hand {
            journal: self.journal,
            shown: self.shown,
            pc: self.pc,
        };
        Some(Node {
            journal: other.journal,
            shown: other.shown,
            pc: other.pc,
            hands: Hands::Apart {
                other: own,
                other_wrote_last: !other_wrote_last,
            },
            ..*self
        })
    }
}
