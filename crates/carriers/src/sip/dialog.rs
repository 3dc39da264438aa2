//! A call as SIP sees it (RFC 3261, 12 and 13): an INVITE of ours until its end, with what the other side
//! asks within it. All requests of a call through a trunk go where its INVITE went.

use super::digest::Account;
use super::wire::{Hop, Target, Wire, WireError, is_challenged, request, sequence, tag};
use parking_lot::Mutex;
use rsipstack::platform::CancellationToken;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::typed::Route;
use rsipstack::sip::{Header, Method, Request, Response, SipMessage, StatusCode, StatusCodeKind, Uri};
use rsipstack::transaction::TransactionState;
use rsipstack::transaction::transaction::{Transaction, TransactionEvent};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// How long anything of a request may still be on its way: 64 * T1 (RFC 3261, 17.1.1.2).
const LINGER: Duration = Duration::from_secs(32);
/// How long the other side may take to confirm an end.
const LEAVE_MAX: Duration = Duration::from_secs(5);
/// How long the call may take to answer a request of the other side.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// What we do within a call (RFC 3261, 20.5).
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE";
/// What bodies say.
const DESCRIPTION: &str = "application/sdp";

/// An INVITE that is to be sent.
pub(super) struct Invitation {
    pub(super) uri: Uri,
    /// The value of From, without a tag.
    pub(super) from: String,
    /// The value of Contact.
    pub(super) contact: String,
    pub(super) call_id: String,
    pub(super) account: Option<Account>,
    /// Our address in Via.
    pub(super) own: SocketAddr,
    pub(super) hop: Hop,
    /// The trunk that all requests go to; without one, they go by Contact and Record-Route
    /// (RFC 3261, 12.2.1.1).
    pub(super) trunk: Option<Target>,
}

/// What happens to a call.
pub(super) enum Event {
    /// A provisional answer.
    Progress(Response),
    /// The final answer; one that takes the call has been acknowledged.
    Final(Response),
    /// There is no final answer.
    Lost(Lost),
    /// The other side asks something that the call answers.
    Asked(Asked),
    /// Its ACK of how the call answered a re-INVITE, which may answer an offer of ours.
    Confirmed(Request),
    /// The other side hung up.
    HungUp,
}

/// Why a call has no final answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    /// The task that follows it is gone.
    #[error("the call was lost")]
    Gone,
    /// We gave it up before.
    #[error("it was given up")]
    GivenUp,
    /// The other side did not answer.
    #[error("no answer")]
    NoAnswer,
    /// The INVITE can't be sent.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// A request within the call: an offer, or INFO. Who drops it has it answered with 480.
pub(super) struct Asked {
    pub(super) request: Request,
    answer: oneshot::Sender<Reply>,
}

impl Asked {
    /// Answers.
    pub(super) fn respond(self, status: StatusCode, headers: Vec<Header>, body: Option<Vec<u8>>) {
        let _ = self.answer.send(Reply { status, headers, body });
    }
}

struct Reply {
    status: StatusCode,
    headers: Vec<Header>,
    body: Option<Vec<u8>>,
}

impl Reply {
    fn plain(status: StatusCode) -> Reply {
        Reply { status, headers: vec![], body: None }
    }
}

/// A call of ours; it ends with its value.
pub(super) struct Attempt {
    dialog: Arc<Dialog>,
    events: mpsc::UnboundedReceiver<Event>,
}

impl Attempt {
    /// What happens next.
    pub(super) async fn next(&mut self) -> Event {
        self.events.recv().await.unwrap_or_else(|| Event::Lost(Lost::Gone))
    }

    /// Returns whether the other side has said anything.
    pub(super) fn is_heard(&self) -> bool {
        self.dialog.state.lock().heard
    }

    /// What happens next, for who waits for several.
    pub(super) fn poll_next(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<Event> {
        let lost = || Event::Lost(Lost::Gone);
        self.events.poll_recv(context).map(|event| event.unwrap_or_else(lost))
    }

    /// Ends it: by CANCEL as soon as that may be sent (RFC 3261, 9.1), or by BYE. Waits until the other side
    /// knows, but not for ever.
    pub(super) async fn leave(&self) {
        self.dialog.leave().await;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.dialog.ended.is_cancelled() {
            return;
        }
        let dialog = Arc::clone(&self.dialog);
        // Without a runtime the process ends, and its calls with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { dialog.leave().await });
        }
    }
}

