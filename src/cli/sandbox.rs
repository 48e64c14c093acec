//! `bluegreen sandbox`, and the sandbox behind `--sandbox`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bluegreen_sandbox::{
    BUCKET, Description, Environment, Fault, Options as SandboxOptions, Policy, Replay, Report,
    SPEEDS, Sandbox, SandboxError, Sharing, Version, World,
};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::exit::{Exit, Failed, without_roots};
use super::output::say;
use super::signals::{Signals, Standing};
use crate::clock::{Clock, Moment};
use crate::cloud::SandboxEndpoint;
use crate::config::{EMBEDDED, Options};
use crate::prober::root_cause;
use crate::text::{for_shell, on_one_line};

/// What `sandbox` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4577")]
    listen: String,
    /// Speed of the sandbox: its seconds per real second
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    speed: f64,
    /// Seed of what chance decides, such as how long things take [default: drawn, and told]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Folder to keep its world in [default: none, the world ends when the process does]
    #[arg(long, value_name = "FOLDER")]
    directory: Option<PathBuf>,
    /// Begin anew: remove the world that --directory keeps, with its objects
    #[arg(long, requires = "directory")]
    fresh: bool,
    /// World that a new sandbox begins as: TOML, or a file of `bluegreen doctor` [default: application shop]
    #[arg(long, value_name = "FILE")]
    seed_world: Option<PathBuf>,
    /// Scripted fault as JSON, such as '{"fault":"throttle","probability":0.3}'; may be repeated
    #[arg(long = "fault", value_name = "JSON", value_parser = fault)]
    faults: Vec<Fault>,
    /// Answer from a file of `bluegreen doctor` instead of a sandbox's world
    #[arg(long, value_name = "FILE", conflicts_with_all = ["directory", "faults", "policy", "seed", "seed_world"])]
    replay: Option<PathBuf>,
    /// IAM policy by which to judge requests [default: everything is allowed]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

fn fault(text: &str) -> Result<Fault, String> {
    Fault::read(text.as_bytes())
}

fn policy(file: Option<&Path>) -> Result<Option<Policy>, Failed> {
    file.map(Policy::read).transpose().map_err(Failed::from)
}

pub(super) async fn run(_options: &Options, args: &Args) -> Result<Exit, Failed> {
    if let Some(file) = &args.replay {
        let recording = Replay::read(file)?.at_speed(args.speed);
        return replay(recording, &args.listen).await;
    }
    let described = args.seed_world.as_deref().map(Description::read);
    let (world, policy) = (described.transpose()?, policy(args.policy.as_deref())?);
    let listener = listen(&args.listen).await?;
    // From here on nothing but the folder and the speed can be refused, and `open` checks both
    // before it removes a world.
    let sandbox = Sandbox::open(SandboxOptions {
        directory: args.directory.clone(),
        sharing: Sharing::Exclusive,
        fresh: args.fresh,
        world,
        speed: args.speed,
        policy,
        seed: args.seed,
        ..SandboxOptions::default()
    })?;
    sandbox.with_world(|world, _| args.faults.iter().for_each(|f| world.inject(f.clone())));
    let address = listener.local_addr().map_err(|e| Failed::bug(&e))?;
    if !address.ip().is_loopback() {
        tracing::warn!(
            "the sandbox listens on {address}: whoever reaches this machine may ask it for \
             anything, for it checks no signature"
        );
    }
    say(&welcome(&sandbox, &address.to_string()));
    let mut interrupted = until_a_signal()?;
    let serving = sandbox.clone().serve(listener, async move {
        let _ = interrupted.wait_for(|yes| *yes).await;
    });
    serving.await.map_err(|e| Failed::bug(&e))?;
    say(&summary(&sandbox.report()));
    Ok(Exit::Completed)
}

/// How many environments the first lines name.
const ENVIRONMENTS_NAMED: usize = 10;

