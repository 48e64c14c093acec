//! The rules of a shared load balancer, through the real SDK.

use bluegreen::clock::{Deadline, Stopwatch};
use bluegreen::cloud::{LookError, Outcome, Refusal};
use bluegreen::listener_rules::{Follow, Rule, RuleMove, TAG_FOLLOW, moves};
use bluegreen::plan::SEND_WITHIN;
use bluegreen_sandbox::{FaultEffect, Form, apply};

use crate::support::served::{Served, clients_of};
use crate::support::virtual_world::VirtualWorld;

const SHOP: &str = "www.shop.example";
const STAGING: &str = "staging.shop.example";

/// Blue and green behind the shared load balancer, with a rule for each of two hosts;
/// their ids and the load balancer's ARN.
async fn shared() -> (VirtualWorld, String, String, String) {
    let world = VirtualWorld::new().await;
    let (blue, green, balancer) = world.sandbox.with_world(|world, _| {
        world.share_load_balancer("shop-blue");
        let create = "Action=CreateEnvironment&ApplicationName=shop&VersionLabel=v1\
                      &EnvironmentName=shop-blue-green&TemplateName=t";
        let template =
            "Action=CreateConfigurationTemplate&ApplicationName=shop&TemplateName=t&EnvironmentId=";
        let blue = world.environment("shop-blue").expect("blue").id.clone();
        world.set_policy(None);
        apply(world, &Form::parse(format!("{template}{blue}").as_bytes()));
        apply(world, &Form::parse(create.as_bytes()));
        let green = world.environment("shop-blue-green").expect("green");
        let green = green.id.clone();
        world.add_rule(SHOP, "shop-blue", &[(TAG_FOLLOW, "production")]);
        world.add_rule(STAGING, "shop-blue-green", &[(TAG_FOLLOW, "staging")]);
        world.add_rule("other.example", "shop-blue", &[("team", "other")]);
        (blue, green, world.balancer_arn())
    });
    (world, blue, green, balancer)
}

fn reached(world: &VirtualWorld, host: &str) -> String {
    world
        .sandbox
        .with_world(|world, _| world.balanced_to(host).expect("a rule").name.clone())
}

async fn follow(world: &VirtualWorld, balancer: &str, production: &str, staging: &str) -> usize {
    let found = world.cloud.following_rules(balancer).await.expect("rules");
    let (rules, groups) = (found.following, found.groups);
    let both = [production, staging];
    let changes = moves(&rules, &groups, both, |follow| match follow {
        Follow::Production => production,
        Follow::Staging => staging,
    });
    let changes = changes.expect("counterparts");
    for change in &changes {
        let outcome = world.cloud.point_rule(change, &Deadline::default()).await;
        assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
    }
    changes.len()
}

#[tokio::test(start_paused = true)]
async fn tagged_rules_follow_there_and_back() {
    let (world, blue, green, balancer) = shared().await;
    assert_eq!(follow(&world, &balancer, &blue, &green).await, 0);
    assert_eq!(follow(&world, &balancer, &green, &blue).await, 2);
    assert_eq!(reached(&world, SHOP), "shop-blue-green");
    assert_eq!(reached(&world, STAGING), "shop-blue");
    assert_eq!(reached(&world, "other.example"), "shop-blue");
    // Asking again changes nothing.
    assert_eq!(follow(&world, &balancer, &green, &blue).await, 0);
    assert_eq!(follow(&world, &balancer, &blue, &green).await, 2);
    assert_eq!(reached(&world, SHOP), "shop-blue");
}

