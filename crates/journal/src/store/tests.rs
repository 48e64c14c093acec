//! The journal: compare-and-set, one unfinished deployment a target, durability.

use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;
use bluegreen_core::events::Happened;
use bluegreen_core::machine::{Cause, State};
use bluegreen_core::plan::Plan;
use bluegreen_testing::garbled::garbled_text;

proptest! {
    /// Also where its checksum is right: somebody has computed that anew.
    #[test]
    fn a_garbled_row_is_refused_or_whole(
        checkpoint in garbled_text(&json(&Deployment::new(Plan::sample("A"), Moment(1)))),
    ) {
        let store = Store::in_memory().expect("it opens");
        let row = Stored {
            id: "A".to_owned(),
            format: FORMAT,
            checksum: Some(checksum(&checkpoint)),
            checkpoint,
            revision: 0,
            ended: false,
        };
        if let Ok(deployment) = store.decode(row) {
            prop_assert_eq!(deployment.revision, 0);
            let limits = &deployment.plan.wishes.limits;
            let _ = deployment.entered_at.after(limits.patience + limits.quarantine + limits.drain);
        }
    }
}

fn opened() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&folder.path().join("state/journal.db")).expect("it opens");
    (folder, store)
}

fn advance(store: &mut Store, deployment: &mut Deployment, state: State) -> Result<(), StoreError> {
    let now = Moment(deployment.updated_at.0 + 1);
    let next = deployment.entering(state, now);
    store.checkpoint(deployment, next, now, "because", None, &[])
}

#[test]
fn what_is_checkpointed_is_found_again() {
    let (folder, mut store) = opened();
    let mut deployment = Deployment::new(Plan::sample("A"), Moment(1));
    store.create(&deployment).expect("it is written");
    advance(&mut store, &mut deployment, State::Cloning).expect("checkpoint");
    drop(store);
    let store = Store::open(&folder.path().join("state/journal.db")).expect("it opens again");
    assert_eq!(store.find("a").expect("it reads"), Some(deployment));
    let told = &store.transitions("A").expect("it reads")[0];
    assert_eq!(
        (told.from.as_str(), told.to.as_str()),
        ("Preparing", "Cloning")
    );
    assert_eq!((told.at, told.why.as_str()), (Moment(2), "because"));
}

#[test]
fn the_newest_are_those_in_flight_and_the_last_few_of_each_target() {
    let mut store = Store::in_memory().expect("it opens");
    assert!(store.is_empty().expect("it reads"));
    let mut begin = |id: String, application: &str, ends: bool| {
        let mut one = Deployment::new(Plan::sample(&id), Moment(1));
        one.plan.target.application = application.to_owned();
        store.create(&one).expect("it is written");
        if ends {
            advance(&mut store, &mut one, State::Completed).expect("checkpoint");
        }
        one.plan.target
    };
    let shop = (0..25).map(|number| begin(format!("A{number:02}"), "shop", true));
    let shop = shop.last().expect("there are some");
    begin("B".to_owned(), "till", false);
    begin("A99".to_owned(), "shop", false);
    let ids = |found: Vec<Deployment>| {
        let ids = found.into_iter().map(|one| one.plan.id);
        ids.collect::<Vec<_>>().join(" ")
    };
    let newest = ids(store.newest().expect("it reads"));
    assert_eq!(newest, "A16 A17 A18 A19 A20 A21 A22 A23 A24 A99 B");
    let of_shop = ids(store.newest_of(&shop, 2).expect("it reads"));
    assert_eq!(of_shop, "A24 A99");
    assert!(!store.is_empty().expect("it reads"));
}

