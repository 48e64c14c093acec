//! What the machine may request, and the step that requests it.

use serde::{Deserialize, Serialize};

use super::seen::Unread;
use super::state::State;
use crate::followers::listener_rules::{RuleMove, RuleOwners};
use crate::followers::preview::{Lead, RecordMove};
use crate::plan::{Role, Sizes, Which};

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Checkpoint this state.
    Enter(State),
    /// Poll again later; once the state's timeout is over, enter `otherwise`.
    Wait {
        /// The state to enter when this one's timeout is over. The state itself where the wait ends
        /// of its own accord.
        otherwise: State,
    },
    /// Request an effect that is safe to repeat; where AWS refuses it for good or the state's
    /// timeout is over, enter `otherwise`.
    Ask {
        /// What to request.
        effect: Effect,
        /// The state to enter when AWS refuses that or the state's timeout is over.
        otherwise: State,
    },
    /// Checkpoint the intent first, then send the request, because bluegreen must not request the
    /// effect again while an earlier request may still arrive; where AWS refuses it for good or the
    /// state's timeout is over, enter `otherwise`.
    Once {
        /// What to request.
        effect: Effect,
        /// The state to enter when AWS refuses that or the state's timeout is over.
        otherwise: State,
    },
    /// Read this too, then decide again: the step depends on it.
    Read(Unread),
    /// Poll again later, after requesting the effect if there is one: preview hostnames must be
    /// right first. The time that the state may last begins anew.
    Delay {
        /// What to request, as with [`Step::Once`]; where it is refused, poll again.
        effect: Option<Effect>,
    },
    /// Nothing left to do until an operator says so.
    Rest,
}

/// Something to request from AWS.
///
/// How often each may happen, and why, stands beside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "effect")]
pub enum Effect {
    /// Put the bundle under its content-addressed key. Any number of times: the
    /// same key always holds the same bytes.
    UploadBundle,
    /// Register and process the version. Any number of times: a second time is
    /// refused because the label exists.
    RegisterVersion,
    /// Make the configuration template from blue. Any number of times while it
    /// is wanted (a second is refused: it exists); a late one would leave a
    /// template behind, so it is not left in doubt.
    CreateTemplate,
    /// Make green. Any number of times while it is wanted (a second is refused:
    /// the name is taken); a late one would leave a green behind, so it is not
    /// left in doubt.
    CreateGreen,
    /// Swap the two CNAMEs. Exactly once a swap: a second swaps back. bluegreen does not request it
    /// again until it knows what became of the first.
    Swap {
        /// Blue's environment id.
        blue_id: String,
        /// Green's environment id.
        green_id: String,
        /// The environment that must hold the production CNAME afterwards.
        to: Role,
    },
    /// Deploy a version onto idle blue, or in a rehearsal onto green. Again only when bluegreen
    /// knows what became of the first: one that arrives late would interrupt live blue.
    Deploy {
        /// The environment's id.
        environment_id: String,
        /// The version label.
        version_label: String,
    },
    /// Abort the update of idle blue, or in a rehearsal of green. Any number of times:
    /// without an update there is nothing to abort.
    AbortUpdate {
        /// The environment's id.
        environment_id: String,
    },
    /// Set how many instances an environment's group may have. It interrupts nothing, and bluegreen
    /// does not request it again while an earlier one may still arrive: a late one would undo the
    /// sizes that the deployment leaves.
    Resize {
        /// The environment's id.
        environment_id: String,
        /// Which one it is.
        role: Role,
        /// The sizes.
        sizes: Sizes,
        /// Which of them are set.
        sets: Which,
        /// Which of them must no longer be set, so that what the source bundle sets or the default
        /// is in force again.
        removes: Which,
        /// Those that it has now.
        over: Sizes,
        /// What the change is for.
        change: Change,
    },
    /// Terminate green. Any number of times: an id is never given again, so a
    /// late one finds nothing.
    TerminateGreen {
        /// Green's environment id.
        environment_id: String,
    },
    /// Terminate blue, where green keeps production. Any number of times, as with
    /// green; nothing leads back from there.
    TerminateBlue {
        /// Blue's environment id.
        environment_id: String,
    },
    /// Delete the configuration template. Any number of times: its name holds
    /// this deployment's id, and it is not made again afterwards in the same pass.
    DeleteTemplate,
    /// Make rules of the shared load balancer forward elsewhere. Any number of times for the
    /// same owners; for others not while an earlier one may still arrive: a late one would lead
    /// users back.
    MoveRules {
        /// To whom the rules belong.
        owners: RuleOwners,
        /// What is changed in each.
        moves: Vec<RuleMove>,
    },
    /// Make preview hostnames hold something else. Any number of times for the same lead; for
    /// another not while an earlier one may still arrive.
    MoveRecords {
        /// Where they must lead.
        lead: Lead,
        /// What each holds, and must hold.
        moves: Vec<RecordMove>,
    },
}

