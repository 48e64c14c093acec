//! AWS through its SDK: the only crate that names `aws_sdk_*`.
//!
//! [`Cloud`] is what a driver needs of AWS, and [`AwsCloud`] is that with the clients of one region
//! and account, each service in a module. [`classify()`] is the one table that says what a failed
//! request means. A [`recording`] holds requests and answers under pseudonyms.
#![warn(missing_docs)]

pub mod bundle_file;
pub mod encryption;
pub mod recording;
pub mod secrets;
pub mod state_key;

mod alarms;
mod aws_cloud;
mod bundle;
mod calls;
mod checks;
mod classify;
mod clients;
mod cloud;
mod configuration;
mod connect;
mod dns;
mod ec2;
mod failure;
mod join;
mod json;
mod lazy_clients;
mod limits;
mod listeners;
mod logs;
mod messages;
mod objects;
mod origin;
mod parameters;
mod permissions;
mod preview;
mod prober;
mod query;
mod read;
mod recorder;
mod records;
mod resources;
mod retries;
mod rules;
mod signed;
mod stacks;
mod time;
mod traffic;
mod unmanaged;
mod waf;

pub use alarms::{Alarm, AlarmState};
pub use calls::{Call, CallObserver};
pub use checks::{CnameAvailability, ManagedAction, OptionFault, Platform, Quota, Quotas};
pub use classify::{Failure, Refusal, classify, is_clock};
pub use clients::AwsCloud;
pub use cloud::{Cloud, LogTail, LookError, Outcome};
pub use configuration::{Configuration, EnvironmentType, Setting, TemplateBesideBlue};
pub use connect::{AssumedRole, ConnectError, Connection, SandboxEndpoint, connect};
pub use dns::HostedZone;
pub use failure::{PAGES_MAX, endless};
pub use limits::AccountLimits;
pub use messages::TopicMessage;
pub use objects::{Bucket, Condition, ConditionalWrites, OBJECT_BYTES_MAX, Object, Put};
pub use permissions::{Asked, Caller, Denial, Denied};
pub use preview::PreviewRefused;
pub use prober::{Led, Prober};
pub use recorder::Recorder;
pub use records::ZoneRecords;
pub use traffic::Counted;
pub use unmanaged::{Beside, Unmanaged};

pub use bluegreen_core::facts::{
    Alarms, Environment, Event, EventQuery, InstanceVersion, Needs, Probe, Sighting, Site,
    VersionRecord,
};
