//! The embedded store: one SQLite file, the writer's connection, and readers beside it.

mod admin;
mod audit;
mod balances;
mod compacting;
mod counters;
mod database;
mod early;
mod halts;
mod inbound;
mod lives;
mod look_up;
mod open;
mod operators;
mod options;
mod quarantine;
mod reader;
mod references;
mod removing;
mod reserve;
mod rows;
mod schema;
mod statistics;
mod statistics_query;
mod statistics_rebuild;
mod suppressions;
mod unanswered;
mod unmatched;
mod write;

pub use admin::SqliteAdmin;
pub use open::SqliteStore;
pub use options::{OpenReport, SqliteOptions, Threads};
pub use reader::SqliteReader;
