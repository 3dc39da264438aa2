//! The facets of a flow as one number, and filters on them.

use crate::query::language::{Filter, Predicate};
use flow::{Channel, ChannelSet, Facets, FlowKind, FlowStatus};

/// Status, termination channel, types and kind of a flow: one of the combinations that can occur.
///
/// It has room for 8 channels and 16 statuses, for 256 kinds, and eight bits more. Few of all combinations
/// occur, so a segment keeps a list of its own and, for each row, a place in it ([`crate::segment::slots`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Combination(u32);

/// Four bits: the status.
const STATUS: Field = Field { shift: 0, bits: 0xf };
/// Four bits: the termination channel's number plus one, or 0.
const TERMINATION: Field = Field { shift: 4, bits: 0xf };
/// Eight bits: one for each type.
const TYPES: Field = Field { shift: 8, bits: 0xff };
/// Eight bits: the kind.
const KIND: Field = Field { shift: 16, bits: 0xff };

/// Every number of a channel has its bit in [`TYPES`], and every status its number in [`STATUS`].
const _: () = assert!(Channel::ALL.len() <= 8 && FlowStatus::ALL.len() <= 16);
/// All combinations that can occur have a slot in one segment, even if all of them occur.
const _: () = {
    let types = (1 << Channel::ALL.len()) - 1;
    let kinds = FlowKind::Transactional as usize + 1;
    let combinations = types * (Channel::ALL.len() + 1) * FlowStatus::ALL.len() * kinds;
    assert!(combinations < crate::segment::slots::SLOTS_MAX);
};

/// Some neighbouring bits of a combination.
#[derive(Clone, Copy)]
struct Field {
    shift: u32,
    bits: u32,
}

impl Field {
    const fn put(self, value: u32) -> u32 {
        value << self.shift
    }

    const fn get(self, combination: Combination) -> u32 {
        combination.0 >> self.shift & self.bits
    }

    /// Tests whether the field has a value.
    const fn is(self, value: u32) -> Test {
        Test { bits: self.bits << self.shift, value: value << self.shift }
    }
}

impl Combination {
    /// That of no flow: every flow has at least one type.
    pub(crate) const NONE: Combination = Combination(0);

    /// As [`Combination::number`] was.
    pub(crate) const fn from_number(number: u32) -> Combination {
        Combination(number)
    }

    /// It as it is written to files.
    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    pub(crate) fn of(facets: &Facets) -> Combination {
        let types = Channel::ALL.iter().filter(|channel| facets.types.contains(**channel));
        let types = types.fold(0, |types, channel| types | 1 << *channel as u32);
        debug_assert!(types != 0, "a flow has at least one type");
        let termination = facets.termination.map_or(0, |channel| channel as u32 + 1);
        Combination(
            STATUS.put(facets.status as u32)
                | TERMINATION.put(termination)
                | TYPES.put(types)
                | KIND.put(facets.kind as u32),
        )
    }

    /// The facets of a flow with these recipients.
    pub(crate) fn facets(self, recipients: Box<[Box<str>]>) -> Facets {
        let termination = TERMINATION.get(self).checked_sub(1);
        let types = TYPES.get(self);
        let types = Channel::ALL.into_iter().filter(|&channel| types & 1 << channel as u32 != 0);
        Facets {
            kind: if KIND.get(self) == 0 { FlowKind::Plain } else { FlowKind::Transactional },
            status: FlowStatus::ALL[STATUS.get(self) as usize % FlowStatus::ALL.len()],
            termination: termination.and_then(|channel| Channel::ALL.get(channel as usize).copied()),
            types: types.fold(ChannelSet::default(), ChannelSet::with),
            recipients,
        }
    }
}

/// Whether some bits of a combination have a value.
#[derive(Clone, Copy)]
struct Test {
    bits: u32,
    value: u32,
}

impl Test {
    const fn holds(self, combination: Combination) -> bool {
        combination.0 & self.bits == self.value
    }
}

