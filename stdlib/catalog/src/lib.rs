//! The function library's frame: what a function is, how calls are resolved, and the memory that bodies work in.
//!
//! Checker, evaluator, code generator, runtime and reference pages all read the same declarations, so that a function is
//! added by writing one item in one family of `chalk-functions`.
//!
//! This crate must never know which functions exist, or who calls them.

pub mod aggregate;
pub mod arena;
pub mod builder;
pub mod call;
pub mod catalog;
pub mod column;
pub mod context;
pub mod def;
pub mod event;
pub mod lists;
pub mod reference;
pub mod resolve;
pub mod signature;
pub mod slot;

pub use builder::{ColumnBuilder, ColumnData, ColumnViews};
pub use call::{HeldSlot, bare_kernel_context, call_scalar};
pub use catalog::{AggregateEntry, Catalog, Function, FunctionId};
pub use column::{bit_at, slot_at, slot_value, slots_equal, text_at, value_at};
pub use context::{CallContext, FunctionError};
pub use def::{Body, FunctionDef, IrOp};
pub use resolve::{ArgSource, ArgType, ResolveError, Resolved, ResolvedAggregate};
pub use signature::{Constraint, Param, Signature, TypePattern};

/// Names that the code made by `#[functions]` uses, so that families need not depend on the crates they come from.
pub mod macro_support {
    pub use chalk_artifact::abi::{KernelContext, Slot};
}
