//! Which aggregate a call means, and what a checker gets to say where it means none.

use chalk_catalog::{ArgType, ResolveError};
use chalk_functions::catalog;
use chalk_types::{IntWidth, Kind, Type};

fn resolve(name: &str, types: &[Type]) -> Result<(&'static str, String), ResolveError> {
    let args: Vec<ArgType> = types.iter().cloned().map(ArgType::of).collect();
    let resolved = catalog().resolve_aggregate(name, &args)?;
    Ok((resolved.def.signature, resolved.result.to_string()))
}

#[test]
fn the_argument_chooses_the_overload_and_the_type_of_the_result() {
    let int32 = Kind::Int(IntWidth::Int32).required();
    let uint64 = Kind::Int(IntWidth::UInt64).required();
    let price = Kind::Decimal { precision: 9, scale: 2 }.optional();
    for (name, types, signature, result) in [
        ("count", vec![], "count() -> int", "int"),
        ("count", vec![Type::STRING], "count(x: T) -> int", "int"),
        ("sum", vec![Type::INT], "sum(x: int) -> int", "int"),
        ("sum", vec![int32.clone()], "sum(x: int) -> int", "int"),
        ("sum", vec![uint64], "sum(x: uint64) -> uint64", "uint64"),
        ("sum", vec![Kind::Float32.required()], "sum(x: float) -> float", "float"),
        ("sum", vec![price.clone()], "sum(x: decimal) -> decimal", "decimal(38, 2)"),
        ("sum", vec![Kind::Duration.required()], "sum(x: duration) -> duration", "duration"),
        ("mean", vec![Type::INT], "mean(x: int) -> float?", "float?"),
        ("mean", vec![price.clone()], "mean(x: decimal) -> float?", "float?"),
        ("min", vec![int32], "min(x: T) -> T? where T: ordered", "int32?"),
        ("max", vec![price], "max(x: T) -> T? where T: ordered", "decimal(9, 2)?"),
    ] {
        let found = resolve(name, &types).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(found, (signature, result.to_owned()));
    }
}

#[test]
fn nulls_are_passed_over_so_they_change_no_type() {
    let resolved = catalog().resolve_aggregate("sum", &[ArgType::of(Type::FLOAT.to_optional())]).expect("resolves");
    assert_eq!(resolved.event_args, [(0, Type::FLOAT)]);
    assert_eq!(resolved.result, Type::FLOAT);
}

#[test]
fn mistakes_come_with_what_a_message_needs() {
    match resolve("coutn", &[Type::INT]) {
        Err(ResolveError::UnknownName { candidates }) => assert_eq!(candidates, ["count"]),
        other => panic!("{other:?}"),
    }
    match resolve("avg", &[Type::INT]) {
        Err(ResolveError::UnknownName { candidates }) => assert_eq!(candidates, ["mean"]),
        other => panic!("{other:?}"),
    }
    match resolve("sum", &[Type::STRING]) {
        Err(ResolveError::Argument { argument, wanted, got, .. }) => {
            assert_eq!((argument, got), (0, Type::STRING));
            assert_eq!(wanted, ["int", "uint64", "float", "decimal", "duration"]);
        }
        other => panic!("{other:?}"),
    }
    match resolve("median", &[Type::NULL]) {
        Err(ResolveError::Argument { argument, got, .. }) => assert_eq!((argument, got), (0, Type::NULL)),
        other => panic!("{other:?}"),
    }
    match resolve("min", &[]) {
        Err(ResolveError::Count { expected, got, .. }) => assert_eq!((expected, got), ((1, Some(1)), 0)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_aggregate_is_found_again_by_its_signature() {
    for entry in catalog().aggregates() {
        let found = catalog().aggregate(entry.def.signature).expect("an aggregate");
        assert!(std::ptr::eq(found, entry.def));
    }
    assert!(catalog().aggregate_names().any(|name| name == "mean"));
}
