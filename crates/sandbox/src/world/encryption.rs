//! Buckets that a key of KMS encrypts.

use crate::world::World;
use crate::world::iam::need::Need;
use crate::world::quirks::Encryption;

impl World {
    /// From now on a bucket's policy denies uploads that do not request this encryption, and this
    /// key of KMS where one is named by its ARN.
    pub fn demand_encryption(&mut self, bucket: &str, method: &str, key: Option<&str>) {
        let encryption = Encryption {
            method: method.to_owned(),
            key: key.map(str::to_owned),
        };
        self.quirks.encrypted.insert(bucket.to_owned(), encryption);
    }

    /// What reading an object of a bucket needs of its key.
    pub(crate) fn reads_with_key(&self, bucket: &str) -> Option<Need> {
        self.of_key(bucket, "kms:Decrypt")
    }

    pub(crate) fn of_key(&self, bucket: &str, action: &str) -> Option<Need> {
        let key = self.quirks.encrypted.get(bucket)?.key.as_ref()?;
        Some(Need::new(action, key.as_str()))
    }
}
