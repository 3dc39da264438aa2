//! The answers under way on an HTTP/2 connection. Of HTTP/1.1, who takes nothing is noticed by a write that can't go on;
//! here each answer waits for room of its own, while the connection goes on.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Since when each answer waits for its client.
#[derive(Default)]
pub struct Answers {
    state: Mutex<State>,
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
}

impl Answers {
    /// An answer begins.
    pub fn enter(self: &Arc<Answers>) -> Entry {
        let mut state = self.state.lock();
        state.next += 1;
        let number = state.next;
        state.waiting.insert(number, Instant::now());
        Entry { all: Arc::clone(self), number }
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
        let (all, patience) = (Arc::<Answers>::default(), Duration::from_secs(30));
        let [taken, deaf] = [all.enter(), all.enter()];
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(!all.stalled(patience));
        taken.goes_on();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(all.stalled(patience));
        drop(deaf);
        assert!(!all.stalled(patience));
    }
}
