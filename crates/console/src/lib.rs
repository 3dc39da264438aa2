//! Pages for people over the use cases: what happened to a message, what waits, who may do what. They call
//! the use cases directly; there is no second API. Every page works as plain links and forms; scripts add
//! keys and refreshing.

mod applications;
mod assets;
mod audit;
mod callbacks;
mod carriers;
mod chart;
mod error;
mod explain;
mod figures;
mod flow;
mod flows;
mod form;
mod home;
mod mask;
mod opt_outs;
mod page;
mod request;
mod routes;
mod settings;
mod sign_in;
mod state;
mod try_it;
mod users;

pub use routes::router;
pub use settings::Settings;
pub use state::Console;
