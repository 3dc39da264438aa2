//! What the engine can be told. Reading it from a file and the environment is the server's.

mod callbacks;
mod carrier;
mod engine;
mod limits;
mod routing;

pub use callbacks::CallbackConfig;
pub use carrier::{COMMON_KEYS, CarrierConfig, CommonConfig, KindConfig, UnknownSubmit, is_name};
pub use engine::EngineConfig;
pub use limits::LimitsConfig;
pub use routing::{Choice, RouteConfig, SenderConfig};

use crate::rates::Rates;
use std::sync::Arc;
use std::time::Duration;

/// The longest that anything may be waited for: well below the engine's lease, after which a task is taken up again.
pub const ANSWER_MAX: Duration = Duration::from_secs(120);

/// The most that may be done at once: more is no limit, and beyond what a semaphore can count.
pub const AT_ONCE_MAX: usize = 1_000_000_000;

/// A key that breaks a rule, relative to its table, and the rule.
pub type BrokenKey = (String, String);

/// Everything that the engine is told.
pub struct Settings {
    /// How it works.
    pub engine: EngineConfig,
    /// How it makes callbacks.
    pub callbacks: CallbackConfig,
    /// What anybody outside may ask for at once.
    pub limits: LimitsConfig,
    /// The carriers, in their order.
    pub carriers: Vec<CarrierConfig>,
    /// Which carriers of a channel are tried for what, in which order.
    pub routes: Vec<RouteConfig>,
    /// Who may send as whom.
    pub senders: Vec<SenderConfig>,
    /// What carriers charge.
    pub rates: Arc<Rates>,
    /// Closed flows older than this are pruned, days; 0 keeps them for ever.
    pub retention_days: u32,
    /// For how long the wall clock must have been steady before anything is deleted because of its age.
    pub clock_agreement: Duration,
    /// What short links start with; `None` if there are none.
    pub short_base: Option<String>,
    /// What providers call this server by, without a slash at its end; `None` if they do not.
    pub public_url: Option<String>,
}
