//! Online state: what every message left behind, kept across `kill -9`.
//!
//! # The pattern
//!
//! A worker computes batches into a [`Pending`](pending::Pending): per key the row that its own messages gave, and per
//! partition the position after them. A commit appends all of it as one checksummed record to the worker's own
//! changelog (`changelog.rs`), and only then merges it into the map that queries read (`hot.rs`). In the background a
//! checkpoint writes what changed to the embedded store (`store.rs`), sorted and in slices, and deletes the segments it
//! made superfluous (`checkpoint.rs`). A start loads the positions of the last checkpoint and replays the newer records
//! (`recovery.rs`).
//!
//! # Why keys may be touched by several workers
//!
//! A row is a join semilattice: per group of features the values with the greatest stamp, (event time, offset,
//! partition, source), and merging takes the greater one (`row.rs`). Merging is commutative, associative and
//! idempotent, so
//! there is no owner of a key, rows need no order between workers, a record may be replayed twice, and a message may be
//! computed
//! twice: the outcome is a function of the set of messages alone. Offsets and values of one partition are always in the
//! same record. Queries see committed values only, so a crash never takes back an answer.
//!
//! # What the engine keeps
//!
//! Aggregates, dedup keys, watermarks and windows that have run live in the engine's keeper (`engine.rs`). The commit carries what the
//! keeper logged: events, not values, so a start runs the same code over them again. Its tables are checkpointed as images
//! into the same store (`images.rs`), its dedup keys into files of their own (`key_files.rs`), and watermarks with the
//! positions that they belong to (`marks.rs`).
//!
//! This module must not know Arrow, sources or HTTP.

pub mod changelog;
mod checkpoint;
mod engine;
mod hot;
mod images;
pub mod key;
mod key_files;
mod marks;
pub mod pending;
mod progress;
mod recovery;
mod registry;
pub mod row;
mod slice;
pub mod store;

pub use checkpoint::CheckpointReport;
pub use engine::{ClosesGuard, EngineState};
pub use hot::State;
pub use images::Images;
pub use progress::Awaited;
pub use recovery::{Recovered, recover};
pub use registry::{Layout, LayoutField, Registry};
