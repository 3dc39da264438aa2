//! Finds the flows of a list.

use super::meaning::{Meaning, Readings, meaning};
use super::query::ListQuery;
use super::row::text;
use crate::error::PageError;
use crate::request::visitor::Visitor;
use crate::state::Console;
use engine::service::Matches;
use flow::Flow;
use index::{Filter, Predicate, Query, TextOperator};
use std::num::NonZeroU32;
use std::time::Duration;
use store::Application;
use uuid::Uuid;
use wire::message_filter::{MessageField, MessageFilter};

/// Octets of flows that are read for a page.
const READ_BYTES: usize = 8 << 20;
/// Searches for numbers, labels and references a minute of an operator who must not see numbers.
const SEARCHES_A_MINUTE: NonZeroU32 = NonZeroU32::new(30).unwrap();

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
    let query = asked.to_index(visitor)?;
    let applications = asked.applications(visitor)?;
    let Resolved { list, understood } = resolved(console, visitor, asked, &query).await?;
    let Matches { total, ids } = match list {
        Listed::Matching(query, filters) => {
            console.service.find_across(applications, query, &filters).await?
        }
        Listed::These(ids) => Matches { total: ids.len(), ids },
    };
    let read = console.service.read_flows(ids.clone(), READ_BYTES).await?;
    let read = read.into_iter().chain(std::iter::repeat(None));
    let understood = understood.map(|words| text(visitor, &words));
    Ok(Found { total, flows: ids.into_iter().zip(read).collect(), understood })
}

/// What a list has, without its page.
pub(crate) enum Listed {
    /// The flows that meet conditions.
    Matching(Query, Vec<MessageFilter>),
    /// The flows of an id or of a carrier's reference.
    These(Vec<Uuid>),
}

/// What a list has, and how the box was understood.
pub(crate) struct Resolved {
    pub(crate) list: Listed,
    understood: Option<String>,
}

/// Reads the box of a list: the reading that finds something. What is asked beside the box is in `query`.
pub(crate) async fn resolved(
    console: &Console,
    visitor: &Visitor,
    asked: &ListQuery,
    query: &Query,
) -> Result<Resolved, PageError> {
    let applications = asked.applications(visitor)?;
    let found = |list, understood| Ok(Resolved { list, understood });
    let meaning = meaning(&asked.q, console.settings.country.as_deref());
    if !visitor.sees_all() && matches!(meaning, Meaning::Number(_) | Meaning::Reference(_)) {
        hold_back(console, visitor)?;
    }
    match meaning {
        Meaning::Everything => found(Listed::Matching(query.clone(), Vec::new()), None),
        Meaning::Number(readings) => {
            let readings = allowed(visitor, readings)?;
            let (query, words) = by_number(console, applications, query, readings).await?;
            found(Listed::Matching(query, Vec::new()), Some(words))
        }
        Meaning::Id(id) => {
            let ids = by_id(console, applications, &id.to_string()).await?;
            found(Listed::These(ids), Some("an id".to_owned()))
        }
        Meaning::Reference(term) => {
            let ids = by_id(console, applications, &term).await?;
            if !ids.is_empty() {
                return found(Listed::These(ids), Some("a carrier's reference".to_owned()));
            }
            let (filter, words) = label(visitor, &term);
            found(Listed::Matching(query.clone(), vec![filter]), Some(words))
        }
    }
}

/// Holds those who must not see numbers back to what a person looks for, or they could try numbers and labels
/// with numbers in them one after the other until one is found.
fn hold_back(console: &Console, visitor: &Visitor) -> Result<(), PageError> {
    let waits = |wait: Duration| PageError::Wait { seconds: wait.as_secs().cast_signed().saturating_add(1) };
    console.searches.take_in_minute(visitor.operator.name.clone(), SEARCHES_A_MINUTE).map_err(waits)
}

/// The readings that a visitor may ask for: who must not see numbers finds whole ones alone, or the hidden
/// digits could be found one by one.
fn allowed(visitor: &Visitor, readings: Readings) -> Result<Readings, PageError> {
    if visitor.sees_all() {
        return Ok(readings);
    }
    let is_whole = |reading: &Predicate| matches!(reading, Predicate::To(TextOperator::Is, _));
    let tried: Vec<Predicate> = readings.tried.into_iter().filter(is_whole).collect();
    let rule = "your role finds whole numbers only: type all of it, with its country";
    let first = tried.first().cloned().ok_or_else(|| PageError::Refused(rule.to_owned()))?;
    let plain = if is_whole(&readings.plain) { readings.plain } else { first };
    Ok(Readings { tried, plain })
}

/// The query with the first reading that finds something, or else with the one that was typed; and that
/// reading in words.
async fn by_number(
    console: &Console,
    applications: &[Application],
    query: &Query,
    readings: Readings,
) -> Result<(Query, String), PageError> {
    let with = |reading: Predicate| {
        let mut query = query.clone();
        query.filters.push(Filter { predicate: reading, negated: false });
        query
    };
    for reading in readings.tried {
        let words = in_words(&reading);
        let query = with(reading);
        let count = Query { offset: 0, limit: 0, ..query.clone() };
        if console.service.find_across(applications, count, &[]).await?.total > 0 {
            return Ok((query, words));
        }
    }
    let words = in_words(&readings.plain);
    Ok((with(readings.plain), words))
}

/// A reading in words.
fn in_words(reading: &Predicate) -> String {
    match reading {
        Predicate::To(TextOperator::Is, number) => format!("the number {number}"),
        Predicate::To(TextOperator::StartsWith, start) => format!("numbers that start with {start}"),
        Predicate::To(TextOperator::EndsWith, end) => format!("numbers that end with {end}"),
        Predicate::To(TextOperator::Contains, piece) => format!("numbers with {piece} in them"),
        _ => String::new(),
    }
}

/// Flows that an id or a carrier's reference leads to.
async fn by_id(console: &Console, applications: &[Application], text: &str) -> Result<Vec<Uuid>, PageError> {
    let sees = |of: &str| applications.iter().any(|application| application.id == of);
    Ok(console.service.identify(sees, text).await?)
}

/// A condition on labels, and its words. Who must not see numbers finds whole labels alone: labels may have
/// numbers in them.
fn label(visitor: &Visitor, text: &str) -> (MessageFilter, String) {
    let (operator, words) = match visitor.sees_all() {
        true => (TextOperator::Contains, format!("labels with \"{text}\" in them")),
        false => (TextOperator::Is, format!("the label \"{text}\"")),
    };
    let term = text.to_lowercase();
    (MessageFilter { field: MessageField::Label, operator, term, negated: false }, words)
}
