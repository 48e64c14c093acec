//! The acceptance tests of an environment: the requests that bluegreen sends to it over HTTP, and
//! which answer passes. Pure.

mod answer;
mod redirect;
mod request;
mod table;
mod test;

pub use answer::{Answer, BODY_BYTES_MAX, Verdict};
pub use redirect::led_to;
pub use request::{Front, Request, Unset};
pub use table::{Defaults, TestTable};
pub use test::{AcceptanceTest, CNAME, On, TestCommand, all_set, one_or_many, without_secrets};
