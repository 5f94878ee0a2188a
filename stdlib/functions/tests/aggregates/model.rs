//! What each aggregate gives, said as plainly as possible: over a list of all events, with no partial in sight.
//!
//! This file must not use code of the aggregates.

use std::cmp::Ordering;

use chalk_types::{Kind, Type, Value, codec};

use crate::support::Events;
use crate::types::Bound;

/// The aggregates that have a model here: all that other systems agree upon. What others mean, their examples say.
pub(crate) const MODELLED: &str = "all any approx_count_distinct approx_percentile approx_top_k array_agg count count_distinct first kurtosis last max \
                                   max_by max_by_n mean median min min_by min_by_n mode set_agg skewness std std_pop sum top var var_pop vector_mean \
                                   vector_sum";

/// The result for the events; none where there is no model.
pub(crate) fn result(bound: &Bound, events: &Events) -> Option<Result<Value, String>> {
    MODELLED.split_whitespace().any(|name| name == bound.def.name).then(|| modelled(bound, events))
}

fn modelled(bound: &Bound, events: &Events) -> Result<Value, String> {
    let (args, params) = (&bound.call.args, &bound.call.params);
    let events = events.by_time();
    let column = |arg: usize| -> Vec<Value> { events.rows.iter().map(|row| row[arg].clone()).collect() };
    let n = events.len();
    if n == 0 {
        return Ok(match bound.def.name {
            "count" | "count_distinct" | "approx_count_distinct" => Value::Int(0),
            "sum" => match &args[0].kind {
                Kind::Float64 => Value::Float(0.0),
                Kind::Decimal { .. } => Value::Decimal(0),
                Kind::Duration => Value::Duration(0),
                _ => Value::Int(0),
            },
            _ => Value::Null,
        });
    }
    let limit = match params.first() {
        Some(Value::Int(limit)) => *limit as usize,
        _ => usize::MAX,
    };
    let sorted = |arg: usize| {
        let mut values = column(arg);
        values.sort_by(compare);
        values
    };
    let first_of = |values: &[Value]| values.iter().take(limit).cloned().collect();
    Ok(match bound.def.name {
        "count" => Value::Int(n as i128),
        "sum" => return sum(&column(0), &bound.call.result),
        "mean" => return mean(&column(0), &args[0], &bound.call.result),
        "any" => Value::Bool(column(0).contains(&Value::Bool(true))),
        "all" => Value::Bool(!column(0).contains(&Value::Bool(false))),
        "min" => sorted(0)[0].clone(),
        "max" => sorted(0)[n - 1].clone(),
        "first" => column(0)[0].clone(),
        "last" => column(0)[n - 1].clone(),
        "array_agg" => Value::List(column(0)),
        "min_by" => by(&column(0), &column(1), false)[0].clone(),
        "max_by" => by(&column(0), &column(1), true)[0].clone(),
        "min_by_n" => Value::List(first_of(&by(&column(0), &column(1), false))),
        "max_by_n" => Value::List(first_of(&by(&column(0), &column(1), true))),
        "top" => {
            let mut values = sorted(0);
            values.reverse();
            Value::List(first_of(&values))
        }
        "count_distinct" | "approx_count_distinct" => Value::Int(different(&column(0), &args[0]).len() as i128),
        "set_agg" => Value::List(different(&column(0), &args[0]).into_iter().map(|(value, _)| value).collect()),
        "mode" => frequent(&column(0), &args[0])[0].clone(),
        "approx_top_k" => Value::List(first_of(&frequent(&column(0), &args[0]))),
        "median" => {
            let values: Vec<f64> = sorted(0).iter().map(|value| float(value, &args[0])).collect();
            Value::Float(f64::midpoint(values[(n - 1) / 2], values[n / 2]))
        }
        "approx_percentile" => {
            let Value::Float(p) = params[0] else { panic!("a share") };
            let number = ((p * n as f64).ceil() as usize).clamp(1, n);
            Value::Float(float(&sorted(0)[number - 1], &args[0]))
        }
        "std" | "var" | "std_pop" | "var_pop" | "skewness" | "kurtosis" => {
            let values: Vec<f64> = column(0).iter().map(|value| float(value, &args[0])).collect();
            moment(bound.def.name, &values).map_or(Value::Null, Value::Float)
        }
        "vector_sum" => Value::List(vector_sum(&column(0), 1.0, &args[0])),
        "vector_mean" => Value::List(vector_sum(&column(0), n as f64, &args[0])),
        other => panic!("what does `{other}` give?"),
    })
}

