//! Stream resolvers: clauses in the order in which they run, then what is set.
//!
//! Conditions run in the order of writing. Those that read envelope and headers alone, up to the first that reads the message,
//! run before it is decoded; conditions joined by `and` are taken apart for that. What a clause has shown not to be null is
//! so in what follows.
//!
//! This file must not know how expressions are typed.

use std::collections::BTreeMap;

use chalk_diagnostics::{Code, Diagnostic, Span, did_you_mean};
use chalk_syntax::ast;
use chalk_types::{Kind, Type};

use crate::attributes::Attributes;
use crate::context::{Checked, ClassFacts, Context, Reported, doc_of};
use crate::dedup::{self, DedupClause};
use crate::expr::{Checker, Root, Want};
use crate::package::{Entry, not_yet};
use crate::program::{Expr, ExprKind, FeatureClass, StreamResolver};
use crate::signature::{class, input, parameter, parse_function, source};
use crate::sql;

use crate::windowed::{self, Setters};

/// All resolvers that are right. Features of continuous windows get their expressions.
pub(crate) fn check(context: &Context, classes: &mut [FeatureClass]) -> Vec<StreamResolver> {
    let mut setters = Setters::new();
    let mut resolvers = Vec::new();
    // Classes of which a windowed resolver is wrong: what it sets is not known.
    let mut doubtful: Vec<usize> = Vec::new();
    for (index, decl) in context.package.streams.iter().enumerate() {
        match stream(context, classes, decl, index, &mut setters) {
            Ok((resolver, expressions)) => {
                for (feature, expression) in expressions {
                    classes[resolver.class].features[feature].expression = Some(expression);
                }
                resolvers.push(resolver);
            }
            Err(Reported) => doubtful.extend(windowed_class(context, decl)),
        }
    }
    for (index, class) in classes.iter().enumerate().filter(|(index, _)| !doubtful.contains(index)) {
        refuse_unset_windows(context, index, class, &setters);
    }
    resolvers
}

/// The class that a windowed resolver writes, as far as its name tells.
fn windowed_class(context: &Context, decl: &ast::Stream) -> Option<usize> {
    let ty = match &decl.returns.kind {
        ast::TypeKind::List(item) => &item.kind,
        kind => kind,
    };
    let ast::TypeKind::Named(path) = ty else { return None };
    match context.package.get(&path.single()?.text) {
        Some(Entry::Class(class)) => Some(class),
        _ => None,
    }
}

/// Windowed features that nothing computes.
fn refuse_unset_windows(context: &Context, index: usize, class: &FeatureClass, setters: &Setters) {
    let decl = context.package.classes[index];
    for (name, windowed) in &context.classes[index].windowed {
        let has_value = decl.fields.iter().any(|field| field.name.text == *name && field.value.is_some());
        if has_value || windowed.is_wrong || setters.contains_key(&(index, name.clone())) {
            continue;
        }
        context.report(
            Diagnostic::new(Code::E0432, format!("nothing computes the windowed feature `{name}`"), windowed.span)
                .note("a value over a window is an aggregate: it has an expression, or a windowed resolver sets it")
                .help(format!(
                    "compute it from a collection (`= logins.count()`), or write a resolver with `window` that gives `{}`",
                    class.name
                )),
        );
    }
}

/// The clauses that this version has.
#[derive(Default)]
struct Clauses<'a> {
    from: Option<&'a ast::Name>,
    before_parse: Vec<&'a ast::Expr>,
    parse: Option<(&'a ast::Name, Span)>,
    after_parse: Vec<&'a ast::Expr>,
    timestamp: Option<&'a ast::Expr>,
    dedup: Option<DedupClause<'a>>,
}

