//! Statistics.

use crate::support::*;
use fastrand::Rng;
use flow::sample::{self, step};
use flow::statistics::{Contribution, Dimension, Quarter, Summary};
use flow::{CarrierRef, Covers, Detail, Event, Flow, FlowKind, Rate, Receipt, Status};
use std::collections::BTreeMap;
use std::ops::Range;
use store::*;
use uuid::Uuid;

const QUARTER_MS: i64 = 900_000;
const APPLICATIONS: [&str; 2] = ["one", "two"];

/// All flows that were ever accepted, as they are or were when they were removed.
type Known = BTreeMap<Uuid, Flow>;

/// A flow that was accepted somewhere in three days.
fn any_flow(random: &mut Rng) -> Flow {
    let to = format!("+30690000000{}", random.u8(0..4));
    let mut steps = vec![step(1, sample::viber(&to, random.bool())), step(2, sample::sms(&to, "hi"))];
    if random.bool() {
        steps.push(step(3, sample::voice(&to)));
        steps[0].country = Some("GR".into());
        steps[1].country = Some("GR".into());
    }
    let mut flow = sample::flow(steps, None, random.i64(0..288 * QUARTER_MS), id());
    flow.application = random.choice(APPLICATIONS).unwrap().into();
    flow.kind = if random.bool() { FlowKind::Plain } else { FlowKind::Transactional };
    flow
}

/// Something that may happen to a flow, sensible or not.
fn any_event(random: &mut Rng, flow: &Flow) -> Event {
    let message = random.usize(0..flow.state.messages.len()) as u16;
    let part = 0;
    let operator = random.choice(["Cosmote", "20201", "", "+306900000001"]).map(str::to_owned);
    match random.u8(0..8) {
        0..3 => {
            let price = random.choice(["0.05", "0.0375", "1"]).unwrap().parse().unwrap();
            let carrier = CarrierRef::new(random.choice(["main", "other"]).unwrap(), id().to_string());
            let rate = Some(Rate { price, interval_s: None, operator });
            Event::Submitted { message, part, carrier, rate, covers: Covers::Part }
        }
        3..6 => {
            let status = random.choice(Status::ALL).unwrap();
            let detail = if random.bool() { Detail::plain(status) } else { Detail("carriers' own".into()) };
            let duration_s = Some(random.u32(0..200));
            Event::Receipt {
                message,
                part,
                receipt: Receipt { operator, duration_s, ..Receipt::new(status, detail) },
            }
        }
        6 => {
            Event::Refused { message, part, carrier: None, detail: Detail::UNKNOWN_NUMBER, description: None }
        }
        _ => random.choice([Event::Expire { message }, Event::Cancel { by: None }]).unwrap(),
    }
}

/// Accepts a flow or changes one.
async fn do_something(store: &impl Store, random: &mut Rng, flows: &mut Known) {
    if flows.len() < 5 || random.u8(0..4) == 0 {
        let flow = any_flow(random);
        store.accept(flow.clone(), None, flow.created_ms).await.unwrap();
        flows.insert(flow.id, flow);
        return;
    }
    let known = random.choice(flows.values_mut()).unwrap();
    let event = any_event(random, known);
    let now_ms = known.state.updated_ms + random.i64(0..100_000);
    if store.apply(known.id, event, now_ms).await.is_ok() {
        *known = load(store, known.id).await;
    }
}

/// What statistics of some flows say of a range, added up flow by flow.
fn plain_sum<'a>(flows: impl Iterator<Item = &'a Flow>, range: &Range<Quarter>) -> Contribution {
    let mut sum = Contribution::default();
    flows.filter(|flow| range.contains(&Quarter::of(flow.created_ms))).for_each(|flow| sum.add(flow));
    sum
}

fn summary(contribution: &Contribution) -> Summary {
    let mut summary = Summary::default();
    contribution.messages.iter().for_each(|(key, figures)| summary.add_messages(key, figures));
    contribution.flows.iter().for_each(|(key, figures)| summary.add_flows(key, figures));
    summary
}

fn query(application: &str, bounds: Vec<Quarter>, group_by: &[Dimension]) -> StatisticsQuery {
    StatisticsQuery { application: application.into(), bounds, group_by: group_by.into(), rows_max: 100_000 }
}

/// Compares the statistics with a plain sum, over random periods in random groups.
async fn compare(store: &impl Store, random: &mut Rng, flows: &Known) {
    for application in APPLICATIONS {
        let of = || flows.values().filter(|flow| flow.application == application);
        let mut bounds: Vec<_> = (0..random.usize(2..6)).map(|_| Quarter(random.i64(-50..350))).collect();
        bounds.sort_unstable();
        let mut group_by = Dimension::ALL.to_vec();
        random.shuffle(&mut group_by);
        group_by.truncate(random.usize(0..4));
        let query = query(application, bounds.clone(), &group_by);
        let sums = store.statistics(query).await.unwrap().unwrap();
        let all = bounds[0]..bounds[bounds.len() - 1];
        assert_eq!(sums.totals, summary(&plain_sum(of(), &all)), "{application} {all:?}");
        let mut expected = BTreeMap::new();
        for (period, bounds) in bounds.windows(2).enumerate() {
            let sum = plain_sum(of(), &(bounds[0]..bounds[1]));
            for (key, figures) in &sum.messages {
                let group: Vec<_> = group_by.iter().map(|by| key.value(*by).map(str::to_owned)).collect();
                expected.entry((period, group)).or_insert_with(Summary::default).add_messages(key, figures);
            }
            if group_by.is_empty() {
                expected
                    .entry((period, vec![]))
                    .or_insert_with(Summary::default)
                    .add(&summary_of_flows(&sum), 1);
            }
        }
        expected.retain(|_, summary| !summary.is_zero());
        let found = sums.rows.into_iter().map(|row| ((row.period, row.group), row.summary)).collect();
        assert_eq!(expected, found, "{application} {bounds:?} {group_by:?}");
        let range = store.statistics_range(application.into()).await.unwrap();
        let quarters = || of().map(|flow| Quarter::of(flow.created_ms));
        assert_eq!(range, quarters().min().zip(quarters().max()).map(|(first, last)| first..last.next()));
    }
}

