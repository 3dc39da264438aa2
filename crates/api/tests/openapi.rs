//! The description of the API is what the repository's `openapi.json` has, for reviews and for client
//! generators.

#[path = "../../xtask/tests/snapshot/mod.rs"]
mod snapshot;

#[test]
fn the_description_is_checked_in() {
    let text = api::description().to_pretty_json().expect("JSON") + "\n";
    snapshot::compare(env!("CARGO_MANIFEST_DIR"), "../../openapi.json", &text);
}
