//! What a case is made of.

use super::peers::Peers;
use super::stage::{Attack, Finding, Stage, sandbox};

/// Resident memory of the server, MiB.
const MEMORY_MAX_MIB: u64 = 400;

/// One attack.
pub struct Case {
    /// What `--case` chooses it by.
    pub name: &'static str,
    /// In a few words.
    pub about: &'static str,
    /// The server's configuration.
    pub config: fn(&Peers) -> anyhow::Result<String>,
    /// What a shell does before it becomes the server.
    pub limits: &'static str,
    /// Messages a second of the other application.
    pub rate: f64,
    /// The server may take this much memory before it is killed, MiB.
    pub guard_mib: u64,
    /// The server may take this much without a fault, MiB.
    pub memory_max_mib: u64,
    /// Whether what is prepared is the attack itself, so that the other application is measured before it.
    pub prepare_is_attack: bool,
    /// Prepares what is there before the attack; it is told how many flows searches are to go through.
    pub prepare: fn(&mut Stage, usize) -> anyhow::Result<()>,
    /// The attack; it ends soon after [`Attack::over`].
    pub attack: fn(&Attack<'_>) -> anyhow::Result<Finding>,
}

impl Case {
    /// A case with the sandbox for all channels and nothing special.
    pub const fn new(
        name: &'static str,
        about: &'static str,
        attack: fn(&Attack<'_>) -> anyhow::Result<Finding>,
    ) -> Case {
        Case {
            name,
            about,
            config: |_| Ok(sandbox()),
            limits: "ulimit -S -n 1024",
            rate: 100.0,
            guard_mib: 3072,
            memory_max_mib: MEMORY_MAX_MIB,
            prepare_is_attack: false,
            prepare: |_, _| Ok(()),
            attack,
        }
    }
}
