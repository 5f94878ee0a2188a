//! Mathematical functions: numbers to numbers.
//!
//! Floats follow IEEE 754: a result that is not a number is NaN, not a failure. Integers are exact or fail the message.
//!
//! This file must not know slots.

use chalk_catalog::context::{CallContext, FunctionError};
use chalk_macros::functions;
use chalk_types::Value;

const OVERFLOW: &str = "integer overflow";
const DIVISION_BY_ZERO: &str = "division by zero";

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
        x.checked_abs().ok_or_else(|| OVERFLOW.into())
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

    /// -1, 0 or 1.
    ///
    /// ```chalk
    /// sign(-7) == -1
    /// ```
    #[function(signature = "sign(x: int) -> int", known_as = "signum")]
    fn sign_int(x: i64) -> i64 {
        x.signum()
    }

    /// -1.0, 0.0 or 1.0; NaN of NaN.
    ///
    /// ```chalk
    /// sign(-0.5) == -1.0
    /// sign(0.0) == 0.0
    /// ```
    #[function(signature = "sign(x: float) -> float")]
    fn sign_float(x: f64) -> f64 {
        if x == 0.0 || x.is_nan() { x } else { 1f64.copysign(x) }
    }

    /// The square root; NaN below 0.
    ///
    /// ```chalk
    /// sqrt(9.0) == 3.0
    /// is_nan(sqrt(-1.0))
    /// ```
    #[function(signature = "sqrt(x: float) -> float", lower = IrOp::FloatSqrt)]
    fn sqrt(x: f64) -> f64 {
        x.sqrt()
    }

    /// The cube root.
    ///
    /// ```chalk
    /// cbrt(27.0) == 3.0
    /// ```
    #[function(signature = "cbrt(x: float) -> float")]
    fn cbrt(x: f64) -> f64 {
        x.cbrt()
    }

    /// e to the power of `x`.
    ///
    /// ```chalk
    /// exp(0.0) == 1.0
    /// ```
    #[function(signature = "exp(x: float) -> float")]
    fn exp(x: f64) -> f64 {
        x.exp()
    }

    /// The natural logarithm; -infinity of 0, NaN below.
    ///
    /// ```chalk
    /// ln(1.0) == 0.0
    /// ```
    #[function(signature = "ln(x: float) -> float", known_as = "log, loge")]
    fn ln(x: f64) -> f64 {
        x.ln()
    }

    /// The logarithm to base 2.
    ///
    /// ```chalk
    /// log2(8.0) == 3.0
    /// ```
    #[function(signature = "log2(x: float) -> float")]
    fn log2(x: f64) -> f64 {
        x.log2()
    }

    /// The logarithm to base 10.
    ///
    /// ```chalk
    /// log10(1000.0) == 3.0
    /// ```
    #[function(signature = "log10(x: float) -> float")]
    fn log10(x: f64) -> f64 {
        x.log10()
    }

    /// `1 / (1 + exp(-x))`.
    ///
    /// ```chalk
    /// sigmoid(0.0) == 0.5
    /// ```
    #[function(signature = "sigmoid(x: float) -> float")]
    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    /// `x` to the power of `y`, always a float; as `x ** y`.
    ///
    /// ```chalk
    /// pow(2.0, 10.0) == 1024.0
    /// ```
    #[function(signature = "pow(x: float, y: float) -> float", known_as = "power")]
    fn pow(x: f64, y: f64) -> f64 {
        x.powf(y)
    }

    /// The remainder with the sign of `x`; as `x % y`. By 0 it fails the message.
    ///
    /// ```chalk
    /// mod(7, 3) == 1
    /// mod(-7, 3) == -1
    /// ```
    #[function(signature = "mod(x: int, y: int) -> int", known_as = "modulo, remainder, fmod")]
    fn mod_int(x: i64, y: i64) -> Result<i64, FunctionError> {
        if y == 0 { Err(DIVISION_BY_ZERO.into()) } else { Ok(x.wrapping_rem(y)) }
    }

    /// The remainder with the sign of `x`; NaN by 0.
    ///
    /// ```chalk
    /// mod(7.5, 2.0) == 1.5
    /// ```
    #[function(signature = "mod(x: float, y: float) -> float")]
    fn mod_float(x: f64, y: f64) -> f64 {
        x % y
    }

    /// The greatest int that is not above `x / y`. By 0, and past 64 bits, it fails the message.
    ///
    /// ```chalk
    /// floor_div(7, 2) == 3
    /// floor_div(-7, 2) == -4
    /// ```
    #[function(signature = "floor_div(x: int, y: int) -> int", known_as = "div, integer_divide")]
    fn floor_div(x: i64, y: i64) -> Result<i64, FunctionError> {
        if y == 0 {
            return Err(DIVISION_BY_ZERO.into());
        }
        let quotient = x.checked_div(y).ok_or(OVERFLOW)?;
        Ok(if x % y != 0 && (x < 0) != (y < 0) { quotient - 1 } else { quotient })
    }

    /// The greatest integral value that is not above `x / y`.
    ///
    /// ```chalk
    /// floor_div(-7.5, 2.0) == -4.0
    /// ```
    #[function(signature = "floor_div(x: float, y: float) -> float")]
    fn floor_div_float(x: f64, y: f64) -> f64 {
        (x / y).floor()
    }

    /// What `floor_div` leaves: the remainder with the sign of `y`. By 0 it fails the message.
    ///
    /// ```chalk
    /// floor_mod(-7, 3) == 2
    /// floor_mod(7, -3) == -2
    /// ```
    #[function(signature = "floor_mod(x: int, y: int) -> int")]
    fn floor_mod(x: i64, y: i64) -> Result<i64, FunctionError> {
        if y == 0 {
            return Err(DIVISION_BY_ZERO.into());
        }
        let rest = x.wrapping_rem(y);
        Ok(if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest })
    }

    /// What `floor_div` leaves: the remainder with the sign of `y`; NaN by 0.
    ///
    /// ```chalk
    /// floor_mod(-7.5, 2.0) == 0.5
    /// ```
    #[function(signature = "floor_mod(x: float, y: float) -> float")]
    fn floor_mod_float(x: f64, y: f64) -> f64 {
        let rest = x % y;
        if rest != 0.0 && (rest < 0.0) != (y < 0.0) { rest + y } else { rest }
    }

    /// `x / y`, or null where `y` is 0.
    ///
    /// ```chalk
    /// safe_divide(6.0, 4.0) == 1.5
    /// safe_divide(1.0, 0.0) == none
    /// ```
    #[function(signature = "safe_divide(x: float, y: float) -> float?", known_as = "try_divide, div0")]
    fn safe_divide(x: f64, y: f64) -> Option<f64> {
        if y == 0.0 { None } else { Some(x / y) }
    }

    /// The sine of an angle in radians.
    ///
    /// ```chalk
    /// sin(0.0) == 0.0
    /// ```
    #[function(signature = "sin(x: float) -> float")]
    fn sin(x: f64) -> f64 {
        x.sin()
    }

    /// The cosine of an angle in radians.
    ///
    /// ```chalk
    /// cos(0.0) == 1.0
    /// ```
    #[function(signature = "cos(x: float) -> float")]
    fn cos(x: f64) -> f64 {
        x.cos()
    }

    /// The tangent of an angle in radians. (The reference has none.)
    ///
    /// ```chalk
    /// tan(0.0) == 0.0
    /// ```
    #[function(signature = "tan(x: float) -> float")]
    fn tan(x: f64) -> f64 {
        x.tan()
    }

    /// The arc sine in radians; NaN outside of -1 to 1.
    ///
    /// ```chalk
    /// asin(0.0) == 0.0
    /// ```
    #[function(signature = "asin(x: float) -> float")]
    fn asin(x: f64) -> f64 {
        x.asin()
    }

    /// The arc cosine in radians; NaN outside of -1 to 1.
    ///
    /// ```chalk
    /// acos(1.0) == 0.0
    /// ```
    #[function(signature = "acos(x: float) -> float")]
    fn acos(x: f64) -> f64 {
        x.acos()
    }

    /// The arc tangent in radians.
    ///
    /// ```chalk
    /// atan(0.0) == 0.0
    /// ```
    #[function(signature = "atan(x: float) -> float")]
    fn atan(x: f64) -> f64 {
        x.atan()
    }

    /// The angle of the point (`x`, `y`) in radians, -π to π.
    ///
    /// ```chalk
    /// atan2(0.0, 1.0) == 0.0
    /// ```
    #[function(signature = "atan2(y: float, x: float) -> float")]
    fn atan2(y: f64, x: f64) -> f64 {
        y.atan2(x)
    }

    /// The hyperbolic sine. (The reference has none.)
    ///
    /// ```chalk
    /// sinh(0.0) == 0.0
    /// ```
    #[function(signature = "sinh(x: float) -> float")]
    fn sinh(x: f64) -> f64 {
        x.sinh()
    }

    /// The hyperbolic cosine.
    ///
    /// ```chalk
    /// cosh(0.0) == 1.0
    /// ```
    #[function(signature = "cosh(x: float) -> float")]
    fn cosh(x: f64) -> f64 {
        x.cosh()
    }

    /// The hyperbolic tangent.
    ///
    /// ```chalk
    /// tanh(0.0) == 0.0
    /// ```
    #[function(signature = "tanh(x: float) -> float")]
    fn tanh(x: f64) -> f64 {
        x.tanh()
    }

    /// An angle in radians as degrees.
    ///
    /// ```chalk
    /// degrees(pi()) == 180.0
    /// ```
    #[function(signature = "degrees(x: float) -> float")]
    fn degrees(x: f64) -> f64 {
        x.to_degrees()
    }

    /// An angle in degrees as radians.
    ///
    /// ```chalk
    /// radians(180.0) == pi()
    /// ```
    #[function(signature = "radians(x: float) -> float")]
    fn radians(x: f64) -> f64 {
        x.to_radians()
    }

    /// π.
    ///
    /// ```chalk
    /// floor(pi() * 100.0) == 314.0
    /// ```
    #[function(signature = "pi() -> float")]
    const PI: &str = "3.141592653589793";

    /// Euler's number.
    ///
    /// ```chalk
    /// ln(e()) == 1.0
    /// ```
    #[function(signature = "e() -> float")]
    const E: &str = "2.718281828459045";

    /// The least of the arguments that are not null; null if all are.
    ///
    /// Deviation: the reference gives null where any argument is null, though its documentation says otherwise.
    ///
    /// ```chalk
    /// least(3, 1, 2) == 1
    /// least(none, 2) == 2
    /// ```
    #[function(signature = "least(x: T?...) -> T? where T: ordered", known_as = "min", fold)]
    const LEAST: &str = "if a is none or b < a then b else a";

    /// The greatest of the arguments that are not null; null if all are. NaN is above every number.
    ///
    /// Deviation: the reference gives null where any argument is null, though its documentation says otherwise.
    ///
    /// ```chalk
    /// greatest(3, 1, 2) == 3
    /// greatest(none, 2) == 2
    /// ```
    #[function(signature = "greatest(x: T?...) -> T? where T: ordered", known_as = "max", fold)]
    const GREATEST: &str = "if a is none or b > a then b else a";

    /// `x`, or the nearer of the two bounds where it lies outside of them.
    ///
    /// ```chalk
    /// clamp(7, 1, 5) == 5
    /// clamp(0.5, 0.0, 1.0) == 0.5
    /// ```
    #[function(signature = "clamp(x: T, lo: T, hi: T) -> T where T: ordered")]
    const CLAMP: &str = "if x < lo then lo else if x > hi then hi else x";

    /// Whether `x` lies between two bounds, both included.
    ///
    /// Deviation: the reference has an argument `inclusive`; write the comparison that is meant.
    ///
    /// ```chalk
    /// between(2, 1, 3)
    /// between(3, 1, 3)
    /// not between(4, 1, 3)
    /// ```
    #[function(signature = "between(x: T, lo: T, hi: T) -> bool where T: ordered")]
    const BETWEEN: &str = "x >= lo and x <= hi";

    /// The number of the bucket in which `x` lies, of `n` equally wide ones from `first` to `last`: 1 to `n`, 0 below,
    /// `n + 1` above. `first` may be above `last`: then buckets descend. Equal or infinite bounds, NaN, and `n` below 1 fail the
    /// message.
    ///
    /// ```chalk
    /// width_bucket(3.5, 0.0, 10.0, 5) == 2
    /// width_bucket(-1.0, 0.0, 10.0, 5) == 0
    /// width_bucket(10.0, 0.0, 10.0, 5) == 6
    /// ```
    #[function(signature = "width_bucket(x: float, first: float, last: float, n: int) -> int")]
    fn width_bucket(x: f64, first: f64, last: f64, n: i64) -> Result<i64, FunctionError> {
        if n < 1 || n == i64::MAX {
            return Err(format!("{n} is no number of buckets").into());
        }
        if x.is_nan() || !first.is_finite() || !last.is_finite() || first == last {
            return Err("a histogram needs a number and two finite, different bounds".into());
        }
        let share = if first < last { (x - first) / (last - first) } else { (first - x) / (first - last) };
        Ok(if share < 0.0 {
            0
        } else if share >= 1.0 {
            n + 1
        } else {
            ((share * n as f64) as i64).min(n - 1) + 1
        })
    }

    /// Whether a float is NaN, which is no number. (The reference has no such function.)
    ///
    /// ```chalk
    /// is_nan(0.0 / 0.0)
    /// ```
    #[function(signature = "is_nan(x: float) -> bool", known_as = "isnan", lower = IrOp::FloatIsNan)]
    fn is_nan(x: f64) -> bool {
        x.is_nan()
    }

    /// Whether a float is neither NaN nor infinite. (The reference has no such function.)
    ///
    /// ```chalk
    /// is_finite(1.0)
    /// not is_finite(1.0 / 0.0)
    /// ```
    #[function(signature = "is_finite(x: float) -> bool", known_as = "isfinite", lower = IrOp::FloatIsFinite)]
    fn is_finite(x: f64) -> bool {
        x.is_finite()
    }

    /// A random float from 0 to below 1. (The reference also calls it `rand`.)
    ///
    /// ```chalk
    /// random() < 1.0
    /// ```
    #[function(signature = "random() -> float", known_as = "rand, secure_random", impure)]
    fn random(cx: &CallContext) -> f64 {
        (cx.random_bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A random int from 0 to below `n`; `n` below 1 fails the message.
    ///
    /// ```chalk
    /// random(10) < 10
    /// ```
    #[function(signature = "random(n: int) -> int", impure)]
    fn random_below(cx: &CallContext, n: i64) -> Result<i64, FunctionError> {
        if n < 1 {
            return Err(format!("there is no random number from 0 to below {n}").into());
        }
        Ok(((u128::from(cx.random_bits()) * n as u128) >> 64) as i64)
    }

    /// The distance of two points on the earth along its surface, in kilometres, on a sphere of radius 6371 km. The
    /// unit of the angles is `"radians"` or `"degrees"`.
    ///
    /// ```chalk
    /// floor(haversine(1.0, 1.0, 0.0, 0.0, "degrees")) == 157.0
    /// ```
    #[function(
        signature = "haversine(lat1: float, lon1: float, lat2: float, lon2: float, unit: string = \"radians\") -> float",
        check = check_unit
    )]
    fn haversine(lat1: f64, lon1: f64, lat2: f64, lon2: f64, unit: &str) -> Result<f64, FunctionError> {
        let angle = match unit {
            "radians" => |x: f64| x,
            "degrees" => f64::to_radians,
            _ => return Err(format!("unknown unit `{unit}`: radians or degrees").into()),
        };
        let (lat1, lon1, lat2, lon2) = (angle(lat1), angle(lon1), angle(lat2), angle(lon2));
        let a = ((lat2 - lat1) / 2.0).sin().powi(2) + lat1.cos() * lat2.cos() * ((lon2 - lon1) / 2.0).sin().powi(2);
        Ok(2.0 * 6371.0 * a.sqrt().min(1.0).asin())
    }
}

fn check_unit(args: &[Option<Value>]) -> Result<(), (usize, String)> {
    match &args[4] {
        Some(Value::String(unit)) if unit != "radians" && unit != "degrees" => {
            Err((4, format!("unknown unit `{unit}`: radians or degrees")))
        }
        _ => Ok(()),
    }
}
