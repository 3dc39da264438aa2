//! The files that pages refer to, embedded. Their names have a hash of what is in them, so that a browser
//! keeps each for ever and never keeps an old one.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::LazyLock;
use xxhash_rust::xxh3::xxh3_64;

/// Where they are served.
const FOLDER: &str = "/console/assets";

/// A file that pages refer to.
pub struct Asset {
    path: LazyLock<String>,
    media_type: &'static str,
    octets: &'static [u8],
}

impl Asset {
    /// Its address.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its name in [`FOLDER`].
    fn name(&self) -> &str {
        self.path().rsplit('/').next().unwrap_or_default()
    }
}

macro_rules! asset {
    ($name:ident, $stem:literal, $extension:literal, $media_type:literal, $file:literal) => {
        #[doc = concat!("`", $file, "`.")]
        pub static $name: Asset = Asset {
            path: LazyLock::new(|| {
                let hash = xxh3_64(include_bytes!(concat!("../assets/", $file)));
                format!(concat!("{}/", $stem, "-{:016x}.", $extension), FOLDER, hash)
            }),
            media_type: $media_type,
            octets: include_bytes!(concat!("../assets/", $file)),
        };
    };
}

asset!(STYLE, "style", "css", "text/css; charset=utf-8", "style.css");
asset!(SCRIPT, "console", "js", "text/javascript; charset=utf-8", "console.js");
asset!(HTMX, "htmx", "js", "text/javascript; charset=utf-8", "htmx-2.0.11.min.js");
asset!(ICON, "icon", "svg", "image/svg+xml", "icon.svg");

/// Serves a file by its name with the hash.
pub async fn get(Path(name): Path<String>) -> Response {
    let found = [&STYLE, &SCRIPT, &HTMX, &ICON].into_iter().find(|asset| asset.name() == name);
    let Some(asset) = found else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, asset.octets).into_response()
}
