//! Messages to receivers: the real binary against a web server, Slack's API, SNS and EventBridge,
//! and a session on a virtual clock whose receivers are dead.

use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use bluegreen::claim::Interruption;
use bluegreen::machine::Rest;
use bluegreen::notifications::Messenger;
use bluegreen::receivers::ReceiverTable;
use bluegreen::session::{Notice, Observer, Release, Session};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::watch;

use crate::support::policies;
use crate::support::receiver::{Hanging, Keeping, Received, Receiver, Silent};
use crate::support::served::{Served, Victim};
use crate::support::virtual_world::{Heard, VirtualWorld, v2};

const SPEED: f64 = 600.0;
const SECRET: &str = "hunter2-is-the-secret-of-the-hook";
const WEBHOOK: &str = "{ to = 'webhook', url = 'env:HOOK_URL', secret = 'env:HOOK_SECRET' }";

/// The binary with these arguments, whose variables lead to this receiver.
fn command(served: &Served, receiver: &str, arguments: &[&str]) -> Command {
    let mut command = served.bluegreen(arguments);
    command
        .env("HOOK_URL", receiver)
        .env("HOOK_SECRET", SECRET)
        .env("BOT_TOKEN", "xoxb-hunter2hunter2");
    command
}

fn run(served: &Served, receiver: &Receiver, arguments: &[&str]) -> (Option<i32>, String) {
    let url = receiver.url("/hooks/hunter2/path");
    told(&command(served, &url, arguments).output().expect("it runs"))
}

fn told(output: &Output) -> (Option<i32>, String) {
    let told = [&output.stdout[..], &output.stderr[..]].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&told).into_owned(),
    )
}

/// What keeps the deployment holds no secret: neither the journal nor the bucket nor what was said.
#[track_caller]
fn holds_no_secret(served: &Served, said: &str) {
    assert!(!said.contains("hunter2"), "{said}");
    for suffix in ["", "-wal"] {
        let path = served.folder.path().join(format!("journal.db{suffix}"));
        let bytes = std::fs::read(path).unwrap_or_default();
        let found = bytes.windows(7).any(|part| part == b"hunter2");
        assert!(!found, "the journal{suffix} holds a secret");
    }
}

/// The signature as docs/use/notifications.md says it.
#[track_caller]
fn is_signed(received: &Received) {
    let timestamp = received.header("x-bluegreen-timestamp");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(&received.body);
    let code: Vec<_> = mac.finalize().into_bytes().to_vec();
    let code: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    let signature = received.header("x-bluegreen-signature");
    assert_eq!(signature, format!("v1={code}"));
    let event_id = received.json()["event_id"].clone();
    assert_eq!(received.header("x-bluegreen-event-id"), event_id);
}

#[test]
fn a_webhook_gets_each_occasion_in_order_signed_and_once() {
    let served = Served::at_speed(SPEED);
    let receiver = Receiver::new();
    let deploy = ["run", "--version-label", "v2", "--notify", WEBHOOK];
    let paused = ["--pause-before", "cutover", "--report-to-bucket"];
    let paused = [&deploy[..], &paused].concat();
    let (code, said) = run(&served, &receiver, &paused);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(receiver.told("kind"), ["started", "awaiting-approval"]);
    let waiting = receiver.received()[1].json();
    assert_eq!(waiting["version"], 1);
    assert_eq!(waiting["target"]["blue"], "shop-blue");
    assert_eq!(waiting["from_version"], "v1");
    assert_eq!(waiting["to_version"], "v2");
    assert!(
        waiting["users"]
            .as_str()
            .expect("a text")
            .starts_with("v1 on shop-blue-green"),
        "{waiting}"
    );
    let id = waiting["id"].as_str().expect("an id").to_owned();
    let report = format!("s3://shop-artifacts/bluegreen/reports/{id}.html");
    assert_eq!(waiting["report"], report);
    let next = waiting["next"][0]["command"].as_str().expect("a command");
    assert_eq!(next, format!("bluegreen resume {id}"));
    holds_no_secret(&served, &said);
    let (code, said) = run(&served, &receiver, &["rollback", &id]);
    assert_eq!(code, Some(0), "{said}");
    let kinds = ["started", "awaiting-approval", "rolled-back"];
    assert_eq!(receiver.told("kind"), kinds);
    for received in receiver.received() {
        assert_eq!(received.path, "/hooks/hunter2/path");
        is_signed(&received);
    }
    let mut ids = receiver.told("event_id");
    ids.dedup();
    assert_eq!(ids.len(), 3);
    holds_no_secret(&served, &said);
}

