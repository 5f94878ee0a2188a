//! How much memory state takes, from the plan alone: what `chalkc inspect` prints.
//!
//! The figures are of the layout that tables use, with the usual share of room that is not filled; a test and a bench compare them with
//! what tables hold.
//!
//! This file must not know values.

use std::fmt::Write as _;

use chalk_artifact::manifest::{Aggregation, AggregationKind, Buckets};
use chalk_catalog::Catalog;

use crate::Layout;
use crate::layout::{Series, StateKind};
use crate::read::whole_buckets;

/// Of the index, per key: a line of 64 bytes has room for 12, and is a little more than half full.
const INDEX_BYTES: usize = 9;
/// A text key, its length, and the step of its class: of a key of up to 24 bytes.
const TEXT_KEY_BYTES: usize = 32;
/// What a block costs besides its rows.
const BLOCK_BYTES: usize = 8;

/// Bytes of a row of so many words, in a block with others. A block has room for an eighth more rows when it grows, its size is rounded up, rows
/// that are forgotten leave theirs for a while, a block that had more rows keeps room for them, and a part of each span of blocks is free: where
/// it was measured, that is a fifth to three fifths of the row, and mostly about a third.
fn row_bytes(words: usize) -> usize {
    words * 8 * 4 / 3
}

/// Bytes of an aggregation's state, per key and source partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Of a key: index, entry, and what is open in it.
    pub entry_bytes: usize,
    /// Per series of buckets what one closed bucket takes (of tumbling windows: one more open window).
    pub records: Vec<RecordEstimate>,
    /// Of an event that is kept by itself; 0 where none is.
    pub event_bytes: usize,
}

/// Bytes of the closed buckets of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordEstimate {
    /// How long a bucket is; 0 = all time.
    pub bucket_us: i64,
    /// Of one bucket.
    pub record_bytes: usize,
    /// How many are kept of a key at most.
    pub max_records: u64,
}

impl Estimate {
    /// Bytes of a key with so many closed buckets per series, and so many events kept.
    pub fn key_bytes(&self, records: &[f64], events: f64) -> f64 {
        let block = |count: f64| count.min(1.0) * BLOCK_BYTES as f64;
        let closed = records.iter().zip(&self.records);
        let closed: f64 = closed.map(|(count, each)| count * each.record_bytes as f64 + block(*count)).sum();
        self.entry_bytes as f64 + closed + events * self.event_bytes as f64 + block(events)
    }

    /// The most that a key takes, events kept by themselves not counted.
    pub fn max_key_bytes(&self) -> u64 {
        let closed = self.records.iter().map(|each| each.record_bytes as u64 * each.max_records).sum::<u64>();
        self.entry_bytes as u64 + closed
    }

    /// For people, one line per part.
    pub fn describe(&self) -> String {
        let mut text = format!("{} B per key", self.entry_bytes);
        for each in self.records.iter().filter(|each| each.max_records > 0) {
            let length = describe_duration(each.bucket_us);
            let _ = write!(text, "; {} B per {length} with events, at most {}", each.record_bytes, each.max_records);
        }
        if self.event_bytes > 0 {
            let _ = write!(text, "; {} B per event in the longest window", self.event_bytes);
        }
        text
    }
}

/// What the plan's state takes.
pub fn estimate(plan: &Aggregation, catalog: &Catalog) -> Result<Estimate, String> {
    Ok(estimate_layout(&*Layout::new(plan, catalog)?))
}

/// What state laid out so takes.
pub fn estimate_layout(layout: &Layout) -> Estimate {
    if layout.kind == StateKind::Messages {
        let word = |plan: &chalk_artifact::manifest::EventColumnPlan| {
            if chalk_catalog::event::is_word(&plan.ty.kind) { 8 } else { 24 }
        };
        let columns: usize = layout.plan().columns.iter().map(word).sum();
        return Estimate { event_bytes: (16 + columns) * layout.series.len() * 5 / 4, ..Estimate::default() };
    }
    let open = layout.entry.bytes() + layout.heap_bytes * layout.series.len();
    let key = if layout.is_word_key { 0 } else { TEXT_KEY_BYTES };
    let record = |series: &Series| RecordEstimate {
        bucket_us: series.bucket_us,
        record_bytes: row_bytes(layout.row_words()) + layout.heap_bytes,
        max_records: max_records(layout, series),
    };
    Estimate {
        entry_bytes: INDEX_BYTES + open + key,
        records: layout.series.iter().map(record).collect(),
        event_bytes: layout.events.as_ref().map_or(0, |kept| {
            let texts = kept.columns.iter().filter(|column| !column.is_word).count();
            row_bytes(kept.stride) + texts * TEXT_KEY_BYTES
        }),
    }
}

/// Closed buckets of a series that some window sees, at most.
fn max_records(layout: &Layout, series: &Series) -> u64 {
    match &layout.plan().kind {
        AggregationKind::Total => 0,
        AggregationKind::Continuous(Buckets { .. }) => whole_buckets(series.span_us, series.bucket_us) as u64,
        AggregationKind::Materialized(_) => whole_buckets(series.span_us, series.bucket_us) as u64 - 1,
        AggregationKind::Tumbling { allowed_lateness_us, .. }
        | AggregationKind::Messages { allowed_lateness_us, .. } => {
            1 + (*allowed_lateness_us).max(0).div_euclid(series.bucket_us) as u64
        }
    }
}

/// `90s`, `10m`, `1d`: the largest unit that gives a whole number.
fn describe_duration(us: i64) -> String {
    const UNITS: [(i64, &str); 6] =
        [(86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s"), (1_000, "ms"), (1, "us")];
    match UNITS.iter().find(|(length, _)| us != 0 && us % length == 0) {
        Some((length, name)) => format!("{}{name}", us / length),
        None => "all time".to_owned(),
    }
}
