//! Names resolved, expressions typed, rules checked: from trees to a program, with every user mistake as a diagnostic.
//!
//! This crate must never know Cranelift or the runtime.

pub mod program;
