//! A document of statistics: the sums of a span, by the numbers of their keys. Small integers as few octets
//! (LEB128, signs folded in by zigzag), since a database has a document for every quarter of an hour.

use flow::statistics::{FlowFigures, FlowKey, MessageFigures};
use flow::{Channel, FlowStatus, Price, StatusCode};
use std::collections::BTreeMap;
use std::ops::{BitOrAssign, Shl};

/// The first octet: the form of what follows.
const FORM: u8 = 1;
/// Most digits behind the point of an amount.
const SCALE_MAX: u32 = 28;

/// What a document has.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Document {
    /// Of messages, by the numbers of their keys.
    pub(crate) messages: BTreeMap<u32, MessageFigures>,
    /// Of flows.
    pub(crate) flows: BTreeMap<FlowKey, FlowFigures>,
}

/// A document is damaged, or a newer version wrote it.
#[derive(Debug, thiserror::Error)]
#[error("a document of statistics can't be read")]
pub(crate) struct DocumentError;

impl Document {
    /// Adds another one.
    pub(crate) fn add(&mut self, other: &Document) {
        for (key, figures) in &other.messages {
            self.messages.entry(*key).or_default().add(figures);
        }
        for (key, figures) in &other.flows {
            self.flows.entry(*key).or_default().add(figures);
        }
    }

    /// It as octets, without what came to nothing.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut octets = vec![FORM];
        let messages = || self.messages.iter().filter(|(_, figures)| !figures.is_zero());
        write_unsigned(&mut octets, messages().count() as u128);
        let mut last = 0;
        for (key, figures) in messages() {
            write_unsigned(&mut octets, u128::from(key - last));
            last = *key;
            write_messages(&mut octets, figures);
        }
        for (key, figures) in self.flows.iter().filter(|(_, figures)| !figures.is_zero()) {
            write_unsigned(&mut octets, u128::from(number_of(key)));
            write_signed(&mut octets, figures.flows.into());
            write_price(&mut octets, figures.price);
            write_signed(&mut octets, figures.time_ms.into());
        }
        octets
    }

    /// Reads what [`Document::encode`] wrote.
    pub(crate) fn decode(octets: &[u8]) -> Result<Document, DocumentError> {
        let mut document = Document::default();
        let Document { messages, flows } = &mut document;
        Document::visit(
            octets,
            |key, figures| messages.entry(key).or_default().add(figures),
            |key, figures| flows.entry(key).or_default().add(figures),
        )?;
        Ok(document)
    }

    /// Shows all that a document has, without making one.
    pub(crate) fn visit(
        octets: &[u8],
        mut messages: impl FnMut(u32, &MessageFigures),
        mut flows: impl FnMut(FlowKey, &FlowFigures),
    ) -> Result<(), DocumentError> {
        let mut rest = octets.strip_prefix(&[FORM]).ok_or(DocumentError)?;
        let (mut key, mut figures) = (0_u32, MessageFigures::default());
        for _ in 0..read_u64(&mut rest)? {
            let step = u32::try_from(read_u64(&mut rest)?).map_err(|_| DocumentError)?;
            key = key.checked_add(step).ok_or(DocumentError)?;
            read_messages(&mut rest, &mut figures)?;
            messages(key, &figures);
        }
        while !rest.is_empty() {
            let key = key_of(read_u64(&mut rest)?)?;
            let (count, price) = (read_i64(&mut rest)?, read_price(&mut rest)?);
            flows(key, &FlowFigures { flows: count, price, time_ms: read_i64(&mut rest)? });
        }
        Ok(())
    }
}

fn write_messages(octets: &mut Vec<u8>, figures: &MessageFigures) {
    let MessageFigures { messages, parts, price, latency } = figures;
    write_signed(octets, (*messages).into());
    write_signed(octets, (*parts).into());
    write_price(octets, *price);
    write_unsigned(octets, latency.classes().count() as u128);
    if !latency.is_zero() {
        write_signed(octets, latency.sum_ms().into());
    }
    for (class, count) in latency.classes() {
        octets.push(class);
        write_signed(octets, count.into());
    }
}

fn read_messages(rest: &mut &[u8], figures: &mut MessageFigures) -> Result<(), DocumentError> {
    figures.messages = read_i64(rest)?;
    figures.parts = read_i64(rest)?;
    figures.price = read_price(rest)?;
    figures.latency.clear();
    let classes = read_u64(rest)?;
    if classes > 0 {
        figures.latency.add_sum(read_i64(rest)?);
    }
    for _ in 0..classes {
        let class = read_octet(rest)?;
        figures.latency.count_class(class, read_i64(rest)?);
    }
    Ok(())
}

/// A flow's key as a number: an octet each for the steps, the channel, the status and why it failed, of which
/// those that may be absent have 0 for that.
fn number_of(key: &FlowKey) -> u32 {
    let termination = key.termination.map_or(0, |channel| channel as u8 + 1);
    let status_code = key.status_code.map_or(0, |code| code as u8 + 1);
    u32::from_le_bytes([key.status as u8, termination, status_code, key.steps])
}

