//! How tables look.

use crate::output::printable;
use comfy_table::{CellAlignment, presets};
use std::fmt;

/// A table; what is in its cells steers no terminal.
pub struct Table(comfy_table::Table);

/// An empty table with a header.
pub fn table<'a>(header: impl IntoIterator<Item = &'a str>) -> Table {
    let mut table = comfy_table::Table::new();
    table.load_style(presets::ASCII_FULL_CONDENSED).set_header(header.into_iter().collect::<Vec<_>>());
    Table(table)
}

impl Table {
    /// Adds a row.
    pub fn add_row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.add_row(cells.into_iter().map(|cell| printable(&cell).into_owned()));
    }

    /// Lets numbers stand below each other.
    pub fn align_right(&mut self, column: usize) {
        if let Some(column) = self.0.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
