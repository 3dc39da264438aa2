//! The fuzz targets: each feeds a reader of a format from outside, or something that must hold whatever
//! happens, with any octets. A target panics where a promise is broken.
//!
//! `tests/inputs` feeds them the seeds and what it makes of seeds, for seconds; `cargo xtask fuzz` goes on
//! from there, guided by what ran (`fuzz/`), for as long as one likes.

mod api;
mod targets;

use targets::{
    audio, bodies, configurations, dial_plans, files, filters, heads, http_receipts, provider_answers,
    queries, sip_answers, smpp_pdus, smpp_receipts, smpp_session,
};

/// Something to feed.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name: of its file, of its folder of seeds, and for `cargo xtask fuzz`.
    pub name: &'static str,
    /// Takes one input, any octets.
    pub feed: fn(&[u8]),
    /// How many inputs a test makes of the seeds: about two seconds' worth, not optimized.
    pub inputs: usize,
}

/// Every target.
pub const TARGETS: [Target; 14] = [
    Target { name: "audio", feed: audio::feed, inputs: 1000 },
    Target { name: "bodies", feed: bodies::feed, inputs: 10_000 },
    Target { name: "configurations", feed: configurations::feed, inputs: 1000 },
    Target { name: "dial_plans", feed: dial_plans::feed, inputs: 5000 },
    Target { name: "files", feed: files::feed, inputs: 1000 },
    Target { name: "filters", feed: filters::feed, inputs: 10_000 },
    Target { name: "heads", feed: heads::feed, inputs: 10_000 },
    Target { name: "http_receipts", feed: http_receipts::feed, inputs: 40_000 },
    Target { name: "provider_answers", feed: provider_answers::feed, inputs: 200 },
    Target { name: "queries", feed: queries::feed, inputs: 20_000 },
    Target { name: "sip_answers", feed: sip_answers::feed, inputs: 15_000 },
    Target { name: "smpp_pdus", feed: smpp_pdus::feed, inputs: 60_000 },
    Target { name: "smpp_receipts", feed: smpp_receipts::feed, inputs: 40_000 },
    Target { name: "smpp_session", feed: smpp_session::feed, inputs: 20_000 },
];
