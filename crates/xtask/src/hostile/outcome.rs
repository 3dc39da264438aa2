//! What a case came to, and whether that is within its bounds.

use super::bystander::Latencies;
use super::stage::Finding;
use serde_json::{Value, json};
use std::time::Duration;

/// The other application's p99 may grow by this factor, or to the floor, whichever is more.
const FACTOR_MAX: f64 = 5.0;
/// Below it the p99 counts as good, ms.
const FLOOR_MS: f64 = 50.0;

/// What a case came to.
pub struct Outcome {
    pub name: &'static str,
    pub about: &'static str,
    pub calm: Latencies,
    pub attacked: Latencies,
    pub peak_mib: u64,
    pub lives: bool,
    /// The attack did not end in time.
    pub hung: bool,
    /// Lines of the log that tell of a panic.
    pub panics: usize,
    /// How long the next start took, and the memory then; none where it did not start.
    pub restart: Option<(Duration, u64)>,
    pub finding: Finding,
    pub memory_max_mib: u64,
}

impl Outcome {
    /// What is beyond its bounds.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let bound = FLOOR_MS.max(FACTOR_MAX * self.calm.percentile_ms(99.0));
        if self.attacked.percentile_ms(99.0) > bound {
            faults.push(format!("p99 is over {bound:.0} ms"));
        }
        if self.attacked.failed > 0 {
            faults.push(format!("{} of the other's requests failed", self.attacked.failed));
        }
        if self.peak_mib > self.memory_max_mib {
            faults.push(format!("memory is over {} MiB", self.memory_max_mib));
        }
        if !self.lives {
            faults.push("the process ended".into());
        }
        if self.hung {
            faults.push("the attack hung and was ended".into());
        }
        if self.panics > 0 {
            faults.push(format!("{} panics in the log", self.panics));
        }
        if self.restart.is_none() {
            faults.push("no start afterwards".into());
        }
        faults.extend(
            self.finding
                .promises
                .iter()
                .filter(|promise| !promise.kept)
                .map(|promise| format!("promise not kept: {}", promise.text)),
        );
        faults
    }

    /// Prints its figures.
    pub fn print(&self) {
        let (calm, attacked) = (&self.calm, &self.attacked);
        println!(
            "{:<7}{:>7.1} /{:>7.1}{:>10.1} /{:>9.1}{:>8.1}{:>7}{:>8}{:>7}{:>10}   {}",
            self.name,
            calm.percentile_ms(50.0),
            calm.percentile_ms(99.0),
            attacked.percentile_ms(50.0),
            attacked.percentile_ms(99.0),
            attacked.percentile_ms(99.0) / calm.percentile_ms(99.0).max(0.001),
            attacked.failed,
            self.peak_mib,
            if self.lives { "yes" } else { "NO" },
            self.restart.map_or("NO".into(), |(took, mib)| format!("{:.1}s {mib}", took.as_secs_f64())),
            self.about,
        );
        println!("{:9}answers to the attack: {}", "", self.finding.answers);
        for promise in &self.finding.promises {
            println!("{:9}{}: {}", "", if promise.kept { "kept" } else { "NOT KEPT" }, promise.text);
        }
        let faults = self.faults();
        println!(
            "{:9}{}",
            "",
            if faults.is_empty() { "good".into() } else { format!("BAD: {}", faults.join("; ")) }
        );
    }

    /// Its figures as JSON.
    pub fn json(&self) -> Value {
        let latencies = |of: &Latencies| {
            json!({"p50_ms": of.percentile_ms(50.0), "p99_ms": of.percentile_ms(99.0), "requests": of.count(),
                "failed": of.failed})
        };
        json!({
            "case": self.name, "about": self.about, "calm": latencies(&self.calm),
            "attacked": latencies(&self.attacked), "peak_mib": self.peak_mib, "lives": self.lives,
            "hung": self.hung, "panics": self.panics, "answers": self.finding.answers.to_string(),
            "restart_s": self.restart.map(|(took, _)| took.as_secs_f64()),
            "promises": self.finding.promises.iter()
                .map(|promise| json!({"text": promise.text, "kept": promise.kept})).collect::<Vec<_>>(),
            "faults": self.faults(),
        })
    }
}
