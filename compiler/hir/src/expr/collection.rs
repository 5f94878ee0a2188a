//! Aggregates over collections: `logins.where(failed).count()`, and the same over the messages of a window.
//!
//! A filter and the arguments of an aggregate are expressions over one row, checked with the row's names alone in scope. They
//! become columns of the events that an aggregation is fed with; what stands in the feature's expression is the aggregate's value.
//!
//! This file must not know who feeds an aggregation, or how it keeps its events.

use chalk_catalog::{ArgType, ResolveError};
use chalk_diagnostics::{Code, Diagnostic, Span, did_you_mean};
use chalk_syntax::ast;
use chalk_types::{Kind, Type, Value};

use super::access::listed;
use super::{Checker, Root, What, constant};
use crate::aggregations::{Events, Keeping};
use crate::constant::value_of;
use crate::context::{Checked, RelationFacts, Reported};
use crate::program::{ArithOp, CastMode, Expr, ExprKind, Leaf, RelationKind};

/// What a method chain begins with.
#[derive(Clone)]
pub(super) enum Collection {
    /// Rows of another class.
    Rows { name: String, span: Span, class: usize, foreign_key: usize },
    /// The messages of the window that a resolver runs for.
    Messages,
}

/// `logins.where(a).where(b)`
pub(super) struct Chain<'t> {
    collection: Collection,
    filters: Vec<&'t ast::Expr>,
}

/// What an aggregate takes of each row.
struct OfRow {
    filter: Option<Expr>,
    args: Vec<Expr>,
}

