//! `switchback inbound`.

use crate::output::{self, say};
use crate::place::Place;
use crate::table::table;
use carriers::Encoding;
use serde::Serialize;
use store::{Admin, StoredInbound};
use wire::time::iso;

/// Arguments of `switchback inbound`.
#[derive(clap::Args)]
pub struct Inbound {
    /// From this number only.
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,
    /// Most that are listed.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    place: Place,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A message as it is listed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    received_ms: i64,
    carrier: String,
    from: String,
    to: String,
    text: String,
    /// Parts that are there.
    parts: usize,
    total_parts: u8,
    /// The encoding of the first part, and what its carrier called it.
    encoding: String,
    data_coding: u8,
}

impl Inbound {
    pub async fn run(self) -> anyhow::Result<()> {
        let Inbound { from, limit, place, json } = self;
        let messages = place.open_with_keys()?.inbound(limit, from.as_deref()).await?;
        let messages = messages.into_iter().map(Listed::of);
        if json {
            say!("{}", output::json(&messages.collect::<Vec<_>>())?);
            return Ok(());
        }
        let mut table = table(["received", "carrier", "from", "to", "text"]);
        for Listed { received_ms, carrier, from, to, mut text, parts, total_parts, .. } in messages {
            if parts < usize::from(total_parts) {
                text.push_str(&format!(" ({parts} of {total_parts} parts)"));
            }
            table.add_row([iso(received_ms), carrier, from, to, text]);
        }
        say!("{table}");
        Ok(())
    }
}

impl Listed {
    fn of(message: StoredInbound) -> Listed {
        let first = message.segments.first();
        let (encoding, data_coding) =
            first.map(|first| (first.encoding.clone(), first.data_coding)).unwrap_or_default();
        Listed {
            text: text(&message),
            parts: message.segments.len(),
            received_ms: message.received_ms,
            carrier: message.carrier,
            from: message.from,
            to: message.to,
            total_parts: message.total,
            encoding,
            data_coding,
        }
    }
}

/// The text of a message. Segments of one encoding are joined before they are read: a character may lie in
/// two of them.
fn text(message: &StoredInbound) -> String {
    let alike = message.segments.chunk_by(|one, other| one.encoding == other.encoding);
    alike
        .map(|run| {
            // What a later version wrote is shown as it is.
            let encoding = Encoding::parse(&run[0].encoding).unwrap_or(Encoding::Binary);
            let octets: Vec<&[u8]> = run.iter().map(|segment| &*segment.octets).collect();
            encoding.decode_segments(&octets)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::InboundOctets;

    #[test]
    fn a_message_of_several_encodings_is_read() {
        let segment = |octets: &[u8], encoding: &str| InboundOctets {
            octets: octets.to_vec(),
            encoding: encoding.into(),
            data_coding: 0,
        };
        let segments = vec![
            segment(b"a ", "gsm"),
            segment(&[0xd8, 0x3d], "ucs2"),
            segment(&[0xde, 0x00], "ucs2"),
            segment(&[0xff], "of tomorrow"),
        ];
        let (carrier, from, to) = Default::default();
        let message = StoredInbound { received_ms: 0, carrier, from, to, segments, total: 4 };
        assert_eq!(text(&message), "a 😀ff");
    }
}
