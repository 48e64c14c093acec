//! `bluegreen init`: finds what to release onto, and writes the settings, the policy and a workflow.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use toml::Value;
use tracing::info;

use super::context::Context;
use super::exit::{Exit, Failed};
use super::output::say;
use super::{iam_policy, plan};
use crate::cloud::{AwsCloud, Environment};
use crate::config::{Options, is_bucket_name};
use crate::plan::TAG_DEPLOYMENT;
use crate::text::foreign;

/// What `init` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Folder to write into; it must exist
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    directory: PathBuf,
    /// Write no workflow for GitHub Actions
    #[arg(long)]
    no_workflow: bool,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
}

/// What a release is of.
struct Found {
    application: String,
    blue: String,
    bucket: String,
    region: String,
}

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    let context = Context::without_journal(options).await?;
    let (cloud, sdk) = context.cloud().await?;
    let caller = cloud.caller().await?;
    let region = sdk.region().map(ToString::to_string).unwrap_or_default();
    let found = find(&cloud, options, (&region, &caller.account)).await?;
    let options = Options {
        app: Some(found.application.clone()),
        blue: Some(found.blue.clone()),
        bucket: Some(found.bucket.clone()),
        region: Some(found.region.clone()),
        ..options.clone()
    };
    let policy = iam_policy::text(&options, &iam_policy::Args::default()).await?;
    let partition = caller.arn.split(':').nth(1).unwrap_or("aws");
    let workflow = include_str!("init/workflow.yml")
        .replace("{partition}", partition)
        .replace("{account}", &caller.account)
        .replace("{region}", &region)
        .replace("{version}", env!("CARGO_PKG_VERSION"));
    let mut files = vec![
        ("bluegreen.toml", settings(&found)),
        ("bluegreen-policy.json", policy + "\n"),
    ];
    if !args.no_workflow {
        files.push((".github/workflows/bluegreen.yml", workflow));
    }
    write(&args.directory, &files, args.force)?;
    say("");
    // What refuses is shown; the files are written all the same.
    plan::show(&options).await?;
    say(
        "\nNext: read the files, give the policy to the role that releases, then run `bluegreen plan` \
         and `bluegreen run` in this folder.",
    );
    Ok(Exit::Completed)
}

/// Finds the environment that holds production, its application and its bucket.
async fn find(
    cloud: &AwsCloud,
    options: &Options,
    (region, account): (&str, &str),
) -> Result<Found, Failed> {
    let blue = production(candidates(cloud, options).await?, region)?;
    let bucket = match options.bucket.clone().filter(|bucket| !bucket.is_empty()) {
        Some(bucket) => bucket,
        None => bucket_of(cloud, &blue, (region, account)).await?,
    };
    Ok(Found {
        application: blue.application,
        blue: blue.name,
        bucket,
        region: region.to_owned(),
    })
}

/// The environments that serve web requests, but those that a deployment has made; of the names
/// that are given, where some are.
async fn candidates(cloud: &AwsCloud, options: &Options) -> Result<Vec<Environment>, Failed> {
    let is_named = |given: &Option<String>, name: &str| {
        let given = given.as_deref().filter(|given| !given.is_empty());
        given.is_none_or(|given| given == name)
    };
    let environments = cloud.all_environments().await?;
    let mut candidates = Vec::new();
    for environment in environments {
        let is_wanted = environment.tier == "WebServer"
            && environment.cname.is_some()
            && !environment.status.starts_with("Terminat")
            && is_named(&options.app, &environment.application)
            && is_named(&options.blue, &environment.name);
        if is_wanted {
            let tags = cloud.tags(&environment.arn).await?;
            if !tags.iter().any(|(key, _)| key == TAG_DEPLOYMENT) {
                candidates.push(environment);
            }
        }
    }
    Ok(candidates)
}

/// The words by which people tell an environment that is not production.
const OTHERS: [&str; 10] = [
    "staging", "stage", "stg", "test", "qa", "uat", "dev", "demo", "sandbox", "preview",
];