/// The key with a number.
fn key_of(number: u64) -> Result<FlowKey, DocumentError> {
    let [status, termination, status_code, steps] =
        u32::try_from(number).map_err(|_| DocumentError)?.to_le_bytes();
    let status = FlowStatus::ALL.get(usize::from(status)).ok_or(DocumentError)?;
    let termination = match termination.checked_sub(1) {
        None => None,
        Some(channel) => Some(*Channel::ALL.get(usize::from(channel)).ok_or(DocumentError)?),
    };
    let status_code = match status_code.checked_sub(1) {
        None => None,
        Some(code) => Some(*StatusCode::ALL.get(usize::from(code)).ok_or(DocumentError)?),
    };
    Ok(FlowKey { steps, termination, status: *status, status_code })
}

/// An amount: its digits, and how many of them stand behind the point.
fn write_price(octets: &mut Vec<u8>, price: Price) {
    write_signed(octets, price.mantissa());
    if !price.is_zero() {
        octets.push(price.scale() as u8);
    }
}

fn read_price(rest: &mut &[u8]) -> Result<Price, DocumentError> {
    let digits = unfold(read_unsigned(rest)?);
    if digits == 0 {
        return Ok(Price::ZERO);
    }
    let scale = u32::from(read_octet(rest)?);
    if scale > SCALE_MAX {
        return Err(DocumentError);
    }
    Price::try_from_i128_with_scale(digits, scale).map_err(|_| DocumentError)
}

fn write_signed(octets: &mut Vec<u8>, number: i128) {
    write_unsigned(octets, ((number << 1) ^ (number >> 127)).cast_unsigned());
}

fn write_unsigned(octets: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        octets.push(number as u8 | 0x80);
        number >>= 7;
    }
    octets.push(number as u8);
}

/// The number that [`write_signed`] folded its sign into.
fn unfold(number: u128) -> i128 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

fn read_i64(rest: &mut &[u8]) -> Result<i64, DocumentError> {
    // It has no more bits than it was folded from.
    Ok(unfold(read_u64(rest)?.into()) as i64)
}

fn read_u64(rest: &mut &[u8]) -> Result<u64, DocumentError> {
    read_bits(rest, u64::BITS)
}

fn read_unsigned(rest: &mut &[u8]) -> Result<u128, DocumentError> {
    read_bits(rest, u128::BITS)
}

/// A number of so many bits, which [`write_unsigned`] wrote.
fn read_bits<T>(rest: &mut &[u8], bits: u32) -> Result<T, DocumentError>
where
    T: Default + From<u8> + Shl<u32, Output = T> + BitOrAssign,
{
    let mut number = T::default();
    for shift in (0..bits).step_by(7) {
        let octet = read_octet(rest)?;
        number |= T::from(octet & 0x7f) << shift;
        if octet < 0x80 {
            return Ok(number);
        }
    }
    Err(DocumentError)
}

fn read_octet(rest: &mut &[u8]) -> Result<u8, DocumentError> {
    let (first, others) = rest.split_first().ok_or(DocumentError)?;
    *rest = others;
    Ok(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        let mut document = Document::default();
        for (key, messages, price) in [(0, 3, "0.045"), (7, -2, "-1.5"), (300, 1 << 40, "0")] {
            let mut figures = MessageFigures {
                messages,
                parts: 2 * messages,
                price: price.parse().unwrap(),
                ..Default::default()
            };
            [0, 5, 70_000, u32::MAX].into_iter().for_each(|ms| figures.latency.count(ms, messages));
            document.messages.insert(key, figures);
        }
        for (steps, status, status_code, termination) in [
            (1, FlowStatus::Queued, None, None),
            (2, FlowStatus::Succeeded, None, Some(Channel::Sms)),
            (32, FlowStatus::Failed, Some(StatusCode::NoNextStep), Some(Channel::Voice)),
        ] {
            let figures = FlowFigures {
                flows: 5,
                price: "79228162514264337593543950335".parse().unwrap(),
                time_ms: -9,
            };
            document.flows.insert(FlowKey { steps, termination, status, status_code }, figures);
        }
        document
    }

    #[test]
    fn a_document_is_read_as_it_was_written() {
        let document = document();
        assert_eq!(Document::decode(&document.encode()).unwrap(), document);
        assert_eq!(Document::decode(&Document::default().encode()).unwrap(), Document::default());
    }

    #[test]
    fn what_came_to_nothing_is_left_out() {
        let mut zero = document();
        for figures in zero.messages.values_mut() {
            *figures = MessageFigures::default();
        }
        zero.flows.values_mut().for_each(|figures| *figures = FlowFigures::default());
        assert_eq!(zero.encode(), Document::default().encode());
    }

    #[test]
    fn damaged_documents_are_refused() {
        let octets = document().encode();
        assert!(Document::decode(&[]).is_err());
        for end in 0..octets.len() {
            // Whole figures at the end may be missing, and nothing else.
            let _ = Document::decode(&octets[..end]);
        }
        for at in 0..octets.len() {
            for value in [0, 0x7f, 0x80, 0xff] {
                let mut damaged = octets.clone();
                damaged[at] = value;
                let _ = Document::decode(&damaged);
            }
        }
        assert!(Document::decode(&[FORM + 1, 0]).is_err());
    }
}
