//! What SMSCs were seen to send, octet by octet, and what a session makes of it.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

mod common;

use common::{accepted, hex, message, octets, pdus, receipt, what};
use smpp::tlv::{MESSAGE_STATE, RECEIPTED_MESSAGE_ID};
use smpp::{
    Answer, Bind, BindKind, CommandId, CommandStatus, End, Event, MessageResp, OddKind, Pdu, Received,
    Session, Settings, Unanswered,
};
use std::time::{Duration, Instant};

/// A session, its time, and what it wrote.
struct Played {
    session: Session<u32>,
    now: Instant,
}

impl Played {
    fn unbound() -> Played {
        let settings = Settings { window: 100, ..Settings::new(BindKind::Transceiver, Bind::default()) };
        let now = Instant::now();
        let mut played = Played { session: Session::new(settings, now).unwrap(), now };
        assert_eq!(what(&played.written()[0]), (CommandId::BIND_TRANSCEIVER, 1));
        played
    }

    fn bound() -> Played {
        let mut played = Played::unbound();
        played.take(&octets(&Pdu::BindResp(BindKind::Transceiver, Default::default()), CommandStatus::OK, 1));
        assert!(matches!(&played.events()[..], [Event::Bound(_)]));
        played
    }

    fn take(&mut self, octets: &[u8]) {
        self.session.receive(octets, self.now);
    }

    /// Submits a message called by its sequence number, which is answered with.
    fn submit(&mut self) -> u32 {
        let token = 1000 + self.session.room() as u32;
        let sequence = self.session.submit(token, message(), Duration::from_secs(60), self.now).unwrap();
        assert_eq!(what(&self.written()[0]), (CommandId::SUBMIT_SM, sequence));
        sequence
    }

    fn events(&mut self) -> Vec<Event<u32>> {
        std::iter::from_fn(|| self.session.next_event()).collect()
    }

    /// What happened to submits.
    fn answers(&mut self) -> Vec<Answer> {
        let answers = self.events().into_iter().filter_map(|event| match event {
            Event::Answered { answer, late: false, .. } => Some(answer),
            Event::Odd(_) => None,
            other => panic!("{other:?}"),
        });
        answers.collect()
    }

    fn received(&mut self) -> Received {
        let mut events = self.events();
        let Some(Event::Received(received)) = events.pop() else { panic!("{events:?}") };
        assert_eq!(events, []);
        received
    }

    fn written(&mut self) -> Vec<(smpp::Header, Pdu)> {
        let written = pdus(self.session.output());
        self.session.wrote(usize::MAX, self.now);
        written
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.session.tick(self.now);
    }

    /// It goes on as if nothing had been.
    fn is_sound(&mut self) {
        self.take(&octets(&Pdu::EnquireLink, CommandStatus::OK, 77));
        assert_eq!(what(&self.written()[0]), (CommandId::ENQUIRE_LINK.response(), 77));
        let sequence = self.submit();
        self.take(&accepted(sequence));
        assert!(matches!(&self.answers()[..], [Answer::Accepted { .. }]));
    }
}

/// The octets of a `deliver_sm` of the rules, its sequence number 1.
const PLAIN: &str = "0000005000000005000000000000000100010133303639303030303030303000050041636d650004000000\
 00000000001f69643a6d30303030303120737461743a44454c49565244206572723a303030";

#[test]
fn every_request_of_a_burst_is_answered_in_the_same_round() {
    let mut played = Played::bound();
    played.take(&(1..=100).flat_map(receipt).collect::<Vec<_>>());
    for event in played.events() {
        let Event::Received(received) = event else { panic!("{event:?}") };
        played.session.answer(received.command, received.sequence, CommandStatus::OK, played.now);
    }
    let written: Vec<_> = played.written().iter().map(what).collect();
    let right: Vec<_> = (1..=100).map(|sequence| (CommandId::DELIVER_SM.response(), sequence)).collect();
    assert_eq!(written, right);
}

