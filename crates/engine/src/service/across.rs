//! What a person may see: the flows of several applications as one list.

use super::core::Service;
use super::find::{FindError, Matches};
use super::track::TrackError;
use flow::Flow;
use index::{Order, Query};
use std::sync::Arc;
use store::Application;
use uuid::Uuid;
use wire::message_filter::MessageFilter;

/// Most flows before a page of several applications: each application's are looked through for it.
pub const ACROSS_MAX: usize = 10_000;

impl Service {
    /// The flow with an id, if it belongs to one of these applications.
    ///
    /// # Errors
    /// [`TrackError`].
    pub async fn track_across(&self, applications: &[Application], id: Uuid) -> Result<Flow, TrackError> {
        let found = self.store().load(vec![id]).await?.pop().flatten();
        let is_theirs = |flow: &Flow| applications.iter().any(|of| of.id == flow.application);
        found.filter(is_theirs).ok_or(TrackError::NotFound)
    }

    /// Finds the flows of several applications that match a query (its own application does not matter) and
    /// filters on messages, in the order of their ids, which is that of their acceptance. Of several
    /// applications a page begins after at most [`ACROSS_MAX`] flows; a later one is empty.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn find_across(
        self: &Arc<Self>,
        applications: &[Application],
        query: Query,
        filters: &[MessageFilter],
    ) -> Result<Matches, FindError> {
        let of = |application: &Application| Query { application: application.id.clone(), ..query.clone() };
        if let [application] = applications {
            return self.find(application, of(application), filters.to_vec()).await;
        }
        let mut matches = Matches { total: 0, ids: Vec::new() };
        let limit = if query.offset > ACROSS_MAX { 0 } else { query.offset + query.limit };
        for application in applications {
            let query = Query { offset: 0, limit, ..of(application) };
            let found = self.find(application, query, filters.to_vec()).await?;
            matches.total += found.total;
            matches.ids.extend(found.ids);
        }
        matches.ids.sort_unstable();
        if query.order == Order::NewestFirst {
            matches.ids.reverse();
        }
        matches.ids = matches.ids.into_iter().skip(query.offset).take(query.limit).collect();
        Ok(matches)
    }
}
