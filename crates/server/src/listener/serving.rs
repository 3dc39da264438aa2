//! One connection: its requests to the routes, and what its place among all others is meanwhile.

use super::connections::{Flag, Seat};
use axum::Router;
use axum::body::Bytes;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The routes, as one connection sees them.
pub struct Serving {
    routes: TowerToHyperService<Router>,
    address: SocketAddr,
    seat: Arc<Seat>,
}

impl Serving {
    /// Serves a connection from an address.
    pub fn new(routes: Router, address: SocketAddr, seat: Arc<Seat>) -> Serving {
        Serving { routes: TowerToHyperService::new(routes), address, seat }
    }
}

impl hyper::service::Service<Request<Incoming>> for Serving {
    type Response = Response<Answer>;
    /// The connection was told to close before the request came.
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Response<Answer>>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if !self.seat.set(Flag::Answering, true) {
            return Box::pin(std::future::ready(Err(io::ErrorKind::ConnectionAborted.into())));
        }
        let answering = Answering(Arc::clone(&self.seat));
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(ConnectInfo(self.address));
        let body = Arriving { body, seat: Arc::clone(&self.seat), waits: false };
        let request = Request::from_parts(parts, axum::body::Body::new(body));
        let answer = hyper::service::Service::call(&self.routes, request);
        Box::pin(async move {
            let Ok(answer) = answer.await;
            Ok(answer.map(|body| Answer { body, _answering: answering }))
        })
    }
}

/// A request is under way until this is dropped.
struct Answering(Arc<Seat>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.set(Flag::Answering, false);
    }
}

/// A request's body as it arrives.
struct Arriving {
    body: Incoming,
    seat: Arc<Seat>,
    waits: bool,
}

impl Arriving {
    fn wait(&mut self, waits: bool) {
        if self.waits != waits {
            self.waits = waits;
            self.seat.set(Flag::AwaitsBody, waits);
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
        let frame = Pin::new(&mut self.body).poll_frame(context);
        self.wait(frame.is_pending());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.wait(false);
    }
}

/// An answer's body; its request is under way until it is sent.
pub struct Answer {
    body: axum::body::Body,
    _answering: Answering,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
