//! The stream of an SMSC: however it is split and whatever is wrong within a PDU, the rest of it counts.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

mod common;

use common::{Watched, accepted, message, octets, pdus, receipt, settings};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use smpp::{BindKind, BindResp, CommandId, CommandStatus, End, Event, Pdu, Session, Settings, Unanswered};
use std::time::{Duration, Instant};

/// A session that was granted its bind and wrote three submits, numbers 2 to 4.
fn bound(now: Instant) -> Session<u32> {
    let settings = Settings { unanswered_max: 1000, ..settings() };
    let mut session = Session::new(settings, now).unwrap();
    let granted = Pdu::BindResp(BindKind::Transceiver, BindResp::default());
    session.receive(&octets(&granted, CommandStatus::OK, 1), now);
    assert!(matches!(session.next_event(), Some(Event::Bound(_))));
    for token in 2..=4 {
        assert_eq!(session.submit(token, message(), Duration::from_secs(60), now), Ok(token));
    }
    session.wrote(usize::MAX, now);
    session
}

fn events(session: &mut Session<u32>) -> Vec<Event<u32>> {
    std::iter::from_fn(|| session.next_event()).collect()
}

/// Some PDU of an SMSC, sound or not.
fn pdu() -> impl Strategy<Value = Vec<u8>> {
    let any_body = (any::<u8>(), any::<bool>(), 0u32..3, 0u32..8, vec(any::<u8>(), 0..60));
    prop_oneof![
        (0u32..100).prop_map(receipt),
        (2u32..5).prop_map(accepted),
        (0u32..100).prop_map(|sequence| octets(&Pdu::EnquireLink, CommandStatus::OK, sequence)),
        any_body.prop_map(|(command, is_response, status, sequence, body)| {
            let command = CommandId(command.into());
            let command = if is_response { command.response() } else { command };
            octets(&Pdu::Other(command, body), CommandStatus(status), sequence)
        }),
    ]
}

/// A stream, which may become nonsense at its end.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    (vec(pdu(), 0..12), vec(any::<u8>(), 0..40)).prop_map(|(pdus, rest)| [pdus.concat(), rest].concat())
}

proptest! {
    #[test]
    fn a_stream_may_be_split_anywhere(stream in stream(), splits in vec(any::<Index>(), 0..20), each: bool) {
        let now = Instant::now();
        let mut whole = bound(now);
        whole.receive(&stream, now);
        let mut split = bound(now);
        let mut at: Vec<_> = splits.iter().map(|split| split.index(stream.len() + 1)).collect();
        if each {
            at = (0..stream.len()).collect();
        }
        at.push(stream.len());
        at.sort_unstable();
        let mut start = 0;
        for end in at {
            split.receive(&stream[start..end], now);
            start = end;
        }
        prop_assert_eq!(events(&mut whole), events(&mut split));
        prop_assert_eq!(whole.output(), split.output());
        // None of the SMSC's requests counts as an answer, and what is written is whole PDUs.
        pdus(whole.output());
    }

    /// Whatever is wrong behind a PDU's length and command costs that PDU: what stands before and behind it
    /// is told once.
    #[test]
    fn what_is_wrong_in_a_pdu_costs_that_pdu(
        which in 0usize..3,
        changes in vec((8usize..200, any::<u8>()), 1..30),
    ) {
        let now = Instant::now();
        let mut session = bound(now);
        let mut changed = [
            receipt(500),
            octets(&Pdu::EnquireLink, CommandStatus::OK, 500),
            accepted(500),
        ][which].clone();
        for (at, octet) in changes {
            if let Some(place) = changed.get_mut(at) {
                *place = octet;
            }
        }
        // It may say "not bound" of a submit, which means something.
        prop_assume!(which != 2 || changed[8..12] != [0, 0, 0, 4]);
        let stream = [receipt(600), changed, receipt(601), accepted(2), accepted(3), accepted(4)].concat();
        session.receive(&stream, now);
        let events = events(&mut session);
        let answers = events.iter().filter_map(|event| match event {
            Event::Answered { token, late: false, .. } => Some(*token),
            _ => None,
        });
        let mut answers: Vec<_> = answers.collect();
        answers.sort_unstable();
        prop_assert_eq!(answers, vec![2, 3, 4]);
        for sequence in [600, 601] {
            let times = events
                .iter()
                .filter(|event| {
                    matches!(event, Event::Received(it) if it.sequence == sequence && it.flaws.is_empty()
                        && it.message.short_message.starts_with(format!("id:m{sequence:06}").as_bytes()))
                })
                .count();
            prop_assert_eq!(times, 1);
        }
        prop_assert!(session.is_ready());
        prop_assert!(session.submit(9, message(), Duration::ZERO, now).is_ok());
    }

    #[test]
    fn a_length_that_no_pdu_has_ends_the_session(
        length in prop_oneof![0u32..16, 4097u32..=u32::MAX],
        before in vec((0u32..100).prop_map(receipt), 0..3),
        behind in vec(any::<u8>(), 12..40),
    ) {
        let now = Instant::now();
        let mut session = bound(now);
        let count = before.len();
        let stream = [before.concat(), length.to_be_bytes().to_vec(), behind.clone()].concat();
        session.receive(&stream, now);
        let told = events(&mut session);
        prop_assert_eq!(told.len(), count + 3 + 1);
        for (event, token) in told[count..count + 3].iter().zip(2..) {
            prop_assert_eq!(event, &Event::Unanswered { token, why: Unanswered::SessionEnded });
        }
        let ended = matches!(&told[count + 3..], [Event::Ended(End::BadLength(bad))] if bad.length == length);
        prop_assert!(ended);
        let written = pdus(session.output());
        let (header, pdu) = &written[0];
        prop_assert_eq!((pdu, header.status), (&Pdu::GenericNack, CommandStatus::INVALID_COMMAND_LENGTH));
        let sequence = u32::from_be_bytes(behind[8..12].try_into().unwrap());
        prop_assert_eq!(header.sequence, if length < 16 { 0 } else { sequence });
        prop_assert_eq!(written.len(), 1);
    }
}

#[test]
fn requests_beyond_the_limit_wait_and_are_not_lost() {
    let mut watched = Watched::bound(settings());
    let stream: Vec<u8> = (1..=50).flat_map(receipt).collect();
    watched.receive(&stream);
    assert_eq!(watched.received.len(), 8);
    assert!(!watched.session.wants_octets());
    for _ in 0..50 {
        watched.answer(0, CommandStatus::OK);
    }
    watched.write(usize::MAX);
    assert!(watched.owes_nothing() && watched.session.wants_octets());
    watched.conclude();
}

#[test]
fn an_smsc_that_reads_nothing_is_not_read_from() {
    let now = Instant::now();
    let mut session = bound(now);
    let enquiries: Vec<u8> =
        (0..100_000).flat_map(|sequence| octets(&Pdu::EnquireLink, CommandStatus::OK, sequence)).collect();
    session.receive(&enquiries, now);
    assert!(!session.wants_octets() && session.output().len() < (1 << 20) + 16);
    session.tick(now + settings().response_timeout);
    assert_eq!(events(&mut session).last(), Some(&Event::Ended(End::Stalled)));
}
