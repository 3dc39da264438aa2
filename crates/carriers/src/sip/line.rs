//! What all calls of a carrier share.

use super::config::SipConfig;
use super::guard::Guard;
use super::pacing::Pacing;
use super::room::Room;
use super::speech::Speech;
use super::stack::Stack;
use super::trial::Waiting;
use super::trunk::Trunk;
use super::turns::Turns;
use super::wire::Hop;
use crate::fetch::Fetch;
use crate::sink::{CarrierSink, Report};
use flow::{CarrierRef, Receipt};
use rsipstack::platform::CancellationToken;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

/// What all calls of a carrier share.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) config: SipConfig,
    pub(super) sink: Arc<dyn CarrierSink>,
    pub(super) fetch: Arc<dyn Fetch>,
    pub(super) speech: Speech,
    pub(super) trunks: Vec<Trunk>,
    /// For calls through trunks.
    pub(super) stack: Stack,
    /// For calls to addresses that clients name.
    pub(super) direct: Stack,
    /// Decides where calls to such addresses may go.
    pub(super) guard: Guard,
    pub(super) cancel: CancellationToken,
    /// Ends the tasks that keep us registered.
    pub(super) registering: CancellationToken,
    /// Calls whose trunks have not answered yet.
    pub(super) waiting: Waiting,
    /// Limits the calls that are prepared at the same time.
    pub(super) turns: Turns,
    /// Seconds of sound that all calls may have.
    pub(super) sounds: Arc<Semaphore>,
    /// Limits the calls that are under way.
    pub(super) room: Arc<Room>,
    /// Sound has a thread of its own, so that nothing else delays its frames.
    pub(super) sound: tokio::runtime::Handle,
    /// Ends that thread when it is dropped.
    pub(super) _sound: oneshot::Sender<()>,
    pub(super) next_port: AtomicU16,
    pub(super) pacing: Arc<Pacing>,
}

impl Line {
    /// Sockets for the sound of a call, and for the reports about it (RTCP) if the next port is free.
    pub(super) fn media_sockets(&self) -> std::io::Result<(UdpSocket, Option<UdpSocket>)> {
        let ip = self.config.bind.ip();
        let beside =
            |socket: &UdpSocket| UdpSocket::bind((ip, socket.local_addr().ok()?.port().checked_add(1)?)).ok();
        let Some([first, last]) = self.config.media_ports else {
            let socket = UdpSocket::bind((ip, 0))?;
            let control = beside(&socket);
            return Ok((socket, control));
        };
        // Every second port first, so that the ones between are free for RTCP.
        let pairs = u32::from(last - first) / 2 + 1;
        let start = u32::from(self.next_port.fetch_add(1, Ordering::Relaxed));
        let mut error = std::io::Error::other("no port");
        for i in 0..pairs * 2 {
            let (round, at) = (i / pairs, (start + i) % pairs);
            let port = u32::from(first) + at * 2 + round;
            if port > u32::from(last) {
                continue;
            }
            match UdpSocket::bind((ip, port as u16)) {
                Ok(socket) => {
                    let control = (port < u32::from(last)).then(|| beside(&socket)).flatten();
                    return Ok((socket, control));
                }
                Err(taken) => error = taken,
            }
        }
        Err(error)
    }

    /// Reports what became of a call; tries until that is stored.
    pub(super) async fn report(&self, reference: &str, receipt: Receipt) {
        let reference = CarrierRef::new(&*self.name, reference);
        let report = Report { reference, recipient: None, receipt };
        while self.sink.report(report.clone()).await.is_err() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Where the other side's requests are to come: by the connection if there is one, else to our socket.
    pub(super) fn contact(&self, stack: &Stack, hop: &Hop, local: IpAddr) -> SocketAddr {
        let local = self.config.public_address.unwrap_or(local);
        hop.own_end().unwrap_or_else(|| SocketAddr::new(local, stack.port()))
    }
}
