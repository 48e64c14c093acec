//! Delivers the messages in a journal's outbox to their receivers, beside the deployment: none of
//! them delays it.

mod adaptive_card;
mod courier;
mod delivery;
mod document;
mod sender;
mod slack;

pub use courier::Courier;
pub use delivery::{Delivery, Failure, Messenger};
pub use sender::Sender;
