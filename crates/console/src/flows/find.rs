//! Finds the flows of a list.

use super::meaning::{Meaning, meaning};
use super::query::ListQuery;
use super::row::text;
use crate::error::PageError;
use crate::request::visitor::Visitor;
use crate::state::Console;
use engine::service::Matches;
use flow::Flow;
use index::{Filter, Predicate, Query, TextOperator};
use store::Application;
use uuid::Uuid;
use wire::message_filter::{MessageField, MessageFilter};

/// Octets of flows that are read for a page.
const READ_BYTES: usize = 8 << 20;

/// A page of a list.
pub(crate) struct Found {
    /// How many there are, exactly.
    pub(crate) total: usize,
    /// Those of the page: an id, and the flow if it can be read.
    pub(crate) flows: Vec<(Uuid, Option<Flow>)>,
    /// How the box was understood.
    pub(crate) understood: Option<String>,
}

/// Finds the flows of a page.
pub(crate) async fn find(
    console: &Console,
    visitor: &Visitor,
    asked: &ListQuery,
) -> Result<Found, PageError> {
    let applications = asked.applications(visitor)?;
    let query = asked.to_index(visitor)?;
    let country = console.settings.country.as_deref();
    let (matches, understood) = match meaning(&asked.q, country) {
        Meaning::Everything => (console.service.find_across(applications, query, &[]).await?, None),
        Meaning::Number(readings) => {
            let readings = allowed(visitor, readings)?;
            let ByNumber { matches, words, .. } = by_number(console, applications, query, readings).await?;
            (matches, Some(text(visitor, &words)))
        }
        Meaning::Id(id) => (by_id(console, applications, &id.to_string()).await?, Some("an id".to_owned())),
        Meaning::Reference(term) => by_reference(console, applications, query, term).await?,
    };
    let Matches { total, ids } = matches;
    let read = console.service.read_flows(ids.clone(), READ_BYTES).await?;
    let read = read.into_iter().chain(std::iter::repeat(None));
    Ok(Found { total, flows: ids.into_iter().zip(read).collect(), understood })
}

/// The readings that a visitor may ask for: who must not see numbers finds whole ones alone, or the hidden
/// digits could be found one by one.
fn allowed(visitor: &Visitor, mut readings: Vec<Predicate>) -> Result<Vec<Predicate>, PageError> {
    if !visitor.sees_all() {
        readings.retain(|reading| matches!(reading, Predicate::To(TextOperator::Is, _)));
    }
    let rule = "your role finds whole numbers only: type all of it, with its country";
    if readings.is_empty() { Err(PageError::Refused(rule.to_owned())) } else { Ok(readings) }
}

/// What the index and the messages are asked for a list without its page: the reading of the box that finds
/// something.
pub(crate) async fn resolved(
    console: &Console,
    visitor: &Visitor,
    asked: &ListQuery,
) -> Result<(Query, Vec<MessageFilter>), PageError> {
    let applications = asked.applications(visitor)?;
    let query = Query { offset: 0, limit: 0, ..asked.to_index(visitor)? };
    match meaning(&asked.q, console.settings.country.as_deref()) {
        Meaning::Everything => Ok((query, Vec::new())),
        Meaning::Id(_) => Err(PageError::Refused("this is one flow: its page has it as JSON".to_owned())),
        Meaning::Reference(text) => Ok((query, vec![label(&text)])),
        Meaning::Number(readings) => {
            let ByNumber { query, .. } = by_number(console, applications, query, readings).await?;
            Ok((query, Vec::new()))
        }
    }
}

/// What a number found.
struct ByNumber {
    /// The query with the reading that found it.
    query: Query,
    matches: Matches,
    /// That reading in words.
    words: String,
}

/// The first reading that finds something, or the last one.
async fn by_number(
    console: &Console,
    applications: &[Application],
    query: Query,
    readings: Vec<Predicate>,
) -> Result<ByNumber, PageError> {
    let none = Matches { total: 0, ids: Vec::new() };
    let mut found = ByNumber { query: query.clone(), matches: none, words: String::new() };
    for reading in readings {
        let words = match &reading {
            Predicate::To(TextOperator::Is, number) => format!("the number {number}"),
            Predicate::To(TextOperator::StartsWith, start) => format!("numbers that start with {start}"),
            Predicate::To(TextOperator::EndsWith, end) => format!("numbers that end with {end}"),
            Predicate::To(TextOperator::Contains, piece) => format!("numbers with {piece} in them"),
            _ => String::new(),
        };
        let mut query = query.clone();
        query.filters.push(Filter { predicate: reading, negated: false });
        let matches = console.service.find_across(applications, query.clone(), &[]).await?;
        found = ByNumber { query, matches, words };
        if found.matches.total > 0 {
            break;
        }
    }
    Ok(found)
}

/// Flows that an id or a carrier's reference leads to.
async fn by_id(console: &Console, applications: &[Application], text: &str) -> Result<Matches, PageError> {
    let sees = |of: &str| applications.iter().any(|application| application.id == of);
    let ids = console.service.identify(sees, text).await?;
    Ok(Matches { total: ids.len(), ids })
}

/// Flows that a carrier's reference leads to, else those with a label.
async fn by_reference(
    console: &Console,
    applications: &[Application],
    query: Query,
    text: String,
) -> Result<(Matches, Option<String>), PageError> {
    let matches = by_id(console, applications, &text).await?;
    if matches.total > 0 {
        return Ok((matches, Some("a carrier's reference".to_owned())));
    }
    let matches = console.service.find_across(applications, query, &[label(&text)]).await?;
    Ok((matches, Some(format!("labels with \"{text}\" in them"))))
}

/// A condition on labels.
fn label(text: &str) -> MessageFilter {
    MessageFilter {
        field: MessageField::Label,
        operator: TextOperator::Contains,
        term: text.to_lowercase(),
        negated: false,
    }
}
