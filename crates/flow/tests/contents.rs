//! What trackings, searches and the store ask of a step's content.

use flow::channel::sms::{ShortLink, Shortened};
use flow::sample::{flow, sms, step, viber, voice};
use flow::{Channel, Content};
use uuid::Uuid;

const TO: &str = "+306900000001";

#[test]
fn a_content_tells_its_sender_its_recipient_and_the_clients_mark() {
    let mut contents = [sms(TO, "hi"), viber(TO, false), voice(TO)];
    let told = |content: &Content| {
        let content = content.common();
        let label = content.label().map(str::to_owned);
        (content.sender().to_owned(), content.recipient().to_owned(), label)
    };
    let without = [("Acme", None), ("acme", None), ("+302100000000", None::<&str>)];
    for (content, (sender, label)) in contents.iter().zip(without) {
        assert_eq!(told(content), (sender.into(), TO.into(), label.map(str::to_owned)), "{content:?}");
    }
    for content in &mut contents {
        match content {
            Content::Sms(sms) => sms.label = Some("of an Sms".into()),
            Content::Viber(viber) => viber.label = Some("of a Viber message".into()),
            _ => {}
        }
    }
    let labels: Vec<_> = contents.iter().map(|content| told(content).2).collect();
    assert_eq!(labels, [Some("of an Sms".into()), Some("of a Viber message".into()), None]);
    assert_eq!(contents.map(|content| content.channel()), [Channel::Sms, Channel::Viber, Channel::Voice]);
}

#[test]
fn a_flow_tells_the_short_links_of_all_its_steps() {
    let with_link = |order: u32, code: &str| {
        let mut content = sms(TO, "see https://s.example/x");
        if let Content::Sms(sms) = &mut content {
            let link = ShortLink { code: code.into(), url: "https://a.example/".into() };
            sms.shortened = Some(Shortened { validity_s: 60, links: vec![link] });
        }
        step(order, content)
    };
    let steps = vec![with_link(1, "one"), step(2, viber(TO, false)), with_link(3, "three")];
    let flow = flow(steps, None, 1000, Uuid::nil());
    let codes: Vec<_> =
        flow.shortened().flat_map(|shortened| &shortened.links).map(|link| &*link.code).collect();
    assert_eq!(codes, ["one", "three"]);
}
