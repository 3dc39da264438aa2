//! The program as a process of its own.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

mod cli;
mod commands;
mod crash;
mod disk;
#[cfg(target_os = "linux")]
mod edge;
mod load;
mod secrets;
mod support;
mod users;
