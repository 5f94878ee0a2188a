//! Operators on values. Operands are of the kinds that the checker lets through; nulls are dealt with before.
//!
//! Integers are computed in 128 bits, where nothing overflows, and then looked at: a result that does not fit fails.
//!
//! This file must not know expressions.

use std::cmp::Ordering;

use chalk_hir::program::{ArithOp, OrderOp};
use chalk_types::{IntWidth, Kind, Type, Value};

const OVERFLOW: &str = "integer overflow";
const DIVISION_BY_ZERO: &str = "division by zero";
const DAY_US: i128 = 86_400_000_000;

/// An integer result in the range of its kind.
fn fitting(value: Option<i128>, kind: &Kind) -> Result<Value, String> {
    let (low, high) = match kind {
        Kind::Int(width) => width.range(),
        _ => IntWidth::Int64.range(),
    };
    match value {
        Some(value) if (low..=high).contains(&value) => Ok(match kind {
            Kind::Int(_) => Value::Int(value),
            Kind::Datetime => Value::Datetime(value as i64),
            Kind::Duration => Value::Duration(value as i64),
            other => unreachable!("integer arithmetic that gives {other}"),
        }),
        _ => Err(OVERFLOW.to_owned()),
    }
}

fn fitting_decimal(value: Option<i128>, kind: &Kind) -> Result<Value, String> {
    let Kind::Decimal { precision, .. } = kind else { unreachable!("decimal arithmetic that gives {kind}") };
    match value {
        Some(value) if value.unsigned_abs() < 10u128.pow(u32::from(*precision)) => Ok(Value::Decimal(value)),
        _ => Err(format!("decimal overflow: more than {precision} digits")),
    }
}

fn float(value: f64, kind: &Kind) -> Value {
    Value::Float(if *kind == Kind::Float32 { f64::from(value as f32) } else { value })
}

/// `-x`
pub(crate) fn negate(value: Value, kind: &Kind) -> Result<Value, String> {
    match value {
        Value::Null => Ok(Value::Null),
        Value::Int(value) => fitting(Some(-value), kind),
        Value::Duration(value) => fitting(Some(-i128::from(value)), kind),
        Value::Float(value) => Ok(float(-value, kind)),
        Value::Decimal(value) => fitting_decimal(Some(-value), kind),
        other => unreachable!("-{other:?}"),
    }
}

/// Arithmetic.
pub(crate) fn arith(op: ArithOp, a: Value, b: Value, kind: &Kind) -> Result<Value, String> {
    match (op, a, b) {
        (_, Value::Float(a), Value::Float(b)) => Ok(float(
            match op {
                ArithOp::Add => a + b,
                ArithOp::Sub => a - b,
                ArithOp::Mul => a * b,
                ArithOp::Div => a / b,
                ArithOp::Rem => a % b,
                ArithOp::Pow => a.powf(b),
            },
            kind,
        )),
        (_, Value::Decimal(a), Value::Decimal(b)) => match op {
            ArithOp::Add => fitting_decimal(a.checked_add(b), kind),
            ArithOp::Sub => fitting_decimal(a.checked_sub(b), kind),
            ArithOp::Mul => fitting_decimal(a.checked_mul(b), kind),
            ArithOp::Rem if b == 0 => Err(DIVISION_BY_ZERO.to_owned()),
            ArithOp::Rem => Ok(Value::Decimal(a.wrapping_rem(b))),
            ArithOp::Div | ArithOp::Pow => unreachable!("{op:?} is of floats"),
        },
        (ArithOp::Add, Value::String(a), Value::String(b)) => Ok(Value::String(a + &b)),
        (ArithOp::Add, Value::Bytes(a), Value::Bytes(b)) => Ok(Value::Bytes([a, b].concat())),
        (ArithOp::Add, Value::List(a), Value::List(b)) => Ok(Value::List([a, b].concat())),
        (ArithOp::Div, Value::Duration(a), Value::Duration(b)) => Ok(Value::Float(a as f64 / b as f64)),
        (ArithOp::Add, Value::Date(date), Value::Duration(by))
        | (ArithOp::Add, Value::Duration(by), Value::Date(date)) => move_date(date, by.into()),
        (ArithOp::Sub, Value::Date(date), Value::Duration(by)) => {
            // The duration is negated first, and the least one has no opposite.
            by.checked_neg().ok_or_else(|| OVERFLOW.to_owned()).and_then(|by| move_date(date, by.into()))
        }
        (ArithOp::Sub, Value::Date(a), Value::Date(b)) => fitting(Some((i128::from(a) - i128::from(b)) * DAY_US), kind),
        (op, a, b) => {
            let (a, b) = (integer(&a), integer(&b));
            match op {
                ArithOp::Add => fitting(a.checked_add(b), kind),
                ArithOp::Sub => fitting(a.checked_sub(b), kind),
                ArithOp::Mul => fitting(a.checked_mul(b), kind),
                ArithOp::Rem if b == 0 => Err(DIVISION_BY_ZERO.to_owned()),
                ArithOp::Rem => fitting(a.checked_rem(b), kind),
                ArithOp::Div | ArithOp::Pow => unreachable!("{op:?} is of floats"),
            }
        }
    }
}

