//! The listener: HTTP/1.1, plain or over TLS, with bounds on what a client that is slow or means harm can hold.

use crate::config::{ServerConfig, TlsConfig};
use anyhow::{Context, anyhow};
use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::STRICT_TRANSPORT_SECURITY;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tokio::task::JoinHandle;
use tower_http::set_header::SetResponseHeaderLayer;

/// Octets of a request's head; more are answered 431.
const HEAD_MAX: usize = 64 * 1024;

/// A listener that serves.
pub struct Listener {
    handle: Handle<SocketAddr>,
    /// The certificate in use, and where it is read from.
    tls: Option<(RustlsConfig, TlsConfig)>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Listener {
    /// Serves on a socket.
    ///
    /// # Errors
    /// When the certificate or its key can't be used.
    pub async fn start(
        config: &ServerConfig,
        socket: TcpListener,
        routes: Router,
    ) -> anyhow::Result<Listener> {
        socket.set_nonblocking(true)?;
        let handle = Handle::new();
        let mut server = axum_server::from_tcp(socket)?
            .handle(handle.clone())
            .acceptor(NoDelayAcceptor::new())
            .first_request_timeout(config.request_timeout)
            .http1_only();
        let mut http = server.http_builder().http1();
        http.timer(TokioTimer::new()).header_read_timeout(config.request_timeout);
        // Of headers hyper takes at most 100 by itself, and keeps them on the stack where nothing is set.
        http.max_buf_size(HEAD_MAX);
        let Some(paths) = config.tls.clone() else {
            let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
            return Ok(Listener { handle, tls: None, serving: tokio::spawn(server.serve(routes)) });
        };
        let only_tls = HeaderValue::from_static("max-age=31536000");
        let routes = routes
            .layer(SetResponseHeaderLayer::if_not_present(STRICT_TRANSPORT_SECURITY, only_tls))
            .into_make_service_with_connect_info::<SocketAddr>();
        let certificate = RustlsConfig::from_pem_file(&paths.cert, &paths.key).await;
        let certificate = certificate.with_context(|| paths.to_string())?;
        let tls = certificate.clone();
        let timeout = config.request_timeout;
        let server = server.map(|plain| RustlsAcceptor::new(tls).handshake_timeout(timeout).acceptor(plain));
        let serving = tokio::spawn(server.serve(routes));
        Ok(Listener { handle, tls: Some((certificate, paths)), serving })
    }

    /// Reads the certificate and its key again; connections keep theirs.
    ///
    /// # Errors
    /// When they can't be used; then the old ones stay.
    pub async fn reload(&self) -> anyhow::Result<()> {
        let Some((certificate, paths)) = &self.tls else { return Err(anyhow!("server.tls is not set")) };
        let reloaded = certificate.reload_from_pem_file(&paths.cert, &paths.key).await;
        reloaded.with_context(|| paths.to_string())
    }

    /// Takes no more connections, and no more requests on those that are open.
    pub fn close(&self, within: Duration) {
        self.handle.graceful_shutdown(Some(within));
    }

    /// Waits until the last request is answered.
    pub async fn closed(self) {
        let _ = self.serving.await;
    }
}
