//! Who may do something costly next: few at a time, and applications take turns, so that nobody waits for all
//! that another one asked for before.

use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Those of one application that wait at most; a further one is refused at once.
const WAITING_MAX: usize = 256;

/// Turns that are taken and waited for.
pub struct Turns {
    /// At most so many at a time, of all applications.
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken: usize,
    applications: HashMap<String, Queue>,
    /// Those for which somebody waits, the next one first.
    order: VecDeque<String>,
}

/// One application's.
#[derive(Default)]
struct Queue {
    taken: usize,
    /// At most so many of its turns are taken at a time.
    most: usize,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

/// A turn, until it is dropped.
pub struct Turn {
    turns: Arc<Turns>,
    application: String,
}

/// Too many of the application wait already.
#[derive(Debug)]
pub struct TooManyWait;

impl Turns {
    /// At most `most` at a time.
    pub fn new(most: usize) -> Arc<Turns> {
        Arc::new(Turns { most, state: Mutex::default() })
    }

    /// Waits for a turn; an application has at most `most` of them at a time.
    ///
    /// # Errors
    /// [`TooManyWait`], at once.
    pub async fn take(self: &Arc<Turns>, application: &str, most: usize) -> Result<Turn, TooManyWait> {
        let (sender, turn) = oneshot::channel();
        {
            let mut state = self.state.lock();
            let queue = state.applications.entry(application.to_owned()).or_default();
            queue.most = most;
            queue.waiting.retain(|waiting| !waiting.is_closed());
            if queue.waiting.len() >= WAITING_MAX {
                return Err(TooManyWait);
            }
            queue.waiting.push_back(sender);
            if queue.waiting.len() == 1 && !state.order.iter().any(|known| known == application) {
                state.order.push_back(application.to_owned());
            }
        }
        self.hand_out();
        // A sender is only dropped together with who waits for it.
        turn.await.map_err(|_| TooManyWait)
    }

    /// Gives turns to those who wait, as far as there are some.
    fn hand_out(self: &Arc<Turns>) {
        // Given to somebody who left that moment, a turn comes back; that must not happen under the lock.
        let mut returned = Vec::new();
        let mut state = self.state.lock();
        while state.taken < self.most {
            let State { applications, order, taken } = &mut *state;
            let next = order.iter().position(|application| {
                applications.get(application).is_some_and(|queue| queue.taken < queue.most)
            });
            let Some(application) = next.and_then(|next| order.remove(next)) else { break };
            let Some(queue) = applications.get_mut(&application) else { continue };
            queue.waiting.retain(|waiting| !waiting.is_closed());
            let Some(waiting) = queue.waiting.pop_front() else {
                if queue.taken == 0 {
                    applications.remove(&application);
                }
                continue;
            };
            queue.taken += 1;
            *taken += 1;
            if !queue.waiting.is_empty() {
                order.push_back(application.clone());
            }
            let turn = Turn { turns: Arc::clone(self), application };
            returned.extend(waiting.send(turn).err());
        }
        drop(state);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        {
            let mut state = self.turns.state.lock();
            state.taken -= 1;
            if let Some(queue) = state.applications.get_mut(&self.application) {
                queue.taken -= 1;
                if queue.taken == 0 && queue.waiting.is_empty() {
                    state.applications.remove(&self.application);
                }
            }
        }
        self.turns.hand_out();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::pin::Pin;

    type Waiting = Pin<Box<dyn Future<Output = Result<Turn, TooManyWait>>>>;

    fn waits(turns: &Arc<Turns>, application: &'static str, most: usize) -> Waiting {
        let turns = Arc::clone(turns);
        let mut waiting: Waiting = Box::pin(async move { turns.take(application, most).await });
        assert!(waiting.as_mut().now_or_never().is_none());
        waiting
    }

    fn has(waiting: &mut Waiting) -> Option<Turn> {
        waiting.as_mut().now_or_never().map(Result::unwrap)
    }

    #[tokio::test]
    async fn applications_take_turns() {
        let turns = Turns::new(1);
        let first = turns.take("greedy", 9).await.unwrap();
        let mut greedy = [waits(&turns, "greedy", 9), waits(&turns, "greedy", 9)];
        let mut modest = waits(&turns, "modest", 9);
        drop(first);
        let second = has(&mut greedy[0]).unwrap();
        drop(second);
        assert!(has(&mut greedy[1]).is_none());
        let third = has(&mut modest).unwrap();
        drop(third);
        assert!(has(&mut greedy[1]).is_some());
    }

    #[tokio::test]
    async fn one_application_has_its_share_alone() {
        let turns = Turns::new(3);
        let taken = turns.take("a", 2).await.unwrap();
        let _taken = turns.take("a", 2).await.unwrap();
        let mut third = waits(&turns, "a", 2);
        let _other = turns.take("b", 2).await.unwrap();
        drop(taken);
        assert!(has(&mut third).is_some());
    }

    #[tokio::test]
    async fn who_leaves_keeps_nothing_and_too_many_are_refused_at_once() {
        let turns = Turns::new(1);
        let taken = turns.take("a", 1).await.unwrap();
        let waiting: Vec<_> = (0..WAITING_MAX).map(|_| waits(&turns, "a", 1)).collect();
        assert!(turns.take("a", 1).await.is_err());
        drop(waiting);
        let mut last = waits(&turns, "a", 1);
        drop(taken);
        drop(has(&mut last).unwrap());
        let state = turns.state.lock();
        assert!(state.taken == 0 && state.applications.is_empty() && state.order.is_empty());
    }
}
