//! How the server and its carriers are.

use super::core::Service;
use super::readiness::Readiness;
use crate::clock::now_ms;
use crate::managed_carrier::{ManagedCarrier, Standing};
use crate::owed_work::OwedWork;
use flow::Channel;
use std::num::NonZeroU32;
use store::{Halt, HaltedCarrier, StoreError};

/// How a carrier is. Times are Unix milliseconds.
#[derive(Clone, PartialEq, Debug)]
pub struct CarrierFigures {
    /// Its configured name.
    pub name: String,
    /// Its kind, as the configuration calls it.
    pub kind: &'static str,
    /// The channels that it carries.
    pub channels: Vec<Channel>,
    /// Whether it could take a message now, as far as it knows, and since when: exact to a second, and since
    /// the start of the server at the earliest.
    pub standing: Standing,
    /// What keeps new messages from it, if an operator paused or drains it. It is drained when nothing is
    /// under way.
    pub halt: Option<HaltedCarrier>,
    /// The share of the last minute or two that went well, 0 to 1; `None` for too few messages.
    pub success: Option<f64>,
    /// How many messages may be under way at once.
    pub window: usize,
    /// How many are.
    pub under_way: usize,
    /// Messages a second at most.
    pub rate: Option<NonZeroU32>,
    /// Tasks that wait for it; those that any of several carriers could take are nobody's.
    pub waiting: usize,
    /// Since when the oldest of them is owed, exact to ten seconds.
    pub oldest_ms: Option<i64>,
    /// What a carrier of its kind has besides.
    pub figures: Vec<(&'static str, f64)>,
}

impl CarrierFigures {
    /// What operators want of it, in a word: `running`, `paused`, `draining`, or `drained`.
    pub fn state(&self) -> &'static str {
        match &self.halt {
            None => "running",
            Some(halted) if halted.halt == Halt::Draining && self.under_way == 0 => "drained",
            Some(halted) => halted.halt.name(),
        }
    }

    fn of(carrier: &ManagedCarrier, owed: &[OwedWork], now_ms: i64) -> CarrierFigures {
        let name = &carrier.config.name;
        let waiting = || owed.iter().filter(|owed| owed.carrier.as_ref() == Some(name));
        CarrierFigures {
            name: name.clone(),
            kind: carrier.kind,
            channels: carrier.config.channels.clone(),
            standing: carrier.standing(),
            halt: carrier.halt(),
            success: carrier.health.success(now_ms),
            window: carrier.config.window,
            under_way: carrier.under_way(),
            rate: carrier.config.rate,
            waiting: waiting().map(|owed| owed.count).sum(),
            oldest_ms: waiting().map(|owed| owed.oldest_ms).min(),
            figures: carrier.carrier.figures(),
        }
    }
}

impl Service {
    /// The carriers by name, and whether each could take a message now, as far as it knows.
    pub fn carriers(&self) -> impl Iterator<Item = (String, bool)> + '_ {
        let carriers = self.engine.carriers().iter();
        carriers.map(|carrier| (carrier.config.name.clone(), carrier.carrier.is_up()))
    }

    /// Heeds at once which carriers operators halted; without it that takes up to a second.
    ///
    /// # Errors
    /// When the store does not answer; what is known stays.
    pub async fn read_halts(&self) -> Result<(), StoreError> {
        self.engine.read_halts().await
    }

    /// How each carrier is, in the order of the configuration.
    pub fn carrier_figures(&self) -> Vec<CarrierFigures> {
        let (owed, now_ms) = (self.engine.owed_work(), now_ms());
        let carriers = self.engine.carriers().iter();
        carriers.map(|carrier| CarrierFigures::of(carrier, &owed, now_ms)).collect()
    }

    /// Whether flows are accepted now: `ok`, or why not.
    pub async fn readiness(&self) -> &'static str {
        if self.engine.is_closing() { "closing" } else { Readiness::ask(&self.readiness, self.store()).await }
    }
}
