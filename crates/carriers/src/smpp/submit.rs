//! A part as a `submit_sm` (SMPP 3.4, 4.4.1).

use super::concatenation::References;
use super::config::{Concatenation, SmppConfig};
use super::handset::UDHI;
use crate::outgoing::Outgoing;
use flow::text::{self, Alphabet, HEADER_8_BIT, HEADER_16_BIT};
use flow::{Content, Flow, Sms};
use smpp::tlv::{self, Tlv};
use smpp::{Address, Message};
use std::time::Duration;

/// Octets that a message has on the air (3GPP TS 23.040, 9.2.3.16).
const OCTETS_MAX: usize = 140;
/// Characters of an address (SMPP 3.4, 5.2.8 and 5.2.9).
const ADDRESS_MAX: usize = 20;
/// `registered_delivery`: a receipt for the final outcome (5.2.17).
const FINAL_RECEIPT: u8 = 1;
/// Bit 4 of a `data_coding` of 3GPP TS 23.038: bits 1 and 0 are a message class, and class 0 is shown at
/// once.
const HAS_CLASS: u8 = 0x10;
/// `dest_addr_subunit` (5.3.2.1), and the one that shows a message at once.
const DEST_ADDR_SUBUNIT: u16 = 0x0005;
const MS_DISPLAY: u8 = 1;
/// India's registration ids, as the operators there agreed on: entity id, then template id.
const ENTITY_ID_TAG: u16 = 0x1400;
const TEMPLATE_ID_TAG: u16 = 0x1401;

/// Why a part can't be sent over SMPP; the text is for the tracking.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Unsendable {
    /// It is no Sms.
    #[error("an SMPP carrier takes Sms only")]
    NotSms,
    /// Its message has fewer parts.
    #[error("the message has no such part")]
    NoPart,
    /// The alphabet of the SMSC lacks a character, and in UCS-2 a part would be too long.
    #[error(
        "the carrier's alphabet ({alphabet}) lacks {lacking:?}, and in UCS-2 a part would take {octets} \
         octets of at most {OCTETS_MAX}"
    )]
    Alphabet {
        /// The alphabet's name in the configuration.
        alphabet: &'static str,
        /// The first character that it lacks.
        lacking: char,
        /// The octets that the longest part would take in UCS-2.
        octets: usize,
    },
    /// The sender or the recipient is too long, or has a character that SMPP can't carry.
    #[error("the address {0} does not fit into the {ADDRESS_MAX} characters of ISO 8859-1 that SMPP has")]
    Address(String),
}

/// Builds the message of a part.
///
/// # Errors
/// [`Unsendable`].
pub(super) fn build(
    outgoing: &Outgoing,
    config: &SmppConfig,
    references: &References,
) -> Result<Message, Unsendable> {
    let Content::Sms(sms) = &outgoing.step().content else {
        return Err(Unsendable::NotSms);
    };
    let text = sms.sent_text();
    let parts = Parts::of(&text, config);
    let body = match config.concatenation {
        Concatenation::Payload => &*text,
        _ => parts.texts.get(usize::from(outgoing.part)).ok_or(Unsendable::NoPart)?,
    };
    let reference = || references.of(outgoing.flow.id, outgoing.message, &sms.to);
    let joined = parts.texts.len() > 1;
    let header = match config.concatenation {
        Concatenation::Udh | Concatenation::Udh16 if joined => {
            parts.header(reference(), outgoing.part as u8 + 1)
        }
        _ => vec![],
    };
    let (octets, coding) = encode(body, &text, &parts, header.len(), config)?;

    let (source, destination) = addresses(sms, &outgoing.sender, config)?;
    let mut message = Message {
        service_type: config.service_type.clone(),
        source,
        destination,
        registered_delivery: FINAL_RECEIPT,
        data_coding: coding,
        ..Message::default()
    };
    if sms.flash {
        flash(&mut message);
    }
    if config.validity_period {
        message.validity_period = validity_period(outgoing.time_left);
    }
    let tlvs = &mut message.tlvs.0;
    tlvs.extend(registration(&outgoing.flow));
    match config.concatenation {
        Concatenation::Payload if joined => tlvs.push(Tlv::new(tlv::MESSAGE_PAYLOAD, octets)),
        Concatenation::Sar if joined => {
            let (total, sequence) = (parts.texts.len() as u8, outgoing.part as u8 + 1);
            tlvs.push(Tlv::new(tlv::SAR_MSG_REF_NUM, reference().to_be_bytes()));
            tlvs.push(Tlv::new(tlv::SAR_TOTAL_SEGMENTS, [total]));
            tlvs.push(Tlv::new(tlv::SAR_SEGMENT_SEQNUM, [sequence]));
            message.short_message = octets;
        }
        _ => {
            message.esm_class = if header.is_empty() { 0 } else { UDHI };
            message.short_message = [header, octets].concat();
        }
    }
    Ok(message)
}

