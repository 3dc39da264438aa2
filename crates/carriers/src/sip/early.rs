//! Session descriptions of provisional answers: they count where the final answer has none (RFC 3261,
//! 13.2.1).

use super::wire::tag;
use rsipstack::sip::Response;
use rsipstack::sip::prelude::HeadersExt;

/// Forks of a call whose descriptions are kept.
const FORKS_MAX: usize = 8;

/// The last early description of each fork, by the tag of who answers.
#[derive(Default)]
pub(super) struct Early(Vec<(String, Vec<u8>)>);

impl Early {
    /// Keeps what a provisional answer describes.
    pub(super) fn note(&mut self, response: &Response) {
        if response.body.is_empty() {
            return;
        }
        let tag = teller(response);
        self.0.retain(|(known, _)| *known != tag);
        if self.0.len() == FORKS_MAX {
            self.0.remove(0);
        }
        self.0.push((tag, response.body.clone()));
    }

    /// The description that counts for a final answer: its own, else that of the fork that answers, else the
    /// last one, for those who change their tag.
    pub(super) fn described(self, response: &Response) -> Vec<u8> {
        if !response.body.is_empty() {
            return response.body.clone();
        }
        let tag = teller(response);
        let own = self.0.iter().position(|(known, _)| *known == tag);
        let at = own.unwrap_or(self.0.len().saturating_sub(1));
        self.0.into_iter().nth(at).map(|(_, body)| body).unwrap_or_default()
    }
}

/// The tag of who answers; empty where there is none.
fn teller(response: &Response) -> String {
    response.to_header().ok().and_then(|to| tag(to.value())).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(line: &str, tag: &str, body: &str) -> Response {
        let text = format!(
            "SIP/2.0 {line}\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>;tag={tag}\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Response::try_from(text.as_bytes()).unwrap()
    }

    /// What counts for a final answer after these early ones.
    fn described(told: &[(&str, &str)], tag: &str, body: &str) -> String {
        let mut early = Early::default();
        told.iter().for_each(|(tag, body)| early.note(&response("183 Session Progress", tag, body)));
        String::from_utf8(early.described(&response("200 OK", tag, body))).unwrap()
    }

    #[test]
    fn an_early_description_counts_where_the_final_answer_has_none() {
        assert_eq!(described(&[("a", ""), ("a", "one")], "a", ""), "one");
        assert_eq!(described(&[("a", "one"), ("a", "")], "a", ""), "one");
        assert_eq!(described(&[("a", "one"), ("a", "two")], "a", ""), "two");
        assert_eq!(described(&[("a", "one"), ("b", "two")], "a", ""), "one");
        assert_eq!(described(&[("a", "one"), ("b", "two")], "c", ""), "two");
        assert_eq!(described(&[("a", "one"), ("a", "two")], "a", "own"), "own");
        assert_eq!(described(&[("a", ""), ("a", "")], "a", ""), "");
        let forks: Vec<(String, String)> = (0..20).map(|i| (format!("t{i}"), format!("b{i}"))).collect();
        let forks: Vec<(&str, &str)> =
            forks.iter().map(|(tag, body)| (tag.as_str(), body.as_str())).collect();
        assert_eq!((described(&forks, "t13", ""), described(&forks, "t1", "")), ("b13".into(), "b19".into()));
    }
}