#[test]
fn what_a_dead_receiver_has_not_got_the_next_command_delivers() {
    let served = Served::at_speed(SPEED);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let url = format!("http://127.0.0.1:{port}/hooks/hunter2");
    let paused = ["run", "--version-label", "v2", "--notify", WEBHOOK];
    let paused = [&paused[..], &["--pause-before", "cutover"]].concat();
    let output = command(&served, &url, &paused).output().expect("it runs");
    let (code, said) = told(&output);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("--notify 1 has not got the message started yet"),
        "{said}"
    );
    assert!(
        said.contains("messages that are not delivered: 2"),
        "{said}"
    );
    holds_no_secret(&served, &said);
    // Another machine takes the deployment over, with the bucket alone.
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(served.folder.path().join(format!("journal.db{suffix}")));
    }
    let receiver = Receiver::on(
        TcpListener::bind(("127.0.0.1", port)).expect("the port is free"),
        |_, _| Some((204, String::new())),
    );
    let resumed = ["resume", "latest", "--app", "shop", "--blue", "shop-blue"];
    let resumed = [
        &resumed[..],
        &["--bucket", "shop-artifacts", "--notify", WEBHOOK],
    ]
    .concat();
    let (code, said) = told(&command(&served, &url, &resumed).output().expect("it runs"));
    assert_eq!(code, Some(0), "{said}");
    let kinds = ["started", "awaiting-approval", "completed"];
    assert_eq!(receiver.told("kind"), kinds);
    holds_no_secret(&served, &said);
}

#[test]
fn a_process_that_is_killed_before_the_receiver_answers_leaves_the_message_to_the_next() {
    let served = Served::at_speed(SPEED);
    let victim = Victim::default();
    let killer = victim.clone();
    let receiver = Receiver::answering(move |number, _| {
        if number == 0 {
            killer.kill();
            return None;
        }
        Some((200, String::new()))
    });
    let notify = "{ to = 'webhook', url = 'env:HOOK_URL', secret = 'env:HOOK_SECRET', \
                  interrupted-after = '1s' }";
    let url = receiver.url("/");
    let release = ["run", "--version-label", "v2", "--notify", notify];
    let ended = victim.run(&mut command(&served, &url, &release));
    assert_eq!(ended.code(), None, "it is killed");
    let (code, said) = run(&served, &receiver, &["resume", "--all"]);
    assert_eq!(code, Some(0), "{said}");
    let kinds = ["started", "started", "interrupted", "completed"];
    assert_eq!(receiver.told("kind"), kinds);
    let ids = receiver.told("event_id");
    assert_eq!(ids[0], ids[1], "the same event");
    let why = receiver.received()[2].json()["why"].clone();
    let why = why.as_str().expect("a text");
    assert!(
        why.starts_with("no process has carried it on for "),
        "{why}"
    );
}

#[test]
fn a_message_that_a_receiver_refuses_does_not_hold_up_the_next_one() {
    let served = Served::at_speed(SPEED);
    let receiver = Receiver::answering(|_, received| {
        let is_start = received.json()["kind"] == "started";
        Some((if is_start { 410 } else { 200 }, String::new()))
    });
    let notify = [
        WEBHOOK,
        "{ to = 'teams', url = 'env:HOOK_URL', on = ['completed'] }",
    ];
    let release = ["run", "--version-label", "v2", "--notify", notify[0]];
    let release = [&release[..], &["--notify", notify[1]]].concat();
    let (code, said) = run(&served, &receiver, &release);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("has not got the message started yet: 410"),
        "{said}"
    );
    // The card for Teams is no document of the webhook's.
    let cards = receiver.received();
    let card = cards
        .iter()
        .find(|one| one.header("x-bluegreen-signature").is_empty());
    let card = card.expect("a card").json();
    let content = &card["attachments"][0]["content"];
    assert_eq!(content["type"], "AdaptiveCard");
    let title = &content["body"][0]["inlines"][0]["text"];
    assert_eq!(title, "shop/shop-blue, v1 to v2: completed");
}

#[test]
fn slacks_card_is_posted_once_and_updated_in_place() {
    let served = Served::at_speed(SPEED);
    let receiver = Receiver::answering(|_, received| {
        let answer = match received.path.as_str() {
            "/api/chat.postMessage" => json!({ "ok": true, "ts": "1800000000.000100" }),
            _ => json!({ "ok": true }),
        };
        Some((200, answer.to_string()))
    });
    let notify = format!(
        "{{ to = 'slack', token = 'env:BOT_TOKEN', channel = 'C012', api = '{}' }}",
        receiver.url("/api")
    );
    let paused = ["run", "--version-label", "v2", "--notify", &notify];
    let paused = [&paused[..], &["--pause-before", "cutover"]].concat();
    let (code, said) = run(&served, &receiver, &paused);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(&served, &receiver, &["resume", "latest"]);
    assert_eq!(code, Some(0), "{said}");
    let received = receiver.received();
    let paths: Vec<_> = received.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/api/chat.postMessage",
            "/api/chat.update",
            "/api/chat.update"
        ]
    );
    for update in &received[1..] {
        let update = update.json();
        assert_eq!(update["channel"], "C012");
        assert_eq!(update["ts"], "1800000000.000100");
    }
    assert_eq!(
        received[0].header("authorization"),
        "Bearer xoxb-hunter2hunter2"
    );
    let last = received[2].json();
    assert_eq!(
        last["blocks"][0]["text"]["text"],
        "shop/shop-blue, v1 to v2: completed"
    );
    holds_no_secret(&served, &said);
}

