//! Limits the calls that are prepared at the same time, and those of one application among them.

use super::unready::Unready;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a call waits for others that are being prepared.
const TURN_MAX: Duration = Duration::from_secs(10);

/// Turns to prepare a call: few at the same time, and one application never has all of them.
pub(super) struct Turns {
    all: Arc<Semaphore>,
    /// Turns of one application.
    each: usize,
    by_application: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// A turn; it ends with its value.
pub(super) struct Turn {
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
}

impl Turns {
    pub(super) fn new(most: usize) -> Turns {
        let each = most.saturating_sub(1).max(1);
        Turns { all: Arc::new(Semaphore::new(most)), each, by_application: Mutex::default() }
    }

    /// Waits for a turn of an application.
    pub(super) async fn take(&self, application: &str) -> Result<Turn, Unready> {
        let own = self.own(application);
        let turn = async {
            let own = own.acquire_owned().await.ok()?;
            let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some(Turn { _all: all, _own: own })
        };
        let turn = tokio::time::timeout(TURN_MAX, turn).await.ok().flatten();
        turn.ok_or(Unready::Busy("other calls are being prepared"))
    }

    fn own(&self, application: &str) -> Arc<Semaphore> {
        let mut known = self.by_application.lock();
        if let Some(own) = known.get(application).and_then(Weak::upgrade) {
            return own;
        }
        known.retain(|_, own| own.strong_count() > 0);
        let own = Arc::new(Semaphore::new(self.each));
        known.insert(application.to_owned(), Arc::downgrade(&own));
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn one_application_never_takes_all_turns() {
        let turns = Turns::new(3);
        let now = |application| turns.take(application).now_or_never().map(Result::unwrap);
        let (_one, _two) = (now("a").unwrap(), now("a").unwrap());
        assert!(now("a").is_none(), "it waits for its own");
        let other = now("b").unwrap();
        assert!(now("c").is_none(), "there are three in all");
        drop(other);
        assert!(now("c").is_some());
        assert!(turns.by_application.lock().len() <= 3, "who has gone is forgotten");
    }
}
