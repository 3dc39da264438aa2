//! Costly searches: few at a time, applications in turns, each with a deadline, and on threads that come
//! after those that accept flows.

use super::turns::{TooManyWait, Turn, Turns};
use crate::config::LimitsConfig;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::{Application, StoreError};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// A runtime whose threads come after all others: documents are read on them as well.
///
/// # Errors
/// When there can be no threads.
pub fn runtime() -> std::io::Result<Runtime> {
    let threads = searches_at_once();
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads).max_blocking_threads(2 * threads).thread_name("search").enable_time();
    builder.on_thread_start(crate::priority::come_after_others).build()
}

/// Costly searches of all applications at the same time.
fn searches_at_once() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// What runs costly searches.
pub struct Searches {
    turns: Arc<Turns>,
    /// Of one application without a limit of its own, at the same time.
    most_of_one: usize,
    timeout: Duration,
    /// Where they run; in the caller's runtime where there is none.
    runtime: Option<Handle>,
}

/// Tells work that it is not waited for any more.
#[derive(Clone)]
pub struct Stop {
    deadline: Instant,
    left: Arc<AtomicBool>,
}

impl Stop {
    /// Whether somebody still waits, and there is time.
    pub fn goes_on(&self) -> bool {
        !self.left.load(Ordering::Relaxed) && Instant::now() < self.deadline
    }
}

/// Work that is waited for: ended when this is dropped.
struct Awaited<T> {
    task: JoinHandle<T>,
    left: Arc<AtomicBool>,
}

impl<T> Drop for Awaited<T> {
    fn drop(&mut self) {
        self.left.store(true, Ordering::Relaxed);
        self.task.abort();
    }
}

/// Why a search has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unanswered {
    /// Its turn did not come in time, or it took too long, or too many wait.
    #[error("it did not end within limits.search_timeout")]
    Overdue,
    /// The store failed, or an answer could not be written.
    #[error("it could not be read or written")]
    Failed,
}

impl From<StoreError> for Unanswered {
    fn from(error: StoreError) -> Unanswered {
        // The store itself tells the log when it begins to fail.
        tracing::debug!(%error, "the store failed a search");
        Unanswered::Failed
    }
}

impl Searches {
    /// Runs them by limits, in a runtime of their own or in the caller's.
    pub fn new(limits: &LimitsConfig, runtime: Option<Handle>) -> Searches {
        let (most_of_one, timeout) = (limits.searches_max, limits.search_timeout);
        // What runs in the caller's runtime, as in simulations, must not depend on the machine.
        let most = if runtime.is_some() { searches_at_once() } else { usize::MAX };
        Searches { turns: Turns::new(most), most_of_one, timeout, runtime }
    }

    /// Does costly work of an application when its turn comes. It has to wait and work within the limit.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn run<T, W>(&self, of: &Application, work: impl FnOnce(Stop) -> W) -> Result<T, Unanswered>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Unanswered>> + Send + 'static,
    {
        let deadline = Instant::now() + self.timeout;
        let turn = timeout_at(deadline, self.turns.take(&of.id, self.most_of(of))).await;
        let turn = turn.map_err(|_| Unanswered::Overdue)?.map_err(|TooManyWait| Unanswered::Overdue)?;
        self.work(turn, deadline, work).await
    }

    /// Does a part of what is being sent already. It may wait for its turn as long as it has to, and has to
    /// work within the limit.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn go_on<T, W>(&self, of: &Application, work: impl FnOnce(Stop) -> W) -> Result<T, Unanswered>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Unanswered>> + Send + 'static,
    {
        let turn = self.turns.take(&of.id, self.most_of(of)).await;
        let turn = turn.map_err(|TooManyWait| Unanswered::Overdue)?;
        self.work(turn, Instant::now() + self.timeout, work).await
    }

    fn most_of(&self, application: &Application) -> usize {
        let own = application.settings.limits.searches_max;
        own.map_or(self.most_of_one, |own| own.get() as usize)
    }

    async fn work<T, W>(
        &self,
        turn: Turn,
        deadline: Instant,
        work: impl FnOnce(Stop) -> W,
    ) -> Result<T, Unanswered>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Unanswered>> + Send + 'static,
    {
        if Instant::now() >= deadline {
            return Err(Unanswered::Overdue);
        }
        let left = Arc::new(AtomicBool::new(false));
        let work = work(Stop { deadline, left: Arc::clone(&left) });
        let work = async move {
            // The turn is over when the work is, not when nobody waits for it any more.
            let _turn = turn;
            timeout_at(deadline, work).await.unwrap_or(Err(Unanswered::Overdue))
        };
        let Some(runtime) = &self.runtime else { return work.await };
        let mut awaited = Awaited { task: runtime.spawn(work), left };
        (&mut awaited.task).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a search ended without an answer");
            Err(Unanswered::Failed)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::ApplicationSettings;

    fn application() -> Application {
        Application {
            id: "a".into(),
            name: "a".into(),
            secret_hash: [0; 32],
            created_ms: 0,
            revoked_ms: None,
            settings: ApplicationSettings::default(),
        }
    }

    fn limits(timeout: Duration) -> LimitsConfig {
        LimitsConfig { search_timeout: timeout, searches_max: 1, ..LimitsConfig::default() }
    }

    #[tokio::test]
    async fn a_search_has_a_deadline_for_its_turn_and_its_work() {
        let searches = Searches::new(&limits(Duration::from_millis(50)), None);
        let application = application();
        let endless = |_| std::future::pending::<Result<(), Unanswered>>();
        let first = searches.run(&application, endless);
        let second = searches.run(&application, |stop| async move { Ok(stop.goes_on()) });
        let (first, second) = tokio::join!(first, second);
        // The first one used its time up; the other one's was over with it, or just before it.
        assert!(matches!(first, Err(Unanswered::Overdue)));
        assert!(!matches!(second, Ok(true)));
        searches.go_on(&application, |_| async { Ok(()) }).await.unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn searches_come_after_others_and_end_with_who_waits() {
        let background = runtime().unwrap();
        let searches = Searches::new(&limits(Duration::from_secs(600)), Some(background.handle().clone()));
        let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let application = application();
        own.block_on(async {
            let nice = searches.run(&application, |_| async {
                let read = tokio::task::spawn_blocking(niceness);
                Ok((niceness(), read.await.map_err(|_| Unanswered::Failed)?))
            });
            let (working, reading) = nice.await.unwrap();
            assert!(working > niceness() && reading > niceness(), "{working} {reading}");

            let (begin, begun) = tokio::sync::oneshot::channel();
            let (sender, receiver) = tokio::sync::oneshot::channel();
            let busy = searches.run(&application, |stop| async move {
                let _ = begin.send(());
                // As the index works: it never waits, and asks now and then.
                while stop.goes_on() {
                    std::thread::yield_now();
                }
                let _ = sender.send(());
                Ok(())
            });
            tokio::select! {
                _ = busy => panic!("it works until nobody waits"),
                begun = begun => begun.unwrap(),
            }
            // Nobody waits for it any more.
            receiver.await.expect("it ended by itself");
        });
        background.shutdown_background();
    }

    #[cfg(target_os = "linux")]
    fn niceness() -> i32 {
        rustix::process::getpriority_process(None).unwrap()
    }
}