/// Calls of a socket, by their Call-ID.
#[derive(Default)]
pub(super) struct Calls {
    dialogs: Mutex<HashMap<String, Arc<Dialog>>>,
}

impl Calls {
    /// Begins a call with an offer.
    pub(super) fn begin(
        self: &Arc<Self>,
        wire: &Arc<Wire>,
        invitation: Invitation,
        offer: String,
    ) -> Attempt {
        let (sender, events) = mpsc::unbounded_channel();
        let dialog = Arc::new(Dialog::new(Arc::clone(wire), Arc::clone(self), &invitation, sender));
        self.dialogs.lock().insert(invitation.call_id, Arc::clone(&dialog));
        tokio::spawn(Arc::clone(&dialog).run(offer));
        Attempt { dialog, events }
    }

    /// Answers a request within a call of ours.
    ///
    /// # Errors
    /// With the request, if it is within no call of ours.
    pub(super) fn answer(&self, transaction: Transaction) -> Result<(), Box<Transaction>> {
        let own = transaction.original.to_header().ok().and_then(|to| tag(to.value())).map(str::to_owned);
        let dialog = self.of(&transaction.original).filter(|dialog| own.as_ref() == Some(&dialog.tag));
        let Some(dialog) = dialog else { return Err(Box::new(transaction)) };
        tokio::spawn(async move { dialog.answer(transaction).await });
        Ok(())
    }

    /// Looks at an answer before its transaction does: once a call was taken, its INVITE's has ended, and
    /// who does not get our ACK says again that it was taken (RFC 3261, 13.2.2.4).
    pub(super) fn overhear(&self, response: &Response) {
        let is_taken = response.status_code.kind() == StatusCodeKind::Successful
            && sequence(response).is_some_and(|(_, method)| method == Method::Invite);
        if !is_taken {
            return;
        }
        if let Some(dialog) = self.of(response).filter(|dialog| dialog.was_taken()) {
            let response = response.clone();
            tokio::spawn(async move { dialog.acknowledge(&response).await });
        }
    }

    fn of(&self, message: &impl HeadersExt) -> Option<Arc<Dialog>> {
        let call_id = message.call_id_header().ok()?;
        self.dialogs.lock().get(call_id.value()).cloned()
    }

    fn forget(&self, call_id: &str) {
        self.dialogs.lock().remove(call_id);
    }
}

/// How far a call is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Nothing was heard of the INVITE.
    Calling,
    /// A provisional answer came.
    Proceeding,
    /// It was taken.
    Confirmed,
    Ended,
}

/// The other side, as an answer shows it.
#[derive(Clone)]
struct Peer {
    /// The value of To.
    to: String,
    /// Its Contact; the URI that was called where it has none.
    target: Uri,
    /// The values of Route.
    routes: Vec<String>,
}

struct State {
    phase: Phase,
    /// The number of our last request.
    sequence: u32,
    /// The INVITE as it was sent last.
    invite: Option<Request>,
    /// Wakes who waits for its answers.
    wake: Option<Box<dyn Fn() + Send>>,
    peer: Option<Peer>,
    /// Who took the call: tags, and our ACKs. More than one where a proxy asked several.
    taken: Vec<(String, Request)>,
    /// Whether the other side has said anything.
    heard: bool,
    /// The number of the other side's last request.
    their_sequence: u32,
    account: Option<Account>,
    /// Since when it is of no use any more.
    left: Option<Instant>,
    cancelled: bool,
}

struct Dialog {
    wire: Arc<Wire>,
    calls: Arc<Calls>,
    uri: Uri,
    from: String,
    tag: String,
    contact: String,
    call_id: String,
    own: SocketAddr,
    hop: Hop,
    trunk: Option<Target>,
    state: Mutex<State>,
    events: mpsc::UnboundedSender<Event>,
    ended: CancellationToken,
}

impl Dialog {
    fn new(
        wire: Arc<Wire>,
        calls: Arc<Calls>,
        invitation: &Invitation,
        events: mpsc::UnboundedSender<Event>,
    ) -> Dialog {
        let tag = format!("{:016x}", fastrand::u64(..));
        let mut account = invitation.account.clone();
        account.iter_mut().for_each(Account::begin);
        let state = State {
            phase: Phase::Calling,
            sequence: 0,
            invite: None,
            wake: None,
            peer: None,
            taken: Vec::new(),
            heard: false,
            their_sequence: 0,
            account,
            left: None,
            cancelled: false,
        };
        Dialog {
            wire,
            calls,
            uri: invitation.uri.clone(),
            from: format!("{};tag={tag}", invitation.from),
            tag,
            contact: invitation.contact.clone(),
            call_id: invitation.call_id.clone(),
            own: invitation.own,
            hop: invitation.hop.clone(),
            trunk: invitation.trunk.clone(),
            state: Mutex::new(state),
            events,
            ended: CancellationToken::new(),
        }
    }

