//! Accepting flows.

use super::transaction::{Outcome, Stop, Work};
use crate::application::blind;
use crate::batch::NewKey;
use crate::document::Document;
use crate::error::{Result, StoreError};
use crate::flows::{Accepted, IdempotencyKey};
use crate::wanted::UsedKey;
use flow::Flow;
use std::sync::Arc;
use uuid::Uuid;

impl Work<'_> {
    /// Stores a new flow, whose document was made from it.
    pub(crate) fn accept(
        &mut self,
        flow: &Arc<Flow>,
        document: &Document,
        key: Option<&IdempotencyKey>,
        now_ms: i64,
    ) -> Outcome<Result<Accepted>> {
        if let Some(key) = key
            && let Some(answer) = self.use_key(flow, key, now_ms)?
        {
            return Ok(answer);
        }
        self.stage_new(flow, document);
        Ok(Ok(Accepted::New))
    }

    /// Uses an idempotency key; returns the answer if it was used before.
    fn use_key(
        &mut self,
        flow: &Flow,
        key: &IdempotencyKey,
        now_ms: i64,
    ) -> Outcome<Option<Result<Accepted>>> {
        let IdempotencyKey { key, body_hash } = key;
        let application = &flow.application;
        // Neither the key nor the body's hash is kept as it is: whoever reads the database can't try bodies.
        // Version 0.1 kept both, for a day.
        let secret_key = &self.context.secret_key;
        let body = blind(secret_key, "body", application, body_hash);
        let hidden = blind(secret_key, "key", application, key.as_bytes());
        let mut used_here = self.batch.keys.iter();
        let used_here = used_here.find(|used| used.key == hidden && used.application == *application);
        let used = match used_here {
            Some(used) => Some((used.body == body, used.flow)),
            None => {
                let of = (application.clone(), key.clone());
                let Some(used) = self.found.keys.get(&of) else {
                    self.wanted.keys.insert(of);
                    return Err(Stop::Missing);
                };
                let is_same = |used: &UsedKey| used.body_hash == body || used.body_hash == body_hash;
                used.as_ref().map(|used| (is_same(used), used.flow))
            }
        };
        if let Some((is_same, known)) = used {
            return self.replayed(is_same, known).map(Some);
        }
        let application = application.clone();
        self.batch.keys.push(NewKey { key: hidden, body, flow: flow.id, used_ms: now_ms, application });
        Ok(None)
    }

    /// The answer for a key that was used for a flow.
    fn replayed(&mut self, is_same: bool, known: Uuid) -> Outcome<Result<Accepted>> {
        if !is_same {
            return Ok(Err(StoreError::KeyReused));
        }
        // The flow outlives its key, unless it was erased: then nothing is sent again.
        Ok(match self.stage(known)? {
            Some(known) => Ok(Accepted::Replayed(Box::new(known.flow.as_ref().clone()))),
            None => Err(StoreError::KeySpent),
        })
    }
}
