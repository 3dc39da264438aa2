//! Reads a search from a request (contract, section 4).

use crate::broken::BrokenRules;
use crate::message_filter::{MessageField, MessageFilter};
use crate::parameters::{Given, Parameters};
use crate::problems::Problems;
use crate::reader::{Reader, is_blank};
use crate::time_range::read_range;
use crate::words::one_of_channels;
use flow::{Channel, FlowKind, FlowStatus, Rule, SipAddress, number_piece, number_start};
use index::{Filter, Order, Predicate, Query, TextOperator, place_of};
use serde_json::Value;

/// Most trackings on a page.
const SIZE_MAX: usize = 1000;
/// Most filters of a search.
const FILTERS_MAX: usize = 50;
/// Longest term, in characters: as long as the longest label.
const TERM_MAX: usize = 350;

/// The parameters of a search's URL.
const PARAMETERS: [&str; 5] = ["dateStart", "dateEnd", "page", "size", "sort"];
/// The members of a filter.
const MEMBERS: [&str; 3] = ["fieldName", "searchOperator", "searchTerm"];

/// What a search asks for.
pub struct Search {
    /// The page, from 0.
    pub page: usize,
    /// Trackings a page.
    pub size: usize,
    /// The rest, for that page.
    pub query: Query,
    /// What the index can't answer.
    pub message_filters: Vec<MessageFilter>,
}

/// Reads a search of an application from the URL's parameters and the body.
///
/// # Errors
/// Every rule that is broken.
pub fn read_search(
    application: &str,
    parameters: &Parameters,
    body: &Value,
    errors_max: usize,
) -> Result<Search, BrokenRules> {
    let problems = Problems::new(errors_max);
    let parameters = &parameters.known(&PARAMETERS, &problems);
    let (page, size) = read_page(parameters, &problems);
    let (from_ms, until_ms) = read_range(parameters, &problems);
    let order = read_sort(parameters, &problems);
    let (filters, message_filters) = read_filters(body, &problems);
    problems.finish()?;
    let (from, until) = (from_ms.map(place_of), until_ms.map(place_of));
    let (application, offset) = (application.to_owned(), page.saturating_mul(size));
    let query = Query { application, from, until, filters, order, offset, limit: size };
    Ok(Search { page, size, query, message_filters })
}

fn read_page(parameters: &Given<'_>, problems: &Problems) -> (usize, usize) {
    let number = |name: &str, default: usize, rule: &str, allowed: fn(usize) -> bool| {
        let Some(text) = parameters.get(name) else { return default };
        match text.parse() {
            Ok(number) if allowed(number) => number,
            _ => {
                problems.add(name, Rule::Range, rule);
                default
            }
        }
    };
    let page =
        number("page", 0, "must be a whole number, 0 or more", |page| page <= usize::MAX / (2 * SIZE_MAX));
    let size = number("size", 10, "must be a whole number, 1 to 1000", |size| (1..=SIZE_MAX).contains(&size));
    (page, size)
}

fn read_sort(parameters: &Given<'_>, problems: &Problems) -> Order {
    let sort = parameters.get("sort").map(|sort| sort.replace(' ', "").to_ascii_lowercase());
    match sort.as_deref() {
        None | Some("" | "createdat" | "createdat,desc") => Order::NewestFirst,
        Some("createdat,asc") => Order::OldestFirst,
        Some(_) => {
            problems.add("sort", Rule::Choice, "must be createdAt,desc or createdAt,asc");
            Order::NewestFirst
        }
    }
}

/// A condition for the index, or for what it leaves.
enum AnyFilter {
    Index(Filter),
    Message(MessageFilter),
}

