//! The keys of the objects.

use bluegreen_core::plan::Target;

/// Below which key the copies of deployments lie.
pub(super) const DEPLOYMENTS: &str = "bluegreen/deployments/";
/// Below which key locks lie.
pub const LEASES: &str = "bluegreen/leases/";
/// Below which key the records of fleets lie.
const FLEETS: &str = "bluegreen/fleets/";
const QUEUES: &str = "bluegreen/queues/";
/// Below which key the reports of deployments lie.
const REPORTS: &str = "bluegreen/reports/";

/// The key of a deployment's copy.
#[must_use]
pub fn deployment_key(id: &str) -> String {
    format!("{DEPLOYMENTS}{}.json", component(&id.to_uppercase()))
}

/// The key of a deployment's report, a page for people.
#[must_use]
pub fn report_key(id: &str) -> String {
    format!("{REPORTS}{}.html", component(&id.to_uppercase()))
}

/// The key of a fleet's record.
#[must_use]
pub fn fleet_key(name: &str) -> String {
    format!("{FLEETS}{}.json", component(name))
}

/// The key of a target's lock.
#[must_use]
pub fn lease_key(target: &Target) -> String {
    target_key(LEASES, target)
}

/// The key of a target's queue.
#[must_use]
pub fn queue_key(target: &Target) -> String {
    target_key(QUEUES, target)
}

fn target_key(folder: &str, target: &Target) -> String {
    let parts = [
        &target.account,
        &target.region,
        &target.application,
        &target.blue,
    ];
    let parts = parts.map(|part| component(part));
    format!("{folder}{}.json", parts.join("/"))
}

/// A name as a part of a key: what S3 does not call safe is escaped (user guide,
/// "Naming Amazon S3 objects").
fn component(name: &str) -> String {
    let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    name.bytes()
        .map(|b| {
            if safe(b) {
                char::from(b).to_string()
            } else {
                format!("={b:02X}")
            }
        })
        .collect()
}
