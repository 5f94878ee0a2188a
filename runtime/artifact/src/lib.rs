//! The boundary between compiler and runtime: the memory that kernels touch, the plans they run under, the file they travel in.
//!
//! Compiler and runtime never import each other; each imports this crate, so a layout or a plan is stated once and a
//! mismatch is found by a fingerprint when an artifact is loaded, not by a crash later.
//!
//! This crate must never know how memory is mapped, or Cranelift.

pub mod abi;
pub mod connector;
pub mod decode_plan;
pub mod file;
pub mod image;
pub mod manifest;
