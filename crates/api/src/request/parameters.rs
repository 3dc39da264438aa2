//! The parameters of a path and of a query.

use crate::error::ApiError;
use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::request::Parts;
use flow::Rule;
use uuid::Uuid;
use wire::parameters::Parameters;

/// The parameters of a path, as they stand; reading them never fails in another error body.
pub struct PathParameters<const N: usize>(pub(crate) [String; N]);

impl<const N: usize, S: Send + Sync> FromRequestParts<S> for PathParameters<N> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<PathParameters<N>, ApiError> {
        let parameters = RawPathParams::from_request_parts(parts, state).await.ok();
        let mut values = parameters.iter().flat_map(|parameters| parameters.iter());
        Ok(PathParameters(std::array::from_fn(|_| {
            values.next().map(|(_, value)| value.to_owned()).unwrap_or_default()
        })))
    }
}

/// The parameters of a query, as they stand.
pub struct QueryParameters(pub(crate) Parameters);

impl<S: Send + Sync> FromRequestParts<S> for QueryParameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<QueryParameters, ApiError> {
        let parameters = Query::from_request_parts(parts, state).await;
        let rule = "must be names and values, URL-encoded";
        let refused = |_| ApiError::field("query", Rule::Format, rule);
        parameters.map(|Query(pairs)| QueryParameters(Parameters(pairs))).map_err(refused)
    }
}

/// The tracking id in a path. What is no id is the id of nothing.
pub struct TrackingId(pub(crate) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for TrackingId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<TrackingId, ApiError> {
        let PathParameters([id]) = PathParameters::from_request_parts(parts, state).await?;
        Uuid::parse_str(&id).map(TrackingId).map_err(|_| ApiError::NotFound("tracking"))
    }
}