/// What a sandbox says of itself at its beginning.
fn welcome(sandbox: &Sandbox, address: &str) -> String {
    let clock = sandbox.clock();
    let now = humantime::format_rfc3339_seconds(clock.now);
    let (held, region, host, target, seed) = sandbox.with_world(|world, _| {
        let blue = blue(world);
        (
            held(world),
            world.region.clone(),
            blue.and_then(|blue| blue.cname.clone()),
            blue.map_or(String::new(), |blue| target(world, blue)),
            world.seed_of_chance(),
        )
    });
    let site = host.map_or(String::new(), |host| {
        format!("\u{20} curl -x http://{address} http://{host}/\n")
    });
    format!(
        "A sandbox of Elastic Beanstalk and S3 listens on http://{address}, {} times as fast as the wall's clock; by its own clock it is {now}.\n\
         It holds {}. Its random numbers come from seed {seed}: --seed {seed} repeats them.\n\n\
         \u{20} http://{address}/_sandbox/ shows it in a browser\n\
         \u{20} bluegreen run --sandbox=http://{address}{target}\n\
         \u{20} AWS_ENDPOINT_URL=http://{address} AWS_DEFAULT_REGION={region} AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b aws elasticbeanstalk describe-environments\n\
         {site}\
         \u{20} curl http://{address}/_sandbox/report",
        clock.speed,
        on_one_line(&held),
    )
}

/// The environments of a world, by their names.
fn held(world: &World) -> String {
    let named = world.environments().take(ENVIRONMENTS_NAMED);
    let named = named.map(|environment| {
        let (name, label) = (&environment.name, &environment.version_label);
        let application = &environment.application;
        format!("{name} (application {application}, version {label})")
    });
    let named: Vec<_> = named.collect();
    match world.environments().count() - named.len() {
        _ if named.is_empty() => "no environment".to_owned(),
        0 => named.join(", "),
        more => format!("{}, and {more} more", named.join(", ")),
    }
}

/// The environment to release to: the one that the clients use, else the first with a CNAME.
fn blue(world: &World) -> Option<&Environment> {
    let with_cname = || world.environments().find(|e| e.cname.is_some());
    world.production().or_else(with_cname)
}

/// The flags that name a release's target in a world; none for the seeded one, whose names are the
/// defaults.
fn target(world: &World, blue: &Environment) -> String {
    let mut versions = world.view.versions.iter();
    let runs = |v: &&Version| {
        v.application == blue.application && v.label == blue.version_label && !v.bucket.is_empty()
    };
    let bucket = versions
        .find(runs)
        .map_or(BUCKET, |version| &version.bucket);
    let named = [
        ("--region", world.region.as_str(), "us-east-1"),
        ("--app", &blue.application, "shop"),
        ("--blue", &blue.name, "shop-blue"),
        ("--bucket", bucket, BUCKET),
    ];
    if named.iter().all(|(_, value, seeded)| value == seeded) {
        return String::new();
    }
    let flags = named.map(|(flag, value, _)| format!(" {flag} {}", for_shell(value)));
    flags.concat()
}

/// Becomes true once it is to end.
fn until_a_signal() -> Result<watch::Receiver<bool>, Failed> {
    let signals = Signals::of_this_process()?;
    signals.stand(Standing::Serving);
    Ok(signals.came())
}

async fn listen(address: &str) -> Result<TcpListener, Failed> {
    TcpListener::bind(address).await.map_err(|e| {
        Failed::new(
            Exit::Refused,
            format!("cannot listen on --listen {address}: {e}"),
        )
    })
}

/// Answers from a recording until a signal comes.
async fn replay(replay: Replay, address: &str) -> Result<Exit, Failed> {
    let listener = listen(address).await?;
    let address = listener.local_addr().map_err(|e| Failed::bug(&e))?;
    let name = |which: &str| for_shell(replay.names().get(which).map_or("", String::as_str));
    let version = match replay.names().get("version") {
        Some(version) => format!(" --version-label {}", for_shell(version)),
        None => String::new(),
    };
    say(&format!(
        "{} recorded requests of {} are answered again on http://{address}.\n\n\
         \u{20} bluegreen doctor --sandbox=http://{address} --config /dev/null --state replay.db --region {} \
         --app {} --blue {} --green {} --bucket {}{version}",
        replay.requests(),
        replay.region(),
        for_shell(replay.region()),
        name("application"),
        name("blue"),
        name("green"),
        name("bucket")
    ));
    let mut interrupted = until_a_signal()?;
    let serving = replay.serve(listener, async move {
        let _ = interrupted.wait_for(|yes| *yes).await;
    });
    serving.await.map_err(|e| Failed::bug(&e))?;
    Ok(Exit::Completed)
}

