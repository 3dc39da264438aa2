//! The facet: kind, status, termination channel and types of a flow, in one byte.

use crate::query::{Filter, Predicate};
use flow::{Channel, ChannelSet, Facets, FlowKind, FlowStatus};

/// A row that was removed. No flow has this code: every flow has at least one type.
pub(crate) const DEAD: u8 = 0;

/// Kind (1 bit), types (3 bits), termination channel or none (2 bits), status (2 bits).
pub(crate) fn encode(facets: &Facets) -> u8 {
    let kind = u8::from(facets.kind == FlowKind::Transactional);
    let types = Channel::ALL.iter().fold(0, |bits, &c| bits | u8::from(facets.types.contains(c)) << c as u8);
    let termination = facets.termination.map_or(0, |channel| channel as u8 + 1);
    debug_assert!(types != 0, "a flow has at least one type");
    kind << 7 | types << 4 | termination << 2 | facets.status as u8
}

/// The facets of a code, with these recipients.
pub(crate) fn decode(code: u8, recipients: Box<[Box<str>]>) -> Facets {
    let kind = if code & 0x80 == 0 { FlowKind::Plain } else { FlowKind::Transactional };
    let types = Channel::ALL.into_iter().filter(|&channel| code >> 4 & 1 << channel as u8 != 0);
    Facets {
        kind,
        status: FlowStatus::ALL[usize::from(code & 3)],
        termination: (code >> 2 & 3).checked_sub(1).map(|channel| Channel::ALL[usize::from(channel)]),
        types: types.fold(ChannelSet::default(), ChannelSet::with),
        recipients,
    }
}

/// The codes that match.
pub(crate) struct Mask {
    /// 1 for each code that matches, else 0.
    table: [u8; 256],
    /// Whether every code of a flow matches.
    pub(crate) all: bool,
}

impl Mask {
    /// The codes for which every filter holds; filters on recipients don't count here.
    pub(crate) fn of(filters: &[Filter]) -> Mask {
        let mut mask = Mask { table: [1; 256], all: true };
        mask.table[usize::from(DEAD)] = 0;
        for Filter { predicate, negated } in filters {
            let (bits, value) = match predicate {
                Predicate::Type(channel) => (0x10 << *channel as u8, 0x10 << *channel as u8),
                Predicate::Termination(channel) => (3 << 2, (*channel as u8 + 1) << 2),
                Predicate::Status(status) => (3, *status as u8),
                Predicate::Kind(kind) => (0x80, u8::from(*kind == FlowKind::Transactional) << 7),
                Predicate::To(..) => continue,
            };
            mask.all = false;
            for (code, matches) in mask.table.iter_mut().enumerate() {
                *matches &= u8::from((code as u8 & bits == value) != *negated);
            }
        }
        mask
    }

    /// Whether a code matches.
    pub(crate) fn has(&self, code: u8) -> bool {
        self.table[usize::from(code)] != 0
    }

    /// How many of these codes match.
    pub(crate) fn count(&self, codes: &[u8]) -> usize {
        codes.iter().map(|code| usize::from(self.table[usize::from(*code)])).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_a_flow_comes_back() {
        for code in (1..=u8::MAX).filter(|code| code & 0x70 != 0) {
            assert_eq!(encode(&decode(code, Box::default())), code);
        }
    }
}
