//! Arithmetic of decimals, behind the operators.
//!
//! Operands are scaled integers; the caller has brought them to one scale where that matters, and passes the digits that
//! the result may have. Hidden: no user can write their names.
//!
//! This file must not know how precision and scale of a result are chosen.

use chalk_catalog::context::FunctionError;
use chalk_catalog::slot::Decimal;
use chalk_macros::functions;

use crate::decimal_text::has_digits;

fn fitting(value: Option<i128>, precision: i64) -> Result<Decimal, FunctionError> {
    match value {
        Some(value) if has_digits(value, precision as u32) => Ok(Decimal(value)),
        _ => Err(format!("decimal overflow: more than {precision} digits").into()),
    }
}

#[functions(family = "decimal")]
mod defs {
    use super::*;

    #[function(signature = "decimal.add(a: decimal, b: decimal, precision: int) -> decimal", hidden)]
    fn add(a: Decimal, b: Decimal, precision: i64) -> Result<Decimal, FunctionError> {
        fitting(a.0.checked_add(b.0), precision)
    }

    #[function(signature = "decimal.sub(a: decimal, b: decimal, precision: int) -> decimal", hidden)]
    fn sub(a: Decimal, b: Decimal, precision: i64) -> Result<Decimal, FunctionError> {
        fitting(a.0.checked_sub(b.0), precision)
    }

    /// The scales add up.
    #[function(signature = "decimal.mul(a: decimal, b: decimal, precision: int) -> decimal", hidden)]
    fn mul(a: Decimal, b: Decimal, precision: i64) -> Result<Decimal, FunctionError> {
        fitting(a.0.checked_mul(b.0), precision)
    }

    #[function(signature = "decimal.rem(a: decimal, b: decimal) -> decimal", hidden)]
    fn rem(a: Decimal, b: Decimal) -> Result<Decimal, FunctionError> {
        if b.0 == 0 { Err("division by zero".into()) } else { Ok(Decimal(a.0.wrapping_rem(b.0))) }
    }

    /// -1, 0 or 1.
    #[function(signature = "decimal.compare(a: decimal, b: decimal) -> int", hidden)]
    fn compare(a: Decimal, b: Decimal) -> i64 {
        a.0.cmp(&b.0) as i64
    }
}
