//! The listener's certificate.

use crate::config::TlsConfig;
use anyhow::{Context, bail};
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
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
        let current = RwLock::new(read(&paths).with_context(|| paths.to_string())?);
        Ok(Certificate { paths, current })
    }

    /// Reads the certificate and its key again; connections keep theirs.
    ///
    /// # Errors
    /// When they can't be used; then the old ones stay.
    pub fn reload(&self) -> anyhow::Result<()> {
        *self.current.write() = read(&self.paths).with_context(|| self.paths.to_string())?;
        Ok(())
    }

    /// What a new connection is set up with.
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read())
    }
}

fn read(paths: &TlsConfig) -> anyhow::Result<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(&paths.cert).context("server.tls.cert")?;
    let chain = chain.collect::<Result<Vec<_>, _>>().context("server.tls.cert")?;
    if chain.is_empty() {
        bail!("server.tls.cert: there is no certificate in it");
    }
    let key = PrivateKeyDer::from_pem_file(&paths.key).context("server.tls.key")?;
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(Arc::new(config))
}
