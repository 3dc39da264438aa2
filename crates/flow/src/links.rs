//! Links in a text.

/// Replaces every http(s) link by what `short` answers for it. A link ends at white space; marks that close a
/// sentence around it do not belong to it.
pub fn replace(text: &str, mut short: impl FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = next_link(rest) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c: char| c.is_whitespace() || c.is_control()).unwrap_or(from.len());
        let link = from[..end]
            .trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '>', '"', '\'', '»', '”']);
        out.push_str(before);
        if link.ends_with("://") {
            // A scheme and nothing behind it.
            out.push_str(link);
        } else {
            out.push_str(&short(link));
        }
        rest = &from[link.len()..];
    }
    out.push_str(rest);
    out
}

fn next_link(text: &str) -> Option<usize> {
    let starts = |(at, _): &(usize, &str)| {
        let from = &text.as_bytes()[*at..];
        ["http://", "https://"].iter().any(|scheme| {
            from.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme.as_bytes()))
        })
    };
    text.match_indices(['h', 'H']).find(starts).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn links_end_where_people_see_them_end() {
        let mut seen = Vec::new();
        let text = "See https://a.example/x?y=1, (HTTP://b.example) or http://c.example/. https:// is none";
        let replaced = replace(text, |link| {
            seen.push(link.to_owned());
            format!("<{}>", seen.len())
        });
        assert_eq!(seen, ["https://a.example/x?y=1", "HTTP://b.example", "http://c.example/"]);
        assert_eq!(replaced, "See <1>, (<2>) or <3>. https:// is none");
    }

    proptest! {
        #[test]
        fn replacing_by_itself_changes_nothing(text in "(http://|https://|[ a-zé.,:/]){0,12}") {
            prop_assert_eq!(replace(&text, str::to_owned), text);
        }
    }
}
