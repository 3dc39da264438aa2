//! What a configuration must keep to by itself, beyond what types say.

use super::{Config, KindConfig, Origin, RouteConfig, SenderConfig, suggest_among};
use carriers::config::document;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The longest that anything may be waited for: well below the engine's lease, after which a task is taken up again.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(120);

/// The longest that the clock has to be steady before anything is deleted.
const AGREEMENT_MAX: Duration = Duration::from_secs(24 * 3600);

/// The most that may be done at once: more is no limit, and beyond what a semaphore can count.
pub(super) const AT_ONCE_MAX: usize = 1_000_000_000;

/// What is wrong with a configuration: keys, such as `carrier[0].window`, and the rules that they break.
#[derive(Default)]
pub(super) struct Problems(Vec<(String, String)>);

impl Problems {
    /// A key breaks a rule.
    pub(super) fn add(&mut self, key: impl Into<String>, rule: impl Into<String>) {
        self.0.push((key.into(), rule.into()));
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

impl Config {
    /// Checks what no type says. Routes and senders come with their positions.
    pub(super) fn check(
        &self,
        routes: &[(usize, RouteConfig)],
        senders: &[(usize, SenderConfig)],
        problems: &mut Problems,
    ) {
        self.check_server(problems);
        self.check_store(problems);
        self.limits.check(problems);
        for (i, carrier) in self.carriers.iter().enumerate() {
            carrier.check(self, problems);
            let name = &carrier.common.name;
            if self.carriers[..i].iter().any(|other| other.common.name == *name) {
                problems.add(carrier.key(), "another carrier has the same name");
            }
        }
        self.check_ports(problems);
        for (i, route) in routes {
            route.check(&format!("route[{i}]"), self, problems);
        }
        for (i, sender) in senders {
            sender.check(&format!("sender[{i}]"), self, problems);
        }
    }

    fn check_server(&self, problems: &mut Problems) {
        let mut check = |holds: bool, key: &str, rule: &str| {
            if !holds {
                problems.add(key, rule);
            }
        };
        check(!self.server.request_timeout.is_zero(), "server.request_timeout", "must be more than 0");
        check(self.engine.minute.as_millis() >= 10, "engine.minute", "must be at least 10ms");
        for (key, at_once) in [
            ("callbacks.concurrency", self.callbacks.concurrency),
            ("callbacks.concurrency_per_host", self.callbacks.concurrency_per_host),
        ] {
            let rule = format!("must be at least 1 and at most {AT_ONCE_MAX}");
            check((1..=AT_ONCE_MAX).contains(&at_once), key, &rule);
        }
        check(self.callbacks.timeout <= ANSWER_MAX, "callbacks.timeout", "must be at most 2m");
        for (key, url) in
            [("shortener.base_url", &self.shortener.base_url), ("server.public_url", &self.server.public_url)]
        {
            let is_url = |url: &str| url.starts_with("http://") || url.starts_with("https://");
            check(url.as_ref().is_none_or(|url| is_url(url)), key, "must be an http or https URL");
        }
        let is_currency = |code: &str| code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase());
        let currency = self.pricing.currency.as_ref();
        let rule = "must be three capital letters (ISO 4217)";
        check(currency.is_none_or(|currency| is_currency(currency)), "pricing.currency", rule);
    }

    fn check_store(&self, problems: &mut Problems) {
        let store = &self.store;
        if store.path.as_os_str().is_empty() {
            problems.add("store.path", "must not be empty");
        }
        if !(1..=1_000_000).contains(&store.queue_max) {
            problems.add("store.queue_max", "must be 1 to 1000000");
        }
        for (key, octets) in
            [("queue_bytes_max", store.queue_bytes_max), ("cached_bytes_max", store.cached_bytes_max)]
        {
            if !(1 << 20..=1 << 40).contains(&octets) {
                problems.add(format!("store.{key}"), "must be 1048576 to 1099511627776 octets");
            }
        }
        if store.clock_agreement > AGREEMENT_MAX {
            problems.add("store.clock_agreement", "must be at most 24h");
        }
        if store.encryption_key.is_none() && !store.old_encryption_keys.is_empty() {
            problems.add("store.old_encryption_keys", "need store.encryption_key beside them");
        }
    }

    /// Two SIP carriers can't have the same port.
    fn check_ports(&self, problems: &mut Problems) {
        let mut taken = Vec::new();
        for carrier in &self.carriers {
            let KindConfig::Sip(sip) = &carrier.kind else { continue };
            for (key, bind) in [("bind", Some(sip.bind)), ("direct_bind", sip.direct_bind)] {
                let Some(bind) = bind.filter(|bind| bind.port() != 0) else { continue };
                if taken.contains(&bind) {
                    problems
                        .add(format!("{}.{key}", carrier.key()), format!("{bind} is taken by another key"));
                }
                taken.push(bind);
            }
        }
    }
}
