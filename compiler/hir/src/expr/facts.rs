//! What a condition tells about null: inside `if x is not none then …`, `x` is not null.
//!
//! A fact is about a path: a local, the message, a feature, a header, and fields of those. A known path is read through
//! `Cast` with `Exact`, which by the fact cannot fail.
//!
//! This file must not know syntax.

use chalk_types::Value;

use super::Checker;
use crate::program::{CastMode, EnvelopeField, Expr, ExprKind, LocalId};

/// What a path begins at.
#[derive(Clone, PartialEq, Eq, Debug)]
enum PathRoot {
    Message,
    Local(LocalId),
    Feature(usize),
    Aggregate(usize),
    /// Foreign key, class, feature.
    Linked(usize, usize, usize),
    Header(String),
    Envelope(EnvelopeField),
}

/// A place that a condition can be about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Path {
    root: PathRoot,
    fields: Vec<u32>,
}

/// The path that an expression reads, if it reads one.
pub(crate) fn path_of(expr: &Expr) -> Option<Path> {
    let root = match &expr.kind {
        ExprKind::Message => PathRoot::Message,
        ExprKind::Local(local) => PathRoot::Local(*local),
        ExprKind::Feature(feature) => PathRoot::Feature(*feature),
        ExprKind::Aggregate(aggregate) => PathRoot::Aggregate(*aggregate),
        ExprKind::Linked { foreign_key, class, feature } => PathRoot::Linked(*foreign_key, *class, *feature),
        ExprKind::Header(name) => PathRoot::Header(name.clone()),
        ExprKind::Envelope(field) => PathRoot::Envelope(*field),
        ExprKind::Field { base, field } => {
            let mut path = path_of(base)?;
            path.fields.push(*field);
            return Some(path);
        }
        ExprKind::Cast { value, mode: CastMode::Exact } if value.ty.kind == expr.ty.kind => return path_of(value),
        ExprKind::Cast { value, mode: CastMode::Widen } => return path_of(value),
        _ => return None,
    };
    Some(Path { root, fields: Vec::new() })
}

/// Paths that are not null where the condition is true.
pub(crate) fn when_true(condition: &Expr, out: &mut Vec<Path>) {
    match &condition.kind {
        ExprKind::IsNull { value, negated: true } => learn(value, out),
        ExprKind::And(left, right) => {
            when_true(left, out);
            when_true(right, out);
        }
        ExprKind::Not(inner) => when_false(inner, out),
        // A comparison that is true had no null operand.
        ExprKind::Order { left, right, .. } => {
            learn(left, out);
            learn(right, out);
        }
        ExprKind::Equal { left, right, negated: false } => {
            if !right.ty.nullable {
                learn(left, out);
            }
            if !left.ty.nullable {
                learn(right, out);
            }
        }
        ExprKind::In { item, .. } => learn(item, out),
        ExprKind::Local(_) | ExprKind::Field { .. } | ExprKind::Feature(_) | ExprKind::Linked { .. } => {
            learn(condition, out)
        }
        _ => {}
    }
}

/// Paths that are not null where the condition is false.
fn when_false(condition: &Expr, out: &mut Vec<Path>) {
    match &condition.kind {
        ExprKind::Not(inner) => when_true(inner, out),
        ExprKind::Order { left, right, .. } => {
            learn(left, out);
            learn(right, out);
        }
        ExprKind::Or(left, right) => {
            when_false(left, out);
            when_false(right, out);
        }
        _ => when_not_true(condition, out),
    }
}

/// Paths that are not null where the condition is false or null.
pub(crate) fn when_not_true(condition: &Expr, out: &mut Vec<Path>) {
    match &condition.kind {
        ExprKind::IsNull { value, negated: false } => learn(value, out),
        ExprKind::Or(left, right) => {
            when_not_true(left, out);
            when_not_true(right, out);
        }
        ExprKind::Not(inner) if !inner.ty.nullable => when_true(inner, out),
        // `x != 1` that is not true is `x == 1`.
        ExprKind::Equal { left, right, negated: true } => {
            if !right.ty.nullable {
                learn(left, out);
            }
            if !left.ty.nullable {
                learn(right, out);
            }
        }
        _ => {}
    }
}

