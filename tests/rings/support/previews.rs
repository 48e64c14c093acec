//! Preview hostnames of the sandbox.

use bluegreen::preview::Asked;
use bluegreen_sandbox::{HOSTS_PARAMETER, ZONE_PARAMETER};

/// Below the zone; it holds nothing.
pub const FRESH: &str = "fresh.shop.example";

/// The preview hostnames of a parameter, and another.
pub fn asked() -> Option<Asked> {
    let hosts = [format!("ssm:{HOSTS_PARAMETER}"), FRESH.to_owned()];
    let zone = format!("ssm:{ZONE_PARAMETER}");
    Asked::read(&hosts, Some(&zone)).expect("they read")
}
