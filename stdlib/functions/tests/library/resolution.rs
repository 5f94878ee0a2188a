//! Which overload a call means, and what a checker gets to say where it means none.

use chalk_catalog::{ArgSource, ArgType, ResolveError};
use chalk_functions::catalog;
use chalk_types::{IntWidth, Kind, Type, Value};

fn args(types: &[Type]) -> Vec<ArgType<'static>> {
    types.iter().cloned().map(ArgType::of).collect()
}

fn list(item: Type) -> Type {
    Kind::List(Box::new(item)).required()
}

#[test]
fn the_exact_overload_wins_and_integers_widen() {
    let int32 = Kind::Int(IntWidth::Int32).required();
    for (name, types, signature) in [
        ("abs", vec![Type::INT], "abs(x: int) -> int"),
        ("abs", vec![Type::FLOAT], "abs(x: float) -> float"),
        ("abs", vec![int32], "abs(x: int) -> int"),
        ("mod", vec![Type::INT, Type::FLOAT], "mod(x: float, y: float) -> float"),
        ("sqrt", vec![Type::INT], "sqrt(x: float) -> float"),
        ("year", vec![Kind::Date.required()], "year(t: T) -> int where T: date"),
    ] {
        let resolved = catalog().resolve(name, &args(&types)).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(resolved.function.def.signature, signature);
    }
}

#[test]
fn nullability_follows_the_signature() {
    let result = |name: &str, types: &[Type]| {
        catalog().resolve(name, &args(types)).unwrap_or_else(|error| panic!("{name}: {error:?}")).result.to_string()
    };
    assert_eq!(result("lower", &[Type::STRING]), "string");
    assert_eq!(result("lower", &[Type::STRING.to_optional()]), "string?");
    assert_eq!(result("split_part", &[Type::STRING, Type::STRING, Type::INT]), "string?");
    assert_eq!(result("array_sort", &[list(Type::INT)]), "[int]");
    assert_eq!(result("array_sort", &[list(Type::INT.to_optional())]), "[int?]");
    assert_eq!(result("array_max", &[list(Type::INT)]), "int?");
    assert_eq!(result("clamp", &[Type::INT, Type::FLOAT, Type::INT.to_optional()]), "float?");
    assert_eq!(result("is_null", &[Type::INT.to_optional()]), "bool");
    assert_eq!(result("lower", &[Type::NULL]), "string?");
    assert_eq!(result("json_extract_array", &[Type::STRING, Type::STRING]), "[string?]?");
}

#[test]
fn arguments_go_by_place_or_name_and_defaults_fill_the_rest() {
    let mut named = args(&[Type::STRING]);
    named.push(ArgType { name: Some("tz"), ty: Type::STRING, literal: Some(Value::String("UTC".to_owned())) });
    let resolved = catalog().resolve("parse_datetime", &named).expect("resolves");
    let expected = [ArgSource::Given(0), ArgSource::Default(Value::Null), ArgSource::Given(1)];
    assert_eq!(resolved.sources, expected);
    let resolved = catalog().resolve("coalesce", &args(&[Type::NULL, Type::INT, Type::FLOAT])).expect("resolves");
    assert_eq!(resolved.sources, [ArgSource::Variadic(vec![0, 1, 2])]);
    assert_eq!(resolved.param_types[0].to_string(), "float?");
}

#[test]
fn mistakes_come_with_what_a_message_needs() {
    let error = |name: &str, types: &[Type]| catalog().resolve(name, &args(types)).expect_err("a mistake");
    match error("lenght", &[Type::STRING]) {
        ResolveError::UnknownName { candidates } => assert_eq!(candidates[0], "length"),
        other => panic!("{other:?}"),
    }
    match error("SUBSTRING", &[Type::STRING]) {
        ResolveError::UnknownName { candidates } => assert_eq!(candidates, ["substr"]),
        other => panic!("{other:?}"),
    }
    match error("lower", &[]) {
        ResolveError::Count { expected, got, .. } => assert_eq!((expected, got), ((1, Some(1)), 0)),
        other => panic!("{other:?}"),
    }
    match error("coalesce", &[]) {
        ResolveError::Count { expected, .. } => assert_eq!(expected, (1, None)),
        other => panic!("{other:?}"),
    }
    match error("abs", &[Type::STRING]) {
        ResolveError::Argument { argument, parameter, wanted, got, .. } => {
            assert_eq!((argument, &*parameter, got), (0, "x", Type::STRING));
            assert_eq!(wanted, ["int", "float"]);
        }
        other => panic!("{other:?}"),
    }
    match error("clamp", &[Type::INT, Type::STRING, Type::INT]) {
        ResolveError::Argument { argument, wanted, .. } => assert_eq!((argument, wanted), (1, vec!["int".to_owned()])),
        other => panic!("{other:?}"),
    }
    match error("clamp", &[list(Type::INT), list(Type::INT), list(Type::INT)]) {
        ResolveError::Argument { argument, wanted, .. } => {
            assert_eq!((argument, wanted), (0, vec!["an ordered type".to_owned()]));
        }
        other => panic!("{other:?}"),
    }
    let mut named = args(&[Type::STRING]);
    named.push(ArgType { name: Some("zone"), ty: Type::STRING, literal: None });
    match catalog().resolve("parse_datetime", &named).expect_err("a mistake") {
        ResolveError::UnknownParameter { argument, candidates } => {
            assert_eq!((argument, candidates), (1, vec!["s".to_owned(), "format".to_owned(), "tz".to_owned()]));
        }
        other => panic!("{other:?}"),
    }
    let pattern = ArgType { name: None, ty: Type::STRING, literal: Some(Value::String("(".to_owned())) };
    match catalog().resolve("regexp_like", &[ArgType::of(Type::STRING), pattern]).expect_err("a mistake") {
        ResolveError::Literal { argument, message } => {
            assert_eq!(argument, Some(1));
            assert!(message.contains("unclosed group"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}
