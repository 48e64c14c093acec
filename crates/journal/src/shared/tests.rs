use std::time::Duration;

use proptest::prelude::*;

use serde::Serialize;

use super::object::kept;
use super::*;
use bluegreen_clock::Moment;
use bluegreen_core::fleet::{
    Attempt, FleetPlan, FleetState, Member, Standing, StopAfter, Wave, decide,
};
use bluegreen_core::plan::{Goal, Plan, Target};
use bluegreen_testing::garbled::garbled;

#[test]
fn names_become_safe_parts_of_keys() {
    let target = Target {
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        application: "my shop/../x.é".to_owned(),
        blue: "shop-blue".to_owned(),
    };
    assert_eq!(
        lease_key(&target),
        "bluegreen/leases/123456789012/us-east-1/my=20shop=2F=2E=2E=2Fx=2E=C3=A9/shop-blue.json"
    );
    assert_eq!(deployment_key("01j"), "bluegreen/deployments/01J.json");
}

const ID: &str = "01J00000000000000000000000";

fn record() -> DeploymentRecord {
    DeploymentRecord::sample(ID)
}

fn lease() -> LeaseRecord {
    let at = Moment(1_800_000_000_000);
    LeaseRecord {
        format: FORMAT,
        fence: 3,
        target: Plan::sample(ID).target,
        deployment: ID.to_owned(),
        doing: "Cloning".to_owned(),
        waits: Vec::new(),
        holder: Some(Holder::this_process(None)),
        taken_at: at,
        renewed_at: at,
        renewals: 7,
        length_seconds: 120,
        retreat_requested: false,
    }
}

fn fleet() -> FleetRecord {
    let plan = FleetPlan {
        waves: vec![Wave {
            name: "all".to_owned(),
            bake: Duration::from_secs(60),
            pauses: true,
        }],
        concurrency: 2,
        stop_after: StopAfter::Percent(10),
    };
    let at = Moment(1_800_000_000_000);
    let member = Member {
        name: "shop".to_owned(),
        wave: 0,
        query: None,
        region: Some("us-east-1".to_owned()),
        application: "shop".to_owned(),
        blue: "shop-blue".to_owned(),
        version: Some("v2".to_owned()),
        standing: Standing::Completed,
        attempt: Some(Attempt {
            deployment: ID.to_owned(),
            goal: Goal::Release,
            worker: Some("here".to_owned()),
            since: at,
        }),
        released: Some(ID.to_owned()),
        live: None,
        why: None,
    };
    let mut fleet = FleetRecord::new("shop", plan, vec![member], at);
    fleet.enter(
        FleetState::Baking { wave: 0, since: at },
        "it is released",
        at,
    );
    fleet
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("it is JSON")
}

#[test]
fn what_this_program_writes_is_read() {
    let key = deployment_key(ID);
    let read: DeploymentRecord = kept(("b", &key), None, &json(&record())).expect("it is whole");
    assert_eq!(read.deployment, record().deployment);
    assert_eq!(read.origin, Origin::Bucket);
    let lease = lease();
    let key = lease_key(&lease.target);
    let read: LeaseRecord = kept(("b", &key), None, &json(&lease)).expect("it is whole");
    assert_eq!(read, lease);
}

proptest! {
    /// Whatever is in its place, a copy is refused or is one that may be reckoned with: its dates,
    /// its limits and its words are read as the commands read them.
    #[test]
    fn a_garbled_copy_is_refused_or_harmless(object in garbled(json(&record()))) {
        let key = deployment_key(ID);
        if let Ok(read) = kept::<DeploymentRecord>(("b", &key), None, &object) {
            let deployment = &read.deployment;
            prop_assert_eq!(&deployment.plan.id, ID);
            let limits = &deployment.plan.wishes.limits;
            let _ = deployment.entered_at.after(limits.patience + limits.quarantine + limits.drain);
            let _ = (limits.watch_interval(), limits.watch_within(), deployment.age());
            let next = deployment.entering(deployment.state.clone(), Moment(1_800_000_000_000));
            prop_assert!(next.revision < u64::MAX && next.fence < u64::MAX);
        }
    }

    #[test]
    fn a_garbled_lease_is_refused_or_harmless(object in garbled(json(&lease()))) {
        let key = lease_key(&lease().target);
        if let Ok(read) = kept::<LeaseRecord>(("b", &key), None, &object) {
            prop_assert_eq!(&read.target, &lease().target);
            prop_assert!(read.length() < std::time::Duration::MAX / 2);
            let _ = read.in_words();
        }
    }

    #[test]
    fn a_garbled_fleet_is_refused_or_harmless(object in garbled(json(&fleet()))) {
        if let Ok(fleet) = kept::<FleetRecord>(("b", &fleet_key("shop")), None, &object) {
            let (state, members) = (fleet.state, &fleet.members);
            let decision = decide(&fleet.plan, state, members, None, fleet.updated_at);
            prop_assert!(decision.begin.iter().all(|number| *number < members.len()));
            for id in members.iter().filter_map(|member| member.released.as_ref()) {
                prop_assert!(id.bytes().all(|b| b.is_ascii_alphanumeric()));
            }
        }
    }

    #[test]
    fn a_garbled_queue_is_refused_or_harmless(object in garbled(json(&Queue::default()))) {
        if let Ok(mut read) = kept::<Queue>(("b", "q"), None, &object) {
            read.begin(ID, None, Moment(1_800_000_000_000));
        }
    }
}
