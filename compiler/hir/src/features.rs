//! Features classes: keys, times, and expression features in an order in which each comes after those that it reads.
//!
//! This file must not know resolvers.

use std::collections::BTreeMap;

use chalk_diagnostics::{Code, Diagnostic, Span};
use chalk_syntax::ast;
use chalk_types::{Kind, Type};

use crate::attributes::Attributes;
use crate::context::{ClassFacts, Context, doc_of};
use crate::expr::{Checker, Frame, Root, Want, WindowFrame};
use crate::materialize;
use crate::messages::{empty, twice};
use crate::naming::snake_case;
use crate::program::{Expr, ExprKind, Feature, FeatureClass, FeatureWindow, Relation};
use crate::windows::{self, window_suffix, window_text};

/// Checks what features say beside their types.
pub(crate) fn check(context: &Context) -> Vec<FeatureClass> {
    let mut classes: Vec<FeatureClass> = Vec::new();
    for (index, decl) in context.package.classes.iter().enumerate() {
        let class = class(context, index, decl);
        if let Some(other) = classes.iter().find(|other| other.namespace == class.namespace) {
            context.report(
                Diagnostic::new(
                    Code::E0102,
                    format!("`{}` and `{}` are both `{}` outside", other.name, class.name, class.namespace),
                    class.span,
                )
                .label(other.span, "the other class")
                .note("a fully qualified name is the class in snake case, then the feature")
                .help("rename one of the two"),
            );
        }
        classes.push(class);
    }
    classes
}

fn class(context: &Context, index: usize, decl: &ast::Features) -> FeatureClass {
    let mut attributes = Attributes::new(context, &decl.attributes);
    let max_staleness_us = attributes.duration_us("max_staleness");
    let etl_offline_to_online = attributes.flag("etl_offline_to_online").is_some();
    attributes.finish("a features class");
    let namespace = snake_case(&decl.name.text);
    if decl.fields.is_empty() {
        context.report(empty("features class", &decl.name, "feature", "`features User { id: int }`"));
    }
    let facts = &context.classes[index];
    let mut first_of: BTreeMap<&str, &ast::Name> = BTreeMap::new();
    let mut features: Vec<Feature> = Vec::new();
    let mut fields: Vec<&ast::Field> = Vec::new();
    let mut relations: Vec<Relation> = Vec::new();
    let mut time: Option<(usize, Span)> = None;
    let mut keys: Vec<(usize, Span)> = Vec::new();
    for field in &decl.fields {
        let name = field.name.text.as_str();
        if let Some(first) = first_of.get(name) {
            context.report(twice("feature", &field.name, first));
            continue;
        }
        first_of.insert(name, &field.name);
        if let Some(relation) = facts.relations.get(name) {
            relations.extend(relation.map(|relation| Relation {
                name: name.to_owned(),
                span: field.name.span,
                doc: doc_of(&field.doc),
                class: relation.class,
                kind: relation.kind,
            }));
            continue;
        }
        let position = features.len();
        let windowed = facts.windowed.get(name);
        let mut attributes = Attributes::new(context, &field.attributes);
        if let Some(span) = attributes.flag("primary") {
            match &field.windows {
                Some(windows) => windows::refuse(context, windows, "a primary key"),
                None => keys.push((position, span)),
            }
        }
        if let Some(span) = attributes.flag("time") {
            match &field.windows {
                Some(windows) => windows::refuse(context, windows, "the event time"),
                None => {
                    let declared = facts.types[position].as_ref();
                    check_time(context, field, declared, span, &mut time, position);
                }
            }
        }
        let max_staleness_us = attributes.duration_us("max_staleness");
        let materialize = materialize::check(&mut attributes, field, windowed);
        let unbounded = attributes.flag("unbounded").is_some();
        attributes.finish("a feature");
        let feature = |name: String, fqn: String, declared: Option<&Type>, expression, window| Feature {
            name,
            fqn,
            span: field.name.span,
            doc: doc_of(&field.doc),
            ty: declared.cloned().unwrap_or(Type::NULL),
            max_staleness_us,
            expression,
            window,
            foreign_key: None,
            unbounded,
        };
        match windowed {
            None => {
                let declared = facts.types[position].as_ref();
                let expression = expression(context, index, field, declared, Frame::default());
                let foreign_key = facts.foreign_keys[position];
                let fqn = format!("{namespace}.{name}");
                features.push(Feature { foreign_key, ..feature(name.to_owned(), fqn, declared, expression, None) });
                fields.push(field);
            }
            Some(windowed) => {
                let first = features.len();
                let mut is_first = true;
                for (i, window) in windowed.windows.iter().enumerate() {
                    let declared = facts.types[windowed.first + i].as_ref();
                    let frame = Frame {
                        window: Some(WindowFrame {
                            current: *window,
                            all: windowed.windows.clone(),
                            is_wrong: windowed.is_wrong,
                            feature: name.to_owned(),
                        }),
                        materialize: materialize.clone(),
                        events: None,
                    };
                    let before = context.diagnostics.borrow().len();
                    let expression = expression(context, index, field, declared, frame);
                    if !is_first {
                        keep_new_errors(context, before);
                    }
                    is_first = false;
                    let full = format!("{name}[{}]", window_text(*window));
                    let fqn = format!("{namespace}.{name}__{}__", window_suffix(*window));
                    let of = FeatureWindow { feature: name.to_owned(), duration_us: *window };
                    features.push(feature(full, fqn, declared, expression, Some(of)));
                    fields.push(field);
                }
                let expressions: Vec<&Expr> =
                    features[first..].iter().filter_map(|feature| feature.expression.as_ref()).collect();
                if !expressions.is_empty() && expressions.len() == windowed.windows.len() {
                    check_dependence(context, facts, field, &expressions, materialize.is_some());
                }
            }
        }
    }
    let primary_key = primary_key(context, decl, &fields, &features, (&keys, facts.primary_key));
    FeatureClass {
        name: decl.name.text.clone(),
        namespace,
        span: decl.name.span,
        doc: doc_of(&decl.doc),
        max_staleness_us,
        etl_offline_to_online,
        primary_key,
        time: time.map(|(position, _)| position),
        features,
        relations,
        aggregates: Vec::new(),
        expression_order: Vec::new(),
    }
}

