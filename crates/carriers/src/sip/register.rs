//! Keeps us registered at trunks that want that (RFC 3261, 10), and probes those that are down.

use super::digest::Account;
use super::line::Line;
use super::names;
use super::trunk::{Registration, Trunk};
use super::wire::{Wire, WireError, is_challenged, own_address, request, uri};
use crate::backoff;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Header, Method, Response, StatusCode};
use std::sync::Arc;
use std::time::Duration;

/// How often a trunk that is down is probed.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// The longest time that a registrar may want, seconds.
const REGISTERED_MAX_S: u32 = 24 * 3600;
/// The shortest and the longest pause between registrations: a registrar may forget us.
const REFRESH_MIN: Duration = Duration::from_millis(500);
const REFRESH_MAX: Duration = Duration::from_secs(3600);
/// The first pause after a registration that failed.
const REGISTER_BASE: Duration = Duration::from_secs(2);
const REGISTER_MAX: Duration = Duration::from_secs(60);
/// How long ending registrations may take.
const END_MAX: Duration = Duration::from_secs(3);

/// Why a trunk does not have our registration.
#[derive(Debug, thiserror::Error)]
enum RegisterError {
    /// The request was not sent, or has no answer.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The registrar granted a registration that is over at once.
    #[error("it keeps the registration for 0 s")]
    Zero,
    /// The registrar refused it.
    #[error("{0}")]
    Refused(StatusCode),
}

impl Registration {
    /// Registers, or ends the registration; returns how long it lasts, as the registrar says.
    async fn refresh(&mut self, line: &Line, trunk: &Trunk, ends: bool) -> Result<Duration, RegisterError> {
        let stack = &line.stack;
        let target = trunk.target(stack.is_ipv6).await?;
        let hop = stack.wire.open(&target).await?;
        let own = line.contact(stack, &hop, own_address(line.config.bind.ip(), target.address)?);
        let username = self.account.as_ref().map(|account| account.username.clone()).unwrap_or_default();
        let address = format!("<sip:{}@{}>", names::user(&username), names::host(trunk.domain()));
        let contact = format!("sip:{}@{own}{}", names::user(&username), trunk.transport_parameter());
        self.account.iter_mut().for_each(Account::begin);
        loop {
            self.sequence += 1;
            let wanted_s = if ends { 0 } else { self.wanted_s };
            let headers = vec![
                Wire::via(&hop, own),
                Header::From(format!("{address};tag={}", self.tag).into()),
                Header::To(address.clone().into()),
                Header::CallId(self.call_id.clone().into()),
                Header::CSeq(format!("{} REGISTER", self.sequence).into()),
                Header::Contact(format!("<{contact}>").into()),
                Header::Expires(wanted_s.to_string().into()),
            ];
            let account = self.account.as_mut();
            let request = request(Method::Register, trunk.registrar()?, headers, ("", vec![]), account);
            let response = stack.wire.exchange(&hop, request).await?;
            let least_s = response.min_expires_header().and_then(|least| seconds(least.value()));
            match (response.status_code.code(), least_s) {
                (200..=299, _) => {
                    self.is_registered = !ends;
                    let granted_s = granted(&response, &contact).unwrap_or(wanted_s);
                    if granted_s == 0 && !ends {
                        return Err(RegisterError::Zero);
                    }
                    return Ok(Duration::from_secs(granted_s.into()));
                }
                (401 | 407, _) if is_challenged(self.account.as_mut(), &response) => {}
                // The registrar wants a longer time (RFC 3261, 10.2.8).
                (423, Some(least_s)) if least_s > wanted_s && least_s <= REGISTERED_MAX_S && !ends => {
                    self.wanted_s = least_s;
                }
                _ => return Err(RegisterError::Refused(response.status_code)),
            }
        }
    }
}

fn seconds(value: &str) -> Option<u32> {
    value.split(';').next()?.trim().parse().ok()
}

