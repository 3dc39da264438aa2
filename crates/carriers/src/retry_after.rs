//! `Retry-After` (RFC 9110, 10.2.3): how long a server wants to be left alone.

use std::time::Duration;

/// How a date can be written besides RFC 9110's own way (5.6.7): as RFC 850 had it, and as C's `asctime`
/// does. All are GMT.
const OLD_FORMATS: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// How long to wait by a value of the header, seconds or a date; `None` if it is neither. `now_ms` is the
/// time, Unix milliseconds.
pub fn read(text: &str, now_ms: i64) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit()) {
        // A number too large for the type means very long.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let at_ms = read_date(text)?.as_millisecond();
    Some(Duration::from_millis(at_ms.saturating_sub(now_ms).max(0).unsigned_abs()))
}

fn read_date(text: &str) -> Option<jiff::Timestamp> {
    if let Ok(time) = jiff::fmt::rfc2822::parse(text) {
        return Some(time.timestamp());
    }
    let times = OLD_FORMATS.iter().filter_map(|format| jiff::civil::DateTime::strptime(format, text).ok());
    times.filter_map(|time| jiff::tz::Offset::UTC.to_timestamp(time).ok()).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let read = |text| read(text, 1_445_412_475_000).map(|told| told.as_secs());
        assert_eq!(read("120"), Some(120));
        assert_eq!(read(" 0 "), Some(0));
        assert_eq!(read("99999999999999999999999"), Some(u64::MAX));
        for date in
            ["Wed, 21 Oct 2015 07:28:00 GMT", "Wednesday, 21-Oct-15 07:28:00 GMT", "Wed Oct 21 07:28:00 2015"]
        {
            assert_eq!(read(date), Some(5), "{date}");
        }
        assert_eq!(read("Sun Nov  6 08:49:37 1994"), Some(0));
        assert_eq!(read("Wed, 21 Oct 2015 07:00:00 GMT"), Some(0));
        assert_eq!((read("soon"), read(""), read("-5"), read("1.5")), (None, None, None, None));
    }
}
