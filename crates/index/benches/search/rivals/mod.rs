//! Other engines with the same flows, each set up as well as we know how: covering indexes, a reversed
//! column, trigrams over the distinct recipients of the application that is asked, and hourly counts by
//! facets from which totals and any page follow without counting rows.

mod embedded;
mod postgres;
mod sqlite;

pub use embedded::Embedded;
pub use postgres::Postgres;
pub use sqlite::Sqlite;

use crate::generator::Generated;
use flow::Channel;
use index::{Filter, Predicate, Query, TextOperator};
use std::io::Write;
use uuid::Uuid;

const HOUR_MS: i64 = 3_600_000;

const TABLES: &str = "
    CREATE TABLE flows (app INTEGER NOT NULL, created BIGINT NOT NULL, id UUID NOT NULL,
        status INTEGER NOT NULL, term INTEGER NOT NULL, types INTEGER NOT NULL,
        recipient TEXT NOT NULL, backwards TEXT NOT NULL);";
const ROLLUP: &str = "
    CREATE TABLE rollup AS SELECT app, created / 3600000 AS hour, status, term, types, count(*) AS n
        FROM flows GROUP BY 1, 2, 3, 4, 5;
    CREATE INDEX rollup_hour ON rollup (app, hour, status, term, types, n);";

/// A value of a statement.
pub enum Value {
    Integer(i64),
    Text(String),
}

/// A database that is asked in SQL; parameters are `?1`, `?2` and so on.
pub trait Database {
    fn name(&self) -> &'static str;
    /// Rows of two integers.
    fn integers(&mut self, sql: &str, values: &[Value]) -> Vec<(i64, i64)>;
    /// Rows of one id.
    fn ids(&mut self, sql: &str, values: &[Value]) -> Vec<Uuid>;
    /// An index hint, where the planner needs one.
    fn hint(&self, index: &str) -> String;
    /// The flows that meet the conditions and whose recipient contains a term of three characters or more.
    fn containing(&self, parameter: usize, conditions: &str) -> String;
}

/// A condition under construction.
#[derive(Default)]
struct Where {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Where {
    fn value(&mut self, value: Value) -> usize {
        self.values.push(value);
        self.values.len()
    }

    fn integer(&mut self, condition: &str, value: i64) {
        let at = self.value(Value::Integer(value));
        self.conditions.push(condition.replace('$', &format!("?{at}")));
    }

    fn text(&mut self, condition: &str, value: &str) {
        let at = self.value(Value::Text(value.to_owned()));
        self.conditions.push(condition.replace('$', &format!("?{at}")));
    }

    fn sql(&self) -> String {
        self.conditions.join(" AND ")
    }

    fn facets(&mut self, filters: &[Filter]) {
        for Filter { predicate, negated } in filters {
            let (is, value) = match predicate {
                Predicate::Status(status) => ("status = $", *status as i64),
                Predicate::Termination(channel) => ("term = $", *channel as i64 + 1),
                Predicate::Type(channel) => ("types & $ <> 0", 1 << *channel as i64),
                Predicate::Kind(_) | Predicate::To(..) => continue,
            };
            let condition = if *negated { format!("NOT ({is})") } else { is.to_owned() };
            self.integer(&condition, value);
        }
    }

