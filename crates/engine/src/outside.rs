//! What the engine reaches the outside with: carriers, and the network for callbacks. A simulation has its
//! own.

use crate::callbacks::Post;
use crate::config::{CallbackConfig, CarrierConfig, KindConfig};
use crate::files::Files;
use crate::posting::HttpPost;
use async_trait::async_trait;
use carriers::{Carrier, CarrierSink, Http, Sandbox, Sip, Smpp};
use flow::Limits;
use std::sync::Arc;

/// Why something of the outside can't be set up. Whoever implements [`Outside`] has errors of its own.
pub type SetupError = Box<dyn std::error::Error + Send + Sync>;

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
    ) -> Result<Arc<dyn Carrier>, SetupError>;

    /// What posts callbacks.
    ///
    /// # Errors
    /// When it can't be set up.
    fn post(&self, config: &CallbackConfig) -> Result<Box<dyn Post>, SetupError>;
}

/// The real one, as configured.
pub struct Network {
    /// Whether callbacks and calls may reach private addresses.
    pub allow_private: bool,
    /// The limits of a dial plan that is fetched.
    pub limits: Limits,
    /// What providers call this server by, without a slash at its end; `None` if they do not.
    pub public_url: Option<String>,
}

/// Where a carrier's provider posts receipts to a server with this public URL.
pub fn receipts_url(public_url: &str, carrier: &str) -> String {
    format!("{public_url}/carriers/{carrier}/receipts")
}

#[async_trait]
impl Outside for Network {
    async fn carrier(
        &self,
        config: &CarrierConfig,
        sink: Arc<dyn CarrierSink>,
    ) -> Result<Arc<dyn Carrier>, SetupError> {
        let name = config.common.name.clone();
        Ok(match config.kind.clone() {
            KindConfig::Sandbox(sandbox) => Arc::new(Sandbox::new(name, &sandbox, sink)),
            KindConfig::Smpp(smpp) => Arc::new(Smpp::start(name, *smpp, sink)?),
            KindConfig::Sip(sip) => {
                let fetch = Arc::new(Files::new(self.allow_private, self.limits)?);
                Arc::new(Sip::start(name, *sip, sink, fetch).await?)
            }
            KindConfig::Http(http) => {
                let url = self.public_url.as_ref().map(|public_url| receipts_url(public_url, &name));
                Arc::new(Http::new(&http.1, &http.0, url.as_deref())?.named(&name))
            }
        })
    }

    fn post(&self, config: &CallbackConfig) -> Result<Box<dyn Post>, SetupError> {
        Ok(Box::new(HttpPost::new(config)?))
    }
}
