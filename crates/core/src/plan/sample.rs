//! A plan for tests and examples.

use super::{Kept, Plan, Strategy, Target, Wishes};

impl Plan {
    /// A plan to release `v2` where `v1` runs, for tests and examples.
    #[must_use]
    pub fn sample(id: &str) -> Plan {
        let kept = Kept {
            id,
            production_cname: "shop.example",
            blue_id: "e-blue",
            version: "v2",
            strategy: Strategy::Restore,
            sizes: None,
            bucket: "b",
            shared_state: false,
            pause_before_swap: false,
            pause_before_cutover: false,
        };
        let target = Target {
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            application: "shop".to_owned(),
            blue: "blue".to_owned(),
        };
        let wishes = Wishes {
            test_green: false,
            ..Wishes::default()
        };
        Plan {
            template: "t".to_owned(),
            instances: 1,
            ..Plan::of(&kept, target, "green", "v1", wishes)
        }
    }
}
