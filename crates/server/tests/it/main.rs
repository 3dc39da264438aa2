//! The server end to end: a real listener, a real database, an HTTP client.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

mod callbacks;
mod callee;
mod course;
mod edge;
mod http;
mod jasmin;
mod kannel;
mod odd_smsc;
mod operating;
mod panics;
mod pausing;
mod peer;
mod presets;
mod privacy;
mod provider;
mod providers;
mod puppet;
mod refusals;
mod routing;
mod sandbox;
mod searching;
mod security;
mod sending;
mod smpp;
mod smsc;
mod statistics;
mod support;
mod tokens;
mod told;
mod understood;
mod voice;
mod voice_media;
mod voice_proxies;
mod voice_targets;
mod voice_trunks;
