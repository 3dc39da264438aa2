//! Where hours, days and months begin in a time zone.

use flow::statistics::Quarter;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use wire::read_statistics::Interval;

const SECOND_MS: i64 = 1000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A period's start, Unix milliseconds, and its first quarter that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Period {
    pub(super) start_ms: i64,
    pub(super) first: Quarter,
}

/// The periods of a range, in their order; `None` if there are more than `most`. The first one may begin
/// before the range.
pub(super) fn periods(
    interval: Interval,
    zone: &TimeZone,
    from: Quarter,
    until: Quarter,
    most: usize,
) -> Option<Vec<Period>> {
    let mut periods = Vec::new();
    let mut start_ms = start_of(interval, zone, from.start_ms());
    while Quarter::of(start_ms) < until {
        if periods.len() == most {
            return None;
        }
        // An offset that is no multiple of a quarter, as before there were time zones, is cut.
        let first = Quarter::of(start_ms).max(from);
        periods.push(Period { start_ms, first });
        start_ms = next(interval, zone, start_ms);
    }
    Some(periods)
}

/// The start of the period that a time is in.
fn start_of(interval: Interval, zone: &TimeZone, ms: i64) -> i64 {
    let Ok(time) = Timestamp::from_millisecond(ms) else { return ms };
    let local = zone.to_datetime(time);
    if interval == Interval::Hour {
        let seconds = i64::from(local.minute()) * 60 + i64::from(local.second());
        return ms - seconds * SECOND_MS;
    }
    let date = if interval == Interval::Month { local.date().first_of_month() } else { local.date() };
    // Of a day whose midnight is skipped or comes twice, the first moment.
    date.to_zoned_datetime(zone.clone()).map_or(ms, |midnight| midnight.timestamp().as_millisecond())
}

/// The start of the period after the one that begins then.
fn next(interval: Interval, zone: &TimeZone, start_ms: i64) -> i64 {
    // A time in the next one, wherever clocks are changed.
    let stride_ms = match interval {
        Interval::Hour => HOUR_MS,
        Interval::Day => DAY_MS * 3 / 2,
        Interval::Month => 40 * DAY_MS,
    };
    let inside_ms = start_ms.saturating_add(stride_ms);
    let next_ms = start_of(interval, zone, inside_ms);
    // Where clocks go back by half an hour, the hour after is the same one.
    if next_ms > start_ms { next_ms } else { inside_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(interval: Interval, zone: &str, from: &str, until: &str) -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let quarter = |text: &str| Quarter::of(text.parse::<Timestamp>().unwrap().as_millisecond());
        let periods = periods(interval, &zone, quarter(from), quarter(until), 1000).unwrap();
        let ascends = periods.windows(2).all(|two| two[0].first < two[1].first);
        assert!(ascends && periods.iter().all(|period| period.first >= quarter(from)));
        periods.iter().map(|period| wire::time::iso_in(period.start_ms, &zone)).collect()
    }

    #[test]
    fn days_of_a_zone_begin_at_its_midnight_whatever_its_clocks_do() {
        let athens = starts(Interval::Day, "Europe/Athens", "2025-03-28T22:00:00Z", "2025-03-31T21:00:00Z");
        let midnights =
            ["2025-03-29T00:00:00+02:00", "2025-03-30T00:00:00+02:00", "2025-03-31T00:00:00+03:00"];
        assert_eq!(athens, midnights);
        // There, clocks go forward at midnight.
        let cairo = starts(Interval::Day, "Africa/Cairo", "2025-04-24T12:00:00Z", "2025-04-25T12:00:00Z");
        assert_eq!(cairo, ["2025-04-24T00:00:00+02:00", "2025-04-25T01:00:00+03:00"]);
        // And here a day was left out.
        let apia = starts(Interval::Day, "Pacific/Apia", "2011-12-29T20:00:00Z", "2011-12-30T20:00:00Z");
        assert_eq!(apia, ["2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"]);
        let kathmandu =
            starts(Interval::Day, "Asia/Kathmandu", "2025-01-01T00:00:00Z", "2025-01-01T18:30:00Z");
        assert_eq!(kathmandu, ["2025-01-01T00:00:00+05:45", "2025-01-02T00:00:00+05:45"]);
    }

    #[test]
    fn an_hour_that_comes_twice_is_two_periods() {
        let athens = starts(Interval::Hour, "Europe/Athens", "2025-10-25T23:30:00Z", "2025-10-26T02:00:00Z");
        let hours = ["2025-10-26T02:00:00+03:00", "2025-10-26T03:00:00+03:00", "2025-10-26T03:00:00+02:00"];
        assert_eq!(athens, hours);
        let howe =
            starts(Interval::Hour, "Australia/Lord_Howe", "2025-04-05T13:00:00Z", "2025-04-05T17:00:00Z");
        assert_eq!(howe.len(), 5, "{howe:?}");
        let india = starts(Interval::Hour, "Asia/Kolkata", "2025-01-01T00:00:00Z", "2025-01-01T01:00:00Z");
        assert_eq!(india, ["2025-01-01T05:00:00+05:30", "2025-01-01T06:00:00+05:30"]);
    }

    #[test]
    fn months_have_their_length() {
        let months = starts(Interval::Month, "Europe/Athens", "2024-01-15T00:00:00Z", "2024-04-01T00:00:00Z");
        let firsts = [
            "2024-01-01T00:00:00+02:00",
            "2024-02-01T00:00:00+02:00",
            "2024-03-01T00:00:00+02:00",
            "2024-04-01T00:00:00+03:00",
        ];
        assert_eq!(months, firsts);
    }

    #[test]
    fn there_is_an_end_to_periods() {
        let (from, until) = (Quarter(0), Quarter(96 * 10));
        assert_eq!(periods(Interval::Day, &TimeZone::UTC, from, until, 9), None);
        assert_eq!(periods(Interval::Day, &TimeZone::UTC, from, until, 10).map(|days| days.len()), Some(10));
        assert_eq!(periods(Interval::Day, &TimeZone::UTC, until, until, 0), Some(vec![]));
    }
}
