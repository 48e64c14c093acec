//! Traces and metrics by OpenTelemetry, where the standard variables name a collector.
//!
//! [`Telemetry`] is of the process: the exporters, and what they send. A [`Trace`] is of one
//! deployment in it: a span for the session, one for each stage, and one for each call of AWS.
//! Where no variable names a collector there is neither.

mod collector;
mod instruments;
mod settings;
mod trace;

pub use collector::Telemetry;
pub use settings::Settings;
pub use trace::Trace;
