//! A local AWS Elastic Beanstalk and S3 to rehearse deployments on.
//!
//! Real wire protocols over a pure [`World`]: the Query API, S3, the
//! environments' own web sites, and a control API below `/_sandbox/`. Any
//! signature is accepted.
//!
//! To read it from below: `time` and `wire` are the words that all others use, texts of moments,
//! forms and XML. `world` is the data and the physics, and knows no module above it. What answers
//! requests calls it: `query` reads what a request of the Query API names, `policy` judges whether
//! the caller may, `operations` are those of Elastic Beanstalk ([`apply`]), `services` those of the
//! services beside it. `arrivals` lets time pass ([`advance`]), `disk` keeps a world between
//! processes. On top of them `route` and its neighbours speak HTTP and DNS for a [`Sandbox`];
//! `objects` is S3, `site` the environments' own sites. `replay` stands beside all of this: it
//! answers from a recording, without a world.
//!
//! A program or test opens a [`Sandbox`] with [`Options`], hears of its calls through a tap, and
//! changes its [`World`] through faults, policies or directly; a [`Report`] shows what became of
//! the clients.
#![warn(missing_docs)]

mod time;
mod wire;

mod world;

mod operations;
mod policy;
mod query;
mod reply;
mod services;

mod arrivals;
mod clock;
mod description;
mod disk;
mod error;
mod options;

mod absent;
mod body;
mod call;
mod dns;
mod errands;
mod host;
mod objects;
mod response;
mod route;
mod sandbox;
mod scope;
mod server;
mod site;
mod status;

mod replay;

pub use description::Description;
pub use error::SandboxError;
pub use options::{Options, Sharing};
pub use sandbox::Sandbox;

pub use call::{Call, Hangup, Origin, Phase, Service, TapVerdict};
pub use clock::{ClockReading, SPEEDS, TimeSource};

pub use arrivals::advance;
pub use operations::apply;
pub use operations::table::operations;
pub use reply::Reply;
pub use services::other_services;
pub use wire::error::ApiError;
pub use wire::form::Form;

pub use time::Millis;
pub use world::World;
pub use world::environment::{Busy, Environment, Instance, Status, Tier};
pub use world::lifecycle::{Lifecycle, Rule};
pub use world::names::{BUCKET, BUNDLES, HOSTS_PARAMETER, PRODUCTION, ROLE, ZONE, ZONE_PARAMETER};
pub use world::setting::Setting;
pub use world::timings::Timings;
pub use world::traffic::{Loss, Traffic};
pub use world::view::{Application, Event, SourceBuild, Template, Version, View};

pub use world::fault::{BundleReader, Fault, FaultEffect, LaunchFault, Page, Reaches};
pub use world::quota::QuotaOf;

pub use world::iam::need::Need;
pub use world::iam::policy::Policy;
pub use world::iam::syntax::PolicyError;
pub use world::iam::verdict::Verdict;

pub use world::report::{Leftovers, Report};
pub use world::tally::{Created, Interruption, Peaks};

pub use replay::Replay;
pub use replay::recording::ReplayError;
