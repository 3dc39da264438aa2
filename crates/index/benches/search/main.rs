//! How long a search takes: total and ids of a page, the index alone, with new parameters for every repetition; and
//! beside it, with the same questions, what other engines take. Run by `cargo xtask bench search`.
//!
//! Arguments: `--flows N`, `--recipients N`, `--only PART` of a class's name, `--sqlite DIR` to ask SQLite too,
//! `--postgres PARAMETERS` of an empty database to ask PostgreSQL too.

mod classes;
mod generator;
mod rivals;

use classes::{Class, REPETITIONS, classes};
use flow::{Facets, FlowStatus};
use generator::{APPLICATIONS, DAYS, Generated, Generator, START_MS, application};
use index::{Index, Query};
use rivals::{Database, Postgres, Sqlite};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Status changes a second in the second half.
const UPDATES: u64 = 20_000;
/// Questions of a class that other engines get.
const RIVAL_QUESTIONS: usize = 20;

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4096
}

/// What a class took, in microseconds, sorted.
struct Measured {
    name: &'static str,
    times: Vec<f64>,
    matches: usize,
}

fn measure(index: &Index, numbers: u64) -> Vec<Measured> {
    let mut random = fastrand::Rng::with_seed(7);
    let measure = |class: Class| {
        let (mut times, mut totals) = (Vec::new(), Vec::new());
        for _ in 0..REPETITIONS {
            let query = class.ask(&mut random, numbers, index);
            let started = Instant::now();
            let found = std::hint::black_box(index.search(&query));
            times.push(started.elapsed().as_secs_f64() * 1e6);
            totals.push(found.total);
        }
        times.sort_by(f64::total_cmp);
        totals.sort_unstable();
        Measured { name: class.name, times, matches: totals[totals.len() / 2] }
    };
    chosen().map(measure).collect()
}

/// The classes that are asked.
fn chosen() -> impl Iterator<Item = Class> {
    let only = argument("--only").unwrap_or_default();
    classes().into_iter().filter(move |class| class.name.contains(&only))
}

fn print(title: &str, measured: &[Measured]) {
    println!("\n{title:<52}{:>12}{:>12}{:>12}", "matches", "median µs", "p99 µs");
    for Measured { name, times, matches } in measured {
        let (median, p99) = (percentile(times, 50), percentile(times, 99));
        println!("{name:<52}{matches:>12}{median:>12.1}{p99:>12.1}");
    }
}

/// Asks another engine the first questions of each class; every answer must be the index's.
fn ask_rival(database: &mut dyn Database, index: &Index, numbers: u64) -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(7);
    let median = |class: Class| {
        let questions: Vec<Query> = (0..REPETITIONS)
            .map(|_| class.ask(&mut random, numbers, index))
            .take(RIVAL_QUESTIONS + 1)
            .collect();
        // The first one only warms up: statements are prepared, pages are read.
        let mut times: Vec<f64> = Vec::new();
        for query in &questions {
            let started = Instant::now();
            let (total, ids) = rivals::ask(database, query);
            times.push(started.elapsed().as_secs_f64() * 1e6);
            let found = index.search(query);
            let known: Vec<_> = found.keys.iter().map(|key| key.1).collect();
            assert!((total, &ids) == (found.total, &known), "{} differs: {query:?}", database.name());
        }
        times.remove(0);
        times.sort_by(f64::total_cmp);
        percentile(&times, 50)
    };
    chosen().map(median).collect()
}

/// The medians of all engines, and how many times faster the index is than the best of the others.
fn compare(measured: &[Measured], rivals: &[(&str, Vec<f64>)]) {
    print!("\n{:<52}{:>12}", "median µs, the same questions, equal answers", "index");
    rivals.iter().for_each(|(name, _)| print!("{name:>12}"));
    println!("{:>12}", "ratio");
    for (at, Measured { name, times, .. }) in measured.iter().enumerate() {
        let median = percentile(times, 50);
        print!("{name:<52}{median:>12.1}");
        rivals.iter().for_each(|(_, medians)| print!("{:>12.0}", medians[at]));
        let best = rivals.iter().map(|(_, medians)| medians[at]).fold(f64::INFINITY, f64::min);
        println!("{:>12.0}", best / median);
    }
}

/// A plain filter over a list: what a search costs without an index.
fn plain_filter(rows: &[(i64, Facets)]) -> f64 {
    let mut times: Vec<f64> = (0..60)
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
    let before = resident_bytes();
    let index = Index::default();
    let (mut sample, mut plain) = (Vec::new(), Vec::new());
    let started = Instant::now();
    let mut loader = index.loader();
    for (i, flow) in Generator::new(flows, numbers).enumerate() {
        let Generated { application: number, created_ms, id, facets } = flow;
        let name = application(number);
        if (i as u64).is_multiple_of((flows / 100_000).max(1)) {
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
    let alone = measure(&index, numbers);
    print("alone", &alone);
    let mut rivals = Vec::new();
    if let Some(directory) = argument("--sqlite") {
        let started = Instant::now();
        let sqlite = Sqlite::fill(Path::new(&directory), Generator::new(flows, numbers));
        let mut sqlite = sqlite.expect("SQLite takes the flows");
        println!("\nSQLite was filled in {:.0} s", started.elapsed().as_secs_f64());
        rivals.push((sqlite.name(), ask_rival(&mut sqlite, &index, numbers)));
    }
    if let Some(parameters) = argument("--postgres") {
        let started = Instant::now();
        let postgres = Postgres::fill(&parameters, Generator::new(flows, numbers));
        let mut postgres = postgres.expect("PostgreSQL takes the flows");
        println!("PostgreSQL was filled in {:.0} s", started.elapsed().as_secs_f64());
        rivals.push((postgres.name(), ask_rival(&mut postgres, &index, numbers)));
    }
    if !rivals.is_empty() {
        compare(&alone, &rivals);
    }

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
        print("while 20,000 status changes a second arrive", &measure(&index, numbers));
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

    if let Some(directory) = argument("--files") {
        let directory = Path::new(&directory);
        let started = Instant::now();
        let report = index.save(directory, "bench", 1).expect("the index is written");
        println!(
            "written in {:.1} s: {:.1} bytes a flow on disk, {} segments",
            started.elapsed().as_secs_f64(),
            report.bytes as f64 / flows as f64,
            report.segments
        );
        let started = Instant::now();
        let read = Index::default();
        read.read(directory, "bench").expect("the index is read");
        println!("checked and opened in {:.2} s", started.elapsed().as_secs_f64());
        assert_eq!(read.len() as u64, flows);
    }
}
