//! Everything that a server needs of a store, in one trait.

use crate::accounts::Accounts;
use crate::feed::Feed;
use crate::flows::Flows;
use crate::halts::Halts;
use crate::statistics::Statistics;
use crate::tasks::Tasks;
use crate::upkeep::Upkeep;

/// A whole store. Who needs one part of it takes that part's trait.
pub trait Store: Flows + Tasks + Accounts + Feed + Statistics + Halts + Upkeep + 'static {}

impl<T: Flows + Tasks + Accounts + Feed + Statistics + Halts + Upkeep + 'static> Store for T {}
