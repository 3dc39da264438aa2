//! What can be asked (contract, section 4).

use flow::{Channel, FlowKind, FlowStatus};
use uuid::Uuid;

/// A flow's place in the order of creation: its time (Unix milliseconds), then its id.
pub type Key = (i64, Uuid);

/// The first place of a time, Unix milliseconds.
pub const fn place_of(ms: i64) -> Key {
    (ms, Uuid::nil())
}

/// What a query finds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// How many flows match, exactly.
    pub total: usize,
    /// The places of the page asked for, in order; each has its flow's id.
    pub keys: Vec<Key>,
}

/// A search within one application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// Whose flows.
    pub application: String,
    /// At this place in the order or behind it; open when absent.
    pub from: Option<Key>,
    /// Before this place in the order; open when absent.
    pub until: Option<Key>,
    /// All of them must hold.
    pub filters: Vec<Filter>,
    /// In which order.
    pub order: Order,
    /// How many matches come before the page.
    pub offset: usize,
    /// How many matches the page has at most.
    pub limit: usize,
}

/// The order of a result; ties in creation time go by id, in the same direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// By creation time, descending.
    #[default]
    NewestFirst,
    /// By creation time, ascending.
    OldestFirst,
}

/// A condition, or its opposite.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filter {
    /// The condition.
    pub predicate: Predicate,
    /// Whether the flows are wanted for which it does not hold.
    pub negated: bool,
}

/// A condition on a flow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Predicate {
    /// One of its messages has this type.
    Type(Channel),
    /// A step with this channel ended it.
    Termination(Channel),
    /// It has this status.
    Status(FlowStatus),
    /// It is of this kind.
    Kind(FlowKind),
    /// One of its messages goes to a recipient like this, whatever the case of letters.
    To(TextOperator, String),
}

/// How a text is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextOperator {
    /// It is the term.
    Is,
    /// It contains the term.
    Contains,
    /// It starts with the term.
    StartsWith,
    /// It ends with the term.
    EndsWith,
}
