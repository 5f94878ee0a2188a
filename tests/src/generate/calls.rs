//! Random calls of library functions: any of the catalogue whose result can be of the wanted kind.
//!
//! The catalogue resolves the call that was made up, so its answer is the checker's; calls that mean nothing are dropped.
//!
//! This file must not know any function, but which texts patterns, paths and formats are.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chalk_catalog::{ArgType, Constraint, Function, TypePattern};
use chalk_types::{Kind, Type, Value};
use chalkc::compile::catalog;

use super::expr::Generator;
use super::node::{Node, Part, node};
use super::{literal, types};

/// Functions that may be called: public, and the same for the same arguments.
fn functions() -> &'static [&'static Function] {
    static FUNCTIONS: LazyLock<Vec<&'static Function>> = LazyLock::new(|| {
        catalog().functions().iter().filter(|function| !function.def.hidden && function.def.pure).collect()
    });
    &FUNCTIONS
}

/// Texts for parameters that take more than any text, by the parameter's name.
fn texts_for(parameter: &str) -> &'static [&'static str] {
    match parameter {
        "pattern" => &["a", "^[a-z]+$", "(\\d+)", "(a)(b)?", "%a%", "_b%", "[^,]+", "", "h.l*o"],
        "path" => &["$.a", "$.b[0]", "$", "$.b", "$.x.y", "$['a']", "$.b[-1]"],
        "format" => &["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z", "yyyy-MM-dd", "yyyy-MM-dd HH:mm:ss", "%H:%M"],
        "tz" => &["UTC", "Europe/Zurich", "America/New_York", "Asia/Kolkata"],
        "unit" => &["day", "hour", "minute", "second", "week", "month", "quarter", "year", "degrees", "radians"],
        "encoding" => &["utf-8", "base64", "hex"],
        "delim" => &[",", "&", " ", "=", "ab"],
        "padding" => &[" ", "0", "ab", "é"],
        "replacement" => &["", "x", "$1", "${1}!"],
        _ => &[],
    }
}

/// A call whose result is of the wanted kind.
pub(super) fn library(generator: &mut Generator<'_>, want: &Type, depth: usize) -> Option<Node> {
    for _ in 0..12 {
        let function = *generator.rng.pick(functions());
        let mut bindings = BTreeMap::new();
        if !binds(&function.signature.result, want, &mut bindings, &function.signature.constraints) {
            continue;
        }
        if let Some(node) = call(generator, function, want, bindings, depth) {
            return Some(node);
        }
    }
    None
}

/// Whether a pattern can be of that type; notes what its variables stand for.
fn binds(
    pattern: &TypePattern,
    ty: &Type,
    bindings: &mut BTreeMap<char, Type>,
    constraints: &BTreeMap<char, Constraint>,
) -> bool {
    match pattern {
        TypePattern::Concrete(concrete) => concrete.kind == ty.kind,
        TypePattern::Var { name, .. } => {
            if constraints.get(name).is_some_and(|constraint| !constraint.holds(&ty.kind)) {
                return false;
            }
            let bound = bindings.entry(*name).or_insert_with(|| ty.to_required());
            bound.kind == ty.kind
        }
        TypePattern::List { item, .. } => match &ty.kind {
            Kind::List(of) => {
                let fits = binds(item, of, bindings, constraints);
                if let (true, TypePattern::Var { name, nullable: false }) = (fits, &**item)
                    && of.nullable
                {
                    bindings.insert(*name, (**of).clone());
                }
                fits
            }
            _ => false,
        },
        TypePattern::Map { .. } | TypePattern::Decimal { .. } => false,
    }
}