/// The filters of a query that are on facets, as tests on a combination.
pub(crate) struct FacetFilter {
    /// Each holds, or does not where the flag says so.
    tests: Vec<(Test, bool)>,
}

impl FacetFilter {
    /// Leaves out the filters on recipients.
    pub(crate) fn new(filters: &[Filter]) -> FacetFilter {
        let tests = filters.iter().filter_map(|Filter { predicate, negated }| {
            let test = match predicate {
                Predicate::Type(channel) => {
                    let bit = TYPES.put(1 << *channel as u32);
                    Test { bits: bit, value: bit }
                }
                Predicate::Termination(channel) => TERMINATION.is(*channel as u32 + 1),
                Predicate::Status(status) => STATUS.is(*status as u32),
                Predicate::Kind(kind) => KIND.is(*kind as u32),
                Predicate::To(..) => return None,
            };
            Some((test, *negated))
        });
        FacetFilter { tests: tests.collect() }
    }

    /// Whether it matches every flow.
    pub(crate) fn matches_all(&self) -> bool {
        self.tests.is_empty()
    }

    /// Whether a flow with these facets matches; [`Combination::NONE`] never does.
    pub(crate) fn matches(&self, combination: Combination) -> bool {
        combination != Combination::NONE
            && self.tests.iter().all(|(test, negated)| test.holds(combination) != *negated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that can occur.
    fn all() -> Vec<Facets> {
        let mut all = Vec::new();
        for kind in [FlowKind::Plain, FlowKind::Transactional] {
            for status in FlowStatus::ALL {
                for termination in std::iter::once(None).chain(Channel::ALL.map(Some)) {
                    for types in 1..1u8 << Channel::ALL.len() {
                        let types =
                            Channel::ALL.into_iter().filter(|channel| types >> *channel as u8 & 1 != 0);
                        let types = types.fold(ChannelSet::default(), ChannelSet::with);
                        all.push(Facets { kind, status, termination, types, recipients: Box::default() });
                    }
                }
            }
        }
        all
    }

    #[test]
    fn every_combination_comes_back_and_differs_from_all_others() {
        let mut seen = std::collections::HashSet::from([Combination::NONE]);
        for facets in all() {
            let combination = Combination::of(&facets);
            assert!(seen.insert(combination), "{facets:?}");
            assert_eq!(combination.facets(Box::default()), facets);
            assert_eq!(Combination::from_number(combination.number()), combination);
        }
    }

    #[test]
    fn matches_what_the_facets_tell() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..300 {
            let filters: Vec<Filter> = (0..random.usize(..4))
                .map(|_| {
                    let channel = Channel::ALL[random.usize(..Channel::ALL.len())];
                    let predicate = match random.u8(..5) {
                        0 => Predicate::Type(channel),
                        1 => Predicate::Termination(channel),
                        2 => Predicate::Status(FlowStatus::ALL[random.usize(..4)]),
                        3 => Predicate::Kind(FlowKind::Plain),
                        _ => Predicate::Kind(FlowKind::Transactional),
                    };
                    Filter { predicate, negated: random.bool() }
                })
                .collect();
            let filter = FacetFilter::new(&filters);
            assert_eq!(filter.matches_all(), filters.is_empty());
            assert!(!filter.matches(Combination::NONE));
            for facets in all() {
                let expected = filters.iter().all(|Filter { predicate, negated }| {
                    let holds = match predicate {
                        Predicate::Type(channel) => facets.types.contains(*channel),
                        Predicate::Termination(channel) => facets.termination == Some(*channel),
                        Predicate::Status(status) => facets.status == *status,
                        Predicate::Kind(kind) => facets.kind == *kind,
                        Predicate::To(..) => true,
                    };
                    holds != *negated
                });
                assert_eq!(filter.matches(Combination::of(&facets)), expected, "{filters:?} {facets:?}");
            }
        }
    }
}