    /// What all requests of the call carry.
    fn headers(&self, hop: &Hop, to: &str, number: u32, method: Method, routes: &[String]) -> Vec<Header> {
        let mut headers = vec![
            Wire::via(hop, self.own),
            Header::From(self.from.clone().into()),
            Header::To(to.to_owned().into()),
            Header::CallId(self.call_id.clone().into()),
            Header::CSeq(format!("{number} {method}").into()),
        ];
        headers.extend(routes.iter().map(|route| Header::Route(route.clone().into())));
        if !matches!(method, Method::Ack | Method::Bye) {
            headers.push(Header::Contact(self.contact.clone().into()));
        }
        if method == Method::Invite {
            headers.push(Header::Allow(ALLOW.into()));
        }
        headers
    }

    /// Calls until there is a final answer, or nobody wants one any more.
    async fn run(self: Arc<Dialog>, offer: String) {
        loop {
            let response = match self.ask(&offer).await {
                Ok(response) => response,
                Err(why) => return self.end(Event::Lost(why)),
            };
            if response.status_code.kind() == StatusCodeKind::Successful {
                return self.acknowledge(&response).await;
            }
            let again = {
                let mut state = self.state.lock();
                // An answer that we made for who is silent (408) has no tag of the other side's.
                state.heard |= response.to_header().is_ok_and(|to| tag(to.value()).is_some());
                state.left.is_none() && is_challenged(state.account.as_mut(), &response)
            };
            if !again {
                return self.end(Event::Final(response));
            }
        }
    }

    /// Sends an INVITE, and waits for its final answer.
    async fn ask(self: &Arc<Self>, offer: &str) -> Result<Response, Lost> {
        let mut transaction = {
            let mut state = self.state.lock();
            state.sequence += 1;
            let to = format!("<{}>", self.uri);
            let headers = self.headers(&self.hop, &to, state.sequence, Method::Invite, &[]);
            let body = (DESCRIPTION, offer.as_bytes().to_vec());
            let request = request(Method::Invite, self.uri.clone(), headers, body, state.account.as_mut());
            let transaction = self.wire.transaction(&self.hop, request.clone())?;
            let (sender, key) = (transaction.tu_sender.clone(), transaction.key.clone());
            state.phase = Phase::Calling;
            state.invite = Some(request);
            state.wake = Some(Box::new(move || {
                let _ = sender.send(TransactionEvent::Terminate(key.clone()));
            }));
            transaction
        };
        transaction.send().await.map_err(WireError::from)?;
        loop {
            let left = self.state.lock().left;
            let message = match left {
                // Nothing is lost by giving up in the middle: nobody waits any more.
                Some(since) => match timeout_at(since + LINGER, transaction.receive()).await {
                    Ok(message) => message,
                    Err(_) => return Err(Lost::GivenUp),
                },
                None => transaction.receive().await,
            };
            match message {
                Some(SipMessage::Response(response))
                    if response.status_code.kind() == StatusCodeKind::Provisional =>
                {
                    self.progress(response);
                }
                Some(SipMessage::Response(response)) => return Ok(response),
                Some(SipMessage::Request(_)) => {}
                // Nobody wants it any more: who has not heard of it is told of it no more.
                None if transaction.state == TransactionState::Calling => {
                    if let Some(timer) = transaction.timer_a.take() {
                        self.wire.endpoint.timers.cancel(timer);
                    }
                }
                None if self.state.lock().left.is_some() => {}
                None => return Err(Lost::NoAnswer),
            }
        }
    }

    fn progress(self: &Arc<Self>, response: Response) {
        let cancels = {
            let mut state = self.state.lock();
            if state.phase == Phase::Calling {
                state.phase = Phase::Proceeding;
            }
            state.heard = true;
            let is_left = state.left.is_some();
            is_left && !std::mem::replace(&mut state.cancelled, is_left)
        };
        let dialog = Arc::clone(self);
        if cancels {
            tokio::spawn(async move { dialog.cancel().await });
        } else if let Some(number) = reliable(&response) {
            let response = response.clone();
            tokio::spawn(async move { dialog.confirm_progress(&response, number).await });
        }
        let _ = self.events.send(Event::Progress(response));
    }

