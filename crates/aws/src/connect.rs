//! Where AWS is, and whose credentials the requests bear.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};
use thiserror::Error;

use bluegreen_core::plan::REQUEST_TIMEOUT;

/// How to reach AWS.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The region; `None` for the one of the SDK's own chain.
    pub region: Option<String>,
    /// The profile; `None` for the one of the SDK's own chain.
    pub profile: Option<String>,
    /// A role to assume with those credentials; `None` for the credentials themselves.
    pub role: Option<AssumedRole>,
    /// A sandbox to talk to instead of AWS.
    pub sandbox: Option<SandboxEndpoint>,
}

/// A role that is assumed (STS API reference, `AssumeRole`).
#[derive(Clone, Debug)]
pub struct AssumedRole {
    /// Its ARN.
    pub arn: String,
    /// What its trust policy requires of whoever assumes it.
    pub external_id: Option<String>,
}

/// A sandbox's address and the speed of its clock.
#[derive(Clone, Debug)]
pub struct SandboxEndpoint {
    /// Its URL, as in `http://127.0.0.1:4577`.
    pub url: String,
    /// How many of its seconds pass in one of the wall's.
    pub speed: f64,
}

/// AWS cannot be reached as configured.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// No region is configured.
    #[error(
        "no AWS region is set: name the region of your environments with --region or AWS_REGION"
    )]
    NoRegion,
    /// The profile that is named is in no configuration file.
    #[error("no AWS profile is named {name:?}: {}", profiles(.known))]
    NoProfile {
        /// Its name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
}

fn profiles(known: &[String]) -> String {
    match known {
        [] => "the AWS configuration files of this user name none".to_owned(),
        known => format!("the AWS configuration files name {}", known.join(", ")),
    }
}

/// Refuses a profile that no configuration file names, which the SDK would pass over in silence.
/// Credentials in variables precede any profile. Files that cannot be read are left to the SDK,
/// which says why.
async fn profile_exists(name: &str) -> Result<(), ConnectError> {
    let key = std::env::var("AWS_ACCESS_KEY_ID").unwrap_or_default();
    let (fs, env) = (Fs::real(), Env::real());
    let loaded = aws_config::profile::load(&fs, &env, &EnvConfigFiles::default(), None).await;
    let Ok(found) = loaded else {
        return Ok(());
    };
    match found.get_profile(name).is_some() || !key.is_empty() {
        true => Ok(()),
        false => Err(ConnectError::NoProfile {
            name: name.to_owned(),
            known: found.profiles().map(str::to_owned).collect(),
        }),
    }
}

/// The credentials of a session that a sandbox has begun (`aws sts assume-role`), where the SDK's
/// own variables hold such; real credentials never go to a sandbox. Otherwise the sandbox accepts
/// any key, and a key of its own distinguishes a process from every other.
fn sandbox_credentials() -> Credentials {
    let variable = |name| std::env::var(name).ok();
    let session = variable("AWS_ACCESS_KEY_ID").filter(|key| key.starts_with("ASIASANDBOX"));
    match session {
        Some(key) => Credentials::new(
            key,
            variable("AWS_SECRET_ACCESS_KEY").unwrap_or_default(),
            variable("AWS_SESSION_TOKEN"),
            None,
            "sandbox",
        ),
        None => Credentials::new(
            format!("AKIASANDBOX{}", std::process::id()),
            "sandbox",
            None,
            None,
            "sandbox",
        ),
    }
}

/// The SDK's configuration. Credentials, proxies and endpoints follow the SDK's
/// own variables; so do retries, in its standard mode by default
/// and with a budget of each client's own (docs/decisions/0014).
///
/// # Errors
/// [`ConnectError`]; nothing has been sent.
pub async fn connect(connection: &Connection) -> Result<SdkConfig, ConnectError> {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(REQUEST_TIMEOUT)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .app_name(aws_config::AppName::new("bluegreen").expect("the name is a valid app name"));
    if let Some(region) = &connection.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &connection.profile {
        profile_exists(profile).await?;
        loader = loader.profile_name(profile);
    }
    if let Some(sandbox) = &connection.sandbox {
        let retries = RetryConfig::standard()
            .with_initial_backoff(Duration::from_secs(1).div_f64(sandbox.speed.max(1.0)))
            .with_max_backoff(Duration::from_secs(20).div_f64(sandbox.speed.max(1.0)));
        loader = loader
            .retry_config(retries)
            .endpoint_url(&sandbox.url)
            .credentials_provider(sandbox_credentials());
    }
    let config = loader.load().await;
    if config
        .region()
        .is_none_or(|region| region.as_ref().is_empty())
    {
        return Err(ConnectError::NoRegion);
    }
    let Some(role) = &connection.role else {
        return Ok(config);
    };
    let mut assumed = AssumeRoleProvider::builder(&role.arn)
        .session_name(format!("bluegreen-{}", std::process::id()))
        .configure(&config);
    if let Some(external_id) = &role.external_id {
        assumed = assumed.external_id(external_id);
    }
    let assumed = SharedCredentialsProvider::new(assumed.build().await);
    Ok(config.into_builder().credentials_provider(assumed).build())
}
