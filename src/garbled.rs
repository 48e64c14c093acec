//! How the commands handle records that are garbled and can be read all the same.

use bluegreen_testing::garbled::{garbled, garbled_text};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use crate::cli::definition;
use crate::config::file::Text;
use crate::config::fleet::FleetFile;
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

const FLEET: &str = "[fleet]\nname = \"shops\"\nconcurrency = 3\nstop-after = \"10%\"\n\
    [settings]\nbucket = \"artifacts\"\ndrain = \"2m\"\ntest = [{ path = \"/health\" }]\n\
    [[wave]]\nname = \"canary\"\nbake = \"5m\"\npause = true\n\
    [[target]]\napp = \"shop\"\nblue = \"shop-blue\"\nwave = \"canary\"\n\
    [[query]]\ntags = { tier = \"web\" }\n";

proptest! {
    // Each reads the whole command line.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.min(1000)))]

    #[test]
    fn a_garbled_file_of_a_fleet_is_told_without_a_panic(text in garbled_text(FLEET)) {
        let path = "fleet.toml".into();
        match FleetFile::parse(&Text { path, text }, &definition()) {
            Ok(fleet) => {
                let waves = fleet.plan.waves.len();
                prop_assert!(fleet.targets.iter().all(|target| target.wave < waves));
            }
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
    }
}
