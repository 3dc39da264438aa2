//! Leaves nothing of a message. Ours, beyond the contract.

use super::core::Service;
use super::track::TrackError;
use crate::clock::now_ms;
use index::{Filter, Order, Predicate, Query, TextOperator};
use store::StoreError;
use uuid::Uuid;

/// Flows that are erased in one transaction.
const ERASED_MAX: usize = 200;

impl Service {
    /// Erases a flow of an application: its bodies, its recipients and what became of it. One that is under
    /// way is cancelled first.
    ///
    /// # Errors
    /// [`TrackError`].
    pub async fn erase(&self, application: &str, id: Uuid) -> Result<(), TrackError> {
        let flow = self.own(application, id).await?;
        let erased = self.store().erase(flow.application, vec![flow.id], now_ms()).await?;
        if erased == 1 { Ok(()) } else { Err(TrackError::NotFound) }
    }

    /// Erases every flow of an application with a step to a recipient, also if that step was never started;
    /// returns how many there were. `recipient` is as steps keep it: E.164, or a SIP address in full.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; those that were erased before it stay erased.
    pub async fn erase_recipient(&self, application: &str, recipient: &str) -> Result<usize, StoreError> {
        let predicate = Predicate::To(TextOperator::Is, recipient.to_owned());
        let query = Query {
            application: application.to_owned(),
            from: None,
            until: None,
            filters: vec![Filter { predicate, negated: false }],
            order: Order::OldestFirst,
            offset: 0,
            limit: ERASED_MAX,
        };
        let mut erased = 0;
        loop {
            let (application, recipient) = (application.to_owned(), recipient.to_owned());
            let later = self.store().flows_to_later_recipient(application.clone(), recipient, ERASED_MAX);
            let mut ids = later.await?;
            ids.extend(self.index().search(&query).keys.into_iter().map(|(_, id)| id));
            ids.sort_unstable();
            ids.dedup();
            ids.truncate(ERASED_MAX);
            let count = self.store().erase(application, ids, now_ms()).await?;
            if count == 0 {
                return Ok(erased);
            }
            erased += count;
        }
    }
}
