//! What the engine can be told. Reading it from a file and the environment is the server's.

mod callbacks;
mod carrier;
mod engine;
mod limits;
mod routing;
mod rule;
mod settings;

pub use callbacks::CallbackConfig;
pub use carrier::{COMMON_KEYS, CarrierConfig, CommonConfig, KindConfig, UnknownSubmit, is_name};
pub use engine::EngineConfig;
pub use limits::LimitsConfig;
pub use routing::{Choice, RouteConfig, SenderConfig};
pub use rule::{ANSWER_MAX, AT_ONCE_MAX, BrokenKey};
pub use settings::Settings;
