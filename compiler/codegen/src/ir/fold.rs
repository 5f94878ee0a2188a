//! Folding: what an operation on constants gives, and what is the same with less work.
//!
//! It must agree with what lowering makes of the operation; an operation that would fail is left to fail.
//!
//! This file must not know regions.

use chalk_types::Kind;

use super::{Binary, Builder, Checked, Literal, Op, Unary, V};

/// What stands for an operation.
pub(super) enum Folded {
    /// A value that is there already.
    Value(V),
    /// A constant.
    Literal(Literal),
    /// A cheaper operation.
    Op(Op),
}

/// The replacement of an operation with a result of that kind, if there is one.
pub(super) fn fold(builder: &Builder, op: &Op, kind: &Kind) -> Option<Folded> {
    match op {
        Op::Unary(unary, value) => fold_unary(builder, *unary, *value, kind),
        Op::Binary(binary, left, right) => fold_binary(builder, *binary, *left, *right),
        Op::Select(cond, then, otherwise) => {
            let then_is = builder.literal(*then);
            if builder.is_true(*cond) || then == otherwise {
                Some(Folded::Value(*then))
            } else if builder.is_false(*cond) {
                Some(Folded::Value(*otherwise))
            } else if then_is.is_some() && then_is == builder.literal(*otherwise) {
                Some(Folded::Value(*then))
            } else if *kind == Kind::Bool {
                match (then_is, builder.literal(*otherwise)) {
                    (Some(Literal::Bool(true)), Some(Literal::Bool(false))) => Some(Folded::Value(*cond)),
                    (Some(Literal::Bool(false)), Some(Literal::Bool(true))) => {
                        Some(Folded::Op(Op::Unary(Unary::Not, *cond)))
                    }
                    (Some(Literal::Bool(true)), _) => Some(Folded::Op(Op::Binary(Binary::Or, *cond, *otherwise))),
                    (_, Some(Literal::Bool(false))) => Some(Folded::Op(Op::Binary(Binary::And, *cond, *then))),
                    (Some(Literal::Bool(false)), _) => {
                        inverted(builder, *cond).map(|not| Folded::Op(Op::Binary(Binary::And, not, *otherwise)))
                    }
                    (_, Some(Literal::Bool(true))) => {
                        inverted(builder, *cond).map(|not| Folded::Op(Op::Binary(Binary::Or, not, *then)))
                    }
                    _ => None,
                }
            } else {
                None
            }
        }
        Op::InRange { value, low, high } => match builder.literal(*value) {
            Some(Literal::Int(value)) => Some(Folded::Literal(Literal::Bool((low..=high).contains(&value)))),
            _ => None,
        },
        Op::Checked { op, left, right, .. } => match (builder.literal(*left)?, builder.literal(*right)?) {
            (Literal::Int(a), Literal::Int(b)) => {
                fold_checked(*op, *a, *b).map(|value| Folded::Literal(Literal::Int(value)))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The value that a flag is the `not` of.
fn inverted(builder: &Builder, flag: V) -> Option<V> {
    match builder.definition(flag) {
        Some(Op::Unary(Unary::Not, inner)) => Some(*inner),
        _ => None,
    }
}

fn fold_checked(op: Checked, a: i64, b: i64) -> Option<i64> {
    let unsigned = |value: Option<u64>| value.map(|value| value as i64);
    match op {
        Checked::Add => a.checked_add(b),
        Checked::Sub => a.checked_sub(b),
        Checked::Mul => a.checked_mul(b),
        Checked::Rem => (b != 0).then(|| a.wrapping_rem(b)),
        Checked::Neg => a.checked_neg(),
        Checked::Abs => a.checked_abs(),
        Checked::UintAdd => unsigned((a as u64).checked_add(b as u64)),
        Checked::UintSub => unsigned((a as u64).checked_sub(b as u64)),
        Checked::UintMul => unsigned((a as u64).checked_mul(b as u64)),
        Checked::UintRem => unsigned((a as u64).checked_rem(b as u64)),
    }
}

fn fold_unary(builder: &Builder, op: Unary, value: V, kind: &Kind) -> Option<Folded> {
    if op == Unary::Retype && builder.kind(value) == kind {
        return Some(Folded::Value(value));
    }
    if op == Unary::Not {
        match builder.definition(value) {
            Some(Op::Unary(Unary::Not, inner)) => return Some(Folded::Value(*inner)),
            Some(Op::Const(Literal::Bool(value))) => return Some(Folded::Literal(Literal::Bool(!value))),
            _ => return None,
        }
    }
    let literal = match (op, builder.literal(value)?) {
        (Unary::BitNot, Literal::Int(a)) => Literal::Int(!a),
        (Unary::Retype, literal) => literal.clone(),
        (Unary::IntToFloat, Literal::Int(a)) => Literal::float(*a as f64),
        (Unary::UintToFloat, Literal::Int(a)) => Literal::float(*a as u64 as f64),
        (op, Literal::Float(bits)) => {
            let a = f64::from_bits(*bits);
            match op {
                Unary::FloatNeg => Literal::float(-a),
                Unary::FloatAbs => Literal::float(a.abs()),
                Unary::Ceil => Literal::float(a.ceil()),
                Unary::Floor => Literal::float(a.floor()),
                Unary::Trunc => Literal::float(a.trunc()),
                Unary::Sqrt => Literal::float(a.sqrt()),
                Unary::FloatToInt => Literal::Int(a as i64),
                Unary::FloatToUint => Literal::Int(a as u64 as i64),
                Unary::RoundToFloat32 => Literal::float(f64::from(a as f32)),
                Unary::FitsInt => Literal::Bool(
                    a.trunc() == a && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&a),
                ),
                Unary::FitsUint => Literal::Bool(a.trunc() == a && (0.0..18_446_744_073_709_551_616.0).contains(&a)),
                Unary::IsNan => Literal::Bool(a.is_nan()),
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(Folded::Literal(literal))
}

fn fold_binary(builder: &Builder, op: Binary, left: V, right: V) -> Option<Folded> {
    if matches!(op, Binary::And | Binary::Or) {
        let and = op == Binary::And;
        for (one, other) in [(left, right), (right, left)] {
            match builder.literal(one) {
                Some(Literal::Bool(value)) if *value == and => return Some(Folded::Value(other)),
                Some(Literal::Bool(value)) => return Some(Folded::Literal(Literal::Bool(*value))),
                _ => {}
            }
            if builder.definition(one) == Some(&Op::Unary(Unary::Not, other)) {
                return Some(Folded::Literal(Literal::Bool(!and)));
            }
        }
        return (left == right).then_some(Folded::Value(left));
    }
    if left == right {
        let same = match op {
            Binary::IntEqual | Binary::FloatEqual | Binary::TextEqual | Binary::DecimalEqual => Some(true),
            Binary::IntLessEqual | Binary::UintLessEqual | Binary::DecimalLessEqual => Some(true),
            Binary::IntLess | Binary::UintLess | Binary::DecimalLess => Some(false),
            _ => None,
        };
        if let Some(same) = same {
            return Some(Folded::Literal(Literal::Bool(same)));
        }
    }
    let literal = match (builder.literal(left)?, builder.literal(right)?) {
        (Literal::Int(a), Literal::Int(b)) => match op {
            Binary::BitAnd => Literal::Int(a & b),
            Binary::BitOr => Literal::Int(a | b),
            Binary::BitXor => Literal::Int(a ^ b),
            Binary::IntAdd => Literal::Int(a.wrapping_add(*b)),
            Binary::IntSub => Literal::Int(a.wrapping_sub(*b)),
            Binary::IntMul => Literal::Int(a.wrapping_mul(*b)),
            Binary::IntQuotient => Literal::Int(a.wrapping_div(*b)),
            Binary::IntEqual => Literal::Bool(a == b),
            Binary::IntLess => Literal::Bool(a < b),
            Binary::IntLessEqual => Literal::Bool(a <= b),
            Binary::UintLess => Literal::Bool((*a as u64) < *b as u64),
            Binary::UintLessEqual => Literal::Bool(*a as u64 <= *b as u64),
            _ => return None,
        },
        (Literal::Bool(a), Literal::Bool(b)) => match op {
            Binary::IntEqual => Literal::Bool(a == b),
            Binary::UintLess => Literal::Bool(!a & b),
            Binary::UintLessEqual => Literal::Bool(a <= b),
            _ => return None,
        },
        (Literal::Float(a), Literal::Float(b)) => {
            let (a, b) = (f64::from_bits(*a), f64::from_bits(*b));
            match op {
                Binary::FloatAdd => Literal::float(a + b),
                Binary::FloatSub => Literal::float(a - b),
                Binary::FloatMul => Literal::float(a * b),
                Binary::FloatDiv => Literal::float(a / b),
                Binary::FloatEqual => Literal::Bool(a == b || (a.is_nan() && b.is_nan())),
                Binary::FloatLess => Literal::Bool(a < b || (b.is_nan() && !a.is_nan())),
                Binary::FloatLessEqual => Literal::Bool(a <= b || b.is_nan()),
                _ => return None,
            }
        }
        (Literal::Bytes(a), Literal::Bytes(b)) => match op {
            Binary::TextEqual => Literal::Bool(a == b),
            Binary::TextOrder => Literal::Int(a.cmp(b) as i64),
            _ => return None,
        },
        (Literal::Decimal(a), Literal::Decimal(b)) => match op {
            Binary::DecimalEqual => Literal::Bool(a == b),
            Binary::DecimalLess => Literal::Bool(a < b),
            Binary::DecimalLessEqual => Literal::Bool(a <= b),
            _ => return None,
        },
        _ => return None,
    };
    Some(Folded::Literal(literal))
}
