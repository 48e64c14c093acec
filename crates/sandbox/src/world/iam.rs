//! What IAM holds, and how policies are judged by (IAM user guide, "IAM JSON policy reference"
//! and "Policy evaluation logic").

mod condition;
pub(crate) mod identities;
pub(crate) mod need;
mod pattern;
pub(crate) mod policy;
mod statement;
pub(crate) mod syntax;
pub(crate) mod verdict;