fn summary_of_flows(contribution: &Contribution) -> Summary {
    summary(&Contribution { messages: BTreeMap::new(), flows: contribution.flows.clone() })
}

pub async fn statistics_are_a_plain_sum_at_every_moment<B: Backend>(backend: &B) {
    let mut store = open(backend, &Keyring::default()).await.store;
    let (mut random, mut flows) = (Rng::with_seed(7), Known::new());
    for moment in 0..400 {
        do_something(&store, &mut random, &mut flows).await;
        compare(&store, &mut random, &flows).await;
        if moment % 100 == 99 {
            backend.close(&store).await;
            store = open(backend, &Keyring::default()).await.store;
        }
    }
}

pub async fn statistics_outlive_their_flows<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let (mut random, mut flows) = (Rng::with_seed(8), Known::new());
    for _ in 0..60 {
        do_something(&store, &mut random, &mut flows).await;
    }
    for (at, known) in flows.values_mut().enumerate() {
        if at % 2 == 0 {
            // What is under way is cancelled first, and counts as that.
            known.apply(&Event::Cancel { by: None }, 300 * QUARTER_MS);
            let application = known.application.clone();
            assert_eq!(store.erase(application, vec![known.id], 300 * QUARTER_MS).await.unwrap(), 1);
        }
    }
    compare(&store, &mut random, &flows).await;
    let cutoffs = Cutoffs { flows_before_ms: 300 * QUARTER_MS, ..Cutoffs::NONE };
    assert!(store.prune(cutoffs, 100).await.unwrap().flows > 0);
    compare(&store, &mut random, &flows).await;
}

pub async fn a_key_that_is_used_again_counts_once<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    for _ in 0..3 {
        let key = IdempotencyKey { key: "k".into(), body_hash: [0; 32] };
        store.accept(new_flow(1000), Some(key), 1000).await.unwrap();
    }
    let query = query("app", vec![Quarter(0), Quarter(1)], &[]);
    let sums = store.statistics(query).await.unwrap().unwrap();
    assert_eq!((sums.totals.flows, sums.totals.messages, sums.rows.len()), (1, 1, 1));
}

pub async fn an_answer_has_so_many_rows_at_most<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    for quarter in 0..3 {
        store.accept(new_flow(quarter * QUARTER_MS), None, quarter * QUARTER_MS).await.unwrap();
    }
    for (rows_max, rows) in [(2, None), (3, Some(3))] {
        let bounds = (0..5).map(Quarter).collect();
        let query = StatisticsQuery { rows_max, ..query("app", bounds, &[]) };
        assert_eq!(store.statistics(query).await.unwrap().map(|sums| sums.rows.len()), rows);
    }
    assert_eq!(store.statistics_range("nobody".into()).await.unwrap(), None);
}

pub async fn statistics_are_made_anew_from_what_is_stored<B: Backend>(backend: &B) {
    let mut store = open(backend, &Keyring::default()).await.store;
    let (mut random, mut flows) = (Rng::with_seed(9), Known::new());
    for _ in 0..200 {
        do_something(&store, &mut random, &mut flows).await;
    }
    backend.close(&store).await;
    let rebuilt = backend.admin(&Keyring::default()).rebuild_statistics().await.unwrap();
    assert_eq!(rebuilt, RebuiltStatistics { flows: flows.len(), unreadable: 0, lost: 0 });
    store = open(backend, &Keyring::default()).await.store;
    compare(&store, &mut random, &flows).await;
    // Those that are gone, and younger than the oldest one that is left, can't be counted again.
    let all: Vec<Flow> = flows.values().cloned().collect();
    for flow in all.iter().filter(|flow| flow.created_ms < 100 * QUARTER_MS) {
        store.erase(flow.application.clone(), vec![flow.id], flow.state.updated_ms).await.unwrap();
        flows.get_mut(&flow.id).unwrap().apply(&Event::Cancel { by: None }, flow.state.updated_ms);
    }
    compare(&store, &mut random, &flows).await;
    let of = |application: &str| {
        let left = all.iter().filter(|flow| flow.application == application);
        left.filter(|flow| flow.created_ms >= 100 * QUARTER_MS).max_by_key(|flow| flow.created_ms).cloned()
    };
    let mut lost = 0;
    for youngest in APPLICATIONS.map(|application| of(application).unwrap()) {
        store.erase(youngest.application, vec![youngest.id], youngest.state.updated_ms).await.unwrap();
        flows.remove(&youngest.id);
        lost += 1;
    }
    backend.close(&store).await;
    let rebuilt = backend.admin(&Keyring::default()).rebuild_statistics().await.unwrap();
    assert_eq!(rebuilt.lost, lost);
    let store = open(backend, &Keyring::default()).await.store;
    for application in APPLICATIONS {
        let of = || flows.values().filter(|flow| flow.application == application);
        let all = Quarter(0)..Quarter(288);
        let query = query(application, vec![all.start, all.end], &[]);
        let sums = store.statistics(query).await.unwrap().unwrap();
        assert_eq!(sums.totals, summary(&plain_sum(of(), &all)));
    }
}