fn read_filters(body: &Value, problems: &Problems) -> (Vec<Filter>, Vec<MessageFilter>) {
    let filters: &[Value] = match body {
        Value::Array(filters) => filters,
        single => std::slice::from_ref(single),
    };
    let (mut of_index, mut of_messages) = (Vec::new(), Vec::new());
    if filters.len() > FILTERS_MAX {
        let rule = format!("must be at most {FILTERS_MAX}; there are {}", filters.len());
        problems.add("filters", Rule::Length, rule);
        return (of_index, of_messages);
    }
    for (i, value) in filters.iter().enumerate().filter(|(_, value)| !is_blank(value)) {
        match Reader::of(value, format!("[{i}]"), problems).and_then(|reader| read_filter(&reader)) {
            Some(AnyFilter::Index(filter)) => of_index.push(filter),
            Some(AnyFilter::Message(filter)) => of_messages.push(filter),
            None => {}
        }
    }
    (of_index, of_messages)
}

fn read_filter(reader: &Reader<'_>) -> Option<AnyFilter> {
    reader.refuse_unknown(&MEMBERS);
    let field = reader.required_text("fieldName").to_ascii_lowercase();
    let operator = reader.text("searchOperator").unwrap_or_else(|| "is".into()).to_ascii_lowercase();
    let term = reader.required_text("searchTerm");
    if field.is_empty() || term.is_empty() {
        return None;
    }
    if term.chars().count() > TERM_MAX {
        reader.refuse("searchTerm", Rule::Length, format!("must have at most {TERM_MAX} characters"));
        return None;
    }
    let channel = |name: &str| {
        let channel = Channel::parse(name);
        if channel.is_none() {
            reader.refuse("searchTerm", Rule::Choice, format!("must be {}", one_of_channels()));
        }
        channel
    };
    let text_operator = match operator.as_str() {
        "contains" => TextOperator::Contains,
        "starts_with" => TextOperator::StartsWith,
        "ends_with" => TextOperator::EndsWith,
        _ => TextOperator::Is,
    };
    let negated = operator == "is_not";
    if let Some(field) = MessageField::parse(&field) {
        check_operator(reader, &operator, field == MessageField::Label)?;
        let term = term.to_lowercase();
        return Some(AnyFilter::Message(MessageFilter { field, operator: text_operator, term, negated }));
    }
    let predicate = match field.as_str() {
        "type" => Predicate::Type(channel(&term)?),
        "terminationchannel" => Predicate::Termination(channel(&term)?),
        "status" => match FlowStatus::parse(&term) {
            Some(status) => Predicate::Status(status),
            None => {
                reader.refuse("searchTerm", Rule::Choice, "must be Queued, InProgress, Succeeded or Failed");
                return None;
            }
        },
        "flowkind" => match term.to_ascii_lowercase().as_str() {
            "transactional" => Predicate::Kind(FlowKind::Transactional),
            "plain" => Predicate::Kind(FlowKind::Plain),
            _ => {
                reader.refuse("searchTerm", Rule::Choice, "must be transactional or plain");
                return None;
            }
        },
        "to" => Predicate::To(text_operator, recipient_term(text_operator, term)),
        _ => {
            let fields = "must be type, terminationChannel, status, to, flowKind, messageStatus, from, label, country \
                          or operator";
            reader.refuse("fieldName", Rule::Choice, fields);
            return None;
        }
    };
    check_operator(reader, &operator, matches!(predicate, Predicate::To(..)))?;
    Some(AnyFilter::Index(Filter { predicate, negated }))
}

/// A term for recipients, as those are kept: numbers as people write them, and SIP addresses in full.
fn recipient_term(operator: TextOperator, term: String) -> String {
    let meant = match operator {
        TextOperator::Is if term.contains('@') => {
            SipAddress::parse(&term).ok().map(|address| address.to_string())
        }
        TextOperator::Is | TextOperator::StartsWith => number_start(&term),
        TextOperator::Contains | TextOperator::EndsWith => number_piece(&term),
    };
    meant.unwrap_or(term)
}

/// Refuses an operator that a field does not have.
fn check_operator(reader: &Reader<'_>, operator: &str, is_text: bool) -> Option<()> {
    match operator {
        "is" | "is_not" => Some(()),
        "contains" | "starts_with" | "ends_with" if is_text => Some(()),
        _ => {
            let choices = if is_text {
                "must be is, is_not, contains, starts_with or ends_with"
            } else {
                "must be is or is_not"
            };
            reader.refuse("searchOperator", Rule::Choice, choices);
            None
        }
    }
}
