//! The composition root: configuration, data directory, listener, and the one assembly of everything behind
//! it.

mod assembly;
pub mod config;
pub mod data;
mod descriptors;
mod listener;
mod lock;
mod server;

pub use assembly::{Assembly, Data, database};
pub use lock::{Lock, lock};
pub use server::{Begin, Server};
// What a command line works with beside it.
pub use engine::{administration, clock, files, indexing, routing};
