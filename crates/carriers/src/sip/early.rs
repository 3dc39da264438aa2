//! Session descriptions of provisional answers: they count where the final answer has none (RFC 3261, 13.2.1).

use rsipstack::dialog::dialog::{DialogState, DialogStateReceiver};
use rsipstack::sip::Response;
use rsipstack::sip::prelude::HeadersExt;

/// Forks of a call whose descriptions are kept.
const FORKS_MAX: usize = 8;

/// The last early description of each fork, by the tag of who answers.
#[derive(Default)]
pub(super) struct Early(Vec<(String, Vec<u8>)>);

impl Early {
    /// Keeps what a provisional answer describes.
    pub(super) fn note(&mut self, state: &DialogState) {
        let DialogState::Early(_, response) = state else { return };
        if response.body.is_empty() {
            return;
        }
        let tag = tag(response);
        self.0.retain(|(known, _)| *known != tag);
        if self.0.len() == FORKS_MAX {
            self.0.remove(0);
        }
        self.0.push((tag, response.body.clone()));
    }

    /// The description that counts for a final answer: its own, else that of the fork that answers, else the last
    /// one, for those who change their tag.
    pub(super) fn described(mut self, response: &Response, states: &mut DialogStateReceiver) -> Vec<u8> {
        if !response.body.is_empty() {
            return response.body.clone();
        }
        // What came just before the final answer may not have been heard of.
        while let Ok(state) = states.try_recv() {
            self.note(&state);
            if matches!(state, DialogState::Confirmed(..)) {
                break;
            }
        }
        let tag = tag(response);
        let own = self.0.iter().position(|(known, _)| *known == tag);
        let at = own.unwrap_or(self.0.len().saturating_sub(1));
        self.0.into_iter().nth(at).map(|(_, body)| body).unwrap_or_default()
    }
}

/// The tag of who answers; empty where there is none.
fn tag(response: &Response) -> String {
    let tag = response.to_header().ok().and_then(|to| to.tag().ok().flatten());
    tag.map(|tag| tag.value().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rsipstack::dialog::DialogId;

    fn response(line: &str, tag: &str, body: &str) -> Response {
        let text = format!(
            "SIP/2.0 {line}\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>;tag={tag}\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Response::try_from(text.as_bytes()).unwrap()
    }

    fn early(tag: &str, body: &str) -> DialogState {
        let id = DialogId { call_id: "1".into(), local_tag: "1".into(), remote_tag: tag.into() };
        DialogState::Early(id, response("183 Session Progress", tag, body))
    }

    /// What counts for a final answer after these early ones, of which the last is not heard of yet.
    fn described(states: &[(&str, &str)], tag: &str, body: &str) -> String {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let mut known = Early::default();
        let (last, before) = states.split_last().unwrap();
        before.iter().for_each(|(tag, body)| known.note(&early(tag, body)));
        sender.send(early(last.0, last.1)).unwrap();
        String::from_utf8(known.described(&response("200 OK", tag, body), &mut receiver)).unwrap()
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
