//! How the server and its carriers are.

use super::core::Service;
use super::readiness::Readiness;

/// A carrier and how it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CarrierState {
    /// Its name.
    pub name: String,
    /// Whether it could take a message now, as far as it knows.
    pub is_up: bool,
}

impl Service {
    /// The carriers, in the order of the configuration.
    pub fn carriers(&self) -> Vec<CarrierState> {
        let carriers = self.engine.carriers().iter();
        let state = |name: &String, is_up| CarrierState { name: name.clone(), is_up };
        carriers.map(|carrier| state(&carrier.config.name, carrier.carrier.is_up())).collect()
    }

    /// Whether flows are accepted now: `ok`, or why not.
    pub async fn readiness(&self) -> &'static str {
        if self.engine.is_closing() { "closing" } else { Readiness::ask(&self.readiness, self.store()).await }
    }
}
