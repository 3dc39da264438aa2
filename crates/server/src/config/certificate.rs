//! The listener's certificate and its key.

use super::sections::TlsConfig;
use rustls::Error;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};

/// Something that keeps a certificate from being used: the key of the configuration, and the rule.
pub type Problem = (&'static str, String);

/// Reads a certificate and its key.
///
/// # Errors
/// What keeps them from being used, all of it.
pub fn read(tls: &TlsConfig) -> Result<CertifiedKey, Vec<Problem>> {
    let chain = certificates(&tls.cert).map_err(|error| ("server.tls.cert", error.to_string()));
    let key = private_key(&tls.key).map_err(|error| ("server.tls.key", error.to_string()));
    match (chain, key) {
        (Ok(chain), Ok(key)) => {
            let pair = CertifiedKey::from_der(chain, key, &ring::default_provider());
            pair.map_err(|error| vec![told(tls, &error)])
        }
        (chain, key) => Err(chain.err().into_iter().chain(key.err()).collect()),
    }
}

fn told(tls: &TlsConfig, error: &Error) -> Problem {
    match error {
        Error::InconsistentKeys(_) => {
            let (key, cert) = (tls.key.display(), tls.cert.display());
            ("server.tls.key", format!("{key}: is not the key of the certificate in {cert}"))
        }
        Error::InvalidCertificate(_) => ("server.tls.cert", format!("{}: {error}", tls.cert.display())),
        _ => ("server.tls.key", format!("{}: {error}", tls.key.display())),
    }
}

/// Why a PEM file can't be used.
#[derive(Debug, thiserror::Error)]
enum PemError {
    /// It can't be read.
    #[error("{}: {source}", .path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// It is no PEM.
    #[error("{}: {source}", .path.display())]
    Malformed { path: PathBuf, source: pem::Error },
    /// It lacks what it is for.
    #[error("{}: there is no {what} (PEM) in it", .path.display())]
    Missing { path: PathBuf, what: &'static str },
}

fn read_file(path: &Path) -> Result<Vec<u8>, PemError> {
    std::fs::read(path).map_err(|source| PemError::Unreadable { path: path.into(), source })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let text = read_file(path)?;
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|source| PemError::Malformed { path: path.into(), source })?;
    if chain.is_empty() {
        return Err(PemError::Missing { path: path.into(), what: "certificate" });
    }
    Ok(chain)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    PrivateKeyDer::from_pem_slice(&read_file(path)?).map_err(|error| match error {
        pem::Error::NoItemsFound => PemError::Missing { path: path.into(), what: "private key" },
        source => PemError::Malformed { path: path.into(), source },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_18_a_certificate_that_can_not_be_used_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let pair = || rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let (one, other) = (pair(), pair());
        let cert = write("cert", &one.cert.pem());
        let key = write("key", &one.signing_key.serialize_pem());
        let others = write("others", &other.signing_key.serialize_pem());
        let (empty, nowhere) = (write("empty", "nothing\n"), directory.path().join("nowhere"));
        let broken = write("broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        let check = |cert: &Path, key: &Path| {
            read(&TlsConfig { cert: cert.into(), key: key.into() }).err().unwrap_or_default()
        };
        assert_eq!(check(&cert, &key), []);
        for (cert, key, told) in [
            (&nowhere, &key, &[("server.tls.cert", "No such file")][..]),
            (&empty, &key, &[("server.tls.cert", "there is no certificate")]),
            (&broken, &key, &[("server.tls.cert", "invalid peer certificate")]),
            (&cert, &empty, &[("server.tls.key", "there is no private key")]),
            (&cert, &others, &[("server.tls.key", "is not the key of the certificate")]),
            (&nowhere, &empty, &[("server.tls.cert", "No such file"), ("server.tls.key", "no private key")]),
        ] {
            let found = check(cert, key);
            assert_eq!(found.len(), told.len(), "{found:?}");
            for ((key, rule), (expected, words)) in found.iter().zip(told) {
                assert!(key == expected && rule.contains(words), "{told:?}: {found:?}");
            }
        }
    }
}
