//! What a person watches: the view at its moments and widths, from the events of real releases on
//! the virtual clock, and on a real pseudo-terminal.

use std::fs::File;
use std::io::Read;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};

use bluegreen::deployment::Deployment;
use bluegreen::events::{DeploymentEvent, Happened};
use bluegreen::machine::Kind;
use bluegreen::preflight::Past;
use bluegreen::report::live::Live;
use bluegreen_sandbox::FaultEffect;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::machines::{Elsewhere, objects, started};
use crate::support::served::{Patience, Served};
use crate::support::virtual_world::{Features, VirtualWorld, v2};

/// A release that is the same in every run: how it began, and what happened in it.
async fn release(
    world: &mut VirtualWorld,
    features: Features,
) -> (Deployment, Vec<DeploymentEvent>) {
    world.sandbox.with_world(|world, _| {
        world.seed_chance(1);
        world.timings = world.timings.even();
    });
    let wanted = world.ask_for(features, v2());
    let begun = world.begin(wanted).await.expect("preflight passes");
    let mut deployment = begun.clone();
    let driven = world.drive(&mut deployment).await;
    driven.expect("nothing kills it").expect("it rests");
    (begun, world.heard.events())
}

/// The view once a state has been polled so often, or at the end where it never is.
fn view(begun: &Deployment, events: &[DeploymentEvent], state: Kind, polls: usize) -> Frames {
    let mut live = Live::new(begun, &[], &Past::default());
    let (mut polled, mut at) = (0, begun.started_at);
    for event in events {
        live.hear(event);
        at = event.record.at;
        let is_poll = matches!(
            event.record.happened,
            Happened::Waiting { .. } | Happened::ApprovalAsked { .. }
        );
        polled += usize::from(is_poll && live.kind() == state);
        if polled == polls && polls > 0 {
            break;
        }
    }
    assert_eq!(live.kind(), state);
    Frames(live, at)
}

struct Frames(Live, bluegreen::clock::Moment);

impl Frames {
    /// The view at three widths, and as a line of a log.
    fn shown(&self) -> String {
        let Frames(live, at) = self;
        let mut shown = String::new();
        for width in [60, 80, 120] {
            let lines = live.frame(*at, (width, 40));
            let plain = lines.iter().map(|line| console::strip_ansi_codes(line));
            let plain: Vec<_> = plain.map(|line| line.trim_end().to_owned()).collect();
            assert!(
                plain.iter().all(|line| line.chars().count() <= width),
                "{plain:?}"
            );
            shown.push_str(&format!("--- {width} columns\n{}\n", plain.join("\n")));
        }
        shown + "--- in a log\n" + &live.heartbeat(*at)
    }
}

/// Holds a view against its snapshot.
fn check(name: &str, frames: &Frames) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("snapshots");
    settings.set_omit_expression(true);
    // The rest of a name that the width cuts is of no matter.
    settings.add_filter(r"eba-[a-z0-9]{1,8}", "eba-[cname]");
    settings.add_filter(r"awseb-e-[a-z0-9-]*", "awseb-[stack]");
    settings.bind(|| insta::assert_snapshot!(name, frames.shown()));
}

#[tokio::test(start_paused = true)]
async fn the_view_at_its_moments() {
    let mut world = VirtualWorld::new().await;
    let (begun, events) = release(&mut world, Features::default()).await;
    for (name, state, polls) in [
        ("live_cloning", Kind::Cloning, 3),
        ("live_draining", Kind::DrainingBlue, 2),
        ("live_deploying", Kind::Deploying, 2),
        ("live_completed", Kind::Completed, 0),
    ] {
        check(name, &view(&begun, &events, state, polls));
    }
}

