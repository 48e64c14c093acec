//! What the service does with a request, and what may be on its way to it.

use bluegreen_core::followers::listener_rules::RuleOwners;
use bluegreen_core::followers::preview::Lead;
use bluegreen_core::machine::{Change, Effect};
use bluegreen_core::plan::{Role, Which};

use super::journal::Open;
use super::stage::sizes;
use super::world::{BluePhase, Bundle, Events, Green, GreenPhase, Label, Stale, Swap, World};

/// Green's environment id.
const GREEN_ID: &str = "e-green";

/// A request to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    UploadBundle,
    RegisterVersion,
    CreateTemplate,
    CreateGreen,
    /// The service swaps whatever is there; the direction is the machine's wish.
    Swap(Role),
    Deploy(Label),
    AbortUpdate,
    /// What a rehearsal does to green.
    DeployGreen(Label),
    AbortGreen,
    /// Whose sizes, and whether to more.
    Resize(Role, bool),
    TerminateGreen,
    TerminateBlue,
    DeleteTemplate,
    MoveRules(RuleOwners),
    MoveRecords(Lead),
}

/// Harm that a request of the driver did by arriving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Harm {
    /// A deploy or an abort interrupted an environment that clients reach.
    UpdatedLive,
    /// An environment that clients reach is being terminated.
    TerminatedLive,
    /// Production was sent to an environment that does not answer.
    SwappedToUnfit,
    /// A runner sent although another had taken over.
    SentOvertaken,
    /// An update was aborted that a person had begun, which the runner could know.
    AbortedOthers,
    /// An environment is being terminated although the one that users are on is too.
    TerminatedLast,
    /// The driver requested a swap again that was seen done, and that a person has undone.
    SwappedAgainst,
    /// What a person has put on green or blue was taken away without the operator's word.
    LostWork,
    /// A rule or a preview hostname led to an environment that is deployed to or terminated, or
    /// a preview hostname to one whose name moves.
    LedAstray,
    /// The driver gave a deploy up as overdue on a poll that showed its events coming.
    GaveUpWhatGoesOn,
}

/// What the service says to a request that reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Applied(World, Option<Harm>),
    /// Not now, or it is so already: another poll decides.
    Busy,
    /// Refused for good.
    Invalid,
}

/// Requests on their way: sent, not answered, and not arrived yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct InFlight {
    pub create_template: bool,
    pub create_green: bool,
    pub swap: bool,
    pub deploy: Option<Label>,
    pub abort: bool,
    pub deploy_green: Option<Label>,
    pub abort_green: bool,
    pub resize: Option<(Role, bool)>,
    pub terminate: bool,
    pub terminate_blue: bool,
    pub delete_template: bool,
    pub rules: Option<RuleOwners>,
    pub records: Option<Lead>,
}

impl InFlight {
    /// Puts a request on its way, or takes it from there. The uploads are
    /// harmless at any time, so they are not followed.
    pub fn set(&mut self, request: Request, on_its_way: bool) {
        match request {
            Request::UploadBundle | Request::RegisterVersion => {}
            Request::CreateTemplate => self.create_template = on_its_way,
            Request::CreateGreen => self.create_green = on_its_way,
            Request::Swap(_) => self.swap = on_its_way,
            Request::Deploy(label) => self.deploy = on_its_way.then_some(label),
            Request::AbortUpdate => self.abort = on_its_way,
            Request::DeployGreen(label) => self.deploy_green = on_its_way.then_some(label),
            Request::AbortGreen => self.abort_green = on_its_way,
            Request::Resize(role, raised) => self.resize = on_its_way.then_some((role, raised)),
            Request::TerminateGreen => self.terminate = on_its_way,
            Request::TerminateBlue => self.terminate_blue = on_its_way,
            Request::DeleteTemplate => self.delete_template = on_its_way,
            Request::MoveRules(owners) => self.rules = on_its_way.then_some(owners),
            Request::MoveRecords(lead) => self.records = on_its_way.then_some(lead),
        }
    }

