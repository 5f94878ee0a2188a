//! Messages and enums: their types in the order in which they need each other, cycles refused, and how fields travel.
//!
//! A message is an Arrow schema, so it must be finite: a message that holds itself has none. Messages that are wrong keep
//! their place, without a type.
//!
//! This file must not know resolvers or features.

use std::collections::BTreeMap;
use std::sync::Arc;

use chalk_artifact::decode_plan::UnixUnit;
use chalk_diagnostics::{Code, Diagnostic, Span, did_you_mean};
use chalk_syntax::ast;
use chalk_types::{EnumType, Kind, StructField, StructType, Type};

use crate::attributes::Attributes;
use crate::constant;
use crate::context::{Checked, Context, doc_of};
use crate::expr::{Checker, Want};
use crate::package::Entry;
use crate::program::{Message, WireField};
use crate::resolve_type::Place;

/// Greatest nesting of messages, lists and maps in a message type: what a decoder follows (`decode_plan::MAX_DEPTH`), with room.
const MAX_NESTING: usize = 100;
/// Most leaf fields of a message type, all nested ones counted.
const MAX_LEAVES: usize = 100_000;

/// Fills `context.enums`.
pub(crate) fn check_enums(context: &mut Context) {
    for decl in context.package.enums.clone() {
        Attributes::new(context, &decl.attributes).finish("an enum");
        let mut variants: Vec<&ast::Name> = Vec::new();
        for variant in &decl.variants {
            Attributes::new(context, &variant.attributes).finish("a variant");
            match variants.iter().find(|other| other.text == variant.name.text) {
                Some(first) => {
                    context.report(twice("variant", &variant.name, first));
                }
                None => variants.push(&variant.name),
            }
        }
        if variants.is_empty() {
            context.report(empty("enum", &decl.name, "variant", "`enum Status { pending, ok }`"));
        }
        let variants = variants.iter().map(|variant| variant.text.clone()).collect();
        context.enums.push(Arc::new(EnumType { name: decl.name.text.clone(), variants }));
    }
}

/// A name used twice in one declaration.
pub(crate) fn twice(what: &str, again: &ast::Name, first: &ast::Name) -> Diagnostic {
    Diagnostic::new(Code::E0102, format!("the {what} `{}` is declared twice", again.text), again.span)
        .at("declared again here")
        .label(first.span, "first declared here")
        .help("rename or remove one of the two")
}

/// A declaration with nothing in it.
pub(crate) fn empty(what: &str, name: &ast::Name, item: &str, example: &str) -> Diagnostic {
    Diagnostic::new(Code::E0307, format!("the {what} `{}` has no {item}", name.text), name.span)
        .at(format!("at least one {item} is needed"))
        .help(format!("write for instance {example}"))
}

/// The messages that a type as written names, with the places.
fn mentioned<'t>(ty: &'t ast::TypeExpr, out: &mut Vec<&'t ast::Name>) {
    match &ty.kind {
        ast::TypeKind::Named(path) => out.extend(path.single()),
        ast::TypeKind::Optional(inner) | ast::TypeKind::List(inner) | ast::TypeKind::Vector(inner, _) => {
            mentioned(inner, out);
        }
        ast::TypeKind::Map(key, value) => {
            mentioned(key, out);
            mentioned(value, out);
        }
        ast::TypeKind::Error | ast::TypeKind::Decimal(..) | ast::TypeKind::Union(_) | ast::TypeKind::Generic(..) => {}
    }
}

/// One step from a message to one that it holds.
struct Edge {
    field: String,
    span: Span,
    to: usize,
}

