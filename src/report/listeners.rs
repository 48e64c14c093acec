//! The listeners that render the events of a deployment: a file each.

mod lines;

pub use lines::Lines;
