//! The description of the API (OpenAPI 3.1), made of the types that are served.

use crate::request::scope::Grant;
use crate::{failover, health, links, oauth, receipts, refusals, statistics, suppressions, tracking};
use utoipa::openapi::security::{
    ClientCredentials, Flow as OAuthFlow, Http, HttpAuthScheme, OAuth2, Scopes, SecurityScheme,
};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Switchback",
        description = "Sends one message over several channels, in order, until one of them gets through. \
            In requests, null, empty strings, empty arrays and objects of such count as not given, unknown \
            members are ignored, and names of types, statuses, fields and operators are case-insensitive.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT")
    ),
    servers((url = "/", description = "This server")),
    tags(
        (name = "authentication", description = "First: a token for the application's id and secret."),
        (name = "sending", description = "Then: a flow, and how to stop it."),
        (name = "tracking", description = "What became of it: one flow, or a search."),
        (name = "statistics", description = "How many, how well, how fast, at what cost."),
        (name = "suppressions", description = "Recipients who want no more messages."),
        (name = "operating", description = "For operators and carriers' providers.")
    ),
    paths(
        oauth::issue,
        failover::send::post,
        failover::send::post_transactional,
        failover::cancel::delete,
        links::follow,
        tracking::track::get,
        tracking::events::get,
        tracking::search::post,
        tracking::erase::delete,
        tracking::erase::delete_all,
        refusals::list,
        statistics::show,
        suppressions::list,
        suppressions::add,
        suppressions::remove,
        receipts::receive,
        health::live,
        health::ready,
        health::status::show,
        health::metrics
    ),
    modifiers(&Security)
)]
pub(crate) struct Description;

struct Security;

impl Modify for Security {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let components = description.components.get_or_insert_default();
        let scheme = |scheme| SecurityScheme::Http(Http::new(scheme));
        components.add_security_scheme("token", scheme(HttpAuthScheme::Bearer));
        components.add_security_scheme("application", scheme(HttpAuthScheme::Basic));
        let scopes = Grant::all().map(|grant| (grant.word().to_owned(), grant.allows()));
        let flow =
            OAuthFlow::ClientCredentials(ClientCredentials::new("/oauth/token", Scopes::from_iter(scopes)));
        components.add_security_scheme("oauth", SecurityScheme::OAuth2(OAuth2::new([flow])));
    }
}
