//! The numbers of keys: documents of statistics name what messages have in common by a number.

use super::document::Document;
use flow::statistics::{Contribution, MessageKey, OTHER};
use std::collections::{BTreeMap, BTreeSet};

/// Networks that are counted by their names, of each carrier: there are two thousand in the world, and no
/// carrier makes statistics grow without end.
const NETWORKS_MAX: usize = 2000;

/// Every key that has a number.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    numbers: BTreeMap<MessageKey, u32>,
    /// The networks in them, by carrier.
    networks: BTreeMap<Option<String>, BTreeSet<String>>,
    /// The number of the next new one.
    next: u32,
}

impl Keys {
    /// Notes a key with its number.
    pub(crate) fn insert(&mut self, key: MessageKey, number: u32) {
        if let Some(network) = &key.network {
            self.networks.entry(key.carrier.clone()).or_default().insert(network.clone());
        }
        self.numbers.insert(key, number);
        self.reserve(number);
    }

    /// Gives a number to no new key.
    pub(crate) fn reserve(&mut self, number: u32) {
        self.next = self.next.max(number.saturating_add(1));
    }

    /// A contribution with numbers for keys. Keys that have none yet get one, and are added to `new`. What a
    /// network is counted as never changes, so that what was added is taken away at the same place: one that
    /// has its name keeps it, and one that came when there were enough never gets it.
    pub(crate) fn numbered(
        &mut self,
        contribution: &Contribution,
        new: &mut Vec<(u32, MessageKey)>,
    ) -> Document {
        let mut document = Document { flows: contribution.flows.clone(), ..Document::default() };
        for (key, figures) in &contribution.messages {
            let number = match self.numbers.get(key) {
                Some(number) => *number,
                None => self.number(self.admitted(key), new),
            };
            document.messages.entry(number).or_default().add(figures);
        }
        document
    }

    /// The key, with its network only if that may be counted by its name.
    fn admitted(&self, key: &MessageKey) -> MessageKey {
        let known = self.networks.get(&key.carrier);
        let too_many = |network: &String| {
            known.is_some_and(|known| known.len() >= NETWORKS_MAX && !known.contains(network))
        };
        let mut key = key.clone();
        if key.network.as_ref().is_some_and(too_many) {
            key.network = Some(OTHER.to_owned());
        }
        key
    }

    fn number(&mut self, key: MessageKey, new: &mut Vec<(u32, MessageKey)>) -> u32 {
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        let number = self.next;
        new.push((number, key.clone()));
        self.insert(key, number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::statistics::MessageFigures;
    use flow::{Channel, Detail, FlowKind, Status};

    fn contribution(carrier: &str, network: &str) -> Contribution {
        let key = MessageKey {
            channel: Channel::Sms,
            kind: FlowKind::Plain,
            status: Status::Sent,
            detail: Detail::SENT,
            carrier: Some(carrier.into()),
            country: None,
            network: Some(network.into()),
        };
        let figures = MessageFigures { messages: 1, ..MessageFigures::default() };
        Contribution { messages: [(key, figures)].into(), ..Contribution::default() }
    }

    #[test]
    fn a_carrier_has_so_many_networks_and_the_rest_are_one() {
        let (mut keys, mut new) = (Keys::default(), Vec::new());
        let mut number = |carrier: &str, network: &str| {
            let document = keys.numbered(&contribution(carrier, network), &mut new);
            *document.messages.keys().next().unwrap()
        };
        let last = (0..NETWORKS_MAX).map(|i| number("a", &format!("network {i}"))).last();
        assert_eq!(last, Some(NETWORKS_MAX as u32 - 1));
        let other = number("a", "one more");
        assert_eq!(number("a", "and one more"), other);
        assert_eq!(number("a", OTHER), other);
        assert_eq!(number("a", "network 7"), 7);
        // Another carrier's are its own.
        assert!(number("b", "one more") > other);
        assert_eq!(new.len(), NETWORKS_MAX + 2);
    }
}
