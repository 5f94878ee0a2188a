//! What every declaration must keep.

use std::collections::BTreeSet;

use chalk_catalog::Body;
use chalk_catalog::slot::same_chalk_type;
use chalk_catalog::{Constraint, Signature, TypePattern};
use chalk_functions::catalog;

/// The pattern with the variable of an instance replaced by its type; items may be null, as Rust sees them.
fn as_rust(pattern: &TypePattern, signature: &Signature, inner: bool) -> String {
    let null = |nullable: bool| if nullable || inner { "?" } else { "" };
    match pattern {
        TypePattern::Var { name, nullable } => match signature.constraints.get(name) {
            Some(Constraint::Exactly(kind)) => format!("{kind}{}", null(*nullable)),
            _ => "any".to_owned(),
        },
        TypePattern::List { item, nullable } => {
            format!("[{}]{}", as_rust(item, signature, true), if *nullable { "?" } else { "" })
        }
        other => other.to_string().replace("map<K, V>", "map<any,any>"),
    }
}

#[test]
fn rust_types_are_those_of_the_signature() {
    for function in catalog().functions() {
        if !matches!(function.def.body, Body::Native(_)) {
            continue;
        }
        let rust = (function.def.rust_types)();
        let signature = &function.signature;
        assert_eq!(rust.len(), signature.params.len() + 1, "{}", function.def.signature);
        let patterns = signature.params.iter().map(|param| &param.ty).chain([&signature.result]);
        for (rust, pattern) in rust.iter().zip(patterns) {
            let loose = as_rust(pattern, signature, false);
            // A result without nulls in it is a list with or without them.
            let strict = pattern.to_string();
            assert!(
                same_chalk_type(rust, &loose) || same_chalk_type(rust, &strict),
                "`{}`: the Rust type is {rust}, the signature says {pattern}",
                function.def.signature
            );
        }
    }
}

#[test]
fn public_functions_are_documented_and_hidden_ones_cannot_be_written() {
    for function in catalog().functions() {
        let def = function.def;
        let is_identifier = def.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        assert_eq!(is_identifier, !def.hidden, "{}", def.name);
        if !def.hidden {
            assert!(!def.doc.is_empty(), "`{}` has no documentation", def.name);
            assert!(!def.examples.is_empty() || def.signature.contains("map<"), "`{}` has no example", def.name);
        }
        if let Body::Fold(_) = def.body {
            assert!(function.signature.max_args().is_none(), "{}", def.signature);
        }
    }
}

#[test]
fn the_library_is_as_large_as_promised() {
    let names: BTreeSet<&str> = catalog().public_names().collect();
    assert!(names.len() >= 120, "{} public functions", names.len());
}

#[test]
fn imports_are_found_again() {
    for function in catalog().functions() {
        let found = catalog().by_import(function.import_name()).expect("an import");
        assert_eq!(found.id, function.id);
    }
}

#[test]
fn names_of_other_systems_are_no_names_here() {
    for function in catalog().functions() {
        for known in function.def.known_as {
            assert_eq!(catalog().overloads(known).count(), 0, "`{known}` is a function itself");
            assert!(catalog().similar_names(known).contains(&function.def.name));
        }
    }
}
