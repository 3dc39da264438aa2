//! The door: what an index tells of itself, and when somebody is woken.

use flow::{Channel, ChannelSet, Facets, FlowKind, FlowStatus};
use index::{Found, Index, Limits, Order, Query, place_of};
use std::time::{Duration, Instant};
use uuid::Uuid;

const LIMITS: Limits = Limits {
    loose_rows: 2,
    seal_rows: 3,
    late_rows: 10,
    merge_segments: 4,
    segment_weight_max: 1000,
    heavy_rows: 10,
};

fn facets(to: &str) -> Facets {
    Facets {
        kind: FlowKind::Plain,
        status: FlowStatus::Queued,
        termination: None,
        types: ChannelSet::default().with(Channel::Sms),
        recipients: [to.into()].into(),
    }
}

fn put(index: &Index, application: &str, ms: i64) {
    index.put([(application, ms, Uuid::from_u128(1), facets("+3069"))]);
}

fn everything(application: &str) -> Query {
    Query {
        application: application.into(),
        from: None,
        until: None,
        filters: vec![],
        order: Order::OldestFirst,
        offset: 0,
        limit: 10,
    }
}

#[test]
fn applications_are_apart_and_all_is_forgotten_at_once() {
    let index = Index::default();
    assert!(index.is_empty() && index.applications().is_empty());
    put(&index, "a", 1);
    put(&index, "b", 2);
    put(&index, "b", 3);
    let mut applications = index.applications();
    applications.sort_unstable();
    assert_eq!((applications, index.len(), index.is_empty()), (vec!["a".into(), "b".into()], 3, false));
    assert_eq!(index.search(&everything("b")).total, 2);
    assert_eq!(index.search(&everything("c")), Found::default());
    assert_eq!(index.get("a", 1, Uuid::from_u128(1)), Some(facets("+3069")));
    assert_eq!(index.get("a", 2, Uuid::from_u128(1)), None);
    assert_eq!(index.get("c", 1, Uuid::from_u128(1)), None);
    index.remove("a", 1, Uuid::from_u128(1));
    index.remove("c", 1, Uuid::from_u128(1));
    assert_eq!((index.get("a", 1, Uuid::from_u128(1)), index.len()), (None, 2));
    index.clear();
    assert!(index.is_empty() && index.applications().is_empty());
}

#[test]
fn a_range_that_ends_before_it_starts_is_empty() {
    let index = Index::default();
    put(&index, "a", 5);
    let between = |from, until| {
        let (from, until) = (Some(place_of(from)), Some(place_of(until)));
        index.search(&Query { from, until, ..everything("a") }).total
    };
    assert_eq!((between(5, 6), between(5, 5), between(6, 5), between(6, 7), between(4, 5)), (1, 0, 0, 0, 0));
}

#[test]
fn a_search_ends_between_two_segments_if_told() {
    let index = Index::with_limits(LIMITS);
    (0..30).for_each(|ms| {
        put(&index, "a", ms);
        index.tidy();
    });
    let asked = std::cell::Cell::new(0);
    let goes_on = |at_most: usize| {
        asked.set(0);
        index.search_while(&everything("a"), &|| {
            asked.set(asked.get() + 1);
            asked.get() <= at_most
        })
    };
    assert_eq!(goes_on(usize::MAX).unwrap().total, 30);
    let segments = asked.get();
    assert!(segments > 1);
    assert!(goes_on(segments - 1).is_none() && goes_on(0).is_none());
    assert_eq!(goes_on(segments).unwrap().total, 30);
}

#[test]
fn whoever_waits_is_woken_when_something_is_due() {
    let index = Index::with_limits(LIMITS);
    let waits = |at_most: Duration| {
        let started = Instant::now();
        index.wait(at_most);
        started.elapsed() >= at_most
    };
    let (short, long) = (Duration::from_millis(30), Duration::from_secs(60));
    assert!(waits(short));
    index.wake();
    // Once.
    assert!(!waits(long) && waits(short));
    (0..5).for_each(|ms| put(&index, "a", ms));
    assert!(waits(short));
    put(&index, "a", 5);
    assert!(!waits(long));
    assert!(index.tidy() && !index.tidy());
    index.erase("a", 0, Uuid::from_u128(1));
    assert!(!waits(long) && index.is_erasing());
    assert!(index.tidy() && !index.is_erasing());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| waits(long));
        while !waiting.is_finished() {
            index.wake();
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!waiting.join().unwrap());
    });
}
