//! The aggregates: one module per family, one item per aggregate.
//!
//! An item states everything about its aggregate: types, meaning, examples, and what a partial is. An aggregate of
//! several types is one constant and the overloads that differ from it in their signature. Checker, evaluator, state,
//! pages and tests read them from here, so adding one touches the file of its family only.
//!
//! This module must not know windows, keys or where partials are kept.

mod bytes;
mod cell;
mod collect;
mod counts;
mod distinct;
mod extremes;
mod hyperloglog;
mod moments;
mod numeric;
mod picks;
mod quantiles;
mod sums;
mod vectors;

use chalk_catalog::aggregate::{AggregateCall, AggregateDef};
use chalk_types::Value;

/// The families, in the order of their pages.
pub(crate) fn families() -> Vec<&'static [AggregateDef]> {
    vec![
        sums::DEFS,
        extremes::DEFS,
        picks::DEFS,
        moments::DEFS,
        quantiles::DEFS,
        distinct::DEFS,
        collect::DEFS,
        vectors::DEFS,
    ]
}

/// How many values at most one may ask for: they are kept for every key and bucket.
const GREATEST_LIMIT: i128 = 1000;

/// A constant that says how many values are asked for.
fn limited(call: &AggregateCall, param: usize, name: &str) -> Result<usize, (usize, String)> {
    match call.params[param] {
        Value::Int(n) if (1..=GREATEST_LIMIT).contains(&n) => Ok(n as usize),
        _ => Err((param, format!("`{name}` is from 1 to {GREATEST_LIMIT}"))),
    }
}
