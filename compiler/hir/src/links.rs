//! Links between classes: foreign keys, and collections of the rows whose foreign key names a class.
//!
//! `user: User.id` is a foreign key. `login_attempts: [LoginAttempt]` is the collection of that class's rows whose foreign key is this
//! class's key; where the other class has several, `@join(field)` says which. `profile: Profile` is a link: the row of that class that a
//! foreign key of this class names.
//!
//! This file must not know what is done with a collection.

use std::collections::BTreeMap;

use chalk_diagnostics::{Code, Diagnostic, did_you_mean};
use chalk_syntax::ast;

use crate::attributes::Attributes;
use crate::context::{ClassFacts, Context, RelationFacts};
use crate::expr::either;
use crate::package::Entry;
use crate::program::RelationKind;
use crate::resolve_type::{Place, is_key};
use crate::windows;

/// The fields of a class that count: the first of each name.
pub(crate) fn fields_of(decl: &ast::Features) -> Vec<&ast::Field> {
    let mut seen = std::collections::BTreeSet::new();
    decl.fields.iter().filter(|field| seen.insert(field.name.text.as_str())).collect()
}

/// Fills `context.classes`: what expressions need to know.
pub(crate) fn check_types(context: &mut Context) {
    let decls = context.package.classes.clone();
    for decl in &decls {
        let facts = members(context, decl);
        context.classes.push(facts);
    }
    // Foreign keys have their positions now.
    for (class, decl) in decls.iter().enumerate() {
        let relations: BTreeMap<String, Option<RelationFacts>> = fields_of(decl)
            .into_iter()
            .filter_map(|field| {
                let relation = match (row_class(context, &field.ty), linked_class(context, &field.ty)) {
                    (Some(item), _) => collection(context, class, decl, field, item),
                    (None, Some(other)) => link(context, class, decl, field, other),
                    (None, None) => return None,
                };
                Some((field.name.text.clone(), relation))
            })
            .collect();
        context.classes[class].relations = relations;
    }
}

/// Features with their types and positions.
fn members(context: &Context, decl: &ast::Features) -> ClassFacts {
    let mut facts = ClassFacts::default();
    for field in fields_of(decl) {
        let place = Place { what: "the feature", name: &field.name.text, is_feature: true };
        if row_class(context, &field.ty).is_some() || linked_class(context, &field.ty).is_some() {
            continue;
        }
        let ty = context.resolve_type(&field.ty, place).ok();
        let first = facts.types.len();
        match &field.windows {
            Some(written) => {
                let (windows, is_wrong) = windows::check(context, written);
                facts.types.resize(first + windows.len(), ty);
                facts.foreign_keys.resize(first + windows.len(), None);
                let windowed = crate::context::WindowedFacts { first, windows, is_wrong, span: field.name.span };
                facts.windowed.insert(field.name.text.clone(), windowed);
            }
            None => {
                if is_key(decl, field) && facts.primary_key.is_none() {
                    facts.primary_key = Some(first);
                }
                facts.index.insert(field.name.text.clone(), first);
                facts.types.push(ty);
                facts.foreign_keys.push(foreign_class(context, &field.ty));
            }
        }
    }
    facts
}

/// The class that a type names as a foreign key: of `User.id`, `User.id?`.
fn foreign_class(context: &Context, ty: &ast::TypeExpr) -> Option<usize> {
    match &ty.kind {
        ast::TypeKind::Optional(inner) => foreign_class(context, inner),
        ast::TypeKind::Named(path) if path.segments.len() == 2 => match context.package.get(&path.segments[0].text) {
            Some(Entry::Class(class)) => Some(class),
            _ => None,
        },
        _ => None,
    }
}

/// The class of a collection's rows, where the type is one of a collection: `[LoginAttempt]`, and what is meant as one.
fn row_class(context: &Context, ty: &ast::TypeExpr) -> Option<usize> {
    match &ty.kind {
        ast::TypeKind::List(item) => linked_class(context, item),
        ast::TypeKind::Optional(inner) => match &inner.kind {
            ast::TypeKind::List(item) => linked_class(context, item),
            _ => None,
        },
        _ => None,
    }
}

