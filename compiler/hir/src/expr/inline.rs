//! Copies of function bodies for their callers: fresh locals, parameters replaced where the argument is simple.
//!
//! This file must not know how a call is checked.

use std::collections::BTreeMap;

use chalk_diagnostics::Span;

use crate::program::{Expr, ExprKind, LocalId, StreamResolver};

/// What becomes of the locals of a copied body.
pub(crate) enum Renamed {
    /// Another local, of that type.
    Local(LocalId, chalk_types::Type),
    /// An expression that is cheap and cannot fail.
    Expr(Expr),
}

/// Locals of the copied body to what they become.
pub(crate) type Renames = BTreeMap<LocalId, Renamed>;

/// A copy of `expr`; bound locals get fresh names. `respan` puts all of it at one place.
pub(crate) fn copy(
    expr: &Expr,
    renames: &mut Renames,
    fresh: &mut impl FnMut() -> LocalId,
    respan: Option<Span>,
) -> Expr {
    let span = respan.unwrap_or(expr.span);
    let mut boxed = |inner: &Expr, renames: &mut Renames| Box::new(copy(inner, renames, fresh, respan));
    let kind = match &expr.kind {
        ExprKind::Local(local) => match renames.get(local) {
            Some(Renamed::Local(local, ty)) => {
                return Expr { kind: ExprKind::Local(*local), ty: ty.clone(), span };
            }
            Some(Renamed::Expr(replacement)) => return Expr { span, ..replacement.clone() },
            None => ExprKind::Local(*local),
        },
        ExprKind::Const(_)
        | ExprKind::Message
        | ExprKind::Envelope(_)
        | ExprKind::Header(_)
        | ExprKind::Feature(_)
        | ExprKind::Aggregate(_)
        | ExprKind::Linked { .. } => expr.kind.clone(),
        ExprKind::Let { local, value, body } => {
            let value = boxed(value, renames);
            let renamed = fresh();
            renames.insert(*local, Renamed::Local(renamed, value.ty.clone()));
            let body = Box::new(copy(body, renames, fresh, respan));
            ExprKind::Let { local: renamed, value, body }
        }
        ExprKind::Field { base, field } => ExprKind::Field { base: boxed(base, renames), field: *field },
        ExprKind::Index { base, index } => ExprKind::Index { base: boxed(base, renames), index: boxed(index, renames) },
        ExprKind::Slice { base, start, end } => ExprKind::Slice {
            base: boxed(base, renames),
            start: start.as_ref().map(|bound| boxed(bound, renames)),
            end: end.as_ref().map(|bound| boxed(bound, renames)),
        },
        ExprKind::List(items) => ExprKind::List(items.iter().map(|item| *boxed(item, renames)).collect()),
        ExprKind::Neg(value) => ExprKind::Neg(boxed(value, renames)),
        ExprKind::Not(value) => ExprKind::Not(boxed(value, renames)),
        ExprKind::Arith { op, left, right } => {
            ExprKind::Arith { op: *op, left: boxed(left, renames), right: boxed(right, renames) }
        }
        ExprKind::Order { op, left, right } => {
            ExprKind::Order { op: *op, left: boxed(left, renames), right: boxed(right, renames) }
        }
        ExprKind::Equal { left, right, negated } => {
            ExprKind::Equal { left: boxed(left, renames), right: boxed(right, renames), negated: *negated }
        }
        ExprKind::And(left, right) => ExprKind::And(boxed(left, renames), boxed(right, renames)),
        ExprKind::Or(left, right) => ExprKind::Or(boxed(left, renames), boxed(right, renames)),
        ExprKind::Coalesce(left, right) => ExprKind::Coalesce(boxed(left, renames), boxed(right, renames)),
        ExprKind::IsNull { value, negated } => ExprKind::IsNull { value: boxed(value, renames), negated: *negated },
        ExprKind::If { cond, then, otherwise } => ExprKind::If {
            cond: boxed(cond, renames),
            then: boxed(then, renames),
            otherwise: boxed(otherwise, renames),
        },
        ExprKind::In { item, list } => ExprKind::In { item: boxed(item, renames), list: boxed(list, renames) },
        ExprKind::Cast { value, mode } => ExprKind::Cast { value: boxed(value, renames), mode: *mode },
        ExprKind::Call { function, args } => {
            ExprKind::Call { function, args: args.iter().map(|arg| *boxed(arg, renames)).collect() }
        }
        ExprKind::Recover(left, right) => ExprKind::Recover(boxed(left, renames), boxed(right, renames)),
        ExprKind::DeserializeJson { input, message } => {
            ExprKind::DeserializeJson { input: boxed(input, renames), message: *message }
        }
    };
    Expr { kind, ty: expr.ty.clone(), span }
}

/// A copy whose locals are numbered from `next` on, for another place of the program.
pub(crate) fn copied(expr: &Expr, next: &mut u32) -> Expr {
    let mut fresh = || {
        *next += 1;
        LocalId(*next - 1)
    };
    copy(expr, &mut Renames::new(), &mut fresh, None)
}

/// The first local that a resolver does not use.
pub(crate) fn next_local(resolver: &StreamResolver) -> u32 {
    let conditions = [&resolver.prefilter, &resolver.raw_filter, &resolver.filter, &resolver.timestamp];
    let mut open: Vec<&Expr> = conditions.into_iter().flatten().collect();
    open.extend(resolver.parse.iter().map(|(_, value)| value));
    open.extend(resolver.dedup.iter().map(|dedup| &dedup.key));
    open.extend(resolver.assignments.iter().map(|(_, value)| value));
    for feed in &resolver.feeds {
        open.extend(feed.key.iter().chain(&feed.columns));
    }
    let mut next = resolver.parse.as_ref().map_or(0, |(local, _)| local.0 + 1);
    while let Some(expr) = open.pop() {
        if let ExprKind::Let { local, .. } | ExprKind::Local(local) = expr.kind {
            next = next.max(local.0 + 1);
        }
        expr.for_each_child(|child| open.push(child));
    }
    next
}

/// Nodes of an expression.
pub(crate) fn size_of(expr: &Expr) -> usize {
    let mut size = 0;
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        size += 1;
        expr.for_each_child(|child| open.push(child));
    }
    size
}

/// Levels of an expression. (Without recursion: it is asked before anything recurses.)
pub(crate) fn depth_of(expr: &Expr) -> usize {
    let mut deepest = 0;
    let mut open = vec![(expr, 1)];
    while let Some((expr, depth)) = open.pop() {
        deepest = deepest.max(depth);
        expr.for_each_child(|child| open.push((child, depth + 1)));
    }
    deepest
}
