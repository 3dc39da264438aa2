//! How tables look.

use comfy_table::{Table, presets};

/// An empty table with a header.
pub fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_FULL_CONDENSED).set_header(header);
    table
}
