//! What the rings share: no ring uses another.

pub mod forms;
pub mod literals;
pub mod load;
pub mod machines;
pub mod modules;
pub mod page;
pub mod parallel;
pub mod plans;
pub mod policies;
pub mod previews;
pub mod receiver;
pub mod schema;
pub mod served;
pub mod shared_balancer;
pub mod snapshot;
pub mod sources;
pub mod virtual_world;
pub mod yaml;
