//! The embedded store: one SQLite file, one writer thread that commits in groups, and readers beside it.

mod admin;
mod balances;
mod cache;
mod counters;
mod early;
mod inbound;
mod job;
mod later;
mod lives;
mod names;
mod options;
mod quarantine;
mod refs;
mod removing;
mod reserve;
mod rows;
mod schema;
mod shared;
mod store;
mod suppressions;
mod unanswered;
mod unmatched;
mod work;
mod writer;

pub use admin::SqliteAdmin;
pub use options::{Ids, OpenReport, SqliteOptions, Threads};
pub use store::SqliteStore;
