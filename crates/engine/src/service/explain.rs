//! Says which carriers are tried for a message, by the configuration.

use super::core::Service;
use crate::routing::example_step;
use flow::Channel;

/// Which carriers are tried for a message.
#[derive(Debug)]
pub struct Explained {
    /// The route that holds, in words; `None` if none does: the carriers come in the order of the
    /// configuration.
    pub route: Option<String>,
    /// Why such a message is refused for its sender, if it is.
    pub refused: Option<String>,
    /// The carriers in their order: the name, the priority, and the share, from 0 to 1, of what is tried
    /// first at that priority.
    pub choices: Vec<(String, u32, f64)>,
}

impl Service {
    /// Says which carriers are tried for a message over a channel to a number (E.164).
    pub fn explain(
        &self,
        application: &str,
        channel: Channel,
        from: String,
        to: String,
        label: Option<String>,
    ) -> Explained {
        let step = example_step(channel, from, to, label);
        let routes = &self.engine.routes;
        let explanation = routes.explain(&step, application);
        Explained {
            route: explanation.route.map(|(at, route)| format!("route[{at}]: {}", route.conditions())),
            refused: routes.sender(&step, application).err().map(|why| why.to_string()),
            choices: explanation
                .choices
                .into_iter()
                .map(|(name, priority, share)| (name.to_owned(), priority, share))
                .collect(),
        }
    }
}