/// However little room there is, where users are and the present stage are there.
#[tokio::test(start_paused = true)]
async fn a_small_view_keeps_what_matters() {
    let mut world = VirtualWorld::new().await;
    let (begun, events) = release(&mut world, Features::default()).await;
    let Frames(live, at) = view(&begun, &events, Kind::Baking, 2);
    for rows in [6, 12, 20] {
        let lines = live.frame(at, (80, rows)).join("\n");
        let lines = console::strip_ansi_codes(&lines).into_owned();
        assert!(lines.lines().count() <= rows, "{lines}");
        assert!(lines.contains("Users: v2 on shop-blue"), "{lines}");
        assert!(lines.contains("● "), "{lines}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_view_of_a_held_release() {
    let mut world = VirtualWorld::new().await;
    world.inject(FaultEffect::VersionAnswers {
        label: "v2".to_owned(),
        status: 500,
    });
    let (begun, events) = release(&mut world, Features::default()).await;
    check("live_held", &view(&begun, &events, Kind::Held, 0));
}

#[tokio::test(start_paused = true)]
async fn the_view_of_a_release_that_waits_for_its_approval() {
    let mut world = VirtualWorld::new().await;
    let features = Features {
        pause: true,
        ..Features::default()
    };
    let (begun, events) = release(&mut world, features).await;
    check(
        "live_approval",
        &view(&begun, &events, Kind::AwaitingCutover, 1),
    );
}

fn sized(rows: u16, columns: u16) -> (NonZeroU16, NonZeroU16) {
    let size = |size| NonZeroU16::new(size).expect("not none");
    (size(rows), size(columns))
}

/// A terminal of so many columns, and what is on it.
struct Terminal {
    master: rustix::fd::OwnedFd,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    fn new(rows: u16, columns: u16) -> (Terminal, File) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("it is granted");
        unlockpt(&master).expect("it is unlocked");
        let name = ptsname(&master, Vec::new()).expect("its name");
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let slave = rustix::fs::open(&*name, flags, Mode::empty()).expect("it opens");
        let screen = Arc::new(Mutex::new({
            let (rows, columns) = sized(rows, columns);
            vt100::Parser::new(rows, columns, 0)
        }));
        let terminal = Terminal { master, screen };
        terminal.resize(rows, columns);
        let mut read = File::from(terminal.master.try_clone().expect("another handle"));
        let screen = terminal.screen.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = read.read(&mut bytes) {
                screen
                    .lock()
                    .expect("no panic holds it")
                    .process(&bytes[..count]);
            }
        });
        (terminal, File::from(slave))
    }

    fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.master, size).expect("it is resized");
        let mut screen = self.screen.lock().expect("no panic holds it");
        let (rows, columns) = sized(rows, columns);
        screen.set_size(rows, columns);
    }

    fn text(&self) -> String {
        let screen = self.screen.lock().expect("no panic holds it");
        screen.screen().contents()
    }

    /// Returns once this is on the screen.
    fn shows(&self, part: &str) -> String {
        let patience = Patience::new();
        loop {
            let text = self.text();
            if text.contains(part) {
                return text;
            }
            patience.check(part);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}

#[test]
fn the_view_is_drawn_in_place_survives_a_resize_and_gives_way_to_the_outcome() {
    let served = Served::at_speed(300.0);
    let (terminal, slave) = Terminal::new(45, 100);
    let mut command = served.bluegreen(&["run", "--version-label", "v2"]);
    let handle = || slave.try_clone().expect("another handle");
    command
        .env("TERM", "xterm-256color")
        .stdin(handle())
        .stdout(handle())
        .stderr(slave.try_clone().expect("another handle"));
    let mut child = command.spawn().expect("the binary starts");
    let shown = terminal.shows("● Clone blue");
    assert_eq!(
        shown.matches("Users: v1 on shop-blue").count(),
        1,
        "{shown}"
    );
    let shown = terminal.shows("● Deploy to blue");
    assert_eq!(shown.matches("✓ Clone blue").count(), 1, "{shown}");
    assert!(shown.contains("Users: v1 on shop-blue-green"), "{shown}");
    terminal.resize(40, 70);
    let ended = child.wait().expect("it ends");
    assert_eq!(ended.code(), Some(0), "{}", terminal.text());
    let shown = terminal.shows("Sandbox: ");
    assert!(shown.contains("Users: v2 on shop-blue, healthy"), "{shown}");
    assert!(!shown.contains('●'), "{shown}");
}

/// In CI, and on a terminal that cannot redraw, the log is what it is.
#[test]
fn no_view_is_drawn_for_a_ci_system_or_a_dumb_terminal() {
    for (variable, value) in [("CI", "true"), ("TERM", "dumb")] {
        let served = Served::at_speed(600.0);
        let (terminal, slave) = Terminal::new(45, 200);
        let mut command = served.bluegreen(&["run", "--version-label", "v2"]);
        command
            .env("TERM", "xterm-256color")
            .env(variable, value)
            .stdout(slave.try_clone().expect("another handle"))
            .stderr(slave);
        let ended = command.spawn().and_then(|mut child| child.wait());
        assert_eq!(ended.expect("it ends").code(), Some(0));
        let shown = terminal.shows("Sandbox: ");
        assert!(!shown.contains('●'), "{shown}");
    }
}

/// Whoever watches decides about a pause with a key, in place of another command.
#[test]
fn a_key_decides_about_a_pause() {
    for (key, code, ends) in [
        ("xa", 0, "Users: v2 on shop-blue, healthy"),
        ("r", 0, "RolledBack after"),
        ("d", 4, "AwaitingCutover after"),
    ] {
        let served = Served::at_speed(600.0);
        let (terminal, slave) = Terminal::new(60, 160);
        let deploys = ["deploy", "--version-label", "v2", "--exit-code-paused", "4"];
        let mut command = served.bluegreen(&deploys);
        let handle = || slave.try_clone().expect("another handle");
        command
            .env("TERM", "xterm-256color")
            .stdin(handle())
            .stdout(handle())
            .stderr(handle());
        let mut child = command.spawn().expect("the binary starts");
        terminal.shows("Press a to approve");
        rustix::io::write(&terminal.master, key.as_bytes()).expect("it is typed");
        let ended = child.wait().expect("it ends");
        assert_eq!(ended.code(), Some(code), "{key}: {}", terminal.text());
        terminal.shows(ends);
    }
}

/// Another machine shows what a state waits for, as of the last renewal of the lock.
#[test]
fn who_watches_from_elsewhere_sees_what_a_state_waits_for() {
    let served = Served::at_speed(120.0);
    let run = ["run", "--version-label", "v2", "--bake", "3h"];
    let mut running = started(served.bluegreen(&run));
    let elsewhere = Elsewhere::of(&served);
    let patience = Patience::new();
    while objects(&served).is_empty() {
        patience.check("a deployment");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let (terminal, slave) = Terminal::new(45, 120);
    let status = ["status", "latest", "--watch", "--bucket", "shop-artifacts"];
    let mut command = elsewhere.command(&status);
    command
        .env("TERM", "xterm-256color")
        .stdout(slave.try_clone().expect("another handle"))
        .stderr(slave);
    let mut watching = command.spawn().expect("the binary starts");
    let shown = terminal.shows("of 3h");
    assert!(shown.contains("the bake"), "{shown}");
    for child in [&mut watching, &mut running] {
        child.kill().expect("it is killed");
        child.wait().expect("it ends");
    }
}
