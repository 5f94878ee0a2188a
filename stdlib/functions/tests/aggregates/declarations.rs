//! What every declaration must keep.

use std::collections::BTreeSet;

use chalk_catalog::aggregate::{Growth, Order};
use chalk_catalog::{ArgType, ResolveError};
use chalk_functions::catalog;
use chalk_types::{Type, Value};

use crate::model::MODELLED;
use crate::types::all_bindings;

#[test]
fn the_catalogue_has_what_is_promised() {
    let names: BTreeSet<&str> = catalog().aggregate_names().collect();
    for promised in MODELLED.split_whitespace() {
        assert!(names.contains(promised), "`{promised}` is missing");
    }
}

#[test]
fn aggregates_are_documented_with_examples() {
    for entry in catalog().aggregates() {
        let def = entry.def;
        assert!(
            def.doc.ends_with('.') || def.doc.ends_with(").") || def.doc.ends_with(')'),
            "`{}`: {}",
            def.name,
            def.doc
        );
        assert!(!def.examples.is_empty(), "`{}` has no example", def.name);
        assert!(def.examples.iter().all(|example| example.contains(&format!(".{}(", def.name))), "`{}`", def.name);
        assert!(def.family.starts_with("aggregates-"), "`{}` is of the family {}", def.name, def.family);
    }
}

#[test]
fn a_name_is_an_aggregate_or_a_function_and_not_both() {
    let functions: BTreeSet<&str> = catalog().public_names().collect();
    for name in catalog().aggregate_names() {
        assert!(!functions.contains(name), "`{name}` is a function too");
    }
}

#[test]
fn names_of_other_systems_lead_to_the_name_here() {
    let mut seen = BTreeSet::new();
    let mut last = "";
    for entry in catalog().aggregates() {
        if std::mem::replace(&mut last, entry.def.name) == entry.def.name {
            continue;
        }
        for known in entry.def.known_as {
            assert!(catalog().aggregate_names().all(|name| name != *known), "`{known}` is an aggregate itself");
            assert!(seen.insert(known), "`{known}` would be two aggregates");
            assert_eq!(catalog().similar_aggregates(known), [entry.def.name], "{known}");
        }
    }
}

#[test]
fn approximate_aggregates_and_no_others_state_their_error() {
    for entry in catalog().aggregates() {
        let is_approximate = entry.def.name.starts_with("approx_");
        assert_eq!(is_approximate, !entry.def.error_bound.is_empty(), "`{}`", entry.def.signature);
    }
}

#[test]
fn what_may_grow_says_how_much_it_holds() {
    for bound in all_bindings() {
        let aggregate = (bound.def.bind)(&bound.call).expect("binds");
        let is_held = aggregate.heap_bytes() > 0;
        if bound.def.growth != Growth::Fixed {
            assert!(is_held, "{bound:?}");
        }
        assert!(aggregate.words() > 0 && aggregate.words() <= 8, "{bound:?}");
    }
}

#[test]
fn only_sums_of_floats_and_counters_that_forget_depend_on_order() {
    let by_order: BTreeSet<&str> = catalog()
        .aggregates()
        .iter()
        .filter(|entry| entry.def.order == Order::Bits)
        .map(|entry| entry.def.signature)
        .collect();
    let expected = [
        "approx_top_k(x: T, k: const int) -> [T]?",
        "kurtosis(x: T) -> float? where T: numeric",
        "mean(x: float) -> float?",
        "skewness(x: T) -> float? where T: numeric",
        "std(x: T) -> float? where T: numeric",
        "std_pop(x: T) -> float? where T: numeric",
        "sum(x: float) -> float",
        "var(x: T) -> float? where T: numeric",
        "var_pop(x: T) -> float? where T: numeric",
        "vector_mean(v: V) -> V? where V: vector",
        "vector_sum(v: V) -> V? where V: vector",
    ];
    assert_eq!(by_order, expected.into_iter().collect());
}

#[test]
fn constants_are_checked_at_compile_time() {
    let float = |value: f64| ArgType { name: None, ty: Type::FLOAT, literal: Some(Value::Float(value)) };
    let int = |value: i128| ArgType { name: None, ty: Type::INT, literal: Some(Value::Int(value)) };
    let x = || ArgType::of(Type::INT);
    let refused = |name: &str, args: &[ArgType]| match catalog().resolve_aggregate(name, args) {
        Err(ResolveError::Literal { argument, message }) => (argument, message),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(
        refused("approx_percentile", &[x(), float(95.0)]),
        (Some(1), "`p` is a share, from 0 to 1: the 95th percentile is 0.95".to_owned())
    );
    assert_eq!(refused("approx_percentile", &[x(), float(f64::NAN)]).0, Some(1));
    assert_eq!(refused("top", &[int(0), x()]), (Some(0), "`n` is from 1 to 1000".to_owned()));
    assert_eq!(refused("approx_top_k", &[x(), int(1001)]), (Some(1), "`k` is from 1 to 1000".to_owned()));
    // An expression over the event, and null, are no constants.
    let not_constant = "`n` is fixed when the program is compiled: write a constant that is not null".to_owned();
    assert_eq!(refused("top", &[x(), x()]), (Some(0), not_constant.clone()));
    let null = ArgType { name: None, ty: Type::NULL, literal: Some(Value::Null) };
    assert_eq!(refused("top", &[null, x()]), (Some(0), not_constant));
    // By name, and an integer where a float is wanted.
    let named = ArgType { name: Some("p"), ..int(1) };
    let resolved = catalog().resolve_aggregate("approx_percentile", &[named, x()]).expect("resolves");
    assert_eq!((resolved.params, resolved.event_args), (vec![Value::Float(1.0)], vec![(1, Type::INT)]));
}
