//! The rings of tests; each module says what it is about.

mod model;
