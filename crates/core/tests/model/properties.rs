//! What must hold in every node.

use bluegreen_core::followers::listener_rules::RuleOwners;
use bluegreen_core::followers::preview::Lead;
use bluegreen_core::machine::Kind;
use bluegreen_core::plan::{Goal, Role, Strategy};

use super::journal::Pc;
use super::node::Node;
use super::service::{Harm, Request};
use super::stage::{Follows, Why};
use super::world::{BluePhase, Bundle, GreenPhase, Label, Swap};

pub const SERVES: &str =
    "production's CNAME and cached answers to it lead to environments that answer";
pub const LIVE_IS_LEFT_ALONE: &str =
    "no deploy, abort or termination reaches an environment that clients reach";
pub const NOBODY_IS_LED_ASTRAY: &str = "no rule and no preview hostname leads to an environment that is deployed to or terminated, and \
     no preview hostname to one whose name moves; staging's rules alone lead to idle blue meanwhile";
pub const SWAPS_TO_FIT: &str = "a swap sends production to an environment that answers";
pub const NOTHING_TWICE: &str = "no swap and no deploy is sent while an earlier one is on its way";
pub const WHAT_GOES_ON_IS_WAITED_FOR: &str =
    "no deploy whose events keep coming is given up for the time it takes";
pub const WORK_IS_KEPT: &str = "what a person has put on green while it served, or on idle blue, is taken away only where the \
     operator says so";
pub const OTHERS_UPDATES_ARE_LEFT: &str = "no update is aborted that is known to be a person's";
pub const THE_LAST_IS_LEFT: &str =
    "no environment is terminated while the one that serves is being terminated";
pub const NO_SWAP_AGAINST_A_PERSON: &str =
    "no swap is asked for again that was seen done and that a person has undone";
pub const OVERTAKEN_IS_SILENT: &str = "a runner sends nothing once another has taken over";
pub const LAUNCHES_WHAT_RUNS: &str = "green is asked for with the version that blue runs, or, where it is to keep production, with the \
     new one once it is processed";
pub const COMPLETED: &str = "Completed: production serves the goal version on the environment where it is to stay, and \
     nothing is left or on its way, sizes too";
pub const ROLLED_BACK: &str =
    "RolledBack: blue serves the previous version, and nothing is left or on its way";
pub const BLUE_IS_UNTOUCHED: &str =
    "a rehearsal asks nothing of blue, moves nothing, and enters no state that would";
pub const REHEARSED: &str =
    "a rehearsal passes only once green has run the version on every instance and answered";
pub const HELD: &str = "Held and AwaitingCutover: green serves; AwaitingSwap: blue serves";
pub const APPROVED: &str =
    "no version is swapped into production past a pause that nobody has ended for it";
pub const BLAMES_NOBODY: &str = "nobody else is blamed where nobody else acted";
pub const COMES_TO_REST: &str =
    "an end or a rest is reachable without an order and without a fault";
pub const REACHES_AN_END: &str = "an end is reachable, where need be by an operator's order";
pub const REACHES_A_GOOD_END: &str =
    "where nobody acted at the console, Completed or RolledBack is reachable until stuck";

/// The property that does not hold in a node, if any.
pub fn broken(node: &Node) -> Option<&'static str> {
    match node.harm {
        Some(Harm::UpdatedLive | Harm::TerminatedLive) => return Some(LIVE_IS_LEFT_ALONE),
        // What a person at the console broke is not the machine's doing.
        Some(Harm::SwappedToUnfit) if !node.console => return Some(SWAPS_TO_FIT),
        Some(Harm::LostWork) => return Some(WORK_IS_KEPT),
        Some(Harm::LedAstray) if !node.console => return Some(NOBODY_IS_LED_ASTRAY),
        Some(Harm::TerminatedLast) => return Some(THE_LAST_IS_LEFT),
        Some(Harm::SwappedAgainst) => return Some(NO_SWAP_AGAINST_A_PERSON),
        Some(Harm::AbortedOthers) => return Some(OTHERS_UPDATES_ARE_LEFT),
        Some(Harm::GaveUpWhatGoesOn) => return Some(WHAT_GOES_ON_IS_WAITED_FOR),
        Some(Harm::SwappedToUnfit | Harm::SentOvertaken | Harm::LedAstray) | None => {}
    }
    if touches_blue_in_a_rehearsal(node) {
        return Some(BLUE_IS_UNTOUCHED);
    }
    if node.console {
        return None;
    }
    let view = &node.world.view;
    let fails = |role| node.world.is_reached(role) && !view.answers(role);
    if view.holder.is_none() || fails(Role::Blue) || fails(Role::Green) {
        return Some(SERVES);
    }
    let asks_for_green =
        matches!(node.pc, Pc::Send(errand) if errand.request == Request::CreateGreen);
    let terms = node.journal.terms;
    let runs = match terms.strategy {
        Strategy::Restore | Strategy::Rehearse => terms.green_label() == view.blue.label,
        Strategy::Promote => node.world.bundle == Bundle::Processed,
    };
    if asks_for_green && !runs {
        return Some(LAUNCHES_WHAT_RUNS);
    }
    let stage = node.journal.stage;
    match stage.kind {
        Kind::Completed if terms.strategy == Strategy::Promote && !promoted(node) => {
            Some(COMPLETED)
        }
        Kind::Completed
            if terms.strategy == Strategy::Restore && !cleared(node, terms.goal_label()) =>
        {
            Some(COMPLETED)
        }
        Kind::Completed
            if terms.strategy == Strategy::Rehearse && !cleared(node, Label::Previous) =>
        {
            Some(COMPLETED)
        }
        Kind::TestingGreen if passes_unrehearsed(node) => Some(REHEARSED),
        Kind::RolledBack if !cleared(node, Label::Previous) => Some(ROLLED_BACK),
        Kind::Held | Kind::AwaitingCutover if view.holder != Some(Role::Green) => Some(HELD),
        Kind::AwaitingSwap if view.holder != Some(Role::Blue) => Some(HELD),
        Kind::Stuck if stage.why == Why::SomebodyElse => Some(BLAMES_NOBODY),
        _ if passes_a_pause(node) => Some(APPROVED),
        _ if sends_twice(node) => Some(NOTHING_TWICE),
        _ if node.harm == Some(Harm::SentOvertaken) => Some(OVERTAKEN_IS_SILENT),
        _ => None,
    }
}

