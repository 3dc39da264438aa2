//! The API's JSON, both ways: requests into flows and searches, with every broken rule named; flows into
//! trackings. No HTTP, no I/O.

pub mod broken;
pub mod channel;
mod country;
pub mod error_body;
#[allow(missing_docs)] // Its members are the contract's.
pub mod events;
#[allow(missing_docs)] // Its members are the contract's.
pub mod health;
pub mod message_filter;
pub mod parameters;
pub mod problems;
pub mod read_plan;
pub mod read_search;
pub mod read_send;
pub mod read_statistics;
pub mod read_step;
mod reader;
pub mod reasons;
#[allow(missing_docs)] // Its members are the contract's.
pub mod refusals;
#[allow(missing_docs)] // Its members are the contract's.
pub mod search;
#[allow(missing_docs)] // Its members are the contract's.
pub mod send_view;
pub mod sentences;
#[allow(missing_docs)] // Its members are the contract's.
pub mod statistics;
pub mod step_reader;
#[allow(missing_docs)] // Its members are the contract's.
pub mod step_request;
#[allow(missing_docs)] // Its members are the contract's.
pub mod suppression;
pub mod time;
mod time_range;
#[allow(missing_docs)] // Its members are the contract's.
pub mod token;
#[allow(missing_docs)] // Its members are the contract's.
pub mod tracking;
pub mod typed_number;
#[allow(missing_docs)] // Its members are the contract's.
mod views;
#[allow(missing_docs)] // Its members are the contract's.
pub mod waits;
pub mod words;
mod written;

pub use country::country;