/// Fills `context.messages`; returns the fields' types for `check_fields` (none where wrong).
pub(crate) fn check_types(context: &mut Context) -> Vec<Vec<Option<Type>>> {
    let decls = context.package.messages.clone();
    let edges: Vec<Vec<Edge>> = decls.iter().map(|decl| edges_of(context, decl)).collect();
    let (order, in_cycle) = order_of(context, &edges);
    context.messages = vec![None; decls.len()];
    let mut types: Vec<Vec<Option<Type>>> = decls.iter().map(|_| Vec::new()).collect();
    let mut sizes: Vec<(usize, usize)> = vec![(0, 0); decls.len()];
    for index in order {
        let decl = decls[index];
        if in_cycle[index] {
            types[index] = vec![None; decl.fields.len()];
            continue;
        }
        let mut complete = true;
        let mut fields: Vec<StructField> = Vec::new();
        for field in &decl.fields {
            let ty = context.resolve_type(&field.ty, Place::new("field", &field.name.text)).ok();
            complete &= ty.is_some();
            if let Some(ty) = &ty
                && !fields.iter().any(|other| other.name == field.name.text)
            {
                fields.push(StructField { name: field.name.text.clone(), ty: ty.clone() });
            }
            types[index].push(ty);
        }
        let (depth, leaves) = edges[index].iter().map(|edge| sizes[edge.to]).fold(
            (0, decl.fields.len()),
            |(depth, leaves), (inner_depth, inner_leaves): (usize, usize)| {
                (depth.max(inner_depth), leaves.saturating_add(inner_leaves))
            },
        );
        let depth = depth + 1 + decl.fields.iter().map(|field| nesting(&field.ty)).max().unwrap_or(0);
        sizes[index] = (depth, leaves);
        if depth > MAX_NESTING || leaves > MAX_LEAVES {
            context.report(
                Diagnostic::new(Code::E0309, format!("the message `{}` is too large", decl.name.text), decl.name.span)
                    .at(format!("{depth} levels deep, {leaves} fields with those of the messages inside"))
                    .note(format!("a message may have {MAX_NESTING} levels and {MAX_LEAVES} fields"))
                    .help("declare only the fields that are read; others are ignored in a message"),
            );
            complete = false;
            sizes[index] = (0, 0);
        }
        if complete {
            context.messages[index] = Some(Arc::new(StructType { name: decl.name.text.clone(), fields }));
        }
    }
    types
}

fn nesting(ty: &ast::TypeExpr) -> usize {
    match &ty.kind {
        ast::TypeKind::Optional(inner) => nesting(inner),
        ast::TypeKind::List(inner) | ast::TypeKind::Vector(inner, _) => 1 + nesting(inner),
        ast::TypeKind::Map(_, value) => 1 + nesting(value),
        _ => 0,
    }
}

fn edges_of(context: &Context, decl: &ast::MessageDecl) -> Vec<Edge> {
    let mut edges = Vec::new();
    for field in &decl.fields {
        let mut names = Vec::new();
        mentioned(&field.ty, &mut names);
        for name in names {
            if let Some(Entry::Message(to)) = context.package.get(&name.text) {
                edges.push(Edge { field: field.name.text.clone(), span: field.ty.span, to });
            }
        }
    }
    edges
}

/// All messages, each after those that it holds, and which hold themselves. Every cycle is reported once.
fn order_of(context: &Context, edges: &[Vec<Edge>]) -> (Vec<usize>, Vec<bool>) {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let decls = &context.package.messages;
    let mut state = vec![State::New; edges.len()];
    let mut in_cycle = vec![false; edges.len()];
    let mut order = Vec::with_capacity(edges.len());
    for start in 0..edges.len() {
        if state[start] != State::New {
            continue;
        }
        state[start] = State::Open;
        // The path from `start`: a message and how many of its edges are done.
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((message, next)) = path.last_mut() {
            let message = *message;
            let Some(edge) = edges[message].get(*next) else {
                state[message] = State::Done;
                order.push(message);
                path.pop();
                continue;
            };
            *next += 1;
            match state[edge.to] {
                State::New => {
                    state[edge.to] = State::Open;
                    path.push((edge.to, 0));
                }
                State::Open => {
                    let from = path.iter().position(|(other, _)| *other == edge.to).unwrap_or(0);
                    let mut steps = Vec::new();
                    for &(member, done) in &path[from..] {
                        in_cycle[member] = true;
                        let step = &edges[member][done - 1];
                        steps.push(format!("{}.{}", decls[member].name.text, step.field));
                    }
                    steps.push(decls[edge.to].name.text.clone());
                    let name = &decls[edge.to].name;
                    let first = path.get(from).map_or(edge, |&(member, done)| &edges[member][done - 1]);
                    context.report(
                        Diagnostic::new(Code::E0301, format!("the message `{}` holds itself", name.text), first.span)
                            .at(steps.join(" → "))
                            .label(name.span, "declared here")
                            .note("a message is an Arrow schema, and a schema that holds itself has no end")
                            .help(
                                "declare the levels that you read as messages of their own, or take that field as \
                                 `string` of the message as a whole with `json_value`",
                            ),
                    );
                }
                State::Done => {}
            }
        }
    }
    (order, in_cycle)
}

/// Checks what fields say beside their types.
pub(crate) fn check_fields(context: &Context, types: &[Vec<Option<Type>>]) -> Vec<Message> {
    let decls = context.package.messages.clone();
    decls.iter().zip(types).enumerate().map(|(index, (decl, types))| message(context, index, decl, types)).collect()
}