fn integer(value: &Value) -> i128 {
    match value {
        Value::Int(value) => *value,
        Value::Datetime(value) | Value::Duration(value) => (*value).into(),
        other => unreachable!("integer arithmetic with {other:?}"),
    }
}

fn move_date(date: i32, by_us: i128) -> Result<Value, String> {
    if by_us % DAY_US != 0 {
        return Err("a date moves by whole days only".to_owned());
    }
    let moved = i128::from(date) + by_us / DAY_US;
    i32::try_from(moved).map(Value::Date).map_err(|_| "the date is out of range".to_owned())
}

/// The order of two values of one kind: NaN above every number, text by its bytes.
///
/// # Panics
/// Where the kind has no order.
pub fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) | (Value::Decimal(a), Value::Decimal(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())),
        (Value::String(a), Value::String(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        (Value::Datetime(a), Value::Datetime(b))
        | (Value::Time(a), Value::Time(b))
        | (Value::Duration(a), Value::Duration(b)) => a.cmp(b),
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (a, b) => unreachable!("{a:?} and {b:?} have no order"),
    }
}

pub(crate) fn holds(op: OrderOp, order: Ordering) -> bool {
    match op {
        OrderOp::Less => order.is_lt(),
        OrderOp::LessEqual => order.is_le(),
        OrderOp::Greater => order.is_gt(),
        OrderOp::GreaterEqual => order.is_ge(),
    }
}

/// Null-safe equality: null equals null, NaN equals NaN; maps are equal whatever the order of their entries.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
        (Value::List(a), Value::List(b)) | (Value::Struct(a), Value::Struct(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            let holds = |entries: &[(Value, Value)], (key, value): &(Value, Value)| {
                entries.iter().any(|(k, v)| equal(k, key) && equal(v, value))
            };
            a.len() == b.len() && a.iter().all(|entry| holds(b, entry))
        }
        (a, b) => a == b,
    }
}

/// `item in list`: null where it is not to be known.
pub(crate) fn contains(item: &Value, list: &Value) -> Value {
    let Value::List(items) = list else { return Value::Null };
    if item.is_null() {
        return Value::Null;
    }
    if items.iter().any(|other| !other.is_null() && equal(item, other)) {
        return Value::Bool(true);
    }
    if items.iter().any(Value::is_null) { Value::Null } else { Value::Bool(false) }
}

/// `list[i]` or `map[key]`.
pub(crate) fn element(base: Value, index: &Value) -> Value {
    match (base, index) {
        (Value::Null, _) | (_, Value::Null) => Value::Null,
        (Value::List(mut items), Value::Int(index)) => {
            let position = if *index < 0 { index + items.len() as i128 } else { *index };
            match usize::try_from(position) {
                Ok(position) if position < items.len() => items.swap_remove(position),
                _ => Value::Null,
            }
        }
        // Of a key given twice the last one counts, as in a message.
        (Value::Map(entries), key) => {
            entries.into_iter().rev().find(|(k, _)| equal(k, key)).map_or(Value::Null, |(_, value)| value)
        }
        (base, index) => unreachable!("{base:?}[{index:?}]"),
    }
}

/// `x[a..b]`
pub(crate) fn slice(base: Value, start: &Value, end: &Value) -> Value {
    let (Value::Int(start), Value::Int(end)) = (start, end) else { return Value::Null };
    let range = |size: usize| {
        let bound = |position: i128| {
            let position = if position < 0 { position + size as i128 } else { position };
            position.clamp(0, size as i128) as usize
        };
        let (start, end) = (bound(*start), bound(*end));
        start..end.max(start)
    };
    match base {
        Value::Null => Value::Null,
        Value::String(text) => {
            let chars: Vec<char> = text.chars().collect();
            Value::String(chars[range(chars.len())].iter().collect())
        }
        Value::Bytes(bytes) => Value::Bytes(bytes[range(bytes.len())].to_vec()),
        Value::List(items) => Value::List(items[range(items.len())].to_vec()),
        other => unreachable!("a slice of {other:?}"),
    }
}

/// A type that holds a scalar, for calls of functions that take it whatever its width.
pub(crate) fn some_type_of(value: &Value) -> Type {
    match value {
        Value::Null => return Type::NULL,
        Value::Bool(_) => Kind::Bool,
        Value::Int(value) if *value > i128::from(i64::MAX) => Kind::Int(IntWidth::UInt64),
        Value::Int(_) => Kind::INT,
        Value::Float(_) => Kind::Float64,
        Value::Decimal(_) => Kind::Decimal { precision: 38, scale: 0 },
        Value::String(_) => Kind::String,
        Value::Bytes(_) => Kind::Bytes,
        Value::Datetime(_) => Kind::Datetime,
        Value::Date(_) => Kind::Date,
        Value::Time(_) => Kind::Time,
        Value::Duration(_) => Kind::Duration,
        Value::List(_) | Value::Map(_) | Value::Struct(_) | Value::Enum(_) => {
            unreachable!("{value:?} is no such scalar")
        }
    }
    .required()
}
