//! What a search may contain, and its answer, for the description: [`crate::read_search`] reads it (contract,
//! section 4).

use crate::tracking::TrackingView;
use serde::Serialize;
use utoipa::ToSchema;

/// A condition.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilterRequest {
    /// In any case.
    field_name: FieldName,
    /// `is` (by default) and `is_not` for every field; the others for `to` and `label`.
    #[schema(nullable = false)]
    search_operator: Option<Operator>,
    /// For `type` and `terminationChannel` a channel, for `status` a status of a flow, for `messageStatus`
    /// one of a message, for `flowKind` `plain` or `transactional`; any text for the others.
    #[schema(min_length = 1, max_length = 350)]
    search_term: String,
}

/// What a condition is about.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)] // It is the schema of what `read_filters` reads.
pub enum FieldName {
    /// The channel of a message.
    Type,
    /// The channel of the step that ended the flow.
    TerminationChannel,
    /// The flow's status.
    Status,
    /// A recipient.
    To,
    /// Plain or transactional.
    FlowKind,
    /// A message's status.
    MessageStatus,
    /// A sender.
    From,
    /// A label.
    Label,
    /// A recipient's country, ISO 3166-1 alpha-2.
    Country,
    /// A recipient's operator.
    Operator,
}

/// How a condition compares.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)] // It is the schema of what `read_filters` reads.
pub enum Operator {
    /// Any message has it.
    Is,
    /// No message has it.
    IsNot,
    /// It is somewhere in it.
    Contains,
    /// It begins so.
    StartsWith,
    /// It ends so.
    EndsWith,
}

/// The order of a search.
#[derive(ToSchema)]
#[allow(dead_code)] // It is the schema of what `read_sort` reads.
pub enum Sort {
    /// The newest first.
    #[schema(rename = "createdAt,desc")]
    NewestFirst,
    /// The oldest first.
    #[schema(rename = "createdAt,asc")]
    OldestFirst,
}

/// Filters, or a single one.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code)] // It is the schema of what `read_filters` reads.
pub enum FiltersRequest {
    /// All of them must hold.
    Many(Vec<FilterRequest>),
    /// Just one.
    One(FilterRequest),
}

/// A page of trackings.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)] // It is the schema of what `Page` writes.
pub struct PageView {
    content: Vec<TrackingView>,
    total_pages: usize,
    /// Exact.
    total_elements: usize,
    /// The page's number, from 0.
    number: usize,
    size: usize,
    number_of_elements: usize,
    first: bool,
    last: bool,
}
