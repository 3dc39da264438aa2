//! Delivery receipts: a `deliver_sm` that tells what became of a message, in TLVs (SMPP 3.4, 5.3.2) or in text
//! (appendix B).

use super::config::{Meaning, SmppConfig};
use flow::{Channel, Detail, Receipt, Status};
use rusmpp::pdus::DeliverSm;
use rusmpp::tlvs::TlvValue;
use rusmpp::values::MessageState;

/// Words of messages that are on their way (SMPP 3.4, 5.2.28 and appendix B; SMPP 5.0 has `SCHEDULED`).
const ON_ITS_WAY: [&str; 4] = ["ACCEPTD", "ENROUTE", "SCHEDULED", "BUFFERED"];

/// What a receipt says, before it is understood.
#[derive(Default, PartialEq, Eq, Debug)]
struct Fields {
    id: Option<String>,
    stat: Option<String>,
    err: Option<String>,
}

/// What a `deliver_sm` is.
#[derive(PartialEq, Debug)]
pub(super) enum Delivered {
    /// A receipt: the message's normalized id and what became of it.
    Receipt(String, Receipt),
    /// News of a message on its way.
    NoEnd,
    /// A receipt without an id or without a status, or with a status that we have no word for.
    Unreadable,
    /// A message from a handset.
    Message,
}

/// Reads a `deliver_sm`.
pub(super) fn read(pdu: &DeliverSm, config: &SmppConfig) -> Delivered {
    let mut fields = parse_text(&String::from_utf8_lossy(pdu.short_message().as_ref()));
    let mut by_tlv = false;
    for tlv in pdu.tlvs() {
        match tlv.value() {
            // The TLVs are exact where the text is a custom.
            Some(TlvValue::ReceiptedMessageId(id)) => {
                fields.id = Some(id.as_str().to_owned());
                by_tlv = true;
            }
            Some(TlvValue::MessageState(state)) => {
                fields.stat = Some(stat_of(*state).to_owned());
                by_tlv = true;
            }
            Some(TlvValue::MessagePayload(payload)) if pdu.short_message().is_empty() => {
                let Fields { id, stat, err } = parse_text(&String::from_utf8_lossy(payload.value.as_ref()));
                fields.id = fields.id.or(id);
                fields.stat = fields.stat.or(stat);
                fields.err = fields.err.or(err);
            }
            _ => {}
        }
    }
    // `esm_class` bits 5 to 2: a receipt, or an intermediate notification (5.2.12).
    let marked = u8::from(pdu.esm_class) & 0x3c != 0;
    if !marked && !by_tlv {
        return Delivered::Message;
    }
    let (Some(id), Some(stat)) = (fields.id, fields.stat) else { return Delivered::Unreadable };
    let (id, stat) = (config.receipt_id.normalize(&id), stat.to_ascii_uppercase());
    let Some(meaning) = understand(&stat, fields.err.as_deref(), config) else {
        return if ON_ITS_WAY.contains(&&*stat) { Delivered::NoEnd } else { Delivered::Unreadable };
    };
    let detail = meaning.detail.unwrap_or(Detail::plain(meaning.status));
    let description = match &fields.err {
        Some(err) => format!("stat {stat}, err {err}"),
        None => format!("stat {stat}"),
    };
    Delivered::Receipt(id, Receipt { description: Some(description), ..Receipt::new(meaning.status, detail) })
}

/// Reads a receipt that is made of any octets.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(data: &[u8], config: &SmppConfig) {
    use rusmpp::tlvs::MessageDeliveryRequestTlvValue;
    use rusmpp::types::AnyOctetString;
    use rusmpp::values::MessagePayload;
    let Some((class, text)) = data.split_first() else { return };
    let pdu = DeliverSm::builder().esm_class((*class).into());
    let pdu = match rusmpp::types::OctetString::from_slice(text) {
        Ok(text) if class & 1 == 0 => pdu.short_message(text).build(),
        _ => pdu
            .push_tlv(MessageDeliveryRequestTlvValue::MessagePayload(MessagePayload::new(
                AnyOctetString::from_slice(text),
            )))
            .build(),
    };
    let _ = read(&pdu, config);
}

