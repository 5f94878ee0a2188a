//! Native code for a checked program: column IR, its lowering to Cranelift, and the two places the code goes to.
//!
//! `compile` makes a [`Module`]: machine code without a single relocation, with the manifest that describes it. It becomes
//! an artifact (`to_artifact`) or is run where it is (`jit`); the bytes of code are the same.
//!
//! This crate must never know stream sources, files, or how a program was written.

mod backend;
mod build;
mod error;
mod inspect;
mod ir;
mod jit;
mod lower;
mod manifest;
mod module;
mod perf_map;
mod plan;
mod tables;
mod target;

pub use error::CodegenError;
pub use inspect::disassemble_artifact;
pub use module::{CompileOptions, Module, compile};
pub use target::Target;
