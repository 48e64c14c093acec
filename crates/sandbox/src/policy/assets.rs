//! What Elastic Beanstalk reads from buckets of AWS's own with the rights of its caller: its
//! templates, its scripts and its platforms' packs. It names a denied object by bucket and key, and
//! where a read of settings needs the object, it answers `InvalidParameterValue`
//! (hashicorp/terraform-provider-aws#32977: `DescribeConfigurationSettings`,
//! `InvalidParameterValue: Access Denied: S3Bucket=elasticbeanstalk-env-resources-us-east-1,
//! S3Key=eb_patching_resources/instance_patch_extension.linux`). Creating an environment from a
//! template and updating one need them too (public event logs: `InsufficientPrivilegesException`,
//! `Access Denied: S3Bucket=elasticbeanstalk-platform-assets-ap-northeast-1, S3Key=stalks/…`).

use crate::policy::roles::permit_downstream;
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::iam::need::Need;

/// The buckets, before the region, and a key in each.
const ASSETS: [(&str, &str); 2] = [
    (
        "elasticbeanstalk-env-resources",
        "eb_patching_resources/instance_patch_extension.linux",
    ),
    (
        "elasticbeanstalk-platform-assets",
        "stalks/eb_nodejs20_amazon_linux_2023/packs/Nodejs20Template.pack",
    ),
];

/// Whether the caller may read the objects of AWS's own buckets that a request needs.
///
/// # Errors
/// `InvalidParameterValue`, or 403 `InsufficientPrivilegesException` where it changes
/// something.
pub(crate) fn authorize_assets(
    world: &World,
    form: &Form,
    downstream: Option<&str>,
) -> Result<(), ApiError> {
    // Settings are read for the caller, whatever role operates the environment.
    let role = match form.operation() {
        "DescribeConfigurationSettings" => None,
        "CreateEnvironment" | "UpdateEnvironment" => downstream,
        _ => return Ok(()),
    };
    for (bucket, key) in ASSETS {
        let bucket = format!("{bucket}-{}", world.region);
        let need = Need::new("s3:GetObject", format!("arn:aws:s3:::{bucket}/{key}"));
        if permit_downstream(world, role, &need).is_err() {
            let message = format!("Access Denied: S3Bucket={bucket}, S3Key={key}");
            return Err(match form.operation() {
                "DescribeConfigurationSettings" => ApiError::invalid(message),
                _ => ApiError {
                    status: 403,
                    ..ApiError::new("InsufficientPrivilegesException", message)
                },
            });
        }
    }
    Ok(())
}
