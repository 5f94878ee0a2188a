//! `chalkc`: the driver that joins the compiler's stages, and its commands.
//!
//! Here alone the compiler meets files, terminals and the engine (for `run`).

mod commands;
pub mod compile;
pub mod project;
pub mod run;
pub mod sql;
pub mod testing;

pub use commands::main;
