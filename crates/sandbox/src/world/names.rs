//! The names that every new sandbox has.

/// The account that it plays.
pub(crate) const ACCOUNT: &str = "123456789012";
/// The seeded bucket.
pub const BUCKET: &str = "shop-artifacts";
/// The seeded bundles.
pub const BUNDLES: [&str; 2] = ["shop/v1.zip", "shop/v2.zip"];
/// The CNAME of the seeded production environment.
pub const PRODUCTION: &str = "shop.us-east-1.elasticbeanstalk.com";

/// The solution stack of the sandbox.
pub(crate) const STACK: &str = "64bit Amazon Linux 2023 v4.3.0 running Node.js 20";

/// The branch of that platform.
pub(crate) const BRANCH: &str = "Node.js 20 running on 64bit Amazon Linux 2023";
/// The version of that platform.
pub(crate) const PLATFORM_VERSION: &str = "4.3.0";

/// The ARN of the platform.
pub(crate) fn platform_arn() -> String {
    format!("{}/{PLATFORM_VERSION}", platform_branch_arn())
}

/// The ARN of the platform without its version.
pub(crate) fn platform_branch_arn() -> String {
    format!("arn:aws:elasticbeanstalk:us-east-1::platform/{BRANCH}")
}

/// The id of the seeded hosted zone, `shop.example.`.
pub const ZONE: &str = "Z0SHOPEXAMPLE00000001";
/// The seeded parameter that holds the hosted zone's id.
pub const ZONE_PARAMETER: &str = "/shop/hosted-zone-id";
/// The seeded parameter that holds the preview hostnames, a JSON list.
pub const HOSTS_PARAMETER: &str = "/shop/preview-hosts";

/// The role that the seeded account has for releases.
pub const ROLE: &str = "releases";
