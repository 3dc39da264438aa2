//! Follows what operators want of carriers: those that are paused or drained get nothing new.

use crate::core::Engine;
use crate::managed_carrier::ManagedCarrier;
use store::{HaltedCarrier, StoreError};

impl Engine {
    /// Reads which carriers are halted, and tells the lanes where one may go on.
    ///
    /// # Errors
    /// When the store does not answer; what is known stays.
    pub async fn read_halts(&self) -> Result<(), StoreError> {
        let halted = self.store.halted_carriers().await?;
        let mut resumed = false;
        for carrier in &self.carriers {
            let halt = halted.iter().find(|halted| halted.carrier == carrier.config.name).cloned();
            if carrier.set_halt(halt.clone()) {
                log(carrier, halt.as_ref());
                resumed |= halt.is_none();
            }
        }
        if resumed {
            self.announce_room();
        }
        Ok(())
    }
}

fn log(carrier: &ManagedCarrier, halt: Option<&HaltedCarrier>) {
    let carrier = &carrier.config.name;
    match halt {
        Some(HaltedCarrier { halt, by, .. }) => {
            let halt = halt.name();
            tracing::warn!(carrier, halt, by, "nothing new goes to it until `switchback carrier resume`");
        }
        None => tracing::warn!(carrier, "the carrier is resumed"),
    }
}
