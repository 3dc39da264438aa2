//! What the words and codes of receipts mean: the words of SMPP 3.4 (appendix B and 5.2.28) and those that
//! SMSCs made of them, and the network's error codes.

use super::config::{Meaning, SmppConfig};
use flow::{Detail, Status};
use std::collections::HashMap;

/// What the word of a receipt means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Said {
    /// The message is at its end.
    End(Meaning),
    /// It is on its way.
    OnItsWay,
    /// The SMSC does not know the message's state.
    NotKnown,
    /// The word is in no table.
    NoWord,
}

/// Words that mean an end, by letters and digits alone.
const DELIVERED: [&str; 9] =
    ["DELIVRD", "DELIVERD", "DELIVERED", "DELIVRED", "DLIVRD", "DLVRD", "DELIVEREDTOHANDSET", "READ", "SEEN"];
const ON_ITS_WAY: [&str; 21] = [
    "ACCEPTD",
    "ACCEPTED",
    "ACK",
    "ENROUTE",
    "INROUTE",
    "INTRANSIT",
    "SCHEDULED",
    "SCHEDLD",
    "BUFFERED",
    "BUFFERD",
    "BUFFRED",
    "PENDING",
    "QUEUED",
    "SENT",
    "SUBMITTED",
    "SUBMITD",
    "PROCESSING",
    "RETRY",
    "RETRYING",
    "DELAYED",
    "DEFERRED",
];
const NO_SUCH_NUMBER: [&str; 6] = [
    "NOSUBSCRIBER",
    "UNKNOWNSUBSCRIBER",
    "UNKNOWNNUMBER",
    "INVALIDNUMBER",
    "INVALIDDESTINATION",
    "INVALIDMSISDN",
];
/// A word that contains one of these means a failure; the first one counts.
const FAILURES: [(&str, Status, Option<Detail>); 18] = [
    // UNDELIV, UNDELIVRD, UNDELIVERABLE, DELIVERY_FAILED and so on. Why may be in the error code.
    ("UNDELIV", Status::Undelivered, None),
    ("UNDLIV", Status::Undelivered, None),
    ("NOTDELIV", Status::Undelivered, None),
    ("NONDELIV", Status::Undelivered, None),
    ("EXPIR", Status::Undelivered, Some(Detail::EXPIRED)),
    ("TIMEOUT", Status::Undelivered, Some(Detail::EXPIRED)),
    ("TIMEDOUT", Status::Undelivered, Some(Detail::EXPIRED)),
    ("DELETE", Status::Undelivered, Some(Detail::UNDELIVERED)),
    ("CANCEL", Status::Undelivered, Some(Detail::UNDELIVERED)),
    ("ABSENT", Status::Undelivered, None),
    ("UNREACH", Status::Undelivered, None),
    ("REJECT", Status::Failed, Some(Detail::CARRIER_VIOLATION)),
    ("BLOCK", Status::Failed, Some(Detail::CARRIER_VIOLATION)),
    ("BLACKLIST", Status::Failed, Some(Detail::CARRIER_VIOLATION)),
    ("SPAM", Status::Failed, Some(Detail::CARRIER_VIOLATION)),
    ("FAIL", Status::Failed, None),
    ("SKIPPED", Status::Failed, Some(Detail::FAILED)),
    ("NOROUTE", Status::Failed, Some(Detail::FAILED)),
];
/// Words that mean a failure only as a whole word.
const WHOLE_FAILURES: [&str; 4] = ["ERROR", "NACK", "NOCREDIT", "UNROUTABLE"];

