//! Partials as they are stored: bytes written today are read by every later version, so these never change.
//!
//! A change here means that state written before cannot be read, or is read as something else (a hash of other bits
//! counts a value twice). New aggregates add lines; no line is rewritten.

use chalk_catalog::ArgType;
use chalk_functions::catalog;
use chalk_types::{Kind, Type, Value};

use crate::support::{Events, Partial, exact};

/// Three events: two values, one of them twice.
fn events(ty: &Type) -> Events {
    let [a, b] = match &ty.kind {
        Kind::Int(_) => [Value::Int(-3), Value::Int(300)],
        Kind::Float64 => [Value::Float(-0.5), Value::Float(f64::NAN)],
        Kind::String => [Value::String("ö".to_owned()), Value::String("a".to_owned())],
        Kind::Decimal { .. } => [Value::Decimal(-250), Value::Decimal(1)],
        Kind::Bool => [Value::Bool(true), Value::Bool(false)],
        Kind::Vector(..) => [Value::List(vec![Value::Float(1.0)]), Value::List(vec![Value::Float(-2.0)])],
        other => panic!("no events of {other}"),
    };
    Events {
        rows: [a.clone(), b, a].into_iter().map(|value| vec![value.clone(), value]).collect(),
        times_us: vec![-7, 1_000, 5],
        offsets: vec![0, 1, 2],
    }
}

fn check(name: &str, ty: &Type, params: &[Value], stored: &str) -> Result<(), String> {
    let constant = |value: &Value| {
        let ty = if matches!(value, Value::Int(_)) { Type::INT } else { Type::FLOAT };
        ArgType { name: None, ty, literal: Some(value.clone()) }
    };
    let arity = if name.contains("_by") { 2 } else { 1 };
    let mut args: Vec<ArgType> = vec![ArgType::of(ty.clone()); arity];
    args.extend(params.iter().map(constant));
    if name == "top" {
        args.rotate_right(1);
    }
    let resolved = catalog().resolve_aggregate(name, &args).map_err(|error| format!("{error:?}"))?;
    let call = resolved.call();
    let aggregate = (resolved.def.bind)(&call).map_err(|error| format!("{error:?}"))?;
    let columns = events(ty).columns(&call.args);
    let partial = Partial::of(&*aggregate, &columns, 0..3);
    let hex: String = partial.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    if hex != stored {
        return Err(format!("(\"{name}\", {ty}, {params:?}, \"{hex}\")"));
    }
    let read = Partial::read(&*aggregate, &partial.bytes()).ok_or("cannot be read")?;
    assert_eq!(exact(&read.finish()), exact(&partial.finish()), "{name}");
    Ok(())
}

#[test]
fn stored_partials_never_change() {
    let price = Kind::Decimal { precision: 9, scale: 2 }.required();
    let vector = Kind::Vector(Box::new(Type::FLOAT), 1).required();
    let two = [Value::Int(2)];
    let half = [Value::Float(0.5)];
    let table: &[(&str, &Type, &[Value], &str)] = &[
        ("count", &Type::INT, &[], "03"),
        ("sum", &Type::INT, &[], "cc0400"),
        ("sum", &Type::FLOAT, &[], "000000000000f87f"),
        ("sum", &price, &[], "03e5070001"),
        ("mean", &Type::INT, &[], "03cc0400"),
        ("mean", &Type::FLOAT, &[], "03000000000000f87f"),
        ("any", &Type::BOOL, &[], "03"),
        ("min", &Type::INT, &[], "0305"),
        ("min", &Type::STRING, &[], "030161"),
        ("max", &Type::FLOAT, &[], "03000000000000f87f"),
        ("last", &Type::STRING, &[], "01d00f020161"),
        ("max_by", &price, &[], "01d00f020100000000000000000000000000000001000000000000000000000000000000"),
        ("var", &Type::INT, &[], "03000000000080584000000000c0e2ed40"),
        ("kurtosis", &Type::INT, &[], "03000000000080584000000000c0e2ed4000000080eb945741000080bc42e9db41"),
        ("median", &Type::INT, &[], "020502d80401"),
        ("approx_percentile", &Type::FLOAT, &half, "2d0000010181fc0f02000000000000e0bf000000000000e0bf"),
        ("set_agg", &price, &[], "0206ffffffffffffffffffffffffffffff020100000000000000000000000000000001"),
        ("mode", &Type::STRING, &[], "0201610102c3b602"),
        ("approx_top_k", &Type::BOOL, &two, "010200010102"),
        ("approx_count_distinct", &Type::INT, &[], "0288bfcc3e32c8f0b63bd47d16f3b7d6de"),
        ("approx_count_distinct", &Type::STRING, &[], "029dc66e8279d5ab201f4e961eb632c6e6"),
        ("top", &Type::FLOAT, &two, "02000000000000f87f000000000000e0bf"),
        ("min_by_n", &Type::STRING, &two, "020161d00f02016102c3b60d0002c3b6"),
        ("array_agg", &Type::INT, &[], "030d00050a0405d00f02d804"),
        ("vector_sum", &vector, &[], "030000000000000000"),
    ];
    let wrong: Vec<String> =
        table.iter().filter_map(|(name, ty, params, stored)| check(name, ty, params, stored).err()).collect();
    assert!(wrong.is_empty(), "bytes are no longer what was stored:\n{}", wrong.join("\n"));
}
