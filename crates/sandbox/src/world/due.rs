//! What is due in the world, and when.

use serde::{Deserialize, Serialize};

use crate::time::Millis;
use crate::wire::element::Element;
use crate::wire::form::Form;
use crate::wire::request::ServiceRequest;

/// Something that is due.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Due {
    pub at: Millis,
    pub order: u64,
    pub what: Happening,
}

/// A request that was held up and arrives now.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub request: Late,
    /// The access key that it came with.
    pub asking: Option<String>,
}

/// A request that was held up.
#[derive(Clone, Debug)]
pub(crate) enum Late {
    Query(Form),
    Service(ServiceRequest),
}

/// What can be due.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Happening {
    /// An operation of an environment ends.
    OperationEnds { id: String, operation: u64 },
    /// An operation of an environment ends soon.
    OperationNearsEnd { id: String, operation: u64 },
    /// The health of an environment that launches is Pending: its instances start.
    HealthPends { id: String, operation: u64 },
    /// An operation shows in an environment's health.
    HealthShows { id: String, operation: u64 },
    /// An environment's health settles.
    HealthSettles { id: String, operation: u64 },
    /// An environment's health that lasted for a while is over.
    AilmentEnds { environment: String },
    /// An update under way has an event.
    UpdateSays {
        id: String,
        operation: u64,
        severity: String,
        message: String,
    },
    /// Two environments' CNAMEs change places.
    CnamesMove {
        a: String,
        b: String,
        operation: u64,
    },
    /// A swap whose CNAMEs have moved ends.
    SwapEnds {
        a: String,
        b: String,
        operation: u64,
    },
    /// The logs of an environment's instances are in the storage bucket.
    LogsPulled {
        id: String,
        kind: String,
        request_id: String,
    },
    /// A version has been processed.
    VersionProcessed { application: String, label: String },
    /// A request that was held up arrives.
    RequestArrives {
        form: Form,
        #[serde(default)]
        asking: Option<String>,
    },
    /// A request to another service that was held up arrives.
    ServiceRequestArrives {
        request: ServiceRequest,
        #[serde(default)]
        asking: Option<String>,
    },
    /// A managed action may begin.
    ManagedActionBegins { id: String },
    /// The name servers answer a zone's new records.
    RecordsServed { zone: String, records: Vec<Element> },
}
