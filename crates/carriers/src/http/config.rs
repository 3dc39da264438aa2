//! The configuration of a carrier over HTTP.

use super::error::HttpError;
use super::provider::Provider;
use crate::config::Secret;
use minijinja::Value;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// The configuration of a carrier over HTTP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// A preset, or the path of a provider's file.
    pub provider: String,
    /// What the provider's file asks for: a text, `{ env = "NAME" }` or `{ file = "PATH" }`.
    #[serde(default)]
    pub settings: BTreeMap<String, Secret>,
    /// Replaces the file's base URL.
    #[serde(default)]
    pub base_url: Option<String>,
    /// How long an answer may take.
    #[serde(default = "default_timeout", deserialize_with = "crate::config::duration")]
    pub timeout: Duration,
    /// How long connecting may take.
    #[serde(default = "default_connect_timeout", deserialize_with = "crate::config::duration")]
    pub connect_timeout: Duration,
}

pub(super) const fn default_timeout() -> Duration {
    Duration::from_secs(15)
}

pub(super) const fn default_connect_timeout() -> Duration {
    Duration::from_secs(5)
}

impl HttpConfig {
    /// The settings that a provider's file asks for, as its templates see them.
    pub(super) fn settings(&self, provider: &Provider) -> Result<Value, HttpError> {
        if let Some(unknown) = self.settings.keys().find(|name| !provider.settings.contains_key(*name)) {
            let known: Vec<_> = provider.settings.keys().map(String::as_str).collect();
            return Err(HttpError::UnknownSetting { name: unknown.clone(), known: known.join(", ") });
        }
        let mut filled = BTreeMap::new();
        for (name, setting) in &provider.settings {
            let (name, about) = (name.clone(), setting.about.clone());
            let value = match (self.settings.get(&name), &setting.default) {
                (Some(secret), _) => {
                    secret.read().map_err(|source| HttpError::Secret { name: name.clone(), source })?
                }
                (None, Some(default)) => default.clone(),
                (None, None) => return Err(HttpError::MissingSetting { name, about }),
            };
            if !setting.choices.is_empty() && !setting.choices.contains(&value) {
                return Err(HttpError::Choice { name, choices: setting.choices.join(", ") });
            }
            filled.insert(name, value);
        }
        Ok(Value::from_serialize(filled))
    }
}
