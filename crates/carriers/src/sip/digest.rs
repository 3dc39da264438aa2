//! Digest authentication (RFC 7616, RFC 8760) of who makes requests, without I/O: reads challenges, and
//! computes what answers them.

use data_encoding::HEXLOWER;
use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};
use std::fmt::Write;

/// How often a server may say that a nonce is stale, so that one that always says so is asked no more.
const STALE_MAX: u32 = 2;
/// Realms that ask for proof in one call: the trunk's and those of proxies behind it.
const REALMS_MAX: usize = 8;

/// A hash that challenges name, and whether the session has a key of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Algorithm {
    hash: Hash,
    session: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hash {
    Md5,
    Sha256,
    Sha512T256,
}

impl Algorithm {
    /// The one of a name (RFC 7616, 6.1); none that we can't compute.
    fn named(name: &str) -> Option<Algorithm> {
        let upper = name.to_ascii_uppercase();
        let (name, session) = upper.strip_suffix("-SESS").map_or((&*upper, false), |name| (name, true));
        let hash = match name {
            "MD5" => Hash::Md5,
            "SHA-256" => Hash::Sha256,
            "SHA-512-256" => Hash::Sha512T256,
            _ => return None,
        };
        Some(Algorithm { hash, session })
    }

    /// In hexadecimal.
    fn hash(self, octets: &[u8]) -> String {
        match self.hash {
            Hash::Md5 => HEXLOWER.encode(&Md5::digest(octets)),
            Hash::Sha256 => HEXLOWER.encode(&Sha256::digest(octets)),
            Hash::Sha512T256 => HEXLOWER.encode(&Sha512_256::digest(octets)),
        }
    }
}

/// What is protected: the request alone, or its body as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Quality {
    Auth,
    AuthInt,
}

impl Quality {
    const fn name(self) -> &'static str {
        match self {
            Quality::Auth => "auth",
            Quality::AuthInt => "auth-int",
        }
    }
}

/// A challenge that can be answered.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// As the server wrote it; MD5 where it wrote none.
    algorithm: Option<String>,
    quality: Option<Quality>,
    stale: bool,
}

impl Challenge {
    fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::named(self.algorithm.as_deref().unwrap_or("MD5"))
    }

    /// The one that some parameters make; none that we can't answer.
    fn of(parameters: &[(String, String)]) -> Option<Challenge> {
        let find = |name: &str| {
            parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        let quality = match find("qop") {
            None => None,
            Some(list) => {
                let offers = |quality: &Quality| {
                    list.split(',').any(|name| name.trim().eq_ignore_ascii_case(quality.name()))
                };
                Some([Quality::Auth, Quality::AuthInt].into_iter().find(offers)?)
            }
        };
        let challenge = Challenge {
            realm: find("realm")?.clone(),
            nonce: find("nonce")?.clone(),
            opaque: find("opaque").cloned(),
            algorithm: find("algorithm").cloned(),
            quality,
            stale: find("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        };
        challenge.algorithm().map(|_| challenge)
    }
}

/// The digest challenges of a header, in their order; others are left out, as are those that can't be read.
fn challenges(header: &str) -> Vec<Challenge> {
    let mut found: Vec<(bool, Vec<(String, String)>)> = Vec::new();
    let mut rest = header.trim_start();
    while !rest.is_empty() {
        let (name, after) = token(rest);
        let after = after.trim_start();
        if let Some(value) = after.strip_prefix('=').map(str::trim_start) {
            let (value, after) = value_of(value);
            if let Some((_, parameters)) = found.last_mut() {
                parameters.push((name.to_owned(), value));
            }
            rest = after;
        } else if name.is_empty() {
            // What is no token is passed over, octet by octet of its text.
            rest = rest.char_indices().nth(1).map_or("", |(at, _)| &rest[at..]);
        } else {
            found.push((name.eq_ignore_ascii_case("Digest"), Vec::new()));
            rest = after;
        }
        rest = rest.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
    }
    let digests = found.iter().filter(|(is_digest, _)| *is_digest);
    digests.filter_map(|(_, parameters)| Challenge::of(parameters)).collect()
}

/// The token that a text begins with (RFC 3261, 25.1), and the rest.
fn token(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c)));
    text.split_at(end.unwrap_or(text.len()))
}

