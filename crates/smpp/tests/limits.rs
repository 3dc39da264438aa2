//! Where the limits of a session and of the codec are, to the message and to the millisecond.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

mod common;

use common::{accepted, message, octets, pdus, receipt, what};
use smpp::{
    BadLength, Bind, BindKind, BindResp, CommandId, CommandStatus, End, Event, FlawKind, Frames, Message,
    MessageResp, NotSubmitted, OddKind, Pdu, Session, Settings, Unanswered,
};
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);

fn settings() -> Settings {
    Settings::new(BindKind::Transceiver, Bind::default())
}

/// A bound session, and when it was bound.
fn bound(settings: Settings) -> (Session<u32>, Instant) {
    let now = Instant::now();
    let mut session = Session::new(settings, now).unwrap();
    write(&mut session, now);
    let resp = Pdu::BindResp(BindKind::Transceiver, BindResp::default());
    session.receive(&octets(&resp, CommandStatus::OK, 1), now);
    assert!(matches!(events(&mut session)[..], [Event::Bound(_)]) && session.is_ready());
    (session, now)
}

/// Takes all that is to be written.
fn write(session: &mut Session<u32>, now: Instant) -> Vec<(CommandId, u32)> {
    let written = pdus(session.output()).iter().map(what).collect();
    session.wrote(session.output().len(), now);
    written
}

fn events(session: &mut Session<u32>) -> Vec<Event<u32>> {
    std::iter::from_fn(|| session.next_event()).collect()
}

fn submit(session: &mut Session<u32>, token: u32, now: Instant) -> u32 {
    let sequence = session.submit(token, message(), MINUTE, now).unwrap();
    assert_eq!(write(session, now), [(CommandId::SUBMIT_SM, sequence)]);
    sequence
}

/// Whether the session ends at a time and not before, and how.
fn ends_at(session: &mut Session<u32>, at: Instant) -> Vec<Event<u32>> {
    assert!(session.deadline().is_some_and(|deadline| deadline <= at));
    session.tick(at - MS);
    assert!(!session.is_ended());
    session.tick(at);
    assert!(session.is_ended() && session.deadline().is_none());
    events(session)
}

#[test]
fn the_defaults_are_those_that_are_documented() {
    let Settings { window, enquire_link, response_timeout, .. } = settings();
    assert_eq!((window, enquire_link.as_secs(), response_timeout.as_secs()), (10, 30, 10));
    let Settings { command_length_max, unanswered_max, late_max, .. } = settings();
    assert_eq!((command_length_max, unanswered_max, late_max), (131_072, 256, 100_000));
}

#[test]
fn the_window_has_room_for_what_is_not_answered() {
    let (mut session, now) = bound(Settings { window: 2, ..settings() });
    let first = submit(&mut session, 1, now);
    assert_eq!(session.room(), 1);
    submit(&mut session, 2, now);
    assert_eq!(session.room(), 0);
    assert_eq!(session.submit(3, message(), MINUTE, now), Err(NotSubmitted::WindowFull));
    session.receive(&accepted(first), now);
    assert_eq!(session.room(), 1);
    // One that is given up makes room as well, and its late answer makes no more.
    let timeout = now + session_timeout();
    session.tick(timeout);
    assert_eq!(session.room(), 2);
    session.receive(&accepted(3), timeout);
    assert_eq!(session.room(), 2);
}

fn session_timeout() -> Duration {
    settings().response_timeout
}

#[test]
fn an_idle_session_asks_and_ends_without_an_answer() {
    let (mut session, now) = bound(settings());
    let asks = now + settings().enquire_link;
    assert_eq!(session.deadline(), Some(asks));
    session.tick(asks - MS);
    assert_eq!(session.output(), b"");
    session.tick(asks);
    assert_eq!(write(&mut session, asks), [(CommandId::ENQUIRE_LINK, 2)]);
    // Anything that comes counts.
    let heard = asks + MS;
    session.receive(&octets(&Pdu::EnquireLinkResp, CommandStatus::OK, 2), heard);
    assert_eq!((session.deadline(), events(&mut session)), (Some(heard + settings().enquire_link), vec![]));
    session.tick(heard + settings().enquire_link);
    write(&mut session, heard + settings().enquire_link);
    let end = heard + settings().enquire_link + session_timeout();
    assert_eq!(ends_at(&mut session, end), [Event::Ended(End::NoAnswer(CommandId::ENQUIRE_LINK))]);
}

