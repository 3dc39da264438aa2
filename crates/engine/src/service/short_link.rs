//! Follows a short link (contract, section 2: `urlShortener`).

use super::core::Service;
use crate::clock::now_ms;
use store::StoreError;

impl Service {
    /// Where a short link leads, while it works.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn short_link(&self, code: String) -> Result<Option<String>, StoreError> {
        self.store().link(code, now_ms()).await
    }
}