#[test]
fn a_topic_and_an_event_bus_get_the_document() {
    let served = Served::at_speed(SPEED);
    let topic = served.sandbox.with_world(|world, _| {
        world.add_event_bus("releases");
        world.add_topic("releases.fifo")
    });
    let bus = "arn:aws:events:us-east-1:123456789012:event-bus/releases";
    let mut document = policies::DOCUMENT.clone();
    policies::statements(&mut document).extend([
        json!({ "Effect": "Allow", "Action": "sns:Publish", "Resource": topic }),
        json!({ "Effect": "Allow", "Action": "events:PutEvents", "Resource": bus }),
    ]);
    served.sandbox.set_policy(Some(policies::parsed(&document)));
    let notify = [
        format!("{{ to = 'sns', topic = '{topic}' }}"),
        "{ to = 'eventbridge', bus = 'releases', on = ['completed'] }".to_owned(),
    ];
    let release = ["run", "--version-label", "v2", "--notify", &notify[0]];
    let release = [&release[..], &["--notify", &notify[1]]].concat();
    let (code, said) = run(&served, &Receiver::new(), &release);
    assert_eq!(code, Some(0), "{said}");
    let messages = served
        .sandbox
        .with_world(|world, _| world.messages().to_vec());
    let of = |to: String| messages.iter().filter(move |message| message.to == to);
    let subjects: Vec<_> = of(topic.clone()).map(|one| one.subject.as_str()).collect();
    assert_eq!(
        subjects,
        [
            "shop/shop-blue, v1 to v2: started",
            "shop/shop-blue, v1 to v2: completed"
        ]
    );
    let last = of(topic.clone()).next_back().expect("a message");
    assert_eq!(last.attributes["kind"], "completed");
    let event = of("releases".to_owned()).next().expect("an event");
    assert_eq!(event.subject, "Deployment completed");
    let detail: Value = serde_json::from_str(&event.text).expect("JSON");
    assert_eq!(detail["event_id"], last.attributes["event_id"]);
}

#[test]
fn what_aws_denies_is_told_and_the_release_completes() {
    let served = Served::at_speed(SPEED);
    let topic = served
        .sandbox
        .with_world(|world, _| world.add_topic("releases"));
    let notify = format!("{{ to = 'sns', topic = '{topic}', on = ['started'] }}");
    let release = ["run", "--version-label", "v2", "--notify", &notify];
    let (code, said) = run(&served, &Receiver::new(), &release);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("has not got the message started yet: Publish: "),
        "{said}"
    );
}

#[test]
fn a_receiver_whose_variable_is_not_set_is_refused_before_anything_is_changed() {
    let served = Served::at_speed(SPEED);
    let release = ["run", "--version-label", "v2", "--notify", WEBHOOK];
    let (code, said) = told(&served.run(&release));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("the variable HOOK_URL is not set"), "{said}");
    let literal = "{ to = 'slack', url = 'https://hooks.slack.com/hunter2' }";
    let (code, said) = told(&served.run(&["run", "--version-label", "v2", "--notify", literal]));
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("--notify 1") && said.contains("env:NAME"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
}

/// Hears nothing.
struct Deaf;

impl Observer for Deaf {
    fn observe(&self, _: Notice<'_>) {}
}

/// How long a release takes on the virtual clock, and how many polls it makes.
async fn released(messenger: Arc<dyn Messenger>, notify: Option<&str>) -> (Duration, usize) {
    let mut world = VirtualWorld::new().await;
    let read = |table| ReceiverTable::inline(table).and_then(ReceiverTable::check);
    world.config.wishes.notify = notify.map(read).into_iter().map(Result::unwrap).collect();
    let (signal, _) = watch::channel(false);
    let mut store = world.store();
    let heard = Heard::default();
    let began = world.clock.now();
    let mut session = Session {
        cloud: world.cloud.clone(),
        store: &mut store,
        clock: world.clock,
        interruption: Interruption::from(signal.subscribe()),
        lease: Duration::from_secs(300),
        approver: None,
        messenger,
        listener: &heard,
        observer: &Deaf,
    };
    let release = Release {
        config: &world.config.clone(),
        wanted: &v2(),
        region: "us-east-1",
        wait: Duration::ZERO,
        id: None,
    };
    let done = Box::pin(session.release(release)).await.expect("it runs");
    assert_eq!(done.rest, Some(Rest::Completed));
    world.check_all_is_well("v2");
    let polls = heard.events().into_iter();
    let polls = polls.filter(|event| {
        matches!(
            event.record.happened,
            bluegreen::events::Happened::Polled(_)
        )
    });
    (done.deployment.updated_at.since(began), polls.count())
}

#[tokio::test(start_paused = true)]
async fn a_dead_receiver_does_not_delay_a_release() {
    let alone = released(Arc::new(Silent), None).await;
    for (name, messenger) in [
        ("it refuses", Arc::new(Silent) as Arc<dyn Messenger>),
        ("it never answers", Arc::new(Hanging)),
        ("it takes all", Arc::new(Keeping::default())),
    ] {
        let with = released(messenger, Some(WEBHOOK)).await;
        assert_eq!(with, alone, "{name}");
    }
}
