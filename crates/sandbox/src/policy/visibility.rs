//! What a list shows to the caller.

use crate::world::World;
use crate::world::iam::need::Need;

pub(crate) const NAMES: &str = "elasticbeanstalk";

/// Whether a list shows this to the caller. The listing operations do not refuse a caller without
/// permission: they leave out what the caller may not see (developer guide, "Resources and
/// conditions for Elastic Beanstalk actions"; aws-sdk-java issue 2202).
pub(crate) fn shows(
    world: &World,
    operation: &str,
    application: &str,
    resource: impl FnOnce() -> String,
) -> bool {
    world.is_open() || world.may(&in_application(world, operation, application, resource()))
}

pub(crate) fn in_application(
    world: &World,
    operation: &str,
    application: &str,
    resource: String,
) -> Need {
    Need::new(format!("{NAMES}:{operation}"), resource).key(
        "elasticbeanstalk:InApplication",
        [world.beanstalk_arn("application", application)],
    )
}
