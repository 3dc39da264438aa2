//! What the conformance suite can't see of SQLite: its file, broken rows, locks held by others, and older
//! databases.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

use flow::sample::{self, step, submitted};
use flow::statistics::Quarter;
use flow::{CallbackStrategy, Event, Flow};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use store::*;
use uuid::Uuid;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

fn id() -> Uuid {
    Uuid::from_u128(u128::from(NEXT_ID.fetch_add(1, Ordering::Relaxed)) << 16)
}

type Seen = Arc<Mutex<Vec<Change>>>;

fn open(path: &Path) -> (SqliteStore, OpenReport, Seen) {
    open_with(path, Keyring::default()).unwrap()
}

fn open_with(path: &Path, keys: Keyring) -> Result<(SqliteStore, OpenReport, Seen)> {
    let seen = Seen::default();
    let observer = Arc::clone(&seen);
    let options = SqliteOptions {
        queue_max: 64,
        queue_bytes_max: 1 << 20,
        cached_bytes_max: 1 << 20,
        cached_flows_max: NonZeroUsize::new(2).unwrap(),
        keys,
        observer: Box::new(move |changes, _| observer.lock().unwrap().extend_from_slice(changes)),
        ..SqliteOptions::new(1000)
    };
    let (store, report) = SqliteStore::open(path, options)?;
    Ok((store, report, seen))
}

/// The write-ahead log of a database.
fn wal_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Whether something stands in a database or its log.
fn is_on_disk(path: &Path, what: &[u8]) -> bool {
    let all = [path.to_owned(), wal_of(path)].map(|path| std::fs::read(path).unwrap_or_default());
    all.concat().windows(what.len()).any(|window| window == what)
}

/// A flow's document as the database has it.
fn document(path: &Path, id: Uuid) -> Vec<u8> {
    let beside = rusqlite::Connection::open(path).unwrap();
    let sql = "SELECT doc FROM flows WHERE id = ?1";
    beside.query_row(sql, [id.as_bytes()], |row| row.get(0)).unwrap()
}

fn new_flow(now_ms: i64) -> Flow {
    let to = "+306900000001";
    let steps = vec![step(1, sample::viber(to, false)), step(2, sample::sms(to, "hi"))];
    sample::flow(steps, Some(CallbackStrategy::OnCompletion), now_ms, id())
}

async fn load(store: &SqliteStore, id: Uuid) -> Flow {
    store.load(vec![id]).await.unwrap().remove(0).unwrap()
}

/// The first changes of the feed.
async fn feed(store: &SqliteStore, limit: usize) -> ChangePage {
    store.changes(&Position::START, limit).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_share_commits_and_a_full_queue_refuses() {
    let directory = tempfile::tempdir().unwrap();
    let (store, ..) = open(&directory.path().join("db"));
    let store = Arc::new(store);
    // Another process holds the write lock, so that nothing is taken from the queue.
    let blocker = rusqlite::Connection::open(directory.path().join("db")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let calls: Vec<_> = (0..2000)
        .map(|i| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.accept(new_flow(i), None, i).await })
        })
        .collect();
    // The refusals come at once; the rest waits for the lock.
    while !calls.iter().any(|call| call.is_finished()) {
        tokio::task::yield_now().await;
    }
    blocker.execute_batch("COMMIT").unwrap();
    let (mut stored, mut refused) = (0, 0);
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => stored += 1,
            Err(StoreError::Overloaded) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0 && stored >= 64, "{refused} refused, {stored} stored");
    assert_eq!(feed(&store, 5000).await.changes.len(), stored);
}

