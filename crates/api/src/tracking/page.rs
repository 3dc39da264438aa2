//! A page of trackings as it is sent: read and written in pieces, so that it takes no more memory than a
//! piece, however many trackings it has and however large they are.

use crate::error::ApiError;
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use engine::service::{FLOWS_MAX, PIECE_BYTES, Service, Unanswered};
use flow::Flow;
use futures::stream::{StreamExt, once, try_unfold};
use std::sync::Arc;
use std::time::Instant;
use store::{Application, StoreError};
use uuid::Uuid;
use wire::search::PageView;
use wire::tracking::TrackingView;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// A page of more trackings is a costly search.
const QUICK_MAX: usize = 50;

/// A page, as far as it is not written yet.
pub struct Page {
    service: Arc<Service>,
    of: Arc<Application>,
    /// Its flows, the next one last.
    ids: Vec<Uuid>,
    /// Without its content, which is written piece by piece.
    view: PageView,
}

impl Page {
    /// The page with a number, of an application's flows.
    pub fn new(
        service: Arc<Service>,
        of: Arc<Application>,
        mut ids: Vec<Uuid>,
        total: usize,
        number: usize,
        size: usize,
    ) -> Page {
        ids.reverse();
        Page { service, of, ids, view: PageView::empty(total, number, size) }
    }

    /// The answer. A page of one piece is sent as it is; of a larger one, the pieces behind the first are
    /// read when their turn among costly searches comes, and when the client has taken those before. An error
    /// then ends the connection.
    ///
    /// # Errors
    /// [`ApiError::Store`]; of a page of many trackings, [`ApiError::SearchOverdue`].
    pub async fn answer(self, timing: Timing) -> Result<Response, ApiError> {
        let (rest, first, timing) = if self.ids.len() <= QUICK_MAX {
            self.begin(timing).await?
        } else {
            let (service, of) = (Arc::clone(&self.service), Arc::clone(&self.of));
            service.searches().run(&of, |_| self.begin(timing)).await?
        };
        let body = match rest {
            None => Body::from(first),
            Some(page) => page.stream_behind(first),
        };
        let headers =
            [(header::CONTENT_TYPE, "application/json".to_owned()), (SERVER_TIMING, timing.header())];
        Ok((headers, body).into_response())
    }

    /// The first piece, and the page where it goes on.
    async fn begin(mut self, mut timing: Timing) -> Result<(Option<Page>, Vec<u8>, Timing), Unanswered> {
        let flows = self.load().await?;
        timing.note("documents");
        let mut first = PageView::OPENING.as_bytes().to_vec();
        self.write(&flows, &mut first)?;
        timing.note("json");
        let goes_on = !self.ids.is_empty();
        Ok((goes_on.then_some(self), first, timing))
    }

    fn stream_behind(self, first: Vec<u8>) -> Body {
        let rest = try_unfold(Some(self), |page: Option<Page>| async move {
            let Some(page) = page else { return Ok(None) };
            let (service, of) = (Arc::clone(&page.service), Arc::clone(&page.of));
            let next = service.searches().go_on(&of, |_| page.piece()).await;
            let (page, piece) = next.inspect_err(|error| tracing::error!(%error, "a page was cut off"))?;
            Ok::<_, Unanswered>(Some((Bytes::from(piece), page)))
        });
        Body::from_stream(once(async move { Ok(Bytes::from(first)) }).chain(rest))
    }

    /// The next piece, and the page where it goes on.
    async fn piece(mut self) -> Result<(Option<Page>, Vec<u8>), Unanswered> {
        let (flows, mut piece) = (self.load().await?, Vec::new());
        self.write(&flows, &mut piece)?;
        let goes_on = !self.ids.is_empty();
        Ok((goes_on.then_some(self), piece))
    }

    /// Reads the flows of the next piece.
    async fn load(&mut self) -> Result<Vec<Option<Flow>>, StoreError> {
        let ids = self.ids.iter().rev().take(FLOWS_MAX).copied().collect();
        let flows = self.service.read_flows(ids, PIECE_BYTES).await?;
        self.ids.truncate(self.ids.len().saturating_sub(flows.len()));
        Ok(flows)
    }

    /// Adds a piece, and behind the last one what the page says of itself.
    fn write(&mut self, flows: &[Option<Flow>], piece: &mut Vec<u8>) -> Result<(), Unanswered> {
        // A flow that was pruned between the two questions is not shown; the total was true when it was
        // counted.
        for flow in flows.iter().flatten() {
            if self.view.number_of_elements > 0 {
                piece.push(b',');
            }
            self.view.number_of_elements += 1;
            let tracking = TrackingView::of(flow, &flow.state);
            serde_json::to_writer(&mut *piece, &tracking).map_err(|_| Unanswered::Failed)?;
        }
        if self.ids.is_empty() {
            let closing = self.view.closing().map_err(|_| Unanswered::Failed)?;
            piece.extend(closing.into_bytes());
        }
        Ok(())
    }
}

/// What the parts of an answer took, for the header `Server-Timing` (W3C Server Timing): of a page of several
/// pieces, up to the first one.
pub struct Timing {
    last: Instant,
    /// Milliseconds, by part.
    spent: Vec<(&'static str, f64)>,
}

impl Timing {
    /// From now on.
    pub fn start() -> Timing {
        Timing { last: Instant::now(), spent: Vec::new() }
    }

    /// A part took the time since the last one.
    pub fn note(&mut self, part: &'static str) {
        let now = Instant::now();
        self.spent.push((part, (now - self.last).as_secs_f64() * 1e3));
        self.last = now;
    }

    fn header(&self) -> String {
        let parts = self.spent.iter().map(|(part, spent)| format!("{part};dur={spent:.3}"));
        parts.collect::<Vec<_>>().join(", ")
    }
}
