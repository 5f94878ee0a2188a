//! Values known at compile time: literals and their silent conversions.
//!
//! `widen` is also the meaning of `Cast` with `CastMode::Widen`, for the reference evaluator.
//!
//! This file must not know how constants are checked.

use chalk_types::{Kind, Type, Value};

use crate::program::{CastMode, Expr, ExprKind};

/// The value, where the expression is made of literals alone.
pub fn value_of(expr: &Expr) -> Option<Value> {
    match &expr.kind {
        ExprKind::Const(value) => Some(value.clone()),
        ExprKind::List(items) => items.iter().map(value_of).collect::<Option<Vec<_>>>().map(Value::List),
        ExprKind::Cast { value, mode: CastMode::Widen } => Some(widen(value_of(value)?, &value.ty, &expr.ty)),
        _ => None,
    }
}

/// A silent conversion: cannot fail. (A decimal becomes the nearest float.)
pub fn widen(value: Value, from: &Type, to: &Type) -> Value {
    match (value, &from.kind, &to.kind) {
        (Value::Int(value), _, Kind::Float64) => Value::Float(value as f64),
        (Value::Int(value), _, Kind::Float32) => Value::Float(f64::from(value as f32)),
        (Value::Int(value), _, Kind::Decimal { scale, .. }) => Value::Decimal(value * ten_to(*scale)),
        (Value::Decimal(value), Kind::Decimal { scale: from, .. }, Kind::Decimal { scale: to, .. }) => {
            Value::Decimal(value * ten_to(to.saturating_sub(*from)))
        }
        (Value::Decimal(value), Kind::Decimal { scale, .. }, Kind::Float64) => {
            Value::Float(decimal_to_float(value, *scale))
        }
        (Value::List(items), Kind::List(from) | Kind::Vector(from, _), Kind::List(to)) => {
            Value::List(items.into_iter().map(|item| widen(item, from, to)).collect())
        }
        (value, _, _) => value,
    }
}

/// The float nearest to a decimal: its text is read, which rounds once.
pub fn decimal_to_float(unscaled: i128, scale: u8) -> f64 {
    format!("{unscaled}e-{scale}").parse().unwrap_or(f64::NAN)
}

/// A power of ten; scales go to 38, and 10^38 fits.
pub fn ten_to(scale: u8) -> i128 {
    10i128.pow(u32::from(scale))
}

/// Whether a value has at most so many digits.
pub fn fits_precision(unscaled: i128, precision: u8) -> bool {
    unscaled.unsigned_abs() < 10u128.pow(u32::from(precision))
}
