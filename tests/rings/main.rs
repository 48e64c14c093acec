//! The rings of tests, from the pure machine to the killed process.

mod acceptance;
mod alarms;
mod architecture;
mod bucket;
mod checks;
mod cli;
mod config;
mod crash;
mod documents;
mod faults;
mod following;
mod following_rules;
mod gates;
mod kill;
mod model;
mod plan;
mod policy;
mod race;
mod rules;
mod served;
mod services;
mod shared;
mod storage;
mod storm;
mod takeover;
mod virtual_world;
