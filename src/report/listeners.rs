//! Who hears of what happens in a deployment, and renders it: a file each.

mod lines;

pub use lines::Lines;
