//! The runtime: consumes streams through a compiled program, keeps what it computes across crashes, answers queries.
//!
//! One worker thread per core computes and one commits for it; a checkpoint thread and an HTTP server share the state
//! with them. `app.rs` starts and stops all of it.
//!
//! This crate must never know `.chalk` sources or the compiler.

pub mod config;
pub mod state;
mod suggest;
