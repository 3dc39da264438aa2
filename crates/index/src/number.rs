//! Phone numbers as integers: the fifteen digits of E.164 fit into 60 bits, in the order of their texts.

/// Most digits of a number.
pub(crate) const DIGITS: usize = 15;

/// The bits of a number; every number is below it.
pub(crate) const LIMIT: u64 = 1 << (4 * DIGITS);

/// `+` and 1 to 15 digits as an integer: digit `i`, plus one, in the nibble `14 - i`; zeros behind the last.
pub(crate) fn pack(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('+')?;
    if digits.is_empty() { None } else { pack_digits(digits) }
}

/// At most 15 digits, without a plus.
pub(crate) fn pack_digits(digits: &str) -> Option<u64> {
    if digits.len() > DIGITS || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let nibbles = digits.bytes().enumerate();
    Some(nibbles.fold(0, |number, (i, digit)| number | u64::from(digit - b'0' + 1) << shift(i)))
}

/// The text of a number.
pub(crate) fn unpack(number: u64) -> String {
    let digits = (0..len(number)).map(|i| char::from(b'0' + nibble(number, i) - 1));
    std::iter::once('+').chain(digits).collect()
}

const fn shift(at: usize) -> u32 {
    4 * (DIGITS - 1 - at) as u32
}

/// Digit `at` plus one; 0 behind the last.
pub(crate) const fn nibble(number: u64, at: usize) -> u8 {
    if at < DIGITS { (number >> shift(at)) as u8 & 15 } else { 0 }
}

/// How many digits it has.
pub(crate) const fn len(number: u64) -> usize {
    DIGITS.saturating_sub(number.trailing_zeros() as usize / 4)
}

/// Its digits from the last to the first.
pub(crate) fn reversed(number: u64) -> u64 {
    // Swap nibbles of each octet, then octets: the nibble above the number comes to the end and is shifted
    // out.
    let swapped = (number & 0x0f0f_0f0f_0f0f_0f0f) << 4 | (number >> 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let all = swapped.swap_bytes() >> 4;
    all << (4 * (DIGITS - len(number))) & (LIMIT - 1)
}

/// Some digits to look for, as [`pack_digits`] has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pattern {
    packed: u64,
    pub(crate) len: usize,
}

impl Pattern {
    /// At most 15 digits.
    pub(crate) fn new(digits: &str) -> Option<Pattern> {
        Some(Pattern { packed: pack_digits(digits)?, len: digits.len() })
    }

    /// Digit `at` plus one.
    pub(crate) const fn nibble(&self, at: usize) -> u8 {
        nibble(self.packed, at)
    }

    const fn starts(&self, number: u64) -> bool {
        self.len == 0 || (number ^ self.packed) >> shift(self.len - 1) == 0
    }

    /// The numbers that start with it: from the first to before the second.
    pub(crate) const fn range(&self) -> (u64, u64) {
        if self.len == 0 { (0, LIMIT) } else { (self.packed, self.packed + (1 << shift(self.len - 1))) }
    }

    /// It from the last digit to the first.
    pub(crate) fn reversed(&self) -> Pattern {
        Pattern { packed: reversed(self.packed), len: self.len }
    }
}

/// What a filter asks of a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NumberTest {
    Never,
    Always,
    Is(u64),
    Prefix(Pattern),
    Suffix(Pattern),
    Inside(Pattern),
}

impl NumberTest {
    pub(crate) fn holds(&self, number: u64) -> bool {
        let length = len(number);
        match self {
            NumberTest::Never => false,
            NumberTest::Always => true,
            NumberTest::Is(known) => *known == number,
            NumberTest::Prefix(pattern) => pattern.starts(number),
            NumberTest::Suffix(pattern) => {
                length >= pattern.len
                    && number << (4 * (length - pattern.len)) & (LIMIT - 1) == pattern.packed
            }
            NumberTest::Inside(pattern) => length
                .checked_sub(pattern.len)
                .is_some_and(|last| (0..=last).any(|at| pattern.starts(number << (4 * at) & (LIMIT - 1)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_keep_their_order() {
        let mut texts = ["+0", "+00", "+1", "+10", "+123456789012345", "+30690", "+3069", "+9"];
        texts.sort_unstable();
        let numbers: Vec<u64> = texts.iter().map(|text| pack(text).unwrap()).collect();
        assert!(numbers.is_sorted());
        for (text, number) in texts.iter().zip(numbers) {
            assert_eq!(unpack(number), *text);
            let backwards: String = text[1..].chars().rev().collect();
            assert_eq!(reversed(number), pack_digits(&backwards).unwrap(), "{text}");
        }
        for no_number in ["", "+", "306", "+30a", "+1234567890123456", "sip:a@b"] {
            assert_eq!(pack(no_number), None, "{no_number}");
        }
    }
    #[test]
    fn a_test_holds_where_it_holds_for_the_digits() {
        let mut random = fastrand::Rng::with_seed(1);
        let digits = |random: &mut fastrand::Rng, len: usize| -> String {
            (0..len).map(|_| char::from(b'0' + random.u8(0..3))).collect()
        };
        for _ in 0..20_000 {
            let len = random.usize(1..=DIGITS);
            let number = digits(&mut random, len);
            let most = if random.bool() { 3 } else { DIGITS };
            let len = random.usize(0..=most);
            let part = match random.u8(0..4) {
                0 => number[..len.min(number.len())].to_owned(),
                1 => number[number.len() - len.min(number.len())..].to_owned(),
                _ => digits(&mut random, len),
            };
            let (packed, pattern) = (pack_digits(&number).unwrap(), Pattern::new(&part).unwrap());
            assert_eq!(
                NumberTest::Prefix(pattern).holds(packed),
                number.starts_with(&part),
                "{number} {part}"
            );
            assert_eq!(NumberTest::Suffix(pattern).holds(packed), number.ends_with(&part), "{number} {part}");
            assert_eq!(NumberTest::Inside(pattern).holds(packed), number.contains(&part), "{number} {part}");
            let (from, until) = pattern.range();
            assert_eq!((from..until).contains(&packed), number.starts_with(&part), "{number} {part}");
            let backwards: String = part.chars().rev().collect();
            assert_eq!(pattern.reversed(), Pattern::new(&backwards).unwrap());
        }
        assert!(NumberTest::Always.holds(1) && !NumberTest::Never.holds(1));
        let known = pack("+12").unwrap();
        assert!(NumberTest::Is(known).holds(known) && !NumberTest::Is(known).holds(known + 1));
    }
}
