//! What a phone number tells by itself.

use rlibphonenumber::PHONE_NUMBER_UTIL;

/// The ISO 3166-1 alpha-2 country of an E.164 number, where its prefix belongs to one.
pub fn country(number: &str) -> Option<String> {
    let parsed = PHONE_NUMBER_UTIL.parse(number, None).ok()?;
    let region = parsed.get_region_code()?.to_string();
    (region.len() == 2 && region != "ZZ").then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_countries() {
        assert_eq!(country("+306900000001").as_deref(), Some("GR"));
        assert_eq!(country("+442071838750").as_deref(), Some("GB"));
        assert_eq!(country("+99999999999"), None);
    }
}