#[test]
fn what_is_old_is_forgotten_where_the_bucket_has_it() {
    let (_folder, mut store) = opened();
    let mut begin = |number: usize, shared: bool, ends: bool| {
        let id = format!("{}{number:02}", if shared { "A" } else { "L" });
        let mut one = Deployment::new(Plan::sample(&id), Moment(1));
        one.plan.shared_state = shared;
        one.plan.target.application = shared.to_string();
        store.create(&one).expect("it is written");
        if ends {
            advance(&mut store, &mut one, State::Completed).expect("checkpoint");
        }
    };
    for number in 0..15 {
        begin(number, true, true);
        begin(number, false, true);
    }
    begin(15, true, false);
    let ids = |found: Vec<Deployment>| found.into_iter().map(|one| one.plan.id);
    let page = |store: &Store, before: Option<&str>| {
        let page = store.page(before, 3).expect("it reads");
        ids(page).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(page(&store, Some("A15")), "A12 A13 A14");
    assert_eq!(page(&store, Some("A02")), "A00 A01");
    assert_eq!(page(&store, None), "L12 L13 L14");
    // The clock of these checkpoints reads later than that.
    assert_eq!(store.forget_ended_before(Moment(1)).expect("it writes"), 0);
    let later = Moment(u64::MAX / 2);
    // Ten stay, of which one is not over.
    assert_eq!(store.forget_ended_before(later).expect("it writes"), 6);
    let left: Vec<_> = ids(store.all().expect("it reads")).collect();
    assert_eq!(left.len(), 10 + 15, "{left:?}");
    assert!(left.contains(&"A06".to_owned()) && left.contains(&"L00".to_owned()));
    assert!(store.transitions("A00").expect("it reads").is_empty());
}

#[test]
fn an_overtaken_process_changes_nothing() {
    let (_folder, mut store) = opened();
    let mut first = Deployment::new(Plan::sample("A"), Moment(1));
    store.create(&first).expect("it is written");
    let mut second = first.clone();
    advance(&mut store, &mut first, State::Cloning).expect("checkpoint");
    let late = advance(&mut store, &mut second, State::Warming);
    assert!(
        matches!(late, Err(StoreError::Overtaken { .. })),
        "{late:?}"
    );
    assert_eq!(second.state, State::Preparing);
    assert_eq!(store.find("A").expect("it reads"), Some(first));
    assert_eq!(store.transitions("A").expect("it reads").len(), 1);
}

#[test]
fn a_copy_that_is_not_later_changes_nothing() {
    let (_folder, mut store) = opened();
    let mut here = Deployment::new(Plan::sample("A"), Moment(1));
    store.create(&here).expect("it is written");
    let early = here.clone();
    advance(&mut store, &mut here, State::Cloning).expect("checkpoint");
    let same = here.clone();
    advance(&mut store, &mut here, State::Warming).expect("checkpoint");
    for copy in [&early, &same, &here] {
        store.adopt(copy, &[], &[]).expect("it is left out");
    }
    assert_eq!(store.find("A").expect("it reads").as_ref(), Some(&here));
    assert_eq!(store.transitions("A").expect("it reads").len(), 2);
    advance(&mut store, &mut here, State::SwappingToGreen).expect("still the same");

    let fenced = Deployment { fence: 1, ..early };
    store
        .adopt(&fenced, &[], &[])
        .expect("a higher fence is later");
    assert_eq!(store.find("A").expect("it reads"), Some(fenced));
    assert_eq!(store.transitions("A").expect("it reads"), []);
}

fn event(sequence: u64, why: &str) -> EventRecord {
    EventRecord {
        sequence,
        at: Moment(1),
        version: "v2".to_owned(),
        happened: Happened::PollFailed {
            why: why.to_owned(),
        },
    }
}

#[test]
fn events_are_kept_with_the_checkpoint_that_they_come_with() {
    let (_folder, mut store) = opened();
    let mut first = Deployment::new(Plan::sample("A"), Moment(1));
    store.create(&first).expect("it is written");
    let mut second = first.clone();
    let mut enter = |deployment: &mut Deployment, event: EventRecord| {
        let next = deployment.entering(State::Cloning, Moment(2));
        store.checkpoint(deployment, next, Moment(2), "because", None, &[event])
    };
    enter(&mut first, event(1, "first")).expect("checkpoint");
    enter(&mut second, event(1, "overtaken")).expect_err("another was faster");
    assert_eq!(store.events("A").expect("it reads"), [event(1, "first")]);
    // What comes after the last checkpoint changes nothing that is kept; a later copy does.
    let late = [event(1, "late"), event(2, "late")];
    store.keep_events("A", &late).expect("they are written");
    let both = [event(1, "first"), event(2, "late")];
    assert_eq!(store.events("A").expect("it reads"), both);
    let later = Deployment { fence: 1, ..first };
    let adopted = store.adopt(&later, &[], &[event(2, "later")]);
    adopted.expect("a higher fence is later");
    let both = [event(1, "first"), event(2, "later")];
    assert_eq!(store.events("A").expect("it reads"), both);
}

#[test]
fn a_journal_of_the_first_format_opens() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.db");
    let mut old = Connection::open(&path).expect("it opens");
    Migrations::from_slice(&MIGRATIONS[..1])
        .to_latest(&mut old)
        .expect("the first schema");
    let deployment = Deployment::new(Plan::sample("A"), Moment(1));
    let mut checkpoint = serde_json::to_value(&deployment).expect("JSON");
    let fields = checkpoint.as_object_mut().expect("an object");
    fields.remove("fence");
    fields.remove("left");
    let plan = fields["plan"].as_object_mut().expect("an object");
    for later in [
        "shared_state",
        "test_command",
        "test_green",
        "test_production",
        "tests_back",
        "asks_approval",
        "passed",
    ] {
        plan.remove(later);
    }
    plan.remove("tests");
    let test = r#"{"url":"/h","expect_status":[204],"timeout":{"secs":3,"nanos":0}}"#;
    plan.insert("test".to_owned(), serde_json::from_str(test).expect("JSON"));
    let target = &deployment.plan.target;
    old.execute(
        "INSERT INTO deployment (id, account, region, application, blue, state, ended,
             started_at, entered_at, updated_at, revision, format, checkpoint)
         VALUES ('A', ?1, ?2, ?3, ?4, 'Preparing', 0, 1, 1, 1, 0, 1, ?5)",
        params![
            target.account,
            target.region,
            target.application,
            target.blue,
            checkpoint.to_string()
        ],
    )
    .expect("a row");
    drop(old);
    let mut store = Store::open(&path).expect("a newer program opens it");
    let mut found = store.find("A").expect("it reads").expect("it is there");
    assert!(!found.plan.shared_state, "nothing of it is in a bucket");
    let tests: Vec<_> = found
        .plan
        .wishes
        .tests
        .iter()
        .map(|test| test.url.as_str())
        .collect();
    assert_eq!(
        (tests, found.plan.wishes.test_production),
        (vec!["/h"], true)
    );
    advance(&mut store, &mut found, State::Cloning).expect("and goes on with it");
    assert_eq!(store.find("A").expect("it reads"), Some(found));
}

