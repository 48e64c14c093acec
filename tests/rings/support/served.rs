//! A sandbox that listens, and the real binary against it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use bluegreen::cloud::AwsCloud;
use bluegreen::prober::HttpProber;
use bluegreen_sandbox::{Fault, Options, Sandbox};
use bytes::Bytes;

use super::load::Part;

/// A sandbox that listens, its clock far ahead of the wall's, and a folder for
/// the journal.
pub struct Served {
    pub sandbox: Sandbox,
    pub url: String,
    pub folder: tempfile::TempDir,
    /// Ends the server with the test.
    runtime: tokio::runtime::Runtime,
    _part: Part,
}

impl Served {
    /// A new sandbox whose clock runs `speed` times as fast as the wall's.
    pub fn at_speed(speed: f64) -> Served {
        Served::of(Options {
            speed,
            ..Options::default()
        })
    }

    /// The sandbox that these options open, with the shipped policy.
    pub fn of(options: Options) -> Served {
        let part = Part::of_a_sandbox();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let sandbox = Sandbox::open(Options {
            policy: Some(crate::support::policies::shipped()),
            seed: Some(bluegreen_testing::sample::seed()),
            ..options
        })
        .expect("a sandbox opens");
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        runtime.spawn(sandbox.clone().serve(listener, std::future::pending()));
        Served {
            sandbox,
            url,
            folder: tempfile::tempdir().expect("a temporary folder"),
            runtime,
            _part: part,
        }
    }

    /// Waits for something of the sandbox's.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Does something else beside the sandbox, until the test ends.
    pub fn beside(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(future);
    }

    /// What somebody with every permission asks.
    pub fn by_hand(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        self.sandbox.set_policy(None);
        let answer = self.block_on(self.sandbox.handle(request));
        self.sandbox
            .set_policy(Some(crate::support::policies::shipped()));
        answer.expect("it answers")
    }

    /// From now on the shipped policy lacks this action.
    pub fn deny(&self, action: &str) {
        self.sandbox
            .set_policy(Some(crate::support::policies::without(action)));
    }

    pub fn inject(&self, fault: impl Into<Fault>) {
        self.sandbox.with_world(|world, _| world.inject(fault));
    }

    pub fn journal(&self) -> PathBuf {
        self.folder.path().join("journal.db")
    }

    /// The binary with these arguments, in a hermetic environment, against this
    /// sandbox and this folder's journal.
    #[must_use]
    pub fn bluegreen(&self, arguments: &[&str]) -> Command {
        let mut command = hermetic(arguments);
        command
            .current_dir(self.folder.path())
            .env("BLUEGREEN_SANDBOX", &self.url)
            .env("BLUEGREEN_STATE", self.journal());
        command
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.bluegreen(arguments).output().expect("the binary runs")
    }
}

/// Clients of the AWS at this URL.
pub async fn clients_of(url: &str) -> AwsCloud {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .credentials_provider(Credentials::new("AKIATEST", "test", None, None, "test"))
        .load()
        .await;
    AwsCloud::new(&config, Arc::new(HttpProber::new(None).expect("a prober")))
}

/// The binary with these arguments and nothing of the environment.
#[must_use]
pub fn hermetic(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bluegreen"));
    command
        .args(arguments)
        .env_clear()
        .env("BLUEGREEN_POLL", "20s")
        // Two processes read the sandbox's clock a little apart; at its speed a
        // millisecond of the wall's is most of a second.
        .env("BLUEGREEN_DRAIN", "120s")
        .env("BLUEGREEN_BAKE", "150s")
        // A busy machine is slow at a fast clock; that is no reason to give up.
        .env("BLUEGREEN_PATIENCE", "12h")
        .stdin(Stdio::null());
    command
}

/// A server that is asked for approval and answers with the status that `of` gives for
/// the number of the question, from 0; its URL, with a secret in it.
pub fn approver(of: impl Fn(usize) -> u16 + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 4096]);
            let status = of(number);
            let answer =
                format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}/releases?token=hush")
}

/// A source bundle that holds this, without compression.
pub fn bundle(content: &[u8]) -> Vec<u8> {
    bundle_of(&[("app.js", content)])
}

/// A source bundle that holds these files.
pub fn bundle_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
    for (name, content) in files {
        let (mut entry, config) = archive.new_file(name).start().expect("it begins");
        let mut writer = config.wrap(&mut entry);
        writer.write_all(content).expect("it is written");
        let (_, descriptor) = writer.finish().expect("it ends");
        entry.finish(descriptor).expect("it ends");
    }
    archive.finish().expect("it ends");
    bytes
}

/// A child that another thread may kill.
#[derive(Clone, Default)]
pub struct Victim(Arc<Mutex<Option<Child>>>);

impl Victim {
    /// Starts the command, waits for its end, and says whether it was killed.
    pub fn run(&self, command: &mut Command) -> std::process::ExitStatus {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        // The killer needs the child while it is waited for.
        loop {
            *self.0.lock().expect("no panic holds it") = Some(child);
            std::thread::sleep(std::time::Duration::from_millis(2));
            let mut guard = self.0.lock().expect("no panic holds it");
            child = guard.take().expect("only this thread takes it");
            drop(guard);
            if let Some(status) = child.try_wait().expect("the child can be waited for") {
                return status;
            }
        }
    }

    /// SIGKILL, at once.
    pub fn kill(&self) {
        let patience = std::time::Instant::now();
        loop {
            if let Some(child) = self.0.lock().expect("no panic holds it").as_mut() {
                child.kill().expect("the child can be killed");
                return;
            }
            assert!(
                patience.elapsed().as_secs() < 60,
                "there is no child to kill"
            );
            std::thread::yield_now();
        }
    }
}

/// How long a test waits for what is sure to come, on a machine as busy as may be.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// A wait that names what it waited for where that never came.
pub struct Patience(Instant);

impl Patience {
    pub fn new() -> Patience {
        Patience(Instant::now())
    }

    /// Called between two looks.
    #[track_caller]
    pub fn check(&self, what: &str) {
        assert!(self.0.elapsed() < PATIENCE, "waited in vain for {what}");
    }

    /// Called between two looks of a test that is asynchronous; waits a little.
    #[track_caller]
    pub fn pause(&self, what: &str) -> impl Future<Output = ()> {
        self.check(what);
        tokio::time::sleep(Duration::from_millis(5))
    }
}
