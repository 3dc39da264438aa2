//! The HTTP clients for requests to others' servers: providers, callback targets, speech engines, files of
//! calls. All are built here, so that all keep to the same rules.

use crate::trust;
use reqwest::{Client, ClientBuilder, redirect::Policy};
use std::time::Duration;
use tokio_rustls::rustls::{self, ClientConfig};

/// The value of `User-Agent`.
pub const USER_AGENT: &str = concat!("Switchback/", env!("CARGO_PKG_VERSION"));

/// Begins a client whose requests may take `timeout` each, their answers' bodies included: over HTTP/1.1, by
/// the usual public authorities over TLS, by the proxy of the environment (`HTTPS_PROXY`) and without
/// redirects. Bodies are read by [`crate::body::read`], which limits their size.
///
/// ```
/// # let _ = rustls::crypto::ring::default_provider().install_default();
/// use std::time::Duration;
///
/// let client = carriers::outbound::client(Duration::from_secs(15)).build()?;
/// # Ok::<(), reqwest::Error>(())
/// ```
pub fn client(timeout: Duration) -> ClientBuilder {
    Client::builder()
        .timeout(timeout)
        // A redirect would carry messages and secrets to where nobody configured.
        .redirect(Policy::none())
        .user_agent(USER_AGENT)
}

/// The settings of TLS for a client that is not built by [`client`]: the usual public authorities.
///
/// # Errors
/// When rustls refuses its own defaults.
pub fn tls() -> Result<ClientConfig, rustls::Error> {
    trust::client(trust::public_roots())
}
