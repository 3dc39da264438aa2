//! Trains a dictionary for documents with made-up flows, and writes it to a file:
//! `cargo run --release --package store --example dictionary -- FILE`.

use anyhow::{Context, ensure};

/// Octets of the dictionary: larger ones make documents no smaller.
const OCTETS: usize = 16 * 1024;
/// Flows that it is trained with.
const FLOWS: usize = 40_000;

fn main() -> anyhow::Result<()> {
    let path = std::env::args_os().nth(1).context("the file to write is missing")?;
    let mut random = fastrand::Rng::with_seed(1);
    let mut samples = Vec::new();
    for _ in 0..FLOWS {
        samples.push(rmp_serde::to_vec_named(&flow::sample::made_up(&mut |below| random.usize(..below)))?);
    }
    let dictionary = zstd::dict::from_samples(&samples, OCTETS)?;
    ensure!(dictionary.len() <= OCTETS, "the dictionary is too large");
    std::fs::write(&path, &dictionary)?;
    println!("{} octets in {}", dictionary.len(), path.display());
    Ok(())
}
