//! What the pages work with.

use crate::settings::Settings;
use api::request::failures::Failures;
use api::request::throttle::Throttle;
use engine::administration::Desk;
use engine::service::Service;
use std::net::IpAddr;
use std::sync::Arc;

/// What the pages work with.
pub struct Console {
    pub(crate) service: Arc<Service>,
    pub(crate) desk: Desk,
    pub(crate) settings: Settings,
    /// Who guesses passwords.
    pub(crate) failures: Failures,
    /// How often each address tries to sign in: a password takes long to compare, whosever it is.
    pub(crate) sign_ins: Throttle<IpAddr>,
    /// How often each operator who must not see numbers searches for them, by name.
    pub(crate) searches: Throttle<String>,
}

impl Console {
    /// The pages over these use cases; `desk` does what concerns people and applications.
    pub fn new(settings: Settings, service: Arc<Service>, desk: Desk) -> Arc<Console> {
        Arc::new(Console {
            service,
            desk,
            settings,
            failures: Failures::default(),
            sign_ins: Throttle::default(),
            searches: Throttle::default(),
        })
    }
}
