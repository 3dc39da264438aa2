//! What every page's request goes through: who asks, whether the request comes from our own pages, and in
//! which time zone times are shown; and the address that visitors have of this site.

pub(crate) mod address;
pub(crate) mod own_site;
pub(crate) mod site;
pub(crate) mod visitor;
pub(crate) mod zone;
