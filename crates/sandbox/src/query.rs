//! Reads a request of the Query API: what it names, and what it sets.

pub(crate) mod checks;
pub(crate) mod configuration;
pub(crate) mod lists;
pub(crate) mod lookup;
pub(crate) mod moments;
pub(crate) mod namespaces;
pub(crate) mod options;
pub(crate) mod page;
pub(crate) mod platforms;
pub(crate) mod search;
pub(crate) mod sizes;
pub(crate) mod tagged;
