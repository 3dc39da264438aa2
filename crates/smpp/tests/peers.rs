//! SMSCs that do their part badly or not at all: every wait of the client ends in time, and nothing piles up.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

mod common;

use common::{accepted, message, octets, receipt};
use smpp::{
    Answer, Bind, BindKind, BindResp, Client, CommandId, CommandStatus, End, Incoming, NotSubmitted, Pdu,
    Settings, SubmitError, Unanswered,
};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::Instant;

type Started = (Client<u32>, mpsc::Receiver<Incoming<u32>>, DuplexStream);

fn start(pipe: usize) -> Started {
    let (ours, theirs) = duplex(pipe);
    let settings = Settings::new(BindKind::Transceiver, Bind::default());
    let (client, incoming) = Client::start(ours, settings).unwrap();
    (client, incoming, theirs)
}

async fn bound(pipe: usize) -> Started {
    let (client, mut incoming, mut smsc) = start(pipe);
    let mut bind = [0; 16 + 7];
    smsc.read_exact(&mut bind).await.unwrap();
    let granted = Pdu::BindResp(BindKind::Transceiver, BindResp::default());
    smsc.write_all(&octets(&granted, CommandStatus::OK, 1)).await.unwrap();
    assert!(matches!(incoming.recv().await, Some(Incoming::Bound(_))));
    (client, incoming, smsc)
}

/// What the session ended with, and after how long at most.
async fn end(incoming: &mut mpsc::Receiver<Incoming<u32>>, within: Duration) -> End {
    let ended = async {
        loop {
            match incoming.recv().await {
                Some(Incoming::Ended(end)) => return end,
                Some(_) => {}
                None => panic!("no end was told"),
            }
        }
    };
    tokio::time::timeout(within, ended).await.expect("it ends in time")
}

/// Takes what comes and says nothing.
async fn swallow(mut smsc: DuplexStream) {
    let mut octets = [0; 1024];
    while smsc.read(&mut octets).await.is_ok_and(|read| read > 0) {}
}