/// The class that a type names by itself: `Profile`, and what is meant as it.
fn linked_class(context: &Context, ty: &ast::TypeExpr) -> Option<usize> {
    match &ty.kind {
        ast::TypeKind::Named(path) => match context.package.get(&path.single()?.text) {
            Some(Entry::Class(class)) => Some(class),
            _ => None,
        },
        ast::TypeKind::Optional(inner) => linked_class(context, inner),
        _ => None,
    }
}

/// A has-many declaration; none where it is wrong.
fn collection(
    context: &Context,
    class: usize,
    decl: &ast::Features,
    field: &ast::Field,
    row_class: usize,
) -> Option<RelationFacts> {
    let rows = context.package.classes[row_class];
    context.mark_used(&rows.name.text);
    let mut attributes = Attributes::new(context, &field.attributes);
    let join = attributes.word("join");
    attributes.finish("a collection");
    let (owner, other) = (&decl.name.text, &rows.name.text);
    let is_plain = matches!(&field.ty.kind, ast::TypeKind::List(item) if matches!(item.kind, ast::TypeKind::Named(_)));
    if !is_plain {
        context.report(
            Diagnostic::new(Code::E0430, "a collection has no `?`", field.ty.span)
                .note("where no row belongs to a key, the collection is empty, and none of its rows is null")
                .help(format!("write `{}: [{other}]`", field.name.text)),
        );
        return None;
    }
    if let Some(windows) = &field.windows {
        windows::refuse(context, windows, "a collection");
        return None;
    }
    if let Some(value) = &field.value {
        context.report(
            Diagnostic::new(Code::E0430, "a collection has no expression", value.span)
                .label(field.ty.span, format!("rows of `{other}` are found by their foreign key"))
                .help(format!("leave it out: `{}: [{other}]`", field.name.text)),
        );
        return None;
    }
    let facts = &context.classes[row_class];
    let keys: Vec<&ast::Field> = fields_of(rows)
        .into_iter()
        .filter(|field| {
            let position = facts.index.get(&field.name.text);
            position.is_some_and(|position| facts.foreign_keys[*position] == Some(class))
        })
        .collect();
    let names: Vec<&str> = keys.iter().map(|key| key.name.text.as_str()).collect();
    let key_name = context.package.classes[class]
        .fields
        .iter()
        .find(|field| is_key(decl, field))
        .map_or("id", |field| field.name.text.as_str());
    let chosen = match (join, &names[..]) {
        (Some(join), _) => match names.iter().position(|name| *name == join.text) {
            Some(position) => names[position],
            None => {
                let diagnostic = Diagnostic::new(
                    Code::E0430,
                    format!("`{}` is no foreign key of `{other}` to `{owner}`", join.text),
                    join.span,
                )
                .label(rows.name.span, format!("`{other}` is declared here"));
                context.report(match did_you_mean(&join.text, names.iter().copied()) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(join.span, near.to_owned()),
                    None if names.is_empty() => {
                        diagnostic.help(format!("declare it there: `{}: {owner}.{key_name}`", join.text))
                    }
                    None => diagnostic.help(format!("name {}", either(&names))),
                });
                return None;
            }
        },
        (None, [name]) => name,
        (None, []) => {
            context.report(
                Diagnostic::new(
                    Code::E0430,
                    format!("`{other}` has no foreign key to `{owner}`, so its rows belong to no `{owner}`"),
                    field.ty.span,
                )
                .label(rows.name.span, format!("`{other}` is declared here"))
                .help(format!("say there whose a row is: `{}: {owner}.{key_name}`", crate::snake_case(owner))),
            );
            return None;
        }
        (None, [first, ..]) => {
            let mut diagnostic = Diagnostic::new(
                Code::E0430,
                format!("`{other}` has {} foreign keys to `{owner}`: which one is meant is not said", names.len()),
                field.ty.span,
            );
            for key in &keys {
                diagnostic = diagnostic.label(key.name.span, "a foreign key");
            }
            context.report(
                diagnostic
                    .help(format!("say which: `@join({first}) {}: [{other}]`", field.name.text))
                    .fix(field.name.span.at_start(), format!("@join({first}) ")),
            );
            return None;
        }
    };
    let foreign_key = facts.index[chosen];
    Some(RelationFacts { class: row_class, kind: RelationKind::HasMany { foreign_key }, span: field.name.span })
}

