//! Stands between a server and its SMSC, and keeps what the server writes: the SMSC does not tell every
//! field.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub struct Tap {
    pub port: u16,
    /// What the server wrote, by connection.
    written: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Tap {
    pub async fn start(smsc: u16) -> Tap {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let written = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&written);
        tokio::spawn(async move {
            while let Ok((server, _)) = listener.accept().await {
                let Ok(smsc) = TcpStream::connect(("127.0.0.1", smsc)).await else { continue };
                let connection = {
                    let mut kept = kept.lock().unwrap();
                    kept.push(Vec::new());
                    kept.len() - 1
                };
                let (mut from_server, mut to_server) = server.into_split();
                let (mut from_smsc, mut to_smsc) = smsc.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from_smsc, &mut to_server).await });
                let kept = Arc::clone(&kept);
                tokio::spawn(async move {
                    let mut octets = [0; 4096];
                    while let Ok(read @ 1..) = from_server.read(&mut octets).await {
                        kept.lock().unwrap()[connection].extend(&octets[..read]);
                        if to_smsc.write_all(&octets[..read]).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Tap { port, written }
    }

    /// The whole PDUs of a command that the server wrote.
    pub fn pdus(&self, command: u32) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for written in &*self.written.lock().unwrap() {
            let mut rest = &written[..];
            while let Some((length, _)) = rest.split_first_chunk::<4>() {
                let length = u32::from_be_bytes(*length) as usize;
                let Some(pdu) = rest.get(..length).filter(|_| length >= 16) else { break };
                if pdu[4..8] == command.to_be_bytes() {
                    found.push(pdu.to_vec());
                }
                rest = &rest[length..];
            }
        }
        found
    }

    /// The `submit_sm`s: service_type, sender's TON and NPI, sender.
    pub fn submits(&self) -> Vec<(String, u8, u8, String)> {
        let read = |pdu: Vec<u8>| {
            let (service, rest) = c_string(&pdu[16..]);
            let (from, _) = c_string(&rest[2..]);
            (service, rest[0], rest[1], from)
        };
        self.pdus(4).into_iter().map(read).collect()
    }
}

/// The first C-octet string, and what is behind it.
pub fn c_string(octets: &[u8]) -> (String, &[u8]) {
    let end = octets.iter().position(|octet| *octet == 0).unwrap();
    (String::from_utf8_lossy(&octets[..end]).into_owned(), &octets[end + 1..])
}
