//! Who takes part: applications, targets of callbacks, channels, and when.

use flow::Channel;

/// The application whose promises are checked.
pub const APPLICATION: &str = "5c0ffee0aa11bb22cc33dd44";
/// The other application, that takes what it can.
pub const HOSTILE: &str = "5c0ffee0aa11bb22cc33dd55";
/// What the application may spend.
pub const BALANCE: &str = "1000";
/// The host of a target that hangs during an outage.
pub const HANGING: &str = "hanging";
/// What the hosts of the hostile application's targets begin with.
pub const HOSTILE_HOST: &str = "hostile";
/// Flows are sent within this time from the start, milliseconds.
pub const SENDING_MS: i64 = 1_800_000;
/// The channels that clients send over. The simulation knows by itself what is right on each of them.
pub const CHANNELS: [Channel; 3] = [Channel::Sms, Channel::Viber, Channel::Voice];
