//! Reference pages: a family's functions as Markdown, made from their declarations.
//!
//! The pages are kept beside the library and a test compares them, so that a change of a function shows in its page.
//!
//! This file must not know which functions exist.

use std::fmt::Write as _;

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
