//! Whether flows can be accepted now: found out by writing, for all who ask together.

use std::time::Duration;
use store::{Store, StoreError};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How long what was found out holds: at most so often something is written for those who ask.
const HOLDS: Duration = Duration::from_secs(1);
/// A store that takes longer for a write makes clients wait too long.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was found out last, and when.
#[derive(Default)]
pub struct Readiness {
    last: Mutex<Option<(Instant, &'static str)>>,
}

impl Readiness {
    /// `ok`, or why flows would be refused now.
    pub async fn ask(&self, store: &dyn Store) -> &'static str {
        // Whoever asks meanwhile waits for the same answer.
        let mut last = self.last.lock().await;
        if let Some((at, status)) = *last
            && at.elapsed() < HOLDS
        {
            return status;
        }
        let status = match timeout(PATIENCE, store.probe()).await {
            Ok(Ok(())) => "ok",
            Ok(Err(StoreError::Overloaded)) => "store overloaded",
            Ok(Err(_)) => "store unavailable",
            Err(_) => "store slow",
        };
        *last = Some((Instant::now(), status));
        status
    }
}
