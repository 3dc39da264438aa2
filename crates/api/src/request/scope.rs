//! What a token may do: the scope's words, their roles, and the right that an endpoint asks for (contract,
//! section 1).
//!
//! An endpoint has a caller only as [`Caller<R>`](super::caller::Caller) with a [`Right`], so none can be
//! written that forgets to ask for one.

use flow::Channel;
use wire::channel::wire_of;

/// Something that a token can be allowed to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grant {
    /// Send steps over a channel.
    Send(Channel),
    /// Send, cancel, read, search and erase flows, and keep opt-outs.
    Failover,
    /// Read, search and export flows; [`Grant::Failover`] includes it.
    FailoverRead,
}

impl Grant {
    /// How many grants there are: one for each channel, and two for flows.
    const COUNT: usize = Channel::COUNT + 2;

    /// Every grant, in the order that answers show them.
    pub fn all() -> impl Iterator<Item = Grant> {
        let channels = Channel::ALL.into_iter().map(Grant::Send);
        channels.chain([Grant::Failover, Grant::FailoverRead])
    }

    /// Its bit in a set.
    const fn bit(self) -> u16 {
        match self {
            Grant::Send(channel) => 1 << channel as usize,
            Grant::Failover => 1 << Channel::COUNT,
            Grant::FailoverRead => 1 << (Channel::COUNT + 1),
        }
    }

    /// Its word in a scope.
    pub fn word(self) -> &'static str {
        match self {
            Grant::Send(channel) => wire_of(channel).scope,
            Grant::Failover => "failover",
            Grant::FailoverRead => "failover:read",
        }
    }

    /// What it allows, in words.
    pub fn allows(self) -> String {
        match self {
            Grant::Send(channel) => format!("sending {channel} steps, together with failover"),
            Grant::Failover => {
                "sending, cancelling, reading, searching and erasing flows, and opt-outs".into()
            }
            Grant::FailoverRead => "reading, searching and exporting flows".into(),
        }
    }

    /// Its role, which a token is stored with and `permissions` shows.
    pub fn role(self) -> &'static str {
        match self {
            Grant::Send(channel) => wire_of(channel).role,
            Grant::Failover => "MT_ROLE_FAILOVER",
            Grant::FailoverRead => "MT_ROLE_FAILOVER_READ",
        }
    }
}

const _: () = assert!(Grant::COUNT <= u16::BITS as usize, "a set of grants has a bit for each grant");

/// A set of grants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Grants(u16);

impl Grants {
    /// What a token has that was not narrowed. [`Grant::FailoverRead`] is in [`Grant::Failover`].
    const EVERYTHING: Grants = Grants(Grant::FailoverRead.bit() - 1);

    /// Reads the roles that a token is stored with; what is unknown grants nothing.
    pub fn of_roles(roles: &str) -> Grants {
        let known = |role: &str| Grant::all().find(|grant| grant.role() == role);
        roles.split(' ').filter_map(known).fold(Grants::default(), Grants::with)
    }

    /// Whether these include a grant.
    pub fn include(self, grant: Grant) -> bool {
        let by_itself = self.0 & grant.bit() != 0;
        by_itself || grant == Grant::FailoverRead && self.include(Grant::Failover)
    }

    /// The roles, in the contract's order.
    pub fn roles(self) -> impl Iterator<Item = &'static str> {
        self.each().map(Grant::role)
    }

    fn each(self) -> impl Iterator<Item = Grant> {
        Grant::all().filter(move |grant| self.0 & grant.bit() != 0)
    }

    fn with(self, grant: Grant) -> Grants {
        Grants(self.0 | grant.bit())
    }
}

/// Words of the live service for what this server does not have: they are shown in the scope and grant
/// nothing.
const WITHOUT_USE: [&str; 5] = ["account", "report", "lookup", "contact", "2step"];

/// What a client asked for in the `scope` of its token.
#[derive(PartialEq, Eq, Debug)]
pub struct Scope {
    /// What it allows.
    pub grants: Grants,
    /// The words without use that were asked for.
    without_use: Vec<&'static str>,
}

