//! Windowed stream resolvers: over the messages of a window, one run per key.
//!
//! Of a continuous window nothing is run when a message arrives: what the resolver sets becomes the expression of the feature, over
//! aggregates of the messages. A tumbling window keeps what it sets, for when the window is over. The resolver does not know
//! which window it runs for: its body is checked for each.
//!
//! This file must not know how an aggregate is typed, or clauses that other resolvers have, too.

use std::collections::BTreeMap;

use chalk_diagnostics::{Code, Diagnostic, Span, did_you_mean};
use chalk_syntax::ast;
use chalk_types::Kind;

use crate::aggregations::{Events, Keeping};
use crate::context::{Checked, Context, RelationFacts, Reported};
use crate::expr::{Checker, EventsFrame, Want, WindowFrame};
use crate::features::keep_new_errors;
use crate::program::{Expr, ExprKind, FeatureClass, Feed, RelationKind, WindowClose, Windowed};
use crate::streams::unknown_feature;

/// The clauses that make a resolver a windowed one.
#[derive(Clone)]
pub(crate) struct Windowing<'a> {
    /// How messages are kept.
    pub(crate) keeping: Keeping,
    /// `by`; none where the body is SQL.
    pub(crate) by: Option<&'a ast::Expr>,
}

/// `window` and `by`, and whether they go with the parameter. None where the resolver is not windowed.
pub(crate) fn windowing<'a>(
    context: &Context,
    decl: &'a ast::Stream,
    param: &ast::Param,
    is_list: bool,
) -> Checked<Option<Windowing<'a>>> {
    let window = decl.clauses.iter().find_map(|clause| match &clause.kind {
        ast::ClauseKind::Window(window) => Some((window, clause.span)),
        _ => None,
    });
    let by = decl.clauses.iter().find_map(|clause| match &clause.kind {
        ast::ClauseKind::By(key) => Some((key, clause.span)),
        _ => None,
    });
    let is_sql = matches!(decl.body, ast::StreamBody::Sql(_));
    let wrong = |message: String, span: Span| Diagnostic::new(Code::E0438, message, span);
    let item = match &param.ty.kind {
        ast::TypeKind::Named(path) => path.text(),
        _ => "Message".to_owned(),
    };
    let Some((window, span)) = window else {
        if is_list {
            return Err(context.report(
                wrong(format!("`{}` takes the messages of a window, and has none", decl.name.text), param.ty.span)
                    .at("a list of messages")
                    .help(
                        "add a line `window continuous` or `window tumbling`; or take one message, without `[` and `]`",
                    ),
            ));
        }
        if let Some((_, by)) = by {
            return Err(context.report(
                wrong("`by` is for resolvers over the messages of a window".to_owned(), by)
                    .help("leave it out, or add a line `window continuous` before it"),
            ));
        }
        if is_sql {
            return Err(context.report(
                wrong(format!("`{}` queries the messages of a window, and has none", decl.name.text), decl.name.span)
                    .help("add a line `window tumbling`"),
            ));
        }
        return Ok(None);
    };
    let keeping = kind(context, window)?;
    if param.name.text == "key" {
        return Err(context.report(
            wrong("`key` is the key that a windowed resolver runs for".to_owned(), param.name.span)
                .help("give the messages another name, such as `events`"),
        ));
    }
    if !is_list {
        return Err(context.report(
            wrong("a windowed resolver takes all messages of the window".to_owned(), param.ty.span)
                .at("one message")
                .label(span, "windowed here")
                .help(format!("write `{}: [{item}]`; or leave `window` out", param.name.text))
                .fix(param.ty.span, format!("[{item}]")),
        ));
    }
    if by.is_none() && !is_sql {
        let near = decl.clauses.last().map_or(decl.name.span, |clause| clause.span);
        return Err(context.report(
            wrong(format!("`{}` does not say whose messages it sees at once", decl.name.text), span)
                .at("`by` is missing")
                .note("a windowed resolver runs for each key, over the messages of that key")
                .help(format!("add a line such as `by {}.user_id`", param.name.text))
                .fix(near.at_end(), format!("\n  by {}.…", param.name.text)),
        ));
    }
    Ok(Some(Windowing { keeping, by: by.map(|(key, _)| key) }))
}

