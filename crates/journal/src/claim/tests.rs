use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn held(renewed: bool) -> ClaimError {
    let at = bluegreen_clock::Moment(1_800_000_000_000);
    let lease = LeaseRecord {
        format: crate::shared::FORMAT,
        fence: 1,
        target: bluegreen_core::plan::Plan::sample("A").target,
        deployment: "A".to_owned(),
        doing: "Cloning".to_owned(),
        waits: Vec::new(),
        holder: Some(Holder::this_process(None)),
        taken_at: at,
        renewed_at: at,
        renewals: 0,
        length_seconds: 120,
        retreat_requested: false,
    };
    let held = HeldLease {
        lease,
        has_begun: true,
        renewed,
        runs_out_in: MINUTE,
    };
    Obstacle::Held(held).into()
}

fn away() -> ClaimError {
    let (bucket, message) = ("b".to_owned(), "no answer".to_owned());
    SharedError::Away { bucket, message }.into()
}

fn driven() -> ClaimError {
    let (id, holder) = ("A".to_owned(), "process 1".to_owned());
    Obstacle::Driven { id, holder }.into()
}

/// How many seconds a process waits where every attempt fails so; none where that has no end within
/// an hour.
async fn waited(behind: WaitsBehind, failure: fn() -> ClaimError) -> Option<u64> {
    let clock = Clock::system();
    let (_sender, came) = tokio::sync::watch::channel(false);
    let patience = Patience {
        behind,
        timeout: 10 * MINUTE,
        poll: MINUTE,
    };
    let since = tokio::time::Instant::now();
    let interruption = came.into();
    let attempt = async || Err::<Option<()>, _>(failure());
    let waiting = wait(clock, &interruption, patience, attempt, |_| {});
    let ended = tokio::time::timeout(60 * MINUTE, waiting).await;
    ended.ok().map(|_| since.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_way_is_waited_for_as_long_as_it_may_pass() {
    use WaitsBehind::{Everybody, TheRunner, TheSilent};
    let silent: fn() -> ClaimError = || held(false);
    let alive: fn() -> ClaimError = || held(true);
    let lost: fn() -> ClaimError = || StoreError::Newer { path: "j".into() }.into();
    for (behind, failure, expected) in [
        (Everybody, silent, Some(600)),
        (Everybody, away, Some(600)),
        (Everybody, lost, Some(0)),
        (TheSilent, silent, None),
        (TheSilent, alive, Some(0)),
        (TheSilent, driven, Some(0)),
        (TheSilent, away, Some(600)),
        (TheRunner, alive, None),
        (TheRunner, driven, None),
        (TheRunner, away, Some(600)),
        (TheRunner, lost, Some(0)),
    ] {
        let told = format!("{behind:?} {}", failure());
        assert_eq!(waited(behind, failure).await, expected, "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_an_interruption() {
    let (sender, came) = tokio::sync::watch::channel(false);
    let patience = Patience {
        behind: WaitsBehind::TheRunner,
        timeout: MINUTE,
        poll: MINUTE,
    };
    let interruption = came.into();
    let attempt = async || Err::<Option<()>, _>(driven());
    let tell = |_: &ClaimError| {
        sender.send_replace(true);
    };
    let ended = wait(Clock::system(), &interruption, patience, attempt, tell).await;
    assert!(
        matches!(ended, Err(ClaimError::Interrupted(_))),
        "{ended:?}"
    );
}
