//! Binds to an SMSC, submits one message, and prints the receipts that come for a minute:
//! `cargo run -p smpp --example submit -- HOST:PORT SYSTEM_ID PASSWORD SENDER RECIPIENT TEXT`.

use smpp::{Address, Bind, BindKind, Client, CommandStatus, Incoming, Message, Settings, VERSION_3_4, dial};
use std::error::Error;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [smsc, system_id, password, sender, recipient, text] = &arguments[..] else {
        return Err("usage: submit HOST:PORT SYSTEM_ID PASSWORD SENDER RECIPIENT TEXT".into());
    };
    let (host, port) = smsc.rsplit_once(':').ok_or("the SMSC is HOST:PORT")?;
    let stream = dial(host, port.parse()?, None).await?;
    let bind = Bind {
        system_id: system_id.clone(),
        password: password.clone(),
        interface_version: VERSION_3_4,
        ..Bind::default()
    };
    let (client, mut incoming) = Client::start(stream, Settings::new(BindKind::Transceiver, bind))?;
    match incoming.recv().await {
        Some(Incoming::Bound(resp)) => println!("bound to {:?}", resp.system_id),
        Some(Incoming::Ended(end)) => return Err(end.into()),
        other => return Err(format!("{other:?} instead of a bind").into()),
    }

    let message = Message {
        source: Address { ton: 5, npi: 0, address: sender.clone() },
        destination: Address { ton: 1, npi: 1, address: recipient.clone() },
        registered_delivery: 1,
        short_message: text.clone().into_bytes(),
        ..Message::default()
    };
    println!("{:?}", client.submit((), message, Duration::from_secs(60)).await?);

    let closing = client.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        closing.close();
    });
    while let Some(told) = incoming.recv().await {
        match told {
            Incoming::Received(received) => {
                println!("{}", String::from_utf8_lossy(received.message.payload()));
                client.answer((received.command, received.sequence), CommandStatus::OK);
            }
            other => println!("{other:?}"),
        }
    }
    Ok(())
}