impl Scope {
    /// Reads a scope: words and roles in any case, between blanks or commas. `None` for one without any word
    /// that is known; a blank one narrows nothing.
    pub fn parse(text: &str) -> Option<Scope> {
        let separates = |c: char| c == ',' || c.is_whitespace();
        if text.trim().is_empty() {
            return Some(Scope { grants: Grants::EVERYTHING, without_use: Vec::new() });
        }
        let mut scope = Scope { grants: Grants::default(), without_use: Vec::new() };
        let mut known = false;
        for word in text.split(separates) {
            let same = |other: &str| word.eq_ignore_ascii_case(other);
            if same("all") {
                scope.grants = Grants(scope.grants.0 | Grants::EVERYTHING.0);
            } else if let Some(grant) = Grant::all().find(|grant| same(grant.word()) || same(grant.role())) {
                scope.grants = scope.grants.with(grant);
            } else if let Some(word) = WITHOUT_USE.into_iter().find(|known| same(known)) {
                if !scope.without_use.contains(&word) {
                    scope.without_use.push(word);
                }
            } else {
                continue;
            }
            known = true;
        }
        known.then_some(scope)
    }

    /// In words, as the answer shows it.
    pub fn words(&self) -> String {
        let words = self.grants.each().map(Grant::word).chain(self.without_use.iter().copied());
        words.collect::<Vec<_>>().join(" ")
    }
}

/// What an endpoint asks of a token before it does anything.
pub trait Right: Send + Sync + 'static {
    /// What the token must have.
    const GRANT: Grant;
}

/// To read, search and export flows.
pub struct Reads;

/// To send flows; the channels of its steps besides ([`Sends::channel`]).
pub struct Sends;

/// To cancel and erase flows, and to keep opt-outs.
pub struct Manages;

impl Right for Reads {
    const GRANT: Grant = Grant::FailoverRead;
}

impl Right for Sends {
    const GRANT: Grant = Grant::Failover;
}

impl Right for Manages {
    const GRANT: Grant = Grant::Failover;
}

impl Sends {
    /// What sending over a channel asks for besides.
    pub const fn channel(channel: Channel) -> Grant {
        Grant::Send(channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Option<String> {
        Scope::parse(text).map(|scope| scope.words())
    }

    #[test]
    fn a_scope_is_read_in_words_and_roles_of_any_case() {
        for (text, expected) in [
            ("", "sms viber voice failover"),
            ("  ", "sms viber voice failover"),
            ("ALL", "sms viber voice failover"),
            ("sms", "sms"),
            ("SMS,Failover", "sms failover"),
            ("MT_ROLE_SMS mt_role_failover_read", "sms failover:read"),
            ("failover:read", "failover:read"),
            // What the live service answers with.
            (
                "voice lookup sms 2step report contact account failover",
                "sms voice failover lookup 2step report contact account",
            ),
            ("account", "account"),
            ("sms, king\tpayments", "sms"),
        ] {
            assert_eq!(words(text).as_deref(), Some(expected), "{text:?}");
        }
        for text in ["king", ",", "MT_ROLE_KING", "failover:write", "sms:read"] {
            assert_eq!(words(text), None, "{text:?}");
        }
    }

    #[test]
    fn words_without_use_grant_nothing() {
        let scope = Scope::parse("account report lookup contact 2step").expect("it is known");
        assert!(Grant::all().all(|grant| !scope.grants.include(grant)));
    }

    #[test]
    fn a_token_that_was_stored_in_roles_keeps_its_grants() {
        let stored = Grants::of_roles("MT_ROLE_SMS MT_ROLE_VIBER MT_ROLE_VOICE MT_ROLE_FAILOVER");
        assert_eq!(stored, Grants::EVERYTHING);
        let sms = Grants::of_roles("MT_ROLE_SMS");
        assert!(sms.include(Grant::Send(Channel::Sms)) && !sms.include(Grant::FailoverRead));
        assert_eq!(Grants::of_roles(""), Grants::default());
        for text in ["sms", "failover:read", "all", "account"] {
            let granted = Scope::parse(text).expect("it is known").grants;
            let stored = granted.roles().collect::<Vec<_>>().join(" ");
            assert_eq!(Grants::of_roles(&stored), granted, "{text}");
        }
    }

    #[test]
    fn to_manage_is_to_read_and_not_the_other_way_round() {
        let read = Grants::of_roles("MT_ROLE_FAILOVER_READ");
        assert!(read.include(Reads::GRANT) && !read.include(Manages::GRANT) && !read.include(Sends::GRANT));
        let failover = Grants::of_roles("MT_ROLE_FAILOVER");
        assert!(
            [Reads::GRANT, Manages::GRANT, Sends::GRANT].into_iter().all(|grant| failover.include(grant))
        );
        assert!(!failover.include(Sends::channel(Channel::Sms)));
    }
}
