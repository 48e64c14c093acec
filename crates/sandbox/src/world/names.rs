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

/// The id of the seeded hosted zone, `shop.example.`.
pub const ZONE: &str = "Z0SHOPEXAMPLE00000001";
/// The seeded parameter that holds the hosted zone's id.
pub const ZONE_PARAMETER: &str = "/shop/hosted-zone-id";
/// The seeded parameter that holds the preview hostnames, a JSON list.
pub const HOSTS_PARAMETER: &str = "/shop/preview-hosts";

/// The role that the seeded account has for releases.
pub const ROLE: &str = "releases";
