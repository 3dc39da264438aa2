//! The only way to standard output and standard error.
//!
//! What is shown may come from clients, recipients and carriers: URLs, names, errors. None of it may steer
//! the terminal of whoever reads it (move the cursor, set the title, answer for the keyboard), so control
//! characters are written as `\u{1b}`. Elsewhere in this crate `println!` and its like are refused by a lint.

use serde::Serialize;
use std::borrow::Cow;
use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Writes a line to standard output, like `println!`; of control characters only line breaks stay.
macro_rules! say {
    ($($argument:tt)*) => { $crate::output::line(format_args!($($argument)*)) };
}

/// Writes a line to standard error, like `eprintln!`; of control characters only line breaks stay.
macro_rules! complain {
    ($($argument:tt)*) => { $crate::output::error_line(format_args!($($argument)*)) };
}

pub(crate) use {complain, say};

/// See [`say`].
pub fn line(text: fmt::Arguments<'_>) {
    write(io::stdout().lock(), text);
}

/// See [`complain`].
pub fn error_line(text: fmt::Arguments<'_>) {
    write(io::stderr().lock(), text);
}

fn write(mut to: impl Write, text: fmt::Arguments<'_>) {
    let text = text.to_string();
    let lines: Vec<Cow<'_, str>> = text.split('\n').map(printable).collect();
    let written = writeln!(to, "{}", lines.join("\n")).and_then(|()| to.flush());
    // The reader may leave before the end; for anything else there is nobody to tell but standard error.
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = writeln!(io::stderr(), "error: writing the output: {error}");
        FAILED.store(true, Ordering::Relaxed);
    }
}

/// Whether some output could not be written, for another reason than that its reader left.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Whether some output could not be written, so that the command has failed: a reader that leaves is no
/// failure.
pub fn failed() -> bool {
    FAILED.load(Ordering::Relaxed)
}

/// Whether standard output is a terminal, and so read by a person.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Standard output for data that others read: a terminal gets it in lines that don't steer it, a pipe or a
/// file as it is.
pub fn data() -> Box<dyn Write> {
    let stdout = io::stdout().lock();
    if stdout.is_terminal() { Box::new(Lines::new(stdout)) } else { Box::new(stdout) }
}

/// Whether what was written had a reader; one that leaves before the end is no failure.
///
/// # Errors
/// When it could not be written for another reason.
pub fn heard(written: io::Result<()>) -> io::Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// JSON, as people read it. Characters that JSON leaves as they are and terminals heed are escaped as JSON
/// does it.
///
/// # Errors
/// When the value is none that JSON has.
pub fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let text = serde_json::to_string_pretty(value)?;
    // Outside of strings JSON has none of them but line breaks.
    Ok(escape(&text, |c| c != '\n' && steers(c), |c| format!("\\u{:04x}", u32::from(c))).into_owned())
}

/// Text in one line without anything that steers a terminal.
pub fn printable(text: &str) -> Cow<'_, str> {
    escape(text, steers, |c| c.escape_unicode().to_string())
}

/// Control characters (C0, DEL, C1), and those that change the direction of the text behind them.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape(text: &str, which: impl Fn(char) -> bool, how: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(&which) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().map(|c| if which(c) { how(c) } else { c.to_string() });
    Cow::Owned(escaped.collect())
}

/// Writes lines to a terminal: each is held back until it is whole, and escaped.
pub struct Lines<W: Write> {
    to: W,
    begun: Vec<u8>,
}

impl<W: Write> Lines<W> {
    /// Writes to `to`.
    pub fn new(to: W) -> Lines<W> {
        Lines { to, begun: Vec::new() }
    }
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.begun.extend_from_slice(octets);
        let Some(end) = self.begun.iter().rposition(|octet| *octet == b'\n') else { return Ok(octets.len()) };
        let rest = self.begun.split_off(end + 1);
        for line in std::mem::replace(&mut self.begun, rest).split_inclusive(|octet| *octet == b'\n') {
            let line = String::from_utf8_lossy(line);
            writeln!(self.to, "{}", printable(line.trim_end_matches(['\r', '\n'])))?;
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let begun = std::mem::take(&mut self.begun);
        self.to.write_all(printable(&String::from_utf8_lossy(&begun)).as_bytes())?;
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEERING: &str = "\u{1b}]0;PWNED\u{7}\r\u{8}\n\t\u{7f}\u{9b}2J\u{202e}";

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(printable("Καλημέρα, 你好 \u{1f600}"), "Καλημέρα, 你好 \u{1f600}");
        let shown = printable(STEERING);
        assert_eq!(shown, r"\u{1b}]0;PWNED\u{7}\u{d}\u{8}\u{a}\u{9}\u{7f}\u{9b}2J\u{202e}");
    }

    #[test]
    fn json_stays_json_and_steers_nothing() {
        let value = serde_json::json!({"url": STEERING, "name": "Ωmega"});
        let text = json(&value).unwrap();
        assert!(!text.contains(|c| c != '\n' && steers(c)), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn lines_are_escaped_however_they_are_cut() {
        let text = "a,\u{9b}2J\u{1b}[0m\r\nΩ,\u{7f}\nend\u{1b}";
        for size in 1..text.len() {
            let mut written = Vec::new();
            let mut lines = Lines::new(&mut written);
            for piece in text.as_bytes().chunks(size) {
                lines.write_all(piece).unwrap();
            }
            lines.flush().unwrap();
            drop(lines);
            let expected = "a,\\u{9b}2J\\u{1b}[0m\nΩ,\\u{7f}\nend\\u{1b}";
            assert_eq!(String::from_utf8(written).unwrap(), expected, "pieces of {size}");
        }
    }
}
