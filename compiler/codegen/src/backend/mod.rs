//! Cranelift functions to machine code, and where the code goes: memory of this process, or a file.
//!
//! Code is put together once, as one text without relocations; the JIT maps the very bytes that an artifact would hold.
//!
//! This module must not know what the code computes.

mod compile;
mod jit;
mod perf_map;

pub(crate) use compile::{Placed, Text, compile};
pub(crate) use jit::map;
pub(crate) use perf_map::write as write_perf_map;
