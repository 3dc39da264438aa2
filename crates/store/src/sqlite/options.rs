//! How a store is opened, and what was found then.

use crate::feed::Observer;
use crate::sealing::Keyring;
use flow::{Flow, Submit};
use std::num::NonZeroUsize;

/// Where a store's work is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Threads {
    /// Writes on a thread of their own, reads beside them, and every commit is on disk before it is answered.
    #[default]
    Own,
    /// Everything in the caller's runtime, in an order that depends on nothing but the calls, and commits
    /// that the operating system has: for simulations, where processes end and machines don't.
    Callers,
}

/// How a store is opened.
pub struct SqliteOptions {
    /// Where its work is done.
    pub threads: Threads,
    /// Writes that may wait; beyond it, new flows are refused.
    pub queue_max: usize,
    /// Octets that new flows that wait may have; beyond it, new flows are refused.
    pub queue_bytes_max: usize,
    /// Flows kept in memory for the events to come.
    pub cached_flows_max: NonZeroUsize,
    /// Octets of memory that they may take, about.
    pub cached_bytes_max: usize,
    /// The time, Unix milliseconds.
    pub now_ms: i64,
    /// What flows are sealed with on disk.
    pub keys: Keyring,
    /// Told every change.
    pub observer: Observer,
}

impl SqliteOptions {
    /// The limits of a server that is told none; nothing is sealed, and nobody is told of changes. `now_ms`
    /// is the time, Unix milliseconds.
    pub fn new(now_ms: i64) -> SqliteOptions {
        SqliteOptions {
            threads: Threads::Own,
            queue_max: 8192,
            queue_bytes_max: 64 << 20,
            cached_flows_max: const { NonZeroUsize::new(16_384).unwrap() },
            cached_bytes_max: 128 << 20,
            now_ms,
            keys: Keyring::default(),
            observer: Box::new(|_, _| {}),
        }
    }
}

/// What was found at opening.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenReport {
    /// Flows that owe something.
    pub owing_flows: usize,
    /// Parts whose hand-over to a carrier was under way when the process ended, and which are not handed over
    /// again (`unknown_submit = "wait"`).
    pub handed_parts: usize,
    /// Flows that are set aside: they can't be read, changed or stored.
    pub quarantined_flows: usize,
    /// Parts that are still to be handed over. Where the process was killed, some may have been
    /// (`unknown_submit = "resend"`).
    pub owed_parts: usize,
}

impl OpenReport {
    pub(super) fn count(&mut self, flow: &Flow) {
        self.owing_flows += 1;
        for part in flow.state.messages.iter().flat_map(|message| &message.parts) {
            match part.submit {
                Submit::Handed { .. } => self.handed_parts += 1,
                Submit::Owed { .. } => self.owed_parts += 1,
                Submit::Done => {}
            }
        }
    }
}
