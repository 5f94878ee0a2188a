//! Calling functions by name with plain values, and writing such values shortly.

use chalk_catalog::{ArgSource, ArgType, CallContext, Resolved, call_scalar};
use chalk_functions::catalog;
use chalk_types::{Kind, Type, Value, common_type};

/// The type of a value, as the checker would find it.
pub(crate) fn type_of(value: &Value) -> Type {
    match value {
        Value::Null => Type::NULL,
        Value::Bool(_) => Type::BOOL,
        Value::Int(_) => Type::INT,
        Value::Float(_) => Type::FLOAT,
        Value::String(_) => Type::STRING,
        Value::Bytes(_) => Type::BYTES,
        Value::Datetime(_) => Type::DATETIME,
        Value::Date(_) => Kind::Date.required(),
        Value::Time(_) => Kind::Time.required(),
        Value::Duration(_) => Kind::Duration.required(),
        Value::Decimal(_) => Kind::Decimal { precision: 38, scale: 0 }.required(),
        Value::List(items) => {
            let item = items.iter().map(type_of).reduce(|a, b| common_type(&a, &b).expect("items of one type"));
            Kind::List(Box::new(item.unwrap_or(Type::INT))).required()
        }
        other => panic!("no literal has the value {other:?}"),
    }
}

fn widen(value: &Value, to: &Type) -> Value {
    match (value, &to.kind) {
        (Value::Int(value), Kind::Float64) => Value::Float(*value as f64),
        (Value::List(items), Kind::List(item)) => Value::List(items.iter().map(|value| widen(value, item)).collect()),
        _ => value.clone(),
    }
}

/// Resolves a call with literal arguments, as the checker does.
pub(crate) fn resolve(name: &str, args: &[Value]) -> Result<Resolved<'static>, String> {
    let types: Vec<ArgType> =
        args.iter().map(|arg| ArgType { name: None, ty: type_of(arg), literal: Some(arg.clone()) }).collect();
    catalog().resolve(name, &types).map_err(|error| format!("{error:?}"))
}

/// Calls a native function; the error is the reason of a failure at run time, or begins with "compile: ".
pub(crate) fn call(name: &str, args: &[Value]) -> Result<Value, String> {
    call_in(&CallContext::new(1_000_000, 42), name, args)
}

/// As `call`, in a context of the test.
pub(crate) fn call_in(cx: &CallContext, name: &str, args: &[Value]) -> Result<Value, String> {
    let resolved = resolve(name, args).map_err(|error| format!("compile: {error}"))?;
    run(cx, &resolved, args)
}

/// Calls without looking at literals first: what happens where the argument comes from a message.
pub(crate) fn call_dynamic(name: &str, args: &[Value]) -> Result<Value, String> {
    let types: Vec<ArgType> = args.iter().map(|arg| ArgType::of(type_of(arg))).collect();
    let resolved = catalog().resolve(name, &types).map_err(|error| format!("compile: {error:?}"))?;
    run(&CallContext::new(1_000_000, 42), &resolved, args)
}

fn run(cx: &CallContext, resolved: &Resolved, args: &[Value]) -> Result<Value, String> {
    let mut values = Vec::new();
    for (source, ty) in resolved.sources.iter().zip(&resolved.param_types) {
        values.push(match source {
            ArgSource::Given(index) => widen(&args[*index], ty),
            ArgSource::Default(value) => value.clone(),
            ArgSource::Variadic(_) => panic!("no native function is variadic"),
        });
    }
    call_scalar(cx, resolved.function, &values, &resolved.param_types, &resolved.result, 7)
}

/// Asserts a table of calls: name, arguments, result.
#[track_caller]
pub(crate) fn check(table: &[(&str, Vec<Value>, Value)]) {
    for (name, args, expected) in table {
        let got = call(name, args).unwrap_or_else(|error| panic!("{name}{args:?}: {error}"));
        // Debug text makes NaN equal itself and tells 0.0 from -0.0.
        assert_eq!(format!("{got:?}"), format!("{expected:?}"), "{name}{args:?}");
    }
}

/// Asserts that calls fail at run time with a reason that holds the text.
#[track_caller]
pub(crate) fn check_fails(table: &[(&str, Vec<Value>, &str)]) {
    for (name, args, reason) in table {
        match call_dynamic(name, args) {
            Err(error) => assert!(error.contains(reason), "{name}{args:?}: {error}"),
            Ok(value) => panic!("{name}{args:?} gave {value:?}"),
        }
    }
}

/// Asserts that calls with these literals do not compile, with a message that holds the text.
#[track_caller]
pub(crate) fn check_refused(table: &[(&str, Vec<Value>, &str)]) {
    for (name, args, message) in table {
        match resolve(name, args) {
            Err(error) => assert!(error.contains(message), "{name}{args:?}: {error}"),
            Ok(_) => panic!("{name}{args:?} compiles"),
        }
    }
}

/// `"text"`
pub(crate) fn s(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// `b"bytes"`
pub(crate) fn b(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

/// `1`
pub(crate) fn i(value: i64) -> Value {
    Value::Int(i128::from(value))
}

/// `1.0`
pub(crate) fn f(value: f64) -> Value {
    Value::Float(value)
}

/// `true`
pub(crate) fn t(value: bool) -> Value {
    Value::Bool(value)
}

/// `[…]`
pub(crate) fn l<const N: usize>(items: [Value; N]) -> Value {
    Value::List(items.into())
}

/// A datetime, by its text in UTC.
pub(crate) fn at(text: &str) -> Value {
    call("cast(string)->datetime", &[s(text)]).unwrap_or_else(|error| panic!("{error}"))
}

/// A date, by its text.
pub(crate) fn day(text: &str) -> Value {
    call("cast(string)->date", &[s(text)]).unwrap_or_else(|error| panic!("{error}"))
}

/// `none`
pub(crate) const NONE: Value = Value::Null;

/// A call that gives a float.
#[track_caller]
pub(crate) fn number(name: &str, args: &[Value]) -> f64 {
    match call(name, args) {
        Ok(Value::Float(value)) => value,
        other => panic!("{name}{args:?} gave {other:?}"),
    }
}