/// `continuous`, `tumbling(allowed_lateness: 5m)`
fn kind(context: &Context, window: &ast::Window) -> Checked<Keeping> {
    let wrong = |message: String, span: Span| Diagnostic::new(Code::E0438, message, span);
    let mut allowed_lateness_us = 0;
    let is_tumbling = match window.kind.text.as_str() {
        "continuous" => false,
        "tumbling" => true,
        other => {
            let near = match other {
                "sliding" | "exact" | "rolling" => Some("continuous"),
                "fixed" | "hopping" => Some("tumbling"),
                _ => did_you_mean(other, ["continuous", "tumbling"]),
            };
            let diagnostic = wrong(format!("there is no window `{other}`"), window.kind.span)
                .note("`continuous` is exact at every query; `tumbling` runs once, when the window is over");
            return Err(context.report(match near {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(window.kind.span, near.to_owned()),
                None => diagnostic.help("write `window continuous` or `window tumbling`"),
            }));
        }
    };
    for arg in &window.args {
        match (arg.name.as_ref().map(|name| name.text.as_str()), &arg.value.kind) {
            (_, ast::ExprKind::Error) => return Err(Reported),
            (Some("allowed_lateness"), ast::ExprKind::Duration(duration_us)) if is_tumbling => {
                allowed_lateness_us = *duration_us;
            }
            (Some("allowed_lateness"), _) if is_tumbling => {
                return Err(context.report(
                    wrong("`allowed_lateness` is a duration".to_owned(), arg.value.span)
                        .help("write for instance `window tumbling(allowed_lateness: 5m)`"),
                ));
            }
            (Some("allowed_lateness"), _) => {
                return Err(context.report(
                    wrong("a continuous window takes messages however late they are".to_owned(), arg.span)
                        .at("`allowed_lateness` is for windows that run once")
                        .help("leave it out; `late_arrival_deadline` of the source says what is too late"),
                ));
            }
            _ => {
                let window = &window.kind.text;
                let diagnostic = wrong(format!("`window {window}` cannot use this"), arg.span);
                return Err(context.report(if is_tumbling {
                    diagnostic.help("write for instance `window tumbling(allowed_lateness: 5m)`")
                } else {
                    diagnostic
                        .note("how long windows are, their features say: `over [10m, 1d]`")
                        .help("write `window continuous`")
                }));
            }
        }
    }
    Ok(if is_tumbling { Keeping::Tumbling { allowed_lateness_us } } else { Keeping::Continuous })
}

/// `by`: the key of a message, as the primary key's optional type.
pub(crate) fn key(checker: &mut Checker, by: &ast::Expr, class: &FeatureClass) -> Checked<Expr> {
    let Some(primary_key) = class.features.get(class.primary_key).filter(|key| key.ty.kind != Kind::Null) else {
        let _ = checker.whole(by);
        return Err(Reported);
    };
    checker.check_whole(by, &primary_key.ty.to_optional(), Want::new("the key", &primary_key.name, primary_key.span))
}

/// What a windowed resolver's body comes to.
pub(crate) struct Body {
    /// What makes the resolver windowed.
    pub(crate) windowed: Windowed,
    /// How its messages become events.
    pub(crate) feed: Feed,
    /// Of continuous windows: features and their expressions.
    pub(crate) expressions: Vec<(usize, Expr)>,
}

/// Who sets a windowed feature: class, name, and where.
pub(crate) type Setters = BTreeMap<(usize, String), Span>;