/// The value that a text begins with, a quoted string (RFC 3261, 25.1) or what ends at a comma, and the rest.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_at(text.find(',').unwrap_or(text.len()));
        return (value.trim_end().to_owned(), rest);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => {
                escaped = false;
                value.push(c);
            }
            '\\' => escaped = true,
            '"' => return (value, &quoted[at + 1..]),
            _ => value.push(c),
        }
    }
    (value, "")
}

/// A text as a quoted string (RFC 3261, 25.1).
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// Who asks for proof: the other side (401), or a proxy on the way (407).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asker {
    Server,
    Proxy,
}

/// A realm that wants proof, by its newest challenge.
#[derive(Clone, Debug)]
struct Realm {
    asker: Asker,
    challenge: Challenge,
    /// How often its nonce was used.
    uses: u32,
    /// Whether it asked for the request that is under way, and how often it said that the nonce is stale.
    asked: bool,
    stale: u32,
}

/// An account, and the realms that want it proven.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) username: String,
    password: String,
    realms: Vec<Realm>,
}

/// What a request is, as far as the proof goes.
pub(super) struct Proven<'a> {
    pub(super) method: &'a str,
    /// As it is in the request line.
    pub(super) uri: &'a str,
    pub(super) body: &'a [u8],
}

impl Account {
    pub(super) fn new(username: String, password: String) -> Account {
        Account { username, password, realms: Vec::new() }
    }

    /// A request begins: whoever asked for proof of an earlier one may ask again, with another nonce.
    pub(super) fn begin(&mut self) {
        for realm in &mut self.realms {
            (realm.asked, realm.stale) = (false, 0);
        }
    }

    /// Takes the challenges of an answer, by its headers of who asks; says whether the request is worth
    /// another try.
    pub(super) fn challenged<'a>(
        &mut self,
        asker: Asker,
        headers: impl IntoIterator<Item = &'a str>,
    ) -> bool {
        let offered: Vec<Challenge> = headers.into_iter().flat_map(challenges).collect();
        let mut worth = false;
        let mut answered: Vec<&str> = Vec::new();
        let is_full = self.realms.len() >= REALMS_MAX;
        for challenge in &offered {
            // Of several for a realm, the first that we can do (RFC 8760, 2.4).
            if answered.contains(&&*challenge.realm) {
                continue;
            }
            answered.push(&challenge.realm);
            let known = self
                .realms
                .iter_mut()
                .find(|realm| realm.asker == asker && realm.challenge.realm == challenge.realm);
            match known {
                // Asked again, it does not believe us, unless only the nonce is too old.
                Some(realm) if realm.asked && (!challenge.stale || realm.stale >= STALE_MAX) => return false,
                Some(realm) => {
                    realm.stale += u32::from(realm.asked);
                    (realm.asked, realm.uses) = (true, 0);
                    realm.challenge = challenge.clone();
                    worth = true;
                }
                None if is_full => return false,
                None => {
                    let challenge = challenge.clone();
                    self.realms.push(Realm { asker, challenge, uses: 0, asked: true, stale: 0 });
                    worth = true;
                }
            }
        }
        worth
    }

    /// The proofs that a request carries: who wants each, and the value of its header.
    pub(super) fn proofs(&mut self, request: &Proven<'_>) -> Vec<(Asker, String)> {
        let Account { username, password, realms } = self;
        let proofs = realms.iter_mut().filter_map(|realm| {
            realm.uses += 1;
            let cnonce = format!("{:016x}", fastrand::u64(..));
            let value = proof(&realm.challenge, username, password, request, realm.uses, &cnonce)?;
            Some((realm.asker, value))
        });
        proofs.collect()
    }
}

