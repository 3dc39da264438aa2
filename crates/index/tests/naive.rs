//! The index against a filter over a plain list, on random flows, changes and queries. The model works on
//! lower case strings with the standard library's own text operations and sorts what it keeps.

use flow::{Channel, ChannelSet, Facets, FlowKind, FlowStatus};
use index::{Filter, Found, Index, Key, Limits, Order, Predicate, Query, TextOperator, place_of};
use proptest::prelude::*;
use uuid::Uuid;

#[derive(Clone, Debug)]
struct Row {
    application: String,
    created_ms: i64,
    id: Uuid,
    facets: Facets,
}

fn channels() -> impl Strategy<Value = Channel> {
    proptest::sample::select(Channel::ALL.to_vec())
}

fn recipients() -> impl Strategy<Value = String> {
    prop_oneof![4 => "\\+30690[0-3]{2}", 1 => "(sip|SIP):[ab]@[AB]x"]
}

fn kinds() -> impl Strategy<Value = FlowKind> {
    prop_oneof![Just(FlowKind::Plain), Just(FlowKind::Transactional)]
}

fn facets() -> impl Strategy<Value = Facets> {
    let types = proptest::collection::vec(channels(), 1..4);
    let status = proptest::sample::select(FlowStatus::ALL.to_vec());
    let to = proptest::collection::btree_set(recipients(), 1..4);
    (kinds(), types, status, proptest::option::of(channels()), to).prop_map(
        |(kind, types, status, termination, to)| Facets {
            kind,
            status,
            termination,
            types: types.into_iter().fold(ChannelSet::default(), ChannelSet::with),
            recipients: to.into_iter().map(String::into_boxed_str).collect(),
        },
    )
}

/// Few times, so that many are equal.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row =
        ("[ab]", 0i64..12, any::<u128>(), facets()).prop_map(|(application, created_ms, id, facets)| Row {
            application,
            created_ms,
            id: Uuid::from_u128(id),
            facets,
        });
    proptest::collection::vec(row, 0..60)
}

/// The start of a time, or somewhere within one.
fn places() -> impl Strategy<Value = Key> {
    prop_oneof![
        (-1i64..13).prop_map(place_of),
        (-1i64..13, any::<u128>()).prop_map(|(ms, id)| (ms, Uuid::from_u128(id)))
    ]
}

fn queries() -> impl Strategy<Value = Query> {
    let operator = proptest::sample::select(vec![
        TextOperator::Is,
        TextOperator::Contains,
        TextOperator::StartsWith,
        TextOperator::EndsWith,
    ]);
    let term = prop_oneof![recipients(), "[+0-9a-zA-Z@:]{0,3}", Just("+30".to_owned())];
    let predicate = prop_oneof![
        channels().prop_map(Predicate::Type),
        channels().prop_map(Predicate::Termination),
        proptest::sample::select(FlowStatus::ALL.to_vec()).prop_map(Predicate::Status),
        kinds().prop_map(Predicate::Kind),
        (operator, term).prop_map(|(operator, term)| Predicate::To(operator, term)),
    ];
    let filter = (predicate, any::<bool>()).prop_map(|(predicate, negated)| Filter { predicate, negated });
    let range = (proptest::option::of(places()), proptest::option::of(places()));
    let order = prop_oneof![Just(Order::NewestFirst), Just(Order::OldestFirst)];
    ("[abc]", range, proptest::collection::vec(filter, 0..4), order, 0usize..30, 0usize..12).prop_map(
        |(application, (from, until), filters, order, offset, limit)| Query {
            application,
            from,
            until,
            filters,
            order,
            offset,
            limit,
        },
    )
}

fn holds(predicate: &Predicate, facets: &Facets) -> bool {
    match predicate {
        Predicate::Type(channel) => facets.types.contains(*channel),
        Predicate::Termination(channel) => facets.termination.is_some_and(|known| known == *channel),
        Predicate::Status(status) => facets.status.name() == status.name(),
        Predicate::Kind(FlowKind::Plain) => facets.kind != FlowKind::Transactional,
        Predicate::Kind(kind) => facets.kind == *kind,
        Predicate::To(operator, term) => {
            let term = term.to_lowercase();
            facets.recipients.iter().map(|to| to.to_lowercase()).any(|to| match operator {
                TextOperator::Is => to == term,
                TextOperator::Contains => to.contains(&term),
                TextOperator::StartsWith => to.starts_with(&term),
                TextOperator::EndsWith => to.ends_with(&term),
            })
        }
    }
}

