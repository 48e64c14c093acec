//! A load balancer that environments share, with rules that follow a swap.

use bluegreen::listener_rules::TAG_FOLLOW;

use crate::support::virtual_world::VirtualWorld;

pub const SHOP: &str = "www.shop.example";
pub const STAGING: &str = "staging.shop.example";

/// Blue shares its load balancer, on which a rule of each kind forwards to it.
pub async fn world() -> VirtualWorld {
    let world = VirtualWorld::new().await;
    share(&world);
    world
}

/// Moves blue there.
pub fn share(world: &VirtualWorld) {
    world.sandbox.with_world(|world, _| {
        world.share_load_balancer("shop-blue");
        world.add_rule(SHOP, "shop-blue", &[(TAG_FOLLOW, "production")]);
        world.add_rule(STAGING, "shop-blue", &[(TAG_FOLLOW, "staging")]);
    });
}

/// Every rule forwards to this environment.
#[track_caller]
pub fn check_rules(world: &VirtualWorld, stays: &str) {
    check_forwards(world, [SHOP, STAGING], stays);
}

/// Production's rule forwards to this environment, wherever staging's does.
#[track_caller]
pub fn check_productions_rule(world: &VirtualWorld, serves: &str) {
    check_forwards(world, [SHOP], serves);
}

#[track_caller]
pub fn check_forwards<const N: usize>(world: &VirtualWorld, hosts: [&str; N], to: &str) {
    world.sandbox.with_world(|world, _| {
        for host in hosts {
            let reached = world.balanced_to(host).map(|e| e.name.as_str());
            assert_eq!(reached, Some(to), "{host}");
        }
    });
}
