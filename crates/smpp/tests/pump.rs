//! Bursts through the pump: whatever is ready to be written is written, although the SMSC sends no further
//! octet.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

mod common;

use common::{accepted, message, octets, receipt};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use smpp::{
    Answer, Bind, BindKind, BindResp, Client, CommandId, CommandStatus, Frames, Incoming, Pdu, Settings,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

const BURSTS: u32 = 1000;
/// Far more than any burst takes, and less than what would be sent by itself, an `enquire_link`.
const LIMIT: Duration = Duration::from_secs(10);

fn settings() -> Settings {
    Settings { window: 100, ..Settings::new(BindKind::Transceiver, Bind::default()) }
}

/// The SMSC's end of a connection.
struct Smsc<IO> {
    io: IO,
    frames: Frames,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Smsc<IO> {
    fn new(io: IO) -> Smsc<IO> {
        Smsc { io, frames: Frames::new(1 << 16) }
    }

    /// The next PDU's command and number.
    async fn read(&mut self) -> (CommandId, u32) {
        let next = async {
            loop {
                if let Some(frame) = self.frames.next().unwrap() {
                    return (frame.header.command, frame.header.sequence);
                }
                let mut octets = [0; 4096];
                let read = self.io.read(&mut octets).await.unwrap();
                assert!(read > 0, "the connection ended");
                self.frames.push(&octets[..read]);
            }
        };
        tokio::time::timeout(LIMIT, next).await.expect("the pump writes what is ready")
    }

    async fn grant(&mut self) {
        assert_eq!(self.read().await, (CommandId::BIND_TRANSCEIVER, 1));
        let granted = Pdu::BindResp(BindKind::Transceiver, BindResp::default());
        self.io.write_all(&octets(&granted, CommandStatus::OK, 1)).await.unwrap();
    }

    /// Writes in pieces, which differ from burst to burst.
    async fn write(&mut self, octets: &[u8], burst: u32) {
        for piece in octets.chunks(1 + (burst as usize * 37) % octets.len()) {
            self.io.write_all(piece).await.unwrap();
            if burst.is_multiple_of(3) {
                tokio::task::yield_now().await;
            }
        }
        self.io.flush().await.unwrap();
    }
}

/// Bursts of receipts, and of submits that are answered only when all of a burst have come.
async fn bursts(
    ours: impl AsyncRead + AsyncWrite + Send + 'static,
    theirs: impl AsyncRead + AsyncWrite + Unpin,
) {
    let (client, mut incoming) = Client::start(ours, settings()).unwrap();
    let mut smsc = Smsc::new(theirs);
    smsc.grant().await;
    assert!(matches!(incoming.recv().await, Some(Incoming::Bound(_))));
    let acknowledging = client.clone();
    let application = tokio::spawn(async move {
        while let Some(told) = incoming.recv().await {
            match told {
                Incoming::Received(received) => {
                    acknowledging.answer((received.command, received.sequence), CommandStatus::OK);
                }
                other => panic!("{other:?}"),
            }
        }
    });
    for burst in 0..BURSTS {
        let count = 1 + (burst * 61) % 100;
        if burst % 2 == 0 {
            let sequences = burst * 100..burst * 100 + count;
            smsc.write(&sequences.clone().flat_map(receipt).collect::<Vec<_>>(), burst).await;
            for sequence in sequences {
                assert_eq!(smsc.read().await, (CommandId::DELIVER_SM.response(), sequence), "burst {burst}");
            }
            continue;
        }
        let submits: Vec<_> = (0..count)
            .map(|key| {
                let client = client.clone();
                tokio::spawn(async move { client.submit(key, message(), LIMIT).await })
            })
            .collect();
        let mut answers = Vec::new();
        for _ in 0..count {
            let (command, sequence) = smsc.read().await;
            assert_eq!(command, CommandId::SUBMIT_SM, "burst {burst}");
            answers.extend(accepted(sequence));
        }
        smsc.write(&answers, burst).await;
        for submit in submits {
            assert!(matches!(submit.await.unwrap(), Ok(Answer::Accepted { .. })));
        }
    }
    application.abort();
}

#[tokio::test]
async fn bursts_leave_nothing_behind_in_a_small_pipe() {
    let (ours, theirs) = duplex(64);
    bursts(ours, theirs).await;
}

#[tokio::test]
async fn bursts_leave_nothing_behind_in_a_large_pipe() {
    let (ours, theirs) = duplex(1 << 20);
    bursts(ours, theirs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bursts_leave_nothing_behind_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (ours, theirs) = tokio::join!(smpp::dial("127.0.0.1", port, None), listener.accept());
    let (theirs, _) = theirs.unwrap();
    theirs.set_nodelay(true).unwrap();
    bursts(ours.unwrap(), theirs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bursts_leave_nothing_behind_over_tls() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();

    let listener = TcpListener::bind("localhost:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepting = async {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        TlsAcceptor::from(Arc::new(server)).accept(stream).await.unwrap()
    };
    let (ours, theirs) = tokio::join!(smpp::dial("localhost", port, Some(Arc::new(client))), accepting);
    bursts(ours.unwrap(), theirs).await;
}
