//! Who is sent messages about a deployment, and on which occasions, as data. Pure.

mod occasion;
mod receiver;

pub use occasion::Occasion;
pub use receiver::{Receiver, ReceiverTable, Service, Variable};