    /// Tells that a provisional answer came, to who wants to know (RFC 3262, 4).
    async fn confirm_progress(&self, response: &Response, number: u32) {
        let peer = self.peer_of(response);
        let Some((sequence, _)) = sequence(response) else { return };
        let rack = Header::RAck(format!("{number} {sequence} INVITE").into());
        if let Err(error) = self.request(Method::PRack, &peer, vec![rack]).await {
            tracing::debug!(%error, call = self.call_id, "a provisional answer could not be confirmed");
        }
    }

    /// Ends what was not answered (RFC 3261, 9.1): the INVITE's own branch, to where it went.
    async fn cancel(&self) {
        let Some(invite) = self.state.lock().invite.clone() else { return };
        let Some((number, _)) = sequence(&invite) else { return };
        let mut headers: Vec<Header> = Vec::new();
        for header in invite.headers.iter() {
            match header {
                Header::Via(_) | Header::From(_) | Header::To(_) | Header::CallId(_) | Header::Route(_) => {
                    headers.push(header.clone());
                }
                _ => {}
            }
        }
        headers.push(Header::CSeq(format!("{number} CANCEL").into()));
        let request = request(Method::Cancel, invite.uri, headers, (DESCRIPTION, vec![]), None);
        let sent = self.wire.exchange(&self.way().await, request).await;
        if let Err(error) = sent {
            tracing::debug!(%error, call = self.call_id, "a call could not be cancelled");
        }
    }

    fn was_taken(&self) -> bool {
        !self.state.lock().taken.is_empty()
    }

    /// Confirms that a call was taken; ends it where it is not wanted any more, or somebody else took it.
    async fn acknowledge(self: &Arc<Self>, response: &Response) {
        let peer = self.peer_of(response);
        let tag = tag(&peer.to).unwrap_or_default().to_owned();
        let (ack, known, wanted) = {
            let mut state = self.state.lock();
            state.heard = true;
            match state.taken.iter().find(|(known, _)| *known == tag) {
                Some((_, ack)) => (ack.clone(), true, false),
                None => {
                    let number = sequence(response).map_or(state.sequence, |(number, _)| number);
                    let ack = self.ack(&peer, number, state.invite.as_ref());
                    let wanted = state.left.is_none() && state.taken.is_empty();
                    if wanted {
                        (state.phase, state.peer) = (Phase::Confirmed, Some(peer.clone()));
                        // Told while nobody else can tell: what the other side asks for next comes behind it.
                        let _ = self.events.send(Event::Final(response.clone()));
                    }
                    state.taken.push((tag, ack.clone()));
                    (ack, false, wanted)
                }
            }
        };
        if let Err(error) = self.wire.send(&self.way_to(&peer).await, ack).await {
            tracing::debug!(%error, call = self.call_id, "a call could not be acknowledged");
        }
        if known || wanted {
            return;
        }
        if let Err(error) = self.request(Method::Bye, &peer, vec![]).await {
            tracing::debug!(%error, call = self.call_id, "a call could not be ended");
        }
        if self.state.lock().left.is_some() {
            self.end(Event::Lost(Lost::GivenUp));
        }
    }

    /// The ACK of an answer that takes the call (RFC 3261, 13.2.2.4).
    fn ack(&self, peer: &Peer, number: u32, invite: Option<&Request>) -> Request {
        let mut headers = self.headers(&self.hop, &peer.to, number, Method::Ack, &peer.routes);
        let proofs = invite.into_iter().flat_map(|invite| invite.headers.iter());
        headers.extend(
            proofs
                .filter(|header| matches!(header, Header::Authorization(_) | Header::ProxyAuthorization(_)))
                .cloned(),
        );
        request(Method::Ack, peer.target.clone(), headers, (DESCRIPTION, vec![]), None)
    }

    /// The other side as an answer to the INVITE shows it (RFC 3261, 12.1.2).
    fn peer_of(&self, response: &Response) -> Peer {
        let to = response.to_header().map(|to| to.value().to_owned());
        let contact = response.typed_contact_headers().ok().and_then(|all| all.into_iter().next());
        let recorded = response.record_route_headers();
        let routes: Vec<&str> = recorded.iter().flat_map(|header| listed(header.value())).collect();
        Peer {
            to: to.unwrap_or_else(|_| format!("<{}>", self.uri)),
            target: contact.map_or_else(|| self.uri.clone(), |contact| contact.uri),
            routes: routes.into_iter().rev().map(str::to_owned).collect(),
        }
    }