impl Checker<'_, '_> {
    /// The collection that an expression is, with its filters; none where it is something else.
    pub(super) fn collection_chain<'t>(&mut self, expr: &'t ast::Expr) -> Option<Checked<Chain<'t>>> {
        match &expr.kind {
            ast::ExprKind::Name(name) => {
                let collection = match self.collection(name)? {
                    Ok(collection) => collection,
                    Err(Reported) => return Some(Err(Reported)),
                };
                Some(Ok(Chain { collection, filters: Vec::new() }))
            }
            ast::ExprKind::Method { receiver, method, args, .. } if method.text == "where" => {
                let mut chain = match self.collection_chain(receiver)? {
                    Ok(chain) => chain,
                    Err(Reported) => return Some(Err(Reported)),
                };
                match &args[..] {
                    [ast::Arg { name: None, value, .. }] => {
                        chain.filters.push(value);
                        Some(Ok(chain))
                    }
                    _ => Some(Err(self.report(
                        Diagnostic::new(Code::E0204, "`where` takes one condition", method.span)
                            .help("join conditions with `and`, or write `.where(…)` once more"),
                    ))),
                }
            }
            _ => None,
        }
    }

    /// The collection of that name.
    fn collection(&mut self, name: &ast::Name) -> Option<Checked<Collection>> {
        match self.lookup(&name.text) {
            Some(What::Events) => return Some(Ok(Collection::Messages)),
            Some(_) => return None,
            None => {}
        }
        let class = match self.root {
            Root::Class(class) => class,
            Root::Rows { class, .. } => {
                let relations = &self.context.classes[class].relations;
                return relations.contains_key(&name.text).then(|| Err(self.nested(name)));
            }
            _ => return None,
        };
        let relation = *self.context.classes[class].relations.get(&name.text)?;
        Some(match relation {
            Some(RelationFacts { class, kind: RelationKind::HasMany { foreign_key }, span }) => {
                Ok(Collection::Rows { name: name.text.clone(), span, class, foreign_key })
            }
            Some(_) => return None,
            // Wrong, and reported.
            None => Err(Reported),
        })
    }

    fn nested(&self, name: &ast::Name) -> Reported {
        self.report(
            Diagnostic::new(
                Code::E0435,
                format!("a row cannot aggregate its own collection `{}`", name.text),
                name.span,
            )
            .note("what a row says is known when it arrives, and does not change when other rows do")
            .help("aggregate the rows of both collections in features of their own, and combine these"),
        )
    }

    /// A collection that stands where a value is wanted.
    pub(super) fn no_value(&self, name: &str, span: Span) -> Reported {
        let what = if self.root == Root::Window { "messages" } else { "rows" };
        self.report(
            Diagnostic::new(Code::E0434, format!("`{name}` is many {what}, not one value"), span)
                .help(format!("aggregate them: `{name}.count()`, `{name}.where(…).sum(…)`")),
        )
    }

    /// `logins.where(failed).count()`: the value of an aggregate.
    pub(super) fn aggregate(
        &mut self,
        chain: Chain,
        method: &ast::Name,
        type_args: &[ast::TypeExpr],
        args: &[ast::Arg],
        span: Span,
    ) -> Checked<Expr> {
        self.no_type_args(method, type_args);
        let Chain { collection, filters } = chain;
        let name = method.text.as_str();
        if self.context.catalog.aggregates_named(name).next().is_none() {
            return Err(self.unknown_aggregate(method));
        }
        let root = match (&collection, self.root) {
            (Collection::Rows { class, foreign_key, .. }, Root::Class(owner)) => {
                Root::Rows { class: *class, owner, foreign_key: *foreign_key }
            }
            (Collection::Messages, _) => Root::Messages,
            (Collection::Rows { .. }, _) => return Err(Reported),
        };
        let of_row = self.in_rows(root, |checker| checker.of_row(&filters, args))?;
        let types: Vec<ArgType> = args
            .iter()
            .zip(&of_row.args)
            .map(|(arg, value)| ArgType {
                name: arg.name.as_ref().map(|name| name.text.as_str()),
                ty: value.ty.clone(),
                literal: value_of(value),
            })
            .collect();
        let catalog = self.context.catalog;
        let resolved = match catalog.resolve_aggregate(name, &types) {
            Ok(resolved) => resolved,
            Err(ResolveError::UnknownName { .. }) => return Err(self.unknown_aggregate(method)),
            Err(error) => return Err(self.unresolved(method, args, error, span)),
        };
        let (class, events, owner_name, declared) = match &collection {
            Collection::Rows { name, span, class: row_class, foreign_key } => {
                let Root::Class(owner) = self.root else { return Err(Reported) };
                let events =
                    Events::Collection { relation: name.clone(), row_class: *row_class, foreign_key: *foreign_key };
                let owner_name = format!("{}.{name}", self.context.package.classes[owner].name.text);
                (owner, events, owner_name, *span)
            }
            Collection::Messages => {
                let Some(frame) = &self.frame.events else { return Err(Reported) };
                let class = &self.context.package.classes[frame.class].name.text;
                let owner_name = format!("{class}.{}", frame.resolver_name);
                (frame.class, Events::Resolver(frame.resolver), owner_name, frame.span)
            }
        };
        let (keeping, window) = self.keeping();
        let OfRow { filter, args: values } = of_row;
        let mut values: Vec<Option<Expr>> = values.into_iter().map(Some).collect();
        let mut columns = Vec::new();
        for (position, ty) in &resolved.event_args {
            let Some(value) = values.get_mut(*position).and_then(Option::take) else { return Err(Reported) };
            columns.push(guarded(filter.as_ref(), self.to_common(value, &ty.kind)));
        }
        let mut registry = self.context.aggregations.borrow_mut();
        let aggregation = registry.aggregation(class, &owner_name, declared, &events, &keeping);
        let filter = filter.map(|filter| registry.column(aggregation, filter));
        let args = columns.into_iter().map(|column| registry.column(aggregation, column)).collect();
        let leaf = Leaf { aggregate: resolved.def, call: resolved.call(), filter, args, span };
        let value = registry.value(aggregation, leaf, window);
        drop(registry);
        Ok(self.refine(Expr { kind: ExprKind::Aggregate(value), ty: resolved.result, span }))
    }

    /// How the events of an aggregate that stands here are kept, and over which window it is.
    fn keeping(&self) -> (Keeping, Option<i64>) {
        let window = self.frame.window.as_ref().and_then(|window| window.current);
        let keeping = match (&self.frame.events, &self.frame.materialize) {
            (Some(events), _) => events.keeping.clone(),
            (None, _) if window.is_none() => Keeping::Total,
            (None, Some(materialize)) => Keeping::Materialized(materialize.clone()),
            (None, None) => Keeping::Continuous,
        };
        (keeping, window)
    }

    /// Checks with the names of a row alone in scope.
    fn in_rows<T>(&mut self, root: Root, check: impl FnOnce(&mut Self) -> T) -> T {
        let mark = self.scope.len();
        let base = std::mem::replace(&mut self.scope_base, mark);
        let outer = std::mem::replace(&mut self.root, root);
        // What is known of the message is known of each; features of another class have the same positions.
        let facts = if root == Root::Messages { self.facts.clone() } else { Vec::new() };
        let facts = std::mem::replace(&mut self.facts, facts);
        if root == Root::Messages
            && let Some(events) = self.frame.events.clone()
        {
            self.bind(&events.name, events.row.span, What::Alias(events.row), false);
        }
        let result = check(self);
        self.facts = facts;
        self.root = outer;
        self.scope_base = base;
        self.scope.truncate(mark);
        result
    }

    fn of_row(&mut self, filters: &[&ast::Expr], args: &[ast::Arg]) -> Checked<OfRow> {
        let mut failed = false;
        let mut kept: Vec<Expr> = Vec::new();
        let mut conditions = Vec::new();
        filters.iter().for_each(|filter| conjuncts(filter, &mut conditions));
        for condition in conditions {
            match self.says_what_the_window_says(condition) {
                Ok(true) => continue,
                Ok(false) => {}
                Err(Reported) => {
                    failed = true;
                    continue;
                }
            }
            match self.condition(condition, "the condition of `where`") {
                Ok(condition) => {
                    self.assume_true(&condition);
                    kept.push(condition);
                }
                Err(Reported) => failed = true,
            }
        }
        let mut values = Vec::new();
        for arg in args {
            match self.check(&arg.value, None) {
                Ok(value) => values.push(value),
                Err(Reported) => failed = true,
            }
        }
        if failed {
            return Err(Reported);
        }
        // Not `and`: that evaluates its right side where the left is null, and each condition relies on those before it being true.
        let filter = kept.into_iter().rev().reduce(|then, cond| {
            let (ty, span) = (then.ty.clone(), cond.span);
            let otherwise = Expr { kind: ExprKind::Const(Value::Bool(false)), ty: Type::BOOL, span };
            let (cond, then, otherwise) = (Box::new(cond), Box::new(then), Box::new(otherwise));
            Expr { kind: ExprKind::If { cond, then, otherwise }, ty, span }
        });
        filter.iter().chain(&values).try_for_each(|expr| self.check_depth(expr))?;
        Ok(OfRow { filter, args: values })
    }

    fn unknown_aggregate(&self, method: &ast::Name) -> Reported {
        let name = method.text.as_str();
        let catalog = self.context.catalog;
        let diagnostic = Diagnostic::new(Code::E0105, format!("there is no aggregate `{name}`"), method.span);
        let foreign = match name {
            "filter" => Some("where"),
            "len" | "length" | "size" => Some("count"),
            "avg" | "average" => Some("mean"),
            _ => None,
        };
        let known: Vec<&str> = catalog.aggregate_names().collect();
        let near = foreign.or_else(|| match catalog.resolve_aggregate(name, &[]) {
            Err(ResolveError::UnknownName { candidates }) => candidates.first().copied(),
            _ => None,
        });
        self.report(match near.or_else(|| did_you_mean(name, known.iter().copied())) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(method.span, near.to_owned()),
            None if catalog.overloads(name).any(|function| !function.def.hidden) => diagnostic
                .at("a function of one value")
                .help(format!("call it on what is aggregated: `….max({name}(…))`")),
            None => diagnostic.help(format!("aggregates are {}", listed(&known))),
        })
    }
}

