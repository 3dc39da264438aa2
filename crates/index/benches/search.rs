//! How long a search takes: total and ids of a page, the index alone, with new parameters for every repetition.
//! Run by `cargo xtask bench search`.

use flow::{Channel, ChannelSet, Facets, FlowKind, FlowStatus};
use index::{Filter, Index, Order, Predicate, Query, TextOperator, place_of};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

const DAY_MS: i64 = 86_400_000;
const DAYS: i64 = 90;
const START_MS: i64 = 1_700_000_000_000;
const APPLICATIONS: usize = 20;
/// Of every hundred flows, those of the largest application.
const LARGEST_PERCENT: u64 = 40;
const REPETITIONS: usize = 400;
/// Repetitions of the classes that look through much, and of the plain filter.
const FEW: usize = 60;
const PAGE: usize = 20;
/// Status changes a second in the second half.
const UPDATES: u64 = 20_000;

/// Makes the same flows every time: 90 days with a daily cycle, equal timestamps, 0.5 % open flows, and recipients
/// of which a few get much (the density falls with the square root of the rank).
struct Generator {
    random: fastrand::Rng,
    numbers: u64,
    flows: u64,
    made: u64,
}

impl Generator {
    fn number(rank: u64) -> String {
        // Spread over the digits, one to one: the factor is odd and no multiple of 5.
        let digits = rank.wrapping_mul(48_271) % 100_000_000;
        match rank % 4 {
            0 | 1 => format!("+3069{digits:08}"),
            2 => format!("+4477{digits:08}"),
            _ => format!("+1212{digits:08}"),
        }
    }

    fn rank(&mut self) -> u64 {
        let u = self.random.f64();
        ((u * u) * self.numbers as f64) as u64
    }

    fn next(&mut self) -> (usize, i64, Uuid, Facets) {
        // Days with more flows at noon than at night.
        let position = self.made as f64 / self.flows as f64 * DAYS as f64;
        let day = position.floor();
        let within = position - day;
        let shaped = within - (within * std::f64::consts::TAU).sin() / 12.0;
        let created_ms = START_MS + ((day + shaped) * DAY_MS as f64) as i64;
        self.made += 1;
        let application =
            if self.random.u64(0..100) < LARGEST_PERCENT { 0 } else { self.random.usize(1..APPLICATIONS) };
        let course = self.random.u32(0..1000);
        let (status, termination, types): (_, _, &[Channel]) = match course {
            0..5 => (FlowStatus::InProgress, None, &[Channel::Viber]),
            5..500 => (FlowStatus::Succeeded, Some(Channel::Viber), &[Channel::Viber]),
            500..800 => (FlowStatus::Succeeded, Some(Channel::Sms), &[Channel::Viber, Channel::Sms]),
            800..930 => (FlowStatus::Succeeded, Some(Channel::Sms), &[Channel::Sms]),
            930..970 => (FlowStatus::Failed, Some(Channel::Sms), &[Channel::Viber, Channel::Sms]),
            970..990 => {
                (FlowStatus::Succeeded, Some(Channel::Voice), &[Channel::Viber, Channel::Sms, Channel::Voice])
            }
            _ => (FlowStatus::Failed, Some(Channel::Voice), &[Channel::Viber, Channel::Sms, Channel::Voice]),
        };
        let facets = Facets {
            kind: FlowKind::Plain,
            status,
            termination,
            types: types.iter().fold(ChannelSet::default(), |set, &channel| set.with(channel)),
            recipients: [Generator::number(self.rank()).into_boxed_str()].into(),
        };
        let random = self.random.u128(..).to_be_bytes();
        let random = random[..10].try_into().unwrap_or_default();
        let id = uuid::Builder::from_unix_timestamp_millis(created_ms.unsigned_abs(), &random).into_uuid();
        (application, created_ms, id, facets)
    }
}

fn application(number: usize) -> String {
    format!("application{number:02}")
}

fn filter(predicate: Predicate, negated: bool) -> Filter {
    Filter { predicate, negated }
}

fn to(operator: TextOperator, term: String) -> Filter {
    filter(Predicate::To(operator, term), false)
}

