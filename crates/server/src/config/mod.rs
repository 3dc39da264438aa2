//! `switchback.toml`: read, overridden by the environment, checked. `switchback.example.toml` explains every
//! key.

mod carrier;
pub mod certificate;
mod check;
mod listen;
mod origin;
mod paths;
mod problems;
mod read;
mod routing;
mod sections;
mod surroundings;
#[cfg(test)]
mod tests;

pub use engine::config::{
    CallbackConfig, CarrierConfig, CommonConfig, EngineConfig, KindConfig, LimitsConfig, RouteConfig,
    SenderConfig, UnknownSubmit,
};
pub use listen::{ListenError, parse_listen};
pub use origin::Origin;
pub use read::ENV_PREFIX;
pub use sections::{
    Config, ConfigError, ConsoleConfig, KeyError, PricingConfig, ServerConfig, StoreConfig, TlsConfig,
};
pub use surroundings::Surroundings;
