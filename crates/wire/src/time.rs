//! Times as the API writes and reads them.

/// An RFC 3339 time with milliseconds, UTC.
pub fn iso(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        // Outside of the years -9999 to 9999.
        Err(_) => String::new(),
    }
}

/// A time in a time zone, with its offset: `2025-05-05T18:00:00+03:00`.
pub fn iso_in(ms: i64, zone: &jiff::tz::TimeZone) -> String {
    let Ok(time) = jiff::Timestamp::from_millisecond(ms) else { return String::new() };
    time.display_with_offset(zone.to_offset(time)).to_string()
}

/// The end of the calendar, Unix milliseconds. What is later in the year 9999 (some hours of its last days,
/// by offset) counts as this.
pub const CALENDAR_END_MS: i64 = 253_402_207_200_999;

/// Reads an ISO 8601 time: with or without seconds, with an offset or in UTC, or a date alone (its midnight).
/// The answer is the first millisecond that is not before it: of times that have milliseconds, exactly those
/// are before the one that are before the other.
pub fn parse_iso(text: &str) -> Option<i64> {
    // A time zone or a calendar behind it (RFC 9557) would be another time than its digits say.
    if text.contains('[') {
        return None;
    }
    let pieces = jiff::fmt::temporal::Pieces::parse(text).ok()?;
    let local = pieces.date().to_datetime(pieces.time().unwrap_or(jiff::civil::Time::midnight()));
    let offset = pieces.to_numeric_offset().unwrap_or(jiff::tz::Offset::UTC);
    match offset.to_timestamp(local) {
        Ok(time) => i64::try_from(-(-time.as_nanosecond()).div_euclid(1_000_000)).ok(),
        Err(_) => (local.year() == 9999).then_some(CALENDAR_END_MS),
    }
}

/// A time between two moments, for people.
pub fn span(ms: i64) -> String {
    match ms {
        ..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{:.1} s", ms as f64 / 1000.0),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms / 1000 % 60),
        _ => format!("{} h {} min", ms / 3_600_000, ms / 60_000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_times_that_clients_write() {
        let at = Some(1_746_457_200_000);
        for text in [
            "2025-05-05T15:00Z",
            "2025-05-05T15:00:00Z",
            "2025-05-05T15:00:00.000Z",
            "2025-05-05T18:00+03:00",
            "2025-05-05T15:00",
            "2025-05-05T15:00:00",
        ] {
            assert_eq!(parse_iso(text), at, "{text}");
        }
        assert_eq!(parse_iso("2025-05-05"), Some(1_746_403_200_000));
        for text in ["yesterday", "2025-05-05T15:00Z!", "2025-05-05Z15:00", "2025-13-01", "10000-01-01"] {
            assert_eq!(parse_iso(text), None, "{text}");
        }
        assert_eq!(iso(1_746_457_200_120), "2025-05-05T15:00:00.120Z");
    }

    #[test]
    fn a_time_in_a_zone_has_its_offset() {
        let athens = jiff::tz::TimeZone::get("Europe/Athens").unwrap();
        assert_eq!(iso_in(1_746_457_200_000, &athens), "2025-05-05T18:00:00+03:00");
        assert_eq!(iso_in(1_736_089_200_000, &athens), "2025-01-05T17:00:00+02:00");
    }

    #[test]
    fn the_last_days_of_the_calendar_are_its_end() {
        assert_eq!(CALENDAR_END_MS, jiff::Timestamp::MAX.as_millisecond());
        for text in [
            "9999-12-31",
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59.999Z",
            "9999-12-31T23:59:59.9999999Z",
            "9999-12-31T23:59:59.9999999",
            "9999-12-31T23:59:59+02:00",
            "9999-12-31T00:00:00-05:00",
        ] {
            assert_eq!(parse_iso(text), Some(CALENDAR_END_MS), "{text}");
        }
        assert!(parse_iso("9999-12-30").is_some_and(|ms| ms < CALENDAR_END_MS));
        assert!(parse_iso("0001-01-01T00:00:00").is_some_and(|ms| ms < 0));
    }
}