/// The value of an Authorization header (RFC 7616, 3.4).
fn proof(
    challenge: &Challenge,
    username: &str,
    password: &str,
    request: &Proven<'_>,
    uses: u32,
    cnonce: &str,
) -> Option<String> {
    let algorithm = challenge.algorithm()?;
    let Challenge { realm, nonce, quality, .. } = challenge;
    let hash = |text: String| algorithm.hash(text.as_bytes());
    let mut secret = hash(format!("{username}:{realm}:{password}"));
    if algorithm.session {
        secret = hash(format!("{secret}:{nonce}:{cnonce}"));
    }
    let Proven { method, uri, body } = request;
    let what = match quality {
        Some(Quality::AuthInt) => hash(format!("{method}:{uri}:{}", algorithm.hash(body))),
        Some(Quality::Auth) | None => hash(format!("{method}:{uri}")),
    };
    let response = match quality {
        Some(quality) => hash(format!("{secret}:{nonce}:{uses:08x}:{cnonce}:{}:{what}", quality.name())),
        None => hash(format!("{secret}:{nonce}:{what}")),
    };
    let mut value = format!(
        "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
        quoted(username),
        quoted(realm),
        quoted(nonce),
        quoted(uri)
    );
    if let Some(name) = &challenge.algorithm {
        let _ = write!(value, ", algorithm={name}");
    }
    if let Some(quality) = quality {
        let _ = write!(value, ", qop={}, nc={uses:08x}", quality.name());
    }
    if quality.is_some() || algorithm.session {
        let _ = write!(value, ", cnonce={}", quoted(cnonce));
    }
    if let Some(opaque) = &challenge.opaque {
        let _ = write!(value, ", opaque={}", quoted(opaque));
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter<'a>(value: &'a str, name: &str) -> &'a str {
        let at = value.find(&format!(" {name}=")).unwrap() + name.len() + 2;
        value[at..].split(", ").next().unwrap().trim_matches('"')
    }

    #[test]
    fn the_proofs_of_rfc_7616_are_computed() {
        // 3.9.1: the same request by two algorithms.
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let request = Proven { method: "GET", uri: "/dir/index.html", body: b"" };
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let header = format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"{nonce}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            );
            let challenge = challenges(&header).remove(0);
            let value = proof(&challenge, "Mufasa", "Circle of Life", &request, 1, cnonce).unwrap();
            assert_eq!(parameter(&value, "response"), response, "{value}");
            assert_eq!(parameter(&value, "opaque"), "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS");
            assert_eq!((parameter(&value, "qop"), parameter(&value, "nc")), ("auth", "00000001"));
        }
    }

    #[test]
    fn the_proof_of_rfc_2617_is_computed_with_and_without_a_quality() {
        let request = Proven { method: "GET", uri: "/dir/index.html", body: b"" };
        for (qop, response) in
            [(", qop=\"auth\"", "6629fae49393a05397450978507c4ef1"), ("", "670fd8c2df070c60b045671b8b24ff02")]
        {
            let header = format!(
                "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"{qop}"
            );
            let challenge = challenges(&header).remove(0);
            let value = proof(&challenge, "Mufasa", "Circle Of Life", &request, 1, "0a4f113b").unwrap();
            assert_eq!(parameter(&value, "response"), response, "{value}");
            assert_eq!(value.contains("cnonce"), !qop.is_empty());
        }
    }

    #[test]
    fn sessions_and_bodies_are_proven_as_the_formulas_say() {
        let (md5, sha) = (
            |text: &str| HEXLOWER.encode(&Md5::digest(text)),
            |text: &str| HEXLOWER.encode(&Sha256::digest(text)),
        );
        let request = Proven { method: "INVITE", uri: "sip:x@y", body: b"v=0\r\n" };
        let value = |algorithm: &str, qop: &str| {
            let header = format!("Digest realm=\"r\",nonce=\"n\",algorithm={algorithm},qop={qop}");
            proof(&challenges(&header)[0], "user", "pass", &request, 18, "c").unwrap()
        };
        let expect = |hash: &dyn Fn(&str) -> String, session: bool, body: bool| {
            let plain = hash("user:r:pass");
            let secret = if session { hash(&format!("{plain}:n:c")) } else { plain };
            let what = if body {
                hash(&format!("INVITE:sip:x@y:{}", hash("v=0\r\n")))
            } else {
                hash("INVITE:sip:x@y")
            };
            hash(&format!("{secret}:n:00000012:c:{}:{what}", if body { "auth-int" } else { "auth" }))
        };
        for (algorithm, qop, expected) in [
            ("MD5-sess", "auth", expect(&md5, true, false)),
            ("md5-SESS", "\"auth-int\"", expect(&md5, true, true)),
            ("SHA-256", "auth-int", expect(&sha, false, true)),
            ("SHA-256-sess", "\"auth,auth-int\"", expect(&sha, true, false)),
            ("\"SHA-256\"", "\"auth-int , auth\"", expect(&sha, false, false)),
        ] {
            let value = value(algorithm, qop);
            assert_eq!(parameter(&value, "response"), expected, "{algorithm} {qop}: {value}");
            assert_eq!(parameter(&value, "nc"), "00000012");
        }
    }

    #[test]
    fn quoted_strings_are_read_and_written() {
        let found = challenges(r#"Digest realm="re, \"alm\\", nonce="a=b, c" , qop="auth",stale=FALSE"#);
        assert_eq!((found[0].realm.as_str(), found[0].nonce.as_str()), (r#"re, "alm\"#, "a=b, c"));
        let request = Proven { method: "INVITE", uri: "sip:x@y", body: b"" };
        let value = proof(&found[0], "u\"ser", "p", &request, 1, "c").unwrap();
        assert!(value.contains(r#"realm="re, \"alm\\", nonce="a=b, c", uri="sip:x@y""#), "{value}");
        assert!(value.contains(r#"username="u\"ser""#), "{value}");
        // Whatever is no challenge is none.
        for text in [
            "",
            "Digest",
            "Basic realm=\"x\"",
            "Digest realm=\"x",
            "====",
            "Digest realm=x",
            "é",
            "Digest \"",
        ] {
            assert_eq!(challenges(text), [], "{text}");
        }
    }

    #[test]
    fn of_several_challenges_the_first_that_can_be_done_is_answered() {
        let mut account = Account::new("user".into(), "pass".into());
        let headers = [
            r#"Digest realm="r", nonce="1", algorithm=SHA3-512, qop="auth""#,
            r#"Digest realm="r", nonce="2", qop="token""#,
            r#"Basic realm="r", Digest realm="r", nonce="3", algorithm=SHA-256, qop="auth""#,
            r#"Digest realm="r", nonce="4", algorithm=MD5, qop="auth""#,
        ];
        assert!(account.challenged(Asker::Server, headers));
        let request = Proven { method: "INVITE", uri: "sip:x@y", body: b"" };
        let proofs = account.proofs(&request);
        assert_eq!(proofs.len(), 1);
        assert_eq!(parameter(&proofs[0].1, "nonce"), "3");
        assert!(
            !Account::new("u".into(), "p".into()).challenged(Asker::Server, headers[..2].iter().copied())
        );
    }

    #[test]
    fn a_trunk_and_a_proxy_are_both_answered_and_nobody_is_for_ever() {
        let mut account = Account::new("user".into(), "pass".into());
        let request = Proven { method: "INVITE", uri: "sip:x@y", body: b"" };
        assert!(account.challenged(Asker::Server, [r#"Digest realm="trunk", nonce="1", qop="auth""#]));
        assert_eq!(account.proofs(&request).len(), 1);
        assert!(account.challenged(Asker::Proxy, [r#"Digest realm="trunk", nonce="2""#]));
        assert!(account.challenged(Asker::Proxy, [r#"Digest realm="proxy", nonce="3""#]));
        let proofs = account.proofs(&request);
        let askers: Vec<Asker> = proofs.iter().map(|(asker, _)| *asker).collect();
        assert_eq!(askers, [Asker::Server, Asker::Proxy, Asker::Proxy]);
        // A nonce that is used again is counted.
        assert_eq!(parameter(&proofs[0].1, "nc"), "00000002");
        // It does not believe us; the next request may be asked about anew.
        let newer = [r#"Digest realm="trunk", nonce="4", qop="auth""#];
        assert!(!account.challenged(Asker::Server, newer));
        account.begin();
        assert!(account.challenged(Asker::Server, newer));
        assert!(!account.challenged(Asker::Server, newer));
        // It asks about this request, and then wants a newer nonce, but not for ever.
        for nonce in 0..=STALE_MAX {
            let header = format!(r#"Digest realm="proxy", nonce="{nonce}", stale=true"#);
            assert!(account.challenged(Asker::Proxy, [&*header]));
        }
        assert!(!account.challenged(Asker::Proxy, [r#"Digest realm="proxy", nonce="9", stale=true"#]));
    }
}
