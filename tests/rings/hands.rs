//! Other people's hands: a hotfix on the environment that serves, another version or other
//! options on the idle one, a swap, a termination, an update that goes on, all by somebody else
//! while a release runs. Nothing of theirs is taken away without a word, nothing is done
//! against them, and what they have broken is found at once.

use crate::support::forms::{HOTFIX, deploys, sets, swaps, terminates};
use std::time::Duration;

use bluegreen::deployment::Deployment;
use bluegreen::events::Happened;
use bluegreen::machine::{Cause, Kind, Order, State, obey};
use bluegreen::plan::{Role, Strategy};
use bluegreen::preflight::Wanted;
use bluegreen::users::Users;
use bluegreen_sandbox::{Fault, FaultEffect, Form, PRODUCTION, Reply, Status, World, apply};

use crate::support::virtual_world::{ID, VirtualWorld, v2};
use bluegreen_testing::sample::sampled;

const BLUE: &str = "shop-blue";
const GREEN: &str = "shop-blue-green";
/// An environment of the account that has nothing to do with the release.
const THIRD: &str = "shop-third";
const VARIABLE: &str = "aws:elasticbeanstalk:application:environment:DB_URL";

/// What a person asks of AWS, who may do everything.
fn asks(world: &mut World, form: &str) -> bool {
    world.set_policy(None);
    let reply = apply(world, &Form::parse(form.as_bytes()));
    matches!(reply, Reply::Answer { status: 200, .. })
}

/// A world in which nobody has begun anything, with a version for a hotfix.
async fn a_world() -> VirtualWorld {
    let world = VirtualWorld::new().await;
    world.sandbox.with_world(|world, _| {
        assert!(asks(world, HOTFIX));
    });
    world
}

/// The swaps and deploys of somebody else in the journal's events, as in `swap to NAME`.
fn told_of_others(world: &VirtualWorld) -> Vec<String> {
    let events = world.store().events(ID).expect("the journal reads");
    let events = events.into_iter().filter_map(|event| match event.happened {
        Happened::OthersSwap { to, .. } => Some(format!("swap to {to}")),
        Happened::OthersDeploy {
            environment, label, ..
        } => Some(format!("deploy of {label} to {environment}")),
        _ => None,
    });
    events.collect()
}