/// How long a registrar keeps a contact, seconds: by our contact, or by the only one that it has, or by the
/// header for all (RFC 3261, 10.2.4).
fn granted(response: &Response, contact: &str) -> Option<u32> {
    let contacts = response.typed_contact_headers().unwrap_or_default();
    let ours = uri(contact).ok();
    let is_ours = |uri: &rsipstack::sip::Uri| {
        ours.as_ref().is_some_and(|ours| ours.host_with_port == uri.host_with_port && ours.auth == uri.auth)
    };
    let own = contacts.iter().filter(|contact| is_ours(&contact.uri)).filter_map(|own| own.expires()).min();
    let only = match contacts.as_slice() {
        [only] => only.expires(),
        _ => None,
    };
    own.or(only).or_else(|| response.expires_header().and_then(|expires| seconds(expires.value())))
}

/// The pause until a registration of this length is renewed.
fn pause(granted: Duration) -> Duration {
    (granted / 2).clamp(REFRESH_MIN, REFRESH_MAX)
}

/// Keeps us registered at all trunks that want that, and probes those that are down.
pub(super) fn keep_all(line: &Arc<Line>) {
    for at in 0..line.trunks.len() {
        let line = Arc::clone(line);
        let cancel = line.registering.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = keep(&line, &line.trunks[at]) => {}
                () = cancel.cancelled() => {}
            }
        });
    }
}

async fn keep(line: &Line, trunk: &Trunk) {
    if !trunk.config.register {
        loop {
            tokio::time::sleep(PROBE_EVERY).await;
            trunk.give_a_chance();
        }
    }
    let mut failures = 0;
    loop {
        let registered = trunk.registration.lock().await.refresh(line, trunk, false).await;
        let pause = match registered {
            Ok(granted) => {
                failures = 0;
                trunk.note(true);
                pause(granted)
            }
            Err(error) => {
                tracing::warn!(carrier = line.name, trunk = trunk.config.host, %error, "could not register");
                trunk.note_down();
                failures += 1;
                backoff::delay(failures - 1, REGISTER_BASE, REGISTER_MAX)
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Ends registrations.
pub(super) async fn end_all(line: &Line) {
    line.registering.cancel();
    let ends = line.trunks.iter().map(|trunk| async move {
        let mut registration = trunk.registration.lock().await;
        if !registration.is_registered {
            return;
        }
        if let Err(error) = registration.refresh(line, trunk, true).await {
            tracing::debug!(%error, trunk = trunk.config.host, "a registration was not ended");
        }
    });
    let _ = tokio::time::timeout(END_MAX, futures::future::join_all(ends)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_is_made_anew_before_it_is_over_wherever_that_is_told() {
        let contact = "sip:user@192.0.2.9:5060";
        let of = |headers: &str| {
            let text = format!(
                "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1\r\n\
                 From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\
                 {headers}Content-Length: 0\r\n\r\n"
            );
            granted(&Response::try_from(text.as_str()).unwrap(), contact)
        };
        for (headers, expected) in [
            ("Expires: 3\r\n", Some(3)),
            ("Contact: <sip:user@192.0.2.9:5060>;expires=3\r\nExpires: 600\r\n", Some(3)),
            ("Contact: <sip:user@192.0.2.9:5060>\r\nExpires: 3\r\n", Some(3)),
            (
                "Contact: <sip:user@192.0.2.1:5060>;expires=900, <sip:user@192.0.2.9:5060>;expires=3\r\n",
                Some(3),
            ),
            // The registrar shows it as it saw it.
            ("Contact: <sip:user@203.0.113.1:1024>;expires=3\r\n", Some(3)),
            ("", None),
        ] {
            assert_eq!(of(headers), expected, "{headers}");
        }
        for (granted_s, pause_ms) in [(1, 500), (3, 1500), (600, 300_000), (u32::MAX, 3_600_000)] {
            assert_eq!(pause(Duration::from_secs(granted_s.into())), Duration::from_millis(pause_ms));
        }
    }
}