/// What a feature is computed by; none where it is stored, or wrong.
fn expression(
    context: &Context,
    class: usize,
    field: &ast::Field,
    declared: Option<&Type>,
    frame: Frame,
) -> Option<Expr> {
    // Without a type there is nothing to compare with: one mistake is enough.
    let (Some(value), Some(ty)) = (&field.value, declared) else { return None };
    let mut checker = Checker::new(context, Root::Class(class));
    checker.frame = frame;
    checker.check_whole(value, ty, Want::new("the feature", &field.name.text, field.ty.span)).ok()
}

/// Whether a windowed feature depends on its windows, and has aggregates where it is to be kept in buckets.
fn check_dependence(
    context: &Context,
    facts: &ClassFacts,
    field: &ast::Field,
    expressions: &[&Expr],
    is_materialized: bool,
) {
    let is_windowed = |facts: &ClassFacts, position: usize| {
        let mut all = facts.windowed.values();
        all.any(|windowed| (windowed.first..windowed.first + windowed.windows.len()).contains(&position))
    };
    let has_aggregate = expressions.iter().any(|expression| reads_aggregate(expression));
    if is_materialized && !has_aggregate {
        let span = field.attributes.iter().find(|attribute| attribute.name.text == "materialize");
        context.report(
            Diagnostic::new(
                Code::E0437,
                format!("`{}` has no aggregate that could be kept in buckets", field.name.text),
                span.map_or(field.name.span, |attribute| attribute.span),
            )
            .help("`@materialize` belongs on the features that aggregate a collection"),
        );
    }
    let reads_window = |expression: &Expr| {
        let linked = |(class, position): (usize, usize)| is_windowed(&context.classes[class], position);
        features_read(expression).iter().any(|(read, _)| is_windowed(facts, *read))
            || linked_read(expression).into_iter().any(linked)
    };
    if !has_aggregate && !expressions.iter().any(|expression| reads_window(expression)) {
        context.report(
            Diagnostic::new(
                Code::E0432,
                format!("`{}` is the same over each of its windows", field.name.text),
                field.name.span,
            )
            .note("a value over a window is an aggregate, or computed from windowed features")
            .help("leave `over` out, or aggregate a collection: `= logins.count()`"),
        );
    }
}

/// The features of other classes that an expression reads: class and position.
fn linked_read(expr: &Expr) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        if let ExprKind::Linked { class, feature, .. } = expr.kind {
            found.push((class, feature));
        }
        expr.for_each_child(|child| open.push(child));
    }
    found
}

fn reads_aggregate(expr: &Expr) -> bool {
    let mut found = matches!(expr.kind, ExprKind::Aggregate(_));
    expr.for_each_child(|child| found = found || reads_aggregate(child));
    found
}

/// An expression is checked once for each window: what was said of it for the first window is not said again.
pub(crate) fn keep_new_errors(context: &Context, before: usize) {
    let mut diagnostics = context.diagnostics.borrow_mut();
    let new = diagnostics.split_off(before);
    for diagnostic in new {
        if diagnostic.is_error() && !diagnostics.contains(&diagnostic) {
            diagnostics.push(diagnostic);
        }
    }
}

/// Fills in the order in which expression features are computed, once all expressions are known.
pub(crate) fn order(context: &Context, classes: &mut [FeatureClass]) {
    for class in classes {
        class.expression_order = expression_order(context, &class.name, &class.features);
    }
}

fn check_time(
    context: &Context,
    field: &ast::Field,
    ty: Option<&Type>,
    span: Span,
    time: &mut Option<(usize, Span)>,
    position: usize,
) {
    if let Some((_, first)) = time {
        context.report(
            Diagnostic::new(Code::E0413, "a class has one event time", span)
                .label(*first, "the first `@time`")
                .help("leave one of them out"),
        );
        return;
    }
    *time = Some((position, span));
    if let Some(ty) = ty
        && ty.kind != Kind::Datetime
    {
        context.report(
            Diagnostic::new(Code::E0413, format!("the event time is a `datetime`, not `{ty}`"), span)
                .label(field.ty.span, format!("this is `{ty}`"))
                .help(format!("declare it: `@time {}: datetime`", field.name.text)),
        );
    }
    if field.value.is_some() {
        context.report(
            Diagnostic::new(Code::E0413, "the event time cannot be an expression feature", span)
                .note("it is written with the features that it dates")
                .help("set it in the stream resolver"),
        );
    }
}

