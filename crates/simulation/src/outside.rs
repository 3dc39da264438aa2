//! The outside of a server: its carriers and the target of its callbacks, in a world.

use crate::bug::Bug;
use crate::carrier::SimulatedCarrier;
use crate::faults::Forgetful;
use crate::smsc::SimulatedSmsc;
use crate::target::SimulatedTarget;
use crate::world::World;
use async_trait::async_trait;
use carriers::{Carrier, CarrierSink, Smpp, SmppConfig};
use engine::callbacks::Post;
use engine::outside::{Outside, SetupError};
use flow::Channel;
use serde_json::json;
use server::config::{CallbackConfig, CarrierConfig, UnknownSubmit};
use std::sync::Arc;

/// The outside of a server in a world.
pub struct Simulated {
    pub world: Arc<World>,
    /// The bug that is planted.
    pub bug: Option<Bug>,
}

impl Simulated {
    /// The real SMPP carrier, bound to an SMSC of the world.
    fn smpp(&self, name: &str, sink: Arc<dyn CarrierSink>) -> anyhow::Result<Smpp> {
        let account = json!({"host": name, "system_id": "simulated", "password": ""});
        let config: SmppConfig = serde_json::from_value(account)?;
        let smsc = SimulatedSmsc { name: name.to_owned(), world: Arc::clone(&self.world) };
        let sink = if self.bug == Some(Bug::ForgetLateAnswer) { Arc::new(Forgetful(sink)) } else { sink };
        Ok(Smpp::start_over(Arc::new(smsc), name.to_owned(), Arc::new(config), sink)?)
    }
}

#[async_trait]
impl Outside for Simulated {
    async fn carrier(
        &self,
        config: &CarrierConfig,
        sink: Arc<dyn CarrierSink>,
    ) -> Result<Arc<dyn Carrier>, SetupError> {
        let world = Arc::clone(&self.world);
        world.with(|state| state.sink = Some(Arc::clone(&sink)));
        let (name, waits) = (config.common.name.clone(), config.common.unknown_submit == UnknownSubmit::Wait);
        let speaks_smpp =
            config.common.channels.contains(&Channel::Sms) && world.with(|state| state.speaks_smpp);
        let smpp = if speaks_smpp { Some(self.smpp(&name, sink)?) } else { None };
        Ok(Arc::new(SimulatedCarrier { name, waits, world, smpp }))
    }

    fn post(&self, _: &CallbackConfig) -> Result<Box<dyn Post>, SetupError> {
        Ok(Box::new(SimulatedTarget(Arc::clone(&self.world))))
    }
}
