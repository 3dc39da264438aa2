//! The listener: HTTP/1.1 and HTTP/2, plain or over TLS, with bounds on what a client that is slow or means
//! harm can hold.

mod answers;
mod connections;
mod serving;
mod tls;
mod watched;

use crate::config::ServerConfig;
use answers::Answers;
use anyhow::anyhow;
use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::STRICT_TRANSPORT_SECURITY;
use connections::{Connections, Seat};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serving::Serving;
use socket2::SockRef;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tls::{Certificate, HTTP_2};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower_http::set_header::SetResponseHeaderLayer;
use watched::Watched;

/// Octets that the system keeps of an answer until its client takes them.
const SEND_BUFFER: usize = 128 * 1024;
/// Octets of a request's head; more are answered 431.
const HEAD_MAX: usize = 64 * 1024;
/// Requests of an HTTP/2 connection at the same time: clients send some 100 before they know (RFC 9113,
/// 6.5.2).
const STREAMS_MAX: u32 = 128;
/// Those that are worked for meanwhile. Each of them can have a piece of an answer in memory.
const ANSWERS_MAX: usize = 16;
/// Octets of the head of each.
const STREAM_HEAD_MAX: u32 = 8 * 1024;
/// Octets of bodies that an HTTP/2 client may send before they are taken.
const WINDOW: u32 = 64 * 1024;
/// What a client begins with that speaks HTTP/2 without asking (RFC 9113, 3.4).
const PREFACE: &[u8; 4] = b"PRI ";
/// Between two looks at a beginning that has not arrived yet.
const PREFACE_PAUSE: Duration = Duration::from_millis(10);
/// The pause after a connection could not be taken, for example since there are no more files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A listener that serves.
pub struct Listener {
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// What all connections share.
struct Shared {
    connections: Arc<Connections>,
    routes: Router,
    certificate: Option<Certificate>,
    request_timeout: Duration,
    /// How long what is under way may go on, once the listener closes.
    closing: watch::Sender<Option<Duration>>,
}

impl Listener {
    /// Serves on a socket, at most `connections_max` connections at a time.
    ///
    /// # Errors
    /// When the certificate or its key can't be used.
    pub fn start(
        config: &ServerConfig,
        connections_max: usize,
        socket: std::net::TcpListener,
        routes: Router,
    ) -> anyhow::Result<Listener> {
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket)?;
        let certificate = config.tls.clone().map(Certificate::read).transpose()?;
        let routes = match certificate {
            None => routes,
            Some(_) => {
                let only_tls = HeaderValue::from_static("max-age=31536000");
                routes.layer(SetResponseHeaderLayer::if_not_present(STRICT_TRANSPORT_SECURITY, only_tls))
            }
        };
        let shared = Arc::new(Shared {
            connections: Connections::new(connections_max),
            routes,
            certificate,
            request_timeout: config.request_timeout,
            closing: watch::channel(None).0,
        });
        let accepting = tokio::spawn(Arc::clone(&shared).accept(socket));
        Ok(Listener { shared, accepting })
    }

    /// Reads the certificate and its key again; connections keep theirs.
    ///
    /// # Errors
    /// When they can't be used; then the old ones stay.
    pub fn reload(&self) -> anyhow::Result<()> {
        let certificate = self.shared.certificate.as_ref();
        certificate.ok_or_else(|| anyhow!("server.tls is not set"))?.reload()
    }

    /// Takes no more connections, and no more requests on those that are open; what is under way may take so
    /// long.
    pub fn close(&self, within: Duration) {
        self.shared.closing.send_replace(Some(within));
    }

    /// Waits until the last request is answered.
    pub async fn closed(self) {
        // Only a panic could make it fail, and that is in the log.
        let _ = self.accepting.await;
    }
}

impl Shared {
    /// Takes connections until the listener closes, and waits for those that are open then.
    async fn accept(self: Arc<Shared>, socket: TcpListener) {
        loop {
            tokio::select! {
                biased;
                _ = self.closes() => break,
                () = self.take(&socket) => {}
            }
        }
        drop(socket);
        self.connections.emptied().await;
    }

