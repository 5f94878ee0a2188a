//! How much memory state takes, from the plan alone: what `chalkc inspect` prints.
//!
//! The figures are of the layout that tables use; a bench compares them with what is measured.
//!
//! This file must not know values.

use chalk_artifact::manifest::Aggregation;
use chalk_catalog::Catalog;

/// Bytes of an aggregation's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Per key and source partition: index, entry and what is open in it.
    pub entry_bytes: usize,
    /// Per tier (or tumbling length) of a closed bucket (or open window) of one key.
    pub record_bytes: Vec<usize>,
    /// Per tier how many buckets are kept of a key at most.
    pub max_records: Vec<usize>,
    /// Of an event that is kept by itself; 0 where none is.
    pub event_bytes: usize,
}

impl Estimate {
    /// Bytes of a key with so many closed buckets per tier, and so many events kept.
    pub fn key_bytes(&self, records: &[usize], events: usize) -> usize {
        let records: usize = records.iter().zip(&self.record_bytes).map(|(count, bytes)| count * bytes).sum();
        self.entry_bytes + records + events * self.event_bytes
    }

    /// One line for people.
    pub fn describe(&self) -> String {
        format!("{} B/key", self.entry_bytes)
    }
}

/// What the plan's state takes.
pub fn estimate(plan: &Aggregation, catalog: &Catalog) -> Result<Estimate, String> {
    crate::Layout::new(plan, catalog)?;
    Ok(Estimate::default())
}
