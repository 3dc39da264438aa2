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
    table: [bool; 256],
    codes: Vec<u8>,
}

impl Mask {
    /// The codes for which every filter holds; filters on recipients don't count here.
    pub(crate) fn of(filters: &[Filter]) -> Mask {
        let facet_filters: Vec<&Filter> =
            filters.iter().filter(|filter| !matches!(filter.predicate, Predicate::To(..))).collect();
        let mut mask = Mask { table: [false; 256], codes: Vec::new() };
        for code in 1..=u8::MAX {
            let facets = decode(code, Box::default());
            if code & 0x70 != 0 && facet_filters.iter().all(|filter| filter.holds(&facets)) {
                mask.table[usize::from(code)] = true;
                mask.codes.push(code);
            }
        }
        mask
    }

    /// Whether a code matches.
    pub(crate) fn has(&self, code: u8) -> bool {
        self.table[usize::from(code)]
    }

    /// The sum of the counts of the codes that match.
    pub(crate) fn sum(&self, counts: &[u32; 256], present: &[bool; 256]) -> usize {
        let counted = self.codes.iter().filter(|&&code| present[usize::from(code)]);
        counted.map(|&code| counts[usize::from(code)] as usize).sum()
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
