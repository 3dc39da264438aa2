//! One connection: its requests to the routes, and what its place among all others is meanwhile.

use super::answers::{Answers, Entry};
use super::connections::{Doing, Seat};
use axum::Router;
use axum::body::Bytes;
use axum::extract::ConnectInfo;
use axum::http::header::{CONNECTION, EXPECT};
use axum::http::{HeaderValue, Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout;

/// Octets of a body that nobody wanted, which are read nonetheless, so that the connection can go on and its
/// client reads the answer. (RFC 9112, 9.3: else it has to be closed.)
const UNREAD_MAX: usize = 1 << 20;

/// The routes, as one connection sees them.
pub struct Serving {
    routes: TowerToHyperService<Router>,
    address: SocketAddr,
    seat: Arc<Seat>,
    /// How long a body may take that nobody wanted.
    patience: Duration,
    /// Over HTTP/2, all answers of the connection.
    answers: Option<Arc<Answers>>,
}

impl Serving {
    /// Serves a connection from an address.
    pub fn new(routes: Router, address: SocketAddr, seat: Arc<Seat>, patience: Duration) -> Serving {
        Serving { routes: TowerToHyperService::new(routes), address, seat, patience, answers: None }
    }

    /// The same over HTTP/2.
    pub fn multiplexed(self, answers: Arc<Answers>) -> Serving {
        Serving { answers: Some(answers), ..self }
    }
}

impl hyper::service::Service<Request<Incoming>> for Serving {
    type Response = Response<Answer>;
    /// The connection was told to close before the request came.
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Response<Answer>>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if !self.seat.begin(Doing::Answering) {
            return Box::pin(std::future::ready(Err(io::ErrorKind::ConnectionAborted.into())));
        }
        let answering = Answering(Arc::clone(&self.seat));
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(ConnectInfo(self.address));
        // Who waits to be told to send the body must not be told so for nothing.
        let is_sent = !parts.headers.contains_key(EXPECT);
        let unread = Unread::default();
        let (seat, patience, answers) = (Arc::clone(&self.seat), self.patience, self.answers.clone());
        let body = Arriving::new(body, Arc::clone(&seat), Arc::clone(&unread));
        let request = Request::from_parts(parts, axum::body::Body::new(body));
        let answer = hyper::service::Service::call(&self.routes, request);
        Box::pin(async move {
            let turn = match &answers {
                Some(answers) => {
                    // It waits for what else its client asked for, and for nothing of ours.
                    answering.0.begin(Doing::AwaitingBody);
                    let turn = answers.turn().await;
                    answering.0.end(Doing::AwaitingBody);
                    turn
                }
                None => None,
            };
            let Ok(mut answer) = answer.await;
            let body = unread.lock().take();
            // Over HTTP/2 a body that nobody wants ends by itself.
            if let Some(body) = body
                && answers.is_none()
                && !(is_sent && timeout(patience, read_out(body, seat)).await.unwrap_or(false))
            {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            let entry = answers.map(|answers| answers.enter(turn));
            Ok(answer.map(|body| Answer { body, entry, _answering: answering }))
        })
    }
}

/// A request is under way until this is dropped.
struct Answering(Arc<Seat>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.end(Doing::Answering);
    }
}

/// Reads a body to its end; false where it is too long, or breaks off.
async fn read_out(body: Incoming, seat: Arc<Seat>) -> bool {
    let mut left = UNREAD_MAX;
    if body.size_hint().lower() > left as u64 {
        return false;
    }
    let mut body = Arriving::new(body, seat, Unread::default());
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let octets = frame.ok().map(|frame| frame.data_ref().map_or(0, Bytes::len));
        match octets.and_then(|octets| left.checked_sub(octets)) {
            Some(rest) => left = rest,
            None => return false,
        }
    }
    true
}

/// What was not read of a body when it was dropped.
type Unread = Arc<Mutex<Option<Incoming>>>;

/// A request's body as it arrives.
struct Arriving {
    /// There until it is dropped.
    body: Option<Incoming>,
    seat: Arc<Seat>,
    waits: bool,
    unread: Unread,
}

impl Arriving {
    fn new(body: Incoming, seat: Arc<Seat>, unread: Unread) -> Arriving {
        Arriving { body: Some(body), seat, waits: false, unread }
    }

    fn wait(&mut self, waits: bool) {
        if self.waits != waits {
            self.waits = waits;
            if waits {
                self.seat.begin(Doing::AwaitingBody);
            } else {
                self.seat.end(Doing::AwaitingBody);
            }
        }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(context);
        self.wait(frame.is_pending());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Incoming::size_hint)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.wait(false);
        *self.unread.lock() = self.body.take().filter(|body| !body.is_end_stream());
    }
}

/// An answer's body; its request is under way until it is sent.
pub struct Answer {
    body: axum::body::Body,
    entry: Option<Entry>,
    _answering: Answering,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // It is asked for more when there is room for more.
        if let Some(entry) = &self.entry {
            entry.goes_on();
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