#[test]
fn a_bad_deliver_sm_is_read_as_far_as_it_can_be() {
    let text = "id:m000001 stat:DELIVRD err:000";
    let cases = [
        ("plain", PLAIN, text, 0),
        (
            "a NUL behind short_message",
            "0000005100000005000000000000000100010133303639303030303030303000050041636d65000400000000000000\
             001f69643a6d30303030303120737461743a44454c49565244206572723a30303000",
            text,
            1,
        ),
        (
            "a TLV that claims more than there is",
            "0000005600000005000000000000000100010133303639303030303030303000050041636d65000400000000000000\
             001f69643a6d30303030303120737461743a44454c49565244206572723a3030301401000a6162",
            text,
            1,
        ),
        (
            "receipted_message_id without NUL",
            "0000004100000005000000000000000100010133303639303030303030303000050041636d65000400000000000000\
             0000001e00076d3030303030310427000102",
            "",
            0,
        ),
        (
            "network_error_code of 2 octets",
            "0000005600000005000000000000000100010133303639303030303030303000050041636d65000400000000000000\
             001f69643a6d30303030303120737461743a44454c49565244206572723a303030042300020001",
            text,
            0,
        ),
        (
            "source_addr of 25 digits",
            "0000005d00000005000000000000000100010133303639303030303030303031323334353637383930313233000500\
             41636d65000400000000000000001f69643a6d30303030303120737461743a44454c49565244206572723a303030",
            text,
            1,
        ),
        (
            "schedule_delivery_time of 1 character",
            "0000005100000005000000000000000100010133303639303030303030303000050041636d65000400003000000000\
             00001f69643a6d30303030303120737461743a44454c49565244206572723a303030",
            text,
            0,
        ),
    ];
    for (name, digits, text, flaws) in cases {
        let mut played = Played::bound();
        played.take(&framed(digits));
        let received = played.received();
        assert_eq!(received.flaws.len(), flaws, "{name}: {received:?}");
        assert_eq!(String::from_utf8_lossy(&received.message.short_message), text, "{name}");
        assert!(received.message.source.address.starts_with("30690000000"), "{name}: {received:?}");
        assert_eq!(received.message.destination.address, "Acme", "{name}");
        if text.is_empty() {
            let tlvs = &received.message.tlvs;
            assert_eq!(tlvs.text(RECEIPTED_MESSAGE_ID).as_deref(), Some("m000001"));
            assert_eq!(tlvs.number(MESSAGE_STATE), Some(2));
        }
        played.session.answer(received.command, received.sequence, CommandStatus::OK, played.now);
        let written = played.written();
        assert_eq!(
            (what(&written[0]), written[0].0.status),
            ((CommandId(0x8000_0005), 1), CommandStatus::OK)
        );
        played.is_sound();
    }
}

/// A PDU by its digits.
fn framed(digits: &str) -> Vec<u8> {
    let octets = hex(digits);
    assert_eq!(octets.len(), u32::from_be_bytes(octets[..4].try_into().unwrap()) as usize, "{digits}");
    octets
}

#[test]
fn a_deliver_sm_of_which_nothing_can_be_read_is_refused_alone() {
    for command in [CommandId::DELIVER_SM, CommandId::DATA_SM] {
        let mut played = Played::bound();
        played.take(&octets(&Pdu::Other(command, Vec::new()), CommandStatus::OK, 9));
        let written = played.written();
        assert_eq!(what(&written[0]), (command.response(), 9));
        assert_eq!(written[0].0.status, CommandStatus::INVALID_COMMAND_LENGTH);
        assert!(
            matches!(&played.events()[..], [Event::Odd(odd)] if matches!(odd.kind, OddKind::Rejected(_)))
        );
        played.is_sound();
    }
}

