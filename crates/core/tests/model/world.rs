//! What the service and its clients do, as small as the machine's rules need it.

use bluegreen_core::followers::listener_rules::RuleOwners;
use bluegreen_core::plan::Role;

use super::service::{InFlight, Request};
use super::stage::Follows;

/// The versions there are: the one before, the release, a corrected release, and
/// one that a person at the console deploys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    Previous,
    New,
    Fixed,
    Other,
}

/// What a poll can show of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// Who holds the production CNAME; none once its environment is gone.
    pub holder: Option<Role>,
    pub swap: Swap,
    pub blue: Blue,
    pub green: Green,
    pub template: bool,
    /// Whether the events of green's last launch report that it failed.
    pub launch_failed: bool,
    /// The events of the last deploy that the journal knows of.
    pub events: Events,
    pub followers: Followers,
}

/// The listener rules and the preview hostname, which lead to the environments beside their CNAMEs.
/// Calls of their own read them, so that a poll may show them older or newer than the environments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Followers {
    /// To whose environment the rules of the shared load balancer forward; none where no load
    /// balancer is shared.
    pub rules: Option<RuleOwners>,
    /// Whether the preview hostname leads to the CNAME that is not production's, and so to the
    /// environment that has it.
    pub preview: bool,
}

/// A swap that the service is carrying out: both environments are busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Swap {
    Idle,
    /// Taken; the names have not moved.
    Started,
    /// The names have moved.
    Moved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Blue {
    pub phase: BluePhase,
    /// The version of the last update that succeeded.
    pub label: Label,
    /// Whether it has been healthy since its last launch or deploy began.
    pub fit: bool,
    /// Whether some of its instances may run another version than its label.
    pub mixed: bool,
    /// Whether its group has room for more than its own sizes.
    pub raised: bool,
    /// Whether the update that continues is a person's.
    pub theirs: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BluePhase {
    Ready,
    Updating(Label),
    Aborting,
    /// Its sizes change; users may stay on it meanwhile.
    Resizing(bool),
    Terminating,
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Green {
    pub phase: GreenPhase,
    /// Whether it has been healthy since its launch.
    pub fit: bool,
    /// Whether its group has room for more than blue's own sizes.
    pub raised: bool,
    /// Whether it was given the version to release, which a rehearsal does.
    pub upgraded: bool,
    /// Whether a person has changed it while users were on it: its version, its settings or its
    /// sizes.
    pub changed: bool,
    /// Whether some of its instances may run another version than it shows.
    pub mixed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GreenPhase {
    Absent,
    Launching,
    Ready,
    /// The version to release is going onto it.
    Updating,
    Aborting,
    /// Its sizes change; users may stay on it meanwhile.
    Resizing(bool),
    Terminating,
    /// Somebody else's environment has the name.
    Foreign,
}

/// What the events of a deploy report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Events {
    None,
    /// They keep coming.
    Running,
    /// None has come lately, or they have come for so long that the driver gives the deploy up.
    Silent,
    Failed,
    Unproven,
    /// Whether they report errors too is no fact of the machine's: the terminal text decides.
    Proven,
}

/// Clients with a cached DNS answer that leads to where production was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stale {
    None,
    /// They are there, and the journal does not date the move that made them.
    Undated,
    /// They are there since a move that the journal's drain covers.
    Dated,
    /// They are there although they have had their time to leave: proxies that keep
    /// addresses, or a record that leads to the load balancer.
    Stay,
}

/// The bundle and the version to release, as far as they are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bundle {
    Missing,
    Uploaded,
    Processing,
    Processed,
    Failed,
}

/// The whole world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub view: View,
    pub stale_on_blue: Stale,
    pub stale_on_green: Stale,
    pub in_flight: InFlight,
    pub bundle: Bundle,
}

impl View {
    pub fn blue_ready(&self) -> bool {
        self.blue.phase == BluePhase::Ready && self.swap == Swap::Idle
    }

    pub fn green_ready(&self) -> bool {
        self.green.phase == GreenPhase::Ready && self.swap == Swap::Idle
    }

