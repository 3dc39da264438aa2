//! What the files of an index have.

/// What was written, or read.
#[derive(Clone, Default, Debug)]
pub struct FilesReport {
    /// The position of the store up to which everything is in it, as [`crate::Index::save`] was told.
    pub position: Box<[u8]>,
    /// Segments.
    pub segments: usize,
    /// Octets of all files.
    pub bytes: u64,
}

/// What the files of an index have.
#[derive(Clone, Debug)]
pub struct Stats {
    /// The position of the store up to which everything is in them, as [`crate::Index::save`] was told.
    pub position: Box<[u8]>,
    /// In no order.
    pub applications: Vec<ApplicationStats>,
}

/// What the files of an application have.
#[derive(Clone, Default, Debug)]
pub struct ApplicationStats {
    /// Its id.
    pub id: String,
    /// Flows.
    pub flows: usize,
    /// Segments.
    pub segments: usize,
    /// Recipients; one that is in several segments counts for each.
    pub recipients: usize,
    /// Octets of its files.
    pub bytes: u64,
}