/// Conditions joined by `and`.
fn conjuncts<'t>(condition: &'t ast::Expr, out: &mut Vec<&'t ast::Expr>) {
    match &condition.kind {
        ast::ExprKind::Binary { op: ast::BinaryOp::And, left, right, .. } => {
            conjuncts(left, out);
            conjuncts(right, out);
        }
        _ => out.push(condition),
    }
}

/// An argument, evaluated only where the filter is true: what is left out must not fail the message. One that cannot fail
/// stays as it is, so that aggregates with other filters share it.
fn guarded(filter: Option<&Expr>, value: Expr) -> Expr {
    match filter {
        Some(filter) if can_fail(&value) => {
            let (ty, span) = (value.ty.to_optional(), value.span);
            let otherwise = constant(Value::Null, ty.clone(), span);
            let kind =
                ExprKind::If { cond: Box::new(filter.clone()), then: Box::new(value), otherwise: Box::new(otherwise) };
            Expr { kind, ty, span }
        }
        _ => value,
    }
}

fn is_float(expr: &Expr) -> bool {
    matches!(expr.ty.kind, Kind::Float32 | Kind::Float64)
}

/// Whether evaluating the expression may fail the message.
fn can_fail(expr: &Expr) -> bool {
    let own = match &expr.kind {
        ExprKind::Neg(_) => !is_float(expr),
        ExprKind::Arith { op, .. } => !(is_float(expr) || *op == ArithOp::Div),
        ExprKind::Cast { mode, .. } => *mode == CastMode::Exact,
        ExprKind::Call { function, .. } => function.fallible,
        ExprKind::DeserializeJson { .. } => true,
        ExprKind::Recover(_, fallback) => return can_fail(fallback),
        _ => false,
    };
    let mut fails = own;
    expr.for_each_child(|child| fails = fails || can_fail(child));
    fails
}
