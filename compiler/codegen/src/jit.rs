//! The code in memory of this process, through cranelift-jit: written, then executable, never both.
//!
//! All `unsafe` of this crate is here.
//!
//! This file must not know what kernels compute.

use std::sync::Arc;

use chalk_artifact::abi::KernelFn;
use chalk_artifact::image::CodeImage;
use chalk_artifact::manifest::{self, Manifest};

use cranelift_codegen::ir::Signature;
use cranelift_codegen::isa::TargetIsa;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module as _, default_libcall_names};

use crate::{CodegenError, perf_map};

/// Where the text begins, as functions in it are aligned to that.
const TEXT_ALIGN: u64 = 64;

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

/// Maps the code of a module; the result can be called.
pub(crate) fn map(
    isa: &Arc<dyn TargetIsa>,
    manifest: &Manifest,
    text: &[u8],
    literals: &[u8],
) -> Result<CodeImage, CodegenError> {
    let failed = |error: cranelift_module::ModuleError| CodegenError::new(format!("code cannot be mapped: {error}"));
    let mut module = JITModule::new(JITBuilder::with_isa(isa.clone(), default_libcall_names()));
    let signature = Signature::new(isa.default_call_conv());
    let whole = module.declare_function("text", Linkage::Local, &signature).map_err(failed)?;
    module.define_function_bytes(whole, TEXT_ALIGN, text, &[]).map_err(failed)?;
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
    let address = |kernel: &manifest::Kernel| code.wrapping_add(kernel.text_offset as usize);
    perf_map::write(
        manifest.kernels.iter().map(|kernel| (address(kernel) as u64, kernel.size_bytes, kernel.symbol.as_str())),
    );
    let kernels = manifest
        .kernels
        .iter()
        // SAFETY: at that offset of the mapped text begins the code of this kernel, which has this signature.
        .map(|kernel| unsafe { std::mem::transmute::<*const u8, KernelFn>(address(kernel)) })
        .collect();
    // SAFETY: kernels and literals belong to this manifest, and `Shared` keeps both mapped and unchanged.
    Ok(unsafe { CodeImage::new(manifest.clone(), kernels, literals, Box::new(Shared(mapped))) })
}
