//! Why a SIP carrier does not start.

use crate::config::SecretError;
use crate::trust::TrustError;
use tokio_rustls::rustls::server::VerifierBuilderError;

/// Why a SIP carrier does not start. The text begins with what in the configuration it is about, and has no
/// secret in it.
#[derive(Debug, thiserror::Error)]
pub enum SipError {
    /// The address of `bind` or `direct_bind` can't be used.
    #[error("{key}: {source}")]
    Bind {
        /// The key.
        key: &'static str,
        /// Why.
        source: BindError,
    },
    /// A trunk's password or its certificate authorities can't be used.
    #[error("trunk {host}: {source}")]
    Trunk {
        /// The trunk's host.
        host: String,
        /// Why.
        source: TrunkError,
    },
    /// The thread for sound can't be started.
    #[error(transparent)]
    Thread(#[from] std::io::Error),
    /// The HTTP client for the speech engine can't be set up.
    #[error(transparent)]
    Client(#[from] reqwest::Error),
}

/// Why a socket for SIP does not start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is taken, or not this machine's.
    #[error("{address}: {source}")]
    Address {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: Box<rsipstack::Error>,
    },
    /// The SIP stack does not start over it.
    #[error(transparent)]
    Stack(Box<rsipstack::Error>),
}

impl From<rsipstack::Error> for BindError {
    fn from(error: rsipstack::Error) -> BindError {
        BindError::Stack(Box::new(error))
    }
}

/// Why what a trunk's configuration names can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TrunkError {
    /// The password is in a variable or a file that can't be read.
    #[error(transparent)]
    Password(#[from] SecretError),
    /// The certificate authorities of `tls_ca` can't be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Certificates can't be verified with these authorities.
    #[error(transparent)]
    Verifier(#[from] VerifierBuilderError),
}

/// Text that is no host of a trunk.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("\"{0}\" is no host")]
pub struct NotAHost(pub String);
