//! `bluegreen iam-policy`: the policy that a release needs, with the names in force.

use clap::ValueEnum;
use tracing::{info, warn};

use super::context::Context;
use super::exit::{Exit, Failed};
use super::output::say;
use crate::cloud::{Caller, Configuration};
use crate::cloud::{Environment, LookError};
use crate::config::{Config, Options};
use crate::encryption::Encryption;
use crate::plan::Strategy;
use crate::preflight::{
    Balancing, DeploymentPolicy, Granted, INLINE_MAX, Launch, MANAGED_MAX, Scope, characters,
    document, parts, passed_roles,
};

/// What `iam-policy` takes.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(id = "iam_policy")]
pub(super) struct Args {
    /// Account id of twelve digits; reads nothing from AWS, and covers every kind of environment
    /// that no flag rules out [default: that of the credentials, with blue's own settings]
    #[arg(long, value_name = "ID", value_parser = account)]
    account: Option<String>,
    /// ARN of the role or user that releases [default: the caller]
    #[arg(long, value_name = "ARN")]
    principal: Option<String>,
    /// Where users are at the end
    #[arg(long, env = "BLUEGREEN_STRATEGY", value_enum, default_value_t)]
    strategy: super::run::Strategy,
    /// What forwards requests to the instances [default: as in blue's settings]
    #[arg(long, value_enum, value_name = "KIND")]
    load_balancer: Option<Kind>,
    /// ARN of the application load balancer that the environments share
    #[arg(long, value_name = "ARN", conflicts_with = "load_balancer")]
    shared_load_balancer: Option<String>,
    /// Blue's deployment policy [default: as in blue's settings]
    #[arg(long, value_name = "POLICY", value_parser = ["AllAtOnce", "Rolling",
          "RollingWithAdditionalBatch", "Immutable", "TrafficSplitting"])]
    deployment_policy: Option<String>,
    /// ARN of the environments' operations role [default: blue's]
    #[arg(long, value_name = "ARN")]
    operations_role: Option<String>,
    /// Print one part, which fits into a managed policy, counted from 1 [default: everything in one
    /// document]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    part: Option<u16>,
}

/// The value of `--load-balancer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// An application load balancer of the environment's own
    Application,
    /// A network load balancer
    Network,
    /// A classic load balancer
    Classic,
    /// None: a single instance
    None,
}

/// An account's twelve digits.
fn account(text: &str) -> Result<String, String> {
    let is_one = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    match is_one {
        true => Ok(text.to_owned()),
        false => Err("an account's id has twelve digits".to_owned()),
    }
}

/// What bluegreen has read from AWS.
#[derive(Default)]
struct Read {
    caller: Option<Caller>,
    region: String,
    blue: Option<Environment>,
    configuration: Option<Configuration>,
}

/// The whole policy, as text.
pub(super) async fn text(options: &Options, args: &Args) -> Result<String, Failed> {
    pretty(&whole(options, args).await?)
}

async fn whole(options: &Options, args: &Args) -> Result<serde_json::Value, Failed> {
    let context = Context::without_journal(options).await?;
    let config = context.options.config()?;
    let read = match args.account {
        Some(_) => named(&context)?,
        None => read(&context, &config).await?,
    };
    let sse = context.options.sse.as_ref();
    Ok(document(&granted(args, &config, sse, &read)?))
}

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    let document = whole(options, args).await?;
    let size = characters(&document);
    let parts = parts(&document);
    let Some(part) = args.part else {
        say(&pretty(&document)?);
        tell_size(size, parts.len());
        return Ok(Exit::Completed);
    };
    let Some(part) = parts.get(usize::from(part) - 1) else {
        let message = format!("--part {part}: there are {} parts", parts.len());
        return Err(Failed::new(Exit::Usage, message));
    };
    say(&pretty(part)?);
    Ok(Exit::Completed)
}

fn pretty(document: &serde_json::Value) -> Result<String, Failed> {
    serde_json::to_string_pretty(document).map_err(|error| Failed::bug(&error))
}

/// Says where the document fits.
fn tell_size(size: usize, parts: usize) {
    if size <= MANAGED_MAX {
        info!("{size} characters: it fits into one managed policy ({MANAGED_MAX})");
    } else if size <= INLINE_MAX {
        info!(
            "{size} characters: it fits into a role's inline policies ({INLINE_MAX} together); \
             --part 1 to --part {parts} print it for managed policies ({MANAGED_MAX} each)"
        );
    } else {
        warn!(
            "{size} characters: too many for a role's inline policies ({INLINE_MAX} together); \
             --part 1 to --part {parts} print it for managed policies ({MANAGED_MAX} each)"
        );
    }
}

