//! Every way to say no, in the contract's error body (section 8).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flow::Rule;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use store::StoreError;
use utoipa::ToSchema;

use crate::clock::{new_id, now_ms};
use crate::inbound::NotTaken;

/// A member of a request that breaks a rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// The member's path: `flow[1].message.text`.
    pub field: String,
    /// The rule's name.
    #[serde(serialize_with = "rule_name")]
    #[schema(schema_with = super::words::rules)]
    pub rule: Rule,
    /// The rule in words.
    pub message: String,
}

fn rule_name<S: Serializer>(rule: &Rule, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(rule.name())
}

/// Longest path of a member in an answer, octets: it can have names that the client chose.
const FIELD_BYTES_MAX: usize = 200;
/// Longest message in an answer, octets: it can quote what the client sent.
const MESSAGE_BYTES_MAX: usize = 500;

impl FieldError {
    /// A member that breaks a rule. What is longer than an answer should be is cut off.
    pub fn new(field: impl Into<String>, rule: Rule, message: impl Into<String>) -> FieldError {
        let field = shortened(field.into(), FIELD_BYTES_MAX);
        FieldError { field, rule, message: shortened(message.into(), MESSAGE_BYTES_MAX) }
    }
}

/// At most `most` octets of a text, and an ellipsis where something is missing.
fn shortened(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.shrink_to_fit();
        text.push('…');
    }
    text
}

/// The rules that a request breaks: the first ones, and how many more were noticed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BrokenRules {
    /// The first ones.
    pub told: Vec<FieldError>,
    /// Others that were noticed before reading stopped.
    pub more: usize,
}

/// The error body.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// Nine digits: HTTP status, module, number.
    #[schema(example = "400022001")]
    pub code: String,
    /// What is wrong, for developers.
    pub developer_message: String,
    /// What the members belong to, where some break rules: as the original service has it, which clients read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Failover")]
    pub entity: Option<&'static str>,
    /// The first broken rule of each member, by its path: as the original service has it, which clients read.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
    /// The members that break rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Names this answer in the logs.
    pub request_id: String,
}

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
        ApiError::Invalid(BrokenRules { told: vec![FieldError::new(field, rule, message)], more: 0 })
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
    pub(super) fn message(&self) -> String {
        match self {
            ApiError::Invalid(BrokenRules { told, more }) => match told.as_slice() {
                [] => "the request is invalid".into(),
                [one] if *more == 0 => format!("{} {}", one.field, one.message),
                [first, rest @ ..] => {
                    let others = rest.len() + more;
                    let beyond = match more {
                        0 => String::new(),
                        _ => format!("; only the first {} are told", told.len()),
                    };
                    let least = if *more == 0 { "" } else { "at least " };
                    format!("{} {} (and {least}{others} more{beyond})", first.field, first.message)
                }
            },
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

impl From<NotTaken> for ApiError {
    fn from(error: NotTaken) -> ApiError {
        match error {
            NotTaken::Store(error) => error.into(),
            NotTaken::Target(why) => {
                tracing::info!(why, "what a recipient wrote could not be passed on");
                ApiError::NotPassedOn
            }
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
        let entity = (!errors.is_empty()).then_some("Failover");
        let body = ErrorBody { code, developer_message, entity, properties, errors, request_id };
        let mut response = (status, Json(body)).into_response();
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
