//! What a phone number tells by itself.

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat};

/// Digits of the longest calling code (ITU-T E.164, section 6.2.1). No code is the beginning of another one.
const CALLING_CODE_MAX: usize = 3;

/// The ISO 3166-1 alpha-2 country of an E.164 number, where its prefix belongs to one.
pub fn country(number: &str) -> Option<String> {
    let region = match only_country(number) {
        Some(region) => region,
        // Several countries share the calling code: the national number tells which one it is.
        None => PHONE_NUMBER_UTIL.parse(number, None).ok()?.get_region_code()?.to_string(),
    };
    (region.len() == 2 && region != "ZZ").then_some(region)
}

/// A number that is written as people of a country (ISO 3166-1 alpha-2) write it, in E.164; `None` if it is
/// no number that could be given out there.
pub(crate) fn national_number(text: &str, country: &str) -> Option<String> {
    let number = PHONE_NUMBER_UTIL.parse(text, Some(country.parse().ok()?)).ok()?;
    number.is_valid().then(|| number.format_as(PhoneNumberFormat::E164).to_string())
}

/// Whether an E.164 number is one that could be given out.
pub(crate) fn is_valid(number: &str) -> bool {
    PHONE_NUMBER_UTIL.parse(number, None).is_ok_and(|read| read.is_valid() && is_written_so(&read, number))
}

/// Whether an E.164 number has a length that its calling code has: ranges are given out that the library does
/// not know yet. A zero behind the code is in none of them, but for those that are valid.
pub(crate) fn is_plausible(number: &str) -> bool {
    let Ok(read) = PHONE_NUMBER_UTIL.parse(number, None) else { return false };
    let is_possible =
        read.is_possible_with_reason().is_ok_and(|length| length == NumberLengthType::IsPossible);
    is_possible && is_written_so(&read, number) && !read.get_national_significant_number().starts_with('0')
}

/// Whether a number was read with every digit that it has: the library leaves out trunk prefixes.
fn is_written_so(read: &PhoneNumber, number: &str) -> bool {
    read.format_as(PhoneNumberFormat::E164) == number
}

/// The country of a number whose calling code belongs to one alone, as most do. Parsing the number would take
/// far longer.
fn only_country(number: &str) -> Option<String> {
    let digits = number.strip_prefix('+')?;
    let codes = (1..=CALLING_CODE_MAX).filter_map(|length| digits.get(..length)?.parse().ok());
    let mut regions = codes
        .filter_map(|code| PHONE_NUMBER_UTIL.get_regions_for_country_calling_code(code))
        .next()
        .filter(|regions| regions.len() == 1)?;
    regions.next().map(|region| region.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rlibphonenumber::PhoneNumberType;

    #[test]
    fn numbers_have_countries() {
        assert_eq!(country("+306900000001").as_deref(), Some("GR"));
        assert_eq!(country("+442071838750").as_deref(), Some("GB"));
        assert_eq!(country("+12025550123").as_deref(), Some("US"));
        assert_eq!(country("+14165550123").as_deref(), Some("CA"));
        for none in ["+99999999999", "+80012345678", "+", "", "+3", "306900000001", "+éé"] {
            assert_eq!(country(none), None, "{none}");
        }
    }

    #[test]
    fn a_number_is_read_as_its_country_writes_it() {
        let greek = Some("+306900000010".to_owned());
        for text in ["6900000010", "690 000 0010", "+30 690 0000010", "0030 6900000010"] {
            assert_eq!(national_number(text, "GR"), greek, "{text}");
        }
        assert_eq!(national_number("07400 123456", "GB").as_deref(), Some("+447400123456"));
        for none in ["", "12", "hello", "0000000000", "+", "6900000010000000000"] {
            assert_eq!(national_number(none, "GR"), None, "{none}");
        }
        assert_eq!(national_number("6900000010", "no country"), None);
    }

    #[test]
    fn every_country_has_its_numbers() {
        for region in PHONE_NUMBER_UTIL.get_supported_regions() {
            let kind = PhoneNumberType::Mobile;
            let Ok(example) = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, kind) else {
                continue;
            };
            let number = example.format_as(PhoneNumberFormat::E164).to_string();
            let parsed = PHONE_NUMBER_UTIL.parse(&number, None).unwrap();
            assert_eq!(
                country(&number),
                parsed.get_region_code().map(|region| region.to_string()),
                "{number}"
            );
        }
    }
}