#[tokio::test(start_paused = true)]
async fn a_bind_that_is_not_answered_ends() {
    let (client, mut incoming, smsc) = start(1 << 16);
    tokio::spawn(swallow(smsc));
    let submit = client.submit(1, message(), Duration::ZERO).await;
    assert_eq!(submit, Err(SubmitError::NotSubmitted(NotSubmitted::NotBound)));
    let ended = end(&mut incoming, Duration::from_secs(11)).await;
    assert_eq!(ended, End::NoAnswer(CommandId::BIND_TRANSCEIVER));
    assert!(client.submit(1, message(), Duration::ZERO).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_smsc_that_trickles_octets_is_asked_whether_it_lives() {
    let (_client, mut incoming, smsc) = bound(1 << 16).await;
    let (mut reading, mut writing) = tokio::io::split(smsc);
    tokio::spawn(async move { while reading.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {} });
    // A receipt of many octets, one a second.
    tokio::spawn(async move {
        let length = 100_000u32.to_be_bytes();
        for octet in length.into_iter().chain(std::iter::repeat(0)) {
            if writing.write_all(&[octet]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let ended = end(&mut incoming, Duration::from_secs(41)).await;
    assert_eq!(ended, End::NoAnswer(CommandId::ENQUIRE_LINK));
}

#[tokio::test(start_paused = true)]
async fn an_smsc_that_reads_nothing_is_left() {
    let (client, mut incoming, _smsc) = bound(32).await;
    let began = Instant::now();
    let submits = (0..20).map(|key| {
        let client = client.clone();
        tokio::spawn(async move { client.submit(key, message(), Duration::ZERO).await })
    });
    let submits: Vec<_> = submits.collect();
    let ended = end(&mut incoming, Duration::from_secs(11)).await;
    assert_eq!(ended, End::Stalled);
    for submit in submits {
        assert!(submit.await.unwrap().is_err());
    }
    assert!(began.elapsed() < Duration::from_secs(13));
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_an_ended_session_is_written_for_a_moment_only() {
    let (_client, mut incoming, mut smsc) = bound(1024).await;
    // Many answers that are ready, and then the end.
    for sequence in 0..10_000 {
        smsc.write_all(&octets(&Pdu::EnquireLink, CommandStatus::OK, sequence)).await.unwrap();
    }
    smsc.write_all(&[0; 16]).await.unwrap();
    assert!(matches!(end(&mut incoming, Duration::from_secs(1)).await, End::BadLength(_)));
    // One octet every half second would take a day.
    let began = Instant::now();
    while smsc.read(&mut [0]).await.is_ok_and(|read| read > 0) && began.elapsed() < Duration::from_secs(3600)
    {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // What stands in the pipe is all that comes.
    assert!(began.elapsed() < Duration::from_secs(600), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn whenever_the_smsc_closes_everybody_is_told() {
    // Before the bind was answered.
    let (_client, mut incoming, smsc) = start(1 << 16);
    drop(smsc);
    assert!(matches!(end(&mut incoming, Duration::from_secs(1)).await, End::Disconnected(_)));

    // While a submit waits for its answer, within which the connection ends or not.
    for cut in [0, 1, 16, 20] {
        let (client, mut incoming, mut smsc) = bound(1 << 16).await;
        let submit = tokio::spawn(async move { client.submit(1, message(), Duration::ZERO).await });
        assert!(smsc.read(&mut [0; 1024]).await.unwrap() > 0);
        smsc.write_all(&accepted(2)[..cut]).await.unwrap();
        drop(smsc);
        let unanswered = SubmitError::Unanswered(Unanswered::SessionEnded);
        assert_eq!(submit.await.unwrap(), Err(unanswered), "{cut}");
        assert!(matches!(end(&mut incoming, Duration::from_secs(1)).await, End::Disconnected(_)));
    }

    // While the handle waits for the end of its own closing.
    let (client, mut incoming, mut smsc) = bound(1 << 16).await;
    client.close();
    assert!(smsc.read(&mut [0; 1024]).await.unwrap() > 0);
    drop(smsc);
    assert_eq!(end(&mut incoming, Duration::from_secs(1)).await, End::Closed);
}

/// An answer that the SMSC wrote before it closed counts, also where our next octet finds it gone.
#[tokio::test(start_paused = true)]
async fn what_was_sent_before_the_connection_broke_counts() {
    for _ in 0..20 {
        let (client, mut incoming, mut smsc) = bound(1 << 16).await;
        let first = client.clone();
        let first = tokio::spawn(async move { first.submit(1, message(), Duration::ZERO).await });
        assert!(smsc.read(&mut [0; 1024]).await.unwrap() > 0);
        // Both are ready at once for the pump: something to read, and something that can't be written.
        smsc.write_all(&accepted(2)).await.unwrap();
        drop(smsc);
        let second = tokio::spawn(async move { client.submit(2, message(), Duration::ZERO).await });
        assert!(matches!(first.await.unwrap(), Ok(Answer::Accepted { .. })));
        assert!(second.await.unwrap().is_err());
        assert!(matches!(end(&mut incoming, Duration::from_secs(1)).await, End::Disconnected(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn junk_is_answered_and_takes_no_room() {
    let (client, mut incoming, smsc) = bound(1 << 12).await;
    let (mut reading, mut writing) = tokio::io::split(smsc);
    let count = 10_000;
    tokio::spawn(async move {
        for sequence in 0..count {
            let junk = Pdu::Other(CommandId(0x3177), b"abc".to_vec());
            writing.write_all(&octets(&junk, CommandStatus::OK, sequence)).await.unwrap();
        }
        std::future::pending::<()>().await;
    });
    let mut refusal = [0; 16];
    for sequence in 0..count {
        reading.read_exact(&mut refusal).await.unwrap();
        assert_eq!(refusal[4..8], CommandId::GENERIC_NACK.0.to_be_bytes());
        assert_eq!(refusal[12..], sequence.to_be_bytes());
    }
    // Nobody listened, and the end is told all the same, behind what there was room for.
    drop(client);
    let mut odd = 0;
    let mut ended = false;
    while let Some(told) = incoming.recv().await {
        match told {
            Incoming::Odd(_) => odd += 1,
            Incoming::Ended(_) => ended = true,
            other => panic!("{other:?}"),
        }
    }
    assert!(ended && odd > 0 && odd < 2000, "{odd}");
}

#[tokio::test(start_paused = true)]
async fn receipts_that_nobody_takes_wait_at_the_smsc() {
    let (client, mut incoming, smsc) = bound(1 << 12).await;
    let (mut reading, mut writing) = tokio::io::split(smsc);
    let sending = tokio::spawn(async move {
        for sequence in 0..2000 {
            writing.write_all(&receipt(sequence)).await.unwrap();
        }
        writing
    });
    tokio::time::sleep(Duration::from_secs(100)).await;
    // Silence of our own making is no silence of the SMSC.
    assert!(!sending.is_finished() && incoming.len() <= 256, "{}", incoming.len());
    let acknowledged = tokio::spawn(async move {
        let mut answer = [0; 17];
        for sequence in 0..2000u32 {
            reading.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer[12..16], sequence.to_be_bytes());
        }
    });
    for _ in 0..2000 {
        let Some(Incoming::Received(received)) = incoming.recv().await else { panic!() };
        client.answer((received.command, received.sequence), CommandStatus::OK);
    }
    acknowledged.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_last_answers_of_who_is_gone_are_written() {
    for _ in 0..20 {
        let (client, mut incoming, mut smsc) = bound(1 << 16).await;
        smsc.write_all(&(1..=20).flat_map(receipt).collect::<Vec<_>>()).await.unwrap();
        for _ in 0..20 {
            let Some(Incoming::Received(received)) = incoming.recv().await else { panic!() };
            client.answer((received.command, received.sequence), CommandStatus::OK);
        }
        drop(client);
        let mut answers = [0; 20 * 17 + 16];
        let read = tokio::time::timeout(Duration::from_secs(1), smsc.read_exact(&mut answers)).await;
        read.expect("at once, and the unbind behind them").unwrap();
        assert_eq!(answers[20 * 17 + 4..][..4], CommandId::UNBIND.0.to_be_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_learns_the_answer_all_the_same_or_sends_nothing() {
    let (client, mut incoming, mut smsc) = bound(1 << 16).await;
    // Sent, and then nobody waits.
    let submit = client.submit(7, message(), Duration::from_secs(60));
    assert!(tokio::time::timeout(Duration::from_secs(1), submit).await.is_err());
    assert!(smsc.read(&mut [0; 1024]).await.unwrap() > 0);
    smsc.write_all(&accepted(2)).await.unwrap();
    assert!(matches!(
        incoming.recv().await,
        Some(Incoming::Late { key: 7, answer: Answer::Accepted { .. } })
    ));

    // Not sent yet, since the window is full.
    let full: Vec<_> = (0..10)
        .map(|key| {
            let client = client.clone();
            tokio::spawn(async move { client.submit(key, message(), Duration::ZERO).await })
        })
        .collect();
    let mut sent = vec![0; 10 * octets(&Pdu::SubmitSm(message()), CommandStatus::OK, 0).len()];
    smsc.read_exact(&mut sent).await.unwrap();
    let submit = client.submit(8, message(), Duration::ZERO);
    assert!(tokio::time::timeout(Duration::from_secs(1), submit).await.is_err());
    smsc.write_all(&(3..13).flat_map(accepted).collect::<Vec<_>>()).await.unwrap();
    for submit in full {
        assert!(submit.await.unwrap().is_ok());
    }
    let nothing = tokio::time::timeout(Duration::from_secs(5), smsc.read(&mut [0; 1024])).await;
    assert!(nothing.is_err());
}