/// How large the numbers in a value are.
pub(crate) fn size(value: &Value) -> f64 {
    match value {
        Value::Float(value) if value.is_finite() => value.abs(),
        Value::Int(value) | Value::Decimal(value) => value.unsigned_abs() as f64,
        Value::Duration(value) => value.unsigned_abs() as f64,
        Value::List(items) => items.iter().map(size).sum(),
        _ => 0.0,
    }
}

/// Whether a percentile is within its bound.
pub(crate) fn is_near(found: &Result<Value, String>, wanted: &Result<Value, String>) -> bool {
    match (found, wanted) {
        (Ok(Value::Float(found)), Ok(Value::Float(wanted))) => {
            (found.is_nan() && wanted.is_nan())
                || found == wanted
                || (found - wanted).abs() <= wanted.abs() * 0.004
                // Below the least normal float, buckets are of equal width.
                || (found - wanted).abs() <= f64::MIN_POSITIVE
        }
        (found, wanted) => found == wanted,
    }
}

/// The order of the language, made total; enums by their index.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => match (a.is_nan(), b.is_nan()) {
            (true, true) => Ordering::Equal,
            (false, false) => a.total_cmp(b),
            (a, b) => a.cmp(&b),
        },
        (Value::Int(a), Value::Int(b)) | (Value::Decimal(a), Value::Decimal(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        (Value::Datetime(a), Value::Datetime(b))
        | (Value::Time(a), Value::Time(b))
        | (Value::Duration(a), Value::Duration(b)) => a.cmp(b),
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (Value::Enum(a), Value::Enum(b)) => a.cmp(b),
        _ => panic!("{a:?} and {b:?} have no order"),
    }
}

/// Equal as `==` says: without negative zeros, and all NaN alike.
fn normal(value: &Value) -> Value {
    match value {
        Value::Float(value) if *value == 0.0 => Value::Float(0.0),
        Value::Float(value) if value.is_nan() => Value::Float(f64::NAN),
        Value::List(items) => Value::List(items.iter().map(normal).collect()),
        Value::Struct(fields) => Value::Struct(fields.iter().map(normal).collect()),
        Value::Map(entries) => Value::Map(entries.iter().map(|(k, v)| (normal(k), normal(v))).collect()),
        other => other.clone(),
    }
}

/// Different values in ascending order, with how often each came.
fn different(values: &[Value], ty: &Type) -> Vec<(Value, usize)> {
    let mut found: Vec<(Value, usize)> = Vec::new();
    for value in values.iter().map(normal) {
        // As text, so that NaN is NaN.
        match found.iter_mut().find(|(before, _)| format!("{before:?}") == format!("{value:?}")) {
            Some((_, count)) => *count += 1,
            None => found.push((value, 1)),
        }
    }
    let bytes = |value: &Value| {
        let mut bytes = Vec::new();
        codec::encode(&mut bytes, &ty.kind, value);
        bytes
    };
    match &ty.kind {
        // They have no order in the language, but one in results: that of their bytes.
        Kind::List(_) | Kind::Vector(..) | Kind::Map(..) | Kind::Struct(_) => {
            found.sort_by_key(|(value, _)| bytes(value));
        }
        _ => found.sort_by(|(a, _), (b, _)| compare(a, b)),
    }
    found
}

/// The most frequent first, of equally frequent ones the least.
fn frequent(values: &[Value], ty: &Type) -> Vec<Value> {
    let mut found = different(values, ty);
    found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    found.into_iter().map(|(value, _)| value).collect()
}

/// Values in the order of others; equal ones stay in the order of time.
fn by(values: &[Value], others: &[Value], is_descending: bool) -> Vec<Value> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| {
        let order = compare(&others[*a], &others[*b]);
        if is_descending { order.reverse() } else { order }
    });
    order.into_iter().map(|row| values[row].clone()).collect()
}

