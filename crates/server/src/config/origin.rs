//! Where the keys of a configuration are written, so that an error can say it.

use carriers::config::document::Lines;
use engine::config::is_name;
use std::path::{Path, PathBuf};

/// Where the keys of a configuration are written.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    file: Option<PathBuf>,
    lines: Lines,
    /// Keys that were set elsewhere, and by what: an environment variable, an option of the command line.
    overridden: Vec<(String, String)>,
    /// The carriers' names, where they are names.
    carriers: Vec<Option<String>>,
}

impl Origin {
    /// The keys of a document.
    pub(super) fn of_document(file: Option<&Path>, text: &str) -> Origin {
        Origin { file: file.map(Path::to_owned), lines: Lines::of_document(text), ..Origin::default() }
    }

    /// From now on, a key is what something else says: an environment variable, an option of the command
    /// line.
    pub fn override_key(&mut self, key: impl Into<String>, by: impl Into<String>) {
        self.overridden.push((key.into(), by.into()));
    }

    /// Knows what the carriers are called.
    pub(super) fn name_carriers(&mut self, tables: &[toml::Table]) {
        let name =
            |table: &toml::Table| table.get("name")?.as_str().filter(|name| is_name(name)).map(str::to_owned);
        self.carriers = tables.iter().map(name).collect();
    }

    /// Whether a carrier is called so, be it read or not.
    pub(super) fn has_carrier(&self, name: &str) -> bool {
        self.carriers.iter().flatten().any(|known| known == name)
    }

    /// A text about the file as a whole.
    pub(super) fn in_file(&self, text: &str) -> String {
        match &self.file {
            Some(file) => format!("{}: {text}", file.display()),
            None => text.to_owned(),
        }
    }

    /// The line of a key, or of the nearest one around it.
    pub(super) fn line(&self, key: &str) -> Option<usize> {
        self.lines.of(key)
    }

    /// The key within `at` that a text begins with, such as `settings.token: must be …`, and the rest of it.
    pub(super) fn split<'t>(&self, at: &str, text: &'t str) -> (String, &'t str) {
        let inner = text.split_once(": ").map(|(key, rest)| (format!("{at}.{key}"), rest));
        inner.filter(|(key, _)| self.lines.has(key)).unwrap_or_else(|| (at.to_owned(), text))
    }

    /// A text about a key, such as `carrier[0].window`: with the variable that it was set by, or the file and
    /// the line, and with the carrier's name; one line, whatever is in keys.
    pub fn tell(&self, key: &str, text: &str) -> String {
        let told = (self.shown(key) + text).replace(char::is_control, " ");
        if let Some((_, by)) = self.overridden.iter().rev().find(|(set, _)| self.concerns(set, key)) {
            return format!("{by}: {told}");
        }
        match self.lines.of(key) {
            Some(line) => self.in_file(&format!("line {line}: {told}")),
            None => self.in_file(&told),
        }
    }

    /// Whether what was set as `set` is what is wrong at `key`.
    fn concerns(&self, set: &str, key: &str) -> bool {
        let within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        // A section that only a variable names.
        within(key, set) || (within(set, key) && self.lines.of(key).is_none())
    }

    /// A key as people know it, and a colon.
    fn shown(&self, key: &str) -> String {
        let Some((table, rest)) = key.split_once(']') else {
            return if key.is_empty() { String::new() } else { format!("{key}: ") };
        };
        let named = table
            .strip_prefix("carrier[")
            .and_then(|i| self.carriers.get(i.parse::<usize>().ok()?)?.as_ref());
        let table = match named {
            Some(name) => format!("carrier {name}"),
            None if ["carrier", "route", "sender"]
                .iter()
                .any(|array| table.starts_with(&format!("{array}["))) =>
            {
                format!("{table}]")
            }
            None => return format!("{key}: "),
        };
        match rest.strip_prefix('.').unwrap_or(rest) {
            "" => format!("{table}: "),
            rest => format!("{table}: {rest}: "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_21_a_text_says_where_and_which() {
        let text =
            "[server]\nlisten = \"x\"\n[[carrier]]\nname = \"smsc\"\nport = 5\n[[carrier]]\nport = 5\n";
        let mut origin = Origin::of_document(Some(Path::new("sb.toml")), text);
        let table: toml::Table = text.parse().unwrap();
        let carriers =
            table["carrier"].as_array().unwrap().iter().map(|carrier| carrier.as_table().unwrap().clone());
        origin.name_carriers(&carriers.collect::<Vec<_>>());
        origin.override_key("store.path", "SWITCHBACK__STORE__PATH");
        origin.override_key("servr.listen", "SWITCHBACK__SERVR__LISTEN");
        for (key, told) in [
            ("server.listen", "sb.toml: line 2: server.listen: no"),
            ("carrier[0].port", "sb.toml: line 5: carrier smsc: port: no"),
            ("carrier[0]", "sb.toml: line 3: carrier smsc: no"),
            ("carrier[1].port", "sb.toml: line 7: carrier[1]: port: no"),
            ("store.path", "SWITCHBACK__STORE__PATH: store.path: no"),
            ("store.paths", "sb.toml: store.paths: no"),
            ("servr", "SWITCHBACK__SERVR__LISTEN: servr: no"),
            ("store.old_encryption_keys[1]", "sb.toml: store.old_encryption_keys[1]: no"),
        ] {
            assert_eq!(origin.tell(key, "no"), told);
        }
        assert_eq!(origin.tell("a\nb", "no\u{1b}"), "sb.toml: a b: no ");
    }
}