/// Checks the assignments; the checker knows the message by the parameter's name still.
pub(crate) fn body(
    context: &Context,
    checker: &mut Checker,
    (decl, index, param): (&ast::Stream, usize, &ast::Param),
    (class_index, class): (usize, &FeatureClass),
    (keeping, key, row): (&Keeping, Expr, Expr),
    setters: &mut Setters,
) -> Checked<Body> {
    let ast::StreamBody::Assignments(assignments) = &decl.body else { return Err(Reported) };
    let facts = &context.classes[class_index];
    let events = Events::Resolver(index);
    let full_name = format!("{}.{}", class.name, decl.name.text);
    let aggregation =
        context.aggregations.borrow_mut().aggregation(class_index, &full_name, decl.name.span, &events, keeping);
    checker.frame.events = Some(EventsFrame {
        name: param.name.text.clone(),
        row,
        class: class_index,
        resolver: index,
        resolver_name: decl.name.text.clone(),
        span: decl.name.span,
        keeping: keeping.clone(),
    });
    checker.bind_events(&param.name);
    if let Some(primary_key) = class.features.get(class.primary_key) {
        let read = ExprKind::Feature(class.primary_key);
        let read = Expr { kind: read, ty: primary_key.ty.clone(), span: key.span };
        checker.bind_alias(&ast::Name { text: "key".to_owned(), span: key.span }, read);
    }
    let mut failed = false;
    let mut has_unknown_target = false;
    let mut sets_key = false;
    let mut set: BTreeMap<&str, Span> = BTreeMap::new();
    let mut values: Vec<(usize, Option<i64>, Expr)> = Vec::new();
    for assignment in assignments {
        let (target, name) = (&assignment.target, assignment.target.text.as_str());
        if let Some(first) = set.insert(name, target.span) {
            context.report(
                Diagnostic::new(Code::E0406, format!("the feature `{name}` is set twice"), target.span)
                    .label(first, "first set here")
                    .help("leave one of them out"),
            );
            failed = true;
            continue;
        }
        if facts.index.get(name) == Some(&class.primary_key) {
            sets_key = true;
            let is_key = matches!(&assignment.value.kind, ast::ExprKind::Name(value) if value.text == "key");
            if !is_key && !matches!(assignment.value.kind, ast::ExprKind::Error) {
                context.report(
                    Diagnostic::new(
                        Code::E0439,
                        format!("the primary key `{name}` is not the key that the resolver runs for"),
                        assignment.value.span,
                    )
                    .at("something else than `key`")
                    .label(key.span, "one run for each value of this")
                    .help(format!("write `{name} = key`"))
                    .fix(assignment.value.span, "key"),
                );
                failed = true;
            }
            continue;
        }
        let Some(windowed) = facts.windowed.get(name) else {
            if let Some(position) = facts.index.get(name) {
                context.report(
                    Diagnostic::new(
                        Code::E0439,
                        format!("`{name}` has no windows, so a windowed resolver cannot set it"),
                        target.span,
                    )
                    .label(class.features[*position].span, "declared without `over` here")
                    .note("the resolver runs for each window of what it sets")
                    .help("say over which windows it is: `over [10m, 1d]`"),
                );
            } else if let Some(relation) = facts.relations.get(name) {
                context.report(cannot_set_relation(target, relation.as_ref()));
            } else {
                context.report(unknown_feature(class, facts, target));
                has_unknown_target = true;
            }
            failed = true;
            continue;
        };
        let declared = &class.features.get(windowed.first);
        if context.package.classes[class_index]
            .fields
            .iter()
            .any(|field| field.name.text == name && field.value.is_some())
        {
            context.report(
                Diagnostic::new(
                    Code::E0407,
                    format!("the feature `{name}` has an expression, so it cannot be set"),
                    target.span,
                )
                .label(windowed.span, "computed from other features here")
                .help("leave this line out, or the expression"),
            );
            failed = true;
            continue;
        }
        if let Some(first) = setters.insert((class_index, name.to_owned()), target.span) {
            context.report(
                Diagnostic::new(Code::E0439, format!("two resolvers set the windowed feature `{name}`"), target.span)
                    .label(first, "set here, too")
                    .note("its value is computed over the messages of one resolver")
                    .help("give each resolver a feature of its own, and combine these in a third"),
            );
            failed = true;
            continue;
        }
        if windowed.windows.contains(&None) {
            context.report(
                Diagnostic::new(
                    Code::E0439,
                    format!("`{name}` is over all time, and a resolver's window has an end"),
                    target.span,
                )
                .label(windowed.span, "declared with the window `all` here")
                .help("leave `all` out there; over all time, aggregate a collection"),
            );
            failed = true;
            continue;
        }
        let Some(ty) = declared.map(|feature| feature.ty.clone()).filter(|ty| ty.kind != Kind::Null) else {
            failed = true;
            continue;
        };
        for (i, window) in windowed.windows.iter().enumerate() {
            checker.frame.window = Some(WindowFrame {
                current: *window,
                all: windowed.windows.clone(),
                is_wrong: windowed.is_wrong,
                feature: name.to_owned(),
            });
            let before = context.diagnostics.borrow().len();
            let value = checker.check_whole(&assignment.value, &ty, Want::new("the feature", name, windowed.span));
            if i > 0 {
                keep_new_errors(context, before);
            }
            match value {
                Ok(value) => values.push((windowed.first + i, *window, value)),
                Err(Reported) => failed = true,
            }
        }
        failed |= windowed.is_wrong;
    }
    let primary_key = class.features.get(class.primary_key);
    if let Some(primary_key) = primary_key
        && !sets_key
        && !has_unknown_target
        && primary_key.ty.kind != Kind::Null
    {
        context.report(
            Diagnostic::new(
                Code::E0404,
                format!("the resolver `{}` never sets the primary key `{}`", decl.name.text, primary_key.name),
                decl.name.span,
            )
            .label(primary_key.span, "the primary key")
            .note("the key says whose features they are")
            .help(format!("add a line `{} = key`", primary_key.name)),
        );
        failed = true;
    }
    if failed {
        return Err(Reported);
    }
    if values.is_empty() {
        return Err(context.report(
            Diagnostic::new(Code::E0439, format!("`{}` sets no windowed feature", decl.name.text), decl.name.span)
                .note("the windows of a resolver are those of the features that it sets")
                .help("set a feature that is declared `over [10m, 1d]`"),
        ));
    }
    let mut closes: BTreeMap<i64, Vec<(usize, Expr)>> = BTreeMap::new();
    let mut expressions = Vec::new();
    let mut registry = context.aggregations.borrow_mut();
    for (position, window, value) in values {
        let Some(window_us) = window else { continue };
        registry.add_window(aggregation, window_us);
        if *keeping == Keeping::Continuous {
            expressions.push((position, value));
        } else {
            closes.entry(window_us).or_default().push((position, value));
        }
    }
    let closes = closes
        .into_iter()
        .map(|(window_us, mut assignments)| {
            let (position, of) = (class.primary_key, &class.features[class.primary_key]);
            let read = Expr { kind: ExprKind::Feature(position), ty: of.ty.clone(), span: key.span };
            assignments.insert(0, (position, read));
            WindowClose { window_us, assignments }
        })
        .collect();
    // A filter that guards an argument is in two columns: each has names of its own.
    let columns = registry.drafts[aggregation].columns.iter().map(|column| checker.copied(column)).collect();
    Ok(Body {
        windowed: Windowed { aggregation, closes, sql: None },
        feed: Feed { aggregation, key: Some(key), columns },
        expressions,
    })
}