#[tokio::test]
async fn a_failing_disk_refuses_everything_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let (store, _, seen) = open(&path);
    let kept = new_flow(1000);
    store.accept(kept.clone(), None, 1000).await.unwrap();
    // The table is gone for a while: every statement of a commit fails, as it does on a full disk.
    let beside = rusqlite::Connection::open(&path).unwrap();
    beside.execute_batch("ALTER TABLE flows RENAME TO away").unwrap();
    for now_ms in 1001..1004 {
        let result = store.accept(new_flow(now_ms), None, now_ms).await;
        assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
        let result = store.apply(kept.id, submitted(0, 0, "c", "r1"), now_ms).await;
        assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
    }
    beside.execute_batch("ALTER TABLE away RENAME TO flows").unwrap();
    // What failed did not happen, and what was owed still is.
    assert_eq!(seen.lock().unwrap().len(), 1);
    assert_eq!(load(&store, kept.id).await, kept);
    let lane = Lane::Submit(flow::Channel::Viber);
    assert_eq!(store.claim(lane, 10, 2000, 60_000, &mut admit_all).await.unwrap().len(), 1);
    assert!(store.apply(kept.id, submitted(0, 0, "c", "r1"), 2000).await.unwrap().changed);
    store.accept(new_flow(2001), None, 2001).await.unwrap();
    assert_eq!(feed(&store, 10).await.changes.len(), 2);
}

#[tokio::test]
async fn flows_are_sealed_and_opened_by_the_right_key_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let flow = new_flow(1000);
    let (old, new) = (Keyring::new([[1; 32]]), Keyring::new([[2; 32], [1; 32]]));
    let (store, ..) = open(&path);
    store.accept(flow.clone(), None, 1000).await.unwrap();
    store.close().await;
    let plain = document(&path, flow.id);
    assert!(is_on_disk(&path, &plain));

    // What changes from now on is sealed, and what was there is still read.
    let (store, ..) = open_with(&path, old).unwrap();
    let second = new_flow(2000);
    store.accept(second.clone(), None, 2000).await.unwrap();
    assert_eq!(store.load(vec![flow.id]).await.unwrap()[0].as_ref(), Some(&flow));
    store.close().await;
    let elsewhere = directory.path().join("plain");
    let (store, ..) = open(&elsewhere);
    store.accept(second.clone(), None, 2000).await.unwrap();
    store.close().await;
    let plain = document(&elsewhere, second.id);
    assert!(is_on_disk(&elsewhere, &plain) && !is_on_disk(&path, &plain));

    for wrong in [Keyring::default(), Keyring::new([[2; 32]])] {
        let error = open_with(&path, wrong).err().unwrap();
        assert!(error.to_string().contains("store.encryption_key"), "{error}");
    }
    let (store, report, _) = open_with(&path, new).unwrap();
    assert_eq!(report.owing_flows, 2);
    assert_eq!(store.load(vec![second.id]).await.unwrap()[0].as_ref(), Some(&second));
    assert_eq!(feed(&store, 10).await.changes.len(), 2);
}

#[tokio::test]
async fn what_was_erased_leaves_the_log_once_no_reader_needs_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let (store, ..) = open(&path);
    let flow = new_flow(1000);
    store.accept(flow.clone(), None, 1000).await.unwrap();
    let document = document(&path, flow.id);
    let reader = rusqlite::Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM flows").unwrap();
    store.erase(flow.application.clone(), vec![flow.id], 2000).await.unwrap();
    assert!(is_on_disk(&path, &document), "the reader still needs it");
    drop(reader);
    // Upkeep that removes nothing, as it runs each minute.
    store.prune(Cutoffs::NONE, 1).await.unwrap();
    assert!(!is_on_disk(&path, &document));
}

