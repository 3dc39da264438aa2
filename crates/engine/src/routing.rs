//! Which carriers are tried for a message, and in which order.

use crate::config::{Choice, RouteConfig, SenderConfig, Settings};
use flow::{Channel, Content, Step, Ttl};
use std::cmp::Ordering;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

/// The rules of the configuration.
pub struct Routes {
    routes: Vec<RouteConfig>,
    senders: Vec<SenderConfig>,
    /// The carriers of each channel in the order of the configuration.
    carriers: Vec<(String, Vec<Channel>)>,
}

/// The application may not use this sender.
#[derive(Debug, thiserror::Error)]
#[error("\"{id}\" is not a {channel} sender of this application")]
pub struct UnknownSender {
    id: String,
    channel: Channel,
}

/// Why carriers are tried in this order.
#[derive(Debug)]
pub struct Explanation<'a> {
    /// The position of the route that was taken, and the route; none where no route holds.
    pub route: Option<(usize, &'a RouteConfig)>,
    /// The carriers, each with its priority and its share, from 0 to 1, of what is tried first at that
    /// priority.
    pub choices: Vec<(&'a str, u32, f64)>,
}

/// A step that stands for a message to a number (E.164), to ask where such a message goes.
pub fn example_step(channel: Channel, from: String, to: String, label: Option<String>) -> Step {
    let country = wire::country(&to);
    let content = Content::empty(channel, from, to, label);
    Step { order: 1, failover_on: vec![], ttl: Ttl::minutes(1), content, country }
}

impl Routes {
    /// The rules of a configuration.
    pub fn new(settings: &Settings) -> Routes {
        let carriers = settings.carriers.iter();
        Routes {
            routes: settings.routes.clone(),
            senders: settings.senders.clone(),
            carriers: carriers.map(|c| (c.common.name.clone(), c.common.channels.clone())).collect(),
        }
    }

    /// The names of the carriers for a step in the order in which they are tried. The same `message` gets the
    /// same order every time.
    pub fn order(&self, step: &Step, application: &str, message: Uuid) -> Vec<&str> {
        let mut ranked: Vec<(u32, f64, &str)> = self
            .explain(step, application)
            .choices
            .into_iter()
            .map(|(name, priority, share)| (priority, draw(message, name) / share, name))
            .collect();
        ranked.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.partial_cmp(&b.1).unwrap_or(Ordering::Equal)));
        ranked.into_iter().map(|(_, _, name)| name).collect()
    }

    /// What the order of a step's carriers comes from.
    pub fn explain(&self, step: &Step, application: &str) -> Explanation<'_> {
        let holds = |(_, route): &(usize, &RouteConfig)| holds(route, step, application);
        let route = self.routes.iter().enumerate().find(holds);
        let choices = match route {
            Some((_, route)) => of_route(&route.carriers),
            None => {
                let carriers =
                    self.carriers.iter().filter(|(_, channels)| channels.contains(&step.channel()));
                carriers.enumerate().map(|(i, (name, _))| (name.as_str(), i as u32 + 1, 1.0)).collect()
            }
        };
        Explanation { route, choices }
    }

    /// The sender of a step as it is registered; none where the channel has no senders.
    ///
    /// # Errors
    /// The rule, when the application may not use it.
    pub fn sender(&self, step: &Step, application: &str) -> Result<Option<&SenderConfig>, UnknownSender> {
        let (channel, id) = (step.channel(), sender_id(step));
        let mut of_channel = self.senders.iter().filter(|sender| sender.channel == channel).peekable();
        if of_channel.peek().is_none() {
            return Ok(None);
        }
        let allowed = |sender: &&SenderConfig| {
            sender.id == id
                && (sender.applications.is_empty() || sender.applications.iter().any(|a| a == application))
        };
        let found = of_channel.find(allowed);
        found.map(Some).ok_or_else(|| UnknownSender { id: id.to_owned(), channel })
    }

    /// What a carrier calls the sender of a step.
    pub fn sender_for(&self, step: &Step, application: &str, carrier: &str) -> String {
        let known = self.sender(step, application).ok().flatten();
        let name = known.and_then(|sender| sender.carriers.get(carrier));
        name.cloned().unwrap_or_else(|| sender_id(step).to_owned())
    }
}

/// What a client wrote as the sender.
pub fn sender_id(step: &Step) -> &str {
    step.content.common().sender()
}

