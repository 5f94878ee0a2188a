//! The function library: one module per family, one item per function or aggregate.
//!
//! An item states everything about its function; checker, evaluator, generated code, pages and tests read it from here.
//! To add a function, write an item in its family and run the tests with `CHALK_BLESS=1` once.
//!
//! This crate must never know who calls it.

mod aggregates;
mod bits;
mod bytes;
mod calendar;
mod cast;
mod decimal;
mod decimal_text;
mod iso;
mod json;
mod json_path;
mod json_text;
mod list;
mod math;
mod nulls;
mod periods;
mod positions;
mod regexp;
mod rounding;
mod similarity;
mod text;
mod time;
mod time_pattern;
mod vector;
mod zone;

use std::sync::LazyLock;

use chalk_catalog::Catalog;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    Catalog::new(&[
        text::defs(),
        similarity::defs(),
        regexp::defs(),
        math::defs(),
        rounding::defs(),
        bits::defs(),
        time::defs(),
        periods::defs(),
        json::defs(),
        bytes::defs(),
        list::defs(),
        vector::defs(),
        nulls::defs(),
        cast::defs(),
        decimal::defs(),
    ])
    .with_aggregates(&aggregates::families())
});

/// The whole library.
pub fn catalog() -> &'static Catalog {
    &CATALOG
}
