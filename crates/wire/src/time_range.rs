//! Ranges of time in the URL (contract, section 4).

use crate::parameters::Given;
use crate::problems::Problems;
use crate::time::{CALENDAR_END_MS, parse_iso};
use flow::Rule;

/// The range from `dateStart` up to `dateEnd`, Unix milliseconds; an end that is absent, or after every time,
/// is open. Notes the rules that they break.
pub(crate) fn read_range(parameters: &Given<'_>, problems: &Problems) -> (Option<i64>, Option<i64>) {
    let time = |name: &str| {
        let parsed = parse_iso(&full_time(parameters.get(name)?));
        if parsed.is_none() {
            problems.add(name, Rule::Format, "must be an ISO 8601 time such as 2025-05-05T15:00Z");
        }
        parsed
    };
    let (from_ms, until_ms) = (time("dateStart"), time("dateEnd"));
    if let (Some(from_ms), Some(until_ms)) = (from_ms, until_ms)
        && from_ms > until_ms
    {
        problems.add("dateStart", Rule::Range, "must not be after dateEnd");
    }
    // The end of the calendar is how some clients write "no end".
    (from_ms, until_ms.filter(|until_ms| *until_ms < CALENDAR_END_MS))
}

/// A time as it was meant. A public client writes it as a JSON string; of blanks, the first one between date
/// and time is a T, and the others were pluses before they came in a URL that was not encoded.
fn full_time(text: &str) -> String {
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let has_t = text.contains(['T', 't']);
    let text = if has_t { text.to_owned() } else { text.replacen(' ', "T", 1) };
    text.replace(' ', "+")
}