#[test]
fn a_bind_a_drain_and_an_unbind_have_their_times() {
    let now = Instant::now();
    let mut session = Session::new(settings(), now).unwrap();
    session.wrote(session.output().len(), now);
    let end = ends_at(&mut session, now + session_timeout());
    assert_eq!(end, [Event::Ended(End::NoAnswer(CommandId::BIND_TRANSCEIVER))]);

    let (mut session, now) = bound(settings());
    submit(&mut session, 1, now);
    let closed = now + MS;
    session.close(closed);
    assert!(!session.is_ready() && session.output().is_empty(), "an answer is waited for");
    assert_eq!(session.submit(2, message(), MINUTE, closed), Err(NotSubmitted::NotBound));
    session.tick(closed + session_timeout());
    let unbound = closed + session_timeout();
    assert_eq!(write(&mut session, unbound), [(CommandId::UNBIND, 3)]);
    let why = Unanswered::TimedOut;
    assert_eq!(events(&mut session), [Event::Unanswered { token: 1, why }]);
    let end = ends_at(&mut session, unbound + Duration::from_secs(3));
    assert_eq!(end, [Event::Ended(End::Closed)]);

    // A shorter time for answers is that of an unbind, too.
    let (mut session, now) = bound(Settings { response_timeout: Duration::from_secs(1), ..settings() });
    session.close(now);
    write(&mut session, now);
    assert_eq!(ends_at(&mut session, now + Duration::from_secs(1)), [Event::Ended(End::Closed)]);
}

#[test]
fn octets_that_do_not_leave_end_the_session() {
    let (mut session, now) = bound(settings());
    session.submit(1, message(), MINUTE, now).unwrap();
    // Any progress counts.
    let moved = now + Duration::from_secs(5);
    session.wrote(1, moved);
    let left = session.output().len();
    assert_eq!(left + 1, octets(&Pdu::SubmitSm(message()), CommandStatus::OK, 2).len());
    let end = ends_at(&mut session, moved + session_timeout());
    assert_eq!(end[1..], [Event::Ended(End::Stalled)]);
    // What was not written then is not written any more, or is, as far as the pump can.
    assert_eq!(session.output().len(), left);
}

#[test]
fn a_late_answer_is_told_until_it_does_not_matter() {
    for (late_max, known) in [(2, true), (1, false)] {
        let (mut session, now) = bound(Settings { late_max, ..settings() });
        let first = submit(&mut session, 1, now);
        submit(&mut session, 2, now);
        session.tick(now + session_timeout());
        events(&mut session);
        session.receive(&accepted(first), now + session_timeout());
        let is_late = matches!(events(&mut session)[..], [Event::Answered { token: 1, late: true, .. }]);
        assert_eq!(is_late, known, "{late_max}");
    }
    for (after, known) in [(MINUTE - MS, true), (MINUTE, false)] {
        let (mut session, now) = bound(settings());
        let sequence = submit(&mut session, 1, now);
        session.tick(now + session_timeout());
        events(&mut session);
        session.receive(&accepted(sequence), now + after);
        let told = events(&mut session);
        let is_late = matches!(told[..], [Event::Answered { late: true, .. }]);
        let is_odd = matches!(told[..], [Event::Odd(ref odd)] if matches!(odd.kind, OddKind::NotAsked(_)));
        assert_eq!((is_late, is_odd), (known, !known), "{after:?}");
    }
}

#[test]
fn a_submit_is_given_up_in_time_and_not_before() {
    let (mut session, now) = bound(settings());
    submit(&mut session, 1, now);
    submit(&mut session, 2, now + MS);
    let due = now + session_timeout();
    assert_eq!(session.deadline(), Some(due));
    session.tick(due - MS);
    assert_eq!(events(&mut session), []);
    session.tick(due);
    assert_eq!(events(&mut session), [Event::Unanswered { token: 1, why: Unanswered::TimedOut }]);
    assert_eq!(session.deadline(), Some(due + MS));
}

#[test]
fn no_more_requests_are_read_than_may_wait() {
    let (mut session, now) = bound(Settings { unanswered_max: 2, ..settings() });
    session.receive(&[receipt(1), receipt(2), receipt(3)].concat(), now);
    assert_eq!((events(&mut session).len(), session.wants_octets()), (2, false));
    // While nothing is read, silence is no sign.
    session.tick(now + MINUTE);
    assert!(!session.is_ended() && session.output().is_empty());
    session.answer(CommandId::DELIVER_SM, 1, CommandStatus::OK, now + MINUTE);
    assert_eq!((events(&mut session).len(), session.wants_octets()), (1, false));
    session.answer(CommandId::DELIVER_SM, 2, CommandStatus::OK, now + MINUTE);
    assert!(session.wants_octets());
    let answer = CommandId::DELIVER_SM.response();
    assert_eq!(write(&mut session, now + MINUTE), [(answer, 1), (answer, 2)]);
    assert_eq!(session.deadline(), Some(now + MINUTE + settings().enquire_link));
}

