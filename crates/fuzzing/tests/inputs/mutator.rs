//! Makes inputs of seeds.

use fastrand::Rng;

/// The longest input, as `cargo xtask fuzz` has it.
const LENGTH_MAX: usize = 4096;
/// The longest input that is made of nothing.
const FRESH_MAX: usize = 256;

/// Numbers at the ends of what fits: written as octets they are lengths and counts.
const NUMBERS: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    i64::MAX as u64,
    u64::MAX,
];

/// What means something in one format or another.
const WORDS: [&[u8]; 28] = [
    b"\0",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\xff",
    b"\x7f",
    b"\xc3\xa9",
    b"\xed\xa0\x80",
    b"\xe2\x80\xae",
    b"\"",
    b"'",
    b"\\",
    b"\\u0000",
    b"%00",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"=",
    b"-1",
    b"1e999",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"\"\"",
];

/// Makes inputs of seeds, the same ones each time.
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    random: Rng,
}

impl Mutator {
    pub fn new(seeds: Vec<Vec<u8>>, start: u64) -> Mutator {
        Mutator { seeds, random: Rng::with_seed(start) }
    }

    /// The next input: a seed that was changed in one place or in some.
    pub fn next(&mut self) -> Vec<u8> {
        let mut input = self.seed();
        for _ in 0..1usize << self.random.usize(..4) {
            self.change(&mut input);
        }
        input.truncate(LENGTH_MAX);
        input
    }

    /// A seed, sometimes or without seeds octets that are drawn.
    fn seed(&mut self) -> Vec<u8> {
        if self.random.u8(..16) > 0
            && let Some(seed) = self.random.choice(&self.seeds)
        {
            return seed.clone();
        }
        let length = self.random.usize(..FRESH_MAX);
        (0..length).map(|_| self.random.u8(..)).collect()
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.random.usize(..=input.len());
        let end = (at + self.length()).min(input.len());
        match self.random.u8(..9) {
            0 => {
                if let Some(octet) = input.get_mut(at) {
                    *octet ^= 1 << self.random.u8(..8);
                }
            }
            1 => {
                if let Some(octet) = input.get_mut(at) {
                    *octet = self.random.u8(..);
                }
            }
            2 => {
                input.drain(at..end);
            }
            3 => input.truncate(at),
            4 => {
                let word = self.random.choice(WORDS).unwrap_or_default();
                // In the place of something, or between.
                let end = if self.random.bool() { end.min(at + word.len()) } else { at };
                input.splice(at..end, word.iter().copied());
            }
            5 => self.put_number(input, at),
            6 => self.put_decimal(input, at),
            7 => {
                let most = (LENGTH_MAX / (end - at).max(1)).min(1 << self.random.usize(..8));
                let again = input[at..end].repeat(most);
                let to = self.random.usize(..=input.len());
                input.splice(to..to, again);
            }
            _ => {
                let other = self.seed();
                let from = self.random.usize(..=other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
    }

    /// How long a range is: mostly some octets.
    fn length(&mut self) -> usize {
        let most = 1 << self.random.usize(..8);
        self.random.usize(1..=most)
    }

    /// Puts a number of one to eight octets in the place of others.
    fn put_number(&mut self, input: &mut [u8], at: usize) {
        let number = NUMBERS[self.random.usize(..NUMBERS.len())].wrapping_add(self.random.u64(..3));
        let width = 1 << self.random.usize(..4);
        let octets = if self.random.bool() {
            number.to_be_bytes()[8 - width..].to_vec()
        } else {
            number.to_le_bytes()[..width].to_vec()
        };
        for (octet, new) in input.iter_mut().skip(at).zip(octets) {
            *octet = new;
        }
    }

    /// Puts another number in the place of the next one that is written in digits.
    fn put_decimal(&mut self, input: &mut Vec<u8>, at: usize) {
        let Some(start) = input.iter().skip(at).position(u8::is_ascii_digit) else { return };
        let start = at + start;
        let digits = input[start..].iter().take_while(|octet| octet.is_ascii_digit()).count();
        let number = NUMBERS[self.random.usize(..NUMBERS.len())].wrapping_add(self.random.u64(..3));
        input.splice(start..start + digits, number.to_string().into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const SEED: &[u8] = br#"{"to": "+306900000001", "ttl": 60, "text": "Your parcel is here"}"#;
    const OTHER: &[u8] = b"id:42 sub:001 dlvrd:001 stat:DELIVRD err:000";

    fn made(seeds: &[&[u8]], count: usize) -> Vec<Vec<u8>> {
        let mut mutator = Mutator::new(seeds.iter().map(|seed| seed.to_vec()).collect(), 7);
        (0..count).map(|_| mutator.next()).collect()
    }

    #[test]
    fn inputs_are_the_same_each_time_and_differ_from_one_another() {
        let inputs = made(&[SEED, OTHER], 1000);
        assert_eq!(inputs, made(&[SEED, OTHER], 1000));
        let different: BTreeSet<_> = inputs.iter().collect();
        assert!(different.len() > 900, "{}", different.len());
        assert!(inputs.iter().all(|input| input.len() <= LENGTH_MAX));
    }

    #[test]
    fn every_kind_of_change_is_made() {
        let inputs = made(&[SEED, OTHER], 5000);
        let any = |what: &str, is: &dyn Fn(&[u8]) -> bool| {
            assert!(inputs.iter().any(|input| is(input)), "no input {what}");
        };
        let has = |input: &[u8], part: &[u8]| input.windows(part.len()).any(|window| window == part);
        any("is empty", &<[u8]>::is_empty);
        any("is cut", &|input| !input.is_empty() && input.len() < SEED.len() && SEED.starts_with(input));
        any("lacks a range", &|input| {
            input.len() < SEED.len() && input.starts_with(&SEED[..8]) && input.ends_with(&SEED[50..])
        });
        any("has another bit", &|input| {
            let bits = input.iter().zip(SEED).map(|(octet, old)| (octet ^ old).count_ones());
            input.len() == SEED.len() && bits.sum::<u32>() == 1
        });
        any("is of two seeds", &|input| input.starts_with(&SEED[..8]) && input.ends_with(&OTHER[40..]));
        any("has a range again and again", &|input| input.len() > 1000);
        any("has a word put in", &|input| has(input, b"1e999"));
        any("has a number of octets", &|input| has(input, &i32::MAX.to_be_bytes()));
        any("has another number in digits", &|input| {
            let digits = input.get(31..36).is_some_and(|digits| digits.iter().all(u8::is_ascii_digit));
            digits && input.starts_with(&SEED[..31])
        });
        any("is made of nothing", &|input| {
            !input.is_empty() && !SEED.contains(&input[0]) && !OTHER.contains(&input[0])
        });
    }

    #[test]
    fn without_seeds_octets_are_drawn() {
        let octets: BTreeSet<u8> = made(&[], 100).concat().into_iter().collect();
        assert_eq!(octets.len(), 256);
    }
}
