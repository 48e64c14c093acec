//! How the service keeps objects in buckets of the account.

use crate::wire::form::Form;
use crate::world::World;
use crate::world::due::Happening;
use crate::world::storage::Errand;

impl World {
    /// The bucket that the service makes for an account in a region (API reference,
    /// `CreateStorageLocation`).
    pub(crate) fn storage_bucket(&self) -> String {
        format!("elasticbeanstalk-{}-{}", self.region, self.account)
    }

    /// Makes the storage bucket, as the launch of an environment does (developer guide, "Using
    /// Elastic Beanstalk with Amazon S3").
    pub(crate) fn make_storage(&mut self) {
        let bucket = self.storage_bucket();
        self.storage.errands.push(Errand::Make { bucket });
    }

    /// Puts an object into the storage bucket, where that exists.
    pub(crate) fn store(&mut self, key: String, content: Vec<u8>) {
        let bucket = self.storage_bucket();
        let put = Errand::Put {
            bucket,
            key,
            content,
        };
        self.storage.errands.push(put);
    }

    /// Removes an object from the storage bucket.
    pub(crate) fn unstore(&mut self, key: String) {
        let bucket = self.storage_bucket();
        self.storage.errands.push(Errand::Remove { bucket, key });
    }

    /// What the service must do in the buckets now; whoever takes it does it.
    pub(crate) fn take_errands(&mut self) -> Vec<Errand> {
        std::mem::take(&mut self.storage.errands)
    }

    /// Notes which bundles are in no bucket, of those that a request and the requests that were
    /// held up would register.
    pub(crate) fn note_absent_bundles(&mut self, form: &Form, has: impl Fn(&str, &str) -> bool) {
        let held_up = self.due.iter().filter_map(|due| match &due.what {
            Happening::RequestArrives { form, .. } => Some(form),
            _ => None,
        });
        let named = held_up.chain([form]).filter_map(bundle);
        let absent = named.filter(|(bucket, key)| !has(bucket, key));
        let absent: Vec<_> = absent.map(|(b, k)| (b.to_owned(), k.to_owned())).collect();
        self.storage.absent = absent;
    }
}

/// The bucket and key of the bundle that a request names.
pub(crate) fn bundle(form: &Form) -> Option<(&str, &str)> {
    let bucket = form.get("SourceBundle.S3Bucket");
    bucket.zip(form.get("SourceBundle.S3Key"))
}
