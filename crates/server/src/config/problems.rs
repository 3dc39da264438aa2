//! Collects what is wrong with a configuration.

use super::origin::Origin;
use carriers::config::document::{self, DocumentError};
use engine::config::BrokenKey;
use serde::de::DeserializeOwned;

/// What is wrong with a configuration: keys, such as `carrier[0].window`, and the rules that they break.
#[derive(Default)]
pub(super) struct Problems(Vec<(String, String)>);

impl Problems {
    /// A key breaks a rule.
    pub(super) fn add(&mut self, key: impl Into<String>, rule: impl Into<String>) {
        self.0.push((key.into(), rule.into()));
    }

    /// Keys of the table `at` break rules.
    pub(super) fn add_all(&mut self, at: &str, broken: Vec<BrokenKey>) {
        self.0.extend(broken.into_iter().map(|(key, rule)| (format!("{at}.{key}"), rule)));
    }

    /// Whether something is wrong with a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(known, _)| known == key)
    }

    /// Reads the table at a key, without what is wrong with it; `more` are keys that belong there as well.
    pub(super) fn read<T: DeserializeOwned>(
        &mut self,
        at: &str,
        table: toml::Table,
        more: &[&str],
    ) -> Option<T> {
        let (read, errors) = document::read_all(table);
        for error in errors {
            let inner = error.culprit();
            let separator = if at.is_empty() || inner.is_empty() { "" } else { "." };
            self.add(format!("{at}{separator}{inner}"), suggest_among(&error, more));
        }
        read
    }

    /// Reads an array of tables, with the positions of those that can be read.
    pub(super) fn read_each<T: DeserializeOwned>(
        &mut self,
        array: &str,
        tables: Vec<toml::Table>,
    ) -> Vec<(usize, T)> {
        let tables = tables.into_iter().enumerate();
        tables.filter_map(|(i, table)| Some((i, self.read(&format!("{array}[{i}]"), table, &[])?))).collect()
    }

    /// What is told about each, in the order of their lines.
    pub(super) fn told(mut self, origin: &Origin) -> Vec<String> {
        self.0.sort_by_key(|(key, _)| origin.line(key));
        self.0.iter().map(|(key, rule)| origin.tell(key, rule)).collect()
    }
}

/// The rule, with the known key that an unknown one resembles most.
fn suggest_among(error: &DocumentError, more: &[&str]) -> String {
    let text = error.rule().to_owned();
    let Some(unknown) = error.unknown_key() else { return text };
    let known = unknown.known.iter().chain(more).copied();
    let best = known.map(|known| (strsim::jaro_winkler(&unknown.written, known), known));
    match best.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((score, known)) if score > 0.7 => format!("{text}; did you mean `{known}`?"),
        _ => text,
    }
}
