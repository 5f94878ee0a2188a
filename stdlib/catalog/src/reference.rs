//! Reference pages: a family's functions or aggregates as Markdown, made from their declarations.
//!
//! The pages are kept beside the library and a test compares them, so that a change of a function or an aggregate shows in its page.
//!
//! This file must not know which functions or aggregates exist.

use std::fmt::Write as _;

use crate::aggregate::{AggregateDef, Growth, Order};
use crate::catalog::{Catalog, Function};
use crate::def::{Body, FunctionDef};

/// The families that have a page, in order.
pub fn families(catalog: &Catalog) -> Vec<&'static str> {
    let mut families: Vec<&'static str> = Vec::new();
    for def in public(catalog) {
        if !families.contains(&def.family) {
            families.push(def.family);
        }
    }
    families
}

fn public(catalog: &Catalog) -> impl Iterator<Item = &'static FunctionDef> {
    catalog.functions().iter().map(|function| function.def).filter(|def| !def.hidden)
}

/// A family's page.
pub fn page(catalog: &Catalog, family: &str) -> String {
    let mut page = format!("# Functions: {family}\n\nMade from the declarations in `stdlib/functions`; do not edit.\n");
    let mut names: Vec<&'static str> = Vec::new();
    for def in public(catalog).filter(|def| def.family == family) {
        if !names.contains(&def.name) {
            names.push(def.name);
        }
    }
    for name in names {
        let _ = write!(page, "\n## {name}\n");
        let mut shown: Vec<&'static str> = Vec::new();
        for function in catalog.overloads(name).filter(|function| function.def.family == family) {
            if !shown.contains(&function.def.written) {
                shown.push(function.def.written);
                write_overload(function, &mut page);
            }
        }
    }
    page
}

fn write_overload(function: &Function, page: &mut String) {
    let def = function.def;
    let _ = write!(page, "\n```chalk signature\n{}\n```\n\n{}\n\n{}\n", def.written, def.doc, rules(function));
    if !def.examples.is_empty() {
        let _ = write!(page, "\n```chalk example\n{}\n```\n", def.examples.join("\n"));
    }
}

/// One line: what null does, whether a call can fail, whether it always gives the same.
fn rules(function: &Function) -> String {
    let mut rules = Vec::new();
    let params = &function.signature.params;
    let taking: Vec<String> =
        params.iter().filter(|param| param.ty.is_nullable()).map(|param| format!("`{}`", param.name)).collect();
    if taking.len() < params.len() {
        rules.push(if taking.is_empty() {
            "A null argument makes the result null.".to_owned()
        } else {
            format!("A null argument other than {} makes the result null.", taking.join(", "))
        });
    }
    rules.push(match function.def.body {
        Body::Native(_) if function.def.fallible => "A call can fail the message.".to_owned(),
        Body::Native(_) => "A call never fails.".to_owned(),
        Body::Chalk(body) => format!("A call stands for `{body}`."),
        Body::Fold(body) => format!("A call folds its arguments from the left by `{body}`."),
    });
    if !function.def.pure {
        rules.push("Each call may give another result.".to_owned());
    }
    rules.join(" ")
}

/// The families of aggregates, each of which has a page, in order.
pub fn aggregate_families(catalog: &Catalog) -> Vec<&'static str> {
    let mut families: Vec<&'static str> = catalog.aggregates().iter().map(|entry| entry.def.family).collect();
    families.dedup();
    families
}

/// The page of a family of aggregates.
pub fn aggregate_page(catalog: &Catalog, family: &str) -> String {
    let title = family.trim_start_matches("aggregates-");
    let mut page = format!("# Aggregates: {title}\n\nMade from the declarations in `stdlib/functions`; do not edit.\n");
    page += "\nIn an example stands a list of events, in the order of time; `x` is the event's value, of a pair `x` is the first and `y` the second.\n";
    let defs: Vec<&AggregateDef> =
        catalog.aggregates().iter().map(|entry| entry.def).filter(|def| def.family == family).collect();
    for overloads in defs.chunk_by(|a, b| a.name == b.name) {
        let def = overloads[0];
        let signatures: Vec<&str> = overloads.iter().map(|overload| overload.signature).collect();
        let _ = write!(
            page,
            "\n## {}\n\n```chalk signature\n{}\n```\n\n{}\n\n{}\n",
            def.name,
            signatures.join("\n"),
            def.doc,
            aggregate_rules(overloads)
        );
        if !def.error_bound.is_empty() {
            let _ = write!(page, "\nError: {}\n", def.error_bound);
        }
        let _ = write!(page, "\n```chalk aggregate\n{}\n```\n", def.examples.join("\n"));
    }
    page
}

/// One line: what it keeps for a key, and whether order matters.
fn aggregate_rules(overloads: &[&AggregateDef]) -> String {
    let def = overloads[0];
    let mut rules = vec![match def.growth {
        Growth::Fixed => "What it keeps does not grow.",
        Growth::Bounded => "What it keeps is bounded.",
        Growth::Unbounded => "What it keeps grows with its values: without a window it needs `@unbounded`.",
    }];
    let is_mixed = overloads.iter().any(|overload| overload.order != def.order);
    rules.push(match def.order {
        _ if is_mixed => "The order of events shows in the last digits of floats only.",
        Order::Free => "The order of events does not matter.",
        Order::Bits if def.error_bound.is_empty() => "The order of events shows in the last digits.",
        Order::Bits => "The order of events shows within the error.",
        Order::Time => "The order is that of event time, whenever events arrive.",
    });
    rules.join(" ")
}
