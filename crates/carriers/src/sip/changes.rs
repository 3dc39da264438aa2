//! What the other side of a call asks for while it goes on: other sound (re-INVITE and UPDATE, RFC 3261, 14
//! and RFC 3311), and keys (INFO).

use super::keys;
use super::media::{Agreed, Order};
use super::reach::{HostNotFound, Reach};
use super::sdp::{Local, Remote, SdpError, read_answer};
use super::wire::sequence;
use crate::media_type;
use rsipstack::sip::{Header, Method, Request, StatusCode};

const SDP: &str = "application/sdp";

/// Why a session description leads to no sound.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum NoSound {
    /// It offers or accepts none that we can have.
    #[error(transparent)]
    Description(#[from] SdpError),
    /// It names a host that was not found.
    #[error(transparent)]
    Host(#[from] HostNotFound),
}

/// The answer to a request within a call.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<Header>,
    pub(super) body: Option<Vec<u8>>,
}

impl Reply {
    const fn new(status: StatusCode) -> Reply {
        Reply { status, headers: Vec::new(), body: None }
    }

    fn described(body: String) -> Reply {
        let headers = vec![Header::ContentType(SDP.into())];
        Reply { status: StatusCode::OK, headers, body: Some(body.into_bytes()) }
    }

    /// Says that we don't read such a body, and which we do (RFC 3261, 21.4.13).
    fn unread(accepted: &str) -> Reply {
        let headers = vec![Header::Accept(accepted.into())];
        Reply { headers, ..Reply::new(StatusCode::UnsupportedMediaType) }
    }
}

/// Answers a call's requests about its sound.
pub(super) struct Changes {
    local: Local,
    reach: Reach,
    /// The number (CSeq) of a re-INVITE without an offer: we made one, and its ACK has the answer.
    asked: Option<u32>,
}

impl Changes {
    pub(super) const fn new(local: Local, reach: Reach) -> Changes {
        Changes { local, reach, asked: None }
    }

    /// What was agreed on by what the other side wants.
    ///
    /// # Errors
    /// [`HostNotFound`].
    pub(super) async fn agreed(&self, remote: Remote) -> Result<Agreed, HostNotFound> {
        let target = self.reach.locate(&remote.host, remote.port).await?;
        Ok(Agreed { remote, target })
    }

    /// Answers what the other side asks: a re-INVITE, an UPDATE with a body, or an INFO; and returns what
    /// follows.
    pub(super) async fn answer(&mut self, request: &Request) -> (Reply, Option<Order>) {
        if request.method == Method::Info {
            return note(request);
        }
        if request.body.is_empty() {
            // The offer is ours (RFC 3261, 14.2).
            self.asked = number(request);
            return (Reply::described(self.local.offer()), None);
        }
        if content_type(request).is_some_and(|told| !media_type::is(told, SDP)) {
            return (Reply::unread(SDP), None);
        }
        match self.local.answer(&request.body) {
            Ok((answer, remote)) => match self.agreed(remote).await {
                Ok(agreed) => (Reply::described(answer), Some(Order::Agree(agreed))),
                Err(error) => refused(&error.into()),
            },
            Err(error) => refused(&error.into()),
        }
    }

    /// Takes an ACK; returns what was agreed on if it answers an offer of ours.
    ///
    /// # Errors
    /// [`NoSound`].
    pub(super) async fn confirmed(&mut self, ack: &Request) -> Result<Option<Agreed>, NoSound> {
        if self.asked.is_none() || number(ack) != self.asked {
            return Ok(None);
        }
        self.asked = None;
        Ok(Some(self.agreed(read_answer(&ack.body)?).await?))
    }
}

/// Answers an INFO, and returns the key in it.
fn note(request: &Request) -> (Reply, Option<Order>) {
    let told = content_type(request).unwrap_or_default();
    if keys::is_told(told) {
        let key = keys::read_info(told, &request.body);
        return (Reply::new(StatusCode::OK), key.map(Order::Key));
    }
    if request.body.is_empty() {
        return (Reply::new(StatusCode::OK), None);
    }
    (Reply::unread("application/dtmf-relay, application/dtmf"), None)
}

fn refused(why: &NoSound) -> (Reply, Option<Order>) {
    tracing::debug!(%why, "other sound was refused");
    (Reply::new(StatusCode::NotAcceptableHere), None)
}

fn number(request: &Request) -> Option<u32> {
    sequence(request).map(|(number, _)| number)
}

