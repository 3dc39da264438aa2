//! Whose certificates are trusted over TLS: the authorities of a file, or the usual public ones.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// Why the authorities of a `tls_ca` can't be used. The text names the file and says nothing of what is in
/// it.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file can't be read, or a section of it is no PEM.
    #[error("tls_ca {}: {source}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// A certificate in it is none of an authority.
    #[error("tls_ca {}: {source}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The file has no certificate.
    #[error("tls_ca {}: there is no certificate (PEM) in it", .0.display())]
    Empty(PathBuf),
}

/// The authorities of a file, or the public ones if absent.
///
/// # Errors
/// [`TrustError`].
pub(crate) fn roots(tls_ca: Option<&Path>) -> Result<RootCertStore, TrustError> {
    let Some(path) = tls_ca else {
        return Ok(public_roots());
    };
    let pem = |source| TrustError::Pem { path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(pem)? {
        let added = roots.add(certificate.map_err(pem)?);
        added.map_err(|source| TrustError::Certificate { path: path.to_owned(), source })?;
    }
    if roots.is_empty() {
        return Err(TrustError::Empty(path.to_owned()));
    }
    Ok(roots)
}

/// The settings of a TLS client that trusts these authorities.
///
/// # Errors
/// When rustls refuses its own defaults.
pub(crate) fn client(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

/// The usual public authorities.
pub(crate) fn public_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}
