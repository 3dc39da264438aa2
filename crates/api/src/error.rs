//! Every way to say no, in the contract's error body (section 8).

use crate::request::scope::Sends;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::clock::{new_id, now_ms};
use engine::service::{
    AcceptError, CancelError, FindError, IssueError, StatisticsError, TrackError, Unanswered,
};
use flow::Rule;
use std::collections::BTreeMap;
use store::StoreError;
use wire::broken::{BrokenRules, MESSAGE_BYTES_MAX, shortened};
use wire::error_body::ErrorBody;

/// What every call with a token may answer, for the description.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code)] // Only its attributes are used.
pub enum CommonErrors {
    /// It breaks rules; nothing was done.
    #[response(status = 400)]
    Invalid(ErrorBody),
    /// There is no valid token.
    #[response(status = 401)]
    Unauthorized(ErrorBody),
    /// The token lacks a role that this needs.
    #[response(status = 403)]
    Forbidden(ErrorBody),
    /// The application asks too often; see `Retry-After`.
    #[response(status = 429)]
    TooManyRequests(ErrorBody),
    /// The server has too much to do, or can't store anything now; see `Retry-After`.
    #[response(status = 503)]
    Unavailable(ErrorBody),
}

/// What every call with a JSON body may answer, for the description.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code)] // Only its attributes are used.
pub enum BodyErrors {
    /// The body has more than 256 KiB.
    #[response(status = 413)]
    TooLarge(ErrorBody),
    /// The `Content-Type` is not JSON, or there is a `Content-Encoding`.
    #[response(status = 415)]
    UnsupportedMediaType(ErrorBody),
}

/// What is kept of an answer that says no; the response carries it to [`crate::request::measure`].
#[derive(Clone)]
pub(crate) struct Refused {
    pub(crate) request_id: String,
    pub(crate) code: String,
    /// The first broken rule, and the member that breaks it.
    pub(crate) broken: Option<(String, Rule)>,
}