/// A windowed resolver without a clock.
pub(crate) fn no_clock(decl: &ast::Stream, param: &ast::Param) -> Diagnostic {
    Diagnostic::new(
        Code::E0440,
        format!("the resolver `{}` has windows, and does not say when a message happened", decl.name.text),
        decl.name.span,
    )
    .note("which window a message is in is a matter of its time, so the clock is not left open")
    .help(format!(
        "add a line `timestamp {}.at`, or whichever field says it; `timestamp envelope.timestamp` is the broker's clock",
        param.name.text
    ))
}

/// A collection as the target of an assignment.
pub(crate) fn cannot_set_relation(target: &ast::Name, relation: Option<&RelationFacts>) -> Diagnostic {
    if relation.is_some_and(|relation| matches!(relation.kind, RelationKind::HasOne { .. })) {
        return Diagnostic::new(Code::E0439, format!("`{}` is a link, so it cannot be set", target.text), target.span)
            .note("the row that it leads to is the one that its foreign key names")
            .help("set the foreign key instead");
    }
    Diagnostic::new(Code::E0439, format!("`{}` is a collection, so it cannot be set", target.text), target.span)
        .note("its rows are those whose foreign key is the primary key of this class")
        .help("leave this line out, and write a resolver for the class of the rows")
}

/// A windowed feature as the target of a resolver that sees one message.
pub(crate) fn cannot_set_windows(target: &ast::Name, declared: Span) -> Diagnostic {
    Diagnostic::new(
        Code::E0439,
        format!("`{}` has windows, so a resolver of one message cannot set it", target.text),
        target.span,
    )
    .label(declared, "declared with windows here")
    .help("take the messages of a window: `(events: [Message])` with `window continuous` and `by`; or compute it from a collection")
}
