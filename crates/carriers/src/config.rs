//! How durations and secrets are written in the configuration, and how it is read.

pub mod document;

use serde::{Deserialize, Deserializer, de::Error};
use std::time::Duration;

/// Reads a duration such as `"50ms"`, `"10s"`, `"1m 30s"` or `"24h"`.
///
/// # Errors
/// When the text is none, or negative.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let expected = "expected a duration such as \"50ms\", \"10s\" or \"24h\"";
    let signed: jiff::SignedDuration = text.parse().map_err(|_| expected.to_owned())?;
    Duration::try_from(signed).map_err(|_| format!("{expected}, not a negative one"))
}

/// For `#[serde(deserialize_with)]`.
///
/// # Errors
/// As [`parse_duration`].
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse_duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// A text, or where it is.
#[derive(Clone, Deserialize)]
#[serde(untagged, expecting = "must be a text, { env = \"NAME\" } or { file = \"PATH\" }")]
pub enum Secret {
    /// The text.
    Text(String),
    /// An environment variable's.
    Env {
        /// Its name.
        env: String,
    },
    /// A file's, without white space at its ends.
    File {
        /// Its path.
        file: std::path::PathBuf,
    },
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Secret {
    /// The file that it is in, if it is in one.
    pub fn file_mut(&mut self) -> Option<&mut std::path::PathBuf> {
        match self {
            Secret::File { file } => Some(file),
            Secret::Text(_) | Secret::Env { .. } => None,
        }
    }

    /// The text.
    ///
    /// # Errors
    /// When the variable or the file can't be read. The message has no value in it.
    pub fn read(&self) -> Result<String, String> {
        match self {
            Secret::Text(text) => Ok(text.clone()),
            Secret::Env { env } => read_variable(env),
            Secret::File { file } => std::fs::read_to_string(file)
                .map(|text| text.trim().to_owned())
                .map_err(|error| format!("{}: {error}", file.display())),
        }
    }
}

/// The value of an environment variable.
fn read_variable(name: &str) -> Result<String, String> {
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    // Who writes `{ env = "…" }` may have put the secret itself there.
    if !is_name(name) || name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err("env must be the name of a variable: letters, digits and \"_\"".into());
    }
    match std::env::var(name) {
        Ok(value) => Ok(value),
        Err(std::env::VarError::NotPresent) => {
            Err("the environment variable that env names is not set".into())
        }
        Err(std::env::VarError::NotUnicode(_)) => {
            Err("the environment variable that env names is not UTF-8".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        assert_eq!(parse_duration("50ms"), Ok(Duration::from_millis(50)));
        assert_eq!(parse_duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("24h"), Ok(Duration::from_secs(86_400)));
        assert!(parse_duration("5").is_err());
        assert!(parse_duration("-5s").is_err());
    }
}
