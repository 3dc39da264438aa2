//! Requests over many connections at the same time: as fast as answers come, or at a rate.

use crate::load::Client;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What a run of requests came to; latencies are sorted.
pub struct Run {
    pub per_second: f64,
    pub latencies_us: Vec<u64>,
}

/// Sends all requests over the connections, as fast as answers come.
///
/// # Errors
/// When a connection fails, or an answer is not 200.
pub fn drive(address: &str, connections: usize, requests: &[Vec<u8>]) -> anyhow::Result<Run> {
    let started = Instant::now();
    let share = requests.len().div_ceil(connections);
    let latencies = std::thread::scope(|scope| {
        let drive_one = |requests: &'_ [Vec<u8>]| -> anyhow::Result<Vec<u64>> {
            let mut client = Client::connect(address)?;
            let mut latencies = Vec::with_capacity(requests.len());
            for request in requests {
                let asked = Instant::now();
                client.exchange(request)?;
                latencies.push(asked.elapsed().as_micros() as u64);
            }
            Ok(latencies)
        };
        let threads: Vec<_> =
            requests.chunks(share).map(|part| scope.spawn(move || drive_one(part))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<anyhow::Result<Vec<_>>>()
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let mut latencies_us = latencies.concat();
    latencies_us.sort_unstable();
    Ok(Run { per_second: requests.len() as f64 / seconds, latencies_us })
}

/// Sends `count` requests at a rate a second, however long answers take (an open loop), each over the
/// connection that is free first. Latencies count from when a request was due, so that a request that waits
/// for a connection counts as well (corrected for coordinated omission); µs, sorted.
///
/// # Errors
/// When a connection fails, or an answer is not 200.
pub fn pace(
    address: &str,
    connections: usize,
    rate: f64,
    count: usize,
    request: &(dyn Fn(usize) -> Vec<u8> + Sync),
) -> anyhow::Result<Vec<u64>> {
    let clients = (0..connections).map(|_| Client::connect(address)).collect::<anyhow::Result<Vec<_>>>()?;
    let (next, started) = (AtomicUsize::new(0), Instant::now());
    let send_some = |mut client: Client| -> anyhow::Result<Vec<u64>> {
        let mut latencies_us = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(latencies_us);
            }
            let request = request(number);
            let due = Duration::from_secs_f64(number as f64 / rate);
            std::thread::sleep(due.saturating_sub(started.elapsed()));
            client.exchange(&request)?;
            latencies_us.push(started.elapsed().saturating_sub(due).as_micros() as u64);
        }
    };
    let latencies = std::thread::scope(|scope| {
        let send_some = &send_some;
        let threads: Vec<_> =
            clients.into_iter().map(|client| scope.spawn(move || send_some(client))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<anyhow::Result<Vec<_>>>()
    })?;
    let mut latencies_us = latencies.concat();
    latencies_us.sort_unstable();
    Ok(latencies_us)
}

/// A percentile of sorted latencies in µs, as milliseconds; 0 of none.
pub fn percentile(sorted: &[u64], percent: f64) -> f64 {
    let at = (sorted.len() as f64 * percent / 100.0) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_many_few_and_none() {
        let thousand: Vec<u64> = (0..1000).map(|us| us * 1000).collect();
        assert_eq!([50.0, 99.0, 99.9].map(|percent| percentile(&thousand, percent)), [500.0, 990.0, 999.0]);
        assert_eq!(percentile(&[7000], 99.9), 7.0);
        assert_eq!(percentile(&[], 50.0), 0.0);
    }
}