#[test]
fn several_may_make_the_same_journal_at_once() {
    for _ in 0..40 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal.db");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| drop(Store::open(&path).expect("it opens")));
            }
        });
    }
}

#[test]
fn a_target_has_one_unfinished_deployment() {
    let (_folder, mut store) = opened();
    let mut first = Deployment::new(Plan::sample("A"), Moment(1));
    store.create(&first).expect("it is written");
    let refused = store.create(&Deployment::new(Plan::sample("B"), Moment(2)));
    assert!(matches!(refused, Err(StoreError::InFlight { ref id, .. }) if id == "A"));
    let cause = Cause::AskedToRetreat;
    advance(&mut store, &mut first, State::RolledBack { cause }).expect("checkpoint");
    store
        .create(&Deployment::new(Plan::sample("B"), Moment(2)))
        .expect("the target is free");
    assert_eq!(store.unfinished().expect("it reads").len(), 1);
    assert_eq!(store.all().expect("it reads").len(), 2);
}

#[test]
fn a_deployment_is_driven_by_one_process_at_a_time() {
    let (_folder, mut store) = opened();
    let held = store.lock_drive("A").expect("it is free");
    let refused = store.lock_drive("A");
    assert!(
        matches!(refused, Err(StoreError::Driven { .. })),
        "{refused:?}"
    );
    drop(held);
    store.lock_drive("A").expect("it is free again");
}

#[test]
fn a_word_to_go_back_is_left_taken_and_withdrawn() {
    let (_folder, mut store) = opened();
    store
        .create(&Deployment::new(Plan::sample("A"), Moment(1)))
        .expect("it is written");
    assert!(!store.retreat_requested("A").expect("it reads"));
    store
        .request_retreat("A", Moment(2))
        .expect("it is written");
    assert!(store.retreat_requested("A").expect("it reads"));
    store.withdraw_retreat("A").expect("it is written");
    assert!(!store.retreat_requested("A").expect("it reads"));
}

