//! The logs that the service keeps in S3 for an account, and the writes that it still has to make
//! there.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// The part of the world that is about buckets: the world itself holds no object.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Storage {
    /// What the service has still to do in buckets, in this order.
    pub errands: Vec<Errand>,
    /// The bundles that requests name and no bucket has, as `bucket` and `key`.
    pub absent: Vec<(String, String)>,
    /// The logs that were pulled from instances, oldest first.
    pub pulled: Vec<Pulled>,
    /// The host and port at which the present client reaches the sandbox; empty where it came by
    /// no network.
    #[serde(skip)]
    pub reached_at: String,
}

/// Something that the service does in a bucket with its own rights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Errand {
    /// Makes a bucket where there is none of this name.
    Make { bucket: String },
    /// Puts an object where its bucket exists.
    Put {
        bucket: String,
        key: String,
        content: Vec<u8>,
    },
    /// Removes an object.
    Remove { bucket: String, key: String },
}

/// Logs that were pulled from one instance (API model, `EnvironmentInfoDescription`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pulled {
    pub environment_id: String,
    /// `tail` or `bundle`.
    pub kind: String,
    pub instance_id: String,
    pub at: Millis,
    /// The key of the object in the storage bucket.
    pub key: String,
}
