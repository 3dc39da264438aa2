//! The listener's certificate.

use crate::config::{TlsConfig, certificate};
use anyhow::anyhow;
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::sign::SingleCertAndKey;
use std::sync::Arc;

/// What is spoken inside of TLS, the first one best (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [HTTP_2, b"http/1.1"];
/// HTTP/2 by the name that it has there.
pub const HTTP_2: &[u8] = b"h2";

/// The certificate in use, and where it is read from.
pub struct Certificate {
    paths: TlsConfig,
    current: RwLock<Arc<ServerConfig>>,
}

impl Certificate {
    /// Reads the certificate and its key.
    ///
    /// # Errors
    /// When they can't be used; it names the files.
    pub fn read(paths: TlsConfig) -> anyhow::Result<Certificate> {
        let current = RwLock::new(read(&paths)?);
        Ok(Certificate { paths, current })
    }

    /// Reads the certificate and its key again; connections keep theirs.
    ///
    /// # Errors
    /// When they can't be used; then the old ones stay.
    pub fn reload(&self) -> anyhow::Result<()> {
        *self.current.write() = read(&self.paths)?;
        Ok(())
    }

    /// What a new connection is set up with.
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read())
    }
}

fn read(paths: &TlsConfig) -> anyhow::Result<Arc<ServerConfig>> {
    let pair = certificate::read(paths).map_err(|problems| {
        let told: Vec<String> = problems.into_iter().map(|(key, rule)| format!("{key}: {rule}")).collect();
        anyhow!(told.join("; "))
    })?;
    let resolver = Arc::new(SingleCertAndKey::from(pair));
    let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(resolver);
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(Arc::new(config))
}
