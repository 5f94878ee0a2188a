//! Every aggregate with every type it takes.

use std::sync::Arc;

use chalk_catalog::aggregate::{AggregateCall, AggregateDef};
use chalk_catalog::{AggregateEntry, ArgType, ResolveError, TypePattern};
use chalk_functions::catalog;
use chalk_types::{EnumType, IntWidth, Kind, StructField, StructType, Type, Value};

/// An aggregate bound to types and constants.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) def: &'static AggregateDef,
    pub(crate) call: AggregateCall,
}

/// A type of each kind.
pub(crate) fn every_type() -> Vec<Type> {
    let color = EnumType { name: "Color".into(), variants: vec!["red".into(), "green".into(), "blue".into()] };
    let point = StructType {
        name: "Point".into(),
        fields: vec![
            StructField { name: "x".into(), ty: Kind::Float64.optional() },
            StructField { name: "name".into(), ty: Type::STRING },
        ],
    };
    let mut kinds = vec![
        Kind::Bool,
        Kind::Float32,
        Kind::Float64,
        Kind::String,
        Kind::Bytes,
        Kind::Datetime,
        Kind::Date,
        Kind::Time,
        Kind::Duration,
        Kind::Decimal { precision: 9, scale: 2 },
        Kind::Decimal { precision: 38, scale: 4 },
        Kind::Enum(Arc::new(color)),
        Kind::List(Box::new(Kind::Float64.optional())),
        Kind::List(Box::new(Type::STRING)),
        Kind::Vector(Box::new(Type::FLOAT), 3),
        Kind::Vector(Box::new(Kind::Float32.required()), 2),
        Kind::Map(Box::new(Type::STRING), Box::new(Kind::INT.optional())),
        Kind::Struct(Arc::new(point)),
    ];
    kinds.extend(IntWidth::ALL.map(Kind::Int));
    kinds.into_iter().map(Kind::required).collect()
}

/// Constants to try for a parameter: shares, and numbers of values.
fn constants(ty: &TypePattern) -> Vec<Value> {
    match ty {
        TypePattern::Concrete(ty) if *ty == Type::FLOAT => [0.0, 0.5, 0.95, 1.0].map(Value::Float).to_vec(),
        TypePattern::Concrete(ty) if *ty == Type::INT => [1, 3, 1000].map(Value::Int).to_vec(),
        other => panic!("which constants shall be tried for `{other}`?"),
    }
}

/// An aggregate with each combination of types and constants that a program could give it.
pub(crate) fn bindings(entry: &AggregateEntry) -> Vec<Bound> {
    let mut calls: Vec<Vec<ArgType>> = vec![Vec::new()];
    for param in &entry.signature.params {
        let choices: Vec<ArgType> = if param.constant {
            let of = |value: Value| {
                let ty = if matches!(value, Value::Int(_)) { Type::INT } else { Type::FLOAT };
                ArgType { name: None, ty, literal: Some(value) }
            };
            constants(&param.ty).into_iter().map(of).collect()
        } else {
            every_type().into_iter().map(ArgType::of).collect()
        };
        let extended = |call: &Vec<ArgType<'static>>| -> Vec<Vec<ArgType>> {
            choices.iter().map(|choice| call.iter().chain([choice]).cloned().collect()).collect()
        };
        calls = calls.iter().flat_map(extended).collect();
    }
    let mut found: Vec<Bound> = Vec::new();
    for args in calls {
        match catalog().resolve_aggregate(entry.def.name, &args) {
            Ok(resolved) if std::ptr::eq(resolved.def, entry.def) => {
                let call = resolved.call();
                if !found.iter().any(|before| before.call == call) {
                    found.push(Bound { def: entry.def, call });
                }
            }
            Ok(_) | Err(ResolveError::Argument { .. }) => {}
            Err(other) => panic!("{}: {other:?}", entry.def.signature),
        }
    }
    assert!(!found.is_empty(), "`{}` takes no type", entry.def.signature);
    found
}

/// All aggregates with all their types.
pub(crate) fn all_bindings() -> Vec<Bound> {
    catalog().aggregates().iter().flat_map(bindings).collect()
}

/// Whether the value is one of the type.
pub(crate) fn is_of(value: &Value, ty: &Type) -> bool {
    match (value, &ty.kind) {
        (Value::Null, _) => ty.nullable,
        (Value::Bool(_), Kind::Bool)
        | (Value::String(_), Kind::String)
        | (Value::Bytes(_), Kind::Bytes)
        | (Value::Datetime(_), Kind::Datetime)
        | (Value::Date(_), Kind::Date)
        | (Value::Time(_), Kind::Time)
        | (Value::Duration(_), Kind::Duration)
        | (Value::Float(_), Kind::Float32 | Kind::Float64)
        | (Value::Decimal(_), Kind::Decimal { .. }) => true,
        (Value::Int(value), Kind::Int(width)) => (width.range().0..=width.range().1).contains(value),
        (Value::Enum(index), Kind::Enum(def)) => (*index as usize) < def.variants.len(),
        (Value::List(items), Kind::List(item)) => items.iter().all(|value| is_of(value, item)),
        (Value::List(items), Kind::Vector(item, length)) => {
            items.len() == *length as usize && items.iter().all(|value| is_of(value, item))
        }
        (Value::Map(entries), Kind::Map(key, of)) => entries.iter().all(|(k, v)| is_of(k, key) && is_of(v, of)),
        (Value::Struct(fields), Kind::Struct(message)) => {
            fields.len() == message.fields.len() && fields.iter().zip(&message.fields).all(|(v, f)| is_of(v, &f.ty))
        }
        _ => false,
    }
}
