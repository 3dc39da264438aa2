//! A connection that ends where its client takes nothing for too long, or sends more than there is room for.

use super::connections::{Doing, Seat};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// A client's connection.
pub struct Watched {
    stream: TcpStream,
    seat: Arc<Seat>,
    /// How long a write may make no progress.
    patience: Duration,
    /// Since a write could not go on.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Watched {
    /// Watches a connection; a write without progress for so long is an error.
    pub fn new(stream: TcpStream, seat: Arc<Seat>, patience: Duration) -> Watched {
        Watched { stream, seat, patience, stalled: None }
    }

    /// Passes on what came of a write.
    fn progress<T>(&mut self, context: &mut Context<'_>, made: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if made.is_ready() {
            if self.stalled.take().is_some() {
                self.seat.end(Doing::Blocked);
            }
            return made;
        }
        let (patience, seat) = (self.patience, &self.seat);
        let stalled = self.stalled.get_or_insert_with(|| {
            seat.begin(Doing::Blocked);
            Box::pin(sleep(patience))
        });
        ready!(stalled.as_mut().poll(context));
        metrics::counter!("switchback_connections_closed_total", "reason" => "stalled").increment(1);
        // The system must not keep what it was given for this client either.
        let _ = self.stream.set_zero_linger();
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if !self.seat.takes(buffer.filled().len() - before) {
            metrics::counter!("switchback_connections_closed_total", "reason" => "room").increment(1);
            return Poll::Ready(Err(io::Error::new(
                ErrorKind::OutOfMemory,
                "all heads together are too large",
            )));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let made = Pin::new(&mut self.stream).poll_write(context, data);
        self.progress(context, made)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let made = Pin::new(&mut self.stream).poll_write_vectored(context, data);
        self.progress(context, made)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was written is with the system already: this says nothing of the client's progress.
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::super::connections::Connections;
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn connected(patience: Duration) -> (Watched, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, address) = listener.accept().await.unwrap();
        let seat = Connections::new(1).enter(address.ip());
        (Watched::new(stream, seat, patience), client)
    }

    #[tokio::test]
    async fn a_write_without_progress_ends_and_one_that_is_read_does_not() {
        let (mut watched, _client) = connected(Duration::from_millis(50)).await;
        let error = loop {
            if let Err(error) = watched.write_all(&[0; 65_536]).await {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);

        let (mut watched, mut client) = connected(Duration::from_secs(60)).await;
        let reading = tokio::spawn(async move {
            let mut taken = Vec::new();
            client.read_to_end(&mut taken).await.unwrap();
            taken.len()
        });
        for _ in 0..256 {
            watched.write_all(&[0; 65_536]).await.unwrap();
        }
        drop(watched);
        assert_eq!(reading.await.unwrap(), 256 * 65_536);
    }
}
