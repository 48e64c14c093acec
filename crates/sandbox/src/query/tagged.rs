//! The tags that a resource may have.

/// A kind of resource, by how many tags of its owner's it may have (developer guide, "Tagging
/// Elastic Beanstalk application resources").
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tagged {
    /// An environment: of its fifty tags the service itself sets three.
    Environment,
    /// Any other resource.
    Other,
}

impl Tagged {
    /// How many tags of its owner's it may have.
    pub(crate) fn maximum(self) -> usize {
        match self {
            Tagged::Environment => 47,
            Tagged::Other => 50,
        }
    }
}
