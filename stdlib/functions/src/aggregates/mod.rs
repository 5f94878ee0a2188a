//! The aggregates: one module per family, one item per aggregate.
//!
//! An item states everything about its aggregate: types, meaning, examples, and what a partial is. An aggregate of several types
//! is one constant and the overloads that differ from it in their signature. Checker, evaluator, state, pages and tests read
//! them from here, so adding one touches the file of its family only.
//!
//! This module must not know windows, keys or where partials are kept.

mod bytes;
mod cell;
mod extremes;
mod sums;

use chalk_catalog::aggregate::AggregateDef;

/// The families, in the order of their pages.
pub(crate) fn families() -> Vec<&'static [AggregateDef]> {
    vec![sums::DEFS, extremes::DEFS]
}
