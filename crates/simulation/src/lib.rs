//! Runs whole servers in virtual time under faults drawn from a seed, and checks what the outside saw.
//!
//! A server is the real one: HTTP API, engine, store, index, callbacks. Its carriers and its callbacks'
//! target belong to a `World`, which also owns the clock and all chance, and outlives the server: a crash
//! drops the server's runtime with everything in it, and the next life opens the same files. Everything runs
//! on one thread, in tokio's paused time, which moves on when nobody has anything to do; so a seed tells the
//! whole course, and an hour takes milliseconds. (turmoil and madsim simulate networks and hosts, of which
//! there are none here; what is needed of them is what tokio has.) Then `check` compares what clients were
//! answered and what carriers and the target saw with what the trackings show. It does not know how the
//! server works.

mod api;
mod aside;
mod bug;
mod carrier;
mod check;
mod client;
mod course;
mod failure;
mod fault;
mod faults;
mod moment;
mod operator;
mod outside;
mod parties;
mod pause;
mod plan;
mod reach;
mod request;
mod run;
mod shrink;
mod smsc;
mod summary;
mod target;
mod trial;
mod world;

pub use bug::Bug;
pub use course::Course;
pub use failure::Failure;
pub use fault::Fault;
pub use plan::Plan;
pub use reach::{Met, Reach};
pub use run::{observe, run};
pub use shrink::shrink;
pub use summary::Summary;
pub use trial::Trial;
