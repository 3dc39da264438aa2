//! The other application: it sends plain messages at a steady rate, and wants its answers.

use crate::drive::percentile;
use crate::load::{Client, post};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Connections that it sends over.
const CONNECTIONS: usize = 4;
/// How long it waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long its accepts took, from when each was due.
pub struct Latencies {
    sorted_us: Vec<u64>,
    /// Requests that got no answer, or another one than 200.
    pub failed: usize,
}

impl Latencies {
    /// A percentile, ms.
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        if self.sorted_us.is_empty() { f64::NAN } else { percentile(&self.sorted_us, percent) }
    }

    /// How many were sent.
    pub fn count(&self) -> usize {
        self.sorted_us.len()
    }
}

/// A plain Sms of one part, which the sandbox delivers.
pub fn body(number: usize) -> String {
    let to = format!("+30691{:06}0", number % 1_000_000);
    let message = json!({"body": "Your code"});
    let step = json!({"type": "Sms", "order": 1, "from": "Bystander", "to": to, "message": message});
    json!({ "flow": [step] }).to_string()
}

/// Sends so many a second until it is told to end.
pub fn send(address: &str, token: &str, rate: f64, ended: &(dyn Fn() -> bool + Sync)) -> Latencies {
    let (next, started) = (AtomicUsize::new(0), Instant::now());
    let send_some = || {
        let (mut client, mut latencies_us, mut failed) = (None, Vec::new(), 0);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let due = Duration::from_secs_f64(number as f64 / rate);
            std::thread::sleep(due.saturating_sub(started.elapsed()));
            if ended() {
                return (latencies_us, failed);
            }
            let request = post("/failover", token, &body(number));
            // A connection that was closed while nothing was sent is opened again, as every client does.
            let sent = ask(&mut client, address, &request) || ask(&mut client, address, &request);
            failed += usize::from(!sent);
            latencies_us.push((started.elapsed() - due).as_micros() as u64);
        }
    };
    let (mut sorted_us, mut failed) = (Vec::new(), 0);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(send_some)).collect();
        for thread in threads {
            let (latencies_us, without) = thread.join().expect("no panic");
            sorted_us.extend(latencies_us);
            failed += without;
        }
    });
    sorted_us.sort_unstable();
    Latencies { sorted_us, failed }
}

/// Whether a request was answered 200; without an answer the connection is given up.
fn ask(client: &mut Option<Client>, address: &str, request: &[u8]) -> bool {
    let connect = || -> anyhow::Result<Client> {
        let mut client = Client::connect(address)?;
        client.set_timeout(PATIENCE)?;
        Ok(client)
    };
    if client.is_none() {
        *client = connect().ok();
    }
    let answered = client.as_mut().is_some_and(|client| client.exchange(request).is_ok());
    if !answered {
        *client = None;
        // So that a server that is gone is not asked as fast as it can refuse.
        std::thread::sleep(Duration::from_millis(10));
    }
    answered
}
