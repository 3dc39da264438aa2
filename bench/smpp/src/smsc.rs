//! An SMSC that grants, accepts and sends as fast as it is acknowledged, and tells how long submits were on their way.

use smpp::{BindKind, BindResp, CommandId, CommandStatus, Frames, Header, Message, MessageResp, Pdu};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A text that says when it was submitted.
pub fn stamp() -> [u8; 8] {
    (START.elapsed().as_nanos() as u64).to_be_bytes()
}

/// One connection of the SMSC.
pub struct Smsc {
    writer: tokio::sync::Mutex<OwnedWriteHalf>,
    /// Microseconds from the call to our reading.
    pub latencies_us: Mutex<Vec<u64>>,
    acknowledged: AtomicUsize,
    changed: Notify,
    window: Semaphore,
}

/// Listens, and serves whoever comes first.
pub async fn listen() -> anyhow::Result<(u16, impl Future<Output = anyhow::Result<Arc<Smsc>>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    Ok((port, async move { Ok(Smsc::serve(listener.accept().await?.0)?) }))
}

impl Smsc {
    fn serve(stream: TcpStream) -> std::io::Result<Arc<Smsc>> {
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let smsc = Arc::new(Smsc {
            writer: writer.into(),
            latencies_us: Mutex::default(),
            acknowledged: AtomicUsize::new(0),
            changed: Notify::new(),
            window: Semaphore::new(0),
        });
        tokio::spawn(Arc::clone(&smsc).read(reader));
        Ok(smsc)
    }

    async fn read(self: Arc<Smsc>, mut reader: OwnedReadHalf) {
        let (mut frames, mut octets, mut out) =
            (Frames::new(1 << 16), Vec::with_capacity(1 << 16), Vec::new());
        while reader.read_buf(&mut octets).await.is_ok_and(|read| read > 0) {
            let now = START.elapsed().as_nanos() as u64;
            frames.push(&octets);
            octets.clear();
            let mut acknowledged = 0;
            while let Ok(Some(frame)) = frames.next() {
                let Header { command, sequence, .. } = frame.header;
                let answer = match Pdu::decode(frame).pdu {
                    Pdu::Bind(kind, _) => Pdu::BindResp(kind, BindResp::default()),
                    Pdu::SubmitSm(Message { short_message, .. }) => {
                        let sent = short_message.try_into().map_or(now, u64::from_be_bytes);
                        self.latencies_us.lock().expect("no panic").push(now.saturating_sub(sent) / 1000);
                        let message_id = format!("{sequence:08x}");
                        Pdu::SubmitSmResp(MessageResp { message_id, ..MessageResp::default() })
                    }
                    Pdu::EnquireLink => Pdu::EnquireLinkResp,
                    Pdu::Unbind => Pdu::UnbindResp,
                    _ => {
                        acknowledged += usize::from(command == CommandId::DELIVER_SM.response());
                        continue;
                    }
                };
                answer.encode(CommandStatus::OK, sequence, &mut out).expect("plain fields");
            }
            if acknowledged > 0 {
                self.acknowledged.fetch_add(acknowledged, Ordering::Relaxed);
                self.window.add_permits(acknowledged);
                self.changed.notify_one();
            }
            if !out.is_empty() && self.writer.lock().await.write_all(&out).await.is_err() {
                return;
            }
            out.clear();
        }
    }

    async fn write_receipts(&self, first: usize, count: usize) -> anyhow::Result<()> {
        let mut out = Vec::new();
        for sequence in first..first + count {
            let message = Message {
                source: smpp::Address { ton: 1, npi: 1, address: "306900000000".to_owned() },
                esm_class: 4,
                short_message: format!(
                    "id:{sequence:08x} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000"
                )
                .into_bytes(),
                ..Message::default()
            };
            Pdu::DeliverSm(message).encode(CommandStatus::OK, sequence as u32 + 1, &mut out)?;
        }
        Ok(self.writer.lock().await.write_all(&out).await?)
    }

    /// Sends receipts, so many of which may wait for their acknowledgement at once; answers how many were acknowledged.
    pub async fn send_receipts(
        &self,
        count: usize,
        window: usize,
        patience: Duration,
    ) -> anyhow::Result<usize> {
        self.window.add_permits(window);
        let mut sent = 0;
        while sent < count {
            let Ok(permit) = tokio::time::timeout(patience, self.window.acquire()).await else { break };
            permit?.forget();
            let more = self.window.available_permits().min(count - sent - 1);
            if more > 0 {
                self.window.acquire_many(more as u32).await?.forget();
            }
            self.write_receipts(sent, more + 1).await?;
            sent += more + 1;
        }
        self.acknowledged(sent, patience).await;
        Ok(self.acknowledged.load(Ordering::Relaxed))
    }

    /// Sends a burst behind `before` others: how long until all are acknowledged, if they are.
    pub async fn burst(
        &self,
        before: usize,
        count: usize,
        patience: Duration,
    ) -> anyhow::Result<Option<Duration>> {
        let began = Instant::now();
        self.write_receipts(before, count).await?;
        Ok(self.acknowledged(before + count, patience).await.then(|| began.elapsed()))
    }

    async fn acknowledged(&self, count: usize, patience: Duration) -> bool {
        let all = async {
            while self.acknowledged.load(Ordering::Relaxed) < count {
                self.changed.notified().await;
            }
        };
        tokio::time::timeout(patience, all).await.is_ok()
    }
}

/// What everybody binds as.
pub const KIND: BindKind = BindKind::Transceiver;