fn call(
    generator: &mut Generator<'_>,
    function: &Function,
    want: &Type,
    mut bindings: BTreeMap<char, Type>,
    depth: usize,
) -> Option<Node> {
    let signature = &function.signature;
    let name = function.def.name;
    let mut args: Vec<(Option<&str>, Node)> = Vec::new();
    let mut named = false;
    for (position, param) in signature.params.iter().enumerate() {
        if param.default.is_some() && generator.rng.percent(50) {
            // What follows has to be given by name.
            named = true;
            continue;
        }
        let count = if param.variadic { generator.rng.between(1, 3) } else { 1 };
        for _ in 0..count {
            let ty = concrete(generator, &param.ty, &mut bindings, &signature.constraints)?;
            if !generator.is_available(&ty.kind) {
                return None;
            }
            // A null reaches the function or makes the result null.
            let nullable = if param.ty.is_nullable() {
                generator.rng.percent(60)
            } else {
                want.nullable && generator.rng.percent(35)
            };
            let ty = Type { nullable, ..ty };
            let arg = argument(generator, &param.name, position, &ty, function.def.check.is_some(), depth);
            args.push((named.then_some(param.name.as_str()), arg));
        }
    }
    let types: Vec<ArgType> = args
        .iter()
        .map(|(name, node)| ArgType { name: *name, ty: node.ty.clone(), literal: node.literal.clone() })
        .collect();
    let resolved = catalog().resolve(name, &types).ok()?;
    if resolved.result.kind != want.kind {
        return None;
    }
    let mut parts: Vec<Part> = vec![format!("{name}(").into()];
    for (position, (name, node)) in args.into_iter().enumerate() {
        if position > 0 {
            parts.push(", ".into());
        }
        if let Some(name) = name {
            parts.push(format!("{name}: ").into());
        }
        parts.push(node.into());
    }
    parts.push(")".into());
    Some(Node { ty: resolved.result, literal: None, parts })
}

fn argument(
    generator: &mut Generator<'_>,
    parameter: &str,
    position: usize,
    ty: &Type,
    is_checked: bool,
    depth: usize,
) -> Node {
    if ty.kind == Kind::String {
        let texts = texts_for(parameter);
        if !texts.is_empty() && generator.rng.percent(85) {
            let text = *generator.rng.pick(texts);
            return Node {
                literal: Some(Value::String(text.to_owned())),
                ..node!(Type::STRING; literal::string_literal(text))
            };
        }
    }
    // Lengths and counts decide how much work a call is.
    if ty.kind == Kind::INT && position > 0 && generator.rng.percent(80) {
        let value = *generator.rng.pick(&[0i64, 1, 2, 3, 7, 10, 16, 20, -1, -3]);
        let text = if value < 0 { format!("({value})") } else { value.to_string() };
        return Node { literal: Some(Value::Int(value.into())), ..node!(Type::INT; text) };
    }
    // A name bound to a literal is one, which cannot be seen here; so arguments that are checked are no expressions.
    generator.expr(ty, if is_checked { 0 } else { depth })
}

/// A type for a pattern; variables that stand for nothing yet are chosen.
fn concrete(
    generator: &mut Generator<'_>,
    pattern: &TypePattern,
    bindings: &mut BTreeMap<char, Type>,
    constraints: &BTreeMap<char, Constraint>,
) -> Option<Type> {
    Some(match pattern {
        TypePattern::Concrete(ty) => ty.clone(),
        TypePattern::Var { name, .. } => {
            if let Some(bound) = bindings.get(name) {
                return Some(bound.clone());
            }
            let kind = match constraints.get(name) {
                Some(Constraint::Exactly(kind)) => kind.clone(),
                Some(constraint) => (0..20)
                    .map(|_| types::scalar(generator.rng, generator.common))
                    .find(|kind| constraint.holds(kind))?,
                None => types::scalar(generator.rng, generator.common),
            };
            bindings.insert(*name, kind.clone().required());
            kind.required()
        }
        TypePattern::List { item, .. } => {
            let inner = concrete(generator, item, bindings, constraints)?;
            let nullable = inner.nullable || item.is_nullable();
            Kind::List(Box::new(Type { nullable, ..inner })).required()
        }
        TypePattern::Map { key, value, .. } => {
            let maps: Vec<Type> = generator
                .paths
                .iter()
                .filter(|(_, ty)| matches!(ty.kind, Kind::Map(..)))
                .map(|(_, ty)| ty.to_required())
                .collect();
            if maps.is_empty() {
                return None;
            }
            let map = generator.rng.pick(&maps).clone();
            let Kind::Map(of_key, of_value) = &map.kind else { return None };
            let fits = binds(key, of_key, bindings, constraints) && binds(value, of_value, bindings, constraints);
            return fits.then_some(map);
        }
        TypePattern::Decimal { .. } => return None,
    })
}
