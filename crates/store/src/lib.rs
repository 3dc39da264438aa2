//! Keeps flows and tasks, durably; reports what changed.
//!
//! [`Store`] is the whole interface, of small traits: [`Flows`], [`Tasks`], [`Accounts`], [`Feed`],
//! [`Statistics`], [`Halts`] and [`Upkeep`]. They speak of flows, events and tasks, never of SQL. Every
//! transaction touches one flow, and its application's balance if it has one. [`SqliteStore`] keeps
//! everything in one SQLite file; [`Admin`] is what commands and operators do beside a running server, and
//! [`SqliteAdmin`] does it on the same file.

mod accounts;
mod admin;
mod application;
mod audit;
mod batch;
mod cache;
mod database;
mod database_store;
mod document;
mod error;
mod failures;
mod feed;
mod flows;
mod halts;
mod inbound;
mod job;
mod lane;
mod later;
mod names;
mod operators;
mod place;
mod position;
mod queue;
mod reader;
mod recipient;
mod sealing;
mod shared;
mod sqlite;
mod statistics;
mod store;
mod suppression;
mod tasks;
mod turns;
mod unmatched;
mod upkeep;
mod waiting;
mod wanted;
mod work;
mod writer;

pub use accounts::{Accounts, Reserved, SubmitChecks};
pub use admin::{Admin, Compacted, DeadCallback, Quarantined};
pub use application::{
    Application, ApplicationLimits, ApplicationSettings, CallbackKey, NewApplication, Token, TokenTtl,
    callback_secret,
};
pub use audit::{Audit, AuditEntry, AuditQuery, NewAuditEntry, Outcome};
pub use database_store::DatabaseStore;
pub use error::{Cause, Result, StoreError};
pub use feed::{Change, ChangePage, Feed, Observer};
pub use flows::{Accepted, Flows, IdempotencyKey, Matched};
pub use halts::{Halt, HaltedCarrier, Halts};
pub use inbound::{InboundMessage, InboundOctets, InboundSegment, StoredInbound};
pub use lane::Lane;
pub use operators::{LinkPurpose, OneTimeLink, Operator, OperatorChange, Operators, Role, Session};
pub use position::Position;
pub use queue::{Admission, Admit, Offer, admit_all};
pub use reader::Reader;
pub use sealing::Keyring;
pub use sqlite::{OpenReport, SqliteAdmin, SqliteOptions, SqliteReader, SqliteStore, Threads};
pub use statistics::{RebuiltStatistics, Statistics, StatisticsQuery, StatisticsRow, StatisticsSums};
pub use store::Store;
pub use suppression::Suppression;
pub use tasks::{Claim, Tasks};
pub use unmatched::{UnmatchedReceipt, UnreadReceipt};
pub use upkeep::{Cutoffs, Pruned, Upkeep};
pub use waiting::{Wait, Waiting, Why};
