//! SMPP clients against a minimal SMSC in the same process, over loopback.

mod contender;
mod smsc;

use clap::Parser;
use contender::Contender;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Compare `crates/smpp` with rusmppc: submits and receipts a second, the way of a submit to the SMSC, and bursts.
#[derive(Parser)]
struct Cli {
    /// Rounds; of each figure the median counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Messages of a measurement.
    #[arg(long, default_value_t = 100_000)]
    messages: usize,
    /// Bursts of receipts.
    #[arg(long, default_value_t = 1000)]
    bursts: usize,
}

/// A second, at which the way to the SMSC is measured without pressure.
const RATE: usize = 2000;
/// What is not acknowledged by then counts as never.
const PATIENCE: Duration = Duration::from_secs(1);
/// Sessions that have bursts at the same time.
const SESSIONS: usize = 20;

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // What each measurement is called, and its values by contender.
    let mut figures: Vec<(String, [Vec<f64>; 2])> = Vec::new();
    for run in 0..cli.runs {
        eprintln!("run {} of {}", run + 1, cli.runs);
        for (index, contender) in Contender::ALL.into_iter().enumerate() {
            for (place, (name, value)) in runtime.block_on(measure(&cli, contender))?.into_iter().enumerate()
            {
                if figures.len() == place {
                    figures.push((name, Default::default()));
                }
                figures[place].1[index].push(value);
            }
        }
    }
    println!(
        "{} runs, client and SMSC in one process on {} cores; the median (least to most)",
        cli.runs,
        std::thread::available_parallelism()?
    );
    let [ours, theirs] = Contender::ALL.map(Contender::name);
    println!("{:<56}{ours:>28}{theirs:>28}", "");
    for (name, mut values) in figures {
        let [ours, theirs] = values.each_mut().map(|values| spread(values));
        println!("{name:<56}{ours:>28}{theirs:>28}");
    }
    Ok(())
}

async fn measure(cli: &Cli, contender: Contender) -> anyhow::Result<Vec<(String, f64)>> {
    let mut figures = Vec::new();
    let mut tell = |name: String, value: f64| {
        eprintln!("{:>12} {name}: {value:.2}", contender.name());
        figures.push((name, value));
    };
    for window in [100, 10] {
        let (port, accepting) = smsc::listen().await?;
        let (esme, smsc) = tokio::try_join!(contender.bind(port, window), accepting)?;
        let (began, core) = (Instant::now(), core_seconds()?);
        let mut workers = JoinSet::new();
        for _ in 0..window {
            let (esme, count) = (esme.clone(), cli.messages / window);
            workers.spawn(async move {
                for _ in 0..count {
                    if !esme.submit().await {
                        return false;
                    }
                }
                true
            });
        }
        let accepted = workers.join_all().await.into_iter().all(|accepted| accepted);
        anyhow::ensure!(accepted, "a submit was not accepted");
        let count = (cli.messages / window * window) as f64;
        tell(format!("submits/s, window {window}"), count / began.elapsed().as_secs_f64());
        tell("  core time, µs each, SMSC included".to_owned(), (core_seconds()? - core) * 1e6 / count);
        tell("  p99 from the call to the SMSC, ms".to_owned(), p99_ms(&smsc));
    }
    for window in [1000, 10] {
        let (port, accepting) = smsc::listen().await?;
        let (_esme, smsc) = tokio::try_join!(contender.bind(port, 100), accepting)?;
        let (began, core) = (Instant::now(), core_seconds()?);
        let count = smsc.send_receipts(cli.messages, window, PATIENCE).await? as f64;
        tell(format!("receipts/s, {window} at once"), count / began.elapsed().as_secs_f64());
        tell("  core time, µs each, SMSC included".to_owned(), (core_seconds()? - core) * 1e6 / count);
        tell("  never acknowledged".to_owned(), cli.messages as f64 - count);
    }
    {
        let (port, accepting) = smsc::listen().await?;
        let (esme, smsc) = tokio::try_join!(contender.bind(port, 100), accepting)?;
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        let mut submits = JoinSet::new();
        for _ in 0..RATE * 2 / (RATE / 1000) {
            ticks.tick().await;
            for _ in 0..RATE / 1000 {
                let esme = esme.clone();
                submits.spawn(async move { esme.submit().await });
            }
        }
        submits.join_all().await;
        tell(format!("p99 from the call to the SMSC at {RATE}/s, ms"), p99_ms(&smsc));
    }
    let mut sessions = JoinSet::new();
    for session in 0..SESSIONS {
        let bursts = cli.bursts / SESSIONS;
        sessions.spawn(async move { in_bursts(contender, session * bursts..(session + 1) * bursts).await });
    }
    let told = sessions.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let longest = told.iter().map(|&(longest, _)| longest).max().unwrap_or_default();
    let never: u32 = told.iter().map(|&(_, never)| never).sum();
    tell(format!("longest of {} bursts of 1 to 100 receipts, ms", cli.bursts), longest.as_secs_f64() * 1e3);
    tell(format!("  bursts not acknowledged within {PATIENCE:?}"), f64::from(never));
    Ok(figures)
}

/// Bursts through one session, a new one behind each that is never acknowledged: the longest, and how many never are.
async fn in_bursts(contender: Contender, bursts: std::ops::Range<usize>) -> anyhow::Result<(Duration, u32)> {
    let (mut longest, mut never, mut session) = (Duration::ZERO, 0, None);
    for burst in bursts {
        let (esme, smsc, before) = match session.take() {
            Some(session) => session,
            None => {
                let (port, accepting) = smsc::listen().await?;
                let (esme, smsc) = tokio::try_join!(contender.bind(port, 100), accepting)?;
                (esme, smsc, 0)
            }
        };
        let count = 1 + burst * 61 % 100;
        match smsc.burst(before, count, PATIENCE).await? {
            Some(took) => {
                longest = longest.max(took);
                session = Some((esme, smsc, before + count));
            }
            None => never += 1,
        }
    }
    Ok((longest, never))
}

fn p99_ms(smsc: &smsc::Smsc) -> f64 {
    let mut latencies = smsc.latencies_us.lock().expect("no panic");
    latencies.sort_unstable();
    latencies.get(latencies.len() * 99 / 100).map_or(f64::NAN, |&us| us as f64 / 1000.0)
}

fn spread(values: &mut [f64]) -> String {
    values.sort_unstable_by(f64::total_cmp);
    let [least, median, most] = [0, values.len() / 2, values.len() - 1].map(|at| values[at]);
    let digits = if most < 100.0 { 2 } else { 0 };
    format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
}

/// What the process took of the cores, kernel included.
fn core_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // The clock has 100 ticks a second on Linux.
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}