fn holds(route: &RouteConfig, step: &Step, application: &str) -> bool {
    let any = |known: &[String], value: Option<&str>| {
        known.is_empty() || value.is_some_and(|value| known.iter().any(|known| known == value))
    };
    route.channel == step.channel()
        && (route.prefixes.is_empty() || route.prefixes.iter().any(|prefix| step.to().starts_with(prefix)))
        && any(&route.countries, step.country.as_deref())
        && any(&route.senders, Some(sender_id(step)))
        && any(&route.applications, Some(application))
        && any(&route.labels, step.content.common().label())
}

fn of_route(choices: &[Choice]) -> Vec<(&str, u32, f64)> {
    let priority = |(i, choice): (usize, &Choice)| choice.priority.unwrap_or(i as u32 + 1);
    let ranked: Vec<(u32, &Choice)> = choices.iter().enumerate().map(|c| (priority(c), c.1)).collect();
    let mut chosen: Vec<_> = ranked
        .iter()
        .map(|(priority, choice)| {
            let peers = ranked.iter().filter(|(other, _)| other == priority);
            let all: u64 = peers.map(|(_, peer)| u64::from(peer.weight)).sum();
            (choice.carrier.as_str(), *priority, f64::from(choice.weight) / all as f64)
        })
        .collect();
    chosen.sort_by_key(|(_, priority, _)| *priority);
    chosen
}

/// A draw from an exponential distribution, the same for a message and a carrier every time: divided by
/// weights, the least of several is each one's as often as its share says (Efraimidis and Spirakis, 2006).
fn draw(message: Uuid, carrier: &str) -> f64 {
    let hash = xxh3_64(&[message.as_bytes(), carrier.as_bytes()].concat());
    -(((hash >> 11) as f64 + 1.0) / (1u64 << 53) as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::{Content, Sms, Ttl};
    use serde_json::json;
    use std::collections::HashMap;

    fn step(to: &str, from: &str, label: Option<&str>) -> Step {
        let sms = Sms {
            from: from.into(),
            to: to.into(),
            body: "x".into(),
            flash: false,
            label: label.map(Into::into),
            transcode: false,
            shortened: None,
        };
        Step {
            order: 1,
            failover_on: vec![],
            ttl: Ttl::minutes(1),
            content: Content::Sms(sms),
            country: wire::country(to),
        }
    }

    fn routes(routes: serde_json::Value) -> Routes {
        let carriers = ["a", "b", "c"].map(|name| (name.to_owned(), vec![Channel::Sms, Channel::Viber]));
        let routes = serde_json::from_value(routes).unwrap();
        Routes { routes, senders: Vec::new(), carriers: carriers.into() }
    }

    #[test]
    fn the_first_route_that_holds_decides() {
        let routes = routes(json!([
            {"channel": "Sms", "prefixes": ["+3069"], "labels": ["otp"], "carriers": ["c"]},
            {"channel": "Sms", "countries": ["GR"], "carriers": ["b", "a"]},
            {"channel": "Viber", "carriers": ["c"]},
        ]));
        let order = |step: &Step| routes.order(step, "app", Uuid::nil()).join(" ");
        assert_eq!(order(&step("+306900000001", "Acme", Some("otp"))), "c");
        assert_eq!(order(&step("+306900000001", "Acme", None)), "b a");
        assert_eq!(order(&step("+442071838750", "Acme", Some("otp"))), "a b c");
    }

    #[test]
    fn weights_share_and_a_message_stays_where_it_is() {
        let routes = routes(json!([{"channel": "Sms", "carriers": [
            {"carrier": "a", "priority": 1, "weight": 3}, {"carrier": "b", "priority": 1},
            {"carrier": "c", "priority": 2},
        ]}]));
        let step = step("+306900000001", "Acme", None);
        let mut first: HashMap<&str, u32> = HashMap::new();
        for i in 0..4000 {
            // As messages' ids are: they differ in the middle alone.
            let message = Uuid::from_u128(i << 16 | 0x0100);
            let order = routes.order(&step, "app", message);
            assert_eq!(order, routes.order(&step, "app", message));
            assert_eq!(order[2], "c");
            *first.entry(order[0]).or_default() += 1;
        }
        // Three of four, give or take five standard deviations.
        assert!((2860..3140).contains(&first["a"]), "{first:?}");
    }
}