#[test]
fn an_answer_is_its_status_whatever_follows() {
    let long = "a".repeat(65);
    let cases = [
        ("id without NUL", "000000178000000400000000000000036d303030303031", Some("m000001")),
        (
            "id of 65 characters",
            "0000005280000004000000000000000361616161616161616161616161616161616161616161616161616161616161\
             6161616161616161616161616161616161616161616161616161616161616161616100",
            Some(&*long),
        ),
        (
            "a TLV without NUL",
            "000000238000000400000000000000036d30303030303100001e00076d303030303031",
            Some("m000001"),
        ),
        ("an error and a TLV", "000000158000000400000045000000030425000102", None),
        ("the header alone", "00000010800000040000000000000003", Some("")),
        ("an empty id", "0000001180000004000000000000000300", Some("")),
    ];
    for (name, digits, id) in cases {
        let mut played = Played::bound();
        played.submit();
        assert_eq!(played.submit(), 3);
        played.take(&framed(digits));
        let right = match id {
            Some(id) => {
                matches!(&played.answers()[..], [Answer::Accepted { message_id, .. }] if message_id == id)
            }
            None => played.answers() == [Answer::Refused(CommandStatus::SUBMIT_FAILED)],
        };
        assert!(right, "{name}");
        played.is_sound();
    }
}

#[test]
fn another_answer_with_status_0_is_no_refusal() {
    let others = [Pdu::EnquireLinkResp, Pdu::GenericNack, Pdu::Other(CommandId(0x8000_0021), vec![0])];
    for other in others {
        let mut played = Played::bound();
        let sequence = played.submit();
        played.take(&octets(&other, CommandStatus::OK, sequence));
        assert_eq!(played.answers(), [Answer::Unclear(other.command())]);
        played.is_sound();
    }
}

#[test]
fn a_pdu_ends_where_its_length_says() {
    for (command, answered) in
        [(0x8000_0015, false), (0x15, true), (0x8000_0000, false), (0x8000_0006, false)]
    {
        let mut played = Played::bound();
        let mut written = octets(&Pdu::Other(CommandId(command), vec![0, 1, 2]), CommandStatus::OK, 40);
        written.extend(receipt(41));
        played.take(&written);
        let events = played.events();
        assert!(
            matches!(events.last(), Some(Event::Received(received)) if received.sequence == 41),
            "{events:?}"
        );
        assert_eq!(played.written().len(), usize::from(answered));
        played.is_sound();
    }
}

#[test]
fn answers_behind_an_unbind_count() {
    for split in [false, true] {
        let mut played = Played::bound();
        let submits: Vec<_> = (0..10).map(|_| played.submit()).collect();
        played.take(&hex("00000010000000060000000000002328"));
        assert!(!played.session.is_ready());
        assert_eq!(played.written(), []);
        if split {
            played.pass(Duration::from_secs(1));
        }
        played.take(&submits.iter().flat_map(|&sequence| accepted(sequence)).collect::<Vec<_>>());
        let mut events = played.events();
        assert_eq!(events.pop(), Some(Event::Ended(End::Unbound)));
        assert_eq!(events.len(), 10);
        assert!(events.iter().all(|event| matches!(
            event,
            Event::Answered { answer: Answer::Accepted { .. }, late: false, .. }
        )));
        assert_eq!(played.written().iter().map(what).collect::<Vec<_>>(), [(CommandId(0x8000_0006), 0x2328)]);
    }
}

#[test]
fn each_of_several_unbinds_is_answered() {
    let mut played = Played::bound();
    let sequence = played.submit();
    played.take(&[50, 51, 50].map(|sequence| octets(&Pdu::Unbind, CommandStatus::OK, sequence)).concat());
    played.take(&accepted(sequence));
    let answered: Vec<_> = played.written().iter().map(|pdu| what(pdu).1).collect();
    assert_eq!(answered, [50, 51, 50]);
}

#[test]
fn after_an_unbind_answers_are_waited_for_no_longer_than_ever() {
    let mut played = Played::bound();
    played.submit();
    played.take(&octets(&Pdu::Unbind, CommandStatus::OK, 50));
    played.pass(Duration::from_secs(10));
    let events = played.events();
    assert!(
        matches!(
            &events[..],
            [Event::Unanswered { why: Unanswered::TimedOut, .. }, Event::Ended(End::Unbound)]
        ),
        "{events:?}"
    );
}

