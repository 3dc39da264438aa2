//! Carriers that are paused, resumed and drained.

use crate::config::is_name;
use store::{Admin, Halt, HaltedCarrier, StoreError};

/// The longest name of a carrier that is remembered, octets.
const NAME_MAX: usize = 255;

/// Why a carrier is not paused, drained or resumed.
#[derive(Debug, thiserror::Error)]
pub enum CarrierError {
    /// The configuration has no such carrier.
    #[error("there is no carrier \"{name}\": the configuration has {known}")]
    Unknown {
        /// The name.
        name: String,
        /// The carriers that there are.
        known: String,
    },
    /// No carrier can have this name.
    #[error("a carrier's name has letters, digits, \"-\", \"_\" and \".\": \"{0}\" is none")]
    Name(String),
    /// The carrier is not halted.
    #[error("carrier {0} is neither paused nor drained")]
    Running(String),
    /// Without a configuration, nobody knows which carriers there are.
    #[error("which carriers there are is known by the configuration alone")]
    NoConfiguration,
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which carriers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Which {
    /// One.
    Named(String),
    /// Every one that is configured; to be resumed, every one that is halted.
    All,
}

/// The carriers of an installation.
pub struct Carriers<'a> {
    admin: &'a dyn Admin,
    /// Their configured names, where the configuration is known.
    configured: Option<Vec<String>>,
}

impl<'a> Carriers<'a> {
    /// Those with these names; `None` where the configuration is not known: then any name may be one.
    pub fn new(admin: &'a dyn Admin, configured: Option<Vec<String>>) -> Carriers<'a> {
        Carriers { admin, configured }
    }

    /// Lets a server, the running one or the next, hand nothing new to carriers. What is under way is
    /// finished, receipts still come in, and their messages go to other carriers or wait. Returns the names.
    ///
    /// # Errors
    /// [`CarrierError::Unknown`]; [`CarrierError::Name`]; [`CarrierError::NoConfiguration`];
    /// [`CarrierError::Store`].
    pub async fn halt(
        &self,
        which: Which,
        halt: Halt,
        by: &str,
        now_ms: i64,
    ) -> Result<Vec<String>, CarrierError> {
        let names = match which {
            Which::Named(name) => vec![self.known(name)?],
            Which::All => self.configured.clone().ok_or(CarrierError::NoConfiguration)?,
        };
        let halted = |name: &String| HaltedCarrier {
            carrier: name.clone(),
            halt,
            since_ms: now_ms,
            by: by.to_owned(),
        };
        self.admin.halt_carriers(&names.iter().map(halted).collect::<Vec<_>>()).await?;
        Ok(names)
    }

    /// Lets carriers run again; returns how many were halted.
    ///
    /// # Errors
    /// [`CarrierError::Name`]; [`CarrierError::Running`]; [`CarrierError::Store`].
    pub async fn resume(&self, which: Which) -> Result<usize, CarrierError> {
        match which {
            Which::All => Ok(self.admin.resume_carriers(None).await?),
            Which::Named(name) if !is_name(&name) => Err(CarrierError::Name(name)),
            Which::Named(name) => match self.admin.resume_carriers(Some(&name)).await? {
                0 => Err(CarrierError::Running(name)),
                resumed => Ok(resumed),
            },
        }
    }

    /// Every carrier that is configured or halted, by name, with its halt.
    ///
    /// # Errors
    /// [`CarrierError::Store`].
    pub async fn list(&self) -> Result<Vec<(String, Option<HaltedCarrier>)>, CarrierError> {
        let halted = self.admin.halted_carriers().await?;
        let is_halted = |name: &String| halted.iter().any(|halted| halted.carrier == *name);
        let running = self.configured.iter().flatten().filter(|name| !is_halted(name)).cloned();
        let mut all: Vec<_> = running.map(|name| (name, None)).collect();
        all.extend(halted.iter().map(|halted| (halted.carrier.clone(), Some(halted.clone()))));
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(all)
    }

    /// A name that a carrier has, as far as that is known.
    fn known(&self, name: String) -> Result<String, CarrierError> {
        match &self.configured {
            _ if !is_name(&name) || name.len() > NAME_MAX => Err(CarrierError::Name(name)),
            Some(configured) if !configured.contains(&name) => {
                Err(CarrierError::Unknown { name, known: configured.join(", ") })
            }
            _ => Ok(name),
        }
    }
}
