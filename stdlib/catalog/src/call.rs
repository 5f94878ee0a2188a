//! Calling library functions: the frame around every shim, and the evaluator's way in.
//!
//! Generated shims are one line; what they have in common (the context, the failure, the panic that must not cross into
//! generated code) is here once.
//!
//! This file must not know any function.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chalk_artifact::abi::{ColumnView, KernelContext, Slot, answer};
use chalk_types::{Kind, Type, Value};

use crate::builder::{ColumnBuilder, ColumnViews};
use crate::catalog::Function;
use crate::column::slot_value;
use crate::context::{CallContext, FunctionError};
use crate::def::Body;
use crate::slot::{NULL_SLOT, bytes_slot};

/// The frame of a shim: finds context and arguments, runs the body, reports failure; a panic is a failure.
///
/// # Safety
/// As for `ScalarShim`: the context's `call` is a live `CallContext`, `args` has `arity` slots, `ret` can be written.
pub unsafe fn invoke(
    cx: *mut KernelContext,
    args: *const Slot,
    ret: *mut Slot,
    site: u64,
    arity: usize,
    body: impl for<'a> FnOnce(&'a CallContext, &'a [Slot]) -> Result<Slot, FunctionError>,
) -> u64 {
    // SAFETY: the caller vouches for the pointers; the context is used by one thread, and its state is in cells.
    let (context, args) = unsafe {
        let context = &*((*cx).call.cast_const().cast::<CallContext>());
        (context, if arity == 0 { &[] } else { std::slice::from_raw_parts(args, arity) })
    };
    context.set_site(site);
    let outcome = catch_unwind(AssertUnwindSafe(|| body(context, args)))
        .unwrap_or_else(|_| Err("internal error in a library function".into()));
    match outcome {
        Ok(slot) => {
            // SAFETY: the caller vouches for `ret`.
            unsafe { ret.write(slot) };
            answer::OK
        }
        Err(error) => {
            context.set_error(error);
            answer::FAIL
        }
    }
}

/// A kernel context that serves single calls: it has a call context and nothing else.
pub fn bare_kernel_context(context: &CallContext) -> KernelContext {
    KernelContext {
        row_count: 0,
        out_count: 0,
        inputs: std::ptr::null(),
        outputs: std::ptr::null(),
        status: std::ptr::null_mut(),
        row_index: std::ptr::null_mut(),
        helpers: std::ptr::null(),
        literals: std::ptr::null(),
        call: (&raw const *context).cast_mut().cast(),
        engine: std::ptr::null_mut(),
    }
}

/// Calls a native function with plain values: one per parameter (a list for a variadic one), already of the parameter's
/// type. A null in a parameter that is not nullable gives null without a call. The result is of type `result_type`.
///
/// Panics where the function has no native body: such a call is replaced by its expression before.
pub fn call_scalar(
    context: &CallContext,
    function: &Function,
    args: &[Value],
    arg_types: &[Type],
    result_type: &Type,
    site: u64,
) -> Result<Value, String> {
    let Body::Native(shim) = function.def.body else { panic!("`{}` has no native body", function.def.name) };
    let params = &function.signature.params;
    assert_eq!(args.len(), params.len(), "arguments of `{}`", function.def.signature);
    if params.iter().zip(args).any(|(param, arg)| arg.is_null() && !param.ty.is_nullable()) {
        return Ok(Value::Null);
    }
    let held: Vec<HeldSlot> = args.iter().zip(arg_types).map(|(arg, ty)| HeldSlot::new(arg, ty)).collect();
    let slots: Vec<Slot> = held.iter().map(|held| held.slot).collect();
    let mut ret = NULL_SLOT;
    let mut kernel = bare_kernel_context(context);
    // SAFETY: one slot per parameter, of its type; `held` keeps what they point to; the context lives.
    let answer = unsafe { shim(&mut kernel, slots.as_ptr(), &mut ret, site) };
    if answer != answer::OK {
        return Err(context.take_error().unwrap_or_else(|| "the function failed".to_owned()));
    }
    // SAFETY: the function gave a value of the signature's result type, in the context or in its arguments.
    Ok(unsafe { slot_value(&ret, result_type) })
}

/// A value in passing together with what it points to.
#[derive(Debug)]
pub struct HeldSlot {
    /// The value.
    pub slot: Slot,
    _text: Vec<u8>,
    _column: Option<(ColumnBuilder, ColumnViews)>,
}

impl HeldSlot {
    /// Puts a value of that type into a slot.
    pub fn new(value: &Value, ty: &Type) -> HeldSlot {
        let word = |w0: u64| Slot { w0, w1: 0, w2: 0, valid: 1 };
        let simple = |slot: Slot| HeldSlot { slot, _text: Vec::new(), _column: None };
        match value {
            Value::Null => simple(NULL_SLOT),
            Value::Bool(value) => simple(word(u64::from(*value))),
            Value::Int(value) => simple(word(*value as u64)),
            Value::Float(value) => simple(word(value.to_bits())),
            Value::Decimal(value) => simple(Slot { w0: *value as u64, w1: (*value >> 64) as u64, w2: 0, valid: 1 }),
            Value::Datetime(value) | Value::Time(value) | Value::Duration(value) => simple(word(*value as u64)),
            Value::Date(value) => simple(word(*value as u64)),
            Value::Enum(value) => simple(word(u64::from(*value))),
            Value::String(text) => HeldSlot::text(text.as_bytes()),
            Value::Bytes(bytes) => HeldSlot::text(bytes),
            Value::List(_) | Value::Map(_) | Value::Struct(_) => HeldSlot::nested(value, ty),
        }
    }

    fn text(bytes: &[u8]) -> HeldSlot {
        let text = bytes.to_vec();
        HeldSlot { slot: bytes_slot(&text), _text: text, _column: None }
    }

    fn nested(value: &Value, ty: &Type) -> HeldSlot {
        let mut column = ColumnBuilder::new(ty);
        column.push_value(value);
        let views = column.views();
        let root = views.root();
        let (target, len): (*const ColumnView, usize) = match (&ty.kind, value) {
            (Kind::List(_) | Kind::Vector(..), Value::List(items)) => (root.children, items.len()),
            (Kind::Map(..), Value::Map(entries)) => (root, entries.len()),
            (Kind::Struct(_), Value::Struct(_)) => (root, 0),
            _ => panic!("{value:?} is no {ty}"),
        };
        let slot = Slot { w0: target as u64, w1: 0, w2: len as u64, valid: 1 };
        HeldSlot { slot, _text: Vec::new(), _column: Some((column, views)) }
    }
}
