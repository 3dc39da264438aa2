//! The server end to end: a real listener, a real database, an HTTP client.

mod callbacks;
mod operating;
mod sandbox;
mod searching;
mod sending;
mod smpp;
mod smsc;
mod support;
mod tokens;
