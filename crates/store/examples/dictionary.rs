//! Trains a dictionary for documents with made-up flows, writes it to a file, and prints how large documents
//! become with it and with others:
//! `cargo run --release --package store --example dictionary -- FILE [OTHER…]`.

use anyhow::{Context, ensure};
use flow::{Flow, FlowStatus, History};
use std::ffi::OsStr;
use zstd::bulk::Compressor;

/// Octets of the dictionary: larger ones make documents no smaller.
const OCTETS: usize = 16 * 1024;
/// Flows that it is trained with.
const FLOWS: usize = 40_000;
/// Flows that are measured; others than those that it is trained with.
const MEASURED: usize = 20_000;
/// The level that documents are compressed with.
const LEVEL: i32 = 3;

fn made_up(count: usize, seed: u64) -> impl Iterator<Item = Flow> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..count).map(move |_| flow::sample::made_up(&mut |below| random.usize(..below)))
}

fn main() -> anyhow::Result<()> {
    let paths: Vec<_> = std::env::args_os().skip(1).collect();
    let (path, others) = paths.split_first().context("the file to write is missing")?;
    let samples = made_up(FLOWS, 1).map(|flow| rmp_serde::to_vec_named(&flow));
    let dictionary = zstd::dict::from_samples(&samples.collect::<Result<Vec<_>, _>>()?, OCTETS)?;
    ensure!(dictionary.len() <= OCTETS, "the dictionary is too large");
    std::fs::write(path, &dictionary)?;
    println!("{} octets in {}", dictionary.len(), path.display());
    measure(path, &dictionary)?;
    others.iter().try_for_each(|other| measure(other, &std::fs::read(other)?))
}

/// Prints octets a document, with its history and without, of flows that one Sms ended, and of those that
/// failed over once and got through.
fn measure(name: &OsStr, dictionary: &[u8]) -> anyhow::Result<()> {
    let mut compressor = Compressor::with_dictionary(LEVEL, dictionary)?;
    compressor.include_dictid(false)?;
    for steps in [1, 2] {
        let is_measured =
            |flow: &Flow| flow.state.status == FlowStatus::Succeeded && flow.state.messages.len() == steps;
        let (mut flows, mut with, mut without) = (0, 0, 0);
        for mut flow in made_up(MEASURED, 2).filter(is_measured) {
            flows += 1;
            with += compressor.compress(&rmp_serde::to_vec_named(&flow)?)?.len();
            flow.history = History::default();
            without += compressor.compress(&rmp_serde::to_vec_named(&flow)?)?.len();
        }
        let each = |octets: usize| octets / flows.max(1);
        println!(
            "{}: {flows} flows, {steps} steps started: {} octets, without histories {}",
            name.display(),
            each(with),
            each(without)
        );
    }
    Ok(())
}
