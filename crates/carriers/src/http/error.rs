//! Why a provider's file and its configuration make no carrier, and why a carrier can't take a message.

use super::template::TemplateError;
use crate::config::SecretError;

/// Why a provider's file and its configuration make no carrier. The text begins with the key and has no value
/// in it.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The base URL has another scheme than `http` or `https`, or none.
    #[error("base_url: must be an http or https URL")]
    BaseUrl,
    /// A setting is given that the provider's file does not name.
    #[error("settings.{name}: the provider knows only {known}")]
    UnknownSetting {
        /// The setting.
        name: String,
        /// Those that the file names.
        known: String,
    },
    /// A setting is not given, and the file has no default for it.
    #[error("settings.{name} is missing: {about}")]
    MissingSetting {
        /// The setting.
        name: String,
        /// What the file says of it.
        about: String,
    },
    /// A setting is in a variable or a file that can't be read.
    #[error("settings.{name}: {source}")]
    Secret {
        /// The setting.
        name: String,
        /// Why.
        source: SecretError,
    },
    /// A setting is none of the file's choices.
    #[error("settings.{name}: must be one of {choices}")]
    Choice {
        /// The setting.
        name: String,
        /// The choices.
        choices: String,
    },
    /// A template or an expression of the file can't be compiled, or fails with sample values.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A request has both a body and a form, or neither.
    #[error("request.{0}: must have either body or form")]
    BodyOrForm(String),
    /// A request uses a field that messages don't have.
    #[error("request.{request}: there is no field \"{field}\"")]
    UnknownField {
        /// The request's name, and the key in it if that is known.
        request: String,
        /// The field.
        field: String,
    },
    /// The file names a detailed status that the contract does not have.
    #[error("there is no detailed status \"{0}\"")]
    UnknownDetail(String),
    /// A word of the provider's is mapped to a status that does not exist.
    #[error("receipts.statuses.{word}: {source}")]
    Status {
        /// The provider's word.
        word: String,
        /// Why.
        source: Box<HttpError>,
    },
    /// The file names a status that no channel has.
    #[error("there is no status \"{0}\"")]
    UnknownStatus(String),
    /// The secret that proves receipts authentic is empty: anybody could forge one.
    #[error("receipts.verify: the secret is empty")]
    EmptySecret,
    /// The HTTP client can't be set up.
    #[error(transparent)]
    Client(#[from] reqwest::Error),
}

/// Why a provider can't carry a message.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// No request's `when` holds for it.
    #[error("the provider takes no message of this kind")]
    NoRequest,
    /// The request that takes messages of its kind would lose something of it.
    #[error("the provider's request \"{request}\" has no place for {lost}")]
    NoPlace {
        /// The request's name.
        request: String,
        /// The fields that would be lost.
        lost: String,
    },
    /// A template of the request fails for it.
    #[error(transparent)]
    Template(#[from] TemplateError),
}