fn float(value: &Value, ty: &Type) -> f64 {
    match (value, &ty.kind) {
        (Value::Float(value), _) => *value,
        (Value::Int(value), _) => *value as f64,
        (Value::Decimal(value), Kind::Decimal { scale, .. }) => *value as f64 / 10f64.powi(i32::from(*scale)),
        (value, ty) => panic!("{value:?} of {ty} is no number"),
    }
}

fn int(value: &Value) -> i128 {
    match value {
        Value::Int(value) | Value::Decimal(value) => *value,
        Value::Duration(value) => i128::from(*value),
        other => panic!("{other:?} is not exact"),
    }
}

fn sum(values: &[Value], ty: &Type) -> Result<Value, String> {
    if ty.kind == Kind::Float64 {
        return Ok(Value::Float(values.iter().map(size_with_sign).sum()));
    }
    // Halves and remainders apart, so that nothing overflows.
    let halves: i128 = values.iter().map(|value| int(value).div_euclid(1 << 64)).sum();
    let rests: i128 = values.iter().map(|value| int(value).rem_euclid(1 << 64)).sum();
    let sum = halves.checked_mul(1 << 64).and_then(|sum| sum.checked_add(rests));
    let overflow = Err("integer overflow".to_owned());
    match (&ty.kind, sum) {
        (Kind::Int(width), Some(sum)) if (width.range().0..=width.range().1).contains(&sum) => Ok(Value::Int(sum)),
        (Kind::Duration, Some(sum)) => i64::try_from(sum).map(Value::Duration).or(overflow),
        (Kind::Decimal { .. }, Some(sum)) if sum.unsigned_abs() < 10u128.pow(38) => Ok(Value::Decimal(sum)),
        (Kind::Decimal { .. }, _) => Err("decimal overflow: more than 38 digits".to_owned()),
        _ => overflow,
    }
}

fn size_with_sign(value: &Value) -> f64 {
    let Value::Float(value) = value else { panic!("{value:?} is no float") };
    *value
}

fn mean(values: &[Value], ty: &Type, result: &Type) -> Result<Value, String> {
    let n = values.len() as f64;
    if result.kind == Kind::Duration {
        let (sum, n): (i128, i128) = (values.iter().map(int).sum(), values.len() as i128);
        let (down, rest) = (sum.div_euclid(n), sum.rem_euclid(n));
        let is_up = rest * 2 > n || (rest * 2 == n && down % 2 != 0);
        return Ok(Value::Duration((down + i128::from(is_up)) as i64));
    }
    Ok(Value::Float(values.iter().map(|value| float(value, ty)).sum::<f64>() / n))
}

fn moment(name: &str, values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let power = |k: i32| values.iter().map(|value| (value - mean).powi(k)).sum::<f64>();
    let (m2, m3, m4) = (power(2), power(3), power(4));
    match name {
        "var_pop" => Some(m2 / n),
        "std_pop" => Some((m2 / n).sqrt()),
        "var" if n > 1.0 => Some(m2 / (n - 1.0)),
        "std" if n > 1.0 => Some((m2 / (n - 1.0)).sqrt()),
        "skewness" if n > 2.0 && m2 != 0.0 => Some(n.sqrt() * m3 / m2.powf(1.5)),
        "kurtosis" if n > 3.0 && m2 != 0.0 => {
            let variance = m2 / (n - 1.0);
            let (a, b, c) = (n - 1.0, n - 2.0, n - 3.0);
            Some(n * (n + 1.0) * m4 / (a * b * c * variance * variance) - 3.0 * a * a / (b * c))
        }
        _ => None,
    }
}

fn vector_sum(vectors: &[Value], divisor: f64, ty: &Type) -> Vec<Value> {
    let Kind::Vector(item, _) = &ty.kind else { panic!("{ty} is no vector") };
    let rounded = |value: f64| if item.kind == Kind::Float32 { f64::from(value as f32) } else { value };
    let components = |value: &Value| -> Vec<f64> {
        let Value::List(items) = value else { panic!("{value:?} is no vector") };
        items.iter().map(size_with_sign).collect()
    };
    let length = components(&vectors[0]).len();
    let sum = |at: usize| vectors.iter().map(|vector| components(vector)[at]).sum::<f64>();
    (0..length).map(|at| Value::Float(rounded(sum(at) / divisor))).collect()
}
