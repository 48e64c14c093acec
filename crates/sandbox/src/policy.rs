//! The permissions that each operation needs, and whether the caller's policies grant them.

mod assets;
pub(crate) mod beanstalk;
mod beneath;
pub(crate) mod encryption;
mod roles;
pub(crate) mod s3;
pub(crate) mod services;
pub(crate) mod visibility;
