//! Providers that are spoken to over HTTP, as a file describes them: see [`Provider`] and
//! docs/carriers-http.md.

mod answer;
mod auth;
mod breaker;
mod carrier;
mod client;
mod config;
mod error;
mod failure;
mod message;
mod preset;
mod provider;
mod receipts;
mod request;
mod template;
mod value;
mod verify;

pub use carrier::Http;
pub use config::HttpConfig;
pub use error::HttpError;
pub use provider::Provider;
