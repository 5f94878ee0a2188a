//! Resolvers whose body is a query over the messages of a window.
//!
//! The query is planned here, by whoever the caller of `analyze` gives: it is typed against the message's columns, and its result is
//! matched to features by name. What is wrong is shown in the text of the query.
//!
//! This file must not know which planner that is, or how a query is run.

use std::collections::BTreeMap;
use std::ops::Range;

use chalk_diagnostics::{Code, Diagnostic, Span, did_you_mean};
use chalk_syntax::ast::{self, StringLit};
use chalk_types::{IntWidth, Kind, Type, coercion};

use crate::aggregations::{Events, Keeping};
use crate::context::{Checked, Context, Reported};
use crate::expr::Checker;
use crate::program::{Expr, FeatureClass, Feed, SqlWindow, Windowed};
use crate::streams::unknown_feature;
use crate::windowed::{Body, Setters, Windowing, cannot_set_relation};

/// Plans queries; the checker has none of its own, because the engine that runs them is large.
pub trait SqlPlanner {
    /// The query over one table: its name, and name and type of each of its columns.
    fn plan(&self, query: &str, table: &str, columns: &[(String, Type)]) -> Result<PlannedSql, SqlError>;
}

/// A query that can be run.
#[derive(Clone, Debug)]
pub struct PlannedSql {
    /// Columns of its result.
    pub columns: Vec<SqlColumn>,
    /// Positions of the table's columns that it reads, ascending.
    pub reads: Vec<usize>,
}

/// A column of a result.
#[derive(Clone, Debug)]
pub struct SqlColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Where it is named, in bytes of the query.
    pub at: Option<Range<usize>>,
}

/// A query that cannot be planned.
#[derive(Clone, Debug)]
pub struct SqlError {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the query.
    pub at: Option<Range<usize>>,
    /// The next step.
    pub help: Option<String>,
    /// A name that is wrong, and those that there are.
    pub names: Option<Box<(String, Vec<String>)>>,
    /// Whether the mistake is that the result depends on more than the messages.
    pub is_not_deterministic: bool,
}

/// The resolver that a query is the body of.
pub(crate) struct Resolver<'a> {
    pub(crate) decl: &'a ast::Stream,
    /// Its position among the declarations.
    pub(crate) index: usize,
    pub(crate) param: &'a ast::Param,
    pub(crate) message_ty: &'a Type,
    pub(crate) class_index: usize,
    pub(crate) class: &'a FeatureClass,
}

/// Checks the query; the checker knows the message by the parameter's name.
pub(crate) fn body(
    context: &Context,
    checker: &mut Checker,
    resolver: &Resolver,
    text: &StringLit,
    windowing: &Windowing,
    setters: &mut Setters,
) -> Checked<Body> {
    let allowed_lateness_us = refuse_other_windows(context, resolver, windowing)?;
    let Kind::Struct(message) = &resolver.message_ty.kind else {
        return Err(context.report(
            Diagnostic::new(
                Code::E0409,
                format!("a query cannot read messages of `{}`", resolver.message_ty),
                resolver.param.ty.span,
            )
            .at("its columns are the fields of a message")
            .help("declare a `message`, and a parse function that gives it"),
        ));
    };
    let Some(planner) = context.sql else {
        return Err(context.report(
            Diagnostic::new(Code::E0501, "this `chalkc` was built without SQL", text.span)
                .note("its feature `sql` brings the query engine, and is on where nothing else is said")
                .help("build it with that feature; or write assignments over `events`, with `by`"),
        ));
    };
    // A field as it is known after the clauses: `where` may have shown that it is not null.
    let fields: Vec<Expr> = message
        .fields
        .iter()
        .map(|field| {
            let span = resolver.param.name.span;
            let name = ast::Name { text: field.name.clone(), span };
            let base = ast::Expr { kind: ast::ExprKind::Name(resolver.param.name.clone()), span };
            checker.check(&ast::Expr { kind: ast::ExprKind::Field { base: Box::new(base), name }, span }, None)
        })
        .collect::<Checked<_>>()?;
    let columns: Vec<(String, Type)> =
        message.fields.iter().zip(&fields).map(|(field, value)| (field.name.clone(), value.ty.clone())).collect();
    let planned = planner
        .plan(&text.text, &resolver.param.name.text, &columns)
        .map_err(|error| context.report(refusal(text, &error)))?;
    let matched = features(context, resolver, text, &planned, setters)?;

    let mut registry = context.aggregations.borrow_mut();
    let full_name = format!("{}.{}", resolver.class.name, resolver.decl.name.text);
    let events = Events::Resolver(resolver.index);
    let keeping = Keeping::Messages { allowed_lateness_us };
    let aggregation =
        registry.aggregation(resolver.class_index, &full_name, resolver.decl.name.span, &events, &keeping);
    for &read in &planned.reads {
        registry.column(aggregation, fields[read].clone());
    }
    for &window_us in matched.outputs.keys() {
        registry.add_window(aggregation, window_us);
    }
    let feed =
        Feed { aggregation, key: None, columns: planned.reads.iter().map(|read| fields[*read].clone()).collect() };
    let sql = SqlWindow {
        query: text.text.clone(),
        table: resolver.param.name.text.clone(),
        columns: planned.reads.iter().map(|read| columns[*read].clone()).collect(),
        results: matched.results,
        key: matched.key,
        outputs: matched.outputs.into_values().collect(),
    };
    let windowed = Windowed { aggregation, closes: Vec::new(), sql: Some(sql) };
    Ok(Body { windowed, feed, expressions: Vec::new() })
}

