//! What handsets send.

use crate::support::*;
use store::*;

fn inbound(from: &str, octets: &[u8], segment: Option<(u16, u8, u8)>) -> InboundMessage {
    let segment = segment.map(|(reference, total, sequence)| InboundSegment { reference, total, sequence });
    let content = InboundOctets { octets: octets.to_vec(), encoding: "gsm".into(), data_coding: 0 };
    InboundMessage { carrier: "c".into(), from: from.into(), to: "Acme".into(), segment, content }
}

/// What is listed: octets of each segment that is there, and how many there should be.
async fn listed(admin: &impl Admin, from: Option<&str>) -> Vec<(Vec<String>, u8)> {
    let messages = admin.inbound(10, from).await.unwrap();
    let text = |octets: &InboundOctets| String::from_utf8(octets.octets.clone()).unwrap();
    messages.iter().map(|one| (one.segments.iter().map(text).collect(), one.total)).collect()
}

fn message(segments: &[&str], total: u8) -> (Vec<String>, u8) {
    (segments.iter().map(|segment| (*segment).to_owned()).collect(), total)
}

pub async fn what_handsets_send_is_joined_listed_and_pruned<B: Backend>(backend: &B) {
    let keys = Keyring::new([[7; 32]]);
    let store = open(backend, &keys).await.store;
    let admin = backend.admin(&keys);
    store.keep_inbound(inbound(FIRST, b"STOP", None), 1000).await.unwrap();
    // In any order, one of them twice, and another sender's among them.
    store.keep_inbound(inbound(FIRST, b"B", Some((7, 3, 2))), 2000).await.unwrap();
    store.keep_inbound(inbound(OTHER, b"o", Some((7, 3, 1))), 2001).await.unwrap();
    store.keep_inbound(inbound(FIRST, b"c", Some((7, 3, 3))), 2002).await.unwrap();
    store.keep_inbound(inbound(FIRST, b"b", Some((7, 3, 2))), 2003).await.unwrap();
    let incomplete = [message(&["b", "c"], 3), message(&["o"], 3), message(&["STOP"], 1)];
    assert_eq!(listed(&admin, None).await, incomplete);
    backend.close(&store).await;
    let store = open(backend, &keys).await.store;
    store.keep_inbound(inbound(FIRST, b"a", Some((7, 3, 1))), 2004).await.unwrap();
    assert_eq!(listed(&admin, None).await[0], message(&["a", "b", "c"], 3));
    // By number, however it is written.
    assert_eq!(
        listed(&admin, Some("00306900000001")).await,
        [message(&["a", "b", "c"], 3), message(&["STOP"], 1)]
    );
    assert_eq!(listed(&admin, Some("306900000003")).await, []);
    // After a day a number is another message's; what is there of the first one stays.
    store.keep_inbound(inbound(OTHER, b"x", Some((7, 3, 2))), 2002 + DAY_MS).await.unwrap();
    assert_eq!(listed(&admin, Some(OTHER)).await, [message(&["x"], 3), message(&["o"], 3)]);
    let cutoffs = Cutoffs { flows_before_ms: 2005, ..Cutoffs::NONE };
    store.prune(cutoffs, 10).await.unwrap();
    assert_eq!(listed(&admin, None).await, [message(&["x"], 3)]);
    store.prune(Cutoffs { flows_before_ms: 2 * DAY_MS, ..cutoffs }, 10).await.unwrap();
    assert_eq!(listed(&admin, None).await, []);
}

pub async fn a_segment_that_makes_no_sense_is_a_message<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    for (i, segment) in [(1, 0, 0), (1, 1, 1), (1, 2, 3), (1, 2, 0)].into_iter().enumerate() {
        store.keep_inbound(inbound(FIRST, b"x", Some(segment)), i as i64).await.unwrap();
    }
    let admin = backend.admin(&Keyring::default());
    assert_eq!(listed(&admin, None).await, vec![message(&["x"], 1); 4]);
}
