//! What a `deliver_sm` or a `data_sm` is: a receipt, in TLVs (SMPP 3.4, 5.3.2) or in text (appendix B), or a
//! message from a handset.

use super::config::{Meaning, SmppConfig};
use super::fields::{self, Fields};
use super::handset;
use super::meaning::{self, ErrorCode, Said};
use crate::handset::{Encoding, HandsetMessage, as_it_stands, utf16};
use crate::sink::{Unread, UnreadReason};
use flow::text::{decode_gsm, unpack_septets};
use flow::{Detail, Receipt};
use smpp::{Message, tlv};

/// `esm_class` bits 5 to 2 (5.2.12): a receipt, and news of a message on its way. Acknowledgements of
/// handsets (0x08 and 0x10) are written by people; they are receipts only if they name a message.
const RECEIPT: u8 = 0x04;
const INTERMEDIATE: u8 = 0x20;
/// Octets of a receipt that are read: none is as long.
const READ_MAX: usize = 1024;

/// What a `deliver_sm` or a `data_sm` is.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Delivered {
    /// A receipt.
    Receipt {
        /// The message's id, normalized.
        reference: String,
        /// Who it was for, as the SMSC wrote it.
        recipient: Option<String>,
        /// What became of it.
        receipt: Receipt,
    },
    /// News of a message on its way.
    NoEnd,
    /// A receipt that can't be used.
    Unread(Unread),
    /// A message from a handset.
    Message(HandsetMessage),
}

/// Reads a `deliver_sm` or a `data_sm`.
pub(super) fn read(message: &Message, config: &SmppConfig) -> Delivered {
    if message.esm_class & INTERMEDIATE != 0 {
        return Delivered::NoEnd;
    }
    let tlv_id = message.tlvs.text(tlv::RECEIPTED_MESSAGE_ID).map(|id| config.tlv_id().normalize(&id));
    let tlv_id = tlv_id.filter(|id| !id.is_empty());
    let tlv_state = message.tlvs.get(tlv::MESSAGE_STATE).filter(|value| !value.is_empty());
    let (text, fields) = read_text(message, config);
    // An id alone makes no receipt: Kannel's SMSC sends it with messages that people write.
    let tells_state = tlv_state.is_some() || (tlv_id.is_some() && fields.state.is_some());
    let is_marked = message.esm_class & RECEIPT != 0 || tells_state;
    // Some SMSCs mark none. A person who types one gains nothing: they don't know any id.
    let reads_like_one = || {
        fields.has_usual_names
            && fields.state.as_ref().is_some_and(|word| meaning::of_word(word, config) != Said::NoWord)
    };
    if !is_marked && !reads_like_one() {
        return Delivered::Message(handset::read(message, config));
    }

    let text_id = fields.id.map(|id| config.receipt_id.normalize(&id)).filter(|id| !id.is_empty());
    let reference = tlv_id.or(text_id);
    let word = chosen_word(tlv_state.and_then(word_of_tlv), fields.state, config);
    let error = chosen_error(fields.error, message);
    let recipient = Some(message.source.address.trim()).filter(|address| !address.is_empty());
    let recipient = recipient.map(ToOwned::to_owned);

    let said = word.as_ref().map(|word| meaning::of_word(word, config));
    let end = match said {
        Some(Said::OnItsWay) => return Delivered::NoEnd,
        Some(Said::End(end)) => Ok(end),
        Some(Said::NotKnown) => {
            Ok(Meaning { status: flow::Status::Undelivered, detail: Some(Detail::UNKNOWN_STATUS) })
        }
        Some(Said::NoWord) => {
            error.as_ref().and_then(|error| meaning::of_error(error, config)).ok_or(UnreadReason::UnknownWord)
        }
        None => Err(UnreadReason::NoStatus),
    };
    match (reference, end) {
        (Some(reference), Ok(end)) => {
            let Meaning { status, detail } = meaning::refined(end, error.as_ref(), config);
            let stat = word.unwrap_or_default();
            let error = error.map(|error| error.text);
            let description = match &error {
                Some(error) => format!("stat {stat}, err {error}"),
                None => format!("stat {stat}"),
            };
            let detail = detail.unwrap_or(Detail::plain(status));
            let receipt = Receipt { description: Some(description), error, ..Receipt::new(status, detail) };
            Delivered::Receipt { reference, recipient, receipt }
        }
        (reference, end) => {
            let why = if reference.is_none() {
                UnreadReason::NoId
            } else {
                end.err().unwrap_or(UnreadReason::NoStatus)
            };
            let error = error.map(|error| error.text);
            Delivered::Unread(Unread { why, text, reference, word, error, recipient })
        }
    }
}

