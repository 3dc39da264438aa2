//! What the configuration says of the console.

use ipnet::IpNet;

/// What the configuration says of the console.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Networks of the proxies whose `X-Forwarded-For` tells a client's address.
    pub trusted_proxies: Vec<IpNet>,
    /// The country of numbers that are typed without one (ISO 3166-1 alpha-2).
    pub country: Option<String>,
    /// Browsers reach it over TLS, so that its cookies go over nothing else.
    pub is_secure: bool,
    /// Names of the carriers that only play: nothing that they take reaches anybody.
    pub sandboxes: Vec<String>,
}
