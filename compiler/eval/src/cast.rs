//! Conversions: silent ones, `as T` and `as T?`.
//!
//! What concerns text and decimals is the library's (`cast(a)->b`), because a text format is stated once; everything else is here.
//!
//! This file must not know where a conversion stands.

use chalk_diagnostics::Span;
use chalk_hir::program::CastMode;
use chalk_types::{IntWidth, Kind, Value};

use crate::expr::fail;
use crate::{Evaluator, Failure};

const DAY_US: i64 = 86_400_000_000;

impl Evaluator<'_> {
    /// A value converted.
    pub(crate) fn cast(
        &self,
        value: Value,
        from: &Kind,
        to: &Kind,
        mode: CastMode,
        span: Span,
    ) -> Result<Value, Failure> {
        if value.is_null() {
            return match mode {
                CastMode::Exact => fail(span, "a value is wanted, but it is null"),
                CastMode::Widen | CastMode::Try => Ok(Value::Null),
            };
        }
        match self.convert(value, from, to, mode, span) {
            Ok(value) => Ok(value),
            Err(_) if mode == CastMode::Try => Ok(Value::Null),
            Err(reason) => fail(span, reason),
        }
    }

    fn convert(&self, value: Value, from: &Kind, to: &Kind, mode: CastMode, span: Span) -> Result<Value, String> {
        if from == to {
            return Ok(value);
        }
        let does_not_fit = || format!("the value does not fit `{to}`");
        match (value, to) {
            (Value::Enum(variant), Kind::String) => {
                let Kind::Enum(def) = from else { unreachable!("a variant of {from}") };
                Ok(Value::String(def.variants[variant as usize].clone()))
            }
            (Value::String(text), Kind::Enum(def)) => {
                let variant = def.variants.iter().position(|variant| *variant == text);
                variant.map(|variant| Value::Enum(variant as u32)).ok_or_else(does_not_fit)
            }
            (value, to)
                if matches!(
                    (from, to),
                    (Kind::String, _) | (_, Kind::String) | (Kind::Decimal { .. }, _) | (_, Kind::Decimal { .. })
                ) =>
            {
                self.convert_by_library(value, from, to, mode, span)
            }
            (Value::Int(value), Kind::Int(width)) => {
                let (low, high) = width.range();
                if (low..=high).contains(&value) { Ok(Value::Int(value)) } else { Err(does_not_fit()) }
            }
            (Value::Int(value), Kind::Float64 | Kind::Float32) => {
                let float = if *to == Kind::Float32 { f64::from(value as f64 as f32) } else { value as f64 };
                if mode == CastMode::Widen || float as i128 == value {
                    Ok(Value::Float(float))
                } else {
                    Err(does_not_fit())
                }
            }
            (Value::Float(value), Kind::Float64) => Ok(Value::Float(value)),
            (Value::Float(value), Kind::Float32) => {
                let narrow = f64::from(value as f32);
                if mode != CastMode::Widen && narrow.is_infinite() != value.is_infinite() {
                    return Err(does_not_fit());
                }
                Ok(Value::Float(narrow))
            }
            (Value::Float(value), Kind::Int(width)) => {
                let (low, high) = width.range();
                let int = value as i128; // saturates, and NaN is 0
                if value.fract() == 0.0 && (low..=high).contains(&int) {
                    Ok(Value::Int(int))
                } else {
                    Err(does_not_fit())
                }
            }
            (Value::Bool(value), Kind::Int(_)) => Ok(Value::Int(value.into())),
            (Value::Date(days), Kind::Datetime) => {
                i64::from(days).checked_mul(DAY_US).map(Value::Datetime).ok_or_else(does_not_fit)
            }
            (Value::Datetime(time_us), Kind::Date) => Ok(Value::Date(time_us.div_euclid(DAY_US) as i32)),
            (Value::Datetime(time_us), Kind::Time) => Ok(Value::Time(time_us.rem_euclid(DAY_US))),
            (Value::List(items), Kind::List(_)) => Ok(Value::List(items)),
            (value, to) => unreachable!("no conversion from {from} to {to} of {value:?}"),
        }
    }

    /// From and to text and decimals. The library knows `int`, `uint64` and `float`; narrower numbers go through these.
    fn convert_by_library(
        &self,
        value: Value,
        from: &Kind,
        to: &Kind,
        mode: CastMode,
        span: Span,
    ) -> Result<Value, String> {
        let base = |kind: &Kind| match kind {
            Kind::Int(width) if *width != IntWidth::UInt64 => Kind::INT,
            kind => kind.clone(),
        };
        let wide_from = match (from, to) {
            (Kind::Float32, Kind::Decimal { .. }) => Kind::Float64,
            _ => base(from),
        };
        let wide_to = if *to == Kind::Float32 { Kind::Float64 } else { base(to) };
        let name = |kind: &Kind| match kind {
            Kind::Decimal { .. } => "decimal".to_owned(),
            kind => kind.to_string(),
        };
        let mut args = vec![value];
        let digits = |digits: u8| Value::Int(digits.into());
        if let Kind::Decimal { scale, .. } = from {
            args.push(digits(*scale));
        }
        if let Kind::Decimal { precision, scale } = to {
            args.extend([digits(*precision), digits(*scale)]);
        }
        let function = format!("cast({})->{}", name(&wide_from), name(&wide_to));
        let converted = self.call_hidden(&function, &args, &wide_to, span)?;
        self.convert(converted, &wide_to, to, mode, span)
    }
}