/// Why a request was not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ApiError {
    /// The body or the query breaks rules.
    Invalid(BrokenRules),
    /// The body is no JSON.
    NotJson(String),
    /// There is no valid token.
    Unauthorized(&'static str),
    /// The token lacks this role.
    Forbidden(&'static str),
    /// There is no such thing, or it is another application's.
    NotFound(&'static str),
    /// The path exists, but not with this method.
    MethodNotAllowed,
    /// The idempotency key was used with another body.
    KeyReused,
    /// The idempotency key was used for a flow that has been erased since.
    KeySpent,
    /// The flow was set aside.
    Quarantined,
    /// The flow has ended and can't be cancelled.
    Ended,
    /// The body is too large.
    TooLarge(usize),
    /// The body is of another media type.
    UnsupportedMediaType,
    /// The body has a `Content-Encoding`.
    UnsupportedEncoding,
    /// The application asks too often.
    TooManyRequests {
        /// When to come back, seconds.
        retry_after_s: u64,
    },
    /// The store has too much to do.
    Overloaded,
    /// The store failed.
    Store,
    /// A client's server did not take what was to be passed on to it.
    NotPassedOn,
    /// A costly search had no turn in time, or took too long.
    SearchOverdue,
}

impl ApiError {
    /// One member that breaks a rule.
    pub fn field(field: impl Into<String>, rule: Rule, message: impl Into<String>) -> ApiError {
        ApiError::Invalid(BrokenRules::one(field, rule, message))
    }

    const fn status(&self) -> StatusCode {
        match self {
            ApiError::Invalid(_) | ApiError::NotJson(_) => StatusCode::BAD_REQUEST,
            ApiError::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            ApiError::Forbidden(_) => StatusCode::FORBIDDEN,
            ApiError::NotFound(_) => StatusCode::NOT_FOUND,
            ApiError::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ApiError::KeyReused | ApiError::KeySpent | ApiError::Quarantined | ApiError::Ended => {
                StatusCode::CONFLICT
            }
            ApiError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            ApiError::UnsupportedMediaType | ApiError::UnsupportedEncoding => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            ApiError::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            ApiError::Overloaded | ApiError::Store | ApiError::NotPassedOn | ApiError::SearchOverdue => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// Module and number of the code; docs/errors.md lists them.
    const fn code(&self) -> &'static str {
        match self {
            ApiError::Invalid(_) => "022001",
            ApiError::NotJson(_) => "000001",
            ApiError::Unauthorized(_) => "010001",
            ApiError::Forbidden(_) => "010002",
            ApiError::NotFound(_) => "022002",
            ApiError::MethodNotAllowed => "000002",
            ApiError::KeyReused => "022003",
            ApiError::Ended => "022005",
            ApiError::KeySpent => "022006",
            ApiError::Quarantined => "022007",
            ApiError::TooLarge(_) => "000003",
            ApiError::UnsupportedMediaType => "000004",
            ApiError::UnsupportedEncoding => "000009",
            ApiError::TooManyRequests { .. } => "000005",
            ApiError::Overloaded => "000006",
            ApiError::Store => "000007",
            ApiError::NotPassedOn => "022004",
            ApiError::SearchOverdue => "000008",
        }
    }

    /// What is wrong, for developers.
    pub(crate) fn message(&self) -> String {
        match self {
            ApiError::Invalid(broken) => broken.to_string(),
            ApiError::NotJson(why) => {
                format!("the body is not valid JSON: {}", shortened(why.clone(), MESSAGE_BYTES_MAX))
            }
            ApiError::Unauthorized(why) => (*why).into(),
            ApiError::Forbidden(role) => format!("the token lacks the role {role}"),
            ApiError::NotFound(what) => format!("there is no such {what}"),
            ApiError::MethodNotAllowed => "this path does not take this method".into(),
            ApiError::KeyReused => "the Idempotency-Key was used with another body".into(),
            ApiError::KeySpent => {
                "the Idempotency-Key was used for a flow that has been erased since; nothing was sent: to send it \
                 again, use another key"
                    .into()
            }
            ApiError::Quarantined => {
                "the flow was set aside by the server, since it can't be read, changed or stored: tell its operator"
                    .into()
            }
            ApiError::Ended => "the flow has ended and can't be cancelled".into(),
            ApiError::TooLarge(limit) => format!("the body has more than {limit} octets"),
            ApiError::UnsupportedMediaType => "the Content-Type must be application/json".into(),
            ApiError::UnsupportedEncoding => {
                "the body must come as it is, without a Content-Encoding such as gzip".into()
            }
            ApiError::TooManyRequests { .. } => "the application, or the address, asks too often".into(),
            ApiError::Overloaded => "the server has too much to do; nothing was stored".into(),
            ApiError::SearchOverdue => {
                "the search did not end within limits.search_timeout: too many costly searches \
                are under way, or it reads too much; narrow the range, use fewer contains, or ask again later"
                    .into()
            }
            ApiError::NotPassedOn => "the client's server did not take it; offer it again".into(),
            ApiError::Store => "the server can't store anything now; nothing was stored".into(),
        }
    }

    /// When to come back, seconds.
    const fn retry_after_s(&self) -> Option<u64> {
        match self {
            ApiError::TooManyRequests { retry_after_s } => Some(*retry_after_s),
            ApiError::Overloaded => Some(1),
            ApiError::Store | ApiError::NotPassedOn => Some(5),
            ApiError::SearchOverdue => Some(2),
            _ => None,
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        match error {
            StoreError::Overloaded => ApiError::Overloaded,
            StoreError::KeyReused => ApiError::KeyReused,
            StoreError::KeySpent => ApiError::KeySpent,
            StoreError::NotFound => ApiError::NotFound("tracking"),
            StoreError::Quarantined => ApiError::Quarantined,
            StoreError::Full => ApiError::Store,
            StoreError::Unavailable(why) => {
                // The store itself tells the log when it begins to fail.
                tracing::debug!(%why, "the store failed a request");
                ApiError::Store
            }
        }
    }
}

impl From<BrokenRules> for ApiError {
    fn from(broken: BrokenRules) -> ApiError {
        ApiError::Invalid(broken)
    }
}

impl From<AcceptError> for ApiError {
    fn from(error: AcceptError) -> ApiError {
        match error {
            AcceptError::Broken(broken) => ApiError::Invalid(broken),
            AcceptError::Revoked => ApiError::Unauthorized("the application was revoked"),
            AcceptError::Forbidden(channel) => ApiError::Forbidden(Sends::channel(channel).role()),
            AcceptError::Store(error) => error.into(),
        }
    }
}

impl From<TrackError> for ApiError {
    fn from(error: TrackError) -> ApiError {
        match error {
            TrackError::NotFound => ApiError::NotFound("tracking"),
            TrackError::Store(error) => error.into(),
        }
    }
}

impl From<CancelError> for ApiError {
    fn from(error: CancelError) -> ApiError {
        match error {
            CancelError::NotFound => ApiError::NotFound("tracking"),
            CancelError::Ended => ApiError::Ended,
            CancelError::Store(error) => error.into(),
        }
    }
}

impl From<Unanswered> for ApiError {
    fn from(unanswered: Unanswered) -> ApiError {
        match unanswered {
            Unanswered::Overdue => ApiError::SearchOverdue,
            Unanswered::Failed => ApiError::Store,
        }
    }
}

impl From<FindError> for ApiError {
    fn from(error: FindError) -> ApiError {
        match error {
            FindError::TooMany { .. } => ApiError::field("filters", Rule::Range, error.to_string()),
            FindError::Unanswered(unanswered) => unanswered.into(),
        }
    }
}

impl From<StatisticsError> for ApiError {
    fn from(error: StatisticsError) -> ApiError {
        match error {
            StatisticsError::TooManyPeriods => ApiError::field("interval", Rule::Range, error.to_string()),
            StatisticsError::TooManyRows => ApiError::field("groupBy", Rule::Range, error.to_string()),
            StatisticsError::Unanswered(unanswered) => unanswered.into(),
        }
    }
}

impl From<IssueError> for ApiError {
    fn from(error: IssueError) -> ApiError {
        match error {
            IssueError::NoRandomness(error) => {
                tracing::error!(%error, "the system has no randomness");
                ApiError::Store
            }
            IssueError::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let request_id = new_id(now_ms()).to_string();
        tracing::debug!(request_id, %status, message = self.message(), "refused");
        let retry_after = self.retry_after_s();
        let (code, developer_message) = (format!("{}{}", status.as_u16(), self.code()), self.message());
        let unsupported_encoding = matches!(self, ApiError::UnsupportedEncoding);
        let errors = if let ApiError::Invalid(broken) = self { broken.told } else { vec![] };
        let mut properties = BTreeMap::new();
        for error in &errors {
            properties.entry(error.field.clone()).or_insert_with(|| error.message.clone());
        }
        let broken = errors.first().map(|first| (first.field.clone(), first.rule));
        let refused = Refused { request_id: request_id.clone(), code: code.clone(), broken };
        let entity = (!errors.is_empty()).then_some("Failover".into());
        let body = ErrorBody { code, developer_message, entity, properties, errors, request_id };
        let mut response = (status, Json(body)).into_response();
        response.extensions_mut().insert(refused);
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if unsupported_encoding {
            // RFC 9110, 15.5.16: what is taken instead.
            response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests;
