//! The running service without a door: the use cases, the lanes that do what is owed, routing, callbacks, the
//! index that follows the store, metrics and the clock.

pub mod administration;
mod callback_lane;
pub mod callbacks;
mod choosing;
pub mod clock;
mod clocks;
pub mod config;
mod core;
mod descriptions;
mod expire_lane;
pub mod files;
mod halts;
pub mod indexing;
mod managed_carrier;
pub mod metrics;
mod ongoing;
pub mod outside;
mod owed_work;
mod passing;
mod posting;
mod priority;
mod prune;
pub mod rates;
mod refusals;
pub mod routing;
mod run;
pub mod service;
mod sink;
mod slots;
mod start;
mod steady;
mod submit;
mod submit_lane;
mod targets;
mod waiting;
mod watch;
mod way;

pub use crate::core::Engine;
pub use managed_carrier::{ManagedCarrier, Standing};
pub use owed_work::{Because, OwedWork};
pub use refusals::Refusal;
pub use start::StartError;