#[test]
fn an_end_waits_for_the_order_to_go_back() {
    let (_folder, mut store) = opened();
    let mut deployment = Deployment::new(Plan::sample("A"), Moment(1));
    store.create(&deployment).expect("it is written");
    assert!(
        store
            .request_retreat("A", Moment(2))
            .expect("it is written")
    );
    let refused = advance(&mut store, &mut deployment, State::Completed);
    assert!(
        matches!(refused, Err(StoreError::OrderedBack { .. })),
        "{refused:?}"
    );
    assert_eq!(store.find("A").expect("it reads"), Some(deployment.clone()));
    store.withdraw_retreat("A").expect("it is written");
    advance(&mut store, &mut deployment, State::Completed).expect("checkpoint");
    assert!(
        !store
            .request_retreat("A", Moment(3))
            .expect("it is too late")
    );
}

#[test]
fn the_journal_is_its_owners_alone_and_durable() {
    let (_folder, store) = opened();
    let mode = std::fs::metadata(store.path())
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let pragma = |name: &str| -> String {
        store
            .db
            .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
            .map(|value| format!("{value:?}"))
            .expect("it reads")
    };
    assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
    assert_eq!(pragma("synchronous"), "Integer(2)");
    assert_eq!(pragma("foreign_keys"), "Integer(1)");
    // Versions below 3.51.3 carry a WAL-reset bug.
    assert!(
        rusqlite::version_number() >= 3_051_003,
        "{}",
        rusqlite::version()
    );
}

#[test]
fn a_checkpoint_of_a_newer_format_is_refused() {
    let (_folder, mut store) = opened();
    store
        .create(&Deployment::new(Plan::sample("A"), Moment(1)))
        .expect("it is written");
    store
        .db
        .execute("UPDATE deployment SET format = 99", [])
        .expect("it is changed");
    assert!(matches!(store.find("A"), Err(StoreError::Newer { .. })));
}

#[test]
fn a_journal_that_was_taken_away_is_noticed() {
    let (_folder, store) = opened();
    store.check_in_place().expect("it is there");
    let moved = store.path().with_extension("moved");
    std::fs::rename(store.path(), &moved).expect("it is moved");
    assert!(store.check_in_place().is_err());
    std::fs::copy(&moved, store.path()).expect("it is copied");
    let replaced = store.check_in_place();
    assert!(
        matches!(replaced, Err(StoreError::Write { .. })),
        "{replaced:?}"
    );
}

#[test]
fn what_commands_said_is_kept_in_order_and_once() {
    let (folder, mut store) = opened();
    let deployment = Deployment::new(Plan::sample("A"), Moment(1));
    store.create(&deployment).expect("it is written");
    let output = |at, what: &str, ended: End| Output {
        at: Moment(at),
        what: what.to_owned(),
        ended,
        output: "a\n\u{fffd}".to_owned(),
    };
    let said = [
        output(3, "b", End::Exited(0)),
        output(3, "a", End::OverLimit(Duration::from_secs(2))),
        output(9, "a", End::Failed("no sh".to_owned())),
    ];
    for output in said.iter().chain(&said) {
        store.keep_output("A", output).expect("it is written");
    }
    let unknown = store.keep_output("B", &said[0]);
    assert!(
        matches!(unknown, Err(StoreError::Write { .. })),
        "{unknown:?}"
    );
    drop(store);
    let store = Store::open(&folder.path().join("state/journal.db")).expect("it opens again");
    assert_eq!(store.outputs("A").expect("it reads"), said);
}

fn with_receivers(tables: &[&str]) -> Deployment {
    use bluegreen_core::receivers::ReceiverTable;
    let mut plan = Plan::sample("A");
    let read = |table: &&str| ReceiverTable::inline(table).and_then(ReceiverTable::check);
    plan.wishes.notify = tables
        .iter()
        .map(|table| read(table).expect("a receiver"))
        .collect();
    Deployment::new(plan, Moment(1))
}