/// Understands a word; what the carrier's configuration says goes first.
pub(super) fn of_word(word: &str, config: &SmppConfig) -> Said {
    if let Some(meaning) = configured(&config.stat, word) {
        return if meaning.status.is_final() { Said::End(meaning.clone()) } else { Said::OnItsWay };
    }
    let plain: String =
        word.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_uppercase()).collect();
    let is_in = |words: &[&str]| words.contains(&&*plain);
    let end = |status, detail| Said::End(Meaning { status, detail });
    match FAILURES.iter().find(|(stem, ..)| plain.contains(stem)) {
        _ if is_in(&DELIVERED) => end(Status::Delivered, Some(Detail::DELIVERED)),
        _ if is_in(&ON_ITS_WAY) => Said::OnItsWay,
        _ if is_in(&NO_SUCH_NUMBER) => end(Status::Undelivered, Some(Detail::UNKNOWN_NUMBER)),
        _ if is_in(&WHOLE_FAILURES) => end(Status::Failed, None),
        // India's register of those who want no messages.
        _ if is_in(&["DND", "NCPR", "NDNC"]) => end(Status::Failed, Some(Detail::DND_ERROR_CODE)),
        _ if is_in(&["REJCTD", "REJETD"]) => end(Status::Failed, Some(Detail::CARRIER_VIOLATION)),
        _ if plain == "UNKNOWN" => Said::NotKnown,
        Some((_, status, detail)) => end(*status, detail.clone()),
        None => Said::NoWord,
    }
}

/// The word for a `message_state` (SMPP 3.4, 5.2.28; 0 and 9 are SMPP 5.0, 4.7.15); `None` for numbers that
/// say nothing.
pub(super) const fn word_of_state(state: u32) -> Option<&'static str> {
    Some(match state {
        1 => "ENROUTE",
        2 => "DELIVRD",
        3 => "EXPIRED",
        4 => "DELETED",
        5 => "UNDELIV",
        6 => "ACCEPTD",
        7 => "UNKNOWN",
        8 => "REJECTD",
        9 => "SKIPPED",
        _ => return None,
    })
}

/// The network's code for why a message was not delivered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ErrorCode {
    /// As the SMSC wrote it.
    pub(super) text: String,
    /// Whether it may be a code of GSM: by the network type of a TLV; always in a text.
    is_gsm: bool,
}

impl ErrorCode {
    /// That of a receipt's text.
    pub(super) fn of_text(text: String) -> ErrorCode {
        ErrorCode { text, is_gsm: true }
    }

    /// That of the TLV `network_error_code` (SMPP 3.4, 5.3.2.31): a network type and a code, or a code alone.
    pub(super) fn of_tlv(value: &[u8]) -> Option<ErrorCode> {
        const GSM: u8 = 3;
        let (network, code) = match *value {
            [] => return None,
            [code] => (GSM, code.into()),
            [high, low] => (GSM, u16::from_be_bytes([high, low])),
            [network, high, low, ..] => (network, u16::from_be_bytes([high, low])),
        };
        Some(ErrorCode { text: format!("{code:03}"), is_gsm: network == GSM })
    }

    /// Returns whether it says that something went wrong.
    pub(super) fn is_error(&self) -> bool {
        number(&self.text) != Some(0)
    }

    /// What the carrier's configuration says of it: the same text, or the same number.
    fn configured(&self, config: &SmppConfig) -> Option<Meaning> {
        let by_number = || {
            let code = number(&self.text)?;
            config.err.iter().find(|(key, _)| number(key) == Some(code)).map(|(_, meaning)| meaning)
        };
        configured(&config.err, &self.text).or_else(by_number).cloned()
    }

    /// Why, by the MAP user errors that most SMSCs pass on in decimal (3GPP TS 29.002, 17.6.6).
    fn detail(&self) -> Option<Detail> {
        match number(&self.text).filter(|_| self.is_gsm)? {
            1 => Some(Detail::UNKNOWN_NUMBER),
            8 => Some(Detail::ROAMING),
            11 | 13 => Some(Detail::CALL_BARRED),
            31 | 32 => Some(Detail::UNDELIVERED_ON_HANDSET),
            _ => None,
        }
    }
}

