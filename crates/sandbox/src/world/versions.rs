//! How versions are deleted, by an application's lifecycle or by a client.

use crate::time::Millis;
use crate::world::World;
use crate::world::lifecycle::Lifecycle;
use crate::world::storage::Errand;
use crate::world::view::Version;

/// How many versions the service deletes at most when one is made (developer guide, "Configuring
/// application version lifecycle settings").
const DELETED_AT_ONCE: usize = 100;
const DAY: Millis = 24 * 60 * 60 * 1000;
/// How long the versions of terminated environments are kept: ten weeks.
const KEPT_AFTER_TERMINATION: Millis = 70 * DAY;

impl World {
    /// Deletes the versions that an application's lifecycle lets go, before one more is made. A
    /// version of an environment stays.
    pub(crate) fn let_versions_go(&mut self, application: &str) {
        let mut applications = self.view.applications.iter();
        let Some(found) = applications.find(|a| a.name == application) else {
            return;
        };
        let Lifecycle { count, age, .. } = found.lifecycle;
        let of_it = |v: &&Version| v.application == application;
        let many = self.view.versions.iter().filter(of_it).count() as u64;
        let excess = if count.enabled {
            many.saturating_sub(count.maximum)
        } else {
            0
        };
        let oldest = self.now.saturating_sub(age.maximum.saturating_mul(DAY));
        let idle = self.view.versions.iter().filter(of_it);
        let gone: Vec<(Version, bool)> = idle
            .filter(|version| !self.is_held(version))
            .zip(0..)
            .filter_map(|(version, nth)| {
                let by_count = nth < excess;
                let by_age = age.enabled && version.created < oldest;
                let deletes = (by_count && count.deletes_bundle) || (by_age && age.deletes_bundle);
                (by_count || by_age).then(|| (version.clone(), deletes))
            })
            .take(DELETED_AT_ONCE)
            .collect();
        for (version, deletes_bundle) in gone {
            self.drop_version(&version, deletes_bundle);
        }
    }

    /// Whether an environment has a version, or had it not long ago.
    fn is_held(&self, version: &Version) -> bool {
        let since = self.now.saturating_sub(KEPT_AFTER_TERMINATION);
        let all = self.view.environments.iter().chain(&self.past);
        let mut lately = all.filter(|e| e.is_alive() || e.updated >= since);
        lately.any(|e| e.application == version.application && e.version_label == version.label)
    }

    /// Deletes a version, and its bundle where that is wanted.
    pub(crate) fn drop_version(&mut self, version: &Version, deletes_bundle: bool) {
        let is_it = |v: &Version| v.application == version.application && v.label == version.label;
        self.view.versions.retain(|v| !is_it(v));
        let path = format!("{}/{}", version.application, version.label);
        self.untag("applicationversion", &path);
        if deletes_bundle && !version.bucket.is_empty() {
            self.storage.errands.push(Errand::Remove {
                bucket: version.bucket.clone(),
                key: version.key.clone(),
            });
        }
    }
}