/// The position of the primary key; 0 where there is none (reported).
fn primary_key(
    context: &Context,
    decl: &ast::Features,
    fields: &[&ast::Field],
    features: &[Feature],
    (keys, by_name): (&[(usize, Span)], Option<usize>),
) -> usize {
    if let [(_, first), (_, second), ..] = keys {
        context.report(
            Diagnostic::new(Code::E0402, format!("`{}` has two primary keys", decl.name.text), *second)
                .label(*first, "the first one")
                .note("a class has one primary key: the feature by which its values are found")
                .help("leave one `@primary` out; a key of two parts can be one text: `a + \":\" + b`"),
        );
    }
    let key = match keys.first() {
        Some((position, _)) => Some(*position),
        None => by_name,
    };
    let Some(key) = key else {
        if !fields.is_empty() {
            let near = fields.iter().find(|field| {
                let name = field.name.text.as_str();
                name.ends_with("_id") || name.eq_ignore_ascii_case("id") || name.ends_with("Id")
            });
            let diagnostic =
                Diagnostic::new(Code::E0401, format!("`{}` has no primary key", decl.name.text), decl.name.span)
                    .note("the primary key is the feature `id`, or the one that is marked `@primary`");
            context.report(match near {
                Some(field) => diagnostic
                    .help(format!("mark one: `@primary {}: …`", field.name.text))
                    .fix(field.name.span.at_start(), "@primary "),
                None => diagnostic.help("add `id: int`, or mark a feature `@primary`"),
            });
        }
        return 0;
    };
    let (feature, field) = (&features[key], fields[key]);
    let allowed = matches!(
        feature.ty.kind,
        Kind::Int(_) | Kind::String | Kind::Bytes | Kind::Date | Kind::Datetime | Kind::Enum(_) | Kind::Null
    );
    if feature.ty.kind != Kind::Null && (feature.ty.nullable || !allowed) {
        context.report(
            Diagnostic::new(
                Code::E0403,
                format!("the primary key `{}` cannot be `{}`", feature.name, feature.ty),
                field.ty.span,
            )
            .at(if feature.ty.nullable { "may be null" } else { "not a type that can be looked up" })
            .note("values are found by their key, so it is never null and has one spelling")
            .help("integers, `string`, `bytes`, `date`, `datetime` and enums can be keys"),
        );
    }
    if field.value.is_some() {
        context.report(
            Diagnostic::new(
                Code::E0403,
                format!("the primary key `{}` cannot be an expression", feature.name),
                field.name.span,
            )
            .note("it is what a resolver finds the other features by")
            .help("set it in the resolver instead"),
        );
    }
    key
}

/// Expression features, each after those that it reads. Each circle is reported once.
fn expression_order(context: &Context, class: &str, features: &[Feature]) -> Vec<usize> {
    let reads: Vec<Vec<(usize, Span)>> =
        features.iter().map(|feature| feature.expression.as_ref().map_or_else(Vec::new, features_read)).collect();
    let mut state = vec![0u8; features.len()];
    let mut order = Vec::new();
    for start in 0..features.len() {
        if state[start] != 0 || features[start].expression.is_none() {
            continue;
        }
        state[start] = 1;
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((feature, next)) = path.last_mut() {
            let feature = *feature;
            let Some(&(read, place)) = reads[feature].get(*next) else {
                state[feature] = 2;
                order.push(feature);
                path.pop();
                continue;
            };
            *next += 1;
            if features[read].expression.is_none() {
                continue;
            }
            match state[read] {
                0 => {
                    state[read] = 1;
                    path.push((read, 0));
                }
                1 => {
                    let from = path.iter().position(|(other, _)| *other == read).unwrap_or(0);
                    let mut steps: Vec<&str> =
                        path[from..].iter().map(|(member, _)| features[*member].name.as_str()).collect();
                    steps.push(&features[read].name);
                    context.report(
                        Diagnostic::new(
                            Code::E0408,
                            format!("the feature `{class}.{}` reads itself", features[read].name),
                            place,
                        )
                        .at(steps.join(" → "))
                        .label(features[read].span, "declared here")
                        .help("compute one of them from features that a resolver sets"),
                    );
                }
                _ => {}
            }
        }
    }
    order
}

/// The features that an expression reads, with the first place of each.
pub fn features_read(expr: &Expr) -> Vec<(usize, Span)> {
    let mut found: Vec<(usize, Span)> = Vec::new();
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        if let ExprKind::Feature(feature) = expr.kind
            && !found.iter().any(|(other, _)| *other == feature)
        {
            found.push((feature, expr.span));
        }
        expr.for_each_child(|child| open.push(child));
    }
    found.sort_by_key(|(feature, _)| *feature);
    found
}