    /// The way that the INVITE went.
    async fn way(&self) -> Hop {
        if self.hop.is_open() {
            return self.hop.clone();
        }
        match &self.trunk {
            Some(target) => self.wire.open(target).await.unwrap_or_else(|_| self.hop.clone()),
            None => self.hop.clone(),
        }
    }

    /// The way of requests within the call.
    async fn way_to(&self, peer: &Peer) -> Hop {
        if self.trunk.is_some() || self.hop.is_stream() && self.hop.is_open() {
            return self.way().await;
        }
        let route = peer.routes.first().and_then(|route| Route::parse(route).ok());
        let next = route.map_or_else(|| peer.target.clone(), |route| route.uri);
        self.wire.to_uri(&next).await.unwrap_or_else(|_| self.hop.clone())
    }

    /// Asks the other side something within the call, proven where that is wanted.
    async fn request(&self, method: Method, peer: &Peer, more: Vec<Header>) -> Result<Response, WireError> {
        let hop = self.way_to(peer).await;
        self.state.lock().account.iter_mut().for_each(Account::begin);
        loop {
            let request = {
                let mut state = self.state.lock();
                state.sequence += 1;
                let mut headers = self.headers(&hop, &peer.to, state.sequence, method, &peer.routes);
                headers.extend(more.iter().cloned());
                request(method, peer.target.clone(), headers, (DESCRIPTION, vec![]), state.account.as_mut())
            };
            let response = self.wire.exchange(&hop, request).await?;
            if !is_challenged(self.state.lock().account.as_mut(), &response) {
                return Ok(response);
            }
        }
    }

    /// Ends the call, whatever it takes.
    async fn leave(self: &Arc<Self>) {
        let (phase, peer) = {
            let mut state = self.state.lock();
            if state.left.is_some() {
                return;
            }
            state.left = Some(Instant::now());
            state.cancelled |= state.phase == Phase::Proceeding;
            if let Some(wake) = &state.wake {
                wake();
            }
            (state.phase, state.peer.clone())
        };
        let dialog = Arc::clone(self);
        match (phase, peer) {
            // It is cancelled as soon as anything is heard.
            (Phase::Calling, _) | (Phase::Ended, _) => return,
            (Phase::Confirmed, Some(peer)) => {
                tokio::spawn(async move {
                    if let Err(error) = dialog.request(Method::Bye, &peer, vec![]).await {
                        tracing::debug!(%error, call = dialog.call_id, "a call could not be ended");
                    }
                    dialog.end(Event::HungUp);
                });
            }
            (Phase::Proceeding | Phase::Confirmed, _) => {
                tokio::spawn(async move { dialog.cancel().await });
            }
        }
        let _ = timeout(LEAVE_MAX, self.ended.cancelled()).await;
    }

    fn end(self: &Arc<Self>, event: Event) {
        let taken = {
            let mut state = self.state.lock();
            if std::mem::replace(&mut state.phase, Phase::Ended) == Phase::Ended {
                return;
            }
            state.wake = None;
            !state.taken.is_empty()
        };
        let _ = self.events.send(event);
        self.ended.cancel();
        let dialog = Arc::clone(self);
        if taken {
            // It may be said again that it was taken.
            tokio::spawn(async move {
                tokio::time::sleep(LINGER).await;
                dialog.calls.forget(&dialog.call_id);
            });
        } else {
            self.calls.forget(&self.call_id);
        }
    }

    /// Answers a request of the other side; every one gets a final answer (RFC 3261, 8.2).
    async fn answer(self: &Arc<Self>, mut transaction: Transaction) {
        let asked = transaction.original.clone();
        if asked.method == Method::Ack {
            return;
        }
        let reply = self.reply(&asked).await;
        let is_taken = reply.status.kind() == StatusCodeKind::Successful;
        let mut headers = reply.headers;
        if is_taken && matches!(asked.method, Method::Invite | Method::Update) {
            headers.push(Header::Contact(self.contact.clone().into()));
            self.retarget(&asked);
        }
        if let Err(error) = transaction.reply_with(reply.status, headers, reply.body).await {
            tracing::debug!(%error, call = self.call_id, "a SIP request could not be answered");
        }
        if asked.method != Method::Invite {
            return;
        }
        // Until it is acknowledged, or has been answered often enough.
        while let Some(message) = transaction.receive().await {
            if let SipMessage::Request(request) = message
                && request.method == Method::Ack
            {
                let _ = self.events.send(Event::Confirmed(request));
                return;
            }
        }
        if is_taken {
            // It does not hear us (RFC 3261, 13.3.1.4).
            let _ = self.events.send(Event::HungUp);
            self.leave().await;
        }
    }

