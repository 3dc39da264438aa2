//! What a client wants to be answered with: `Accept` (RFC 9110, 12.5.1).

use axum::http::{HeaderMap, header};

/// The first of the offered media types that the client likes best. Without a header, or where it takes none
/// of them, that is the first of all.
pub fn preferred<'a>(headers: &HeaderMap, offered: &[&'a str]) -> Option<&'a str> {
    let texts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<Range> = texts.flat_map(|text| text.split(',')).filter_map(Range::read).collect();
    let weight = |media_type: &str| {
        let matching = ranges.iter().filter_map(|range| Some((range.matches(media_type)?, range.weight)));
        matching.max_by_key(|(exactness, _)| *exactness).map_or(0, |(_, weight)| weight)
    };
    // `max_by_key` would answer the last one of equals.
    let best = offered.iter().copied().map(|media_type| (weight(media_type), media_type));
    let best = best.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map(|(_, media_type)| media_type)
}

/// A media range.
struct Range {
    /// In lower case.
    media_type: String,
    subtype: String,
    /// In thousandths.
    weight: u16,
}

impl Range {
    fn read(text: &str) -> Option<Range> {
        let mut pieces = text.split(';').map(|piece| piece.trim().to_ascii_lowercase());
        let essence = pieces.next()?;
        let (media_type, subtype) = essence.split_once('/')?;
        let weight = pieces.find_map(|piece| piece.strip_prefix("q=").map(str::to_owned));
        let weight = match weight {
            None => 1000,
            // What is no weight asks for nothing.
            Some(text) => (text.parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q))? * 1000.0) as u16,
        };
        Some(Range { media_type: media_type.to_owned(), subtype: subtype.to_owned(), weight })
    }

    /// How exactly it names a media type, where it does.
    fn matches(&self, media_type: &str) -> Option<u8> {
        let (of, sub) = media_type.split_once('/')?;
        match (self.media_type.as_str(), self.subtype.as_str()) {
            ("*", "*") => Some(0),
            (own, "*") if own == of => Some(1),
            (own, subtype) if own == of && subtype == sub => Some(2),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_is_read_with_its_weights() {
        const OFFERED: [&str; 3] = ["application/json", "application/x-ndjson", "text/csv"];
        let best = |accept: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(header::ACCEPT, value.parse().unwrap());
            }
            preferred(&headers, &OFFERED).unwrap()
        };
        for (accept, expected) in [
            (&[][..], "application/json"),
            (&["application/json, text/csv;q=0.1"], "application/json"),
            (&["text/csv;q=0"], "application/json"),
            (&["text/csv"], "text/csv"),
            (&["Text/CSV; charset=utf-8"], "text/csv"),
            (&["text/csv;q=0.5, application/x-ndjson;q=0.6"], "application/x-ndjson"),
            (&["text/csv, application/x-ndjson, application/json"], "application/json"),
            (&["*/*"], "application/json"),
            (&["*/*, text/csv;q=0.9"], "application/json"),
            (&["*/*;q=0.1", "text/csv"], "text/csv"),
            (&["text/*, application/*;q=0.2"], "text/csv"),
            (&["application/json;q=0, */*"], "application/x-ndjson"),
            (&["text/csv;q=2, nonsense, /"], "application/json"),
            (&["image/png"], "application/json"),
        ] {
            assert_eq!(best(accept), expected, "{accept:?}");
        }
    }
}