/// A query runs once, over the messages of all keys: `window tumbling`, without `by`, giving many rows.
fn refuse_other_windows(context: &Context, resolver: &Resolver, windowing: &Windowing) -> Checked<i64> {
    let decl = resolver.decl;
    let clause = |is: fn(&ast::ClauseKind) -> bool| {
        decl.clauses.iter().find(|clause| is(&clause.kind)).map_or(decl.name.span, |clause| clause.span)
    };
    let mut result = match windowing.keeping {
        Keeping::Tumbling { allowed_lateness_us } => Ok(allowed_lateness_us),
        _ => {
            let span = clause(|kind| matches!(kind, ast::ClauseKind::Window(_)));
            Err(context.report(
                Diagnostic::new(Code::E0438, "a query cannot be exact at every moment", span)
                    .at("it runs once, when the window is over")
                    .help("write `window tumbling`; or assignments over `events`, which can be continuous")
                    .fix(span, "window tumbling"),
            ))
        }
    };
    if windowing.by.is_some() {
        let span = clause(|kind| matches!(kind, ast::ClauseKind::By(_)));
        result = Err(context.report(
            Diagnostic::new(Code::E0438, "a query sees the messages of all keys at once", span)
                .at("`by` is for a body of assignments")
                .help("leave `by` out, and group in the query: `group by …`"),
        ));
    }
    if !matches!(decl.returns.kind, ast::TypeKind::List(_)) {
        let name = &resolver.class.name;
        result = Err(context.report(
            Diagnostic::new(Code::E0409, format!("a query gives many rows of `{name}`"), decl.returns.span)
                .at("one row")
                .help(format!("write `-> [{name}]`"))
                .fix(decl.returns.span, format!("[{name}]")),
        ));
    }
    result
}

/// What the planner says, at its place in the file.
fn refusal(text: &StringLit, error: &SqlError) -> Diagnostic {
    let span = error.at.clone().map_or(text.span, |at| text.place(at));
    let code = if error.is_not_deterministic { Code::E0702 } else { Code::E0701 };
    let diagnostic = Diagnostic::new(code, error.message.clone(), span);
    let names = error.names.as_deref();
    let near = names.and_then(|(name, known)| did_you_mean(name, known.iter().map(String::as_str)));
    match (near, &error.help, names) {
        (Some(near), _, Some((name, _))) => {
            let diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
            // The place of a qualified name is that of all its parts.
            if (span.end - span.start) as usize == name.len() { diagnostic.fix(span, near) } else { diagnostic }
        }
        (_, Some(help), _) => diagnostic.help(help.clone()),
        (_, None, Some((_, known))) if known.len() <= 12 => diagnostic.help(format!("there are: {}", known.join(", "))),
        _ => diagnostic,
    }
}

/// Which feature each column of a result sets, for each window.
struct Matched {
    results: Vec<(String, Type)>,
    /// Position of the primary key in the results.
    key: usize,
    /// Positions of features by window.
    outputs: BTreeMap<i64, Vec<usize>>,
}