    /// Whether a request of this kind is on its way.
    pub fn has(mut self, request: Request) -> bool {
        let was = self;
        self.set(request, false);
        self != was
    }

    /// Whether nothing is on its way.
    pub fn is_empty(self) -> bool {
        self == InFlight::default()
    }

    /// Everything that is on its way.
    pub fn requests(self) -> impl Iterator<Item = Request> {
        [
            self.create_template.then_some(Request::CreateTemplate),
            self.create_green.then_some(Request::CreateGreen),
            // Whichever way it was meant, the service swaps what is there.
            self.swap.then_some(Request::Swap(Role::Green)),
            self.deploy.map(Request::Deploy),
            self.abort.then_some(Request::AbortUpdate),
            self.deploy_green.map(Request::DeployGreen),
            self.abort_green.then_some(Request::AbortGreen),
            self.resize
                .map(|(role, raised)| Request::Resize(role, raised)),
            self.terminate.then_some(Request::TerminateGreen),
            self.terminate_blue.then_some(Request::TerminateBlue),
            self.delete_template.then_some(Request::DeleteTemplate),
            self.rules.map(Request::MoveRules),
            self.records.map(Request::MoveRecords),
        ]
        .into_iter()
        .flatten()
    }
}

impl World {
    /// A request reaches the service.
    pub fn receive(&self, request: Request) -> Verdict {
        let mut next = *self;
        let view = &mut next.view;
        let mut harm = None;
        match request {
            Request::UploadBundle => match next.bundle {
                Bundle::Missing => next.bundle = Bundle::Uploaded,
                _ => return Verdict::Busy,
            },
            Request::RegisterVersion => match next.bundle {
                Bundle::Missing => return Verdict::Invalid,
                Bundle::Uploaded => next.bundle = Bundle::Processing,
                _ => return Verdict::Busy,
            },
            Request::CreateTemplate if view.template => return Verdict::Busy,
            Request::CreateTemplate if view.blue.phase == BluePhase::Gone => {
                return Verdict::Invalid;
            }
            Request::CreateTemplate => view.template = true,
            // Without its template another look makes that again first.
            Request::CreateGreen if view.green.phase != GreenPhase::Absent || !view.template => {
                return Verdict::Busy;
            }
            Request::CreateGreen => {
                // It is made with room for what blue runs, which grows meanwhile.
                view.green = Green {
                    phase: GreenPhase::Launching,
                    ..Green::absent()
                };
                view.launch_failed = false;
            }
            Request::Swap(_) if view.blue_ready() && view.green_ready() => {
                view.swap = Swap::Started;
                let target = view.holder.map(Role::other);
                if target.is_none_or(|target| !view.answers(target)) {
                    harm = Some(Harm::SwappedToUnfit);
                }
            }
            Request::Deploy(label) if view.blue_ready() => {
                view.blue.phase = BluePhase::Updating(label);
                view.blue.fit = false;
                view.blue.mixed = true;
                view.events = Events::Running;
                if self.is_reached(Role::Blue) {
                    harm = Some(Harm::UpdatedLive);
                }
            }
            Request::AbortUpdate if matches!(view.blue.phase, BluePhase::Updating(_)) => {
                view.blue.phase = BluePhase::Aborting;
                if self.is_reached(Role::Blue) {
                    harm = Some(Harm::UpdatedLive);
                }
            }
            Request::DeployGreen(_) if view.green_ready() => {
                view.green.phase = GreenPhase::Updating;
                view.green.fit = false;
                view.green.mixed = true;
                view.events = Events::Running;
                if self.is_reached(Role::Green) {
                    harm = Some(Harm::UpdatedLive);
                }
            }
            Request::AbortGreen if view.green.phase == GreenPhase::Updating => {
                view.green.phase = GreenPhase::Aborting;
                if self.is_reached(Role::Green) {
                    harm = Some(Harm::UpdatedLive);
                }
            }
            Request::Resize(Role::Blue, raised) if view.blue_ready() => {
                view.blue.phase = BluePhase::Resizing(raised);
            }
            Request::Resize(Role::Green, raised) if view.green_ready() => {
                view.green.phase = GreenPhase::Resizing(raised);
            }
            // Whether it takes one that is being launched is not known: a request may be
            // throttled as well as taken.
            Request::TerminateGreen
                if view.green_ready() || view.green.phase == GreenPhase::Launching =>
            {
                view.green.phase = GreenPhase::Terminating;
                if self.is_reached(Role::Green) {
                    harm = Some(Harm::TerminatedLive);
                }
            }
            Request::TerminateBlue if view.blue_ready() => {
                view.blue.phase = BluePhase::Terminating;
                if self.is_reached(Role::Blue) {
                    harm = Some(Harm::TerminatedLive);
                }
            }
            Request::DeleteTemplate if view.template => view.template = false,
            // The target groups of one that is gone are gone too.
            Request::MoveRules(owners) if view.rules_can_go_to(owners) => {
                view.followers.rules = Some(owners);
                let astray = view.goes(owners.production)
                    || view.is_updating(owners.production)
                    || view.goes(owners.staging);
                harm = astray.then_some(Harm::LedAstray);
            }
            // It is replaced only where it holds what it did when it was read.
            Request::MoveRecords(Lead::To(_)) if !view.followers.preview => {
                view.followers.preview = true;
                let astray = |role| view.goes(role) || view.is_updating(role);
                harm = view
                    .previewed()
                    .is_some_and(astray)
                    .then_some(Harm::LedAstray);
            }
            Request::MoveRecords(Lead::Back) if view.followers.preview => {
                view.followers.preview = false;
            }
            Request::Swap(_)
            | Request::Deploy(_)
            | Request::AbortUpdate
            | Request::DeployGreen(_)
            | Request::AbortGreen
            | Request::Resize(..)
            | Request::TerminateGreen
            | Request::TerminateBlue
            | Request::DeleteTemplate
            | Request::MoveRules(_)
            | Request::MoveRecords(_) => return Verdict::Busy,
        }
        Verdict::Applied(next, harm.or(self.leads_astray(request)))
    }

