//! Goes through every flow that a search finds, in its order and in constant memory.

use super::Api;
use super::message_filter::MessageFilter;
use super::tracking::TrackingView;
use index::{Found, Key, Order, Predicate, Query, TextOperator};
use std::sync::Arc;
use tokio::task::JoinError;
use uuid::Uuid;

/// Places that the index is asked for at once.
const KEYS_MAX: usize = 20_000;
/// Flows that are read at once.
const FLOWS_MAX: usize = 500;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How far a walk is.
pub struct Walk {
    api: Arc<Api>,
    query: Query,
    filters: Vec<MessageFilter>,
    /// Places that the index found and that are not read yet, the next one last.
    keys: Vec<Key>,
    /// The index has no more.
    exhausted: bool,
}

impl Walk {
    /// Through the matches of a query whose messages the filters let through. Each flow that was there at the start
    /// and still matches comes exactly once: the walk goes on behind the last one, not at a page's number.
    pub fn new(api: Arc<Api>, query: Query, filters: Vec<MessageFilter>) -> Walk {
        let query = Query { offset: 0, limit: KEYS_MAX, ..query };
        Walk { api, query, filters, keys: Vec::new(), exhausted: false }
    }

    /// The next trackings, perhaps none; nothing at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<TrackingView>>, Failure> {
        if self.keys.is_empty() && !self.exhausted {
            self.ask().await?;
        }
        if self.keys.is_empty() {
            return Ok(None);
        }
        let next = self.keys.split_off(self.keys.len().saturating_sub(FLOWS_MAX));
        let flows = self.api.store.load(next.iter().rev().map(|key| key.1).collect()).await?;
        let trackings = flows.iter().flatten().map(|flow| TrackingView::of(flow, &flow.state));
        let holds = |tracking: &TrackingView| self.filters.iter().all(|filter| filter.holds(tracking));
        Ok(Some(trackings.filter(holds).collect()))
    }

    /// Asks the index for the next places.
    async fn ask(&mut self) -> Result<(), Failure> {
        let found = ask_index(&self.api, self.query.clone()).await?;
        self.exhausted = found.keys.len() < KEYS_MAX;
        if let Some(last) = found.keys.last() {
            match self.query.order {
                Order::NewestFirst => self.query.until = Some(*last),
                Order::OldestFirst => self.query.from = Some(behind(*last)),
            }
        }
        self.keys = found.keys;
        self.keys.reverse();
        Ok(())
    }
}

/// Asks the index; off the async threads where it may take milliseconds, which would hold up whoever shares one.
pub async fn ask_index(api: &Api, query: Query) -> Result<Found, JoinError> {
    let index = Arc::clone(&api.index);
    if is_quick(&query) {
        return Ok(index.search(&query));
    }
    tokio::task::spawn_blocking(move || index.search(&query)).await
}

/// Whether the index answers within microseconds (docs/search.md): it looks through recipients for `contains`, and where
/// several conditions on them meet.
fn is_quick(query: &Query) -> bool {
    let mut operators = query.filters.iter().filter_map(|filter| match filter.predicate {
        Predicate::To(operator, _) => Some(operator),
        _ => None,
    });
    operators.next().is_none_or(|operator| operator != TextOperator::Contains) && operators.next().is_none()
}

/// The first place behind one.
fn behind((ms, id): Key) -> Key {
    match id.as_u128().checked_add(1) {
        Some(next) => (ms, Uuid::from_u128(next)),
        None => (ms.saturating_add(1), Uuid::nil()),
    }
}
