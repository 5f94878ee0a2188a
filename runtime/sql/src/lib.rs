//! SQL over the messages of a window: planned when a package is compiled, run when the window is over.
//!
//! The planner that types a query is the one that plans it again to run it, so what the compiler accepted has the columns and types that
//! it had there. A result is a function of the window's messages: queries whose value depends on anything else are refused, messages
//! come in the order of partitions and offsets, in batches of a fixed size, and one thread runs the query.
//!
//! This crate alone knows the query engine (behind its feature `datafusion`, because it is large); without it nothing is planned or
//! run. It must never know the compiler, sources or state.

#[cfg(feature = "datafusion")]
mod check;
#[cfg(feature = "datafusion")]
mod columns;
#[cfg(feature = "datafusion")]
mod engine;
#[cfg(feature = "datafusion")]
pub mod error;
#[cfg(feature = "datafusion")]
mod locate;
#[cfg(feature = "datafusion")]
mod plan;
#[cfg(feature = "datafusion")]
mod run;
#[cfg(feature = "datafusion")]
mod sums;

#[cfg(feature = "datafusion")]
pub use error::{SqlError, SqlErrorKind};
#[cfg(feature = "datafusion")]
pub use plan::{PlannedColumn, PlannedQuery, plan};
#[cfg(feature = "datafusion")]
pub use run::Runner;