#[tokio::test(start_paused = true)]
async fn a_rule_keeps_its_environment_from_being_terminated() {
    let (world, blue, green, balancer) = shared().await;
    assert_eq!(follow(&world, &balancer, &green, &blue).await, 2);
    let terminate = || {
        world.sandbox.with_world(|world, _| {
            world.set_policy(None);
            let form = format!("Action=TerminateEnvironment&EnvironmentId={green}");
            apply(world, &Form::parse(form.as_bytes()));
        });
    };
    let wait = || world.clock.sleep(std::time::Duration::from_secs(600));
    let is_there = || {
        let there =
            |world: &mut bluegreen_sandbox::World| world.environment("shop-blue-green").is_some();
        world.sandbox.with_world(|world, _| there(world))
    };
    wait().await;
    terminate();
    wait().await;
    assert!(is_there(), "its target group is in use");
    world.sandbox.with_world(|world, _| {
        let form = "Action=DescribeEvents&EnvironmentName=shop-blue-green";
        let told = format!("{:?}", apply(world, &Form::parse(form.as_bytes())));
        assert!(told.contains("AWSEBV2LoadBalancerTargetGroup"), "{told}");
    });
    // Before it goes every rule must forward to blue, staging's too.
    let found = world.cloud.following_rules(&balancer).await.expect("rules");
    let (rules, groups) = (found.following, found.groups);
    let changes = moves(&rules, &groups, [&blue, &green], |_| &blue);
    for change in &changes.expect("counterparts") {
        let outcome = world.cloud.point_rule(change, &Deadline::default()).await;
        assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
    }
    terminate();
    wait().await;
    assert!(!is_there());
    assert_eq!(reached(&world, STAGING), "shop-blue");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_followed_is_told() {
    let (world, blue, green, balancer) = shared().await;
    let none = balancer.replace("shop-shared", "shop-none");
    let told = world.cloud.following_rules(&none).await;
    assert!(
        matches!(&told, Err(LookError::Refused(why)) if why.contains("LoadBalancerNotFound")),
        "{told:?}"
    );
    let found = world.cloud.following_rules(&balancer).await.expect("rules");
    let (rules, groups) = (found.following, found.groups);
    let change = |to: &str| RuleMove {
        rule: rules[0].arn.clone(),
        moves: vec![(rules[0].forwards[0].clone(), to.to_owned())],
    };
    let gone = change(&groups[0].arn.replace("awseb-", "awseb-x"));
    let outcome = world.cloud.point_rule(&gone, &Deadline::default()).await;
    assert!(
        matches!(&outcome, Outcome::NotApplied(Refusal::Invalid(why)) if why.contains("TargetGroupNotFound")),
        "{outcome:?}"
    );
    // What is ready too late is not sent.
    let to = groups
        .iter()
        .find(|group| group.environment_id == green)
        .expect("green's");
    let slept = Stopwatch::start(&world.clock);
    tokio::time::advance(std::time::Duration::from_secs(31)).await;
    let late = Deadline::default().and(slept, SEND_WITHIN);
    let outcome = world.cloud.point_rule(&change(&to.arn), &late).await;
    assert!(
        matches!(&outcome, Outcome::NotApplied(Refusal::Unreachable(why)) if why.contains("too late")),
        "{outcome:?}"
    );
    assert_eq!(reached(&world, SHOP), "shop-blue");
    // Only tagged rules may be changed, but for what Elastic Beanstalk does beneath.
    let policy = crate::support::policies::without_statement("BeneathSharedRules");
    world.sandbox.set_policy(Some(policy));
    let (foreign, _) = (
        world
            .sandbox
            .with_world(|world, _| world.add_rule("third.example", "shop-blue", &[])),
        blue,
    );
    let outcome = world
        .cloud
        .point_rule(
            &RuleMove {
                rule: foreign,
                moves: Vec::new(),
            },
            &Deadline::default(),
        )
        .await;
    assert!(
        matches!(outcome, Outcome::NotApplied(Refusal::Denied(_))),
        "{outcome:?}"
    );
    // A tag of another value is refused by name.
    world.sandbox.with_world(|world, _| {
        world.add_rule("fourth.example", "shop-blue", &[(TAG_FOLLOW, "prod")]);
    });
    let told = world.cloud.following_rules(&balancer).await;
    assert!(
        matches!(&told, Err(LookError::Refused(why)) if why.contains("bluegreen:follow=prod")),
        "{told:?}"
    );
}

/// Over a socket; the conformance script has moto play the load balancer
/// (BLUEGREEN_TEST_AWS, BLUEGREEN_TEST_BALANCER).
#[test]
fn rules_follow_over_the_wire() {
    let served = Served::at_speed(60.0);
    let mut balancer = served.sandbox.with_world(|world, _| {
        world.inject(FaultEffect::ForeignEnvironment {
            name: "shop-other".to_owned(),
        });
        for (name, host, follow) in [
            ("shop-blue", SHOP, "production"),
            ("shop-other", STAGING, "staging"),
        ] {
            world.share_load_balancer(name);
            world.add_rule(host, name, &[(TAG_FOLLOW, follow)]);
        }
        world.balancer_arn()
    });
    let mut url = served.url.clone();
    if let Ok(elsewhere) = std::env::var("BLUEGREEN_TEST_AWS") {
        url = elsewhere;
        balancer = std::env::var("BLUEGREEN_TEST_BALANCER").expect("its ARN");
    }
    let forwards = |rules: &[Rule], follow: Follow| {
        let rule = rules.iter().find(|rule| rule.follow == follow);
        rule.expect("a rule").forwards.clone()
    };
    served.block_on(async {
        let cloud = clients_of(&url).await;
        let found = cloud.following_rules(&balancer).await.expect("rules");
        let (before, groups) = (found.following, found.groups);
        let environment = |follow| {
            let target = &forwards(&before, follow)[0];
            let group = groups.iter().find(|group| group.arn == *target);
            group.expect("a group").environment_id.clone()
        };
        let (blue, green) = (
            environment(Follow::Production),
            environment(Follow::Staging),
        );
        assert_ne!(blue, green);
        for (production, staging) in [(&green, &blue), (&blue, &green)] {
            let found = cloud.following_rules(&balancer).await.expect("rules");
            let (rules, groups) = (found.following, found.groups);
            let both = [production.as_str(), staging.as_str()];
            let changes = moves(&rules, &groups, both, |follow| match follow {
                Follow::Production => production,
                Follow::Staging => staging,
            });
            let changes = changes.expect("counterparts");
            assert_eq!(changes.len(), 2);
            for change in &changes {
                let outcome = cloud.point_rule(change, &Deadline::default()).await;
                assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
            }
            let after = cloud.following_rules(&balancer).await.expect("rules");
            let after = after.following;
            for (follow, other) in [
                (Follow::Production, Follow::Staging),
                (Follow::Staging, Follow::Production),
            ] {
                assert_eq!(forwards(&after, follow), forwards(&rules, other));
            }
        }
        let after = cloud.following_rules(&balancer).await.expect("rules");
        let after = after.following;
        assert_eq!(after, before);
    });
}
