//! Numbers of any type read as floats: what moments and quantiles compute with.
//!
//! This file must not know which aggregate reads.

use chalk_types::{Kind, Type};

use super::cell::{Raw, decimal};

/// How a number of a type is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numeric {
    /// A signed integer.
    Signed,
    /// An unsigned integer.
    Unsigned,
    /// A float.
    Float,
    /// A decimal with so many places.
    Decimal(u8),
}

impl Numeric {
    /// Of the type.
    ///
    /// # Panics
    /// If it is no type of numbers.
    pub(crate) fn new(ty: &Type) -> Numeric {
        match &ty.kind {
            Kind::Float32 | Kind::Float64 => Numeric::Float,
            Kind::Int(width) if width.is_signed() => Numeric::Signed,
            Kind::Int(_) => Numeric::Unsigned,
            Kind::Decimal { scale, .. } => Numeric::Decimal(*scale),
            other => panic!("{other} is no number"),
        }
    }

    /// The nearest float.
    pub(crate) fn float(self, raw: Raw<'_>) -> f64 {
        match (self, raw) {
            (Numeric::Float, Raw::Word(word)) => f64::from_bits(word),
            _ => self.scaled(self.exact(raw) as f64),
        }
    }

    /// The float in the middle of two numbers: their mean.
    pub(crate) fn midpoint(self, a: Raw<'_>, b: Raw<'_>) -> f64 {
        match self {
            Numeric::Float => f64::midpoint(self.float(a), self.float(b)),
            _ => match self.exact(a).checked_add(self.exact(b)) {
                Some(sum) => self.scaled(sum as f64 / 2.0),
                None => f64::midpoint(self.float(a), self.float(b)),
            },
        }
    }

    /// The number without its point; not of floats.
    fn exact(self, raw: Raw<'_>) -> i128 {
        match (self, raw) {
            (Numeric::Unsigned, Raw::Word(word)) => i128::from(word),
            (Numeric::Decimal(_), Raw::Bytes(bytes)) => decimal(bytes),
            (Numeric::Signed, Raw::Word(word)) => i128::from(word as i64),
            _ => panic!("{raw:?} is no {self:?}"),
        }
    }

    fn scaled(self, value: f64) -> f64 {
        match self {
            Numeric::Decimal(scale) => value / 10f64.powi(i32::from(scale)),
            _ => value,
        }
    }
}
