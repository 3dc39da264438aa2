//! The flows that are searched.

use flow::{Channel, ChannelSet, Facets, FlowKind, FlowStatus};
use uuid::Uuid;

pub const DAY_MS: i64 = 86_400_000;
pub const DAYS: i64 = 90;
pub const START_MS: i64 = 1_700_000_000_000;
pub const APPLICATIONS: usize = 20;
/// Of every hundred flows, those of the largest application.
const LARGEST_PERCENT: u64 = 40;

/// A flow.
pub struct Generated {
    pub application: usize,
    pub created_ms: i64,
    pub id: Uuid,
    pub facets: Facets,
}

/// Makes the same flows every time: 90 days with a daily cycle, equal timestamps, 0.5 % open flows, and
/// recipients of which a few get much (the density falls with the square root of the rank).
pub struct Generator {
    random: fastrand::Rng,
    numbers: u64,
    flows: u64,
    made: u64,
}

impl Generator {
    pub fn new(flows: u64, numbers: u64) -> Generator {
        Generator { random: fastrand::Rng::with_seed(1), numbers, flows, made: 0 }
    }

    /// The recipient with a rank; low ranks get much.
    pub fn number(rank: u64) -> String {
        // Spread over the digits, one to one: the factor is odd and no multiple of 5.
        let digits = rank.wrapping_mul(48_271) % 100_000_000;
        match rank % 4 {
            0 | 1 => format!("+3069{digits:08}"),
            2 => format!("+4477{digits:08}"),
            _ => format!("+1212{digits:08}"),
        }
    }

    fn rank(&mut self) -> u64 {
        let u = self.random.f64();
        ((u * u) * self.numbers as f64) as u64
    }
}

impl Iterator for Generator {
    type Item = Generated;

    fn next(&mut self) -> Option<Generated> {
        if self.made == self.flows {
            return None;
        }
        // Days with more flows at noon than at night.
        let position = self.made as f64 / self.flows as f64 * DAYS as f64;
        let day = position.floor();
        let within = position - day;
        let shaped = within - (within * std::f64::consts::TAU).sin() / 12.0;
        let created_ms = START_MS + ((day + shaped) * DAY_MS as f64) as i64;
        self.made += 1;
        let application =
            if self.random.u64(0..100) < LARGEST_PERCENT { 0 } else { self.random.usize(1..APPLICATIONS) };
        let course = self.random.u32(0..1000);
        let (status, termination, types): (_, _, &[Channel]) = match course {
            0..5 => (FlowStatus::InProgress, None, &[Channel::Viber]),
            5..500 => (FlowStatus::Succeeded, Some(Channel::Viber), &[Channel::Viber]),
            500..800 => (FlowStatus::Succeeded, Some(Channel::Sms), &[Channel::Viber, Channel::Sms]),
            800..930 => (FlowStatus::Succeeded, Some(Channel::Sms), &[Channel::Sms]),
            930..970 => (FlowStatus::Failed, Some(Channel::Sms), &[Channel::Viber, Channel::Sms]),
            970..990 => {
                (FlowStatus::Succeeded, Some(Channel::Voice), &[Channel::Viber, Channel::Sms, Channel::Voice])
            }
            _ => (FlowStatus::Failed, Some(Channel::Voice), &[Channel::Viber, Channel::Sms, Channel::Voice]),
        };
        let facets = Facets {
            kind: FlowKind::Plain,
            status,
            termination,
            types: types.iter().fold(ChannelSet::default(), |set, &channel| set.with(channel)),
            recipients: [Generator::number(self.rank()).into_boxed_str()].into(),
        };
        let random = self.random.u128(..).to_be_bytes();
        let random = random[..10].try_into().unwrap_or_default();
        let id = uuid::Builder::from_unix_timestamp_millis(created_ms.unsigned_abs(), &random).into_uuid();
        Some(Generated { application, created_ms, id, facets })
    }
}

/// The id of an application.
pub fn application(number: usize) -> String {
    format!("application{number:02}")
}
