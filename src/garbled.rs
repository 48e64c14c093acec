//! What the commands make of records that are garbled and read all the same.

use bluegreen_testing::garbled::garbled;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use crate::clock::Moment;
use crate::deployment::Deployment;
use crate::plan::{Plan, template_name};
use crate::report::text::story;
use crate::shared::{Record, within_bounds};
use crate::store::Transition;
use crate::trust::{Configured, vouch_for};

const ID: &str = "01J00000000000000000000000";

fn record() -> Record {
    let mut plan = Plan::sample(ID);
    plan.template = template_name(ID);
    plan.shared_state = true;
    let transition = Transition {
        revision: 1,
        from: "Preparing".to_owned(),
        to: "Cloning".to_owned(),
        at: Moment(1_800_000_000_000),
        why: "the version is registered".to_owned(),
    };
    let mut deployment = Deployment::new(plan, Moment(1_800_000_000_000));
    deployment.revision = 2;
    Record::new(deployment, vec![transition])
}

/// As the journal and the bucket read what they hold.
fn read(object: &[u8]) -> Option<Record> {
    let body: Value = serde_json::from_slice(object).ok()?;
    within_bounds(&body).ok()?;
    Record::deserialize(body).ok()
}

proptest! {
    #[test]
    fn a_garbled_record_is_told_without_a_panic(
        object in garbled(serde_json::to_vec(&record()).expect("it is JSON")),
    ) {
        if let Some(Record { deployment, transitions, .. }) = read(&object) {
            let _ = story(&deployment, &transitions);
            let _ = vouch_for(&Configured::default(), None, &deployment.plan, &deployment.state);
        }
    }
}
