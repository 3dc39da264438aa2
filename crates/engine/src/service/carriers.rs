//! How the server and its carriers are.

use super::core::Service;
use super::readiness::Readiness;

impl Service {
    /// The carriers by name, and whether each could take a message now, as far as it knows.
    pub fn carriers(&self) -> impl Iterator<Item = (String, bool)> + '_ {
        let carriers = self.engine.carriers().iter();
        carriers.map(|carrier| (carrier.config.name.clone(), carrier.carrier.is_up()))
    }

    /// Whether flows are accepted now: `ok`, or why not.
    pub async fn readiness(&self) -> &'static str {
        if self.engine.is_closing() { "closing" } else { Readiness::ask(&self.readiness, self.store()).await }
    }
}
