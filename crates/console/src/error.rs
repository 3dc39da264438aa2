//! Why a page is not shown, as a page.

use crate::assets::{ICON, STYLE};
use axum::body::to_bytes;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use engine::administration::ReplayError;
use engine::service::{CancelError, FindError, StatisticsError, TrackError};
use maud::{DOCTYPE, html};
use store::StoreError;

/// Why a page is not shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    /// Nobody is signed in: the way back is kept.
    #[error("sign in first")]
    SignIn {
        /// Where the visitor wanted to go: a path of the console.
        then: String,
    },
    /// The visitor's role does not allow it.
    #[error("your role does not allow this; an admin can change it")]
    Forbidden,
    /// The request was sent by another site's page.
    #[error("this was sent from another site's page, so nothing was done; open the console and try again")]
    OtherSite,
    /// There is nothing here, or nothing that the visitor may see.
    #[error("there is no such {0}, or it is not yours to see")]
    NotFound(&'static str),
    /// The link has no use any more.
    #[error("this link was used, or its time is over: ask an admin for a new one")]
    Used,
    /// What was typed can't be taken.
    #[error("{0}")]
    Refused(String),
    /// It has to wait.
    #[error("too many tries; try again in {seconds} s")]
    Wait {
        /// How long.
        seconds: i64,
    },
    /// The search takes too long, or too many are under way.
    #[error("the search took too long; choose a shorter time or fewer filters, or try again")]
    Overdue,
    /// The store does not answer.
    #[error("the store does not answer now; try again in a moment")]
    Store(#[source] StoreError),
}

impl PageError {
    fn status(&self) -> StatusCode {
        match self {
            PageError::SignIn { .. } => StatusCode::SEE_OTHER,
            PageError::Forbidden | PageError::OtherSite => StatusCode::FORBIDDEN,
            PageError::NotFound(_) | PageError::Used => StatusCode::NOT_FOUND,
            PageError::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            PageError::Wait { .. } => StatusCode::TOO_MANY_REQUESTS,
            PageError::Overdue | PageError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> PageError {
        PageError::Store(error)
    }
}

impl From<TrackError> for PageError {
    fn from(error: TrackError) -> PageError {
        match error {
            TrackError::NotFound => PageError::NotFound("flow"),
            TrackError::Store(error) => PageError::Store(error),
        }
    }
}

impl From<CancelError> for PageError {
    fn from(error: CancelError) -> PageError {
        match error {
            CancelError::NotFound => PageError::NotFound("flow"),
            CancelError::Ended => PageError::Refused(error.to_string()),
            CancelError::Store(error) => PageError::Store(error),
        }
    }
}

impl From<ReplayError> for PageError {
    fn from(error: ReplayError) -> PageError {
        match error {
            ReplayError::Store(error) => PageError::Store(error),
            error => PageError::Refused(error.to_string()),
        }
    }
}

impl From<FindError> for PageError {
    fn from(error: FindError) -> PageError {
        match error {
            FindError::TooMany { .. } => PageError::Refused(format!("this search {error}")),
            FindError::Unanswered(_) => PageError::Overdue,
        }
    }
}

impl From<StatisticsError> for PageError {
    fn from(error: StatisticsError) -> PageError {
        match error {
            StatisticsError::Unanswered(_) => PageError::Overdue,
            other => PageError::Refused(format!("the time {other}")),
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if let PageError::SignIn { then } = &self {
            let then = serde_urlencoded::to_string([("then", then)]).unwrap_or_default();
            return Redirect::to(&format!("/console/sign-in?{then}")).into_response();
        }
        if let PageError::Store(error) = &self {
            tracing::debug!(%error, "the store failed a page");
        }
        let mut response = page(self.status(), &self.to_string());
        if let PageError::Wait { seconds } = self {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Octets of an answer that is no page and whose words are shown.
const WORDS_MAX: usize = 1000;

/// Makes a page of an error that is none yet, such as what a form or an address can't be read for.
pub(crate) async fn as_page(response: Response) -> Response {
    let status = response.status();
    let is_page =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind != "text/plain; charset=utf-8");
    if is_page || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let words = to_bytes(response.into_body(), WORDS_MAX).await.unwrap_or_default();
    let words = String::from_utf8_lossy(&words);
    let words = if words.is_empty() {
        "this page can't be asked for in this way"
    } else {
        words.trim_end_matches('.')
    };
    page(status, words)
}

fn page(status: StatusCode, words: &str) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (status.canonical_reason().unwrap_or("Not done")) " · Switchback" }
                link rel="icon" href=(ICON.path());
                link rel="stylesheet" href=(STYLE.path());
            }
            body {
                main.narrow {
                    div.card {
                        h1 { (status.canonical_reason().unwrap_or("Not done")) }
                        p role="alert" { (capitalised(words)) "." }
                        p { a href="/console/flows" { "To the flows" } }
                    }
                }
            }
        }
    };
    (status, page).into_response()
}

/// A text with its first letter in upper case.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
