//! Bytes to columns: JSON messages become Arrow-layout columns, only the fields that some expression reads.
//!
//! Decoding is where a stream's time goes, so there are tiers: a plain parser that defines what a message means, and fast ones
//! that must give the same columns and leave to it every message they are not sure of.
//!
//! This crate must never know where messages come from or what is computed from them.

mod access;
mod arena;
mod batch;
mod columns;
mod decoder;
mod error;
mod fast;
mod memory;
mod program;
mod scalar;
mod tier;

pub use access::{ColumnRef, SharedColumn};
pub use batch::{BatchFull, MessageBatch};
pub use columns::DecodedColumns;
pub use decoder::{Decoder, TierCounts};
pub use error::{DecodeError, JsonType, PlanError, Reason};
pub use memory::SharedBytes;
pub use tier::{TIER_VARIABLE, Tier, TierError};
