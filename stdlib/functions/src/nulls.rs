//! Functions that look at null and choose: expressions of the language itself, so that they cost what a hand-written
//! `if` costs.
//!
//! This file must not know slots.

use chalk_macros::functions;

#[functions(family = "null")]
mod defs {
    /// The first argument that is not null; null if all are.
    ///
    /// ```chalk
    /// coalesce(none, 2, 3) == 2
    /// ```
    #[function(signature = "coalesce(x: T?...) -> T?", known_as = "nvl, first_not_null", fold)]
    const COALESCE: &str = "a ?? b";

    /// `x`, or `y` where `x` is null.
    ///
    /// ```chalk
    /// if_null(none, 2) == 2
    /// if_null(1, 2) == 1
    /// ```
    #[function(signature = "if_null(x: T?, y: T?) -> T?", known_as = "ifnull, isnull")]
    const IF_NULL: &str = "x ?? y";

    /// Null where `x` equals `y`, else `x`.
    ///
    /// ```chalk
    /// nullif(0, 0) == none
    /// nullif(1, 0) == 1
    /// ```
    #[function(signature = "nullif(x: T?, y: T?) -> T?")]
    const NULLIF: &str = "if x == y then none else x";

    /// Whether `x` is null.
    ///
    /// ```chalk
    /// not is_null(1)
    /// ```
    #[function(signature = "is_null(x: T?) -> bool", known_as = "isna, isnull")]
    const IS_NULL: &str = "x is none";

    /// Whether `x` is not null.
    ///
    /// ```chalk
    /// is_not_null(1)
    /// ```
    #[function(signature = "is_not_null(x: T?) -> bool")]
    const IS_NOT_NULL: &str = "not (x is none)";

    /// `x` where the condition is true, `y` where it is false or null.
    ///
    /// ```chalk
    /// if_then_else(1 < 2, "yes", "no") == "yes"
    /// ```
    #[function(signature = "if_then_else(condition: bool?, x: T?, y: T?) -> T?", known_as = "if_else, iff, case_when")]
    const IF_THEN_ELSE: &str = "if condition then x else y";

    /// Whether the two differ, where null is a value: `!=` in words.
    ///
    /// ```chalk
    /// distinct_from(1, 2)
    /// not distinct_from(1, 1)
    /// ```
    #[function(signature = "distinct_from(x: T?, y: T?) -> bool")]
    const DISTINCT_FROM: &str = "x != y";
}
