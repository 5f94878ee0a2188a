//! The text in memory of this process, through cranelift-jit: written, then executable, never both.
//!
//! This file must not know kernels.

use std::any::Any;
use std::sync::Arc;

use cranelift_codegen::ir::Signature;
use cranelift_codegen::isa::TargetIsa;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module as _, default_libcall_names};

use crate::CodegenError;

/// Keeps mapped code alive, and its literals with it.
struct Mapped {
    module: Option<JITModule>,
    literals: Vec<u128>,
}

impl Drop for Mapped {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: the image that holds this is gone, so nobody can call into the code any more.
            unsafe { module.free_memory() };
        }
    }
}

/// The module is only kept, and freed by whoever drops it last.
struct Shared(#[allow(dead_code)] Mapped);
// SAFETY: nothing is reachable through `Shared` except its drop, which runs once, on one thread.
unsafe impl Send for Shared {}
// SAFETY: as above; a shared reference gives access to nothing.
unsafe impl Sync for Shared {}

/// A mapped text.
pub(crate) struct MappedText {
    /// Where it starts.
    pub(crate) code: *const u8,
    /// Where the literals start, at a multiple of 16.
    pub(crate) literals: *const u8,
    /// Keeps both alive.
    pub(crate) memory: Box<dyn Any + Send + Sync>,
}

/// Maps a text and literals.
pub(crate) fn map(isa: &Arc<dyn TargetIsa>, text: &[u8], literals: &[u8]) -> Result<MappedText, CodegenError> {
    let failed = |error: cranelift_module::ModuleError| CodegenError::new(format!("code cannot be mapped: {error}"));
    let mut module = JITModule::new(JITBuilder::with_isa(isa.clone(), default_libcall_names()));
    let signature = Signature::new(isa.default_call_conv());
    let whole = module.declare_function("text", Linkage::Local, &signature).map_err(failed)?;
    module.define_function_bytes(whole, 64, text, &[]).map_err(failed)?;
    module.finalize_definitions().map_err(failed)?;
    let code = module.get_finalized_function(whole);
    let words = literals
        .chunks(16)
        .map(|chunk| {
            let mut word = [0; 16];
            word[..chunk.len()].copy_from_slice(chunk);
            u128::from_ne_bytes(word)
        })
        .collect();
    let mapped = Mapped { module: Some(module), literals: words };
    let literals = mapped.literals.as_ptr().cast();
    Ok(MappedText { code, literals, memory: Box::new(Shared(mapped)) })
}