    /// What a request does to those who use a listener rule or the preview hostname: it leads them
    /// to an environment that is deployed to or terminated, or that loses its name.
    fn leads_astray(&self, request: Request) -> Option<Harm> {
        let rules = self.view.followers.rules;
        let previewed = |role| self.view.previewed() == Some(role);
        let led = |role| {
            rules.is_some_and(|rules| rules.production == role || rules.staging == role)
                || previewed(role)
        };
        let astray = match request {
            Request::Swap(_) => self.view.followers.preview,
            Request::Deploy(_) => {
                rules.is_some_and(|rules| rules.production == Role::Blue) || previewed(Role::Blue)
            }
            Request::DeployGreen(_) => previewed(Role::Green),
            Request::TerminateBlue => led(Role::Blue),
            Request::TerminateGreen => led(Role::Green),
            _ => false,
        };
        astray.then_some(Harm::LedAstray)
    }

    /// Whether anybody reaches an environment: production or a cached answer.
    pub fn is_reached(&self, role: Role) -> bool {
        self.view.holder == Some(role) || self.is_stale_on(role) != Stale::None
    }
}

impl Request {
    pub fn of(effect: &Effect) -> Request {
        match effect {
            Effect::UploadBundle => Request::UploadBundle,
            Effect::RegisterVersion => Request::RegisterVersion,
            Effect::CreateTemplate => Request::CreateTemplate,
            Effect::CreateGreen => Request::CreateGreen,
            Effect::Swap { to, .. } => Request::Swap(*to),
            Effect::Deploy {
                environment_id,
                version_label,
            } => {
                let label = Label::named(version_label);
                match environment_id == GREEN_ID {
                    true => Request::DeployGreen(label),
                    false => Request::Deploy(label),
                }
            }
            Effect::AbortUpdate { environment_id } if environment_id == GREEN_ID => {
                Request::AbortGreen
            }
            Effect::AbortUpdate { .. } => Request::AbortUpdate,
            Effect::Resize {
                role, sizes: to, ..
            } => Request::Resize(*role, *to != sizes(false)),
            Effect::TerminateGreen { .. } => Request::TerminateGreen,
            Effect::TerminateBlue { .. } => Request::TerminateBlue,
            Effect::DeleteTemplate => Request::DeleteTemplate,
            Effect::MoveRules { owners, .. } => Request::MoveRules(*owners),
            Effect::MoveRecords { lead, .. } => Request::MoveRecords(*lead),
        }
    }