#[tokio::test]
async fn documents_of_older_versions_and_keys_are_read_and_written_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let (old, new) = (Keyring::new([[1; 32]]), Keyring::new([[2; 32], [1; 32]]));
    // Of five flows one is stored as JSON, one is plain, one damaged, one sealed with the key of before.
    let flows: Vec<Flow> = (1000..1005).map(new_flow).collect();
    for (these, keys) in [(&flows[..3], Keyring::default()), (&flows[3..4], old), (&flows[4..], new.clone())]
    {
        let (store, ..) = open_with(&path, keys).unwrap();
        for flow in these {
            store.accept(flow.clone(), None, flow.created_ms).await.unwrap();
        }
        store.close().await;
    }
    let beside = rusqlite::Connection::open(&path).unwrap();
    let set = |flow: &Flow, document: &[u8]| {
        let sql = "UPDATE flows SET doc = ?1 WHERE id = ?2";
        beside.execute(sql, (document, flow.id.as_bytes())).unwrap()
    };
    set(&flows[0], &serde_json::to_vec(&flows[0]).unwrap());
    set(&flows[2], b"no flow");
    let before: Vec<_> = flows.iter().map(|flow| document(&path, flow.id)).collect();

    let admin = SqliteAdmin::open(&path, &new).unwrap();
    let (mut total, mut after) = (Compacted::default(), None);
    loop {
        let done = admin.compact(after, 2).await.unwrap();
        total.add(&done);
        let Some(last) = done.last else { break };
        after = Some(last);
    }
    assert_eq!((total.flows, total.rewritten, total.unreadable), (5, 3, 1));
    let now: Vec<_> = flows.iter().map(|flow| document(&path, flow.id)).collect();
    let changed: Vec<_> = before.iter().zip(&now).map(|(before, now)| before != now).collect();
    assert_eq!(changed, [true, true, false, true, false]);
    // The key of before is not needed any more, and there is nothing left to do.
    let (store, report, _) = open_with(&path, Keyring::new([[2; 32]])).unwrap();
    assert_eq!(report.quarantined_flows, 1);
    for at in [0, 1, 3, 4] {
        assert_eq!(load(&store, flows[at].id).await, flows[at]);
    }
    assert_eq!(admin.compact(None, 100).await.unwrap().rewritten, 0);
}

/// A database as a server that was stopped leaves it, with flows of which one has another document.
async fn with_document(path: &Path, keys: &Keyring, document: &str) -> [Flow; 3] {
    let (store, ..) = open_with(path, keys.clone()).unwrap();
    let flows = [new_flow(1000), new_flow(1001), new_flow(1002)];
    for flow in &flows {
        store.accept(flow.clone(), None, flow.created_ms).await.unwrap();
    }
    store.close().await;
    let beside = rusqlite::Connection::open(path).unwrap();
    let sql = format!("UPDATE flows SET doc = {document} WHERE id = ?1");
    beside.execute(&sql, [flows[0].id.as_bytes()]).unwrap();
    flows
}

