//! Where a call goes.

use super::guard::NotFound;
use super::line::Line;
use super::wire::Target;
use flow::{SipAddress, VoiceTarget};
use std::time::Duration;

/// How long looking up the name of an address may take.
const LOCATE_MAX: Duration = Duration::from_secs(10);

/// Where a call goes.
pub(super) enum Destination {
    /// To a phone number, through the trunks.
    Number(String),
    /// To an address that the client names, and where that is.
    Address(SipAddress, Target),
}

impl Line {
    /// Finds where a call goes.
    pub(super) async fn destination(&self, to: &VoiceTarget) -> Result<Destination, NotFound> {
        match to {
            VoiceTarget::Phone(number) => Ok(Destination::Number(number.clone())),
            VoiceTarget::Sip(address) => {
                let address =
                    SipAddress::parse(address).map_err(|why| NotFound::Malformed(why.to_string()))?;
                let located = tokio::time::timeout(LOCATE_MAX, self.guard.locate(&address)).await;
                let to = located.map_err(|_| NotFound::TimedOut(address.host.to_string()))??;
                let is_ipv6 = self.direct.is_ipv6;
                if to.address.is_ipv6() != is_ipv6 {
                    let (there, here) = if is_ipv6 { ("IPv4", "IPv6") } else { ("IPv6", "IPv4") };
                    return Err(NotFound::Family { host: address.host.to_string(), there, here });
                }
                Ok(Destination::Address(address, to))
            }
            VoiceTarget::Viber(_) => Err(NotFound::Viber),
        }
    }
}