/// What is asked in one class: filters, and whether the page is the first one or in the middle.
struct Class {
    name: &'static str,
    repetitions: usize,
    middle: bool,
    filters: fn(&mut fastrand::Rng, u64) -> Vec<Filter>,
    /// Days of the range.
    days: i64,
}

const fn class(
    name: &'static str,
    repetitions: usize,
    middle: bool,
    days: i64,
    filters: fn(&mut fastrand::Rng, u64) -> Vec<Filter>,
) -> Class {
    Class { name, repetitions, middle, filters, days }
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

fn classes() -> Vec<Class> {
    use TextOperator::{Contains, EndsWith, Is, StartsWith};
    let frequent = |random: &mut fastrand::Rng, _: u64| vec![to(Is, Generator::number(random.u64(0..50)))];
    vec![
        class("no filter, first page", REPETITIONS, false, 80, |_, _| vec![]),
        class("no filter, middle page", REPETITIONS, true, 80, |_, _| vec![]),
        class("status Failed, first page", REPETITIONS, false, 80, |_, _| vec![failed()]),
        class("status Failed, middle page", REPETITIONS, true, 80, |_, _| vec![failed()]),
        class("Viber + Succeeded, middle page", REPETITIONS, true, 80, |_, _| {
            vec![filter(Predicate::Type(Channel::Viber), false), succeeded()]
        }),
        class("one day: termination Sms, status is_not Succeeded", REPETITIONS, false, 1, |_, _| {
            vec![
                filter(Predicate::Termination(Channel::Sms), false),
                filter(Predicate::Status(FlowStatus::Succeeded), true),
            ]
        }),
        class("to is, frequent", REPETITIONS, false, 80, frequent),
        class("to is, rare", REPETITIONS, false, 80, |random, numbers| {
            vec![to(Is, Generator::number(numbers / 2 + random.u64(0..numbers / 2)))]
        }),
        class("to is the most frequent + Failed, middle page", REPETITIONS, true, 80, |_, _| {
            vec![to(Is, Generator::number(0)), failed()]
        }),
        class("to is, frequent + type is_not Voice", REPETITIONS, false, 80, |random, _| {
            let voice = filter(Predicate::Type(Channel::Voice), true);
            vec![to(Is, Generator::number(random.u64(0..50))), voice]
        }),
        class("starts_with +3069, first page", FEW, false, 80, |_, _| vec![to(StartsWith, "+3069".into())]),
        class("starts_with +3069, middle page", FEW, true, 80, |_, _| vec![to(StartsWith, "+3069".into())]),
        class("starts_with +3069 + Failed", FEW, false, 80, |_, _| {
            vec![to(StartsWith, "+3069".into()), failed()]
        }),
        class("ends_with 6 digits", FEW, false, 80, |random, _| vec![to(EndsWith, digits(random, 6))]),
        class("contains 4 digits", FEW, false, 80, |random, _| vec![to(Contains, digits(random, 4))]),
        class("contains 3 digits + Failed, middle page", FEW, true, 80, |random, _| {
            vec![to(Contains, digits(random, 3)), failed()]
        }),
        class("to is_not + Succeeded, first page", REPETITIONS, false, 80, |random, _| {
            vec![filter(Predicate::To(Is, Generator::number(random.u64(0..50))), true), succeeded()]
        }),
        class("to is_not + Succeeded, middle page", REPETITIONS, true, 80, |random, _| {
            vec![filter(Predicate::To(Is, Generator::number(random.u64(0..50))), true), succeeded()]
        }),
        class("three filters on to", FEW, false, 80, |random, _| {
            vec![
                to(StartsWith, "+3069".into()),
                to(Contains, digits(random, 2)),
                to(EndsWith, digits(random, 2)),
            ]
        }),
        class("no match", REPETITIONS, false, 80, |_, _| vec![to(Is, "+999".into())]),
    ]
}

impl Class {
    /// A question of this class; the range ends at a random time of the last ten days.
    fn ask(&self, random: &mut fastrand::Rng, numbers: u64, index: &Index) -> Query {
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

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4096
}

fn measure(index: &Index, numbers: u64, title: &str) {
    println!("\n{title:<52}{:>12}{:>12}{:>12}", "matches", "median µs", "p99 µs");
    let mut random = fastrand::Rng::with_seed(7);
    let only = argument("--only").unwrap_or_default();
    for class in classes().into_iter().filter(|class| class.name.contains(&only)) {
        let (mut times, mut totals) = (Vec::new(), Vec::new());
        for _ in 0..class.repetitions {
            let query = class.ask(&mut random, numbers, index);
            let started = Instant::now();
            let found = std::hint::black_box(index.search(&query));
            times.push(started.elapsed().as_secs_f64() * 1e6);
            totals.push(found.total);
        }
        times.sort_by(f64::total_cmp);
        totals.sort_unstable();
        let (median, p99) = (percentile(&times, 50), percentile(&times, 99));
        println!("{:<52}{:>12}{median:>12.1}{p99:>12.1}", class.name, totals[totals.len() / 2]);
    }
}

/// A plain filter over a list: what a search costs without an index.
fn plain_filter(rows: &[(i64, Facets)]) -> f64 {
    let mut times: Vec<f64> = (0..FEW)
        .map(|i| {
            let from_ms = START_MS + i as i64;
            let started = Instant::now();
            let holds = |(created_ms, facets): &&(i64, Facets)| {
                *created_ms >= from_ms && facets.status == FlowStatus::Failed
            };
            std::hint::black_box(rows.iter().filter(holds).count());
            started.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    percentile(&times, 50)
}

fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

fn main() {
    let number = |name: &str| argument(name).and_then(|number| number.parse::<u64>().ok());
    let flows = number("--flows").unwrap_or(1_000_000);
    let numbers = number("--recipients").unwrap_or((flows / 5).max(1000));
    let mut generator = Generator { random: fastrand::Rng::with_seed(1), numbers, flows, made: 0 };
    let before = resident_bytes();
    let index = Index::default();
    let (mut sample, mut plain) = (Vec::new(), Vec::new());
    let started = Instant::now();
    let mut loader = index.loader();
    for i in 0..flows {
        let (number, created_ms, id, facets) = generator.next();
        let name = application(number);
        if i % (flows / 100_000).max(1) == 0 {
            sample.push((name.clone(), created_ms, id, facets.clone()));
            plain.push((created_ms, facets.clone()));
        }
        loader.add(&name, created_ms, id, &facets);
    }
    loader.finish();
    let spent = started.elapsed();
    let bytes = resident_bytes() - before;
    println!(
        "{flows} flows of {APPLICATIONS} applications over {DAYS} days, {numbers} recipients; {} bytes a flow in memory \
         (with the sample of {}); built in {:.1} s, {:.0} flows/s",
        bytes / flows,
        sample.len(),
        spent.as_secs_f64(),
        flows as f64 / spent.as_secs_f64()
    );
    println!(
        "a plain filter by status over a list of {} flows, for comparison: median {:.1} µs",
        plain.len(),
        plain_filter(&plain)
    );
    measure(&index, numbers, "alone");

    let (stop, applied) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = fastrand::Rng::with_seed(3);
            let started = Instant::now();
            while !stop.load(Ordering::Relaxed) {
                // In groups, as the store commits.
                let due = started.elapsed().as_millis() as u64 * UPDATES / 1000;
                if applied.load(Ordering::Relaxed) >= due {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
                let changed = (0..20).map(|_| {
                    let (name, created_ms, id, facets) = &sample[random.usize(..sample.len())];
                    let status = FlowStatus::ALL[random.usize(0..4)];
                    (name.as_str(), *created_ms, *id, Facets { status, ..facets.clone() })
                });
                index.put(changed);
                applied.fetch_add(20, Ordering::Relaxed);
            }
        });
        measure(&index, numbers, "while 20,000 status changes a second arrive");
        stop.store(true, Ordering::Relaxed);
    });

    let changes = sample.len().min(200_000);
    let started = Instant::now();
    for (name, created_ms, id, facets) in sample.iter().take(changes) {
        let status =
            if facets.status == FlowStatus::Failed { FlowStatus::Succeeded } else { FlowStatus::Failed };
        index.put([(name.as_str(), *created_ms, *id, Facets { status, ..facets.clone() })]);
    }
    println!("\n{:.0} status changes a second, alone", changes as f64 / started.elapsed().as_secs_f64());
}