/// A text in parts, at most 255 of them (contract, section 2).
struct Parts {
    texts: Vec<String>,
    /// Octets of the header that joins them.
    header_octets: usize,
}

impl Parts {
    /// The parts that the flow counted when it was accepted. The header of a 16-bit reference takes an octet
    /// more; if the text would need another part for it, the parts have the 8-bit one.
    fn of(text: &str, config: &SmppConfig) -> Parts {
        let texts = text::split(text);
        if config.concatenation == Concatenation::Udh16 {
            let shorter = text::split_beside(text, HEADER_16_BIT);
            if shorter.len() == texts.len() {
                return Parts { texts: shorter, header_octets: HEADER_16_BIT };
            }
        }
        Parts { texts, header_octets: HEADER_8_BIT }
    }

    /// The user data header of a part (3GPP TS 23.040, 9.2.3.24.1 and 9.2.3.24.8).
    fn header(&self, reference: u16, sequence: u8) -> Vec<u8> {
        let total = self.texts.len() as u8;
        let [high, low] = reference.to_be_bytes();
        match self.header_octets {
            HEADER_16_BIT => vec![0x06, 0x08, 0x04, high, low, total, sequence],
            _ => vec![0x05, 0x00, 0x03, low, total, sequence],
        }
    }
}

/// The octets of a part and their `data_coding`: the same for all parts of a text, since a handset joins no
/// others.
///
/// # Errors
/// [`Unsendable::Alphabet`].
fn encode(
    body: &str,
    text: &str,
    parts: &Parts,
    written_header: usize,
    config: &SmppConfig,
) -> Result<(Vec<u8>, u8), Unsendable> {
    let unicode = |body| Ok((text::encode_ucs2(body), config.data_coding.unicode));
    let alphabet = config.alphabet;
    if Alphabet::of(text) == Alphabet::Ucs2 {
        return unicode(body);
    }
    let Some(lacking) = alphabet.lacks(text) else {
        // Up to the boundary of a septet, counted from the header's first bit on.
        let fill_bits = (7 - written_header * 8 % 7) % 7;
        return Ok((alphabet.encode(body, fill_bits as u8), config.data_coding.text));
    };
    let header_octets = if parts.texts.len() > 1 { parts.header_octets } else { 0 };
    let longest = parts.texts.iter().map(|part| text::encode_ucs2(part).len() + header_octets).max();
    match longest.unwrap_or_default() {
        octets if octets <= OCTETS_MAX => unicode(body),
        octets => Err(Unsendable::Alphabet { alphabet: alphabet.name(), lacking, octets }),
    }
}

/// Has the message shown at once: by message class 0 if the `data_coding` can express it, else by the TLV for
/// it.
fn flash(message: &mut Message) {
    match message.data_coding {
        0x00 | 0x04 | 0x08 => message.data_coding |= HAS_CLASS,
        coding @ 0xf0..=0xff => message.data_coding = coding & !0x03,
        _ => message.tlvs.0.push(Tlv::new(DEST_ADDR_SUBUNIT, [MS_DISPLAY])),
    }
}

/// Source and destination, the sender as this carrier knows it.
///
/// # Errors
/// [`Unsendable::Address`].
fn addresses(sms: &Sms, sender: &str, config: &SmppConfig) -> Result<(Address, Address), Unsendable> {
    let sender_kind = Sender::of(sender);
    let (ton, npi) = match sender_kind {
        Sender::Alphanumeric => config.alphanumeric_sender,
        Sender::Number => config.numeric_sender,
        Sender::ShortCode => config.short_code_sender,
    };
    let source = if sender_kind == Sender::Number { sender.trim_start_matches('+') } else { sender };
    let source = Address { ton, npi, address: address(source)? };
    let (ton, npi) = config.recipient;
    let destination = Address { ton, npi, address: address(sms.to.trim_start_matches('+'))? };
    Ok((source, destination))
}

fn address(text: &str) -> Result<String, Unsendable> {
    let fits = text.chars().count() <= ADDRESS_MAX && text.chars().all(|c| ('\u{1}'..='\u{ff}').contains(&c));
    if fits { Ok(text.to_owned()) } else { Err(Unsendable::Address(text.to_owned())) }
}