fn message(context: &Context, index: usize, decl: &ast::MessageDecl, types: &[Option<Type>]) -> Message {
    let mut attributes = Attributes::new(context, &decl.attributes);
    let relaxed = attributes.flag("relaxed").is_some();
    attributes.finish("a message");
    if decl.fields.is_empty() {
        context.report(empty("message", &decl.name, "field", "`message Click { id: int }`"));
    }
    let mut names: BTreeMap<&str, &ast::Name> = BTreeMap::new();
    let mut keys: BTreeMap<String, Span> = BTreeMap::new();
    let mut wire = Vec::new();
    for (field, ty) in decl.fields.iter().zip(types) {
        if let Some(first) = names.get(field.name.text.as_str()) {
            context.report(twice("field", &field.name, first));
            continue;
        }
        names.insert(&field.name.text, &field.name);
        let (field, key_span) = wire_field(context, field, ty.as_ref());
        if let Some(first) = keys.get(&field.key) {
            context.report(
                Diagnostic::new(Code::E0305, format!("two fields are read from the key `{}`", field.key), key_span)
                    .label(*first, "the first one")
                    .help("give one of them another key with `@json(\"…\")`, or remove it"),
            );
        } else {
            keys.insert(field.key.clone(), key_span);
        }
        wire.push(field);
    }
    let ty = context.messages[index].clone().unwrap_or_else(|| {
        // Wrong, and reported: an empty type keeps positions.
        Arc::new(StructType { name: decl.name.text.clone(), fields: Vec::new() })
    });
    Message { span: decl.name.span, doc: doc_of(&decl.doc), ty, wire, relaxed }
}

fn wire_field(context: &Context, field: &ast::Field, ty: Option<&Type>) -> (WireField, Span) {
    let mut attributes = Attributes::new(context, &field.attributes);
    let (key, key_span) = attributes.text("json").unwrap_or_else(|| (field.name.text.clone(), field.name.span));
    let unix = attributes.word("unix").and_then(|word| unix_unit(context, word));
    let unix_span = field.attributes.iter().find(|attribute| attribute.name.text == "unix").map(|found| found.span);
    if let (Some(span), Some(ty)) = (unix_span, ty)
        && ty.kind != Kind::Datetime
    {
        context.report(
            Diagnostic::new(Code::E0306, format!("`@unix` stands on a field of type `{ty}`"), span)
                .at("says in which unit a `datetime` travels as an integer")
                .label(field.ty.span, "not a `datetime`")
                .help("make the field a `datetime`, or leave `@unix` out"),
        );
    }
    let lenient = attributes.flag("lenient").is_some();
    attributes.finish("a field of a message");
    if let Some(windows) = &field.windows {
        context.report(
            Diagnostic::new(Code::E0304, "a field of a message has no windows", windows.span)
                .help("`over [...]` belongs to a feature"),
        );
    }
    let default = match (&field.value, ty) {
        (Some(value), Some(ty)) => default_value(context, field, value, ty).ok(),
        _ => None,
    };
    let message = ty.and_then(|ty| inner_message(context, ty));
    let span = field.name.span;
    (WireField { span, doc: doc_of(&field.doc), key, default, lenient, unix, message }, key_span)
}

fn unix_unit(context: &Context, word: &ast::Name) -> Option<UnixUnit> {
    Some(match word.text.as_str() {
        "s" => UnixUnit::Seconds,
        "ms" => UnixUnit::Millis,
        "us" => UnixUnit::Micros,
        "ns" => UnixUnit::Nanos,
        other => {
            let near = did_you_mean(other, ["s", "ms", "us", "ns"]);
            let diagnostic = Diagnostic::new(Code::E0110, format!("`@unix`: there is no unit `{other}`"), word.span)
                .help("the units are `s`, `ms`, `us` and `ns`");
            context.report(match near {
                Some(near) => diagnostic.fix(word.span, near),
                None => diagnostic,
            });
            return None;
        }
    })
}

fn default_value(context: &Context, field: &ast::Field, value: &ast::Expr, ty: &Type) -> Checked<chalk_types::Value> {
    let mut checker = Checker::for_constant(context);
    let checked = checker.check(value, Some(ty))?;
    let checked = checker.coerce(checked, ty, Want::new("the default of", &field.name.text, field.ty.span))?;
    constant::value_of(&checked).ok_or_else(|| {
        context.report(
            Diagnostic::new(Code::E0304, format!("the default of `{}` is not a constant", field.name.text), value.span)
                .at("computed")
                .note("a default is part of the decoder: a literal, a variant of an enum, `none`, or a list of them")
                .help("set the default where the field is read: `msg.field ?? …`, with a field that may be null"),
        )
    })
}

/// The message inside a type, through lists, vectors and maps.
fn inner_message(context: &Context, ty: &Type) -> Option<usize> {
    match &ty.kind {
        Kind::Struct(message) => match context.package.get(&message.name) {
            Some(Entry::Message(index)) => Some(index),
            _ => None,
        },
        Kind::List(item) | Kind::Vector(item, _) => inner_message(context, item),
        Kind::Map(_, value) => inner_message(context, value),
        _ => None,
    }
}
