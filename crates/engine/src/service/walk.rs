//! Goes through every flow that a search finds, in its order and in constant memory.

use super::core::Service;
use super::costly::{Stop, Unanswered};
use flow::Flow;
use index::{Key, Order, Predicate, Query, TextOperator};
use std::sync::Arc;
use uuid::Uuid;
use wire::message_filter::MessageFilter;

/// Places that the index is asked for at once.
const KEYS_MAX: usize = 4096;
/// Flows that are read at once, also where they are small.
pub const FLOWS_MAX: usize = 500;
/// Octets of the flows' documents that are read at once for an answer: what a client that reads nothing
/// holds.
pub const PIECE_BYTES: usize = 256 * 1024;

/// How far a walk is.
pub struct Walk {
    service: Arc<Service>,
    query: Query,
    filters: Vec<MessageFilter>,
    /// Places that the index found and that are not read yet, the next one last.
    keys: Vec<Key>,
    /// The index has no more.
    exhausted: bool,
    /// Octets of documents that are read at once.
    bytes_max: usize,
}

impl Walk {
    /// Through the matches of a query whose messages the filters let through. Each flow that was there at the
    /// start and still matches comes exactly once: the walk goes on behind the last one, not at a page's
    /// number. Flows of at most `bytes_max` octets are read at once.
    pub fn new(service: Arc<Service>, query: Query, filters: Vec<MessageFilter>, bytes_max: usize) -> Walk {
        let query = Query { offset: 0, limit: KEYS_MAX, ..query };
        Walk { service, query, filters, keys: Vec::new(), exhausted: false, bytes_max }
    }

    /// The next flows, perhaps none; `None` at the end.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn next(&mut self, stop: &Stop) -> Result<Option<Vec<Flow>>, Unanswered> {
        if self.keys.is_empty() && !self.exhausted {
            self.ask(stop)?;
        }
        if self.keys.is_empty() {
            return Ok(None);
        }
        let ids = self.keys.iter().rev().take(FLOWS_MAX).map(|key| key.1).collect();
        let flows = self.service.store().load_within(ids, self.bytes_max).await?;
        self.keys.truncate(self.keys.len().saturating_sub(flows.len()));
        let holds = |flow: &Flow| self.filters.iter().all(|filter| filter.holds(flow));
        Ok(Some(flows.into_iter().flatten().filter(holds).collect()))
    }

    /// Asks the index for the next places.
    fn ask(&mut self, stop: &Stop) -> Result<(), Unanswered> {
        let found = self.service.index().search_while(&self.query, &|| stop.goes_on());
        let found = found.ok_or(Unanswered::Overdue)?;
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

/// Whether the index answers within microseconds (docs/search.md): it looks through recipients for
/// `contains`, and where several conditions on them meet.
pub fn is_quick(query: &Query) -> bool {
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
