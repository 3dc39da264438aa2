//! What is asked.

use crate::generator::{DAY_MS, DAYS, Generator, START_MS, application};
use flow::{Channel, FlowStatus};
use index::{Filter, Index, Order, Predicate, Query, TextOperator, place_of};

/// Flows of a page.
const PAGE: usize = 20;

fn filter(predicate: Predicate, negated: bool) -> Filter {
    Filter { predicate, negated }
}

fn to(operator: TextOperator, term: String) -> Filter {
    filter(Predicate::To(operator, term), false)
}

/// What is asked in one class: filters, and whether the page is the first one or in the middle.
pub struct Class {
    pub name: &'static str,
    middle: bool,
    filters: fn(&mut fastrand::Rng, u64) -> Vec<Filter>,
    /// Days of the range.
    days: i64,
}

const fn class(
    name: &'static str,
    middle: bool,
    days: i64,
    filters: fn(&mut fastrand::Rng, u64) -> Vec<Filter>,
) -> Class {
    Class { name, middle, filters, days }
}

fn failed() -> Filter {
    filter(Predicate::Status(FlowStatus::Failed), false)
}

fn succeeded() -> Filter {
    filter(Predicate::Status(FlowStatus::Succeeded), false)
}

fn digits(random: &mut fastrand::Rng, count: usize) -> String {
    std::iter::repeat_with(|| random.digit(10)).take(count).collect()
}

/// The classes of questions.
pub fn classes() -> Vec<Class> {
    use TextOperator::{Contains, EndsWith, Is, StartsWith};
    let frequent = |random: &mut fastrand::Rng, _: u64| vec![to(Is, Generator::number(random.u64(0..50)))];
    vec![
        class("no filter, first page", false, 80, |_, _| vec![]),
        class("no filter, middle page", true, 80, |_, _| vec![]),
        class("status Failed, first page", false, 80, |_, _| vec![failed()]),
        class("status Failed, middle page", true, 80, |_, _| vec![failed()]),
        class("Viber + Succeeded, middle page", true, 80, |_, _| {
            vec![filter(Predicate::Type(Channel::Viber), false), succeeded()]
        }),
        class("one day: termination Sms, status is_not Succeeded", false, 1, |_, _| {
            vec![
                filter(Predicate::Termination(Channel::Sms), false),
                filter(Predicate::Status(FlowStatus::Succeeded), true),
            ]
        }),
        class("to is, frequent", false, 80, frequent),
        class("to is, rare", false, 80, |random, numbers| {
            vec![to(Is, Generator::number(numbers / 2 + random.u64(0..numbers / 2)))]
        }),
        class("to is the most frequent + Failed, middle page", true, 80, |_, _| {
            vec![to(Is, Generator::number(0)), failed()]
        }),
        class("to is, frequent + type is_not Voice", false, 80, |random, _| {
            let voice = filter(Predicate::Type(Channel::Voice), true);
            vec![to(Is, Generator::number(random.u64(0..50))), voice]
        }),
        class("starts_with +3069, first page", false, 80, |_, _| vec![to(StartsWith, "+3069".into())]),
        class("starts_with +3069, middle page", true, 80, |_, _| vec![to(StartsWith, "+3069".into())]),
        class("starts_with +3069 + Failed", false, 80, |_, _| vec![to(StartsWith, "+3069".into()), failed()]),
        class("ends_with 6 digits", false, 80, |random, _| vec![to(EndsWith, digits(random, 6))]),
        class("contains 4 digits", false, 80, |random, _| vec![to(Contains, digits(random, 4))]),
        class("contains 3 digits + Failed, middle page", true, 80, |random, _| {
            vec![to(Contains, digits(random, 3)), failed()]
        }),
        class("to is_not + Succeeded, first page", false, 80, |random, _| {
            vec![filter(Predicate::To(Is, Generator::number(random.u64(0..50))), true), succeeded()]
        }),
        class("to is_not + Succeeded, middle page", true, 80, |random, _| {
            vec![filter(Predicate::To(Is, Generator::number(random.u64(0..50))), true), succeeded()]
        }),
        class("three filters on to", false, 80, |random, _| {
            vec![
                to(StartsWith, "+3069".into()),
                to(Contains, digits(random, 2)),
                to(EndsWith, digits(random, 2)),
            ]
        }),
        class("no match", false, 80, |_, _| vec![to(Is, "+999".into())]),
    ]
}

impl Class {
    /// A question of this class; the range ends at a random time of the last ten days.
    pub fn ask(&self, random: &mut fastrand::Rng, numbers: u64, index: &Index) -> Query {
        let until_ms = START_MS + DAYS * DAY_MS - random.i64(0..10 * DAY_MS);
        let mut query = Query {
            application: application(0),
            from: Some(place_of(until_ms - self.days * DAY_MS)),
            until: Some(place_of(until_ms)),
            filters: (self.filters)(random, numbers),
            order: Order::NewestFirst,
            offset: 0,
            limit: PAGE,
        };
        if self.middle {
            query.offset = index.search(&Query { limit: 0, ..query.clone() }).total / 2;
        }
        query
    }
}
