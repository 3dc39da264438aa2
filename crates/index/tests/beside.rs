//! Searches beside changes.

use flow::{Channel, ChannelSet, Facets, FlowKind, FlowStatus};
use index::{Filter, Index, Limits, Order, Predicate, Query, TextOperator};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use uuid::Uuid;

const FLOWS: usize = 20_000;

fn entry(i: usize, status: FlowStatus) -> (&'static str, i64, Uuid, Facets) {
    let facets = Facets {
        kind: FlowKind::Plain,
        status,
        termination: None,
        types: ChannelSet::default().with(Channel::Sms),
        recipients: [format!("+306900{:06}", i * 7919 % 3000).into_boxed_str()].into(),
    };
    ("a", i as i64 / 3, Uuid::from_u128(i as u128), facets)
}

/// A change moves a flow from one status to another. A search that saw half of it would count the flow never
/// or twice, whatever structure it is answered from.
#[test]
fn no_search_sees_half_a_change() {
    let limits = Limits { loose_rows: 100, seal_rows: 500, heavy_rows: 200, ..Limits::default() };
    let index = Index::with_limits(limits);
    index.put((0..FLOWS).map(|i| entry(i, FlowStatus::Succeeded)));
    let (stop, changes) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = fastrand::Rng::with_seed(1);
            while !stop.load(Ordering::Relaxed) {
                let status = if random.bool() { FlowStatus::Failed } else { FlowStatus::Succeeded };
                index.put([entry(random.usize(0..FLOWS), status)]);
                changes.fetch_add(1, Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                index.tidy();
            }
        });
        let not = |status| Filter { predicate: Predicate::Status(status), negated: true };
        let to = |operator, term: &str, negated| {
            let predicate = Predicate::To(operator, term.to_owned());
            vec![not(FlowStatus::Queued), Filter { predicate, negated }]
        };
        let questions = [
            (vec![not(FlowStatus::Queued)], FLOWS),
            (to(TextOperator::StartsWith, "+3069", false), FLOWS),
            (to(TextOperator::EndsWith, "", false), FLOWS),
            (to(TextOperator::Contains, "6900", false), FLOWS),
            (to(TextOperator::Is, "+306900000000", false), FLOWS.div_ceil(3000)),
            (to(TextOperator::Is, "+306900000000", true), FLOWS - FLOWS.div_ceil(3000)),
        ];
        let mut asked = 0;
        while asked < 3000 || changes.load(Ordering::Relaxed) < 10_000 {
            for (filters, expected) in &questions {
                let query = Query {
                    application: "a".into(),
                    from: None,
                    until: None,
                    filters: filters.clone(),
                    order: Order::NewestFirst,
                    offset: asked % FLOWS,
                    limit: 5,
                };
                let found = index.search(&query);
                assert_eq!(found.total, *expected, "{filters:?}");
                assert_eq!(found.keys.len(), 5.min(expected.saturating_sub(asked % FLOWS)));
                assert!(found.keys.is_sorted_by(|a, b| a > b));
                asked += 1;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}