/// A has-one declaration; none where it is wrong.
fn link(
    context: &Context,
    class: usize,
    decl: &ast::Features,
    field: &ast::Field,
    linked: usize,
) -> Option<RelationFacts> {
    let target = context.package.classes[linked];
    context.mark_used(&target.name.text);
    let mut attributes = Attributes::new(context, &field.attributes);
    let join = attributes.word("join");
    attributes.finish("a link");
    let (name, other) = (&field.name.text, &target.name.text);
    if matches!(field.ty.kind, ast::TypeKind::Optional(_)) {
        context.report(
            Diagnostic::new(Code::E0441, "a link has no `?`", field.ty.span)
                .note(format!("`{name}.…` is null wherever nothing is stored under the foreign key"))
                .help(format!("write `{name}: {other}`")),
        );
        return None;
    }
    if let Some(windows) = &field.windows {
        windows::refuse(context, windows, "a link");
        return None;
    }
    if let Some(value) = &field.value {
        context.report(
            Diagnostic::new(Code::E0441, "a link has no expression", value.span)
                .label(field.ty.span, format!("the row of `{other}` is found by a foreign key"))
                .help(format!("leave it out: `{name}: {other}`")),
        );
        return None;
    }
    let facts = &context.classes[class];
    let keys: Vec<&ast::Field> = fields_of(decl)
        .into_iter()
        .filter(|field| {
            let position = facts.index.get(&field.name.text);
            position.is_some_and(|position| facts.foreign_keys[*position] == Some(linked))
        })
        .collect();
    let names: Vec<&str> = keys.iter().map(|key| key.name.text.as_str()).collect();
    let key_name =
        target.fields.iter().find(|field| is_key(target, field)).map_or("id", |field| field.name.text.as_str());
    let chosen = match (join, &keys[..]) {
        (Some(join), _) => match keys.iter().find(|key| key.name.text == join.text) {
            Some(key) => key,
            None => {
                let diagnostic = Diagnostic::new(
                    Code::E0441,
                    format!("`{}` is no foreign key of `{}` to `{other}`", join.text, decl.name.text),
                    join.span,
                );
                context.report(match did_you_mean(&join.text, names.iter().copied()) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(join.span, near.to_owned()),
                    None if names.is_empty() => {
                        diagnostic.help(format!("declare it: `{}: {other}.{key_name}`", join.text))
                    }
                    None => diagnostic.help(format!("name {}", either(&names))),
                });
                return None;
            }
        },
        (None, [key]) => key,
        (None, []) => {
            let key = format!("{}_{key_name}", crate::snake_case(name));
            context.report(
                Diagnostic::new(
                    Code::E0441,
                    format!(
                        "`{}` has no foreign key to `{other}`, so nothing says which one `{name}` is",
                        decl.name.text
                    ),
                    field.ty.span,
                )
                .label(target.name.span, format!("`{other}` is declared here"))
                .help(format!("add a foreign key that a resolver sets: `{key}: {other}.{key_name}`")),
            );
            return None;
        }
        (None, [first, ..]) => {
            let mut diagnostic = Diagnostic::new(
                Code::E0441,
                format!(
                    "`{}` has {} foreign keys to `{other}`: which one is meant is not said",
                    decl.name.text,
                    keys.len()
                ),
                field.ty.span,
            );
            for key in &keys {
                diagnostic = diagnostic.label(key.name.span, "a foreign key");
            }
            let first = &first.name.text;
            context.report(
                diagnostic
                    .help(format!("say which: `@join({first}) {name}: {other}`"))
                    .fix(field.name.span.at_start(), format!("@join({first}) ")),
            );
            return None;
        }
    };
    if let Some(value) = &chosen.value {
        context.report(
            Diagnostic::new(
                Code::E0441,
                format!("`{name}` is found by `{}`, which is computed", chosen.name.text),
                field.name.span,
            )
            .label(value.span, "this is an expression")
            .note("the foreign key of a link is there before anything is computed")
            .help(format!("set `{}` in the stream resolver", chosen.name.text)),
        );
        return None;
    }
    let foreign_key = facts.index[&chosen.name.text];
    Some(RelationFacts { class: linked, kind: RelationKind::HasOne { foreign_key }, span: field.name.span })
}