/// What a sender is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sender {
    Alphanumeric,
    Number,
    ShortCode,
}

impl Sender {
    fn of(sender: &str) -> Sender {
        let digits = sender.strip_prefix('+').unwrap_or(sender);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            Sender::Alphanumeric
        } else if digits.len() <= 6 && digits.len() == sender.len() {
            Sender::ShortCode
        } else {
            Sender::Number
        }
    }
}

/// A relative time (7.1.1), at least a minute: an SMSC takes zero for no validity at all.
fn validity_period(time_left: Duration) -> String {
    let seconds = time_left.as_secs().max(60);
    let (days, hours, minutes, seconds) =
        (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("0000{days:02}{hours:02}{minutes:02}{seconds:02}000R")
}

/// India's registration ids.
fn registration(flow: &Flow) -> impl Iterator<Item = Tlv> {
    let ids = flow.restrictions.iter().flat_map(|ids| {
        [(ENTITY_ID_TAG, &ids.principal_entity_id), (TEMPLATE_ID_TAG, &ids.content_template_id)]
    });
    ids.filter_map(|(tag, id)| Some(Tlv::new(tag, format!("{}\0", id.as_ref()?).into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::super::config::tests::config;
    use super::*;
    use flow::sample;
    use flow::text::unpack_septets;
    use std::sync::Arc;
    use uuid::Uuid;

    fn outgoing(body: &str, sender: &str, part: u16) -> Outgoing {
        let steps = vec![sample::step(1, sample::sms("+306900000000", body))];
        Outgoing {
            flow: Arc::new(sample::flow(steps, None, 0, Uuid::from_u128(0x1234_0000))),
            message: 0,
            part,
            attempts: 0,
            sender: sender.into(),
            time_left: Duration::from_secs(600),
        }
    }

    fn built(body: &str, part: u16, more: &str) -> Result<Message, Unsendable> {
        build(&outgoing(body, "Acme", part), &config(more), &References::new())
    }

    #[test]
    fn periods_are_relative_and_never_zero() {
        assert_eq!(validity_period(Duration::from_secs(20 * 3600 + 61)), "000000200101000R");
        assert_eq!(validity_period(Duration::from_secs(86_400)), "000001000000000R");
        assert_eq!(validity_period(Duration::ZERO), "000000000100000R");
    }

    #[test]
    fn senders_go_out_as_the_carrier_calls_them() {
        for (sender, address, ton, npi) in [
            ("47110", "47110", 3, 0),
            ("Acme", "Acme", 5, 0),
            ("+Acme", "+Acme", 5, 0),
            ("+", "+", 5, 0),
            ("+302100000000", "302100000000", 1, 1),
            ("302100000000", "302100000000", 1, 1),
            ("+47110", "47110", 1, 1),
        ] {
            let message = build(&outgoing("hi", sender, 0), &config(""), &References::new()).unwrap();
            assert_eq!(message.source, Address { ton, npi, address: address.into() });
            assert_eq!(message.destination, Address { ton: 1, npi: 1, address: "306900000000".into() });
        }
        for sender in ["a sender of many letters", "Άκμη"] {
            let refused = build(&outgoing("hi", sender, 0), &config(""), &References::new());
            assert!(refused.unwrap_err().to_string().contains("does not fit"));
        }
    }

    #[test]
    fn a_plain_submit() {
        let message = built("@ hi", 0, r#""service_type": "CMT""#).unwrap();
        let expected = Message {
            service_type: "CMT".into(),
            source: Address { ton: 5, npi: 0, address: "Acme".into() },
            destination: Address { ton: 1, npi: 1, address: "306900000000".into() },
            validity_period: "000000001000000R".into(),
            registered_delivery: 1,
            short_message: b"\0 hi".to_vec(),
            ..Message::default()
        };
        assert_eq!(message, expected);
        assert_eq!(built("hi", 0, r#""validity_period": false"#).unwrap().validity_period, "");
    }

    #[test]
    fn the_alphabet_is_the_smscs() {
        for (body, more, coding, octets) in [
            ("user@host_1", "", 0, &b"user\0host\x111"[..]),
            ("user@host_1", r#""alphabet": "latin1""#, 0, b"user@host_1"),
            ("é{", r#""alphabet": "latin1""#, 0, b"\xe9{"),
            ("é", r#""alphabet": "latin1", "data_coding": {"text": 3}"#, 3, b"\xe9"),
            ("é", r#""alphabet": "ascii""#, 8, b"\x00\xe9"),
            ("γ", r#""data_coding": {"unicode": 24}"#, 24, b"\x03\xb3"),
            ("hellohello", r#""alphabet": "gsm_packed""#, 0, b"\xe8\x32\x9b\xfd\x46\x97\xd9\xec\x37"),
        ] {
            let message = built(body, 0, more).unwrap();
            assert_eq!((message.data_coding, &*message.short_message), (coding, octets), "{body} {more}");
        }
        let text = format!("{}€", "a".repeat(69));
        assert_eq!(built(&text, 0, r#""alphabet": "latin1""#).unwrap().short_message.len(), 140);
        let why = built(&format!("a{text}"), 0, r#""alphabet": "latin1""#).unwrap_err().to_string();
        assert!(why.contains("(latin1) lacks '€'") && why.contains("142 octets"), "{why}");
        // A part would have 306 octets; there are two of them.
        assert!(built(&format!("é{}", "a".repeat(160)), 1, r#""alphabet": "ascii""#).is_err());
    }

    #[test]
    fn flash_is_a_class_or_a_tlv() {
        let flashed = |data_coding| {
            let mut message = Message { data_coding, ..Message::default() };
            flash(&mut message);
            (message.data_coding, message.tlvs.get(DEST_ADDR_SUBUNIT).map(<[u8]>::to_vec))
        };
        assert_eq!(flashed(0), (0x10, None));
        assert_eq!(flashed(8), (0x18, None));
        assert_eq!(flashed(0xf1), (0xf0, None));
        assert_eq!(flashed(3), (3, Some(vec![1])));
    }

    #[test]
    fn parts_are_joined_as_configured() {
        let long = "a".repeat(300);
        let reference = [0x12, 0x34];
        let low = reference[1];
        let udh = built(&long, 1, "").unwrap();
        assert_eq!((udh.esm_class, udh.short_message.len()), (UDHI, 6 + 147));
        assert_eq!(udh.short_message[..7], [5, 0, 3, low, 2, 2, b'a']);

        let wide = built(&long, 1, r#""concatenation": "udh16""#).unwrap();
        assert_eq!(wide.short_message[..8], [6, 8, 4, reference[0], low, 2, 2, b'a']);
        assert_eq!(wide.short_message.len(), 7 + 148);
        // A third part would be needed beside the longer header.
        let full = built(&"a".repeat(305), 0, r#""concatenation": "udh16""#).unwrap();
        assert_eq!(full.short_message[..6], [5, 0, 3, low, 2, 1]);
        assert_eq!(full.short_message.len(), 6 + 153);

        let sar = built(&long, 0, r#""concatenation": "sar""#).unwrap();
        assert_eq!((sar.esm_class, sar.short_message.len()), (0, 153));
        assert_eq!(sar.tlvs.get(tlv::SAR_MSG_REF_NUM), Some(&reference[..]));
        assert_eq!(sar.tlvs.number(tlv::SAR_TOTAL_SEGMENTS), Some(2));
        assert_eq!(sar.tlvs.number(tlv::SAR_SEGMENT_SEQNUM), Some(1));

        let payload = built(&long, 0, r#""concatenation": "payload""#).unwrap();
        assert!(payload.short_message.is_empty());
        assert_eq!(payload.tlvs.get(tlv::MESSAGE_PAYLOAD).map(<[u8]>::len), Some(300));
        assert_eq!(built("hi", 0, r#""concatenation": "payload""#).unwrap().short_message, b"hi");
        assert!(built("hi", 1, "").is_err());
    }

    #[test]
    fn packed_parts_fit_the_air() {
        let long = "a".repeat(400);
        for (concatenation, header, fill_bits) in [("udh", 6, 1), ("udh16", 7, 0), ("sar", 0, 0)] {
            let more = format!(r#""alphabet": "gsm_packed", "concatenation": "{concatenation}""#);
            let text: Vec<u8> = (0..3)
                .flat_map(|part| {
                    let octets = built(&long, part, &more).unwrap().short_message;
                    assert!(octets.len() <= OCTETS_MAX, "{concatenation}: {}", octets.len());
                    unpack_septets(&octets[header..], fill_bits)
                })
                .filter(|septet| !matches!(septet, 0 | b'\r'))
                .collect();
            assert_eq!(text, long.as_bytes(), "{concatenation}");
        }
    }
}
