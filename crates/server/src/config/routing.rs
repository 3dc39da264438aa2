//! Checks `[[route]]` and `[[sender]]`.

use super::problems::Problems;
use super::sections::Config;
use engine::config::{RouteConfig, SenderConfig};
use flow::Channel;

/// Checks that there is such a carrier for the channel; `at` is where it is named.
fn check_carrier(at: &str, name: &str, channel: Channel, config: &Config, problems: &mut Problems) {
    match config.carriers.iter().find(|carrier| carrier.common.name == name) {
        // One that can't be read is another mistake.
        None if config.origin.has_carrier(name) => {}
        None => problems.add(at, format!("there is no carrier \"{name}\"")),
        Some(carrier) if !carrier.common.channels.contains(&channel) => {
            problems.add(at, format!("{name} does not carry {channel}"));
        }
        Some(_) => {}
    }
}

/// Checks of a route what no type says; `at` is its key.
pub(super) fn check_route(route: &RouteConfig, at: &str, config: &Config, problems: &mut Problems) {
    if route.carriers.is_empty() {
        problems.add(format!("{at}.carriers"), "must name at least one");
    }
    for (i, choice) in route.carriers.iter().enumerate() {
        let at = format!("{at}.carriers[{i}]");
        check_carrier(&at, &choice.carrier, route.channel, config, problems);
        if choice.weight == 0 {
            problems.add(at, "the weight must be at least 1");
        }
    }
    let is_prefix = |prefix: &str| {
        prefix.strip_prefix('+').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
    };
    let is_country = |country: &str| country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
    for (i, _) in route.prefixes.iter().enumerate().filter(|(_, prefix)| !is_prefix(prefix)) {
        problems.add(format!("{at}.prefixes[{i}]"), "must be \"+\" and digits");
    }
    for (i, _) in route.countries.iter().enumerate().filter(|(_, country)| !is_country(country)) {
        problems.add(format!("{at}.countries[{i}]"), "must be two capital letters");
    }
}

/// Checks of a sender what no type says; `at` is its key.
pub(super) fn check_sender(sender: &SenderConfig, at: &str, config: &Config, problems: &mut Problems) {
    if sender.id.is_empty() {
        problems.add(format!("{at}.id"), "must not be empty");
    }
    for name in sender.carriers.keys() {
        check_carrier(&format!("{at}.carriers.{name}"), name, sender.channel, config, problems);
    }
}