#[tokio::test]
async fn a_flow_that_cant_be_read_stops_no_other_flow() {
    // Of a sealed one the last octet is another.
    let damaged = "CAST(substr(doc, 1, length(doc) - 1) || x'00' AS BLOB)";
    let (plain, sealed) = (Keyring::default(), Keyring::new([[1; 32]]));
    let unreadable =
        [("CAST('no flow' AS BLOB)", &plain), ("zeroblob(70000000)", &plain), (damaged, &sealed)];
    for (document, keys) in unreadable {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        let flows = with_document(&path, keys, document).await;
        let open = |path: &Path| open_with(path, keys.clone()).unwrap();
        let (store, report, _) = open(&path);
        assert_eq!((report.owing_flows, report.quarantined_flows), (2, 1));
        let due = store.claim(Lane::Expire, 10, 1000 + 3_600_000, 60_000, &mut admit_all).await.unwrap();
        assert_eq!(due.len(), 2);
        for claim in due {
            assert!(
                store.apply(claim.flow.id, Event::Expire { message: 0 }, 3_700_000).await.unwrap().changed
            );
        }
        // It is shown to nobody, and everybody else is.
        let found = store.load(flows.iter().map(|flow| flow.id).collect()).await.unwrap();
        assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, true]);
        assert_eq!(feed(&store, 10).await.changes.len(), 2);
        // Nor does it end the feed: the first page has what can be read.
        assert_eq!(feed(&store, 1).await.changes.len(), 1);
        let refused = store.apply(flows[0].id, Event::Expire { message: 0 }, 3_700_000).await;
        assert!(matches!(refused, Err(StoreError::Quarantined)), "{refused:?}");
        let admin = SqliteAdmin::open(&path, &Keyring::default()).unwrap();
        let aside = admin.quarantined(10).await.unwrap();
        assert_eq!((aside.len(), aside[0].tracking_id, aside[0].since_ms), (1, flows[0].id, 1000));
        store.close().await;
        // Mended and released, it goes on.
        let beside = rusqlite::Connection::open(&path).unwrap();
        let document = serde_json::to_vec(&flows[0]).unwrap();
        beside
            .execute("UPDATE flows SET doc = ?1 WHERE id = ?2", (document, flows[0].id.as_bytes()))
            .unwrap();
        assert!(admin.release(flows[0].id).await.unwrap());
        let (store, report, _) = open(&path);
        assert_eq!(report.quarantined_flows, 0);
        assert!(store.apply(flows[0].id, Event::Expire { message: 0 }, 3_700_000).await.unwrap().changed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_for_one_takes_nobody_along() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let (store, ..) = open(&path);
    let store = Arc::new(store);
    let poison = new_flow(1000);
    store.accept(poison.clone(), None, 1000).await.unwrap();
    // The database takes no change of this one flow, and all others.
    let beside = rusqlite::Connection::open(&path).unwrap();
    let id: String = poison.id.as_bytes().iter().map(|octet| format!("{octet:02x}")).collect();
    let trigger = format!(
        "CREATE TRIGGER t BEFORE UPDATE ON flows WHEN old.id = x'{id}' BEGIN SELECT raise(ABORT, 'no'); END"
    );
    beside.execute_batch(&trigger).unwrap();
    for round in 0..3 {
        // Another process holds the write lock, so that all of them are one group.
        beside.execute_batch("BEGIN IMMEDIATE").unwrap();
        let now_ms = 2000 + round;
        let accept = |_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.accept(new_flow(now_ms), None, now_ms).await })
        };
        let accepts: Vec<_> = (0..20).map(accept).collect();
        let (failing, id) = (Arc::clone(&store), poison.id);
        let failing =
            tokio::spawn(async move { failing.apply(id, submitted(0, 0, "c", "r1"), now_ms).await });
        let more: Vec<_> = (0..20).map(accept).collect();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        beside.execute_batch("COMMIT").unwrap();
        for accept in accepts.into_iter().chain(more) {
            assert!(matches!(accept.await.unwrap(), Ok(Accepted::New)));
        }
        let refused = failing.await.unwrap();
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
    // It is given up, and its time to live with it.
    let refused = store.apply(poison.id, Event::Expire { message: 0 }, 3_700_000).await;
    assert!(matches!(refused, Err(StoreError::Quarantined)), "{refused:?}");
    let due = store.claim(Lane::Expire, 200, 3_700_000, 60_000, &mut admit_all).await.unwrap();
    assert!(due.len() == 120 && due.iter().all(|claim| claim.flow.id != poison.id));
}

#[tokio::test]
async fn erased_stays_unsent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let (store, ..) = open(&path);
    let (flow, body_hash) = (new_flow(1000), [7; 32]);
    let key = || Some(IdempotencyKey { key: "order 4711 of Ms A".into(), body_hash });
    store.accept(flow.clone(), key(), 1000).await.unwrap();
    assert_eq!(store.erase(flow.application.clone(), vec![flow.id], 1001).await.unwrap(), 1);
    let again = store.accept(new_flow(1002), key(), 1002).await;
    assert!(matches!(again, Err(StoreError::KeySpent)), "{again:?}");
    let other = Some(IdempotencyKey { key: "order 4711 of Ms A".into(), body_hash: [8; 32] });
    assert!(matches!(store.accept(new_flow(1003), other, 1003).await, Err(StoreError::KeyReused)));
    store.close().await;
    // What is kept says nothing to who does not have the installation's key.
    let octets = std::fs::read(&path).unwrap();
    assert!(!octets.windows(32).any(|window| window == body_hash));
    assert!(!octets.windows(10).any(|window| window == b"order 4711"));
}

