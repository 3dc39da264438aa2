//! The log, on standard error.

use crate::output::{complain, printable};
use std::fmt::Debug;
use std::io::IsTerminal;
use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format;

/// The crates of this program: what they log has no secrets, bodies or recipients at any level. Others write
/// whole messages and passwords (SMPP, SIP, HTTP), so that a level alone is not for them.
const CRATES: [&str; 11] = [
    "api",
    "carriers",
    "console",
    "engine",
    "flow",
    "index",
    "server",
    "smpp",
    "store",
    "switchback",
    "wire",
];
/// Of other crates, where nobody asks for anything: SIP tells of trouble with a connection.
const OTHERS: &str = "rsipstack=warn";

/// Logs to standard error; `RUST_LOG` chooses what.
pub fn start_log(json: bool, default: &str) {
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter(default))
        .fmt_fields(format::debug_fn(write_field).delimited(" "))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // Its reader may have left; that is no reason to end.
        .log_internal_errors(false);
    if json {
        log.json().init();
    } else {
        log.init();
    }
}

/// What `RUST_LOG` asks for, or the default level.
fn filter(default: &str) -> EnvFilter {
    let by_default = || EnvFilter::new(format!("{OTHERS},{}", directives(default)));
    let asked = match std::env::var("RUST_LOG") {
        Ok(asked) if asked.trim().is_empty() => return by_default(),
        Ok(asked) => asked,
        Err(std::env::VarError::NotPresent) => return by_default(),
        Err(std::env::VarError::NotUnicode(_)) => {
            complain!("warning: RUST_LOG: must be UTF-8; it is left out");
            return by_default();
        }
    };
    EnvFilter::try_new(directives(&asked)).unwrap_or_else(|error| {
        complain!("warning: RUST_LOG: {error}; it is left out");
        by_default()
    })
}

/// The directives with those that name no crate (`debug`, `[span]=debug`) for our crates alone.
fn directives(asked: &str) -> String {
    let asked = asked.split(',').map(str::trim).filter(|directive| !directive.is_empty());
    let for_ours = asked.flat_map(|directive| {
        let separator = if directive.starts_with('[') {
            ""
        } else if directive.parse::<LevelFilter>().is_ok() {
            "="
        } else {
            return vec![directive.to_owned()];
        };
        CRATES.map(|name| format!("{name}{separator}{directive}")).to_vec()
    });
    for_ours.collect::<Vec<_>>().join(",")
}

/// Writes a field of a line of the log. Its value may come from outside, and `%value` is written as it
/// stands: whatever would steer a terminal, or begin a line of its own, is escaped.
fn write_field(writer: &mut format::Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    let value = format!("{value:?}");
    let value = printable(&value);
    match field.name() {
        "message" => writer.write_str(&value),
        name if writer.has_ansi_escapes() => write!(writer, "\u{1b}[3m{name}\u{1b}[0m={value}"),
        name => write!(writer, "{name}={value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_crate_of_the_program_is_ours() {
        let crates = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let names = std::fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| !["fuzzing", "simulation", "xtask"].contains(&name.as_str()));
        names.sort();
        assert_eq!(names, CRATES);
    }

    #[test]
    fn rule_16_other_crates_are_quiet_unless_they_are_named() {
        let ours = |text: &str| CRATES.map(|name| format!("{name}{text}")).join(",");
        for (asked, expected) in [
            ("debug", ours("=debug")),
            (" TRACE ", ours("=TRACE")),
            ("5", ours("=5")),
            ("info,rsipstack=debug", format!("{},rsipstack=debug", ours("=info"))),
            ("hyper", "hyper".to_owned()),
            ("[submit]=trace", ours("[submit]=trace")),
            ("warn,store=debug", format!("{},store=debug", ours("=warn"))),
            ("", String::new()),
        ] {
            assert_eq!(directives(asked), expected, "{asked}");
            assert!(EnvFilter::try_new(directives(asked)).is_ok(), "{asked}");
        }
    }

    #[test]
    fn what_comes_from_outside_steers_no_terminal_through_the_log() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(format::debug_fn(write_field).delimited(" "))
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .finish();
        let outside = "a\u{1b}]0;PWNED\u{7}\u{9b}2J\nINFO forged";
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(error = outside, url = %outside, debug = ?outside, "{outside}");
            tracing::warn!(carrier = %"acme", tries = 3, "down");
        });
        let written = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written.lines().count(), 2, "{written}");
        assert!(!written.contains(|c: char| c.is_control() && c != '\n'), "{written:?}");
        assert!(written.ends_with("down carrier=acme tries=3\n"), "{written}");
    }
}