/// The text and its fields: of all ways to read it, the first one that gives the most of id and state.
fn read_text(message: &Message, config: &SmppConfig) -> (String, Fields) {
    let (_, behind) = handset::split_header(message);
    let octets = &behind[..behind.len().min(READ_MAX)];
    let octets = octets.strip_suffix(&[0]).unwrap_or(octets);
    let nominal = handset::encoding_of(message.data_coding, config);
    let named = || if nominal == Encoding::Binary { as_it_stands(octets) } else { nominal.decode(octets) };
    // Most SMSCs write receipts in ASCII, whatever their alphabet is for other texts.
    let is_ascii = octets.iter().all(|&octet| matches!(octet, b' '..=b'~' | b'\r' | b'\n' | b'\t' | 0));
    let stands_first = is_ascii && matches!(nominal, Encoding::Gsm | Encoding::GsmPacked);
    let ways: [&dyn Fn() -> String; 6] = [
        &|| if stands_first { as_it_stands(octets) } else { named() },
        &|| if stands_first { named() } else { as_it_stands(octets) },
        &|| utf16(octets, u16::from_be_bytes),
        &|| utf16(octets, u16::from_le_bytes),
        &|| decode_gsm(octets),
        &|| decode_gsm(&unpack_septets(octets, 0)),
    ];
    let found = |fields: &Fields| usize::from(fields.id.is_some()) + usize::from(fields.state.is_some());
    let mut best: Option<(String, Fields)> = None;
    for way in ways {
        let text = way();
        let fields = fields::parse(&text);
        let count = found(&fields);
        if best.as_ref().is_none_or(|(_, other)| count > found(other)) {
            best = Some((text, fields));
        }
        if count == 2 {
            break;
        }
    }
    best.unwrap_or_default()
}

/// The word of the TLV `message_state`, whatever its length: a number, its digit or a word. `None` where it
/// says nothing.
fn word_of_tlv(value: &[u8]) -> Option<String> {
    let number = |octets: &[u8]| {
        let number = octets.iter().try_fold(0_u32, |number, &octet| {
            number.checked_mul(256).and_then(|number| number.checked_add(octet.into()))
        });
        number.and_then(meaning::word_of_state)
    };
    let end = value.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
    let octets = &value[..end];
    let in_numbers = number(value).or_else(|| number(octets)).map(ToOwned::to_owned);
    in_numbers.or_else(|| {
        let text = as_it_stands(octets).trim().to_uppercase();
        match text.parse() {
            Ok(state) => meaning::word_of_state(state).map(ToOwned::to_owned),
            Err(_) => text
                .chars()
                .all(|c| c.is_ascii_alphanumeric())
                .then_some(text)
                .filter(|text| !text.is_empty()),
        }
    })
}

/// Which of two words counts: the more definite one, and of two equal ones the TLV's, since TLVs are
/// specified and texts are not.
fn chosen_word(tlv: Option<String>, text: Option<String>, config: &SmppConfig) -> Option<String> {
    let (Some(tlv), Some(text)) = (&tlv, &text) else { return tlv.or(text) };
    let weight = |word: &String| match meaning::of_word(word, config) {
        Said::End(_) => 3,
        Said::OnItsWay => 2,
        Said::NotKnown => 1,
        Said::NoWord => 0,
    };
    Some(if weight(text) > weight(tlv) { text } else { tlv }.clone())
}

/// The error code of the text, or of the TLV if the text has none or one that is no error.
fn chosen_error(text: Option<String>, message: &Message) -> Option<ErrorCode> {
    let text = text.map(ErrorCode::of_text);
    let tlv = message.tlvs.get(tlv::NETWORK_ERROR_CODE).and_then(ErrorCode::of_tlv);
    let tlv = tlv.filter(ErrorCode::is_error);
    match text {
        Some(text) if text.is_error() => Some(text),
        text => tlv.or(text),
    }
}

/// Reads any octets as the body of either command.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(data: &[u8], config: &SmppConfig) {
    use smpp::{CommandId, CommandStatus, Frame, Header, Pdu};
    for command in [CommandId::DELIVER_SM, CommandId::DATA_SM] {
        let header = Header { command, status: CommandStatus::OK, sequence: 1 };
        if let Pdu::DeliverSm(message) | Pdu::DataSm(message) = Pdu::decode(Frame { header, body: data }).pdu
        {
            let _ = read(&message, config);
        }
    }
}

#[cfg(test)]
#[path = "receipt_tests.rs"]
mod tests;
