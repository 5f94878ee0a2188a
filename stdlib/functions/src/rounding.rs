//! Rounding: to whole numbers, to decimal places, to tens and hundreds.
//!
//! This file must not know slots.

use chalk_catalog::context::FunctionError;
use chalk_macros::functions;

/// Rounds to decimal places by `rule`, which rounds to an integral value.
fn round_to(x: f64, digits: i64, rule: fn(f64) -> f64) -> f64 {
    if digits == 0 {
        return rule(x);
    }
    let factor = 10f64.powi(digits.unsigned_abs().min(400) as i32);
    let rounded = if digits > 0 { rule(x * factor) / factor } else { rule(x / factor) * factor };
    // Where the factor leaves the range of floats there is nothing to round, or nothing left.
    match (rounded.is_finite() || !x.is_finite(), digits > 0) {
        (true, _) => rounded,
        (false, true) => x,
        (false, false) => 0.0_f64.copysign(x),
    }
}

/// Rounds an int to tens, hundreds and so on; `ties` decides between two equally near multiples (true: away from zero).
fn round_int(x: i64, digits: i64, ties: fn(quotient: i128) -> bool) -> Result<i64, FunctionError> {
    if digits >= 0 {
        return Ok(x);
    }
    let Some(factor) = 10i128.checked_pow(digits.unsigned_abs().min(30) as u32) else { return Ok(0) };
    let (quotient, rest) = (i128::from(x) / factor, i128::from(x) % factor);
    let away = match (rest.abs() * 2).cmp(&factor) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => ties(quotient),
        std::cmp::Ordering::Greater => true,
    };
    let rounded = (quotient + if away { i128::from(x.signum()) } else { 0 }) * factor;
    i64::try_from(rounded).map_err(|_| "integer overflow".into())
}

#[functions(family = "math")]
mod defs {
    use super::*;

    /// The least integral value that is not below `x`.
    ///
    /// ```chalk
    /// ceil(1.2) == 2.0
    /// ceil(-1.2) == -1.0
    /// ```
    #[function(signature = "ceil(x: float) -> float", known_as = "ceiling", lower = IrOp::FloatCeil)]
    fn ceil(x: f64) -> f64 {
        x.ceil()
    }

    /// The int itself.
    ///
    /// ```chalk
    /// ceil(3) == 3
    /// ```
    #[function(signature = "ceil(x: int) -> int")]
    const CEIL_INT: &str = "x";

    /// The greatest integral value that is not above `x`.
    ///
    /// ```chalk
    /// floor(1.8) == 1.0
    /// floor(-1.2) == -2.0
    /// ```
    #[function(signature = "floor(x: float) -> float", lower = IrOp::FloatFloor)]
    fn floor(x: f64) -> f64 {
        x.floor()
    }

    /// The int itself.
    ///
    /// ```chalk
    /// floor(3) == 3
    /// ```
    #[function(signature = "floor(x: int) -> int")]
    const FLOOR_INT: &str = "x";

    /// The integral part: `x` without what follows the point.
    ///
    /// ```chalk
    /// trunc(1.8) == 1.0
    /// trunc(-1.8) == -1.0
    /// ```
    #[function(signature = "trunc(x: float) -> float", known_as = "truncate", lower = IrOp::FloatTrunc)]
    fn trunc(x: f64) -> f64 {
        x.trunc()
    }

    /// The int itself.
    ///
    /// ```chalk
    /// trunc(3) == 3
    /// ```
    #[function(signature = "trunc(x: int) -> int")]
    const TRUNC_INT: &str = "x";

    /// `x` to so many decimal places, halves away from zero. Negative digits round to tens, hundreds and so on. The
    /// nearest float counts, so `round(1.005, 2)` is 1.0: 1.005 itself lies a little below.
    ///
    /// ```chalk
    /// round(2.5) == 3.0
    /// round(-2.5) == -3.0
    /// round(3.14159, 2) == 3.14
    /// round(1.005, 2) == 1.0
    /// ```
    #[function(signature = "round(x: float, digits: int = 0) -> float")]
    fn round(x: f64, digits: i64) -> f64 {
        round_to(x, digits, f64::round)
    }

    /// An int rounded to tens, hundreds and so on by negative digits, halves away from zero; a result past 64 bits
    /// fails the message.
    ///
    /// Deviation: the reference gives a 32-bit float.
    ///
    /// ```chalk
    /// round(7) == 7
    /// round(1250, -2) == 1300
    /// ```
    #[function(signature = "round(x: int, digits: int = 0) -> int")]
    fn round_integer(x: i64, digits: i64) -> Result<i64, FunctionError> {
        round_int(x, digits, |_| true)
    }

    /// `x` to so many decimal places, halves to the even neighbour.
    ///
    /// ```chalk
    /// bankers_round(2.5) == 2.0
    /// bankers_round(3.5) == 4.0
    /// ```
    #[function(signature = "bankers_round(x: float, digits: int = 0) -> float")]
    fn bankers_round(x: f64, digits: i64) -> f64 {
        round_to(x, digits, f64::round_ties_even)
    }

    /// An int rounded to tens, hundreds and so on by negative digits, halves to the even neighbour.
    ///
    /// ```chalk
    /// bankers_round(1250, -2) == 1200
    /// ```
    #[function(signature = "bankers_round(x: int, digits: int = 0) -> int")]
    fn bankers_round_integer(x: i64, digits: i64) -> Result<i64, FunctionError> {
        round_int(x, digits, |quotient| quotient % 2 != 0)
    }
}