/// Paths that are not null where the condition is true or null: what the right side of `and` may rely on.
pub(crate) fn when_not_false(condition: &Expr, out: &mut Vec<Path>) {
    match &condition.kind {
        ExprKind::And(left, right) => {
            when_not_false(left, out);
            when_not_false(right, out);
        }
        _ if !condition.ty.nullable => when_true(condition, out),
        _ => {}
    }
}

/// The expression is not null, so no message on the way to it is.
fn learn(expr: &Expr, out: &mut Vec<Path>) {
    if let Some(mut path) = path_of(expr) {
        loop {
            out.push(path.clone());
            if path.fields.pop().is_none() {
                break;
            }
        }
    }
}

impl Checker<'_, '_> {
    /// How many facts are known; `forget` goes back to it.
    pub(super) fn facts_mark(&self) -> usize {
        self.facts.len()
    }

    pub(super) fn forget(&mut self, mark: usize) {
        self.facts.truncate(mark);
    }

    /// From here on the condition is known to be true.
    pub(crate) fn assume_true(&mut self, condition: &Expr) {
        when_true(condition, &mut self.facts);
    }

    pub(super) fn assume_not_true(&mut self, condition: &Expr) {
        when_not_true(condition, &mut self.facts);
    }

    pub(super) fn assume_not_false(&mut self, condition: &Expr) {
        when_not_false(condition, &mut self.facts);
    }

    /// From here on the expression is known not to be null.
    pub(super) fn assume_not_null(&mut self, expr: &Expr) {
        learn(expr, &mut self.facts);
    }

    /// The expression, as its type without `?` where that is known.
    pub(super) fn refine(&self, expr: Expr) -> Expr {
        if !expr.ty.nullable || !self.is_known(&expr) {
            return expr;
        }
        let (ty, span) = (expr.ty.to_required(), expr.span);
        Expr { kind: ExprKind::Cast { value: Box::new(expr), mode: CastMode::Exact }, ty, span }
    }

    fn is_known(&self, expr: &Expr) -> bool {
        !self.facts.is_empty() && path_of(expr).is_some_and(|path| self.facts.contains(&path))
    }

    /// A field of a message. A base that is known not to be null is read as it is, so that the path stays a path.
    pub(super) fn field_of(
        &self,
        base: Expr,
        field: u32,
        field_ty: &chalk_types::Type,
        span: chalk_diagnostics::Span,
    ) -> Expr {
        let (base, known) = match base.kind {
            ExprKind::Cast { value, mode: CastMode::Exact }
                if value.ty.kind == base.ty.kind && self.is_known(&value) =>
            {
                (*value, true)
            }
            kind => (Expr { kind, ..base }, false),
        };
        let ty = field_ty.clone().nullable_if(base.ty.nullable);
        let expr = Expr { kind: ExprKind::Field { base: Box::new(base), field }, ty, span };
        if known && !field_ty.nullable && expr.ty.nullable {
            let ty = expr.ty.to_required();
            return Expr { kind: ExprKind::Cast { value: Box::new(expr), mode: CastMode::Exact }, ty, span };
        }
        self.refine(expr)
    }

    /// Whether an expression is cheap and cannot fail, so that it may stand for a name, any number of times.
    pub(super) fn is_simple(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Const(Value::List(_) | Value::Struct(_) | Value::Map(_)) => false,
            ExprKind::Const(_)
            | ExprKind::Message
            | ExprKind::Local(_)
            | ExprKind::Feature(_)
            | ExprKind::Aggregate(_)
            | ExprKind::Linked { .. }
            | ExprKind::Header(_)
            | ExprKind::Envelope(_) => true,
            ExprKind::Field { base, .. } => self.is_simple(base),
            ExprKind::Cast { value, mode: CastMode::Exact } => {
                value.ty.kind == expr.ty.kind && self.is_known(value) && self.is_simple(value)
            }
            _ => false,
        }
    }
}