/// A failure with the error code that came with it. A code changes nothing else: SMSCs send some with good
/// news.
pub(super) fn refined(meaning: Meaning, error: Option<&ErrorCode>, config: &SmppConfig) -> Meaning {
    let Some(error) = error.filter(|_| !meaning.status.is_success()) else { return meaning };
    match error.configured(config) {
        Some(configured) => configured,
        None => Meaning { detail: meaning.detail.or_else(|| error.detail()), ..meaning },
    }
}

/// The failure by an error code alone, if the word says nothing.
pub(super) fn of_error(error: &ErrorCode, config: &SmppConfig) -> Option<Meaning> {
    let built_in = || Some(Meaning { status: Status::Undelivered, detail: Some(error.detail()?) });
    error.configured(config).filter(|meaning| meaning.status.is_final()).or_else(built_in)
}

fn configured<'a>(table: &'a HashMap<String, Meaning>, value: &str) -> Option<&'a Meaning> {
    table.iter().find(|(key, _)| key.eq_ignore_ascii_case(value)).map(|(_, meaning)| meaning)
}

/// The number of a code: decimal, or hexadecimal if it can't be decimal.
fn number(code: &str) -> Option<u32> {
    let hex = |digits: &str| digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(16);
    let (digits, radix) = match code.strip_prefix("0x").or_else(|| code.strip_prefix("0X")) {
        Some(digits) => (digits, hex(digits)?),
        None if code.bytes().all(|b| b.is_ascii_digit()) => (code, 10),
        None => (code, hex(code)?),
    };
    u32::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::super::config::tests::config;
    use super::*;

    fn told(word: &str) -> String {
        match of_word(word, &config("")) {
            Said::End(Meaning { status, detail }) => {
                format!("{} {}", status.name(), detail.unwrap_or(Detail::plain(status)).0)
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn words_mean_what_smscs_mean() {
        for (words, meaning) in [
            ("DELIVRD DELIVERD DELIVERED delivrd DELIVERED_TO_HANDSET", "Delivered Delivered"),
            ("EXPIRED EXPIRD TIMEOUT", "Undelivered Expired"),
            ("DELETED CANCELLED", "Undelivered Undelivered"),
            ("UNDELIV UNDELIVRD UNDELIVERABLE UNDELIVERED NOT_DELIVERED ABSENT", "Undelivered Undelivered"),
            ("REJECTD REJECTED REJECT REJCTD BLOCKED SPAM BLACKLISTED", "Failed Carrier Violation"),
            ("FAILED FAIL FAILURE SKIPPED NOROUTE NO_ROUTE ERROR NACK SUBMIT_FAILED", "Failed Failed"),
            ("UNKNOWN_SUBSCRIBER INVALID_NUMBER", "Undelivered Unknown Number"),
            ("DND", "Failed DND Error Code"),
            ("ACCEPTD ACCEPTED ENROUTE EN_ROUTE SCHEDULED BUFFERED BUFFERD QUEUED SENT", "OnItsWay"),
            ("UNKNOWN", "NotKnown"),
            ("PLUGH 000 2", "NoWord"),
        ] {
            for word in words.split(' ') {
                assert_eq!(told(word), meaning, "{word}");
            }
        }
    }

    #[test]
    fn codes_are_equal_as_numbers() {
        for (a, b) in [("27", "027"), ("00B", "11"), ("0x0b", "11"), ("1b", "27")] {
            assert_eq!(number(a), number(b));
        }
        assert_eq!(number("x"), None);
        assert_eq!(number("0x"), None);
        assert_eq!(number(""), None);
        assert_eq!(number("99999999999"), None);
    }

    #[test]
    fn other_networks_have_other_codes() {
        let detail = |value: &[u8]| ErrorCode::of_tlv(value).and_then(|code| code.detail());
        assert_eq!(detail(&[3, 0, 1]), Some(Detail::UNKNOWN_NUMBER));
        assert_eq!(detail(&[0, 1]), Some(Detail::UNKNOWN_NUMBER));
        assert_eq!(detail(&[1, 0, 1]), None);
        assert_eq!(detail(&[]), None);
    }
}