#[tokio::test]
async fn keys_of_before_are_still_known() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let (store, ..) = open(&path);
    let flow = new_flow(1000);
    store.accept(flow.clone(), None, 1000).await.unwrap();
    let beside = rusqlite::Connection::open(&path).unwrap();
    let sql =
        "INSERT INTO keys (application, key, body_hash, flow, used_ms) VALUES ('app', 'k', ?1, ?2, 1000)";
    beside.execute(sql, ([7u8; 32], flow.id.as_bytes())).unwrap();
    let key = |body| Some(IdempotencyKey { key: "k".into(), body_hash: [body; 32] });
    assert!(matches!(store.accept(new_flow(1001), key(7), 1001).await, Ok(Accepted::Replayed(_))));
    assert!(matches!(store.accept(new_flow(1001), key(8), 1001).await, Err(StoreError::KeyReused)));
}

#[tokio::test]
async fn the_feed_belongs_to_one_database() {
    let directory = tempfile::tempdir().unwrap();
    let (path, copy) = (directory.path().join("db"), directory.path().join("copy"));
    let accept = async |store: &SqliteStore, now_ms: i64| {
        store.accept(new_flow(now_ms), None, now_ms).await.unwrap();
        store.position().await.unwrap()
    };
    let (store, ..) = open(&path);
    let early = accept(&store, 1).await;
    store.close().await;
    std::fs::copy(&path, &copy).unwrap();
    let (store, ..) = open(&path);
    accept(&store, 2).await;
    let late = accept(&store, 3).await;
    let (first, second) = (early.single().unwrap().0, late.single().unwrap().0);
    let beyond = Position::of(second, late.seq(second) + 1);
    let late_of_first = Position::of(first, late.seq(second));
    assert!(store.has(&early).await.unwrap() && store.has(&late).await.unwrap());
    assert!(!store.has(&late_of_first).await.unwrap() && !store.has(&beyond).await.unwrap());
    store.close().await;
    // The copy went its own way, further than the other.
    let (store, ..) = open(&copy);
    for now_ms in 10..20 {
        accept(&store, now_ms).await;
    }
    assert!(store.has(&early).await.unwrap());
    assert!(!store.has(&late).await.unwrap() && !store.has(&late_of_first).await.unwrap());
    store.close().await;
    // A clean stop leaves nothing beside the database.
    assert_eq!(std::fs::metadata(wal_of(&copy)).map_or(0, |file| file.len()), 0);
}

#[tokio::test]
async fn what_waits_is_weighed_not_counted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let (store, ..) = open(&path);
    let store = Arc::new(store);
    let blocker = rusqlite::Connection::open(&path).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let large = |now_ms| {
        let to = "+306900000001";
        let steps = vec![step(1, sample::sms(to, &"a".repeat(30_000)))];
        sample::flow(steps, None, now_ms, id())
    };
    // 64 commands may wait, and 1 MiB: some 10 of these.
    let calls: Vec<_> = (0..40)
        .map(|now_ms| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.accept(large(now_ms), None, now_ms).await })
        })
        .collect();
    while calls.iter().filter(|call| call.is_finished()).count() < 10 {
        tokio::task::yield_now().await;
    }
    blocker.execute_batch("COMMIT").unwrap();
    let mut stored = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => stored += 1,
            Err(error) => assert!(matches!(error, StoreError::Overloaded), "{error}"),
        }
    }
    assert!((5..30).contains(&stored), "{stored}");
    assert!(matches!(store.accept(large(50), None, 50).await, Ok(Accepted::New)));
}

#[tokio::test]
async fn a_flow_that_cannot_be_read_stands_before_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let (store, ..) = open(&path);
    // The cache has two of them.
    let flows: Vec<Flow> = (0..5).map(|_| new_flow(1000)).collect();
    for flow in &flows {
        store.accept(flow.clone(), None, 1000).await.unwrap();
    }
    let connection = rusqlite::Connection::open(&path).unwrap();
    let broken = flows[1].id;
    let sql = "UPDATE flows SET doc = x'7b' WHERE id = ?1";
    assert_eq!(connection.execute(sql, [broken.as_bytes()]).unwrap(), 1);
    let lane = Lane::Submit(flow::Channel::Viber);
    let claims = store.claim(lane, 10, 1000, 300_000, &mut admit_all).await.unwrap();
    assert_eq!(claims.len(), 4);
    assert!(claims.iter().all(|claim| claim.flow.id != broken));
    assert!(store.next_due_ms(lane).is_some_and(|due_ms| due_ms > 1000 && due_ms < 300_000));
}

