//! What the pages work with.

use crate::settings::Settings;
use api::request::failures::Failures;
use engine::administration::Desk;
use engine::service::Service;
use std::sync::Arc;

/// What the pages work with.
pub struct Console {
    pub(crate) service: Arc<Service>,
    pub(crate) desk: Desk,
    pub(crate) settings: Settings,
    /// Who guesses passwords.
    pub(crate) failures: Failures,
}

impl Console {
    /// The pages over these use cases; `desk` does what concerns people and applications.
    pub fn new(settings: Settings, service: Arc<Service>, desk: Desk) -> Arc<Console> {
        Arc::new(Console { service, desk, settings, failures: Failures::default() })
    }
}
