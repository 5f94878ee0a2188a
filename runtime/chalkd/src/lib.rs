//! The runtime: consumes streams through a compiled program, keeps what it computes across crashes, answers queries.
//!
//! One worker thread per core computes and one commits for it; a checkpoint thread and an HTTP server share the state
//! with them. `app.rs` starts and stops all of it.
//!
//! This crate must never know `.chalk` sources or the compiler.

pub mod app;
pub mod cli;
pub mod clock;
mod closing;
pub mod committer;
pub mod config;
pub mod dead_letters;
pub mod engine_pipeline;
pub mod fates;
pub mod intake;
pub mod metrics;
pub mod online;
pub mod pipeline;
pub mod server;
pub mod state;
pub mod stop;
mod suggest;
mod upkeep;
pub mod worker;
