//! What the engine reaches the outside with: carriers, and the network for callbacks. A simulation has its own.

use crate::callbacks::Post;
use crate::config::{CallbackConfig, CarrierConfig, Config, KindConfig};
use crate::files::Files;
use crate::posting::HttpPost;
use async_trait::async_trait;
use carriers::{Carrier, CarrierSink, Http, Sandbox, Sip, Smpp};
use std::sync::Arc;

/// The outside of an engine.
#[async_trait]
pub trait Outside: Send + Sync {
    /// Connects a carrier, whose receipts go to `sink`.
    ///
    /// # Errors
    /// When it can't be set up.
    async fn carrier(
        &self,
        config: &CarrierConfig,
        sink: Arc<dyn CarrierSink>,
    ) -> Result<Arc<dyn Carrier>, String>;

    /// What posts callbacks.
    ///
    /// # Errors
    /// When it can't be set up.
    fn post(&self, config: &CallbackConfig) -> Result<Box<dyn Post>, String>;
}

/// The real one, as configured.
pub struct Network<'a>(pub &'a Config);

#[async_trait]
impl Outside for Network<'_> {
    async fn carrier(
        &self,
        config: &CarrierConfig,
        sink: Arc<dyn CarrierSink>,
    ) -> Result<Arc<dyn Carrier>, String> {
        let name = config.common.name.clone();
        Ok(match config.kind.clone() {
            KindConfig::Sandbox(sandbox) => Arc::new(Sandbox::new(name, &sandbox, sink)),
            KindConfig::Smpp(smpp) => {
                Arc::new(Smpp::start(name, *smpp, sink).map_err(|error| error.to_string())?)
            }
            KindConfig::Sip(sip) => {
                let fetch = Arc::new(Files::new(self.0.callbacks.allow_private, self.0.limits.flow())?);
                Arc::new(Sip::start(name, *sip, sink, fetch).await.map_err(|error| error.to_string())?)
            }
            KindConfig::Http(http) => {
                let url = self.0.receipts_url(&name);
                let http = Http::new(&http.1, &http.0, url.as_deref()).map_err(|error| error.to_string())?;
                Arc::new(http.named(&name))
            }
        })
    }

    fn post(&self, config: &CallbackConfig) -> Result<Box<dyn Post>, String> {
        Ok(Box::new(HttpPost::new(config)?))
    }
}
