//! The result of an operation.

use crate::wire::answer::Node;
use crate::wire::error::ApiError;

/// The result of an operation; none for a void one.
pub(crate) type Done = Result<Option<Node>, ApiError>;