fn content_type(request: &Request) -> Option<&str> {
    request.headers.iter().find_map(|header| match header {
        Header::ContentType(told) => Some(told.value()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::reaches::Reaches;
    use super::*;
    use std::sync::Arc;

    fn changes() -> Changes {
        let fetch = Arc::new(Reaches(|address| address.to_string().starts_with("192.0.2.")));
        let reach = Reach { fetch, peer: "192.0.2.99".parse().unwrap(), own: "0.0.0.0".parse().unwrap() };
        let mut local = Local::new("192.0.2.1:4000".parse().unwrap(), 7);
        local.offer();
        Changes::new(local, reach)
    }

    fn request(method: &str, content_type: &str, body: &str) -> Request {
        let text = format!(
            "{method} sip:x@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n\
             From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: 1\r\nCSeq: 5 {method}\r\n{content_type}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Request::try_from(text.as_bytes()).unwrap()
    }

    fn offer(address: &str, rest: &str) -> String {
        format!("v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n{rest}")
    }

    fn target(order: Option<Order>) -> Option<String> {
        let Some(Order::Agree(agreed)) = order else { panic!("nothing was agreed on") };
        agreed.target.map(|target| target.to_string())
    }

    const TYPE: &str = "Content-Type: application/sdp\r\n";
    const AUDIO: &str = "m=audio 5000 RTP/AVP 0\r\n";

    #[tokio::test]
    async fn an_offer_is_answered_whichever_request_has_it() {
        for method in ["INVITE", "UPDATE"] {
            for content_type in [TYPE, "c: Application/SDP;x=y\r\n", ""] {
                let request = request(method, content_type, &offer("192.0.2.5", AUDIO));
                let (reply, order) = changes().answer(&request).await;
                assert_eq!(reply.status, StatusCode::OK);
                assert!(String::from_utf8(reply.body.unwrap()).unwrap().contains("RTP/AVP 0\r\n"));
                assert_eq!(target(order).as_deref(), Some("192.0.2.5:5000"));
            }
            // Nothing is sent to an address inside; what comes from elsewhere may be followed.
            let inside = request(method, TYPE, &offer("10.0.0.1", AUDIO));
            assert_eq!(target(changes().answer(&inside).await.1), None);
            let other = request(method, TYPE, &offer("192.0.2.5", "m=image 5000 udptl t38\r\n"));
            let (reply, order) = changes().answer(&other).await;
            assert!(reply.status == StatusCode::NotAcceptableHere && order.is_none() && reply.body.is_none());
            let nowhere = request(method, TYPE, &offer("nowhere.invalid", AUDIO));
            assert_eq!(changes().answer(&nowhere).await.0.status, StatusCode::NotAcceptableHere);
            let unknown = request(method, "Content-Type: text/plain\r\n", "hello");
            assert_eq!(changes().answer(&unknown).await.0.status, StatusCode::UnsupportedMediaType);
        }
    }

    #[tokio::test]
    async fn an_invite_without_an_offer_gets_one() {
        let mut changes = changes();
        let (reply, order) = changes.answer(&request("INVITE", "", "")).await;
        assert!(
            String::from_utf8(reply.body.unwrap()).unwrap().contains("RTP/AVP 8 0 101") && order.is_none()
        );
        let answer = request("ACK", TYPE, &offer("192.0.2.6", AUDIO));
        let agreed = changes.confirmed(&answer).await.unwrap().unwrap();
        assert_eq!(agreed.target, Some("192.0.2.6:5000".parse().unwrap()));
        // It is one answer to one offer.
        assert!(changes.confirmed(&answer).await.unwrap().is_none());
        changes.answer(&request("INVITE", "", "")).await;
        assert!(changes.confirmed(&request("ACK", "", "")).await.is_err());
    }

    #[test]
    fn a_key_is_told_by_info() {
        let note = |content_type: &str, body: &str| {
            let (reply, order) = note(&request("INFO", content_type, body));
            let key = order.map(|order| match order {
                Order::Key(key) => key,
                Order::Play(_) | Order::Agree(_) => panic!("no key"),
            });
            (reply.status, key)
        };
        let relay = "Content-Type: application/dtmf-relay\r\n";
        assert_eq!(note(relay, "Signal=7\r\nDuration=100\r\n"), (StatusCode::OK, Some('7')));
        assert_eq!(note(relay, "Signal=16\r\n"), (StatusCode::OK, None));
        assert_eq!(note("", ""), (StatusCode::OK, None));
        assert_eq!(note("Content-Type: text/xml\r\n", "<x/>"), (StatusCode::UnsupportedMediaType, None));
    }
}