/// The flows of `app` that statistics have.
async fn counted(store: &SqliteStore) -> i64 {
    let bounds = vec![Quarter(0), Quarter(1000)];
    let query = StatisticsQuery { application: "app".into(), bounds, group_by: vec![], rows_max: 1 };
    store.statistics(query).await.unwrap().unwrap().totals.flows
}

#[tokio::test]
async fn flows_of_an_older_version_are_counted_at_the_first_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let store = open(&path).0;
    for created_ms in [1000, 2000] {
        store.accept(new_flow(created_ms), None, 3000).await.unwrap();
    }
    store.close().await;
    let beside = rusqlite::Connection::open(&path).unwrap();
    beside.execute_batch("DELETE FROM statistics; UPDATE installation SET statistics_owed = 1").unwrap();
    let store = open(&path).0;
    assert_eq!(counted(&store).await, 2);
    store.close().await;
    assert_eq!(counted(&open(&path).0).await, 2);
}

#[tokio::test]
async fn statistics_that_are_damaged_keep_no_flow_from_being_stored() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let store = open(&path).0;
    store.accept(new_flow(1000), None, 1000).await.unwrap();
    let beside = rusqlite::Connection::open(&path).unwrap();
    beside
        .execute_batch("UPDATE statistics SET doc = x'01ff'; UPDATE statistics_keys SET key = '?'")
        .unwrap();
    store.close().await;
    let store = open(&path).0;
    store.accept(new_flow(2000), None, 2000).await.unwrap();
    assert_eq!(counted(&store).await, 1);
    store.close().await;
    let admin = SqliteAdmin::open(&path, &Keyring::default()).unwrap();
    let rebuilt = admin.rebuild_statistics().await.unwrap();
    assert_eq!((rebuilt.flows, rebuilt.lost), (2, 0));
    assert_eq!(counted(&open(&path).0).await, 2);
}

#[tokio::test]
async fn a_network_is_counted_as_the_same_after_a_commit_that_failed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let store = open(&path).0;
    let beside = rusqlite::Connection::open(&path).unwrap();
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON statistics BEGIN SELECT RAISE(ABORT, 'no'); END";
    beside.execute_batch(refuse).unwrap();
    assert!(store.accept(new_flow(1000), None, 1000).await.is_err());
    beside.execute_batch("DROP TRIGGER refuse").unwrap();
    store.accept(new_flow(1000), None, 1000).await.unwrap();
    store.close().await;
    let keys: i64 = beside.query_row("SELECT count(*) FROM statistics_keys", [], |row| row.get(0)).unwrap();
    assert_eq!((keys, counted(&open(&path).0).await), (1, 1));
}

#[tokio::test]
async fn not_even_sql_changes_the_audit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let admin = SqliteAdmin::open(&path, &Keyring::default()).unwrap();
    let [operator, action, subject, detail] = ["ann", "flow.erase", "f1", ""].map(str::to_owned);
    let entry = NewAuditEntry { at_ms: 1, operator, action, subject, detail };
    let id = admin.add_audit_entry(&entry).await.unwrap();
    let beside = rusqlite::Connection::open(&path).unwrap();
    let refused = [
        "DELETE FROM audit",
        "UPDATE audit SET operator = 'bob'",
        "UPDATE audit SET at_ms = 2, outcome = 'done'",
        "UPDATE audit SET id = 7",
    ];
    for sql in refused {
        assert!(beside.execute(sql, []).is_err(), "{sql}");
    }
    assert!(admin.set_audit_outcome(id, &Outcome::Done).await.unwrap());
    assert!(beside.execute("UPDATE audit SET outcome = 'failed: it was not me'", []).is_err());
    assert!(beside.execute("UPDATE audit SET outcome = NULL", []).is_err());
    let all = AuditQuery { before: None, limit: 9, operator: None, action: None, subject: None };
    let kept = admin.audit_entries(&all).await.unwrap().remove(0);
    assert_eq!((kept.entry.operator.as_str(), kept.outcome), ("ann", Some(Outcome::Done)));
}
