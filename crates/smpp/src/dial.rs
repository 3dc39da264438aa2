//! Connections to an SMSC: TCP, and TLS over it.

use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, pki_types::ServerName};

/// A connection of any kind.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<IO: AsyncRead + AsyncWrite + Send + Unpin> Connection for IO {}

/// Connects to an SMSC, over TLS if there are settings for it; its certificate must be for `host`.
///
/// # Errors
/// When it can't be reached, or its certificate is not trusted. The caller bounds the time.
pub async fn dial(host: &str, port: u16, tls: Option<Arc<ClientConfig>>) -> io::Result<Box<dyn Connection>> {
    let stream = TcpStream::connect((host, port)).await?;
    // PDUs are small, and somebody waits for each.
    stream.set_nodelay(true)?;
    let Some(tls) = tls else { return Ok(Box::new(stream)) };
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(tls).connect(name, stream).await?))
}