#[test]
fn a_receipt_in_data_sm_is_received() {
    let mut played = Played::bound();
    played.take(&framed(
        "0000003b00000103000000000000000100010133303639303030303030303000050041636d65000400\
     00001e00086d303030303031000427000102",
    ));
    let received = played.received();
    assert_eq!((received.command, &received.flaws[..]), (CommandId::DATA_SM, &[][..]));
    assert_eq!(received.message.tlvs.text(RECEIPTED_MESSAGE_ID).as_deref(), Some("m000001"));
    played.session.answer(received.command, received.sequence, CommandStatus::OK, played.now);
    assert_eq!(what(&played.written()[0]), (CommandId::DATA_SM.response(), 1));
}

#[test]
fn a_request_that_makes_no_sense_is_answered() {
    let mut requests = vec![hex("00000013000031770000000000000001616263")];
    let known = [0x01, 0x02, 0x03, 0x04, 0x07, 0x08, 0x09, 0x21];
    requests.extend(
        known.map(|command| octets(&Pdu::Other(CommandId(command), vec![0; 3]), CommandStatus::OK, 1)),
    );
    for request in requests {
        let mut played = Played::bound();
        played.take(&request);
        let written = played.written();
        assert_eq!(what(&written[0]), (CommandId::GENERIC_NACK, 1));
        assert_eq!(written[0].0.status, CommandStatus::INVALID_COMMAND_ID);
        played.is_sound();
    }
}

#[test]
fn not_bound_ends_the_session_and_not_what_is_under_way() {
    let mut played = Played::bound();
    let (first, second) = (played.submit(), played.submit());
    let refusal = Pdu::SubmitSmResp(MessageResp::default());
    played.take(&octets(&refusal, CommandStatus::INVALID_BIND_STATUS, first));
    assert!(!played.session.is_ready() && played.written().is_empty());
    played.take(&accepted(second));
    let written = played.written();
    assert_eq!(written[0].0.command, CommandId::UNBIND);
    played.take(&octets(&Pdu::UnbindResp, CommandStatus::OK, written[0].0.sequence));
    assert_eq!(played.events().last(), Some(&Event::Ended(End::NotBound)));
}

#[test]
fn a_bind_that_is_granted_is_a_bind() {
    let cases = [
        ("system_id without NUL", "00000014800000090000000000000001534d5343", "SMSC"),
        ("no body", "00000010800000090000000000000001", ""),
        (
            "sc_interface_version of 2 octets",
            "0000001b800000090000000000000001534d534300021000020034",
            "SMSC",
        ),
    ];
    for (name, digits, system_id) in cases {
        let mut played = Played::unbound();
        played.take(&framed(digits));
        let events = played.events();
        let bound =
            events.iter().any(|event| matches!(event, Event::Bound(resp) if resp.system_id == system_id));
        assert!(bound && played.session.is_ready(), "{name}: {events:?}");
        played.is_sound();
    }
}

#[test]
fn the_end_is_the_last_that_is_told() {
    // An unbind with a superfluous body, and an answer to ours with one.
    let mut played = Played::bound();
    played.take(&octets(&Pdu::Other(CommandId::UNBIND, vec![0]), CommandStatus::OK, 5));
    assert!(matches!(&played.events()[..], [Event::Odd(_), Event::Ended(End::Unbound)]));

    let mut played = Played::bound();
    played.session.close(played.now);
    let sequence = played.written()[0].0.sequence;
    let answer = Pdu::Other(CommandId::UNBIND.response(), vec![0]);
    played.take(&octets(&answer, CommandStatus::OK, sequence));
    assert!(matches!(&played.events()[..], [Event::Odd(_), Event::Ended(End::Closed)]));
}

#[test]
fn a_late_answer_is_told_while_it_matters() {
    for (wait, told) in [(59, true), (60, false)] {
        let mut played = Played::bound();
        let sequence = played.submit();
        played.pass(Duration::from_secs(10));
        assert!(matches!(&played.events()[..], [Event::Unanswered { why: Unanswered::TimedOut, .. }]));
        // Nobody has called since.
        played.now += Duration::from_secs(wait - 10);
        played.take(&accepted(sequence));
        let events = played.events();
        assert_eq!(matches!(&events[..], [Event::Answered { late: true, .. }]), told, "{events:?}");
    }
}
