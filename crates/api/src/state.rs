//! What the endpoints work with.

use crate::request::failures::Failures;
use crate::request::gate::Gate;
use crate::settings::Settings;
use engine::service::Service;
use std::sync::Arc;
use std::thread::available_parallelism;
use tokio::sync::Semaphore;

/// Places for large bodies are counted in so many octets.
pub(crate) const BODY_UNIT: usize = 1024;

/// What the endpoints work with.
pub struct Api {
    pub(crate) service: Arc<Service>,
    pub(crate) settings: Settings,
    pub(crate) gate: Gate,
    pub(crate) failures: Failures,
    /// Places for the octets of large bodies that are under way, in units of [`BODY_UNIT`].
    pub(crate) bodies: Semaphore,
    /// How many places there are.
    pub(crate) bodies_units: usize,
    /// Turns of large bodies that are parsed and checked: some core is always left for small ones.
    pub(crate) parsing: Arc<Semaphore>,
}

impl Api {
    /// What the endpoints over these use cases work with.
    pub fn new(settings: Settings, service: Arc<Service>) -> Arc<Api> {
        let bodies_units = settings.bodies_bytes_max / BODY_UNIT;
        let parsing = available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        Arc::new(Api {
            service,
            gate: Gate::new(settings.requests_per_second),
            failures: Failures::default(),
            bodies: Semaphore::new(bodies_units),
            bodies_units,
            parsing: Arc::new(Semaphore::new(parsing)),
            settings,
        })
    }
}
