//! A part as a `submit_sm` (SMPP 3.4, 4.4.1).

use super::config::{Concatenation, SmppConfig};
use crate::Outgoing;
use flow::text::{self, Alphabet};
use flow::{Content, Flow};
use rusmpp::pdus::SubmitSm;
use rusmpp::tlvs::MessageSubmissionRequestTlvValue as Tlv;
use rusmpp::types::{AnyOctetString, COctetString, EmptyOrFullCOctetString, OctetString};
use rusmpp::values::{DataCoding, EsmClass, MessagePayload, Npi, RegisteredDelivery, Ton};
use std::time::Duration;

/// `esm_class` bit 6: the message starts with a user data header (5.2.12).
const UDHI: u8 = 0x40;
/// `data_coding` (5.2.19): the SMSC's default alphabet, and UCS-2.
const GSM: u8 = 0x00;
const UCS2: u8 = 0x08;
/// Added to either: message class 0, shown at once (3GPP TS 23.038, 4).
const FLASH: u8 = 0x10;
/// India's registration ids, as the operators there agreed on: entity id, then template id.
const ENTITY_ID_TAG: u16 = 0x1400;
const TEMPLATE_ID_TAG: u16 = 0x1401;

/// Builds the PDU, or says why the part can't be sent over SMPP.
pub(super) fn build(outgoing: &Outgoing, config: &SmppConfig) -> Result<SubmitSm, String> {
    let Content::Sms(sms) = &outgoing.step().content else {
        return Err("an SMPP carrier takes Sms only".into());
    };
    let text = sms.sent_text();
    let texts = text::split(&text);
    let body = match config.concatenation {
        Concatenation::Payload => &*text,
        _ => texts.get(usize::from(outgoing.part)).ok_or("the message has no such part")?,
    };
    // All parts of a message are written alike, or the handset could not join them.
    let alphabet = Alphabet::of(&text);
    let octets = match alphabet {
        Alphabet::Gsm => text::encode_gsm(body),
        Alphabet::Ucs2 => text::encode_ucs2(body),
    };
    let coding = if alphabet == Alphabet::Gsm { GSM } else { UCS2 } | if sms.flash { FLASH } else { 0 };

    // As this carrier knows it, which tells its type as well.
    let sender = outgoing.sender.as_str();
    let (source_ton, source_npi) = sender_type(sender, config);
    let (recipient_ton, recipient_npi) = config.recipient;
    let mut pdu = SubmitSm::builder()
        .source_addr_ton(Ton::from(source_ton))
        .source_addr_npi(Npi::from(source_npi))
        .source_addr(address(sender.trim_start_matches('+'))?)
        .dest_addr_ton(Ton::from(recipient_ton))
        .dest_addr_npi(Npi::from(recipient_npi))
        .destination_addr(address(sms.to.trim_start_matches('+'))?)
        // A receipt for the final outcome (5.2.17).
        .registered_delivery(RegisteredDelivery::from(1))
        .data_coding(DataCoding::from(coding))
        .esm_class(EsmClass::from(0));
    if config.validity_period {
        let period = EmptyOrFullCOctetString::from_string(validity_period(outgoing.time_left));
        pdu = pdu.validity_period(period.map_err(|e| e.to_string())?);
    }
    for tlv in registration(&outgoing.flow) {
        pdu = pdu.push_tlv(tlv);
    }
    let (total, sequence) = (texts.len() as u8, outgoing.part as u8 + 1);
    // The same number for all parts of a message, and another one for the next message to this recipient.
    let reference = outgoing.message().id.as_bytes()[15];
    let header = [0x05, 0x00, 0x03, reference, total, sequence];
    match config.concatenation {
        _ if total == 1 => pdu = pdu.short_message(short(&octets)?),
        Concatenation::Udh => {
            pdu = pdu.esm_class(EsmClass::from(UDHI)).short_message(short(&[&header, &*octets].concat())?);
        }
        Concatenation::Payload => {
            pdu = pdu.push_tlv(Tlv::MessagePayload(MessagePayload::new(AnyOctetString::from_vec(octets))));
        }
        Concatenation::Sar => {
            pdu = pdu
                .push_tlv(Tlv::SarMsgRefNum(reference.into()))
                .push_tlv(Tlv::SarTotalSegments(total))
                .push_tlv(Tlv::SarSegmentSeqnum(sequence))
                .short_message(short(&octets)?);
        }
    }
    Ok(pdu.build())
}

fn short(octets: &[u8]) -> Result<OctetString<0, 255>, String> {
    OctetString::from_slice(octets).map_err(|e| e.to_string())
}

fn address(digits: &str) -> Result<COctetString<1, 21>, String> {
    digits.parse().map_err(|_| format!("the address {digits} does not fit into SMPP's 20 characters"))
}

/// TON and NPI of a sender.
fn sender_type(from: &str, config: &SmppConfig) -> (u8, u8) {
    let digits = from.strip_prefix('+').unwrap_or(from);
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        config.alphanumeric_sender
    } else if digits.len() <= 6 && digits.len() == from.len() {
        config.short_code_sender
    } else {
        config.numeric_sender
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
fn registration(flow: &Flow) -> Vec<Tlv> {
    let Some(ids) = &flow.restrictions else { return vec![] };
    let tags = [(ENTITY_ID_TAG, &ids.principal_entity_id), (TEMPLATE_ID_TAG, &ids.content_template_id)];
    let tlv = |(tag, id): (u16, &Option<String>)| {
        id.as_ref().map(|id| Tlv::Other {
            tag: tag.into(),
            value: AnyOctetString::from_vec(format!("{id}\0").into()),
        })
    };
    tags.into_iter().filter_map(tlv).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_relative_and_never_zero() {
        assert_eq!(validity_period(Duration::from_secs(20 * 3600 + 61)), "000000200101000R");
        assert_eq!(validity_period(Duration::from_secs(86_400)), "000001000000000R");
        assert_eq!(validity_period(Duration::ZERO), "000000000100000R");
    }
}
