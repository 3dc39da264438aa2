//! How much a client may ask for in one flow.

/// The limits that a flow is checked against when it is sent. Lower limits do not affect flows accepted
/// before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Steps of a flow.
    pub steps_max: usize,
    /// Sms parts of a flow, over all its steps.
    pub parts_max: usize,
    /// Octets of a flow's document in the store, however long it lives: [`crate::NewFlow::measure`].
    pub flow_bytes_max: usize,
    /// Verbs of a Voice step.
    pub verbs_max: usize,
    /// Parameters of a Viber template.
    pub template_params_max: usize,
    /// Octets of the names and values of a Viber template's parameters together.
    pub template_params_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            steps_max: 32,
            parts_max: 255,
            flow_bytes_max: 256 * 1024,
            verbs_max: 100,
            template_params_max: 100,
            template_params_bytes_max: 16 * 1024,
        }
    }
}