/// Where nothing is read from AWS.
fn named(context: &Context) -> Result<Read, Failed> {
    let Some(region) = context.region() else {
        let message = "--account reads nothing from AWS, and no region is named";
        return Err(Failed::new(Exit::Refused, message).hint("name it with --region"));
    };
    Ok(Read {
        region: region.to_owned(),
        ..Read::default()
    })
}

/// The identity of these credentials, and blue, as far as they may read it: before the policy is
/// granted, they may read nothing.
async fn read(context: &Context, config: &Config) -> Result<Read, Failed> {
    let hint = "name the account with --account: then nothing is read from AWS";
    let (cloud, sdk) = context.cloud().await?;
    let caller = cloud.caller().await;
    let caller = caller.map_err(|error| Failed::from(error).hint(hint))?;
    let blue = &config.blue;
    let found = match cloud.environments(std::slice::from_ref(blue)).await {
        Err(LookError::Denied(_)) => Vec::new(),
        found => found.map_err(|error| Failed::from(error).hint(hint))?,
    };
    let found = found
        .into_iter()
        .find(|found| found.application == config.app);
    let mut configuration = None;
    if found.is_some() {
        configuration = match cloud.configuration(&config.app, blue).await {
            Ok(read) => Some(read),
            Err(LookError::Denied(why) | LookError::Refused(why)) => {
                warn!("the settings of {blue} cannot be read: {why}");
                None
            }
            Err(error) => return Err(Failed::from(error).hint(hint)),
        };
    }
    if configuration.is_none() {
        warn!(
            "these credentials do not see what kind of environment {blue} is: the policy is for \
             every kind that no flag rules out"
        );
    }
    Ok(Read {
        caller: Some(caller),
        region: sdk.region().map(ToString::to_string).unwrap_or_default(),
        blue: found,
        configuration,
    })
}

fn granted<'a>(
    args: &'a Args,
    config: &'a Config,
    sse: Option<&'a Encryption>,
    read: &'a Read,
) -> Result<Granted<'a>, Failed> {
    let caller = read.caller.as_ref();
    let partition = caller.and_then(|caller| caller.arn.split(':').nth(1));
    let partition = partition.unwrap_or(match read.region.as_str() {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    });
    let account = args.account.as_deref();
    let account = account.or(caller.map(|caller| caller.account.as_str()));
    let account = account.unwrap_or_default();
    let configuration = read.configuration.as_ref();
    let value = |namespace: &str, name: &str| {
        let value = configuration.and_then(|read| read.value(namespace, name));
        value.filter(|value| !value.is_empty())
    };
    let roles = passed_roles(
        partition,
        account,
        value("aws:autoscaling:launchconfiguration", "IamInstanceProfile"),
        value("aws:elasticbeanstalk:environment", "ServiceRole"),
    );
    let flagged = args.load_balancer.map(|kind| match kind {
        Kind::Application => Balancing::Own("app"),
        Kind::Network => Balancing::Own("net"),
        Kind::Classic => Balancing::Classic,
        Kind::None => Balancing::Address,
    });
    let shared = args.shared_load_balancer.as_deref().map(Balancing::Shared);
    let policy = args.deployment_policy.as_deref();
    let policy = policy.or(configuration.map(Configuration::deployment_policy));
    let role = read
        .blue
        .as_ref()
        .and_then(|blue| blue.operations_role.as_deref());
    let preview = config.preview.as_ref();
    let key = sse.and_then(Encryption::key);
    let key = key.map(|key| {
        key.starts_with("arn:").then_some(key).ok_or_else(|| {
            let message = format!("--sse: a policy names a KMS key by its ARN, and {key} is none");
            Failed::new(Exit::Refused, message)
        })
    });
    let scope = Scope {
        partition,
        region: &read.region,
        account,
        application: &config.app,
        blue: &config.blue,
        green: &config.green,
        bucket: &config.bucket,
        strategy: match args.strategy {
            super::run::Strategy::Restore => Strategy::Restore,
            super::run::Strategy::Promote => Strategy::Promote,
        },
        alarms: !config.wishes.alarms.is_empty(),
        zone: preview.and_then(|asked| asked.zone_id()),
        key: key.transpose()?,
        operations_role: args.operations_role.as_deref().or(role),
        launch: configuration.and_then(Launch::of),
    };
    Ok(Granted {
        scope,
        principal: args
            .principal
            .as_deref()
            .or(caller.and_then(|caller| caller.principal.as_deref())),
        previews: preview.is_some(),
        parameters: preview.map(|asked| asked.parameters()).unwrap_or_default(),
        roles: roles.into_iter().map(|(role, _)| role).collect(),
        balancing: flagged.or(shared).or(configuration.map(Balancing::of)),
        policy: policy.map(DeploymentPolicy::of),
        schedules: configuration.map(|read| read.has_any("aws:autoscaling:scheduledaction")),
        own_rules: configuration.map(|read| read.has_any("aws:elbv2:listenerrule:")),
    })
}
