//! What people read, and small values: names, words, numbers of TLVs.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

use smpp::tlv::{Tlv, Tlvs};
use smpp::{
    Bind, BindKind, CommandId, CommandStatus, EncodeError, End, Flaw, FlawKind, Message, NotSubmitted, Pdu,
    SubmitError, Unanswered,
};

#[test]
fn commands_have_the_names_of_the_specification() {
    for (command, name) in [
        (CommandId::GENERIC_NACK, "generic_nack"),
        (CommandId::BIND_RECEIVER, "bind_receiver"),
        (CommandId::BIND_TRANSMITTER, "bind_transmitter"),
        (CommandId::QUERY_SM, "query_sm"),
        (CommandId::SUBMIT_SM, "submit_sm"),
        (CommandId::DELIVER_SM, "deliver_sm"),
        (CommandId::UNBIND, "unbind"),
        (CommandId::REPLACE_SM, "replace_sm"),
        (CommandId::CANCEL_SM, "cancel_sm"),
        (CommandId::BIND_TRANSCEIVER, "bind_transceiver"),
        (CommandId::OUTBIND, "outbind"),
        (CommandId::ENQUIRE_LINK, "enquire_link"),
        (CommandId::SUBMIT_MULTI, "submit_multi"),
        (CommandId::ALERT_NOTIFICATION, "alert_notification"),
        (CommandId::DATA_SM, "data_sm"),
        (CommandId::SUBMIT_SM.response(), "submit_sm_resp"),
        (CommandId(0x0bad), "0x00000BAD"),
        (CommandId(0x8000_0bad), "0x80000BAD"),
    ] {
        assert_eq!((command.to_string(), format!("{command:?}")), (name.into(), name.into()));
    }
    assert!(CommandId::GENERIC_NACK.is_response() && !CommandId::SUBMIT_SM.is_response());
    let response = CommandId::DATA_SM.response();
    assert_eq!(
        (response.0, response.response(), response.request()),
        (0x8000_0103, response, CommandId::DATA_SM)
    );
    assert_eq!(CommandId::DATA_SM.request(), CommandId::DATA_SM);
}

#[test]
fn statuses_have_names_and_words() {
    for (status, text) in [
        (CommandStatus::OK, "0x00000000 ESME_ROK: no error"),
        (CommandStatus::THROTTLED, "0x00000058 ESME_RTHROTTLED: the rate that is allowed is exceeded"),
        (CommandStatus(0x400), "0x00000400"),
    ] {
        assert_eq!(status.to_string(), text);
    }
    assert_eq!(format!("{:?}", CommandStatus::THROTTLED), "0x00000058");
    assert!(CommandStatus::OK.is_ok() && !CommandStatus::SYSTEM_ERROR.is_ok());
}

#[test]
fn flaws_and_errors_say_which_field() {
    for (kind, words) in [
        (FlawKind::Missing, "esm_class is missing"),
        (FlawKind::Cut, "esm_class is cut off by command_length"),
        (FlawKind::TooLong, "esm_class is longer than SMPP 3.4 allows"),
        (FlawKind::Superfluous, "esm_class is followed by octets that are no field"),
    ] {
        assert_eq!(Flaw { field: "esm_class", kind }.words(), words);
    }
    let too_long = Message { short_message: vec![0; 256], ..Message::default() };
    let error = Pdu::SubmitSm(too_long).encode(CommandStatus::OK, 1, &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "short_message has 256 octets of at most 255");
    let character = EncodeError::Character("password");
    assert_eq!(NotSubmitted::from(character).to_string(), "password has a character that SMPP can't carry");
    let unanswered = SubmitError::Unanswered(Unanswered::TimedOut).to_string();
    assert_eq!(unanswered, "the submit was not answered (TimedOut): the SMSC may have the message");
    assert_eq!(End::NoAnswer(CommandId::ENQUIRE_LINK).to_string(), "no answer to enquire_link in time");
}

#[test]
fn kinds_of_binds_differ_in_what_they_allow() {
    let allowed = |kind: BindKind| (kind.command(), kind.can_submit(), kind.can_receive());
    assert_eq!(allowed(BindKind::Transmitter), (CommandId::BIND_TRANSMITTER, true, false));
    assert_eq!(allowed(BindKind::Receiver), (CommandId::BIND_RECEIVER, false, true));
    assert_eq!(allowed(BindKind::Transceiver), (CommandId::BIND_TRANSCEIVER, true, true));
}

#[test]
fn a_bind_shows_no_password() {
    let bind = Bind { system_id: "acme".into(), password: "hunter2".into(), ..Bind::default() };
    assert_eq!(format!("{bind:?}"), "Bind { system_id: \"acme\", .. }");
}

#[test]
fn tlvs_are_read_by_their_tags() {
    let tlvs = [(1, &b""[..]), (2, &[7]), (3, &[1, 2]), (4, &[9, 1, 2]), (5, b"m1\0x"), (5, b"m2")];
    let tlvs = Tlvs(tlvs.map(|(tag, value)| Tlv::new(tag, value)).into());
    let numbers = [1, 2, 3, 4, 6].map(|tag| tlvs.number(tag));
    assert_eq!(numbers, [None, Some(7), Some(0x102), Some(0x102), None]);
    assert_eq!(
        (tlvs.text(5).as_deref(), tlvs.text(1).as_deref(), tlvs.text(6)),
        (Some("m1"), Some(""), None)
    );
    assert_eq!((tlvs.get(5), tlvs.get(6)), (Some(&b"m1\0x"[..]), None));
}

#[test]
fn the_payload_is_the_short_message_unless_that_is_empty() {
    let payload = Tlvs(vec![Tlv::new(smpp::tlv::MESSAGE_PAYLOAD, *b"long")]);
    let mut message = Message { tlvs: payload, ..Message::default() };
    assert_eq!((message.payload(), message.is_blank()), (&b"long"[..], false));
    message.short_message = b"short".to_vec();
    assert_eq!(message.payload(), b"short");
    message.tlvs = Tlvs::default();
    assert!(!message.is_blank());
    assert!(Message { validity_period: "x".into(), ..Message::default() }.is_blank());
    for number in 0..2 {
        let mut message = Message::default();
        [&mut message.source, &mut message.destination][number].address = "1".into();
        assert!(!message.is_blank());
    }
}
