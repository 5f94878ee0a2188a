//! Mathematical functions.
//!
//! This file must not know slots.

use chalk_catalog::context::FunctionError;
use chalk_macros::functions;

#[functions(family = "math")]
mod defs {
    use super::*;

    /// The absolute value. The least int has none: it fails the message.
    ///
    /// ```chalk
    /// abs(-3) == 3
    /// ```
    #[function(signature = "abs(x: int) -> int", lower = IrOp::IntAbs)]
    fn abs_int(x: i64) -> Result<i64, FunctionError> {
        x.checked_abs().ok_or_else(|| "integer overflow".into())
    }

    /// The absolute value.
    ///
    /// ```chalk
    /// abs(-1.5) == 1.5
    /// ```
    #[function(signature = "abs(x: float) -> float", lower = IrOp::FloatAbs)]
    fn abs_float(x: f64) -> f64 {
        x.abs()
    }

    /// `x`, or the nearer of the two bounds where it lies outside of them.
    ///
    /// ```chalk
    /// clamp(7, 1, 5) == 5
    /// clamp(0.5, 0.0, 1.0) == 0.5
    /// ```
    #[function(signature = "clamp(x: T, lo: T, hi: T) -> T where T: ordered")]
    const CLAMP: &str = "if x < lo then lo else if x > hi then hi else x";
}