fn features(
    context: &Context,
    resolver: &Resolver,
    text: &StringLit,
    planned: &PlannedSql,
    setters: &mut Setters,
) -> Checked<Matched> {
    let (class, facts) = (resolver.class, &context.classes[resolver.class_index]);
    let place = |column: &SqlColumn| column.at.clone().map_or(text.span, |at| text.place(at));
    let mut failed = false;
    let mut results = Vec::new();
    let mut key = None;
    let mut set: BTreeMap<&str, Span> = BTreeMap::new();
    // Windows of the features set, each with the positions of its features, and the feature that says so.
    let mut windows: Option<(&str, Vec<i64>)> = None;
    // Per column the position of its feature in the first window.
    let mut first: Vec<(usize, bool)> = Vec::new();
    for (number, column) in planned.columns.iter().enumerate() {
        let (name, span) = (column.name.as_str(), place(column));
        if let Some(before) = set.insert(name, span) {
            context.report(
                Diagnostic::new(Code::E0406, format!("the feature `{name}` is set twice"), span)
                    .label(before, "first set here")
                    .help("leave one of them out"),
            );
            failed = true;
            continue;
        }
        let is_key = facts.index.get(name) == Some(&class.primary_key);
        let position = match facts.windowed.get(name) {
            _ if is_key => {
                key = Some(number);
                class.primary_key
            }
            Some(windowed) => {
                let has_value = context.package.classes[resolver.class_index]
                    .fields
                    .iter()
                    .any(|field| field.name.text == name && field.value.is_some());
                if has_value {
                    context.report(
                        Diagnostic::new(
                            Code::E0407,
                            format!("the feature `{name}` has an expression, so it cannot be set"),
                            span,
                        )
                        .label(windowed.span, "computed from other features here")
                        .help("leave this column out, or the expression"),
                    );
                    failed = true;
                    continue;
                }
                if let Some(before) = setters.insert((resolver.class_index, name.to_owned()), span) {
                    context.report(
                        Diagnostic::new(Code::E0439, format!("two resolvers set the windowed feature `{name}`"), span)
                            .label(before, "set here, too")
                            .note("its value is computed over the messages of one resolver")
                            .help("give each resolver a feature of its own, and combine these in a third"),
                    );
                    failed = true;
                    continue;
                }
                let lengths: Vec<i64> = windowed.windows.iter().copied().flatten().collect();
                if lengths.len() < windowed.windows.len() {
                    context.report(
                        Diagnostic::new(
                            Code::E0439,
                            format!("`{name}` is over all time, and a resolver's window has an end"),
                            span,
                        )
                        .label(windowed.span, "declared with the window `all` here")
                        .help("leave `all` out there; over all time, aggregate a collection"),
                    );
                    failed = true;
                    continue;
                }
                failed |= windowed.is_wrong;
                let mut sorted = lengths;
                sorted.sort_unstable();
                match &windows {
                    Some((other, theirs)) if *theirs != sorted && !windowed.is_wrong => {
                        context.report(
                            Diagnostic::new(
                                Code::E0703,
                                format!("`{name}` and `{other}` have different windows"),
                                span,
                            )
                            .label(windowed.span, "declared here")
                            .label(facts.windowed[*other].span, "and here")
                            .note("a query runs for each window, and sets all its features every time")
                            .help("declare both over the same windows, or write a query for each"),
                        );
                        failed = true;
                    }
                    Some(_) => {}
                    None => windows = Some((name, sorted)),
                }
                windowed.first
            }
            None => {
                context.report(unsettable(context, resolver, name, span));
                failed = true;
                continue;
            }
        };
        let Some(feature) = class.features.get(position).filter(|feature| feature.ty.kind != Kind::Null) else {
            // Its type is wrong, and reported.
            failed = true;
            continue;
        };
        if coercion(&column.ty, &feature.ty).is_none() {
            let declared = facts.windowed.get(name).map_or(feature.span, |windowed| windowed.span);
            context.report(mismatch(column, (name, &feature.ty, declared), is_key, span));
            failed = true;
        }
        results.push((column.name.clone(), feature.ty.clone()));
        first.push((position, is_key));
    }
    if key.is_none() && !failed {
        let primary_key = &class.features[class.primary_key];
        context.report(
            Diagnostic::new(
                Code::E0404,
                format!("the result of `{}` lacks the primary key `{}`", resolver.decl.name.text, primary_key.name),
                text.span,
            )
            .label(primary_key.span, "the primary key")
            .note("the key says whose features a row has")
            .help(format!("name a column so: `select … as {}`, and group by it", primary_key.name)),
        );
        failed = true;
    }
    let (Some(key), false) = (key, failed) else { return Err(Reported) };
    let Some((_, lengths)) = windows else {
        return Err(context.report(
            Diagnostic::new(Code::E0439, format!("`{}` sets no windowed feature", resolver.decl.name.text), text.span)
                .note("the windows of a query are those of the features that it sets")
                .help("give a column the name of a feature that is declared `over [10m, 1d]`"),
        ));
    };
    let outputs = lengths
        .iter()
        .map(|length| {
            let of_window = first.iter().map(|(position, is_key)| {
                let name = planned.columns.iter().map(|column| facts.windowed.get(&column.name));
                let windowed = name.flatten().find(|windowed| windowed.first == *position && !is_key);
                let offset = windowed.and_then(|windowed| windowed.windows.iter().position(|w| *w == Some(*length)));
                position + offset.unwrap_or(0)
            });
            (*length, of_window.collect())
        })
        .collect();
    Ok(Matched { results, key, outputs })
}

