//! Features classes: keys, times, and expression features in an order in which each comes after those that it reads.
//!
//! This file must not know resolvers.

use chalk_diagnostics::{Code, Diagnostic, Span};
use chalk_syntax::ast;
use chalk_types::{Kind, Type};

use crate::attributes::Attributes;
use crate::context::{ClassFacts, Context, doc_of};
use crate::expr::{Checker, Root, Want};
use crate::messages::{empty, refuse_windows, twice};
use crate::naming::snake_case;
use crate::program::{Expr, ExprKind, Feature, FeatureClass};
use crate::resolve_type::{Place, is_key};

/// Fills `context.classes`: what expressions need to know.
pub(crate) fn check_types(context: &mut Context) {
    for decl in context.package.classes.clone() {
        let mut facts = ClassFacts::default();
        for field in &decl.fields {
            let place = Place { what: "the feature", name: &field.name.text, is_feature: true };
            // A windowed feature, or one that links classes, is refused once, for that.
            let ty = match &field.windows {
                Some(windows) => {
                    refuse_windows(context, windows);
                    None
                }
                None => context.resolve_type(&field.ty, place).ok(),
            };
            if !facts.index.contains_key(&field.name.text) {
                facts.index.insert(field.name.text.clone(), facts.types.len());
                facts.types.push(ty);
            }
        }
        context.classes.push(facts);
    }
}

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
    let mut features: Vec<Feature> = Vec::new();
    let mut fields: Vec<&ast::Field> = Vec::new();
    let mut time: Option<(usize, Span)> = None;
    let mut keys: Vec<(usize, Span)> = Vec::new();
    for field in &decl.fields {
        let position = features.len();
        // The index holds the first feature of a name.
        if let Some(&first) = context.classes[index].index.get(&field.name.text)
            && first < position
        {
            context.report(twice("feature", &field.name, &fields[first].name));
            continue;
        }
        let declared = context.classes[index].types[position].clone();
        let mut attributes = Attributes::new(context, &field.attributes);
        if let Some(span) = attributes.flag("primary") {
            keys.push((position, span));
        }
        if let Some(span) = attributes.flag("time") {
            check_time(context, field, declared.as_ref(), span, &mut time, position);
        }
        let max_staleness_us = attributes.duration_us("max_staleness");
        attributes.later("materialize");
        let unbounded = attributes.flag("unbounded").is_some();
        attributes.finish("a feature");
        let expression = match (&field.value, &declared) {
            (Some(value), Some(ty)) => {
                let mut checker = Checker::new(context, Root::Class(index));
                checker.check_whole(value, ty, Want::new("the feature", &field.name.text, field.ty.span)).ok()
            }
            // Without a type there is nothing to compare with: what the expression names is checked all the same, unless
            // it belongs to a windowed feature.
            (Some(_), None) | (None, _) => None,
        };
        features.push(Feature {
            name: field.name.text.clone(),
            fqn: format!("{namespace}.{}", field.name.text),
            span: field.name.span,
            doc: doc_of(&field.doc),
            ty: declared.unwrap_or(Type::NULL),
            max_staleness_us,
            expression,
            window: None,
            foreign_key: None,
            unbounded,
        });
        fields.push(field);
    }
    let primary_key = primary_key(context, decl, &fields, &features, &keys);
    let expression_order = expression_order(context, &decl.name, &features);
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
        relations: Vec::new(),
        aggregates: Vec::new(),
        expression_order,
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
    keys: &[(usize, Span)],
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
        None => fields.iter().position(|field| is_key(decl, field)),
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
fn expression_order(context: &Context, class: &ast::Name, features: &[Feature]) -> Vec<usize> {
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
                            format!("the feature `{}.{}` reads itself", class.text, features[read].name),
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
