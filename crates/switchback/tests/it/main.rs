//! The program as a process of its own.

mod cli;
mod crash;
mod support;
