//! Bytes to columns: JSON messages become Arrow-layout columns, only the fields that some expression reads.
//!
//! Decoding is where a stream's time goes, so there are tiers: a plain parser that defines what a message means, and fast ones
//! that must give the same columns and leave to it every message they are not sure of.
//!
//! # Tiers
//! | tier | reads | costs |
//! |---|---|---|
//! | template | messages with the keys, order and blanks of an earlier one (four shapes are kept, learned as they come) | one compare for all text between two values |
//! | walker | any key order, every byte checked | one pass with vectors |
//! | scalar | everything; it defines the meaning and makes every error | about eight times a template |
//!
//! `CHALK_DECODE` forces an implementation (`Tier`); `Decoder::counts` tells which tier had how much to do.
//!
//! # What a message means
//! The language's rules for messages hold; where they leave a choice, it is this:
//! - A string with half a surrogate pair fails the message, read or not; so does any syntax error, before a field is looked at.
//! - Of a field that is given twice the last value is read; the others are only checked as JSON. The same holds for a map's
//!   keys; the entry stands where its last key stood.
//! - `bytes` are base64 with the standard or the URL-safe alphabet, padded or not (as protobuf's JSON mapping).
//! - `datetime` is RFC 3339 with an offset (a blank may stand for the `T`); digits beyond microseconds round to the nearest,
//!   halves upwards; second 60 is refused. `duration` is ISO 8601 without years and months; `-PT1H` is negative.
//! - `@relaxed` skips what nobody reads by its outline: quotes, brackets, separators.
//! - `@lenient` follows pydantic's lax mode: numbers and bools from text (blanks around, a plus sign, leading zeros, and
//!   underscores between digits allowed; `nan` and `inf` for floats), bools from 0 and 1 and the usual words, numbers from bools; a
//!   datetime from seconds since the epoch (milliseconds beyond 2e10), a duration from seconds. No text is made of numbers. Unlike
//!   pydantic, a datetime keeps needing its offset, and dates and times of day are read from their own text alone.
//!
//! This crate must never know where messages come from or what is computed from them.

#[cfg(test)]
extern crate self as chalk_decode;

mod access;
mod arena;
mod batch;
mod columns;
mod decoder;
mod error;
mod fast;
#[cfg(all(test, unix))]
mod guard;
mod memory;
mod program;
mod scalar;
mod tier;

pub use access::{ColumnRef, SharedColumn};
pub use batch::{BatchFull, MessageBatch};
pub use columns::DecodedColumns;
pub use decoder::{Decoder, TierCounts};
pub use error::{DecodeError, JsonType, PlanError, Reason};
pub use memory::{PADDING_BYTES, PaddedBytes, SharedBytes};
pub use tier::{TIER_VARIABLE, Tier, TierError};
