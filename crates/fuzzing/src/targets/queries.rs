//! Flows, changes and queries made of any octets. Two indexes get the same: in one every flow is loose, so
//! that each is looked at; in the other a few rows make segments. Their answers must be equal.

use flow::{Channel, ChannelSet, Facets, FlowKind, FlowStatus};
use index::{Filter, Index, Limits, Order, Predicate, Query, TextOperator, place_of};
use uuid::Uuid;

struct Octets<'a>(std::slice::Iter<'a, u8>);

impl Octets<'_> {
    fn next(&mut self) -> u8 {
        self.0.next().copied().unwrap_or_default()
    }

    fn below(&mut self, limit: u8) -> u8 {
        self.next() % limit
    }

    fn text(&mut self) -> String {
        const LETTERS: &[u8; 16] = b"+0123456789aB:@s";
        let len = self.below(18);
        (0..len).map(|_| char::from(LETTERS[usize::from(self.below(16))])).collect()
    }

    fn recipient(&mut self) -> Box<str> {
        match self.below(4) {
            0 => self.text().into(),
            _ => format!("+3069{:03}", u16::from(self.next()) % 300).into(),
        }
    }

    fn facets(&mut self) -> Facets {
        let mut recipients: Vec<_> = (0..1 + self.below(6) / 4).map(|_| self.recipient()).collect();
        recipients.sort_unstable();
        recipients.dedup();
        let termination = self.below(4).checked_sub(1).map(|at| Channel::ALL[usize::from(at)]);
        let types = self.below(3);
        Facets {
            kind: if self.below(8) == 0 { FlowKind::Transactional } else { FlowKind::Plain },
            status: FlowStatus::ALL[usize::from(self.below(4))],
            termination,
            types: ChannelSet::default().with(Channel::ALL[usize::from(types)]),
            recipients: recipients.into(),
        }
    }

    fn filter(&mut self) -> Filter {
        use TextOperator::{Contains, EndsWith, Is, StartsWith};
        let predicate = match self.below(6) {
            0 => Predicate::Type(Channel::ALL[usize::from(self.below(3))]),
            1 => Predicate::Termination(Channel::ALL[usize::from(self.below(3))]),
            2 => Predicate::Status(FlowStatus::ALL[usize::from(self.below(4))]),
            _ => {
                let operator = [Is, Contains, StartsWith, EndsWith][usize::from(self.below(4))];
                let recipient = self.recipient();
                let text = if self.below(2) == 0 { self.text() } else { recipient.into() };
                Predicate::To(operator, text)
            }
        };
        Filter { predicate, negated: self.below(3) == 0 }
    }
}

pub(crate) fn feed(data: &[u8]) {
    let mut octets = Octets(data.iter());
    let looked_through = Index::default();
    let segments = Index::with_limits(Limits {
        loose_rows: octets.below(8).into(),
        seal_rows: octets.below(8).into(),
        late_rows: octets.below(8).into(),
        merge_segments: 2 + usize::from(octets.below(3)),
        segment_weight_max: 8 + usize::from(octets.below(60)),
        heavy_rows: octets.below(8).into(),
    });
    let mut known: Vec<(i64, Uuid)> = Vec::new();
    while octets.0.len() > 0 {
        match octets.below(8) {
            0..4 => {
                let (created_ms, id) = (i64::from(octets.below(20)), u128::from(octets.next()));
                known.push((created_ms, Uuid::from_u128(id)));
                let facets = octets.facets();
                for index in [&looked_through, &segments] {
                    index.put([("a", created_ms, Uuid::from_u128(id), facets.clone())]);
                }
            }
            4 => {
                segments.tidy();
            }
            at @ 5..7 => {
                if known.is_empty() {
                    continue;
                }
                let (created_ms, id) = known[usize::from(octets.next()) % known.len()];
                let facets = octets.facets();
                for index in [&looked_through, &segments] {
                    if at == 5 {
                        index.remove("a", created_ms, id);
                    } else {
                        index.put([("a", created_ms, id, facets.clone())]);
                    }
                }
            }
            _ => {
                let filters = (0..octets.below(4)).map(|_| octets.filter()).collect();
                let bound = |at: u8| (at < 20).then(|| place_of(at.into()));
                let query = Query {
                    application: "a".into(),
                    from: bound(octets.below(30)),
                    until: bound(octets.below(30)),
                    filters,
                    order: if octets.below(2) == 0 { Order::NewestFirst } else { Order::OldestFirst },
                    offset: octets.below(40).into(),
                    limit: octets.below(20).into(),
                };
                assert_eq!(segments.search(&query), looked_through.search(&query), "{query:?}");
            }
        }
    }
}