/// A column whose name is of nothing that a query may set.
fn unsettable(context: &Context, resolver: &Resolver, name: &str, span: Span) -> Diagnostic {
    let facts = &context.classes[resolver.class_index];
    let target = ast::Name { text: name.to_owned(), span };
    if let Some(position) = facts.index.get(name) {
        return Diagnostic::new(
            Code::E0439,
            format!("`{name}` has no windows, so a windowed resolver cannot set it"),
            span,
        )
        .label(resolver.class.features[*position].span, "declared without `over` here")
        .note("the query runs for each window of what it sets")
        .help("say over which windows it is: `over [10m, 1d]`");
    }
    if let Some(relation) = facts.relations.get(name) {
        return cannot_set_relation(&target, relation.as_ref());
    }
    let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if is_name {
        return unknown_feature(resolver.class, facts, &target);
    }
    Diagnostic::new(Code::E0405, format!("a column without a name sets no feature of `{}`", resolver.class.name), span)
        .label(resolver.class.span, "the class is declared here")
        .help("say which feature it is: `… as name`")
}

/// A column whose type is not that of its feature.
fn mismatch(column: &SqlColumn, feature: (&str, &Type, Span), is_key: bool, span: Span) -> Diagnostic {
    let (name, want, declared) = feature;
    if coercion(&column.ty.to_required(), want).is_some() {
        let diagnostic =
            Diagnostic::new(Code::E0703, format!("the column `{name}` may be null, and the feature is never"), span)
                .at(format!("`{}`", column.ty))
                .label(declared, format!("`{want}` is declared here"));
        return if is_key {
            diagnostic.help("leave such messages out: `where … is not null`")
        } else {
            diagnostic.help(format!("give a value for nothing, `coalesce(…, 0)`, or declare it `{want}?`"))
        };
    }
    let diagnostic =
        Diagnostic::new(Code::E0703, format!("the feature `{name}` wants `{want}`, not `{}`", column.ty), span)
            .at(format!("`{}`", column.ty))
            .label(declared, format!("`{want}` is declared here"));
    match sql_type(&want.kind) {
        Some(ty) => diagnostic.help(format!("convert it, `cast(… as {ty})`, or declare `{}`", column.ty)),
        None => diagnostic.help(format!("declare `{}`: SQL gives no `{want}`", column.ty)),
    }
}

/// The name that SQL has for a kind.
fn sql_type(kind: &Kind) -> Option<String> {
    Some(match kind {
        Kind::Bool => "boolean".to_owned(),
        Kind::Int(IntWidth::Int8) => "tinyint".to_owned(),
        Kind::Int(IntWidth::Int16) => "smallint".to_owned(),
        Kind::Int(IntWidth::Int32) => "int".to_owned(),
        Kind::Int(IntWidth::Int64) => "bigint".to_owned(),
        Kind::Int(IntWidth::UInt8) => "tinyint unsigned".to_owned(),
        Kind::Int(IntWidth::UInt16) => "smallint unsigned".to_owned(),
        Kind::Int(IntWidth::UInt32) => "int unsigned".to_owned(),
        Kind::Int(IntWidth::UInt64) => "bigint unsigned".to_owned(),
        Kind::Float32 => "real".to_owned(),
        Kind::Float64 => "double".to_owned(),
        Kind::String => "text".to_owned(),
        Kind::Bytes => "bytea".to_owned(),
        Kind::Datetime => "timestamp".to_owned(),
        Kind::Date => "date".to_owned(),
        Kind::Time => "time".to_owned(),
        Kind::Decimal { precision, scale } => format!("decimal({precision}, {scale})"),
        _ => return None,
    })
}
