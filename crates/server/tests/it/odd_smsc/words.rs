//! Rule 7: receipts whose words, separators and alphabets are not the customary ones.

use super::pdu::{self, Deliver, octets};
use super::*;
use futures::{StreamExt, stream};

/// What a receipt may come to.
#[derive(Clone, Copy, PartialEq)]
enum Right {
    Delivered,
    /// Failed or Undelivered.
    Failure,
    /// Failed or Undelivered, or no status but counted.
    FailureOrCounted,
    /// Delivered, or no status but counted.
    DeliveredOrCounted,
    Counted,
}

impl Right {
    fn holds(self, status: &str, counted: bool) -> bool {
        let failure = ["Failed", "Undelivered"].contains(&status);
        match self {
            Right::Delivered => status == "Delivered",
            Right::Failure => failure,
            Right::FailureOrCounted => failure || status == "Sent" && counted,
            Right::DeliveredOrCounted => status == "Delivered" || status == "Sent" && counted,
            Right::Counted => status == "Sent" && counted,
        }
    }
}

/// Sends each row's receipt for a message of its own and looks what it came to.
async fn try_all(pair: &Pair, receipts: Vec<(String, Right, impl Fn(&str, &str) -> Vec<u8>)>) {
    let mut messages = Vec::new();
    for i in 0..receipts.len() {
        let to = format!("+3069200{i:05}");
        messages.push((pair.send(&to).await, to));
    }
    let mut rows = Rows::default();
    for ((row, right, receipt), (id, to)) in receipts.iter().zip(&messages) {
        assert!(pair.comes_to(id, "Sent").await, "{row}");
        let smsc_id = pair.smsc.first_submit_to(to).await["id"].as_str().unwrap().to_owned();
        let counted = pair.receipts().await;
        let answer = pair.ask_and_recover(&receipt(to, &smsc_id)).await;
        rows.check(row, answer.is_some_and(|answer| answer["status"] == 0), "not acknowledged");
        // It is acknowledged once it is stored; what it means is seen a little later.
        let came = so(Duration::from_millis(500), async || {
            right.holds(&pair.status(id).await, pair.receipts().await > counted)
        });
        if !came.await {
            let (status, counted) = (pair.status(id).await, pair.receipts().await - counted);
            rows.check(row, false, format!("{status}, counted {counted} times"));
        }
    }
    rows.check("all", pair.one_session(), "a session ended");
    rows.hold();
}