    /// Whether an environment answers whoever reaches it. A swap in progress does not interrupt it.
    pub fn answers(&self, role: Role) -> bool {
        match role {
            Role::Blue => {
                let phase = self.blue.phase;
                matches!(phase, BluePhase::Ready | BluePhase::Resizing(_))
                    && self.blue.fit
                    && !self.blue.mixed
            }
            Role::Green => {
                let phase = self.green.phase;
                matches!(phase, GreenPhase::Ready | GreenPhase::Resizing(_))
                    && self.green.fit
                    && !self.green.mixed
            }
        }
    }

    /// Whether a request names an environment that is gone: ids are never given
    /// again.
    pub fn finds_nothing(&self, request: Request) -> bool {
        match request {
            Request::TerminateGreen
            | Request::DeployGreen(_)
            | Request::AbortGreen
            | Request::Resize(Role::Green, _) => !self.green_is_ours(),
            Request::TerminateBlue | Request::Resize(Role::Blue, _) => {
                self.blue.phase == BluePhase::Gone
            }
            _ => false,
        }
    }

    /// Whether both environments have target groups that rules can forward to.
    pub fn rules_can_go_to(&self, owners: RuleOwners) -> bool {
        let there = |role| match role {
            Role::Blue => self.blue.phase != BluePhase::Gone,
            Role::Green => self.green_is_ours(),
        };
        there(owners.production) && there(owners.staging)
    }

    /// Whose environment the preview hostname leads to.
    pub fn previewed(&self) -> Option<Role> {
        let idle = self.holder.map(Role::other);
        idle.filter(|_| self.followers.preview)
    }

    /// Whether an environment is being terminated at somebody's request, or is gone.
    pub fn goes(&self, role: Role) -> bool {
        match role {
            Role::Blue => matches!(self.blue.phase, BluePhase::Terminating | BluePhase::Gone),
            // What the service could not launch it terminates by itself.
            Role::Green => {
                !self.launch_failed
                    && match self.green.phase {
                        GreenPhase::Terminating | GreenPhase::Absent => true,
                        GreenPhase::Launching
                        | GreenPhase::Ready
                        | GreenPhase::Updating
                        | GreenPhase::Aborting
                        | GreenPhase::Resizing(_)
                        | GreenPhase::Foreign => false,
                    }
            }
        }
    }

    /// Whether a deploy to an environment, or its abort, continues.
    pub fn is_updating(&self, role: Role) -> bool {
        match role {
            Role::Blue => matches!(
                self.blue.phase,
                BluePhase::Updating(_) | BluePhase::Aborting
            ),
            Role::Green => {
                matches!(
                    self.green.phase,
                    GreenPhase::Updating | GreenPhase::Aborting
                )
            }
        }
    }

    pub fn green_is_ours(&self) -> bool {
        match self.green.phase {
            GreenPhase::Launching
            | GreenPhase::Ready
            | GreenPhase::Updating
            | GreenPhase::Aborting
            | GreenPhase::Resizing(_)
            | GreenPhase::Terminating => true,
            GreenPhase::Absent | GreenPhase::Foreign => false,
        }
    }
}

impl World {
    /// Blue is live and healthy on the previous version, and nothing else is there.
    pub fn new(follows: Follows) -> World {
        World {
            view: View {
                holder: Some(Role::Blue),
                swap: Swap::Idle,
                blue: Blue {
                    phase: BluePhase::Ready,
                    label: Label::Previous,
                    fit: true,
                    mixed: false,
                    raised: false,
                    theirs: false,
                },
                green: Green::absent(),
                template: false,
                launch_failed: false,
                events: Events::None,
                followers: Followers {
                    rules: (follows == Follows::Rules).then(|| RuleOwners::together(Role::Blue)),
                    preview: false,
                },
            },
            stale_on_blue: Stale::None,
            stale_on_green: Stale::None,
            in_flight: InFlight::default(),
            bundle: Bundle::Missing,
        }
    }

    pub fn is_stale_on(&self, role: Role) -> Stale {
        match role {
            Role::Blue => self.stale_on_blue,
            Role::Green => self.stale_on_green,
        }
    }

    pub fn stale_on(&mut self, role: Role) -> &mut Stale {
        match role {
            Role::Blue => &mut self.stale_on_blue,
            Role::Green => &mut self.stale_on_green,
        }
    }
}

impl Green {
    pub fn absent() -> Green {
        Green {
            phase: GreenPhase::Absent,
            fit: false,
            raised: false,
            upgraded: false,
            changed: false,
            mixed: false,
        }
    }
}