const fn stat_of(state: MessageState) -> &'static str {
    match state {
        MessageState::Delivered => "DELIVRD",
        MessageState::Expired => "EXPIRED",
        MessageState::Deleted => "DELETED",
        MessageState::Undeliverable => "UNDELIV",
        MessageState::Accepted => "ACCEPTD",
        MessageState::Rejected => "REJECTD",
        MessageState::Skipped => "SKIPPED",
        MessageState::Scheduled | MessageState::Enroute => "ENROUTE",
        _ => "UNKNOWN",
    }
}

/// Reads `id:… sub:… dlvrd:… submit date:… done date:… stat:… err:… text:…`, in any order and case, with any of
/// it missing. What follows `text:` is the message and no field.
fn parse_text(text: &str) -> Fields {
    let lower = text.to_ascii_lowercase();
    let end = lower.find("text:").unwrap_or(text.len());
    let field = |name: &str| {
        let mut from = 0;
        while let Some(found) = lower[from..end].find(name) {
            let start = from + found;
            from = start + name.len();
            // `id:` is not the end of another word.
            let whole = start == 0 || !lower.as_bytes()[start - 1].is_ascii_alphanumeric();
            if whole {
                let value = text[from..end].split_whitespace().next()?;
                return Some(value.to_owned());
            }
        }
        None
    };
    Fields { id: field("id:"), stat: field("stat:"), err: field("err:") }
}

/// The status that a `stat` word and an `err` code mean; `None` for those that tell of no end.
fn understand(stat: &str, err: Option<&str>, config: &SmppConfig) -> Option<Meaning> {
    let same = |key: &String, value: &str| key.eq_ignore_ascii_case(value);
    let configured = |table: &std::collections::HashMap<String, Meaning>, value: &str| {
        table.iter().find(|(key, _)| same(key, value)).map(|(_, meaning)| meaning.clone())
    };
    if let Some(meaning) = err.and_then(|err| configured(&config.err, err)).or(configured(&config.stat, stat))
    {
        return Some(meaning);
    }
    let (status, detail) = match stat {
        "DELIVRD" => (Status::Delivered, Detail::DELIVERED),
        "EXPIRED" => (Status::Undelivered, Detail::EXPIRED),
        "DELETED" => (Status::Undelivered, Detail::UNDELIVERED),
        "UNDELIV" => (Status::Undelivered, detail_of(err)),
        "REJECTD" => (Status::Failed, Detail::CARRIER_VIOLATION),
        "SKIPPED" => (Status::Failed, Detail::FAILED),
        "UNKNOWN" => (Status::Undelivered, Detail::UNKNOWN_STATUS),
        // ACCEPTD, ENROUTE and whatever else: on its way.
        _ => return None,
    };
    debug_assert!(status.exists_on(Channel::Sms));
    Some(Meaning { status, detail: Some(detail) })
}

/// Why a message was not delivered, by the MAP user errors that most SMSCs pass on in decimal (3GPP TS 29.002,
/// 17.6.6).
fn detail_of(err: Option<&str>) -> Detail {
    match err.and_then(|err| err.parse::<u32>().ok()) {
        Some(1) => Detail::UNKNOWN_NUMBER,
        Some(8) => Detail::ROAMING,
        Some(11 | 13) => Detail::CALL_BARRED,
        Some(31 | 32) => Detail::UNDELIVERED_ON_HANDSET,
        _ => Detail::UNDELIVERED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(id: &str, stat: &str, err: &str) -> Fields {
        Fields { id: Some(id.into()), stat: Some(stat.into()), err: Some(err.into()) }
    }

    #[test]
    fn reads_the_customary_text() {
        let text = "id:0123456789 sub:001 dlvrd:001 submit date:2603010915 done date:2603010916 stat:DELIVRD err:000 \
                    text:stat:REJECTD";
        assert_eq!(parse_text(text), fields("0123456789", "DELIVRD", "000"));
        assert_eq!(parse_text("STAT:undeliv Err:1 ID:a-b"), fields("a-b", "undeliv", "1"));
        assert_eq!(parse_text("paid:1 id:2 stat:X err:3"), fields("2", "X", "3"));
        assert_eq!(parse_text("hello"), Fields::default());
        assert_eq!(parse_text("id:"), Fields::default());
    }
}
