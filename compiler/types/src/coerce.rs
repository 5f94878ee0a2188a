//! How types meet: which conversions happen without being asked for, and the common type of two branches.
//!
//! Only conversions that can neither fail nor lose anything are silent (`int32` to `int`, `T` to `T?`), with one
//! exception that every user expects: an integer is accepted where a float is wanted. Everything else is written `as`.
//!
//! This file must not know how a conversion is carried out.

use crate::{IntWidth, Kind, Type};

/// How a value of one type becomes one of another, when it does so silently.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coercion {
    /// Nothing to do: same representation.
    Identity,
    /// A numeric conversion that cannot fail (int to wider int, int to float, float32 to float, int to decimal).
    Widen,
}

/// How `from` becomes `to` silently; `None` where that needs `as` or `??`.
pub fn coercion(from: &Type, to: &Type) -> Option<Coercion> {
    if from.nullable && !to.nullable {
        return None;
    }
    kind_coercion(&from.kind, &to.kind)
}

fn kind_coercion(from: &Kind, to: &Kind) -> Option<Coercion> {
    if from == to || *from == Kind::Null {
        return Some(Coercion::Identity);
    }
    match (from, to) {
        (Kind::Int(a), Kind::Int(b)) if fits(*a, *b) => Some(Coercion::Widen),
        (Kind::Int(_), Kind::Float64) | (Kind::Float32, Kind::Float64) => Some(Coercion::Widen),
        (Kind::Int(width), Kind::Decimal { precision, scale })
            if u32::from(*precision) >= u32::from(*scale) + digits(*width) =>
        {
            Some(Coercion::Widen)
        }
        (Kind::Decimal { precision: p1, scale: s1 }, Kind::Decimal { precision: p2, scale: s2 })
            if s2 >= s1 && p2 - s2 >= p1 - s1 =>
        {
            Some(Coercion::Widen)
        }
        (Kind::List(a), Kind::List(b)) if coercion(a, b) == Some(Coercion::Identity) => Some(Coercion::Identity),
        _ => None,
    }
}

fn fits(from: IntWidth, to: IntWidth) -> bool {
    let (low, high) = from.range();
    let (to_low, to_high) = to.range();
    low >= to_low && high <= to_high
}

fn digits(width: IntWidth) -> u32 {
    width.range().1.ilog10() + 1
}

/// The least type that both coerce to: of two branches, two operands, the items of a list.
pub fn common_type(a: &Type, b: &Type) -> Option<Type> {
    let nullable = a.nullable || b.nullable;
    let (a, b) = (&a.kind, &b.kind);
    let kind = if kind_coercion(a, b).is_some() {
        b.clone()
    } else if kind_coercion(b, a).is_some() {
        a.clone()
    } else {
        match (a, b) {
            (Kind::Int(x), Kind::Int(y)) if *x != IntWidth::UInt64 && *y != IntWidth::UInt64 => Kind::INT,
            (Kind::Int(_), Kind::Float32) | (Kind::Float32, Kind::Int(_)) => Kind::Float64,
            (Kind::Decimal { precision: p1, scale: s1 }, Kind::Decimal { precision: p2, scale: s2 }) => {
                decimal(u32::from((p1 - s1).max(p2 - s2)), u32::from(*s1.max(s2)))?
            }
            (Kind::Int(width), Kind::Decimal { precision, scale })
            | (Kind::Decimal { precision, scale }, Kind::Int(width)) => {
                decimal(digits(*width).max(u32::from(precision - scale)), u32::from(*scale))?
            }
            (Kind::List(x), Kind::List(y)) => Kind::List(Box::new(common_type(x, y)?)),
            _ => return None,
        }
    };
    Some(Type { kind, nullable })
}

/// `decimal` with so many digits before and after the point, or none where 38 do not suffice.
fn decimal(whole: u32, scale: u32) -> Option<Kind> {
    let precision = whole + scale;
    (precision <= 38).then_some(Kind::Decimal { precision: precision as u8, scale: scale as u8 })
}