/// A resolver, and the expressions of the features that it sets in continuous windows.
fn stream<'a>(
    context: &Context<'a>,
    classes: &[FeatureClass],
    decl: &'a ast::Stream,
    index: usize,
    setters: &mut Setters,
) -> Checked<(StreamResolver, Vec<(usize, Expr)>)> {
    let mut attributes = Attributes::new(context, &decl.attributes);
    let environments = attributes.texts("environments");
    let skip_online = attributes.flag("skip_online").is_some();
    let skip_offline = attributes.flag("skip_offline").is_some();
    let updates_materialized = attributes.bool("updates_materialized_aggregations").unwrap_or(true);
    attributes.finish("a stream resolver");

    let clauses = clauses(context, decl);
    let source = source(context, decl, clauses.is_ok());
    let param = parameter(context, decl);
    let class = class(context, decl);
    let (clauses, (param, message_ty, is_list)) = (clauses?, param?);
    let windowing = windowed::windowing(context, decl, param, is_list)?;
    let mut checker = Checker::new(context, Root::Stream);

    // What the bytes are, and what `parse` makes of them.
    let parse = match clauses.parse {
        Some((name, span)) => Some(parse_function(context, name, span, &message_ty, param)?),
        None => None,
    };
    let raw_ty = parse.as_ref().map_or(&message_ty, |function| &function.params[0].2);
    let input = input(context, raw_ty, param.ty.span)?;
    let raw = Expr { kind: ExprKind::Message, ty: raw_ty.clone(), span: param.name.span };

    let mut failed = false;
    // Before `parse`.
    if parse.is_some() && *raw_ty != message_ty {
        checker.bind_unavailable(
            &param.name,
            format!("`{}` is not parsed yet here", param.name.text),
            "put this `where` after `parse`, or decide in the parse function, where `none` skips the message"
                .to_owned(),
        );
    } else {
        checker.bind_alias(&param.name, raw.clone());
    }
    let mut prefilter: Vec<Expr> = Vec::new();
    let mut of_body: Vec<Expr> = Vec::new();
    for condition in &clauses.before_parse {
        match checker.whole_condition(condition, "the condition of `where`") {
            Ok(condition) => {
                checker.assume_true(&condition);
                split(condition, &mut prefilter, &mut of_body);
            }
            Err(Reported) => failed = true,
        }
    }
    let (raw_filter, mut filter) = if parse.is_some() { (of_body, Vec::new()) } else { (Vec::new(), of_body) };

    // `parse`, and after it.
    let parse = match parse {
        Some(function) => {
            let value =
                checker.inline_function(&function, vec![raw], clauses.parse.map_or(decl.span, |(_, span)| span));
            checker.check_depth(&value)?;
            let local = checker.fresh_local();
            let message = Expr { kind: ExprKind::Local(local), ty: message_ty.clone(), span: param.name.span };
            checker.bind_alias(&param.name, message);
            Some((local, value))
        }
        None => None,
    };
    for condition in &clauses.after_parse {
        match checker.whole_condition(condition, "the condition of `where`") {
            Ok(condition) => {
                checker.assume_true(&condition);
                filter.push(condition);
            }
            Err(Reported) => failed = true,
        }
    }
    let timestamp = match clauses.timestamp {
        Some(written) => match event_time(&mut checker, written) {
            Ok(timestamp) => Some(timestamp),
            Err(Reported) => {
                failed = true;
                None
            }
        },
        None => None,
    };
    let dedup = match clauses.dedup {
        Some(clause) => match dedup::check(&mut checker, clause) {
            Ok(dedup) => Some(dedup),
            Err(Reported) => {
                failed = true;
                None
            }
        },
        None => None,
    };

    let key = match (windowing.as_ref().and_then(|windowing| windowing.by), &class) {
        (Some(by), Ok(class)) => Some(windowed::key(&mut checker, by, &classes[*class])),
        (Some(by), Err(Reported)) => Some(checker.whole(by)),
        (None, _) => None,
    };

    let mut window = None;
    let (assignments, class) = match (&decl.body, class) {
        (ast::StreamBody::Assignments(_), Ok(class)) if windowing.is_some() => {
            let Some(windowing) = windowing else { return Err(Reported) };
            let key = key.unwrap_or(Err(Reported))?;
            let row = match &parse {
                Some((local, _)) => {
                    Expr { kind: ExprKind::Local(*local), ty: message_ty.clone(), span: param.name.span }
                }
                None => Expr { kind: ExprKind::Message, ty: message_ty.clone(), span: param.name.span },
            };
            if timestamp.is_none() && clauses.timestamp.is_none() {
                context.report(windowed::no_clock(decl, param));
                failed = true;
            }
            match windowed::body(
                context,
                &mut checker,
                (decl, index, param),
                (class, &classes[class]),
                (&windowing.keeping, key, row),
                setters,
            ) {
                Ok(body) => window = Some(body),
                Err(Reported) => failed = true,
            }
            (Vec::new(), class)
        }
        (ast::StreamBody::Assignments(assignments), Ok(class)) => {
            match body(context, &mut checker, decl, (&classes[class], &context.classes[class]), assignments) {
                Ok(assignments) => (assignments, class),
                Err(Reported) => {
                    failed = true;
                    (Vec::new(), class)
                }
            }
        }
        (ast::StreamBody::Assignments(_), Err(Reported)) if windowing.is_some() => return Err(Reported),
        (ast::StreamBody::Assignments(assignments), Err(Reported)) => {
            // The class is unknown: the values are checked all the same.
            for assignment in assignments {
                let _ = checker.check(&assignment.value, None);
            }
            return Err(Reported);
        }
        // A query over the messages of the window.
        (ast::StreamBody::Sql(text), Ok(class)) => {
            let Some(windowing) = windowing else { return Err(Reported) };
            if timestamp.is_none() && clauses.timestamp.is_none() {
                context.report(windowed::no_clock(decl, param));
                failed = true;
            }
            let resolver = sql::Resolver {
                decl,
                index,
                param,
                message_ty: &message_ty,
                class_index: class,
                class: &classes[class],
            };
            match sql::body(context, &mut checker, &resolver, text, &windowing, setters) {
                Ok(body) => window = Some(body),
                Err(Reported) => failed = true,
            }
            (Vec::new(), class)
        }
        (ast::StreamBody::Sql(_), Err(Reported)) => return Err(Reported),
        (ast::StreamBody::Error, _) => return Err(Reported),
    };
    let source = source?;
    if failed {
        return Err(Reported);
    }
    let timestamp = timestamp.or_else(|| {
        let (_, value) = assignments.iter().find(|(feature, _)| Some(*feature) == classes[class].time)?;
        Some(checker.copied(value))
    });
    let (window, feeds, expressions) = match window {
        Some(body) => (Some(body.windowed), vec![body.feed], body.expressions),
        None => (None, Vec::new(), Vec::new()),
    };
    let resolver = StreamResolver {
        name: decl.name.text.clone(),
        span: decl.name.span,
        doc: doc_of(&decl.doc),
        source,
        class,
        input,
        prefilter: all_of(prefilter),
        raw_filter: all_of(raw_filter),
        parse,
        filter: all_of(filter),
        timestamp,
        dedup,
        assignments,
        feeds,
        window,
        updates_materialized,
        environments,
        skip_online,
        skip_offline,
    };
    Ok((resolver, expressions))
}

