//! The listener's certificate and its key.

use super::sections::TlsConfig;
use rustls::Error;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::path::Path;

/// Something that keeps a certificate from being used: the key of the configuration, and the rule.
pub type Problem = (&'static str, String);

/// Reads a certificate and its key.
///
/// # Errors
/// What keeps them from being used, all of it.
pub fn read(tls: &TlsConfig) -> Result<CertifiedKey, Vec<Problem>> {
    let chain = certificates(&tls.cert).map_err(|rule| ("server.tls.cert", rule));
    let key = private_key(&tls.key).map_err(|rule| ("server.tls.key", rule));
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

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let at = |rule: String| format!("{}: {rule}", path.display());
    let text = std::fs::read(path).map_err(|error| at(error.to_string()))?;
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|error| at(error.to_string()))?;
    if chain.is_empty() {
        return Err(at("there is no certificate (PEM) in it".into()));
    }
    Ok(chain)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let at = |rule: String| format!("{}: {rule}", path.display());
    let text = std::fs::read(path).map_err(|error| at(error.to_string()))?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => at("there is no private key (PEM) in it".into()),
        other => at(other.to_string()),
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
