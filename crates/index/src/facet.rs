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
    /// What a code's bits are like,
    like: Test,
    /// and what they are not like.
    unlike: Vec<Test>,
    /// 1 for each code that matches, else 0.
    table: [u8; 256],
    /// Whether every code of a flow matches.
    pub(crate) all: bool,
}

/// Whether some bits of a code have a value.
#[derive(Clone, Copy)]
struct Test {
    bits: u8,
    value: u8,
}

/// Codes that are counted together.
pub(crate) const TOGETHER: usize = 64;

impl Mask {
    /// The codes for which every filter holds; filters on recipients don't count here.
    pub(crate) fn of(filters: &[Filter]) -> Mask {
        let (mut like, mut unlike) = (Test { bits: 0, value: 0 }, vec![Test { bits: 0xff, value: DEAD }]);
        let mut all = true;
        for Filter { predicate, negated } in filters {
            let (bits, value) = match predicate {
                Predicate::Type(channel) => (0x10 << *channel as u8, 0x10 << *channel as u8),
                Predicate::Termination(channel) => (3 << 2, (*channel as u8 + 1) << 2),
                Predicate::Status(status) => (3, *status as u8),
                Predicate::Kind(kind) => (0x80, u8::from(*kind == FlowKind::Transactional) << 7),
                Predicate::To(..) => continue,
            };
            all = false;
            if *negated {
                unlike.push(Test { bits, value });
            } else if (like.value ^ value) & like.bits & bits != 0 {
                // Two values at once: nothing is like that.
                unlike.push(Test { bits: 0, value: 0 });
            } else {
                like = Test { bits: like.bits | bits, value: like.value | value };
            }
        }
        let table = matching(like, &unlike, &std::array::from_fn(|code| code as u8));
        Mask { like, unlike, table, all }
    }

    /// Whether a code matches.
    pub(crate) fn has(&self, code: u8) -> bool {
        self.table[usize::from(code)] != 0
    }

    /// How many of these codes match.
    pub(crate) fn count(&self, codes: &[u8]) -> usize {
        let (whole, rest) = codes.as_chunks::<TOGETHER>();
        let whole = whole.iter().map(|codes| matching(self.like, &self.unlike, codes).iter().sum::<u8>());
        whole.map(usize::from).sum::<usize>() + rest.iter().filter(|code| self.has(**code)).count()
    }

    /// A bit for each of these codes, at most [`TOGETHER`], that matches.
    pub(crate) fn bits(&self, codes: &[u8]) -> u64 {
        let mut padded = [DEAD; TOGETHER];
        let codes = codes.first_chunk().unwrap_or_else(|| {
            padded[..codes.len()].copy_from_slice(codes);
            &padded
        });
        let matching = matching(self.like, &self.unlike, codes);
        // The lowest bits of eight octets, gathered in the highest one.
        let gather = |octets: &[u8; 8]| u64::from_le_bytes(*octets).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        let octets = matching.as_chunks().0.iter().enumerate();
        octets.fold(0, |bits, (at, octets)| bits | gather(octets) << (8 * at))
    }
}

/// 1 for each code that is like this and unlike all of those, else 0; with instructions for many at a time.
fn matching<const CODES: usize>(like: Test, unlike: &[Test], codes: &[u8; CODES]) -> [u8; CODES] {
    let mut matching = [0; CODES];
    for (matching, code) in matching.iter_mut().zip(codes) {
        *matching = u8::from(code & like.bits == like.value);
    }
    for Test { bits, value } in unlike {
        for (matching, code) in matching.iter_mut().zip(codes) {
            *matching &= u8::from(code & bits != *value);
        }
    }
    matching
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_it_has() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..2000 {
            let filters: Vec<Filter> = (0..random.usize(..4))
                .map(|_| {
                    let channel = Channel::ALL[random.usize(..Channel::ALL.len())];
                    let predicate = match random.u8(..4) {
                        0 => Predicate::Type(channel),
                        1 => Predicate::Termination(channel),
                        2 => Predicate::Status(FlowStatus::ALL[random.usize(..4)]),
                        _ => Predicate::Kind(FlowKind::Transactional),
                    };
                    Filter { predicate, negated: random.bool() }
                })
                .collect();
            let mask = Mask::of(&filters);
            let holds = |code: u8| {
                let facets = decode(code, Box::default());
                code != DEAD
                    && filters.iter().all(|Filter { predicate, negated }| {
                        let holds = match predicate {
                            Predicate::Type(channel) => facets.types.contains(*channel),
                            Predicate::Termination(channel) => facets.termination == Some(*channel),
                            Predicate::Status(status) => facets.status == *status,
                            Predicate::Kind(kind) => facets.kind == *kind,
                            Predicate::To(..) => true,
                        };
                        holds != *negated
                    })
            };
            let codes: Vec<u8> = (0..random.usize(..300)).map(|_| random.u8(..)).collect();
            for code in 0..=u8::MAX {
                assert_eq!(mask.has(code), holds(code), "{filters:?}, {code:#x}");
            }
            assert_eq!(mask.count(&codes), codes.iter().filter(|code| holds(**code)).count(), "{filters:?}");
        }
    }

    #[test]
    fn every_code_of_a_flow_comes_back() {
        for code in (1..=u8::MAX).filter(|code| code & 0x70 != 0) {
            assert_eq!(encode(&decode(code, Box::default())), code);
        }
    }
}
