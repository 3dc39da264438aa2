//! Reads a pasted list of opt-outs.

use csv::ReaderBuilder;
use engine::administration::OptOuts;
use engine::clock::now_ms;
use store::Suppression;

/// Lines of a pasted list; longer ones are imported by the command line.
const LINES_MAX: usize = 10_000;
/// Errors that are told.
const ERRORS_MAX: usize = 20;

/// What is wrong with a list, a line each.
pub(super) type Wrong = Vec<String>;

/// The recipients of a list, or everything that is wrong with it: then nothing of it is taken. `country` is
/// that of numbers without one.
pub(super) fn read(list: &OptOuts<'_>, text: &str, country: Option<&str>) -> Result<Vec<Suppression>, Wrong> {
    let mut csv = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let (mut entries, mut wrong) = (Vec::new(), Wrong::new());
    for record in csv.records() {
        if entries.len() == LINES_MAX {
            wrong.push(format!("more than {LINES_MAX} lines: use `switchback suppress import`"));
        }
        if wrong.len() == ERRORS_MAX || entries.len() == LINES_MAX {
            break;
        }
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                wrong.push(error.to_string());
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let number = record.get(0).unwrap_or_default().trim();
        let is_header = line == 1 && number.eq_ignore_ascii_case("recipient");
        if number.is_empty() || is_header {
            continue;
        }
        let reason = record.get(1).unwrap_or_default();
        match list.typed_entry(number, country, reason, now_ms()) {
            Ok(entry) => entries.push(entry),
            Err(error) => wrong.push(format!("line {line}: {error}")),
        }
    }
    if wrong.is_empty() { Ok(entries) } else { Err(wrong) }
}
