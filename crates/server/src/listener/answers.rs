//! The answers under way on an HTTP/2 connection. Of HTTP/1.1, who takes nothing is noticed by a write that
//! can't go on; here each answer waits for room of its own, while the connection goes on.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Since when each answer waits for its client, and how many there may be.
pub struct Answers {
    state: Mutex<State>,
    turns: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    next: u64,
    waiting: HashMap<u64, Instant>,
}

/// An answer among them, until it is dropped.
pub struct Entry {
    all: Arc<Answers>,
    number: u64,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Answers {
    /// None yet; at most `most` requests are worked for at the same time.
    pub fn new(most: usize) -> Arc<Answers> {
        Arc::new(Answers { state: Mutex::default(), turns: Arc::new(Semaphore::new(most)) })
    }

    /// Waits until a request may be worked for.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    /// The answer of a request begins, in its turn.
    pub fn enter(self: &Arc<Answers>, turn: Option<OwnedSemaphorePermit>) -> Entry {
        let mut state = self.state.lock();
        state.next += 1;
        let number = state.next;
        state.waiting.insert(number, Instant::now());
        Entry { all: Arc::clone(self), number, _turn: turn }
    }

    /// Whether a client took nothing of some answer for so long.
    pub fn stalled(&self, patience: Duration) -> bool {
        self.state.lock().waiting.values().any(|since| since.elapsed() >= patience)
    }
}

impl Entry {
    /// The client takes more.
    pub fn goes_on(&self) {
        self.all.state.lock().waiting.insert(self.number, Instant::now());
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.all.state.lock().waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_is_noticed() {
        let (all, patience) = (Answers::new(2), Duration::from_secs(30));
        let [taken, deaf] = [all.enter(all.turn().await), all.enter(all.turn().await)];
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(!all.stalled(patience));
        taken.goes_on();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(all.stalled(patience));
        assert!(tokio::time::timeout(patience, all.turn()).await.is_err(), "both turns are taken");
        taken.goes_on();
        drop(deaf);
        assert!(all.turn().await.is_some());
        assert!(!all.stalled(patience));
    }
}
