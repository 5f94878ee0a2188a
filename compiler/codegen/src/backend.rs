//! Machine code for all kernels, joined to one text.
//!
//! Kernels are independent, so they are compiled on all cores; they are joined in their order, so the text does not depend on
//! that. A relocation that is not a call between kernels' own functions would need a linker when loaded: it is refused here.
//!
//! This file must not know memory protection or files.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use chalk_diagnostics::Span;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::ExternalName;
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::{Context, FinalizedMachReloc, FinalizedRelocTarget};

use crate::CodegenError;
use crate::lower::Lowered;

/// Functions start at multiples of this at least.
const FUNCTION_ALIGN: u32 = 32;

/// The code of a module.
pub(crate) struct Text {
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// Per function where it lies.
    pub(crate) functions: Vec<Placed>,
}

/// A function in the text.
pub(crate) struct Placed {
    /// Its first byte.
    pub(crate) offset: u64,
    /// Its bytes.
    pub(crate) size_bytes: u64,
    /// Where its code comes from: ranges from its start, rising.
    pub(crate) spans: Vec<(u32, u32, Span)>,
}

struct Compiled {
    bytes: Vec<u8>,
    align: u32,
    relocs: Vec<(FinalizedMachReloc, u32)>,
    spans: Vec<(u32, u32, Span)>,
}

/// Compiles functions; function `i` has the name `u0:i`.
pub(crate) fn compile(isa: &Arc<dyn TargetIsa>, lowered: Vec<Lowered>) -> Result<Text, CodegenError> {
    let count = lowered.len();
    let jobs: Vec<Mutex<Option<Lowered>>> = lowered.into_iter().map(|lowered| Mutex::new(Some(lowered))).collect();
    let done: Vec<Mutex<Option<Result<Compiled, CodegenError>>>> = (0..count).map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut context = Context::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(index) else { return };
            let Some(lowered) = lock(job).take() else { return };
            let compiled = compile_one(isa.as_ref(), &mut context, lowered);
            *lock(&done[index]) = Some(compiled);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(count);
    if threads <= 1 {
        work();
    } else {
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
    }
    let compiled = done
        .into_iter()
        .map(|slot| match lock(&slot).take() {
            Some(result) => result,
            None => unreachable!("every job was done"),
        })
        .collect::<Result<Vec<Compiled>, CodegenError>>()?;
    join(isa.as_ref(), compiled)
}

/// Nobody panics while holding one of these locks; where somebody did, the data is whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn compile_one(isa: &dyn TargetIsa, context: &mut Context, lowered: Lowered) -> Result<Compiled, CodegenError> {
    context.clear();
    context.func = lowered.function;
    let code = context
        .compile(isa, &mut ControlPlane::default())
        .map_err(|error| CodegenError::new(format!("Cranelift refuses a kernel: {:?}", error.inner)))?;
    let bytes = code.code_buffer().to_vec();
    let align = code.buffer.alignment.max(FUNCTION_ALIGN);
    let spans = code
        .buffer
        .get_srclocs_sorted()
        .iter()
        .filter(|range| !range.loc.is_default() && range.start < range.end)
        .map(|range| (range.start, range.end, lowered.spans[range.loc.bits() as usize]))
        .collect();
    let relocs = code.buffer.relocs().to_vec();
    let relocs = relocs
        .into_iter()
        .map(|reloc| match &reloc.target {
            FinalizedRelocTarget::ExternalName(ExternalName::User(name)) => {
                // A part of a kernel; functions have the positions they are named after.
                let index = context.func.params.user_named_funcs()[*name].index;
                Ok((reloc, index))
            }
            other => Err(CodegenError::new(format!(
                "a kernel would need a linker: relocation {:?} against {}",
                reloc.kind,
                other.display(Some(&context.func.params))
            ))),
        })
        .collect::<Result<_, _>>()?;
    Ok(Compiled { bytes, align, relocs, spans })
}

fn join(isa: &dyn TargetIsa, compiled: Vec<Compiled>) -> Result<Text, CodegenError> {
    let mut plane = ControlPlane::default();
    let mut builder = isa.text_section_builder(compiled.len());
    let mut functions = Vec::with_capacity(compiled.len());
    for code in &compiled {
        let offset = builder.append(true, &code.bytes, code.align, &mut plane);
        functions.push(Placed { offset, size_bytes: code.bytes.len() as u64, spans: code.spans.clone() });
    }
    for (code, placed) in compiled.iter().zip(&functions) {
        for (reloc, target) in &code.relocs {
            let offset = placed.offset + u64::from(reloc.offset);
            if !builder.resolve_reloc(offset, reloc.kind, reloc.addend, *target as usize) {
                return Err(CodegenError::new(format!("a kernel would need a linker: relocation {:?}", reloc.kind)));
            }
        }
    }
    Ok(Text { bytes: builder.finish(&mut plane), functions })
}

#[cfg(test)]
mod tests {
    use cranelift_codegen::ir::types::F64;
    use cranelift_codegen::ir::{AbiParam, Function, InstBuilder, Signature, UserFuncName};
    use cranelift_codegen::settings::{self, Flags};
    use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};

    use super::*;

    #[test]
    fn code_that_would_need_a_linker_is_refused() {
        // Below our floor, rounding is a call of the C library.
        let isa = cranelift_codegen::isa::lookup_by_name("x86_64-unknown-linux-gnu")
            .expect("x86-64 is built in")
            .finish(Flags::new(settings::builder()))
            .expect("the baseline needs nothing");
        let mut signature = Signature::new(isa.default_call_conv());
        signature.params.push(AbiParam::new(F64));
        signature.returns.push(AbiParam::new(F64));
        let mut function = Function::with_name_signature(UserFuncName::user(0, 0), signature);
        let mut scratch = FunctionBuilderContext::new();
        let mut b = FunctionBuilder::new(&mut function, &mut scratch);
        let block = b.create_block();
        b.append_block_params_for_function_params(block);
        b.switch_to_block(block);
        let x = b.block_params(block)[0];
        let rounded = b.ins().ceil(x);
        b.ins().return_(&[rounded]);
        b.seal_all_blocks();
        b.finalize(isa.frontend_config());
        let error = compile(&isa, vec![Lowered { function, spans: Vec::new() }]).err().map(|error| error.to_string());
        assert!(error.as_deref().is_some_and(|error| error.contains("would need a linker")), "{error:?}");
    }
}
