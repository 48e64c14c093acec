//! The rings of tests, from the pure machine to the killed process.

mod crash;
mod kill;
mod served;
mod virtual_world;
