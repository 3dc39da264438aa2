//! What a configuration must keep to by itself, beyond what types say.

use super::carrier;
use super::problems::Problems;
use super::routing::{check_route, check_sender};
use super::sections::Config;
use engine::config::{KindConfig, RouteConfig, SenderConfig};
use std::time::Duration;

/// The longest that the clock has to be steady before anything is deleted.
const AGREEMENT_MAX: Duration = Duration::from_secs(24 * 3600);

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
        problems.add_all("engine", self.engine.check());
        problems.add_all("callbacks", self.callbacks.check());
        problems.add_all("limits", self.limits.check());
        for (i, carrier) in self.carriers.iter().enumerate() {
            carrier::check(carrier, self, problems);
            let name = &carrier.common.name;
            if self.carriers[..i].iter().any(|other| other.common.name == *name) {
                problems.add(carrier.key(), "another carrier has the same name");
            }
        }
        self.check_ports(problems);
        for (i, route) in routes {
            check_route(route, &format!("route[{i}]"), self, problems);
        }
        for (i, sender) in senders {
            check_sender(sender, &format!("sender[{i}]"), self, problems);
        }
    }

    fn check_server(&self, problems: &mut Problems) {
        let mut check = |holds: bool, key: &str, rule: &str| {
            if !holds {
                problems.add(key, rule);
            }
        };
        check(!self.server.request_timeout.is_zero(), "server.request_timeout", "must be more than 0");
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
        let is_country = |code: &str| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
        let country = self.console.country.as_ref();
        let rule = "must be two capital letters (ISO 3166-1 alpha-2)";
        check(country.is_none_or(|country| is_country(country)), "console.country", rule);
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
