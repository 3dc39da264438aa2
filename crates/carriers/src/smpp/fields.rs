//! The fields of a receipt's text (SMPP 3.4, appendix B), as SMSCs write them in life: in any order and case,
//! some of them absent, with other names and between other marks than the specification's.

use super::meaning;

/// What a receipt's text says, before it is understood.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Fields {
    /// The message's id.
    pub(super) id: Option<String>,
    /// What became of it: a word, in capitals.
    pub(super) state: Option<String>,
    /// The network's code for why.
    pub(super) error: Option<String>,
    /// Whether id and state have the names that the specification gives them.
    pub(super) has_usual_names: bool,
}

/// Names of fields; the first one has priority, since some SMSCs send others as well.
const ID: [&str; 7] = ["id", "message_id", "messageid", "msg_id", "msgid", "sms_id", "smsid"];
const STATE: [&str; 9] = [
    "stat",
    "state",
    "status",
    "message_state",
    "messagestate",
    "message_status",
    "msg_state",
    "msg_status",
    "dlr_status",
];
/// Names that say that a number is one of `message_state` (SMPP 3.4, 5.2.28).
const STATE_NUMBER: [&str; 4] = ["state", "message_state", "messagestate", "msg_state"];
const ERROR: [&str; 8] =
    ["err", "error", "err_code", "errcode", "error_code", "errorcode", "reason_code", "network_error_code"];
/// Names of other fields, which can't be a value of one without a value.
const OTHERS: [&str; 8] = ["sub", "dlvrd", "submit", "done", "submit_date", "done_date", "date", "text"];

/// The value of a field and the rank of its name; lower ones go first.
type Found = Option<(usize, String)>;

/// Reads the fields. What follows `text:` is the message and no field.
pub(super) fn parse(text: &str) -> Fields {
    let (mut id, mut state, mut error): (Found, Found, Found) = (None, None, None);
    let mut from = 0;
    while let Some(mark) = text[from..].find([':', '=']).map(|at| from + at) {
        from = mark + 1;
        let names = names_before(&text[..mark]);
        if names[0] == "text" {
            break;
        }
        for (known, found) in [(&ID[..], &mut id), (&STATE, &mut state), (&ERROR, &mut error)] {
            let Some(rank) = known.iter().position(|name| names.iter().any(|written| written == name)) else {
                continue;
            };
            let value = value_behind(&text[from..]);
            if !value.is_empty() && found.as_ref().is_none_or(|(other, _)| rank < *other) {
                *found = Some((rank, value.to_owned()));
            }
        }
    }
    let is_usual = |found: &Found| matches!(found, Some((0, _)));
    Fields {
        has_usual_names: is_usual(&id) && is_usual(&state),
        id: id.map(|(_, id)| id),
        state: state.and_then(|(rank, state)| {
            let word = trimmed(&state)?.to_uppercase();
            let number = word.parse().ok().filter(|_| STATE_NUMBER.contains(&STATE[rank]));
            Some(number.and_then(meaning::word_of_state).map_or(word, ToOwned::to_owned))
        }),
        error: error.and_then(|(_, error)| trimmed(&error)),
    }
}

/// Without marks at its ends; `None` where nothing is left.
fn trimmed(value: &str) -> Option<String> {
    let value = value.trim_matches(|c: char| !c.is_alphanumeric());
    (!value.is_empty()).then(|| value.to_owned())
}

/// Between fields, or around their values.
fn is_mark(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "\"'`“”‘’,;|&<>()[]{}".contains(c)
}

fn is_in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The name that a text ends with, in lower case, and the same with the word before it.
fn names_before(text: &str) -> [String; 2] {
    let last_word = |text: &str| {
        let text = text.trim_end_matches(is_mark);
        let start = text.char_indices().rev().take_while(|(_, c)| is_in_name(*c)).last();
        let start = start.map_or(text.len(), |(start, _)| start);
        (start, text[start..].to_lowercase())
    };
    let (start, name) = last_word(text);
    let before = text[..start].trim_end_matches([' ', '-']);
    let pair = match before.len() < start {
        true => format!("{}_{name}", last_word(before).1),
        false => String::new(),
    };
    [name, pair]
}

/// The value that a text begins with; empty if the next field comes first.
fn value_behind(text: &str) -> &str {
    let text = text.trim_start_matches(is_mark);
    let end = text.find(is_mark).unwrap_or(text.len());
    let (value, rest) = text.split_at(end);
    // "submit date:" and "done date:" are the two names of two words that follow others.
    let is_name_of_two = matches!(&*value.to_lowercase(), "submit" | "done")
        && rest.trim_start().to_lowercase().starts_with("date");
    if is_name_of_two { "" } else { &value[..next_field(value)] }
}

