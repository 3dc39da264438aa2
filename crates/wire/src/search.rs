//! What a search may contain, and the page that it is answered with (contract, section 4). Clients write a
//! search as these types; servers read it by [`crate::read_search`], which takes names in any case.

use crate::tracking::TrackingView;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A condition.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilterRequest {
    /// In any case.
    pub field_name: FieldName,
    /// `is` (by default) and `is_not` for every field; the others for `to` and `label`.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_operator: Option<Operator>,
    /// For `type` and `terminationChannel` a channel, for `status` a status of a flow, for `messageStatus`
    /// one of a message, for `flowKind` `plain` or `transactional`; any text for the others.
    #[schema(min_length = 1, max_length = 350)]
    pub search_term: String,
}

/// What a condition is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
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
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum FiltersRequest {
    /// All of them must hold.
    Many(Vec<FilterRequest>),
    /// Just one.
    One(FilterRequest),
}

// Its content is written first, so that it can be sent in pieces: `OPENING`, trackings with commas between,
// `closing`.
/// A page of trackings.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageView {
    pub content: Vec<TrackingView>,
    pub total_pages: usize,
    /// Exact.
    pub total_elements: usize,
    /// The page's number, from 0.
    pub number: usize,
    pub size: usize,
    pub number_of_elements: usize,
    pub first: bool,
    pub last: bool,
}

impl FilterRequest {
    /// A condition that compares by the default operator, [`Operator::Is`].
    pub fn is(field_name: FieldName, term: impl Into<String>) -> FilterRequest {
        FilterRequest { field_name, search_operator: None, search_term: term.into() }
    }

    /// A condition that compares by `operator`.
    pub fn by(field_name: FieldName, operator: Operator, term: impl Into<String>) -> FilterRequest {
        FilterRequest { search_operator: Some(operator), ..FilterRequest::is(field_name, term) }
    }
}

impl PageView {
    /// The JSON in front of a page's first tracking.
    pub const OPENING: &str = "{\"content\":[";

    /// The page with a number, of `total` trackings in pages of `size`; without its content so far.
    pub fn empty(total: usize, number: usize, size: usize) -> PageView {
        let total_pages = total.div_ceil(size);
        PageView {
            content: vec![],
            total_pages,
            total_elements: total,
            number,
            size,
            number_of_elements: 0,
            first: number == 0 || total == 0,
            last: number + 1 >= total_pages,
        }
    }

    /// The JSON behind the last tracking of a page whose content was written already.
    ///
    /// # Errors
    /// None: the page has only numbers, truth values and an empty array.
    pub fn closing(&self) -> serde_json::Result<String> {
        let empty = PageView { content: vec![], ..*self };
        let text = serde_json::to_string(&empty)?;
        Ok(text.strip_prefix(PageView::OPENING).unwrap_or_default().to_owned())
    }
}
