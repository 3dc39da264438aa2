//! What the API can be told.

use ipnet::IpNet;
use std::time::Duration;

/// What the API is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Requests a second that an application may make without a limit of its own, and an address before it is
    /// known as whom it asks; 0 for no limit.
    pub requests_per_second: u32,
    /// Networks of the proxies whose `X-Forwarded-For` tells a client's address.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a body may take to arrive.
    pub request_timeout: Duration,
    /// Broken rules that an answer lists at most.
    pub errors_max: usize,
    /// Octets of large bodies that may be under way at the same time.
    pub bodies_bytes_max: usize,
    /// What providers call this server by, without a slash at its end; `None` if they do not.
    pub public_url: Option<String>,
    /// What short links start with; `None` if there are none.
    pub short_base: Option<String>,
}