/// Where in a value another field begins, as in `1/stat:DELIVRD`; its length if none does.
fn next_field(value: &str) -> usize {
    let mut from = 0;
    while let Some(mark) = value[from..].find([':', '=']).map(|at| from + at) {
        from = mark + 1;
        let name = &value[..mark];
        let start = name.char_indices().rev().take_while(|(_, c)| is_in_name(*c)).last();
        let start = start.map_or(name.len(), |(start, _)| start);
        let name = name[start..].to_lowercase();
        if [&ID[..], &STATE, &ERROR, &OTHERS].iter().any(|names| names.contains(&&*name)) {
            // With the mark before it.
            return value[..start].char_indices().next_back().map_or(0, |(at, _)| at);
        }
    }
    value.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(text: &str) -> [Option<String>; 3] {
        let Fields { id, state, error, .. } = parse(text);
        [id, state, error]
    }

    #[test]
    fn reads_what_smscs_write() {
        for (text, id, state, error) in [
            (
                "id:0123456789 sub:001 dlvrd:001 submit date:2603010915 done date:2603010916 stat:DELIVRD \
                 err:000 text:stat:REJECTD",
                "0123456789",
                "DELIVRD",
                "000",
            ),
            ("STAT:undeliv Err:1 ID:a-b", "a-b", "UNDELIV", "1"),
            ("paid:1 id:2 stat:X err:3", "2", "X", "3"),
            ("id:m1,sub:001,stat:DELIVRD,err:000", "m1", "DELIVRD", "000"),
            ("id:m1;sub:001;stat:DELIVRD;err:000;", "m1", "DELIVRD", "000"),
            ("id:m1|stat:DELIVRD|err:000|text:x", "m1", "DELIVRD", "000"),
            ("id:m1/stat:DELIVRD/err:000", "m1", "DELIVRD", "000"),
            ("id=m1&stat=DELIVRD&err=000", "m1", "DELIVRD", "000"),
            ("id: m1 stat: DELIVRD, err: 000.", "m1", "DELIVRD", "000"),
            ("id:'m1' stat:\"DELIVRD\" err:'1'", "m1", "DELIVRD", "1"),
            ("{\"id\": \"m1\", \"stat\": \"DELIVRD\", \"err\": 7}", "m1", "DELIVRD", "7"),
            ("id:m1\0stat:DELIVRD\0err:000\0", "m1", "DELIVRD", "000"),
            ("id:m1\r\nstate:DELIVRD\r\nerror:0", "m1", "DELIVRD", "0"),
            ("id : m1 stat = DELIVRD", "m1", "DELIVRD", ""),
            ("Message-ID:m1 message state:DELIVRD error code:5", "m1", "DELIVRD", "5"),
            ("id:m1 message_state:2 err_code:1", "m1", "DELIVRD", "1"),
            ("id:m1 stat:2", "m1", "2", ""),
            ("status:0 id:m1 stat:DELIVRD", "m1", "DELIVRD", ""),
            ("id:m1 stat:DELIVRD err: text:hello", "m1", "DELIVRD", ""),
            ("id:m1 stat:DELIVRD err: submit date:26 done date:27", "m1", "DELIVRD", ""),
            ("id: stat:DELIVRD err:", "", "DELIVRD", ""),
            ("context:5 id:m1 stat:DELIVRD", "m1", "DELIVRD", ""),
            ("id:a:b=c stat:DELIVRD", "a:b=c", "DELIVRD", ""),
            ("id:m1 stat:... err:--", "m1", "", ""),
            ("Text:id:m1 stat:DELIVRD", "", "", ""),
            ("hello", "", "", ""),
            ("id:", "", "", ""),
            ("", "", "", ""),
            ("ςid:1 é=: İid:2", "", "", ""),
        ] {
            let some = |value: &str| (!value.is_empty()).then(|| value.to_owned());
            assert_eq!(told(text), [some(id), some(state), some(error)], "{text}");
        }
        assert!(parse("id:1 stat:X").has_usual_names && !parse("id:1 status:X").has_usual_names);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[ -~\\PC]{0,80}", around in "(id|stat|err|text|submit|é|İ)?[:=]?") {
            let _ = parse(&format!("{around}{text}{around}:{text}"));
        }
    }
}
