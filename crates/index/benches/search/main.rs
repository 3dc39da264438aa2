//! How long a search takes: total and ids of a page, the index alone, with new parameters for every
//! repetition; and beside it, with the same questions, what other engines take. Run by `cargo xtask bench
//! search`.
//!
//! Arguments: `--flows N`, `--recipients N`, `--only PART` of a class's name; `--sqlite DIR` to ask SQLite
//! too, `--postgres PARAMETERS` of an empty database to ask PostgreSQL too, `--python PROGRAM` that has their
//! packages to ask DuckDB and ClickHouse too, in `--sqlite`'s folder; `--files DIR` to write the index and
//! open it again.

mod classes;
mod generator;
mod rivals;

use classes::{Class, classes};
use flow::{Facets, FlowStatus};
use generator::{APPLICATIONS, DAYS, Generated, Generator, START_MS, application};
use index::Index;
use rivals::{Database, Embedded, Postgres, Sqlite};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Status changes a second in the second half.
const UPDATES: u64 = 20_000;
/// Rounds of questions; p99 is the median of theirs.
const ROUNDS: usize = 5;
/// Questions of a class in a round.
const REPETITIONS: usize = 400;
/// Questions before the first round.
const WARM_UP: usize = 40;
/// Words of the memory that is read for comparison.
const REFERENCE_WORDS: usize = 64 << 20;
/// Questions of a class that other engines get.
const RIVAL_QUESTIONS: usize = 20;

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4096
}

/// What a class took, in microseconds.
struct Measured {
    name: &'static str,
    median: f64,
    /// Of each round, sorted.
    p99: Vec<f64>,
    matches: usize,
}

impl Measured {
    /// Times rounds of a call that answers how many microseconds it took, and how much it found.
    fn of(name: &'static str, mut call: impl FnMut() -> (f64, usize)) -> Measured {
        for _ in 0..WARM_UP {
            call();
        }
        let (mut times, mut totals, mut p99) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let round: Vec<_> = (0..REPETITIONS).map(|_| call()).collect();
            let mut of_round: Vec<f64> = round.iter().map(|(time, _)| *time).collect();
            of_round.sort_by(f64::total_cmp);
            p99.push(percentile(&of_round, 99));
            times.extend(of_round);
            totals.extend(round.iter().map(|(_, total)| *total));
        }
        times.sort_by(f64::total_cmp);
        p99.sort_by(f64::total_cmp);
        totals.sort_unstable();
        Measured { name, median: percentile(&times, 50), p99, matches: totals[totals.len() / 2] }
    }
}

fn microseconds<T>(call: impl FnOnce() -> T) -> (f64, T) {
    let started = Instant::now();
    let result = std::hint::black_box(call());
    (started.elapsed().as_secs_f64() * 1e6, result)
}

fn measure(index: &Index, numbers: u64) -> Vec<Measured> {
    let measure = |class: Class| {
        let mut random = fastrand::Rng::with_seed(7);
        Measured::of(class.name, || {
            let query = class.ask(&mut random, numbers, index);
            let (time, found) = microseconds(|| index.search(&query));
            (time, found.total)
        })
    };
    let mut measured = machine();
    measured.extend(chosen().map(measure));
    measured
}

/// What the machine itself takes, and how its times scatter, while nothing of ours runs.
fn machine() -> Vec<Measured> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut seed = 1u64;
    let arithmetic = Measured::of("(5000 steps of arithmetic)", || {
        let step = |seed: u64, _| (seed ^ seed >> 13).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let (time, last) = microseconds(|| (0..5000).fold(seed, step));
        seed = last | 1;
        (time, 0)
    });
    let memory: Vec<u32> = (0..REFERENCE_WORDS as u32).map(|at| at.wrapping_mul(2_654_435_761)).collect();
    let reads = Measured::of("(32 dependent reads of 256 MB)", || {
        let first = random.usize(..REFERENCE_WORDS);
        let (time, _) = microseconds(|| (0..32).fold(first, |at, _| memory[at] as usize % REFERENCE_WORDS));
        (time, 0)
    });
    vec![arithmetic, reads]
}

/// The classes that are asked.
fn chosen() -> impl Iterator<Item = Class> {
    let only = argument("--only").unwrap_or_default();
    classes().into_iter().filter(move |class| class.name.contains(&only))
}

fn print(title: &str, measured: &[Measured]) {
    let columns = ["matches", "median µs", "p99 µs", "p99 of the rounds"];
    println!("\n{title:<52}{:>12}{:>12}{:>12}{:>20}", columns[0], columns[1], columns[2], columns[3]);
    for Measured { name, median, p99, matches } in measured {
        let (least, most) = (p99[0], p99[ROUNDS - 1]);
        println!("{name:<52}{matches:>12}{median:>12.1}{:>12.1}{least:>12.1}-{most:.1}", p99[ROUNDS / 2]);
    }
}