/// What is due at each receiver, as in `0 started`.
fn due(store: &Store, deployment: &Deployment) -> Vec<String> {
    let plan = &deployment.plan;
    let due = store
        .due_messages(&plan.id, &plan.target)
        .expect("it reads");
    due.iter()
        .map(|due| format!("{} {}", due.receiver, due.notification.occasion))
        .collect()
}

#[test]
fn a_message_is_written_with_its_checkpoint_and_due_until_it_is_delivered() {
    let (folder, mut store) = opened();
    let held = State::Held {
        cause: Cause::AskedToRetreat,
    };
    let mut first = with_receivers(&[
        "{ to = 'eventbridge' }",
        "{ to = 'eventbridge', bus = 'b', on = ['held', 'completed'] }",
    ]);
    store.create(&first).expect("it is written");
    let mut late = first.clone();
    advance(&mut store, &mut first, held.clone()).expect("checkpoint");
    advance(&mut store, &mut late, State::Completed).expect_err("it is overtaken");
    drop(store);
    let mut store = Store::open(&folder.path().join("state/journal.db")).expect("it opens again");
    // The first receiver gets the earlier message first.
    assert_eq!(due(&store, &first), ["0 started", "1 held"]);
    let outbox = store.outbox("A").expect("it reads");
    assert_eq!(outbox.undelivered.len(), 3);
    let target = first.plan.target.clone();
    let next = |store: &Store| {
        store
            .due_messages("A", &target)
            .expect("it reads")
            .remove(0)
    };
    let started = next(&store);
    let lasts = std::time::Duration::from_secs(30);
    let begins = |store: &Store| store.begin_attempt(&started, Moment(5), lasts);
    assert!(begins(&store).expect("it is written"));
    assert!(!begins(&store).expect("another process is faster"));
    let card = Some("ts");
    let delivered = store.message_delivered(&started, Moment(6), card);
    delivered.expect("it is written");
    assert_eq!(due(&store, &first), ["0 held", "1 held"]);
    assert_eq!(store.card("A", 0).expect("it reads").as_deref(), card);
    let given_up = store.message_failed(&next(&store), Moment(7), true, None);
    given_up.expect("it is written");
    assert_eq!(due(&store, &first), ["1 held"]);
}

#[test]
fn another_machine_takes_over_what_is_not_delivered_and_nothing_else() {
    let (_folder, mut store) = opened();
    let deployment = with_receivers(&["{ to = 'eventbridge' }"]);
    store.create(&deployment).expect("it is written");
    let mut outbox = store.outbox("A").expect("it reads");
    outbox.cards.push((0, "ts".to_owned()));
    // What a forged copy may add: another deployment's message, and a receiver that there is not.
    let mut foreign = outbox.undelivered[0].clone();
    foreign.1.deployment = "B".to_owned();
    let absent = (7, outbox.undelivered[0].1.clone());
    outbox.undelivered.extend([foreign, absent]);
    let (_elsewhere, mut other) = opened();
    other.adopt(&deployment, &[], &[]).expect("it is taken");
    for _ in 0..2 {
        let adopted = other.adopt_outbox(&deployment, &outbox);
        adopted.expect("it is taken");
    }
    assert_eq!(due(&other, &deployment), ["0 started"]);
    assert_eq!(other.card("A", 0).expect("it reads").as_deref(), Some("ts"));
}

#[test]
fn an_interruption_is_noted_once_and_only_where_it_is_long_enough() {
    let (_folder, mut store) = opened();
    let minutes = |minutes: u64| Moment(1 + minutes * 60_000);
    let deployment = with_receivers(&[
        "{ to = 'eventbridge', on = ['interrupted'] }",
        "{ to = 'eventbridge', on = ['interrupted'], interrupted-after = '1h' }",
    ]);
    store.create(&deployment).expect("it is written");
    for now in [10, 20, 30] {
        let noted = store.notify_of_interruption(&deployment, minutes(0), minutes(now));
        noted.expect("it is written");
    }
    assert_eq!(due(&store, &deployment), ["0 interrupted"]);
    let outbox = store.outbox("A").expect("it reads");
    assert_eq!(outbox.undelivered.len(), 1);
}
