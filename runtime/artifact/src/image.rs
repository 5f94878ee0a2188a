//! Code that can be called: a manifest with the addresses of its kernels, wherever they came from (a mapped file, a JIT).
//!
//! The engine runs images and need not know who made them; whoever makes one vouches for the addresses.
//!
//! This file must not know how code is made or mapped.

use std::any::Any;

use crate::abi::KernelFn;
use crate::manifest::Manifest;

/// A program in memory, ready to be called from any thread.
pub struct CodeImage {
    manifest: Manifest,
    kernels: Vec<KernelFn>,
    literals: *const u8,
    /// Keeps code and literals alive.
    _memory: Box<dyn Any + Send + Sync>,
}

// SAFETY: code and literals are immutable, and `_memory` keeps them alive; kernels touch only the context they are given.
unsafe impl Send for CodeImage {}
// SAFETY: as above.
unsafe impl Sync for CodeImage {}

impl CodeImage {
    /// Joins a manifest with its code.
    ///
    /// # Safety
    /// `kernels[i]` is the code of `manifest.kernels[i]`, `literals` its literal bytes; both live, unchanged, as long as `memory`.
    pub unsafe fn new(
        manifest: Manifest,
        kernels: Vec<KernelFn>,
        literals: *const u8,
        memory: Box<dyn Any + Send + Sync>,
    ) -> CodeImage {
        assert_eq!(manifest.kernels.len(), kernels.len());
        CodeImage { manifest, kernels, literals, _memory: memory }
    }

    /// What the program says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The code of a kernel, by position in the manifest.
    pub fn kernel(&self, index: u32) -> KernelFn {
        self.kernels[index as usize]
    }

    /// Start of the literal bytes.
    pub fn literals(&self) -> *const u8 {
        self.literals
    }
}
