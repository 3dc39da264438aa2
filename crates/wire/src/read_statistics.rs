//! Reads a question for statistics from a URL (contract, section 4).

use crate::broken::BrokenRules;
use crate::parameters::{Given, Parameters};
use crate::problems::Problems;
use crate::time::CALENDAR_END_MS;
use crate::time_range::read_range;
use flow::Rule;
use flow::statistics::{Dimension, Quarter};
use jiff::tz::TimeZone;

/// The parameters of the URL.
const PARAMETERS: [&str; 5] = ["dateStart", "dateEnd", "interval", "timeZone", "groupBy"];

/// How long the periods are that statistics are shown by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interval {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month of the calendar.
    Month,
}

/// A question for statistics.
#[derive(Clone, Debug)]
pub struct StatisticsRequest {
    /// Flows that were accepted from then on.
    pub from: Option<Quarter>,
    /// Flows that were accepted before.
    pub until: Option<Quarter>,
    /// How long its periods are.
    pub interval: Interval,
    /// Where their hours, days and months begin.
    pub zone: TimeZone,
    /// What the messages of a period are grouped by.
    pub group_by: Vec<Dimension>,
}

/// Reads a question from the URL's parameters.
///
/// # Errors
/// Every rule that is broken.
pub fn read_statistics(parameters: &Parameters, errors_max: usize) -> Result<StatisticsRequest, BrokenRules> {
    let problems = Problems::new(errors_max);
    let parameters = &parameters.known(&PARAMETERS, &problems);
    let (from_ms, until_ms) = read_range(parameters, &problems);
    let quarter = |name: &str, ms: Option<i64>| {
        let ms = ms?;
        if ms >= CALENDAR_END_MS {
            problems.add(name, Rule::Range, "must be before 9999-12-31, which is the end of the calendar");
            return None;
        }
        let quarter = Quarter::starting_at(ms);
        if quarter.is_none() {
            let rule =
                "must be at a quarter of an hour, such as 2025-05-05T15:15Z: statistics are kept by those";
            problems.add(name, Rule::Range, rule);
        }
        quarter
    };
    let (from, until) = (quarter("dateStart", from_ms), quarter("dateEnd", until_ms));
    let interval = read_interval(parameters, &problems);
    let zone = read_zone(parameters, &problems);
    let group_by = read_group_by(parameters, &problems);
    problems.finish().map(|()| StatisticsRequest { from, until, interval, zone, group_by })
}

fn read_interval(parameters: &Given<'_>, problems: &Problems) -> Interval {
    match parameters.get("interval").map(|interval| interval.to_ascii_lowercase()).as_deref() {
        Some("hour") => Interval::Hour,
        None | Some("day") => Interval::Day,
        Some("month") => Interval::Month,
        Some(_) => {
            problems.add("interval", Rule::Choice, "must be hour, day or month");
            Interval::Day
        }
    }
}

fn read_zone(parameters: &Given<'_>, problems: &Problems) -> TimeZone {
    let Some(name) = parameters.get("timeZone") else { return TimeZone::UTC };
    TimeZone::get(name).unwrap_or_else(|_| {
        let rule = format!("must be a time zone of the IANA database, such as Europe/Athens, not \"{name}\"");
        problems.add("timeZone", Rule::Choice, rule);
        TimeZone::UTC
    })
}

fn read_group_by(parameters: &Given<'_>, problems: &Problems) -> Vec<Dimension> {
    let mut group_by = Vec::new();
    let names = parameters.get("groupBy").copied().unwrap_or_default().split(',').map(str::trim);
    for name in names.filter(|name| !name.is_empty()) {
        match Dimension::parse(name) {
            Some(dimension) if group_by.contains(&dimension) => {
                problems.add("groupBy", Rule::Unique, format!("must name {} once", dimension.name()));
                break;
            }
            Some(dimension) => group_by.push(dimension),
            None => {
                let rule = format!(
                    "must have channel, carrier, country, network and status, separated by commas, not \"{name}\""
                );
                problems.add("groupBy", Rule::Choice, rule);
                break;
            }
        }
    }
    group_by
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parameters: &[(&str, &str)]) -> Result<StatisticsRequest, BrokenRules> {
        let given = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        read_statistics(&Parameters(given.collect()), 10)
    }

    #[test]
    fn everything_is_open_and_by_day_by_default() {
        let request = read(&[]).unwrap();
        assert_eq!((request.from, request.until, request.interval), (None, None, Interval::Day));
        assert_eq!((request.zone, request.group_by), (TimeZone::UTC, vec![]));
        let request = read(&[("dateEnd", "9999-12-31T23:59:59Z"), ("groupBy", "")]).unwrap();
        assert_eq!((request.until, request.group_by), (None, vec![]));
    }

    #[test]
    fn a_whole_question_is_read() {
        let request = read(&[
            ("dateStart", "2025-05-05T15:15Z"),
            ("dateEnd", "2025-06-05 15:15"),
            ("interval", "Month"),
            ("timeZone", "Europe/Athens"),
            ("groupBy", "channel, Status"),
        ]);
        let request = request.unwrap();
        assert_eq!(request.from.map(Quarter::start_ms), Some(1_746_458_100_000));
        assert_eq!(request.until.map(Quarter::start_ms), Some(1_749_136_500_000));
        assert_eq!(request.interval, Interval::Month);
        assert_eq!(request.zone.iana_name(), Some("Europe/Athens"));
        assert_eq!(request.group_by, [Dimension::Channel, Dimension::Status]);
    }

    #[test]
    fn what_is_not_known_is_named_with_its_rule() {
        for (name, value, rule, says) in [
            ("dateStart", "2025-05-05T15:10Z", Rule::Range, "quarter"),
            ("dateStart", "9999-12-31", Rule::Range, "end of the calendar"),
            ("dateEnd", "2025-05-05T15:15:00.001Z", Rule::Range, "quarter"),
            ("dateEnd", "soon", Rule::Format, "ISO 8601"),
            ("interval", "week", Rule::Choice, "hour, day or month"),
            ("timeZone", "Mars/Olympus", Rule::Choice, "Mars/Olympus"),
            ("groupBy", "channel,sender", Rule::Choice, "sender"),
            ("groupBy", "channel,channel", Rule::Unique, "channel once"),
            ("page", "1", Rule::Unknown, ""),
        ] {
            let told = read(&[(name, value)]).unwrap_err().told;
            assert_eq!((told.len(), told[0].field.as_str(), told[0].rule), (1, name, rule), "{value}");
            assert!(told[0].message.contains(says), "{value}: {}", told[0].message);
        }
    }
}