/// The one that holds production: the only one, else the only one that is called so, else the only
/// one that is not called otherwise.
fn production(candidates: Vec<Environment>, region: &str) -> Result<Environment, Failed> {
    let words = |environment: &Environment| -> Vec<String> {
        let names = format!(
            "{} {} {}",
            environment.application,
            environment.name,
            environment.cname.as_deref().unwrap_or_default()
        );
        let names = names.to_lowercase();
        let words = names.split(|c: char| !c.is_ascii_alphanumeric());
        words.map(str::to_owned).collect()
    };
    let is_called = |environment: &Environment, names: &[&str]| {
        words(environment)
            .iter()
            .any(|word| names.contains(&&**word))
    };
    let only = |wanted: &dyn Fn(&Environment) -> bool| {
        let mut wanted = candidates.iter().filter(|candidate| wanted(candidate));
        let first = wanted.next();
        first.filter(|_| wanted.next().is_none()).cloned()
    };
    let is_production = |found: &Environment| is_called(found, &["prod", "production", "live"]);
    let is_no_other = |found: &Environment| !is_called(found, &OTHERS);
    let ways = [
        ("it is the only web environment", only(&|_| true)),
        (
            "it is the only one that is called production",
            only(&is_production),
        ),
        (
            "every other one is called staging, test or the like",
            only(&is_no_other),
        ),
    ];
    for (why, found) in ways {
        if let Some(found) = found {
            info!(
                "{} of {} is taken for production: {why}",
                found.name, found.application
            );
            return Ok(found);
        }
    }
    if candidates.is_empty() {
        let message = format!("{region} has no web environment of the names given");
        return Err(Failed::new(Exit::Refused, message)
            .hint("nothing was changed; is --region right, and are --app and --blue?"));
    }
    let listed = candidates.iter().map(|found| {
        let version = found.version_label.as_deref().unwrap_or("no version");
        foreign(&format!(
            "\n  --app {} --blue {}   {version}, {}",
            found.application,
            found.name,
            found.cname.as_deref().unwrap_or_default()
        ))
    });
    let message = format!(
        "several environments may hold production:{}",
        listed.collect::<String>()
    );
    Err(Failed::new(Exit::Refused, message)
        .hint("nothing was changed; name the one that users are on"))
}

/// The bucket that holds the bundle which runs, else the one that Elastic Beanstalk makes in each
/// region (developer guide, "Using Elastic Beanstalk with Amazon S3").
async fn bucket_of(
    cloud: &AwsCloud,
    blue: &Environment,
    (region, account): (&str, &str),
) -> Result<String, Failed> {
    let label = blue.version_label.as_deref().unwrap_or_default();
    let version = cloud.version(&blue.application, label).await?;
    let of_bundle = version.and_then(|version| version.bundle);
    let bucket = of_bundle.map(|(bucket, _)| bucket);
    // A sample application's bundle is in a bucket of AWS's.
    let own = bucket.filter(|name| is_bucket_name(name) && !name.contains("samples"));
    Ok(own.unwrap_or_else(|| format!("elasticbeanstalk-{region}-{account}")))
}

/// The file of settings.
fn settings(found: &Found) -> String {
    let value = |text: &str| Value::from(text).to_string();
    format!(
        "# What `bluegreen` releases onto. docs/reference/bluegreen.toml has every setting.\n\
         app = {}\n\
         blue = {}     # the environment that users are on\n\
         bucket = {}   # for bundles and the journal's copy\n\
         region = {}\n\
         \n\
         # Each version is tested on this path before users are on it.\n\
         test-url = \"/\"\n",
        value(&found.application),
        value(&found.blue),
        value(&found.bucket),
        value(&found.region)
    )
}

/// Writes all of the files, or none where one of them exists and may not be replaced.
fn write(folder: &Path, files: &[(&str, String)], replaces: bool) -> Result<(), Failed> {
    let path = |name: &str| folder.join(name);
    let existing = files.iter().find(|(name, _)| path(name).exists());
    if let Some((name, _)) = existing.filter(|_| !replaces) {
        let message = format!("{} exists", path(name).display());
        return Err(Failed::new(Exit::Refused, message)
            .hint("nothing was changed; --force replaces it, --directory names another folder"));
    }
    for (name, text) in files {
        let path = path(name);
        put(&path, text, replaces).map_err(|error| {
            let message = format!("{} cannot be written: {error}", path.display());
            Failed::new(Exit::Refused, message).hint("nothing was changed at AWS")
        })?;
        say(&format!("Wrote {}", path.display()));
    }
    Ok(())
}

fn put(path: &Path, text: &str, replaces: bool) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| folder.ends_with("workflows")) {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true);
    match replaces {
        true => options.create(true).truncate(true),
        false => options.create_new(true),
    };
    options.open(path)?.write_all(text.as_bytes())
}