/// The sandbox that a command uses instead of AWS.
pub(super) struct InUse {
    pub endpoint: SandboxEndpoint,
    pub clock: Clock,
    /// Whether it answers from a recording, which has nothing to report.
    is_recording: bool,
    /// Ends the embedded one with the command.
    _server: Option<tokio::task::JoinHandle<()>>,
}

#[derive(Deserialize)]
struct Reading {
    now_ms: u64,
    speed: f64,
    #[serde(default)]
    is_recording: bool,
}

impl InUse {
    /// The sandbox at a URL, or an embedded one whose world is kept in `folder`.
    pub async fn begin(which: &str, folder: PathBuf, options: &Options) -> Result<InUse, Failed> {
        let (url, server) = if which == EMBEDDED {
            let (url, server) = embed(folder, options).await?;
            (url, Some(server))
        } else {
            (url_of(which)?, None)
        };
        let reading: Reading = get(&url, "clock").await?;
        if !SPEEDS.contains(&reading.speed) {
            return Err(SandboxError::Speed(reading.speed).into());
        }
        Ok(InUse {
            endpoint: SandboxEndpoint {
                url,
                speed: reading.speed,
            },
            clock: Clock::starting_at(Moment(reading.now_ms), reading.speed),
            is_recording: reading.is_recording,
            _server: server,
        })
    }

    /// What the sandbox has to report; `None` where it answers from a recording.
    pub async fn summary(&self) -> Result<Option<String>, Failed> {
        if self.is_recording {
            return Ok(None);
        }
        Ok(Some(summary(&get(&self.endpoint.url, "report").await?)))
    }
}

/// The URL of a sandbox that `--sandbox` names.
fn url_of(which: &str) -> Result<String, Failed> {
    let url = which.trim_end_matches('/');
    let is_url = |url: &str| {
        let parsed = reqwest::Url::parse(url).ok();
        parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    };
    if is_url(url) {
        return Ok(url.to_owned());
    }
    let with_scheme = format!("http://{url}");
    let instead = match !which.contains("://") && is_url(&with_scheme) {
        true => with_scheme,
        false => "http://127.0.0.1:4577".to_owned(),
    };
    Err(
        Failed::new(Exit::Refused, format!("--sandbox={which} is no URL"))
            .hint(format!("give one with http://, as in --sandbox={instead}")),
    )
}

async fn embed(
    folder: PathBuf,
    options: &Options,
) -> Result<(String, tokio::task::JoinHandle<()>), Failed> {
    let sandbox = Sandbox::open(SandboxOptions {
        directory: Some(folder),
        speed: options.sandbox_speed,
        policy: policy(options.sandbox_policy.as_deref())?,
        ..SandboxOptions::default()
    })?;
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .map_err(|e| Failed::bug(&e))?;
    let address = listener.local_addr().map_err(|e| Failed::bug(&e))?;
    let server = tokio::spawn(async move {
        let _ = sandbox.serve(listener, std::future::pending()).await;
    });
    Ok((format!("http://{address}"), server))
}

async fn get<T: serde::de::DeserializeOwned>(url: &str, what: &str) -> Result<T, Failed> {
    let unreachable = |why: String| {
        Failed::new(
            Exit::Refused,
            format!("there is no sandbox at --sandbox={url}: {why}"),
        )
        .hint("start one with: bluegreen sandbox")
    };
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()
        .map_err(|e| without_roots(root_cause(e)))?;
    let answer = client
        .get(format!("{url}/_sandbox/{what}"))
        .send()
        .await
        .map_err(|e| unreachable(e.to_string()))?;
    let body = answer
        .bytes()
        .await
        .map_err(|e| unreachable(e.to_string()))?;
    serde_json::from_slice(&body).map_err(|e| unreachable(e.to_string()))
}

fn summary(report: &Report) -> String {
    let leftovers = &report.leftovers;
    let behind: Vec<String> = [
        ("environment", &leftovers.environments),
        ("template", &leftovers.templates),
        ("unfinished upload", &leftovers.unfinished_uploads),
        ("record", &leftovers.records),
    ]
    .into_iter()
    .flat_map(|(what, names)| names.iter().map(move |name| format!("{what} {name}")))
    .collect();
    let behind = if behind.is_empty() {
        "nothing".to_owned()
    } else {
        behind.join(", ")
    };
    format!(
        "Sandbox: {} requests of clients with cached DNS answers, {} lost; left behind: {behind}; seed {}",
        report.requests, report.lost, report.seed
    )
}