/// What sizes are changed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// So that the environment can take production.
    Raise,
    /// So that no trace of that is left.
    PutBack,
}

impl Effect {
    /// What the effect is, without its names.
    #[must_use]
    pub fn kind(&self) -> EffectKind {
        match self {
            Effect::UploadBundle => EffectKind::UploadBundle,
            Effect::RegisterVersion => EffectKind::RegisterVersion,
            Effect::CreateTemplate => EffectKind::CreateTemplate,
            Effect::CreateGreen => EffectKind::CreateGreen,
            Effect::Swap { .. } => EffectKind::Swap,
            Effect::Deploy { .. } => EffectKind::Deploy,
            Effect::AbortUpdate { .. } => EffectKind::AbortUpdate,
            Effect::Resize { .. } => EffectKind::Resize,
            Effect::TerminateGreen { .. } => EffectKind::TerminateGreen,
            Effect::TerminateBlue { .. } => EffectKind::TerminateBlue,
            Effect::DeleteTemplate => EffectKind::DeleteTemplate,
            Effect::MoveRules { .. } => EffectKind::MoveRules,
            Effect::MoveRecords { .. } => EffectKind::MoveRecords,
        }
    }
}

impl Effect {
    /// Whether it terminates an environment.
    #[must_use]
    pub fn terminates(&self) -> bool {
        matches!(
            self,
            Effect::TerminateGreen { .. } | Effect::TerminateBlue { .. }
        )
    }

    /// Whether it moves what follows a swap. bluegreen gives nothing up because AWS refuses it.
    #[must_use]
    pub fn moves_followers(&self) -> bool {
        matches!(self, Effect::MoveRules { .. } | Effect::MoveRecords { .. })
    }

    /// A name for each request that the effect sends, for messages; empty if messages name the
    /// operation alone.
    #[must_use]
    pub fn subjects(&self) -> Vec<String> {
        match self {
            Effect::MoveRules { moves, .. } => moves.iter().map(|rule| rule.rule.clone()).collect(),
            Effect::MoveRecords { moves, .. } => {
                let words =
                    |record: &RecordMove| format!("{}: {}", record.host, record.to.in_words());
                moves.iter().map(words).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether it moves traffic or interrupts an environment, so that the live-safety rule must
    /// hold for it on a fresh poll.
    #[must_use]
    pub fn touches_service(&self) -> bool {
        match self {
            Effect::Swap { .. }
            | Effect::Deploy { .. }
            | Effect::AbortUpdate { .. }
            | Effect::Resize { .. }
            | Effect::TerminateGreen { .. }
            | Effect::TerminateBlue { .. }
            | Effect::MoveRules { .. }
            | Effect::MoveRecords { .. } => true,
            Effect::UploadBundle
            | Effect::RegisterVersion
            | Effect::CreateTemplate
            | Effect::CreateGreen
            | Effect::DeleteTemplate => false,
        }
    }
}

/// The kinds of effect, as the journal names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectKind {
    /// See [`Effect::UploadBundle`].
    UploadBundle,
    /// See [`Effect::RegisterVersion`].
    RegisterVersion,
    /// See [`Effect::CreateTemplate`].
    CreateTemplate,
    /// See [`Effect::CreateGreen`].
    CreateGreen,
    /// See [`Effect::Swap`].
    Swap,
    /// See [`Effect::Deploy`].
    Deploy,
    /// See [`Effect::AbortUpdate`].
    AbortUpdate,
    /// See [`Effect::Resize`].
    Resize,
    /// See [`Effect::TerminateGreen`].
    TerminateGreen,
    /// See [`Effect::TerminateBlue`].
    TerminateBlue,
    /// See [`Effect::DeleteTemplate`].
    DeleteTemplate,
    /// See [`Effect::MoveRules`].
    MoveRules,
    /// See [`Effect::MoveRecords`].
    MoveRecords,
}

impl EffectKind {
    /// The operation of the service, as its API reference names it.
    #[must_use]
    pub fn operation(self) -> &'static str {
        match self {
            EffectKind::UploadBundle => "PutObject",
            EffectKind::RegisterVersion => "CreateApplicationVersion",
            EffectKind::CreateTemplate => "CreateConfigurationTemplate",
            EffectKind::CreateGreen => "CreateEnvironment",
            EffectKind::Swap => "SwapEnvironmentCNAMEs",
            EffectKind::Deploy | EffectKind::Resize => "UpdateEnvironment",
            EffectKind::AbortUpdate => "AbortEnvironmentUpdate",
            EffectKind::TerminateGreen | EffectKind::TerminateBlue => "TerminateEnvironment",
            EffectKind::DeleteTemplate => "DeleteConfigurationTemplate",
            EffectKind::MoveRules => "ModifyRule",
            EffectKind::MoveRecords => "ChangeResourceRecordSets",
        }
    }
}
