//! Media types of `Content-Type`, as peers write them: in any case, with any parameters (RFC 9110, 8.3.1). No
//! kept parser is used, since those refuse the whole value for one parameter that is not well formed.

/// Returns whether the value of a `Content-Type` has the media type `expected`.
pub(crate) fn is(content_type: &str, expected: &str) -> bool {
    let media_type = content_type.split_once(';').map_or(content_type, |(media_type, _)| media_type);
    media_type.trim().eq_ignore_ascii_case(expected)
}
