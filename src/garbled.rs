//! How the commands handle records that are garbled and can be read all the same.

use bluegreen_testing::garbled::garbled;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use crate::report::Entry;
use crate::report::text::story;
use crate::shared::{DeploymentRecord, within_bounds};
use crate::trust::{Configured, vouch_for};

const ID: &str = "01J00000000000000000000000";

/// Reads it as the journal and the bucket read what they hold.
fn read(object: &[u8]) -> Option<DeploymentRecord> {
    let body: Value = serde_json::from_slice(object).ok()?;
    within_bounds(&body).ok()?;
    DeploymentRecord::deserialize(body).ok()
}

proptest! {
    #[test]
    fn a_garbled_record_is_told_without_a_panic(
        object in garbled(serde_json::to_vec(&DeploymentRecord::sample(ID)).expect("it is JSON")),
    ) {
        if let Some(DeploymentRecord { deployment, transitions, events, .. }) = read(&object) {
            let _ = story(&Entry::of(deployment.clone(), transitions, events));
            let _ = vouch_for(&Configured::default(), None, &deployment.plan, &deployment.state);
        }
    }
}