fn text(text: &'static str) -> impl Fn(&str, &str) -> Vec<u8> {
    move |to, id| Deliver::receipt(to, text.replace("{id}", id)).pdu()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_07_no_receipt_is_dropped_unseen() {
    if left_out() {
        return;
    }
    let listed = [
        (
            "stat:FAILED err:002",
            "0000004f00000005000000000000000100010133303639303030303030303000050041636d65000400000000000000001e69643a6d30303030303120737461743a4641494c4544206572723a303032",
            &["Failed", "Undelivered"][..],
        ),
        (
            "UCS-2",
            "0000006f00000005000000000000000100010133303639303030303030303000050041636d65000400000000000008003e00690064003a006d00300030003000300030003100200073007400610074003a00440045004c00490056005200440020006500720072003a003000300030",
            &["Delivered"],
        ),
    ];
    let tried = stream::iter(listed).map(async |(row, hex, right)| {
        let pair = Pair::start(&Setup::default()).await;
        let (id, _) = pair.accepted(TO).await;
        let answer = pair.ask(&octets(hex)).await;
        (row, answer, pair.comes_to_one_of(&id, right).await, pair.status(&id).await)
    });
    let mut rows = Rows::default();
    for (row, answer, came, status) in tried.buffered(2).collect::<Vec<_>>().await {
        rows.check(row, answer.is_some_and(|answer| answer["status"] == 0), "not acknowledged");
        rows.check(row, came, status);
    }
    rows.hold();
}

#[tokio::test]
async fn rule_07_words_separators_and_quotes() {
    use Right::*;
    if left_out() {
        return;
    }
    let rows = [
        // The listed ones.
        ("id:{id} stat:DELIVERD err:000", Delivered),
        ("id:{id} stat:UNDELIVRD err:001", Failure),
        ("id:{id} stat:REJECTED err:000", Failure),
        ("id:{id} stat:DELIVRD, err:000", Delivered),
        ("id:{id},sub:001,stat:DELIVRD,err:000", Delivered),
        ("id:{id} stat:DELIVRD\0", Delivered),
        ("id:{id} state:DELIVRD err:000", Delivered),
        ("id:{id} stat:BLOCKED err:000", FailureOrCounted),
        ("id:{id} stat:NOROUTE err:000", FailureOrCounted),
        ("sub:001 dlvrd:001 stat:DELIVRD err:000", Counted),
        // Others of their kind.
        ("id:{id} stat:DELIVERED err:000", Delivered),
        ("id:{id} stat:delivered err:000", Delivered),
        ("id:{id} stat:Delivrd. err:000", Delivered),
        ("id:{id} stat:UNDELIVERED err:000", Failure),
        ("id:{id} stat:UNDELIVERABLE err:000", Failure),
        ("id:{id} stat:UNDELIV; err:000", Failure),
        ("id:{id} stat:UNDELIVD err:000", Failure),
        ("id:{id} stat:FAIL err:000", Failure),
        ("id:{id} stat:Failed err:000", Failure),
        ("id:{id} stat:REJECT err:000", Failure),
        ("id:{id} stat:ABSENT err:027", FailureOrCounted),
        ("id:{id} stat:ERROR err:000", FailureOrCounted),
        ("id:{id} stat:NO_CREDIT err:000", FailureOrCounted),
        ("id:{id} stat:-1 err:000", FailureOrCounted),
        ("id:{id} stat: err:000", Counted),
        ("id:{id}", Counted),
        ("id:{id};stat:DELIVRD;err:000", Delivered),
        ("id:{id}|stat:DELIVRD|err:000", Delivered),
        ("id:{id}\tstat:DELIVRD\terr:000", Delivered),
        ("id:{id}\r\nstat:DELIVRD\r\nerr:000", Delivered),
        ("id:{id}\0stat:DELIVRD\0err:000\0", Delivered),
        ("id:{id}, stat:UNDELIV, err:001", Failure),
        ("id:\"{id}\" stat:\"DELIVRD\" err:\"000\"", Delivered),
        ("id:'{id}' stat:'UNDELIV' err:'000'", Failure),
        ("\"id:{id} stat:DELIVRD err:000\"", Delivered),
        ("id: {id} stat: DELIVRD err: 000", Delivered),
        ("ID:{id} STAT:DELIVRD ERR:000", Delivered),
        ("id={id} stat=DELIVRD err=000", DeliveredOrCounted),
        ("id:{id} status:DELIVRD err:000", DeliveredOrCounted),
        ("id:{id} sub:001 dlvrd:001 submit date:2603010915 done date:2603010916 stat:DELIVRD", Delivered),
        ("stat:DELIVRD err:000 id:{id}", Delivered),
        ("id:{id} stat:DELIVRD err:000 text:id:other stat:UNDELIV", Delivered),
        ("id:{id} stat:DELIVRDerr:000", DeliveredOrCounted),
        ("Message {id} was delivered", Counted),
        ("", Counted),
    ];
    let pair = Pair::start(&Setup { carrier: "window = 100", ..Setup::default() }).await;
    let rows = rows.map(|(pattern, right)| (format!("{pattern:?}"), right, text(pattern)));
    try_all(&pair, rows.into()).await;
}

#[tokio::test]
async fn rule_07_alphabets() {
    use Right::*;
    if left_out() {
        return;
    }
    type Receipt = Box<dyn Fn(&str, &str) -> Vec<u8>>;
    fn coded(data_coding: u8, encode: fn(&str) -> Vec<u8>) -> Receipt {
        Box::new(move |to, id| {
            let text = encode(&format!("id:{id} stat:DELIVRD err:000"));
            Deliver { data_coding, ..Deliver::receipt(to, text) }.pdu()
        })
    }
    fn in_payload(data_coding: u8, encode: fn(&str) -> Vec<u8>) -> Receipt {
        Box::new(move |to, id| {
            let text = encode(&format!("id:{id} stat:DELIVRD err:000"));
            Deliver { data_coding, ..Deliver::receipt(to, "") }.with(0x424, &text).pdu()
        })
    }
    fn plain(text: &str) -> Vec<u8> {
        text.into()
    }
    let mut rows: Vec<(String, Right, Receipt)> = vec![
        ("UCS-2".into(), Delivered, coded(8, pdu::ucs2)),
        ("UCS-2, class 0".into(), Delivered, coded(0x18, pdu::ucs2)),
        ("UCS-2 in message_payload".into(), Delivered, in_payload(8, pdu::ucs2)),
        ("message_payload".into(), Delivered, in_payload(0, plain)),
        ("ASCII that says UCS-2".into(), Delivered, coded(8, plain)),
        ("UCS-2 that says nothing".into(), DeliveredOrCounted, coded(0, pdu::ucs2)),
        ("packed".into(), DeliveredOrCounted, coded(0, pdu::packed)),
        ("packed, 0xf0".into(), DeliveredOrCounted, coded(0xf0, pdu::packed)),
        ("not a letter".into(), Counted, coded(0, |_| vec![0xff; 40])),
        (
            "half a UCS-2 letter".into(),
            DeliveredOrCounted,
            coded(8, |text| [pdu::ucs2(text), vec![0]].concat()),
        ),
    ];
    for data_coding in [1, 2, 3, 4, 6, 0x0e, 0x10, 0x7f, 0xf0, 0xf1, 0xf5] {
        rows.push((format!("ASCII, data_coding {data_coding:#04x}"), Delivered, coded(data_coding, plain)));
    }
    for (row, right, stat) in
        [("REJECTED in UCS-2", Failure, "REJECTED"), ("BLOCKED in UCS-2", FailureOrCounted, "BLOCKED")]
    {
        rows.push((
            row.into(),
            right,
            Box::new(move |to, id| {
                let text = pdu::ucs2(&format!("id:{id},stat:{stat},err:000"));
                Deliver { data_coding: 8, ..Deliver::receipt(to, text) }.pdu()
            }),
        ));
    }
    let pair = Pair::start(&Setup { carrier: "window = 100", ..Setup::default() }).await;
    try_all(&pair, rows).await;
}