fn naive(rows: &[Row], query: &Query) -> Found {
    let mut matching: Vec<&Row> = rows
        .iter()
        .filter(|row| row.application == query.application)
        .filter(|row| query.from.is_none_or(|from| from <= (row.created_ms, row.id)))
        .filter(|row| query.until.is_none_or(|until| (row.created_ms, row.id) < until))
        .filter(|row| query.filters.iter().all(|f| holds(&f.predicate, &row.facets) ^ f.negated))
        .collect();
    matching.sort_by_key(|row| (row.created_ms, row.id));
    if query.order == Order::NewestFirst {
        matching.reverse();
    }
    let page = matching.iter().skip(query.offset).take(query.limit);
    Found { total: matching.len(), keys: page.map(|row| (row.created_ms, row.id)).collect() }
}

/// Sizes so small that a few rows make many segments, come too late, and are many for a prefix.
fn limits() -> impl Strategy<Value = Limits> {
    (0usize..6, 0usize..6, 0usize..6, 2usize..4, 4usize..30, 0usize..6).prop_map(
        |(loose_rows, seal_rows, late_rows, merge_segments, segment_weight_max, heavy_rows)| Limits {
            loose_rows,
            seal_rows,
            late_rows,
            merge_segments,
            segment_weight_max,
            heavy_rows,
        },
    )
}

fn put(index: &Index, row: &Row) {
    index.put([(row.application.as_str(), row.created_ms, row.id, row.facets.clone())]);
}

#[derive(Clone, Debug)]
enum Change {
    Put(Facets),
    Remove,
    Erase,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![2 => facets().prop_map(Change::Put), 1 => Just(Change::Remove), 1 => Just(Change::Erase)]
}

/// Segments in which no flow has several recipients are searched in ways of their own.
fn keep_one(facets: &mut Facets) {
    facets.recipients = facets.recipients.iter().take(1).cloned().collect();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8000, ..ProptestConfig::default() })]

    #[test]
    fn answers_what_a_plain_filter_answers(
        limits in limits(),
        (at_once, tidy, one_recipient) in any::<(bool, bool, bool)>(),
        rows in rows(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), change()), 0..20),
        queries in proptest::collection::vec(queries(), 1..6),
    ) {
        let index = Index::with_limits(limits);
        let mut model = rows;
        if one_recipient {
            model.iter_mut().for_each(|row| keep_one(&mut row.facets));
        }
        if at_once {
            let mut loader = index.loader();
            model.iter().for_each(|row| loader.add(&row.application, row.created_ms, row.id, &row.facets));
            loader.finish();
        } else {
            model.iter().for_each(|row| put(&index, row));
        }
        while tidy && index.tidy() {}
        for query in &queries {
            prop_assert_eq!(index.search(query), naive(&model, query));
        }
        for (which, change) in changes {
            if model.is_empty() {
                break;
            }
            let at = which.index(model.len());
            match change {
                Change::Put(mut facets) => {
                    if one_recipient {
                        keep_one(&mut facets);
                    }
                    model[at].facets = facets;
                    put(&index, &model[at]);
                }
                Change::Remove => {
                    let row = model.remove(at);
                    index.remove(&row.application, row.created_ms, row.id);
                }
                Change::Erase => {
                    let row = model.remove(at);
                    index.erase(&row.application, row.created_ms, row.id);
                }
            }
        }
        for query in &queries {
            prop_assert_eq!(index.search(query), naive(&model, query));
        }
        while index.tidy() {}
        for query in &queries {
            prop_assert_eq!(index.search(query), naive(&model, query));
        }
        prop_assert_eq!(index.len(), model.len());
    }

    #[test]
    fn is_and_is_not_split_the_flows_in_two(
        limits in limits(),
        rows in rows(),
        tidy in any::<bool>(),
        query in queries(),
    ) {
        let index = Index::with_limits(limits);
        rows.iter().for_each(|row| put(&index, row));
        while tidy && index.tidy() {}
        if let Some(filter) = query.filters.first() {
            let count = |negated| {
                let filters = vec![Filter { predicate: filter.predicate.clone(), negated }];
                index.search(&Query { filters, ..query.clone() }).total
            };
            let all = index.search(&Query { filters: vec![], ..query.clone() }).total;
            prop_assert_eq!(count(true) + count(false), all);
        }
    }
}