    async fn reply(self: &Arc<Self>, asked: &Request) -> Reply {
        let phase = {
            let mut state = self.state.lock();
            let Some((number, _)) = sequence(asked) else { return Reply::plain(StatusCode::BadRequest) };
            if number < state.their_sequence {
                // What is older than what came is out of order (RFC 3261, 12.2.2).
                return Reply::plain(StatusCode::ServerInternalError);
            }
            state.their_sequence = number;
            state.phase
        };
        let is_confirmed = phase == Phase::Confirmed;
        match asked.method {
            Method::Bye if is_confirmed => {
                self.end(Event::HungUp);
                Reply::plain(StatusCode::OK)
            }
            Method::Bye if phase == Phase::Ended => Reply::plain(StatusCode::OK),
            _ if phase == Phase::Ended => Reply::plain(StatusCode::CallTransactionDoesNotExist),
            Method::Options => {
                let accept = Header::Accept(DESCRIPTION.into());
                Reply {
                    status: StatusCode::OK,
                    headers: vec![Header::Allow(ALLOW.into()), accept],
                    body: None,
                }
            }
            // A refresh of the session without an offer is answered without one (RFC 3311, 5.2).
            Method::Update if asked.body.is_empty() => Reply::plain(StatusCode::OK),
            Method::Invite | Method::Update | Method::Info if is_confirmed => self.hand_over(asked).await,
            // Our own offer has no answer yet (RFC 3261, 14.2; RFC 3311, 5.2).
            Method::Invite | Method::Update => Reply::plain(StatusCode::RequestPending),
            Method::Info => Reply::plain(StatusCode::OK),
            Method::Bye => Reply::plain(StatusCode::CallTransactionDoesNotExist),
            _ => {
                let allow = Header::Allow(ALLOW.into());
                Reply { status: StatusCode::MethodNotAllowed, headers: vec![allow], body: None }
            }
        }
    }

    /// Lets the call answer.
    async fn hand_over(&self, asked: &Request) -> Reply {
        let (answer, answered) = oneshot::channel();
        let _ = self.events.send(Event::Asked(Asked { request: asked.clone(), answer }));
        match timeout(ANSWER_MAX, answered).await {
            Ok(Ok(reply)) => reply,
            _ => Reply::plain(StatusCode::TemporarilyUnavailable),
        }
    }

    /// The other side may move (RFC 3261, 12.2.2). Where requests follow its Contact, it stays where it was
    /// found: that address has been looked at.
    fn retarget(&self, asked: &Request) {
        if self.trunk.is_none() {
            return;
        }
        let contact = asked.typed_contact_headers().ok().and_then(|all| all.into_iter().next());
        if let (Some(peer), Some(contact)) = (self.state.lock().peer.as_mut(), contact) {
            peer.target = contact.uri;
        }
    }
}

/// The values of a header that has several, as they are.
fn listed(value: &str) -> Vec<&str> {
    let (mut values, mut start, mut is_quoted, mut is_inside) = (Vec::new(), 0, false, false);
    for (at, c) in value.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            '<' | '>' if !is_quoted => is_inside = c == '<',
            ',' if !is_quoted && !is_inside => {
                values.push(value[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    values.push(value[start..].trim());
    values.retain(|value| !value.is_empty());
    values
}

/// The number of a provisional answer that wants to be confirmed (RFC 3262, 3).
fn reliable(response: &Response) -> Option<u32> {
    let requires = response.headers.iter().any(|header| {
        matches!(header, Header::Require(require)
            if require.value().split(',').any(|tag| tag.trim().eq_ignore_ascii_case("100rel")))
    });
    response.rseq_value().filter(|_| requires)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_taken_apart_where_it_is_one() {
        assert_eq!(
            listed("<sip:a;lr;x=\",\">, \"b, c\" <sip:b,c;lr=on> ,,<sip:d>"),
            ["<sip:a;lr;x=\",\">", "\"b, c\" <sip:b,c;lr=on>", "<sip:d>"]
        );
        assert!(listed(" ").is_empty());
    }
}