fn clauses<'a>(context: &Context, decl: &'a ast::Stream) -> Checked<Clauses<'a>> {
    let mut clauses = Clauses::default();
    let mut later = None;
    for clause in &decl.clauses {
        match &clause.kind {
            ast::ClauseKind::From(name) => {
                clauses.from = clauses.from.or(Some(name));
            }
            ast::ClauseKind::Where(condition) => {
                if clauses.parse.is_some() {
                    clauses.after_parse.push(condition);
                } else {
                    clauses.before_parse.push(condition);
                }
                continue;
            }
            ast::ClauseKind::Parse(name) => {
                clauses.parse = clauses.parse.or(Some((name, clause.span)));
            }
            ast::ClauseKind::Timestamp(expr) => {
                clauses.timestamp = clauses.timestamp.or(Some(expr));
            }
            ast::ClauseKind::Dedup { key, within } => {
                let dedup = DedupClause { key, within: within.as_ref(), span: clause.span };
                clauses.dedup = clauses.dedup.or(Some(dedup));
            }
            // See `windowed`.
            ast::ClauseKind::Window(_) | ast::ClauseKind::By(_) => {}
            ast::ClauseKind::Sink(_) => {
                later = Some(context.report(not_yet("sinks", clause.span)));
                continue;
            }
        };
    }
    match later {
        Some(reported) => Err(reported),
        None => Ok(clauses),
    }
}

fn event_time(checker: &mut Checker, written: &ast::Expr) -> Checked<Expr> {
    let optional = Type::DATETIME.to_optional();
    checker.check_whole(written, &optional, Want::of("the event time"))
}

/// The target of an assignment that the class does not have.
pub(crate) fn unknown_feature(class: &FeatureClass, facts: &ClassFacts, target: &ast::Name) -> Diagnostic {
    let names = facts.index.keys().chain(facts.windowed.keys()).map(String::as_str);
    let diagnostic =
        Diagnostic::new(Code::E0405, format!("`{}` has no feature `{}`", class.name, target.text), target.span)
            .label(class.span, "the class is declared here");
    match did_you_mean(&target.text, names) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(target.span, near.to_owned()),
        None => diagnostic.help(format!("add it to the class: `{}: …`", target.text)),
    }
}