    pub fn effect(self) -> Effect {
        let environment = |id: &str| id.to_owned();
        match self {
            Request::UploadBundle => Effect::UploadBundle,
            Request::RegisterVersion => Effect::RegisterVersion,
            Request::CreateTemplate => Effect::CreateTemplate,
            Request::CreateGreen => Effect::CreateGreen,
            Request::Swap(to) => Effect::Swap {
                blue_id: environment("e-blue"),
                green_id: environment("e-green"),
                to,
            },
            Request::Deploy(label) => Effect::Deploy {
                environment_id: environment("e-blue"),
                version_label: label.name().to_owned(),
            },
            Request::AbortUpdate => Effect::AbortUpdate {
                environment_id: environment("e-blue"),
            },
            Request::DeployGreen(label) => Effect::Deploy {
                environment_id: environment(GREEN_ID),
                version_label: label.name().to_owned(),
            },
            Request::AbortGreen => Effect::AbortUpdate {
                environment_id: environment(GREEN_ID),
            },
            Request::Resize(role, raised) => Effect::Resize {
                environment_id: environment(match role {
                    Role::Blue => "e-blue",
                    Role::Green => "e-green",
                }),
                role,
                sizes: sizes(raised),
                sets: Which::BOTH,
                removes: Which::NONE,
                over: sizes(!raised),
                change: match raised {
                    true => Change::Raise,
                    false => Change::PutBack,
                },
            },
            Request::TerminateGreen => Effect::TerminateGreen {
                environment_id: environment("e-green"),
            },
            Request::TerminateBlue => Effect::TerminateBlue {
                environment_id: environment("e-blue"),
            },
            Request::DeleteTemplate => Effect::DeleteTemplate,
            Request::MoveRules(owners) => Effect::MoveRules {
                owners,
                moves: Vec::new(),
            },
            Request::MoveRecords(lead) => Effect::MoveRecords {
                lead,
                moves: Vec::new(),
            },
        }
    }

    /// Whether it changes blue, or moves production.
    pub fn touches_blue(self) -> bool {
        match self {
            Request::Swap(_)
            | Request::Deploy(_)
            | Request::AbortUpdate
            | Request::Resize(Role::Blue, _)
            | Request::TerminateBlue
            | Request::MoveRules(_) => true,
            Request::UploadBundle
            | Request::RegisterVersion
            | Request::CreateTemplate
            | Request::CreateGreen
            | Request::DeployGreen(_)
            | Request::AbortGreen
            | Request::Resize(Role::Green, _)
            | Request::TerminateGreen
            | Request::DeleteTemplate
            | Request::MoveRecords(_) => false,
        }
    }

    /// Whether it moves the listener rules or the preview hostname.
    pub fn moves_followers(self) -> bool {
        self.effect().moves_followers()
    }

    /// Whether its intent is written down first.
    pub fn is_sent_once(self) -> bool {
        let mut open = Open::default();
        open.set(self, true);
        open != Open::default()
    }

    /// Whether the driver polls again before it sends it.
    pub fn touches_service(self) -> bool {
        self.effect().touches_service()
    }
}
