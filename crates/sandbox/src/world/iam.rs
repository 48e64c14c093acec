//! The identities of IAM, and the rules by which policies are judged (IAM user guide, "IAM JSON
//! policy reference" and "Policy evaluation logic").

mod condition;
pub(crate) mod environment_roles;
pub(crate) mod identities;
pub(crate) mod need;
mod pattern;
pub(crate) mod policy;
pub(crate) mod profiles;
mod statement;
pub(crate) mod syntax;
pub(crate) mod verdict;
