//! Keyed state: what aggregates have seen, per key and source partition, in windows; which ids were seen; how far time is.
//!
//! State belongs to a source partition: whoever reads the partition updates it, in the order of offsets, so nothing here depends on
//! batch sizes or on the number of workers, and a partition can be handed over with its state. A query folds a
//! key's partials over the partitions in their order.
//!
//! The log of what was computed is the log of *events* ([`EventBatch`]): replaying them runs the same code in the same order (command
//! logging; Malviya et al., "Rethinking main memory OLTP recovery", ICDE 2014), so a restart gives the same bits, floats included.
//!
//! This crate must never know brokers, files, Arrow or kernels.

mod apply;
mod arena;
pub mod batch;
pub mod closed;
pub mod dedup;
mod fold;
pub mod folded;
mod group;
mod image;
mod index;
mod keyed;
pub mod layout;
pub mod memory;
mod messages;
mod pages;
mod place;
mod probe;
mod read;
mod rows;
mod slab;
mod sweep;
pub mod table;
mod tumbling;
pub mod watermark;

pub use batch::EventBatch;
pub use closed::ClosedWindow;
pub use dedup::{DedupKey, DedupSet};
pub use folded::Folded;
pub use layout::Layout;
pub use table::{ColdStore, Counts, Table};
pub use watermark::Watermarks;
