//! How durations and secrets are written in the configuration, and how it is read.

pub mod document;

use serde::{Deserialize, Deserializer, de::Error};
use std::path::PathBuf;
use std::time::Duration;

/// Why a text is not read as a duration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DurationError {
    /// It is not written as one.
    #[error("expected a duration such as \"50ms\", \"10s\" or \"24h\"")]
    Form,
    /// It is less than zero.
    #[error("expected a duration such as \"50ms\", \"10s\" or \"24h\", not a negative one")]
    Negative,
}

/// Reads a duration such as `"50ms"`, `"10s"`, `"1m 30s"` or `"24h"`.
///
/// ```
/// use carriers::config::{DurationError, parse_duration};
/// use std::time::Duration;
///
/// assert_eq!(parse_duration("1m 30s"), Ok(Duration::from_secs(90)));
/// assert_eq!(parse_duration("-5s"), Err(DurationError::Negative));
/// ```
///
/// # Errors
/// [`DurationError`].
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let signed: jiff::SignedDuration = text.parse().map_err(|_| DurationError::Form)?;
    Duration::try_from(signed).map_err(|_| DurationError::Negative)
}

/// For `#[serde(deserialize_with)]`.
///
/// # Errors
/// As [`parse_duration`].
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse_duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Why a [`Secret`] can't be read. No text has a value in it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The value of `env` is no name of a variable; it may be the secret itself.
    #[error("env must be the name of a variable: letters, digits and \"_\"")]
    Name,
    /// The variable is not set.
    #[error("the environment variable that env names is not set")]
    NotSet,
    /// The variable's value is no text.
    #[error("the environment variable that env names is not UTF-8")]
    NotUnicode,
    /// The file can't be read, or is no text.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A secret text, or where it is read from.
#[derive(Clone, Deserialize)]
#[serde(untagged, expecting = "must be a text, { env = \"NAME\" } or { file = \"PATH\" }")]
pub enum Secret {
    /// The text.
    Text(String),
    /// The value of an environment variable.
    Env {
        /// Its name.
        env: String,
    },
    /// The contents of a file, without white space at the ends.
    File {
        /// Its path.
        file: PathBuf,
    },
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Secret {
    /// The file that it is in, if it is in one.
    pub fn file_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Secret::File { file } => Some(file),
            Secret::Text(_) | Secret::Env { .. } => None,
        }
    }

    /// The text.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn read(&self) -> Result<String, SecretError> {
        match self {
            Secret::Text(text) => Ok(text.clone()),
            Secret::Env { env } => read_variable(env),
            Secret::File { file } => match std::fs::read_to_string(file) {
                Ok(text) => Ok(text.trim().to_owned()),
                Err(source) => Err(SecretError::File { path: file.clone(), source }),
            },
        }
    }
}

/// The value of an environment variable.
fn read_variable(name: &str) -> Result<String, SecretError> {
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_name(name) || name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(SecretError::Name);
    }
    std::env::var(name).map_err(|error| match error {
        std::env::VarError::NotPresent => SecretError::NotSet,
        std::env::VarError::NotUnicode(_) => SecretError::NotUnicode,
    })
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