/// Asks another engine the first questions of each class; every answer must be the index's.
fn ask_rival(database: &mut dyn Database, index: &Index, numbers: u64) -> Vec<f64> {
    let median = |class: Class| {
        let mut random = fastrand::Rng::with_seed(7);
        // The first one only warms up: statements are prepared, pages are read.
        let mut times: Vec<f64> = Vec::new();
        for _ in 0..=RIVAL_QUESTIONS {
            let query = &class.ask(&mut random, numbers, index);
            let (time, (total, ids)) = microseconds(|| rivals::ask(database, query));
            times.push(time);
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
    let classes = measured.iter().filter(|measured| !measured.name.starts_with('('));
    for (at, Measured { name, median, .. }) in classes.enumerate() {
        print!("{name:<52}{median:>12.1}");
        rivals.iter().for_each(|(_, medians)| print!("{:>12.0}", medians[at]));
        let best = rivals.iter().map(|(_, medians)| medians[at]).fold(f64::INFINITY, f64::min);
        println!("{:>12.0}", best / median);
    }
}

/// A plain filter over a list: what a search costs without an index.
fn plain_filter(flows: &[Put]) -> f64 {
    let mut times: Vec<f64> = (0..60)
        .map(|i| {
            let from_ms = START_MS + i as i64;
            let started = Instant::now();
            let holds = |(_, created_ms, _, facets): &&Put| {
                *created_ms >= from_ms && facets.status == FlowStatus::Failed
            };
            std::hint::black_box(flows.iter().filter(holds).count());
            started.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    percentile(&times, 50)
}

fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

/// A flow as the index is told of it.
type Put = (String, i64, Uuid, Facets);

/// Fills an index, and returns some of its flows too.
fn fill(flows: u64, numbers: u64) -> (Index, Vec<Put>) {
    let before = resident_bytes();
    let index = Index::default();
    let mut sample = Vec::new();
    let started = Instant::now();
    let mut loader = index.loader();
    for (i, flow) in Generator::new(flows, numbers).enumerate() {
        let Generated { application: number, created_ms, id, facets } = flow;
        let name = application(number);
        if (i as u64).is_multiple_of((flows / 100_000).max(1)) {
            sample.push((name.clone(), created_ms, id, facets.clone()));
        }
        loader.add(&name, created_ms, id, &facets);
    }
    loader.finish();
    let spent = started.elapsed();
    println!(
        "{flows} flows of {APPLICATIONS} applications over {DAYS} days, {numbers} recipients; {} bytes a \
         flow in memory (with the sample of {}); built in {:.1} s, {:.0} flows/s",
        (resident_bytes() - before) / flows,
        sample.len(),
        spent.as_secs_f64(),
        flows as f64 / spent.as_secs_f64()
    );
    (index, sample)
}

/// Asks the other engines that the arguments name.
fn ask_rivals(index: &Index, flows: u64, numbers: u64) -> Vec<(&'static str, Vec<f64>)> {
    let mut rivals = Vec::new();
    let mut ask = |started: Instant, mut rival: Box<dyn Database>| {
        println!("{} was filled in {:.0} s", rival.name(), started.elapsed().as_secs_f64());
        rivals.push((rival.name(), ask_rival(&mut *rival, index, numbers)));
    };
    let flows_again = || Generator::new(flows, numbers);
    if let Some(directory) = argument("--sqlite") {
        let directory = Path::new(&directory);
        let started = Instant::now();
        let sqlite = Sqlite::fill(directory, flows_again()).expect("SQLite takes the flows");
        ask(started, Box::new(sqlite));
        for name in ["DuckDB", "ClickHouse"] {
            let Some(python) = argument("--python") else { continue };
            let started = Instant::now();
            let engine = Embedded::fill(name, &python, directory, flows_again());
            ask(started, Box::new(engine.expect("the engine takes the flows")));
        }
    }
    if let Some(parameters) = argument("--postgres") {
        let started = Instant::now();
        let postgres = Postgres::fill(&parameters, flows_again()).expect("PostgreSQL takes the flows");
        ask(started, Box::new(postgres));
    }
    rivals
}

/// Measures while changes of status arrive, in groups, as the store commits.
fn measure_beside_changes(index: &Index, sample: &[Put], numbers: u64) -> Vec<Measured> {
    let (stop, applied) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = fastrand::Rng::with_seed(3);
            let started = Instant::now();
            while !stop.load(Ordering::Relaxed) {
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
        let measured = measure(index, numbers);
        stop.store(true, Ordering::Relaxed);
        measured
    })
}

/// How many changes of status the index takes in a second, one after the other.
fn measure_changes(index: &Index, sample: &[Put]) {
    let started = Instant::now();
    for (name, created_ms, id, facets) in sample {
        let status =
            if facets.status == FlowStatus::Failed { FlowStatus::Succeeded } else { FlowStatus::Failed };
        index.put([(name.as_str(), *created_ms, *id, Facets { status, ..facets.clone() })]);
    }
    println!("\n{:.0} status changes a second, alone", sample.len() as f64 / started.elapsed().as_secs_f64());
}

/// Writes the index and opens it again.
fn measure_files(index: &Index, directory: &Path, flows: u64) {
    let started = Instant::now();
    let report = index.save(directory, "bench", &[1]).expect("the index is written");
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

fn main() {
    let number = |name: &str| argument(name).and_then(|number| number.parse::<u64>().ok());
    let flows = number("--flows").unwrap_or(1_000_000);
    let numbers = number("--recipients").unwrap_or((flows / 5).max(1000));
    let (index, sample) = fill(flows, numbers);
    println!(
        "a plain filter by status over a list of {} flows, for comparison: median {:.1} µs",
        sample.len(),
        plain_filter(&sample)
    );
    let alone = measure(&index, numbers);
    print("alone", &alone);
    let rivals = ask_rivals(&index, flows, numbers);
    if !rivals.is_empty() {
        compare(&alone, &rivals);
    }
    let title = "while 20,000 status changes a second arrive";
    print(title, &measure_beside_changes(&index, &sample, numbers));
    measure_changes(&index, &sample);
    if let Some(directory) = argument("--files") {
        measure_files(&index, Path::new(&directory), flows);
    }
}