fn body(
    context: &Context,
    checker: &mut Checker,
    decl: &ast::Stream,
    (class, facts): (&FeatureClass, &ClassFacts),
    assignments: &[ast::Assignment],
) -> Checked<Vec<(usize, Expr)>> {
    let mut set: BTreeMap<usize, Span> = BTreeMap::new();
    let mut values = Vec::new();
    let mut failed = false;
    let mut unknown_target = false;
    for assignment in assignments {
        let target = &assignment.target;
        let Some(position) = facts.index.get(&target.text).copied() else {
            context.report(match (facts.windowed.get(&target.text), facts.relations.get(&target.text)) {
                (Some(windowed), _) => windowed::cannot_set_windows(target, windowed.span),
                (None, Some(relation)) => windowed::cannot_set_relation(target, relation.as_ref()),
                (None, None) => unknown_feature(class, facts, target),
            });
            let _ = checker.check(&assignment.value, None);
            failed = true;
            unknown_target = true;
            continue;
        };
        let feature = &class.features[position];
        if let Some(first) = set.get(&position) {
            context.report(
                Diagnostic::new(Code::E0406, format!("the feature `{}` is set twice", target.text), target.span)
                    .label(*first, "first set here")
                    .help("leave one of them out"),
            );
            failed = true;
        }
        set.entry(position).or_insert(target.span);
        if feature.expression.is_some() {
            context.report(
                Diagnostic::new(
                    Code::E0407,
                    format!("the feature `{}` has an expression, so it cannot be set", target.text),
                    target.span,
                )
                .label(feature.span, "computed from other features here")
                .help("leave this line out, or the expression"),
            );
            failed = true;
        }
        if feature.ty.kind == Kind::Null {
            // Its type is wrong, and reported.
            let _ = checker.check(&assignment.value, None);
            failed = true;
            continue;
        }
        match checker.check_whole(&assignment.value, &feature.ty, Want::new("the feature", &feature.name, feature.span))
        {
            Ok(value) => values.push((position, value)),
            Err(Reported) => failed = true,
        }
    }
    // A key that is misspelt is reported as such.
    if let Some(key) = class.features.get(class.primary_key)
        && !set.contains_key(&class.primary_key)
        && !unknown_target
        && key.ty.kind != Kind::Null
        && key.expression.is_none()
        && !key.ty.nullable
    {
        context.report(
            Diagnostic::new(
                Code::E0404,
                format!("the resolver `{}` never sets the primary key `{}`", decl.name.text, key.name),
                decl.name.span,
            )
            .label(key.span, "the primary key")
            .note("the key says whose features they are, so a message without it cannot be stored")
            .help(format!("add a line `{} = …`", key.name)),
        );
        failed = true;
    }
    if failed { Err(Reported) } else { Ok(values) }
}

/// Finds the parts of conditions that can be decided before the message is decoded: the first ones, up to one that reads it.
/// (A later one may rely on what an earlier one has shown, so none overtakes another.)
fn split(condition: Expr, prefilter: &mut Vec<Expr>, of_body: &mut Vec<Expr>) {
    if !of_body.is_empty() {
        of_body.push(condition);
        return;
    }
    if !reads_message(&condition) {
        prefilter.push(condition);
        return;
    }
    match condition {
        Expr { kind: ExprKind::And(left, right), .. } if !reads_message(&left) => {
            prefilter.push(*left);
            split(*right, prefilter, of_body);
        }
        // `(envelope and body) and body`: the left part leads.
        Expr { kind: ExprKind::And(left, right), .. } => {
            split(*left, prefilter, of_body);
            split(*right, prefilter, of_body);
        }
        condition => of_body.push(condition),
    }
}

fn reads_message(expr: &Expr) -> bool {
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        if matches!(expr.kind, ExprKind::Message) {
            return true;
        }
        expr.for_each_child(|child| open.push(child));
    }
    false
}

/// Conditions joined by `and`.
fn all_of(conditions: Vec<Expr>) -> Option<Expr> {
    conditions.into_iter().reduce(|left, right| {
        let ty = Type::BOOL.nullable_if(left.ty.nullable || right.ty.nullable);
        let span = left.span;
        Expr { kind: ExprKind::And(Box::new(left), Box::new(right)), ty, span }
    })
}
