//! A fleet: releases of many targets, wave by wave. Each target is an ordinary deployment; what is
//! here decides which of them begin, and when no more do. Pure.

mod machine;
mod member;
mod plan;
#[cfg(test)]
mod tests;

pub use machine::{Decision, FleetState, decide, order_rollback, resume};
pub use member::{Attempt, Member, Standing};
pub use plan::{FleetPlan, StopAfter, Wave};
