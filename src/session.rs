//! A deployment in this process: how it claims it, carries it out, and where the deployment came to
//! rest.
//!
//! Nothing here ends the process, prints, or is shared between two sessions: many of them may run
//! in one process, each with a store of its own. While a session claims, it reports to an
//! [`Observer`]; the events of its deployment go to a [`Listener`](crate::events::Listener).

mod abort;
mod clean_up;
mod drive;
mod error;
mod observer;
mod orders;
mod outcome;
mod past;
mod publish;
mod reader;
mod release;
mod take_over;
mod trust;

pub use abort::Aborted;
pub use drive::Session;
pub use error::Error;
pub use observer::{Notice, Observer};
pub use orders::{Orders, Vouched};
pub use outcome::Outcome;
pub use release::{Release, surroundings};