/// Drives until the deployment rests. Once it has been in this state, somebody asks AWS all of
/// this, each as soon as AWS takes it.
async fn driven(
    world: &VirtualWorld,
    deployment: &mut Deployment,
    person: Option<(Kind, &[String])>,
) {
    let acts = async {
        if let Some((during, forms)) = person {
            wait_for(world, during).await;
            for form in forms {
                by_hand(world, form).await;
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        done = world.drive(deployment) => done.expect("nobody kills it").expect("it rests"),
        () = acts => {}
    }
}

async fn wait_for(world: &VirtualWorld, kind: Kind) {
    let is_there = || {
        let found = world.store().find(ID).expect("the journal reads");
        found.is_some_and(|found| found.state.kind() == kind)
    };
    while !is_there() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Asks until AWS takes it, for hours.
async fn by_hand(world: &VirtualWorld, form: &str) {
    for _ in 0..10_000 {
        if world.sandbox.with_world(|world, _| asks(world, form)) {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("AWS never takes {form}");
}

/// Waits until an environment is Ready.
async fn is_ready(world: &VirtualWorld, name: &str) {
    let ready = || {
        world.sandbox.with_world(|world, _| {
            let found = world.environment(name);
            found.is_some_and(|found| found.status == Status::Ready)
        })
    };
    while !ready() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// A release during which somebody does this once it is in this state.
async fn released(wanted: Wanted, during: Kind, forms: &[String]) -> (VirtualWorld, Deployment) {
    let world = a_world().await;
    let mut deployment = world.begin(wanted).await.expect("preflight passes");
    driven(&world, &mut deployment, Some((during, forms))).await;
    (world, deployment)
}

fn pausing() -> Wanted {
    Wanted {
        pause_before_cutover: true,
        ..v2()
    }
}

/// An operator's order, as the commands give it; with `--discard-changes` or without.
async fn ordered(
    world: &VirtualWorld,
    deployment: &mut Deployment,
    order: Order,
    discard_changes: bool,
) {
    let (state, plan) = obey(&deployment.state, &deployment.plan, order).expect("possible");
    let now = world.clock.now();
    let mut next = deployment.entering(state, now);
    if discard_changes {
        next.discarded = deployment.with_changes_discarded().expect("held for them");
    }
    next.plan = plan;
    world
        .store()
        .checkpoint(deployment, next, now, "ordered", None, &[])
        .expect("checkpoint");
    driven(world, deployment, None).await;
}

#[track_caller]
fn why(deployment: &Deployment, kind: Kind) -> String {
    assert_eq!(deployment.state.kind(), kind, "{:?}", deployment.state);
    let cause = deployment.state.cause();
    cause.map(ToString::to_string).unwrap_or_default()
}

#[track_caller]
fn held_for(deployment: &Deployment, role: Role) -> Vec<String> {
    match &deployment.state {
        State::Held {
            cause: Cause::ChangedMeanwhile { on, changes, .. },
        } if *on == role => changes.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

fn version_of(world: &VirtualWorld, name: &str) -> String {
    world.sandbox.with_world(|world, _| {
        let found = world.environment(name).expect("it is there");
        found.version_label.clone()
    })
}

fn holder(world: &VirtualWorld) -> Option<String> {
    world.sandbox.with_world(|world, _| {
        let mut all = world.environments();
        let holds = |cname: &Option<String>| cname.as_deref() == Some(PRODUCTION);
        all.find(|e| holds(&e.cname)).map(|e| e.name.clone())
    })
}

/// How many operations of this kind were ever begun on blue.
fn begun(world: &VirtualWorld, operation: &str) -> usize {
    let begins = format!("{operation} is starting.");
    world.sandbox.with_world(|world, _| {
        let events = world.events_of(BLUE).into_iter();
        events.filter(|event| event.message == begins).count()
    })
}

/// How long a deployment was in a state before it came where it is.
async fn lasted(world: &VirtualWorld, kind: Kind) -> Duration {
    let way = world.way(ID).await;
    let entered = way.iter().rfind(|t| t.to == kind.to_string());
    let left = way.iter().rfind(|t| t.from == kind.to_string());
    left.expect("left").at.since(entered.expect("entered").at)
}

/// DNXLabs/docker-beanstalk-bluegreen: green serves while the code is corrected, and somebody
/// puts a hotfix onto it.
#[tokio::test(start_paused = true)]
async fn a_hotfix_on_the_serving_green_is_not_taken_away() {
    let (world, mut deployment) =
        released(pausing(), Kind::Deploying, &[deploys(GREEN, "hotfix")]).await;
    // It is held before the pause: there is something to decide.
    let told = why(&deployment, Kind::Held);
    assert_eq!(
        held_for(&deployment, Role::Green),
        ["version is hotfix, where it was v1"]
    );
    assert!(
        told.contains("somebody else has changed shop-blue-green while it served"),
        "{told}"
    );
    assert!(told.contains("resume --discard-changes"), "{told}");
    // An order that gives nothing up leads nowhere else.
    ordered(&world, &mut deployment, Order::Resume, false).await;
    held_for(&deployment, Role::Green);
    ordered(&world, &mut deployment, Order::Retreat, false).await;
    held_for(&deployment, Role::Green);
    assert_eq!(holder(&world).as_deref(), Some(GREEN));
    assert_eq!(version_of(&world, GREEN), "hotfix");
    ordered(&world, &mut deployment, Order::Retreat, true).await;
    assert_eq!(deployment.state.kind(), Kind::RolledBack);
    assert_eq!(version_of(&world, BLUE), "v1");
}

#[tokio::test(start_paused = true)]
async fn a_hotfix_during_the_pause_is_found_on_the_way_on() {
    let world = a_world().await;
    let mut deployment = world.begin(pausing()).await.expect("preflight passes");
    driven(&world, &mut deployment, None).await;
    assert_eq!(deployment.state, State::AwaitingCutover);
    by_hand(&world, &deploys(GREEN, "hotfix")).await;
    ordered(&world, &mut deployment, Order::Resume, false).await;
    held_for(&deployment, Role::Green);
    // Another hotfix is another decision.
    let discarded = deployment
        .with_changes_discarded()
        .expect("it is held for it");
    assert_eq!(discarded.len(), 1);
    by_hand(&world, &deploys(GREEN, "v2")).await;
    is_ready(&world, GREEN).await;
    // Blue runs the same, so that nothing would be lost.
    ordered(&world, &mut deployment, Order::Resume, false).await;
    let is_paused = deployment.state == State::AwaitingCutover;
    assert!(
        is_paused || deployment.state == State::Completed,
        "{:?}",
        deployment.state
    );
}

/// The version that has the hotfix takes its place.
#[tokio::test(start_paused = true)]
async fn a_hotfix_that_is_released_is_not_lost() {
    let (world, mut deployment) =
        released(v2(), Kind::Deploying, &[deploys(GREEN, "hotfix")]).await;
    held_for(&deployment, Role::Green);
    let version = "hotfix".to_owned();
    ordered(&world, &mut deployment, Order::Correct { version }, false).await;
    assert_eq!(deployment.state, State::Completed);
    assert_eq!(version_of(&world, BLUE), "hotfix");
}

#[tokio::test(start_paused = true)]
async fn settings_and_sizes_on_the_serving_green_are_not_taken_away() {
    let options = [
        (VARIABLE, "hush"),
        ("aws:elasticbeanstalk:command:Timeout", "900"),
        ("aws:autoscaling:asg:MinSize", "4"),
    ];
    let (world, mut deployment) = released(v2(), Kind::Deploying, &[sets(GREEN, &options)]).await;
    assert_eq!(
        held_for(&deployment, Role::Green),
        [
            "aws:autoscaling:asg:MinSize is 4",
            "aws:elasticbeanstalk:application:environment:DB_URL is new",
            "aws:elasticbeanstalk:command:Timeout is 900",
        ]
    );
    let journal = serde_json::to_string(&deployment).expect("JSON");
    assert!(!journal.contains("hush"), "a secret is kept");
    // The same on idle blue as well: nothing would be lost, and what is there is kept.
    by_hand(&world, &sets(BLUE, &options)).await;
    ordered(&world, &mut deployment, Order::Resume, false).await;
    assert_eq!(deployment.state, State::Completed);
    world.sandbox.with_world(|world, _| {
        let blue = world.environment(BLUE).expect("it is there");
        let value = |namespace, name| blue.setting(namespace, name);
        assert_eq!(
            value("aws:elasticbeanstalk:command", "Timeout"),
            Some("900")
        );
        assert_eq!(value("aws:autoscaling:asg", "MinSize"), Some("4"));
    });
}

/// Fewer than the traffic needs: blue has enough of them while it takes production back, and
/// theirs afterwards.
#[tokio::test(start_paused = true)]
async fn sizes_that_somebody_lowers_on_idle_blue_are_put_back_as_they_were() {
    for sizes in sampled("sizes", [["1", "1"], ["1", "8"], ["1", "4"]], 1) {
        let [min, max] = sizes;
        let lowered = [
            ("aws:autoscaling:asg:MinSize", min),
            ("aws:autoscaling:asg:MaxSize", max),
        ];
        let (world, deployment) = released(v2(), Kind::DrainingBlue, &[sets(BLUE, &lowered)]).await;
        assert_eq!(deployment.state, State::Completed, "{sizes:?}");
        assert_eq!(world.sandbox.report().lost, 0, "{sizes:?}");
        world.sandbox.with_world(|world, _| {
            let blue = world.environment(BLUE).expect("it is there");
            let found =
                ["MinSize", "MaxSize"].map(|name| blue.setting("aws:autoscaling:asg", name));
            assert_eq!(found, sizes.map(Some));
        });
    }
}

/// ThoughtWorksStudios and others: blue is idle, so somebody tries a version on it.
#[tokio::test(start_paused = true)]
async fn a_version_on_idle_blue_is_not_overwritten() {
    let (world, mut deployment) =
        released(v2(), Kind::DrainingBlue, &[deploys(BLUE, "hotfix")]).await;
    assert_eq!(held_for(&deployment, Role::Blue), ["version is hotfix"]);
    assert_eq!(version_of(&world, BLUE), "hotfix");
    ordered(&world, &mut deployment, Order::Resume, true).await;
    assert_eq!(deployment.state, State::Completed);
    assert_eq!(version_of(&world, BLUE), "v2");
    // The way back, which has another goal, takes the same word.
    let (world, mut deployment) =
        released(v2(), Kind::DrainingBlue, &[deploys(BLUE, "hotfix")]).await;
    ordered(&world, &mut deployment, Order::Retreat, false).await;
    held_for(&deployment, Role::Blue);
    ordered(&world, &mut deployment, Order::Retreat, true).await;
    assert_eq!(deployment.state.kind(), Kind::RolledBack);
    assert_eq!(version_of(&world, BLUE), "v1");
}

/// What was given up was given up for one deploy: the same again is another decision.
#[tokio::test(start_paused = true)]
async fn a_version_on_idle_blue_that_comes_again_is_asked_for_again() {
    let (world, mut deployment) =
        released(pausing(), Kind::DrainingBlue, &[deploys(BLUE, "hotfix")]).await;
    held_for(&deployment, Role::Blue);
    ordered(&world, &mut deployment, Order::Resume, true).await;
    assert_eq!(deployment.state, State::AwaitingCutover);
    by_hand(&world, &deploys(BLUE, "hotfix")).await;
    is_ready(&world, BLUE).await;
    ordered(&world, &mut deployment, Order::Resume, false).await;
    assert_eq!(held_for(&deployment, Role::Blue), ["version is hotfix"]);
    assert_eq!(version_of(&world, BLUE), "hotfix");
}

/// The deploy is throttled, and somebody is faster: what has had to wait is not asked for over it.
#[tokio::test(start_paused = true)]
async fn a_version_that_comes_before_a_deploy_that_has_to_wait_is_not_overwritten() {
    let world = a_world().await;
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    world.inject(Fault {
        operation: Some("UpdateEnvironment".to_owned()),
        times: Some(3),
        ..Fault::from(FaultEffect::Throttle)
    });
    let acts = async {
        let calls = || world.sandbox.report().calls;
        while !calls().contains_key("UpdateEnvironment") {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // Who does it in the console meets no such fault.
        by_hand(&world, &deploys(BLUE, "hotfix")).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        done = world.drive(&mut deployment) => done.expect("nobody kills it").expect("it rests"),
        () = acts => {}
    }
    assert_eq!(held_for(&deployment, Role::Blue), ["version is hotfix"]);
    assert_eq!(version_of(&world, BLUE), "hotfix");
}

/// Blue was proven and paused, and somebody puts the old version back: no wait for a timeout.
#[tokio::test(start_paused = true)]
async fn another_version_on_tested_blue_is_found_at_once() {
    let world = a_world().await;
    let mut deployment = world.begin(pausing()).await.expect("preflight passes");
    driven(&world, &mut deployment, None).await;
    by_hand(&world, &deploys(BLUE, "v1")).await;
    is_ready(&world, BLUE).await;
    ordered(&world, &mut deployment, Order::Resume, false).await;
    assert_eq!(held_for(&deployment, Role::Blue), ["version is v1"]);
    assert!(lasted(&world, Kind::Testing).await < Duration::from_secs(180));
}

/// Who swaps by hand in place of `cutover` or `resume` has done what was to be done.
#[tokio::test(start_paused = true)]
async fn production_that_is_where_it_is_wanted_goes_on_from_there() {
    for (before_swap, version) in [(true, "v2"), (false, "v2")] {
        let world = a_world().await;
        let wanted = Wanted {
            pause_before_swap: before_swap,
            pause_before_cutover: !before_swap,
            ..v2()
        };
        let mut deployment = world.begin(wanted).await.expect("preflight passes");
        driven(&world, &mut deployment, None).await;
        assert!(deployment.state.rests() && !deployment.state.is_end());
        by_hand(&world, &swaps(BLUE, GREEN)).await;
        is_ready(&world, BLUE).await;
        ordered(&world, &mut deployment, Order::Resume, false).await;
        assert_eq!(deployment.state, State::Completed, "{before_swap}");
        world.check_all_is_well(version);
    }
}

#[tokio::test(start_paused = true)]
async fn production_that_was_moved_elsewhere_is_told_and_nobody_swaps_against_it() {
    // Back to blue before it was deployed to.
    let (world, deployment) = released(v2(), Kind::DrainingBlue, &[swaps(BLUE, GREEN)]).await;
    let told = why(&deployment, Kind::Stuck);
    assert!(
        told.contains("somebody else has moved it, and blue holds it now"),
        "{told}"
    );
    assert_eq!(holder(&world).as_deref(), Some(BLUE));
    assert_eq!(told_of_others(&world), [format!("swap to {BLUE}")]);
    assert!(lasted(&world, Kind::DrainingBlue).await < Duration::from_secs(180));
    // To a third environment.
    let world = a_world().await;
    third(&world).await;
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    let forms = [swaps(GREEN, THIRD)];
    driven(&world, &mut deployment, Some((Kind::DrainingBlue, &forms))).await;
    let told = why(&deployment, Kind::Stuck);
    assert!(told.contains("shop-third holds it now"), "{told}");
    assert_eq!(holder(&world).as_deref(), Some(THIRD));
    assert_eq!(told_of_others(&world), [format!("swap to {THIRD}")]);
}

/// Whatever follows from it, bluegreen reports a swap or a deploy of somebody else in every state
/// that a poll finds it in.
#[tokio::test(start_paused = true)]
async fn swaps_and_deploys_of_others_are_told_in_every_state() {
    let cases = [
        (
            Kind::Warming,
            swaps(BLUE, GREEN),
            format!("swap to {GREEN}"),
        ),
        (
            Kind::Warming,
            deploys(BLUE, "hotfix"),
            format!("deploy of hotfix to {BLUE}"),
        ),
        (
            Kind::Warming,
            deploys(GREEN, "hotfix"),
            format!("deploy of hotfix to {GREEN}"),
        ),
        (
            Kind::DrainingBlue,
            deploys(BLUE, "hotfix"),
            format!("deploy of hotfix to {BLUE}"),
        ),
        (
            Kind::DrainingBlue,
            deploys(GREEN, "hotfix"),
            format!("deploy of hotfix to {GREEN}"),
        ),
        (Kind::Testing, swaps(BLUE, GREEN), format!("swap to {BLUE}")),
        (
            Kind::Testing,
            deploys(BLUE, "hotfix"),
            format!("deploy of hotfix to {BLUE}"),
        ),
        (
            Kind::Testing,
            deploys(GREEN, "hotfix"),
            format!("deploy of hotfix to {GREEN}"),
        ),
        (Kind::Baking, swaps(BLUE, GREEN), format!("swap to {GREEN}")),
        (
            Kind::Baking,
            deploys(BLUE, "hotfix"),
            format!("deploy of hotfix to {BLUE}"),
        ),
    ];
    let mut untold = Vec::new();
    for (during, form, expected) in cases {
        let (world, deployment) = released(v2(), during, &[form]).await;
        let told = told_of_others(&world);
        if !told.contains(&expected) {
            let end = deployment.state.kind();
            untold.push(format!("{during}: {expected}, but {told:?}; it is {end}"));
        }
    }
    assert!(untold.is_empty(), "{untold:#?}");
}

/// Another environment of the application, Ready.
async fn third(world: &VirtualWorld) {
    let form = format!(
        "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName={THIRD}&VersionLabel=v1\
         &SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20"
    );
    by_hand(world, &form).await;
    is_ready(world, THIRD).await;
}

/// Green is the way back while blue is watched: who takes it has decided.
#[tokio::test(start_paused = true)]
async fn production_that_was_moved_back_to_green_is_held_there() {
    let (world, mut deployment) = released(v2(), Kind::Baking, &[swaps(BLUE, GREEN)]).await;
    let told = why(&deployment, Kind::Held);
    assert!(told.contains("green holds it now"), "{told}");
    assert_eq!(holder(&world).as_deref(), Some(GREEN));
    ordered(&world, &mut deployment, Order::Resume, false).await;
    assert_eq!(deployment.state, State::Completed);
    world.check_all_is_well("v2");
}

/// A swap that somebody undoes is not asked for again.
#[tokio::test(start_paused = true)]
async fn a_swap_that_somebody_undoes_is_not_repeated() {
    let world = a_world().await;
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    let acts = async {
        while holder(&world).as_deref() != Some(GREEN) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        by_hand(&world, &swaps(BLUE, GREEN)).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        done = world.drive(&mut deployment) => done.expect("nobody kills it").expect("it rests"),
        () = acts => {}
    }
    let told = why(&deployment, Kind::Stuck);
    assert!(told.contains("blue holds it now"), "{told}");
    assert_eq!(holder(&world).as_deref(), Some(BLUE));
    assert_eq!(begun(&world, "swapEnvironmentCNAMEs"), 2, "ours and theirs");
}

/// hashicorp/terraform-provider-aws#19679: Terraform terminates blue while green serves.
#[tokio::test(start_paused = true)]
async fn blue_that_is_terminated_while_green_serves_is_found_at_once() {
    for during in [Kind::DrainingBlue, Kind::Testing] {
        let (world, deployment) = released(v2(), during, &[terminates(BLUE)]).await;
        let told = why(&deployment, Kind::Stuck);
        assert!(told.contains("users are safe on shop-blue-green"), "{told}");
        assert!(told.contains("do not terminate it"), "{told}");
        assert!(
            told.contains("--blue shop-blue-green --green shop-blue"),
            "{told}"
        );
        assert_eq!(holder(&world).as_deref(), Some(GREEN));
        // A termination takes four minutes, and patience is half an hour.
        assert!(lasted(&world, during).await < Duration::from_secs(600));
    }
    let world = a_world().await;
    let mut deployment = world.begin(pausing()).await.expect("preflight passes");
    driven(&world, &mut deployment, None).await;
    by_hand(&world, &terminates(BLUE)).await;
    tokio::time::sleep(Duration::from_secs(900)).await;
    ordered(&world, &mut deployment, Order::Resume, false).await;
    assert!(why(&deployment, Kind::Stuck).contains("users are safe"));
    assert!(lasted(&world, Kind::Testing).await < Duration::from_secs(120));
}

#[tokio::test(start_paused = true)]
async fn green_that_is_terminated_while_it_serves_is_an_outage() {
    let (world, deployment) = released(v2(), Kind::Testing, &[terminates(GREEN)]).await;
    let told = why(&deployment, Kind::Stuck);
    assert!(
        told.starts_with("OUTAGE: somebody else has terminated shop-blue-green"),
        "{told}"
    );
    assert!(
        told.contains("aws elasticbeanstalk rebuild-environment --environment-id e-"),
        "{told}"
    );
    assert!(told.contains("shop-blue is left"), "{told}");
    let users = Users::of(&deployment, None, false).to_string();
    assert!(
        users.contains("on shop-blue-green, which is TERMINATED: they get no answer"),
        "{users}"
    );
    assert!(lasted(&world, Kind::Testing).await < Duration::from_secs(600));
}

#[tokio::test(start_paused = true)]
async fn green_that_is_terminated_before_it_serves_ends_the_release() {
    let world = a_world().await;
    let wanted = Wanted {
        pause_before_swap: true,
        ..v2()
    };
    let mut deployment = world.begin(wanted).await.expect("preflight passes");
    driven(&world, &mut deployment, None).await;
    by_hand(&world, &terminates(GREEN)).await;
    tokio::time::sleep(Duration::from_secs(900)).await;
    ordered(&world, &mut deployment, Order::Resume, false).await;
    assert_eq!(
        why(&deployment, Kind::RolledBack),
        Cause::GreenGone.to_string()
    );
    assert!(lasted(&world, Kind::Warming).await < Duration::from_secs(120));
}

/// What is left can serve: both gone is worse than one.
#[tokio::test(start_paused = true)]
async fn green_is_left_where_blue_is_terminated_while_it_serves() {
    let world = a_world().await;
    let wanted = Wanted {
        pause_before_swap: true,
        ..v2()
    };
    let mut deployment = world.begin(wanted).await.expect("preflight passes");
    driven(&world, &mut deployment, None).await;
    by_hand(&world, &terminates(BLUE)).await;
    ordered(&world, &mut deployment, Order::Retreat, false).await;
    let told = why(&deployment, Kind::Stuck);
    assert!(
        told.starts_with("OUTAGE: somebody else has terminated shop-blue while"),
        "{told}"
    );
    assert!(told.contains("shop-blue-green is left"), "{told}");
    world.sandbox.with_world(|world, _| {
        let green = world.environment(GREEN).expect("it is there");
        assert_eq!(green.status, Status::Ready);
    });
}

/// Green is only the way back then, and goes anyway.
#[tokio::test(start_paused = true)]
async fn the_idle_environment_that_is_terminated_early_holds_nothing_up() {
    let (_, deployment) = released(v2(), Kind::Baking, &[terminates(GREEN)]).await;
    assert_eq!(deployment.state, State::Completed);
    let promoting = Wanted {
        strategy: Strategy::Promote,
        ..v2()
    };
    let (_, deployment) = released(promoting, Kind::Baking, &[terminates(BLUE)]).await;
    assert_eq!(deployment.state, State::Completed);
}

/// Somebody's update of blue goes on when blue is to be deployed to: it is waited for.
#[tokio::test(start_paused = true)]
async fn an_update_of_somebody_else_is_waited_for() {
    let timeout = [("aws:elasticbeanstalk:command:Timeout", "700")];
    let (world, deployment) = released(v2(), Kind::DrainingBlue, &[sets(BLUE, &timeout)]).await;
    assert_eq!(deployment.state, State::Completed);
    world.sandbox.with_world(|world, _| {
        let blue = world.environment(BLUE).expect("it is there");
        let kept = blue.setting("aws:elasticbeanstalk:command", "Timeout");
        assert_eq!(kept, Some("700"));
    });
}

/// However long it takes, it is theirs to abort; and what it has left is theirs too.
#[tokio::test(start_paused = true)]
async fn an_update_of_somebody_else_is_never_aborted() {
    let mut world = a_world().await;
    world.config.wishes.limits.patience = Duration::from_secs(300);
    world.inject(FaultEffect::SlowDeploy {
        label: "hotfix".to_owned(),
        seconds: 7200,
        batches: 1,
    });
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    let forms = [deploys(BLUE, "hotfix")];
    driven(&world, &mut deployment, Some((Kind::DrainingBlue, &forms))).await;
    let told = why(&deployment, Kind::Held);
    assert!(
        told.contains(
            "blue is busy with an update that this deployment has not requested: \
                       Environment update is starting."
        ),
        "{told}"
    );
    let calls = world.sandbox.report().calls;
    assert_eq!(calls.get("AbortEnvironmentUpdate"), None);
    is_ready(&world, BLUE).await;
    ordered(&world, &mut deployment, Order::Resume, false).await;
    held_for(&deployment, Role::Blue);
}
