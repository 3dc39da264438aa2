//! Calls that a trunk or an address is asked for, and those that are kept because nobody has answered yet.

use super::dialog::{Attempt, Event};
use super::media::Side;
use super::sdp::Local;
use super::trunk::Trunk;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::task::Poll;
use tokio::time::Instant;

/// Who is asked for a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// A trunk, by its position.
    Trunk(usize),
    /// The address itself.
    Address,
}

/// A call that somebody is asked for.
pub(super) struct Trial {
    pub(super) attempt: Attempt,
    /// Our side of the sound.
    pub(super) side: Side,
    /// Our side's session description.
    pub(super) local: Local,
    pub(super) choice: Choice,
    /// When it answered that it is trying (100).
    pub(super) trying_since: Option<Instant>,
}

impl Trial {
    /// The trunk that is asked, if it is one.
    pub(super) fn trunk<'a>(&self, trunks: &'a [Trunk]) -> Option<&'a Trunk> {
        match self.choice {
            Choice::Trunk(at) => trunks.get(at),
            Choice::Address => None,
        }
    }

    /// Waits for what happens next to any of several.
    pub(super) async fn next_of(trials: &mut [Trial]) -> (usize, Event) {
        std::future::poll_fn(|context| {
            for (at, trial) in trials.iter_mut().enumerate() {
                if let Poll::Ready(event) = trial.attempt.poll_next(context) {
                    return Poll::Ready((at, event));
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// Calls whose trunks were silent, by the part that they are for, until the step is submitted again.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) trials: Mutex<HashMap<String, Vec<Trial>>>,
}

impl Waiting {
    /// Takes the calls for a part; none if there are none.
    pub(super) fn take(&self, part: &str) -> Vec<Trial> {
        self.trials.lock().remove(part).unwrap_or_default()
    }
}
