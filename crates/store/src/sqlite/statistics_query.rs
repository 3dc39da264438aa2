//! Answers queries of statistics.

use super::rows;
use crate::statistics::{
    Answered, PeriodSums, Span, StatisticsQuery, StatisticsSums, Sums, Versions, answer,
};
use flow::statistics::{MessageKey, Quarter};
use parking_lot::Mutex;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// The range in which an application has statistics.
pub(super) fn range(connection: &Connection, application: &str) -> rusqlite::Result<Option<Range<Quarter>>> {
    // Each of both is one look at the index.
    let sql = "SELECT (SELECT min(start) FROM statistics WHERE application = ?1 AND span = ?2),
                      (SELECT max(start) FROM statistics WHERE application = ?1 AND span = ?2)";
    let mut statement = connection.prepare_cached(sql)?;
    let (first, last): (Option<i64>, Option<i64>) = statement
        .query_row(params![application, Span::Quarter.quarters()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(first.zip(last).map(|(first, last)| Quarter(first)..Quarter(last).next()))
}

/// Answers a query; `None` if the answer has too many rows.
pub(super) fn sums(
    connection: &Connection,
    answered: &Mutex<Answered>,
    query: &StatisticsQuery,
) -> rusqlite::Result<Option<StatisticsSums>> {
    // All documents of one moment: some are taken away from others.
    let transaction = connection.unchecked_transaction()?;
    let versions = versions(&transaction, query)?;
    let mut periods = answered.lock().known(query, &versions);
    let unknown: Vec<_> = (0..periods.len()).filter(|period| periods[*period].is_none()).collect();
    if !unknown.is_empty() {
        let Some(mut found) = sum_up(&transaction, query, &unknown)? else {
            return Ok(None);
        };
        let mut answered = answered.lock();
        for period in unknown {
            let sums = Arc::new(found.remove(&period).unwrap_or_default());
            answered.keep(query, &versions, period, Arc::clone(&sums));
            periods[period] = Some(sums);
        }
    }
    let periods: Vec<_> = periods.into_iter().flatten().collect();
    Ok(answer(query, &periods))
}

/// How often the days of a query changed.
fn versions(connection: &Connection, query: &StatisticsQuery) -> rusqlite::Result<Versions> {
    let mut versions = Versions::default();
    if let [first, .., last] = query.bounds[..] {
        let sql = "SELECT start, version FROM statistics_days
                   WHERE application = ?1 AND start >= ?2 AND start < ?3 ORDER BY start";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![query.application, Span::Day.start(first).0, last.0])?;
        while let Some(row) = rows.next()? {
            versions.push(Quarter(row.get(0)?), row.get(1)?);
        }
    }
    Ok(versions)
}

/// Sums periods up from their documents; `None` if they have too many rows.
fn sum_up(
    connection: &Connection,
    query: &StatisticsQuery,
    periods: &[usize],
) -> rusqlite::Result<Option<BTreeMap<usize, PeriodSums>>> {
    let keys = keys(connection)?;
    let mut sums = Sums::new(&query.group_by, &keys, query.rows_max);
    let sql = "SELECT doc FROM statistics WHERE application = ?1 AND span = ?2 AND start = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    for ((span, start), periods) in Sums::needed(&query.bounds, periods) {
        let mut rows = statement.query(params![query.application, span.quarters(), start.0])?;
        while let Some(row) = rows.next()? {
            let read = sums.read(row.get_ref(0)?.as_blob()?, &periods);
            let fits = read.map_err(|error| {
                let kind = rusqlite::types::Type::Blob;
                rusqlite::Error::FromSqlConversionFailure(0, kind, Box::new(error))
            })?;
            if !fits {
                return Ok(None);
            }
        }
    }
    Ok(Some(sums.finish()))
}

/// Every key, by its number.
fn keys(connection: &Connection) -> rusqlite::Result<Vec<Option<MessageKey>>> {
    let mut statement =
        connection.prepare_cached("SELECT number, key FROM statistics_keys ORDER BY number")?;
    let mut found = statement.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = found.next()? {
        // Numbers are given one after the other.
        if row.get::<_, i64>(0)? == keys.len() as i64 {
            keys.push(rows::json(1, row.get_ref(1)?.as_bytes()?).ok());
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::super::schema::open_writer;
    use super::super::statistics::add;
    use super::*;
    use crate::batch::Contributions;
    use crate::sealing::Keyring;
    use flow::statistics::{Contribution, Dimension, MessageFigures};
    use flow::{Channel, Detail, FlowKind, Status};
    use std::time::Instant;

    const DAY: i64 = 96;
    const DAYS: i64 = 365;

    /// What a quarter of an hour has: 200 combinations, half of which got through.
    fn quarter(random: &mut fastrand::Rng) -> Contribution {
        let mut contribution = Contribution::default();
        for at in 0..200 {
            let status = if at % 2 == 0 { Status::Delivered } else { Status::Undelivered };
            let country = format!("{}{}", char::from(b'A' + (at / 20) as u8), 'X');
            let key = MessageKey {
                channel: if at / 2 % 2 == 0 { Channel::Sms } else { Channel::Viber },
                kind: FlowKind::Plain,
                status,
                detail: Detail::plain(status),
                carrier: Some(format!("carrier {}", at / 4 % 5)),
                network: Some(format!("network of {country}")),
                country: Some(country),
            };
            let messages = random.i64(1..500);
            let price = flow::Price::new(messages * 45, 3);
            let mut figures =
                MessageFigures { messages, parts: messages, price, ..MessageFigures::default() };
            if status.is_success() {
                (0..messages).for_each(|_| figures.latency.count(2000 + random.u32(0..20_000), 1));
            }
            contribution.messages.insert(key, figures);
        }
        contribution
    }

    /// `cargo test --release -p store -- --ignored a_year_by_day --nocapture`
    #[test]
    #[ignore = "it measures, and takes half a minute"]
    fn a_year_by_day_takes_milliseconds() {
        let directory = tempfile::tempdir().unwrap();
        let connection = open_writer(&directory.path().join("db"), &Keyring::default()).unwrap();
        let (mut random, mut keys) = (fastrand::Rng::with_seed(1), None);
        for day in 0..=DAYS {
            let transaction = connection.unchecked_transaction().unwrap();
            for at in day * DAY..(day + 1) * DAY {
                let one = Contributions::from([(("app".to_owned(), Quarter(at)), quarter(&mut random))]);
                add(&transaction, &mut keys, &one).unwrap();
            }
            transaction.commit().unwrap();
        }
        for (zone, offset) in [("UTC", 0), ("+02:00", 8), ("+05:30", 22), ("-08:00", -32), ("+12:00", 48)] {
            let bounds = (0..=DAYS).map(|day| Quarter((day * DAY - offset).max(0))).collect();
            let group_by = vec![Dimension::Channel];
            let query = StatisticsQuery { application: "app".into(), bounds, group_by, rows_max: 10_000 };
            let answered = Mutex::new(Answered::default());
            let mut ask = |day: i64| {
                // As it is in life: today changes, and with it what was known of it.
                let one =
                    Contributions::from([(("app".to_owned(), Quarter(day * DAY)), quarter(&mut random))]);
                add(&connection, &mut keys, &one).unwrap();
                let started = Instant::now();
                let rows = sums(&connection, &answered, &query).unwrap().unwrap().rows.len();
                assert!(rows >= 2 * DAYS as usize - 2);
                started.elapsed()
            };
            let first = ask(DAYS - 1);
            let mut took: Vec<_> = (0..300).map(|_| ask(DAYS - 1)).collect();
            took.sort_unstable();
            println!("{zone}: first {first:?}, then p50 {:?}, p99 {:?}", took[150], took[297]);
        }
    }
}
