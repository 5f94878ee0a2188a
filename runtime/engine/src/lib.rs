//! Batch in, batch out: an artifact's kernels and decoders at work, and the state beside them: [`Executor`] computes, [`Keeper`] remembers,
//! [`Query`] asks, and a [`Session`] is all of them in one value.
//!
//! The engine is the same for a live stream, a test, a replay and a query, so it takes messages from anybody and hands Arrow to anybody.
//!
//! This crate must never know brokers, stores or HTTP.

pub mod arrow_out;
mod events;
mod executor;
mod expressions;
mod helpers;
mod input;
pub mod json;
pub mod keeper;
mod lists;
pub mod loader;
mod output;
mod program;
mod query;
mod runner;
mod scratch;
mod session;
pub mod values;

pub use executor::{Executor, Fates, OutputBatch};
pub use expressions::ExpressionExecutor;
pub use helpers::RowError;
pub use input::{Envelope, InputBatch, Line};
pub use keeper::{Closed, ColdEntries, Keeper, KeeperOptions, Numbers, ReadScratch, SqlRunner, StateSize, TableId};
pub use program::{MissingImports, Program};
pub use query::{Query, StoredRows};
pub use session::{Fate, Pushed, Session, SessionOptions, Snapshot};