#[test]
fn nothing_is_read_while_a_mebibyte_waits_to_be_written() {
    let (mut session, now) = bound(Settings { window: usize::MAX, ..settings() });
    let large = Message { short_message: vec![0; 255], ..Message::default() };
    while session.output().len() < 1 << 20 {
        assert!(session.wants_octets());
        session.submit(1, large.clone(), MINUTE, now).unwrap();
    }
    assert!(!session.wants_octets());
    session.receive(&octets(&Pdu::EnquireLink, CommandStatus::OK, 9), now);
    let length = session.output().len();
    session.wrote(length - (1 << 20), now);
    assert!(!session.wants_octets());
    session.wrote(1, now);
    // Now the request is read, and answered behind the rest.
    assert_eq!(session.output().len(), (1 << 20) - 1 + 16);
    session.wrote(usize::MAX, now);
    assert_eq!(session.output(), b"");
}

#[test]
fn a_lost_connection_ends_a_session_as_it_was_to_end() {
    let lost = || "reset".to_owned();
    let (mut session, now) = bound(settings());
    submit(&mut session, 1, now);
    session.disconnected(lost());
    let why = Unanswered::SessionEnded;
    let ended = Event::Ended(End::Disconnected(lost()));
    assert_eq!(events(&mut session), [Event::Unanswered { token: 1, why }, ended]);
    session.disconnected(lost());
    session.close(now);
    session.answer(CommandId::DELIVER_SM, 1, CommandStatus::OK, now);
    assert!(session.is_ended() && session.output().is_empty() && events(&mut session).is_empty());

    let (mut session, now) = bound(settings());
    session.close(now);
    session.disconnected(lost());
    assert_eq!(events(&mut session), [Event::Ended(End::Closed)]);
    let (mut session, now) = bound(settings());
    session.receive(&receipt(7), now);
    session.receive(&octets(&Pdu::Unbind, CommandStatus::OK, 8), now);
    session.disconnected(lost());
    assert_eq!(events(&mut session)[1..], [Event::Ended(End::Unbound)]);
}

#[test]
fn an_unbind_is_answered_last() {
    let (mut session, now) = bound(settings());
    let sequence = submit(&mut session, 1, now);
    session.receive(&receipt(7), now);
    session.receive(&octets(&Pdu::Unbind, CommandStatus::OK, 8), now);
    assert_eq!(session.output(), b"");
    session.answer(CommandId::DELIVER_SM, 7, CommandStatus::OK, now);
    assert_eq!(write(&mut session, now), [(CommandId::DELIVER_SM.response(), 7)]);
    session.receive(&accepted(sequence), now);
    assert_eq!(write(&mut session, now), [(CommandId::UNBIND.response(), 8)]);
    assert!(session.is_ended());
    assert_eq!(events(&mut session).last(), Some(&Event::Ended(End::Unbound)));
}

#[test]
fn a_length_is_that_of_a_header_at_least_and_of_the_limit_at_most() {
    let framed = |length: u32, there: usize| {
        let mut frames = Frames::new(20);
        let mut pdu = octets(&Pdu::Other(CommandId(1), vec![0; 8]), CommandStatus::OK, 7);
        pdu[..4].copy_from_slice(&length.to_be_bytes());
        frames.push(&pdu[..there]);
        let taken = frames.next().map(|frame| frame.map(|frame| frame.body.len()));
        (taken, frames.pending())
    };
    let bad = |length, sequence| Err(BadLength { length, max: 20, sequence });
    assert_eq!(framed(16, 3), (Ok(None), 3));
    assert_eq!(framed(15, 4), (bad(15, None), 4));
    assert_eq!(framed(16, 15), (Ok(None), 15));
    assert_eq!(framed(16, 16), (Ok(Some(0)), 0));
    assert_eq!(framed(20, 24), (Ok(Some(4)), 4));
    assert_eq!(framed(20, 19), (Ok(None), 19));
    // One that is too long is answered by its number.
    assert_eq!(framed(21, 15), (Ok(None), 15));
    assert_eq!(framed(21, 16), (bad(21, Some(7)), 16));
    assert_eq!(bad(21, None).map(drop).unwrap_err().to_string(), "command_length 21 is not within 16 and 20");
}

#[test]
fn a_text_may_be_as_long_as_the_specification_says() {
    for (length, flawed) in [(64, false), (65, true)] {
        let resp = MessageResp { message_id: "x".repeat(length), ..MessageResp::default() };
        let written = octets(&Pdu::SubmitSmResp(resp.clone()), CommandStatus::OK, 1);
        let mut frames = Frames::new(1000);
        frames.push(&written);
        let decoded = Pdu::decode(frames.next().unwrap().unwrap());
        assert_eq!(decoded.pdu, Pdu::SubmitSmResp(resp));
        let kinds: Vec<FlawKind> = decoded.flaws.iter().map(|flaw| flaw.kind).collect();
        assert_eq!(kinds, if flawed { vec![FlawKind::TooLong] } else { vec![] });
    }
}
