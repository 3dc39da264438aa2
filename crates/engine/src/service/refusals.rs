//! Keeps and shows the requests that were refused to an application.

use super::core::Service;
use crate::refusals::Refusal;

impl Service {
    /// Keeps that a request of an application was refused.
    pub fn note_refusal(&self, application: &str, refusal: Refusal) {
        self.refusals.add(application, refusal);
    }

    /// The last requests that were refused to an application since the server started, newest first: at most
    /// 1,000.
    pub fn refusals(&self, application: &str) -> Vec<Refusal> {
        self.refusals.of(application)
    }
}
