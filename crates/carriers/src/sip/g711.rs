//! G.711 (ITU-T G.711): A-law and µ-law.

use serde::Deserialize;

/// How a sample is coded in one octet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub(super) enum Law {
    /// µ-law, payload type 0 (RFC 3551, 6).
    Mu,
    /// A-law, payload type 8.
    A,
}

impl Law {
    pub(super) const fn payload_type(self) -> u8 {
        match self {
            Law::Mu => 0,
            Law::A => 8,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Law::Mu => "PCMU",
            Law::A => "PCMA",
        }
    }

    /// The octet of silence.
    pub(super) fn silence(self) -> u8 {
        self.encode(0)
    }

    pub(super) fn encode(self, sample: i16) -> u8 {
        match self {
            Law::Mu => encode_mu(sample),
            Law::A => encode_a(sample),
        }
    }

    pub(super) fn decode(self, octet: u8) -> i16 {
        match self {
            Law::Mu => decode_mu(octet),
            Law::A => decode_a(octet),
        }
    }
}

/// Added before the segment is found, so that segments are powers of two.
const MU_BIAS: i32 = 0x84;
const MU_MAX: i32 = 32_635;

fn encode_mu(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(MU_MAX) + MU_BIAS;
    let segment = 24 - magnitude.leading_zeros() as i32;
    let mantissa = magnitude >> (segment + 3) & 0x0f;
    !(sign | segment << 4 | mantissa) as u8
}

fn decode_mu(octet: u8) -> i16 {
    let octet = i32::from(!octet);
    let magnitude = (((octet & 0x0f) << 3) + MU_BIAS) << (octet >> 4 & 7);
    let sample = magnitude - MU_BIAS;
    (if octet & 0x80 != 0 { -sample } else { sample }) as i16
}

fn encode_a(sample: i16) -> u8 {
    // Even bits are inverted; the sign bit is set for what is not negative.
    let (mask, magnitude) = if sample >= 0 { (0xd5, sample >> 3) } else { (0x55, -(sample + 1) >> 3) };
    let magnitude = i32::from(magnitude);
    let code = if magnitude < 32 {
        magnitude >> 1
    } else {
        let segment = 27 - magnitude.leading_zeros() as i32;
        segment << 4 | magnitude >> segment & 0x0f
    };
    (code ^ mask) as u8
}

fn decode_a(octet: u8) -> i16 {
    let octet = i32::from(octet ^ 0x55);
    let (segment, mantissa) = (octet >> 4 & 7, (octet & 0x0f) << 4);
    let magnitude = match segment {
        0 => mantissa + 8,
        _ => (mantissa + 0x108) << (segment - 1),
    };
    (if octet & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_comes_back() {
        for octet in 0..=255u8 {
            assert_eq!(encode_a(decode_a(octet)), octet);
            // µ-law has two zeros.
            if octet != 0x7f {
                assert_eq!(encode_mu(decode_mu(octet)), octet, "{octet:02x}");
            }
        }
    }

    #[test]
    fn samples_keep_their_value_within_a_step() {
        for law in [Law::Mu, Law::A] {
            for sample in (-32_768..=32_767).step_by(7) {
                let heard = i32::from(law.decode(law.encode(sample as i16)));
                // A step is a sixteenth of its segment, and the quietest ones are 8 and 16 wide.
                let step = 16.max(i32::from(sample as i16).abs() / 16);
                assert!((heard - sample).abs() <= step + 130 / 16, "{law:?} {sample} {heard}");
            }
        }
        // The table of the recommendation: full scale, and silence.
        assert_eq!((encode_mu(0), encode_a(0)), (0xff, 0xd5));
        assert_eq!((decode_mu(0x80), decode_a(0xaa)), (32_124, 32_256));
    }
}
