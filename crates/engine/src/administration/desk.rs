//! Administration for those who must not wait in their thread.

use std::sync::Arc;
use store::{Admin, StoreError};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Pieces of work at the same time: those of one database follow each other anyhow, and most threads for
/// blocking work stay free for others.
const AT_ONCE: usize = 4;

/// Does administration on threads that may block: calls of an [`Admin`] may block theirs, and those of a
/// server must not.
#[derive(Clone)]
pub struct Desk {
    admin: Arc<dyn Admin>,
    turns: Arc<Semaphore>,
}

impl Desk {
    /// A desk over a store's administration.
    pub fn new(admin: Arc<dyn Admin>) -> Desk {
        Desk { admin, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Does work. Once it has begun it goes to its end, also if nobody waits for it any more. It needs a
    /// runtime of tokio.
    ///
    /// # Errors
    /// Those of the work; [`StoreError::Unavailable`] if the process ends meanwhile.
    pub async fn run<T, E, W>(&self, work: W) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        W: AsyncFnOnce(&dyn Admin) -> Result<T, E> + Send + 'static,
    {
        let admin = Arc::clone(&self.admin);
        // It is never closed.
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let runtime = Handle::current();
        let done = spawn_blocking(move || {
            let _turn = turn;
            runtime.block_on(work(&*admin))
        });
        done.await.unwrap_or_else(|error| Err(StoreError::unavailable(error).into()))
    }
}
