//! Finds flows: the total and a page of them (contract, section 4).

use super::core::Service;
use super::costly::{Stop, Unanswered};
use super::walk::{Walk, is_quick};
use flow::Flow;
use index::{Found, Query};
use std::sync::Arc;
use store::{Application, StoreError};
use uuid::Uuid;
use wire::message_filter::MessageFilter;

/// Most flows that are read for one page.
const READ_MAX: usize = 200_000;
/// Octets of their documents that are read at once: few do so at a time.
const READ_BYTES: usize = 2 << 20;

/// What a search finds.
#[derive(Debug)]
pub struct Matches {
    /// How many flows match, exactly.
    pub total: usize,
    /// Those of the page, in order.
    pub ids: Vec<Uuid>,
}

/// Why a search has no result.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Filters on messages would read more flows than is allowed.
    #[error(
        "leaves {left} flows to be read for messageStatus, from, label, country or operator, and must leave at most \
         {READ_MAX}: narrow the range, add filters, or export"
    )]
    TooMany {
        /// The flows that the other filters leave.
        left: usize,
    },
    /// It has no answer now.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
}

impl Service {
    /// Finds the flows of an application that match a query and filters on messages. What is costly waits for
    /// its turn.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn find(
        self: &Arc<Self>,
        application: &Application,
        query: Query,
        filters: Vec<MessageFilter>,
    ) -> Result<Matches, FindError> {
        if !filters.is_empty() {
            let service = Arc::clone(self);
            return self
                .searches
                .run(application, |stop| read_through(service, query, filters, stop))
                .await?;
        }
        if is_quick(&query) {
            return Ok(matches(self.index().search(&query)));
        }
        let index = Arc::clone(self.index());
        let ask = move |stop: Stop| async move {
            let found = index.search_while(&query, &|| stop.goes_on()).ok_or(Unanswered::Overdue)?;
            Ok(matches(found))
        };
        Ok(self.searches.run(application, ask).await?)
    }

    /// Reads the first of these flows, as many as have at most `bytes_max` octets on disk together, and at
    /// least one; `None` for one that is gone.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn read_flows(
        &self,
        ids: Vec<Uuid>,
        bytes_max: usize,
    ) -> Result<Vec<Option<Flow>>, StoreError> {
        self.store().load_within(ids, bytes_max).await
    }
}

fn matches(found: Found) -> Matches {
    Matches { total: found.total, ids: found.keys.into_iter().map(|(_, id)| id).collect() }
}

/// Reads every flow that the index leaves. The flows of the page are read again for the answer, since they
/// may be large together.
async fn read_through(
    service: Arc<Service>,
    query: Query,
    filters: Vec<MessageFilter>,
    stop: Stop,
) -> Result<Result<Matches, FindError>, Unanswered> {
    let count = Query { offset: 0, limit: 0, ..query.clone() };
    let candidates = service.index().search_while(&count, &|| stop.goes_on()).ok_or(Unanswered::Overdue)?;
    if candidates.total > READ_MAX {
        return Ok(Err(FindError::TooMany { left: candidates.total }));
    }
    let (offset, limit) = (query.offset, query.limit);
    let mut walk = Walk::new(service, query, filters, READ_BYTES);
    let mut matches = Matches { total: 0, ids: Vec::new() };
    while let Some(flows) = walk.next(&stop).await? {
        for flow in flows {
            if matches.total >= offset && matches.ids.len() < limit {
                matches.ids.push(flow.id);
            }
            matches.total += 1;
        }
    }
    Ok(Ok(matches))
}
