//! The rings of tests, from the pure machine to the killed process.

mod alarms;
mod architecture;
mod bucket;
mod cli;
mod crash;
mod faults;
mod kill;
mod model;
mod policy;
mod race;
mod rules;
mod served;
mod shared;
mod storage;
mod storm;
mod virtual_world;