/// Whether a rehearsal is about to request something for blue, or stands where it would.
fn touches_blue_in_a_rehearsal(node: &Node) -> bool {
    if node.journal.terms.strategy != Strategy::Rehearse {
        return false;
    }
    let asks = match node.pc {
        Pc::Check(errand) | Pc::Send(errand) | Pc::Note(errand) => errand.request.touches_blue(),
        Pc::Top | Pc::Enter(_) => false,
    };
    asks || match node.journal.stage.kind {
        Kind::Preparing
        | Kind::Cloning
        | Kind::Warming
        | Kind::DeployingGreen
        | Kind::TestingGreen
        | Kind::TerminatingGreen
        | Kind::Discarding
        | Kind::Completed
        | Kind::RolledBack
        | Kind::Stuck => false,
        Kind::AwaitingSwap
        | Kind::SwappingToGreen
        | Kind::DrainingBlue
        | Kind::Deploying
        | Kind::AbortingDeploy
        | Kind::Testing
        | Kind::AwaitingCutover
        | Kind::SwappingToBlue
        | Kind::Baking
        | Kind::ReturningToGreen
        | Kind::ReturningToBlue
        | Kind::TerminatingBlue
        | Kind::Held => true,
    }
}

/// Whether the driver is about to take green's tests as passed although green does not run the
/// version, or does not answer.
fn passes_unrehearsed(node: &Node) -> bool {
    let passes = matches!(node.pc, Pc::Enter(next) if next.kind == Kind::TerminatingGreen);
    let green = node.world.view.green;
    passes && !(green.upgraded && !green.mixed && green.fit)
}

/// The swap that moves production towards the release, past a pause.
fn passes_a_pause(node: &Node) -> bool {
    let (terms, approved) = (node.journal.terms, node.journal.approved);
    let unapproved = match node.journal.stage.kind {
        Kind::SwappingToGreen => terms.pause_before_swap && !approved.swap,
        Kind::SwappingToBlue => terms.pause_before_cutover && !approved.cutover,
        _ => false,
    };
    let swaps = matches!(node.pc, Pc::Send(errand) if matches!(errand.request, Request::Swap(_)));
    swaps && unapproved && terms.goal == Goal::Release
}

/// A template and a green are not made twice: their names are taken then.
fn sends_twice(node: &Node) -> bool {
    matches!(node.pc, Pc::Send(errand)
        if matches!(errand.request, Request::Swap(_) | Request::Deploy(_))
            && node.hands.lease_is_alive()
            && node.world.in_flight.has(errand.request))
}

/// Users are on blue with this version; green and the template are gone, and no request that is
/// still on its way can bring them back or move or interrupt production.
fn cleared(node: &Node, label: Label) -> bool {
    let view = &node.world.view;
    view.holder == Some(Role::Blue)
        && view.blue.label == label
        && view.blue.phase == BluePhase::Ready
        && view.swap == Swap::Idle
        && view.green.phase == GreenPhase::Absent
        && nothing_is_left(node)
}

/// Users are on green with the version that it was launched on; blue and the template are gone.
fn promoted(node: &Node) -> bool {
    let view = &node.world.view;
    view.holder == Some(Role::Green)
        && view.green.phase == GreenPhase::Ready
        && view.swap == Swap::Idle
        && view.blue.phase == BluePhase::Gone
        && nothing_is_left(node)
}

fn nothing_is_left(node: &Node) -> bool {
    let late = node.world.in_flight;
    let view = &node.world.view;
    let raised = view.blue.phase != BluePhase::Gone && view.blue.raised
        || view.green_is_ours() && view.green.raised
        || late.resize.is_some_and(|(_, raised)| raised);
    let sizes_are_own = !node.journal.terms.resizes || !raised;
    let on_their_way = [
        late.create_template,
        late.create_green,
        late.swap,
        late.terminate_blue,
        late.deploy.is_some(),
    ];
    sizes_are_own
        && !view.template
        && !on_their_way.contains(&true)
        && followers_lead_where_they_stay(node)
}

/// The rules forward to the environment that stays, the preview hostname holds what it held
/// before, and nothing on its way changes that.
fn followers_lead_where_they_stay(node: &Node) -> bool {
    let late = node.world.in_flight;
    let followers = node.world.view.followers;
    let stay = node.world.view.holder.map(RuleOwners::together);
    let rules_stay = |rules| Some(rules) == stay;
    match node.journal.terms.follows {
        Follows::Nothing => true,
        Follows::Rules => {
            followers.rules.is_none_or(rules_stay) && late.rules.is_none_or(rules_stay)
        }
        Follows::Records => {
            !followers.preview && late.records.is_none_or(|lead| lead == Lead::Back)
        }
    }
}