    fn range(&mut self, from_ms: i64, until_ms: i64) {
        self.integer("app = $", 0);
        self.integer("created >= $", from_ms);
        self.integer("created < $", until_ms);
    }
}

/// The text behind all texts that start with this one.
fn behind(prefix: &str) -> String {
    let mut text = prefix.to_owned();
    let last = text.pop().map_or(':', |last| char::from(last as u8 + 1));
    text.push(last);
    text
}

/// Total and page.
pub fn ask(database: &mut dyn Database, query: &Query) -> (usize, Vec<Uuid>) {
    let (from_ms, until_ms) =
        (query.from.map_or(i64::MIN, |key| key.0), query.until.map_or(i64::MAX, |key| key.0));
    if query.filters.iter().any(|filter| matches!(filter.predicate, Predicate::To(..))) {
        by_recipient(database, query, from_ms, until_ms)
    } else {
        by_hours(database, query, from_ms, until_ms)
    }
}

const PAGE: &str = "ORDER BY created DESC, id DESC";

/// Whole hours are summed from the rollup; what is left at both ends is counted.
fn by_hours(database: &mut dyn Database, query: &Query, from_ms: i64, until_ms: i64) -> (usize, Vec<Uuid>) {
    let (first, last) = ((from_ms + HOUR_MS - 1).div_euclid(HOUR_MS), until_ms.div_euclid(HOUR_MS));
    let mut hours = Where::default();
    hours.integer("app = $", 0);
    hours.integer("hour >= $", first);
    hours.integer("hour < $", last);
    hours.facets(&query.filters);
    let sql = format!(
        "SELECT CAST(hour AS BIGINT), CAST(sum(n) AS BIGINT) FROM rollup WHERE {} GROUP BY hour \
         ORDER BY hour DESC",
        hours.sql()
    );
    let sums = database.integers(&sql, &hours.values);
    let mut edge = |from_ms: i64, until_ms: i64| {
        let mut rows = Where::default();
        rows.range(from_ms, until_ms);
        rows.facets(&query.filters);
        let sql = format!("SELECT count(*), CAST(0 AS BIGINT) FROM flows WHERE {}", rows.sql());
        database.integers(&sql, &rows.values)[0].0
    };
    let mut parts = vec![(until_ms, edge(last * HOUR_MS, until_ms))];
    parts.extend(sums.iter().map(|(hour, count)| ((hour + 1) * HOUR_MS, *count)));
    parts.push((first * HOUR_MS, edge(from_ms, first * HOUR_MS)));
    let total: i64 = parts.iter().map(|(_, count)| count).sum();
    let mut offset = query.offset as i64;
    for (end_ms, count) in parts {
        if offset < count {
            let mut rows = Where::default();
            rows.range(from_ms, end_ms);
            rows.facets(&query.filters);
            let (limit, offset) =
                (rows.value(Value::Integer(query.limit as i64)), rows.value(Value::Integer(offset)));
            let sql =
                format!("SELECT id FROM flows WHERE {} {PAGE} LIMIT ?{limit} OFFSET ?{offset}", rows.sql());
            return (total as usize, database.ids(&sql, &rows.values));
        }
        offset -= count;
    }
    (total as usize, vec![])
}

fn by_recipient(
    database: &mut dyn Database,
    query: &Query,
    from_ms: i64,
    until_ms: i64,
) -> (usize, Vec<Uuid>) {
    let mut rows = Where::default();
    rows.range(from_ms, until_ms);
    rows.facets(&query.filters);
    let (mut count_index, mut page_index) = ("by_recipient", "by_recipient");
    let mut containing = None;
    for Filter { predicate, negated } in &query.filters {
        let Predicate::To(operator, term) = predicate else { continue };
        match operator {
            TextOperator::Is if *negated => {
                rows.text("recipient <> $", term);
                (count_index, page_index) = ("by_time", "by_time");
            }
            TextOperator::Is => rows.text("recipient = $", term),
            TextOperator::StartsWith => {
                rows.text("recipient >= $", term);
                rows.text("recipient < $", &behind(term));
                // A common prefix: the page is soon full in the order of time.
                page_index = "by_time";
            }
            TextOperator::EndsWith => {
                let backwards: String = term.chars().rev().collect();
                rows.text("backwards >= $", &backwards);
                rows.text("backwards < $", &behind(&backwards));
                (count_index, page_index) = ("by_end", "by_end");
            }
            TextOperator::Contains => {
                let at = rows.value(Value::Text(term.clone()));
                // Less has no trigram; the other conditions leave little.
                if term.len() < 3 {
                    rows.conditions.push(format!("recipient LIKE '%' || ?{at} || '%'"));
                } else {
                    containing = Some(at);
                }
            }
        }
    }
    let condition = rows.sql();
    let source = |index: &str| match containing {
        Some(parameter) => database.containing(parameter, &condition),
        None => format!("flows {} WHERE {condition}", database.hint(index)),
    };
    let (counted, paged) = (source(count_index), source(page_index));
    let sql = format!("SELECT count(*), CAST(0 AS BIGINT) FROM {counted}");
    let total = database.integers(&sql, &rows.values)[0].0;
    let (limit, offset) =
        (rows.value(Value::Integer(query.limit as i64)), rows.value(Value::Integer(query.offset as i64)));
    let from = if page_index == "by_time" {
        paged
    } else {
        // Few: all of them are put in order. A planner that expects many walks through time instead.
        format!("(WITH few AS MATERIALIZED (SELECT created, id FROM {paged}) SELECT * FROM few) few")
    };
    let sql = format!("SELECT id FROM {from} {PAGE} LIMIT ?{limit} OFFSET ?{offset}");
    (total as usize, database.ids(&sql, &rows.values))
}

fn types(flow: &Generated) -> i64 {
    Channel::ALL.iter().fold(0, |bits, &c| bits | i64::from(flow.facets.types.contains(c)) << c as u8)
}

/// The columns of a flow.
fn columns(flow: &Generated) -> (i64, i64, i64, &str, String) {
    let recipient = &*flow.facets.recipients[0];
    let term = flow.facets.termination.map_or(0, |channel| channel as i64 + 1);
    (flow.facets.status as i64, term, types(flow), recipient, recipient.chars().rev().collect())
}

/// Writes flows as rows of tab-separated columns.
fn write_rows(to: &mut impl Write, flows: impl Iterator<Item = Generated>) -> std::io::Result<()> {
    for flow in flows {
        let (status, term, types, recipient, backwards) = columns(&flow);
        let Generated { application, created_ms, id, .. } = flow;
        let id = id.simple();
        writeln!(
            to,
            "{application}\t{created_ms}\t{id}\t{status}\t{term}\t{types}\t{recipient}\t{backwards}"
        )?;
    }
    to.flush()
}