    /// Takes a connection, once there is room for it.
    async fn take(self: &Arc<Shared>, socket: &TcpListener) {
        match socket.accept().await {
            Ok((stream, address)) => {
                self.connections.room_for(address.ip()).await;
                let seat = self.connections.enter(address.ip());
                tokio::spawn(Arc::clone(self).serve(stream, address, seat));
            }
            Err(error) => {
                tracing::debug!(%error, "a connection could not be taken");
                self.connections.close_one();
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }

    /// Serves a connection until it ends, or has to go for another one.
    async fn serve(self: Arc<Shared>, stream: TcpStream, address: SocketAddr, seat: Arc<Seat>) {
        // Without it, small answers wait for acknowledgements.
        let _ = stream.set_nodelay(true);
        // Else the system enlarges it for who does not read, by megabytes, and takes that for progress for a
        // while.
        let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
        let served = async {
            let patience = self.request_timeout;
            let Some(certificate) = &self.certificate else {
                if let Ok(begins) = timeout(patience, begins_http2(&stream)).await {
                    let stream = Watched::new(stream, Arc::clone(&seat), patience);
                    self.speak(stream, begins, address, &seat).await;
                }
                return;
            };
            let stream = Watched::new(stream, Arc::clone(&seat), patience);
            let handshake = TlsAcceptor::from(certificate.current()).accept(stream);
            if let Ok(Ok(stream)) = timeout(patience, handshake).await {
                let chosen = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
                self.speak(stream, chosen, address, &seat).await;
            }
        };
        tokio::select! {
            () = served => {}
            () = seat.told_to_close() => {
                metrics::counter!("switchback_connections_closed_total", "reason" => "room").increment(1);
            }
            () = self.overdue() => {}
        }
    }

    /// Returns when the listener closes, with how long what is under way may go on.
    async fn closes(&self) -> Duration {
        let mut closing = self.closing.subscribe();
        let within = closing.wait_for(Option::is_some).await;
        // The sender is our own: it is not dropped before.
        within.ok().and_then(|within| *within).unwrap_or_default()
    }

    /// Returns when what is under way may not go on any more.
    async fn overdue(&self) {
        let within = self.closes().await;
        sleep(within).await;
    }

    /// Speaks HTTP, of version 2 or 1.1.
    async fn speak(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        version_2: bool,
        address: SocketAddr,
        seat: &Arc<Seat>,
    ) {
        let serving = Serving::new(self.routes.clone(), address, Arc::clone(seat), self.request_timeout);
        if version_2 {
            self.speak_http2(stream, serving, seat).await;
        } else {
            self.speak_http1(stream, serving, seat).await;
        }
    }

    async fn speak_http1(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        serving: Serving,
        seat: &Seat,
    ) {
        let mut http = http1::Builder::new();
        // It bounds a head, and the time between two requests as well.
        http.timer(TokioTimer::new()).header_read_timeout(self.request_timeout);
        // Of headers hyper takes at most 100 by itself, and keeps them on the stack where nothing is set.
        http.max_buf_size(HEAD_MAX);
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), serving));
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            _ = self.closes() => {
                if seat.is_idle() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended");
        }
    }

    async fn speak_http2(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        serving: Serving,
        seat: &Seat,
    ) {
        let (answers, patience) = (Answers::new(ANSWERS_MAX), self.request_timeout);
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new()).keep_alive_interval(patience).keep_alive_timeout(patience);
        http.max_concurrent_streams(STREAMS_MAX).max_header_list_size(STREAM_HEAD_MAX);
        http.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
        http.max_send_buf_size(WINDOW as usize);
        let serving = serving.multiplexed(Arc::clone(&answers));
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), serving));
        let mut closes = pin!(self.closes());
        let (mut looks, mut ending, mut idle_since) = (interval(patience), false, None);
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended");
                    }
                    return;
                }
                _ = closes.as_mut(), if !ending => {
                    connection.as_mut().graceful_shutdown();
                    ending = true;
                }
                _ = looks.tick() => {
                    if answers.stalled(patience) {
                        metrics::counter!("switchback_connections_closed_total", "reason" => "stalled").increment(1);
                        return;
                    }
                    let idle = seat.idle_since();
                    if idle.is_some() && idle == idle_since {
                        return;
                    }
                    idle_since = idle;
                }
            }
        }
    }
}

/// Whether a client begins with HTTP/2 (RFC 9113, 3.3); nothing of what it sent is taken.
async fn begins_http2(stream: &TcpStream) -> bool {
    let mut octets = [0; PREFACE.len()];
    loop {
        match stream.peek(&mut octets).await {
            Ok(count) if count > 0 && PREFACE.starts_with(&octets[..count]) => {
                if count == PREFACE.len() {
                    return true;
                }
            }
            _ => return false,
        }
        sleep(PREFACE_PAUSE).await;
    }
}
