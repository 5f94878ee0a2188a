//! Where two expressions meet: the common type, and each as a value of it.
//!
//! Beside a `uint64` or a decimal, a number literal takes that kind. Items of a list are converted where the list is written, no others.
//!
//! This file must not know operators.

use chalk_diagnostics::{Code, Diagnostic, Span};
use chalk_types::{IntWidth, Kind, Type, Value, common_type};

use super::coerce::decimal_of_literal;
use super::{Checker, constant};
use crate::context::Checked;
use crate::program::{Expr, ExprKind};

impl Checker<'_, '_> {
    /// Both sides with one kind, where branches meet.
    pub(super) fn unified(
        &mut self,
        left: Expr,
        right: Expr,
        what: &str,
        at: impl Into<Span>,
    ) -> Checked<(Expr, Expr)> {
        let span = at.into();
        let (left, right) = adapt_literals(left, right);
        match common_of(&left, &right) {
            Some(common) if common.kind == Kind::Null => Err(self.only_none(span)),
            Some(common) => Ok((self.to_common(left, &common.kind), self.to_common(right, &common.kind))),
            None => Err(self.report(
                Diagnostic::new(
                    Code::E0207,
                    format!("{what} have no common type: `{}` and `{}`", left.ty.to_required(), right.ty.to_required()),
                    span,
                )
                .label(left.span, format!("this is `{}`", left.ty))
                .label(right.span, format!("this is `{}`", right.ty))
                .help("convert one of them with `as`"),
            )),
        }
    }

    /// An expression that `can_become` that kind, as that kind.
    pub(super) fn to_common(&self, expr: Expr, kind: &Kind) -> Expr {
        if let (ExprKind::List(_), Kind::List(item)) = (&expr.kind, kind) {
            let nullable = expr.ty.nullable;
            let item_kind = item.kind.clone();
            let expr = self.list_of(expr, &item_kind);
            return Expr { ty: Type { kind: kind.clone(), nullable }, ..expr };
        }
        self.widened(expr, kind)
    }

    /// A list literal with its items widened; any other list has that item kind already.
    pub(super) fn list_of(&self, list: Expr, kind: &Kind) -> Expr {
        let Kind::List(of) = &list.ty.kind else { return list };
        if of.kind == *kind {
            return list;
        }
        let ty = Kind::List(Box::new(Type { kind: kind.clone(), nullable: of.nullable })).required();
        match list.kind {
            ExprKind::List(items) => {
                let items = items.into_iter().map(|item| self.to_common(item, kind)).collect();
                Expr { kind: ExprKind::List(items), ty, span: list.span }
            }
            _ => list,
        }
    }
}

/// A literal beside a `uint64` or a decimal takes its kind, so that `price * 1.1` and `id + 1` mean what they say.
pub(super) fn adapt_literals(left: Expr, right: Expr) -> (Expr, Expr) {
    let right = adapt_literal(right, &left.ty.kind);
    let left = adapt_literal(left, &right.ty.kind);
    (left, right)
}

fn adapt_literal(literal: Expr, other: &Kind) -> Expr {
    let ExprKind::Const(value) = &literal.kind else { return literal };
    if literal.ty.kind == *other {
        return literal;
    }
    match (value, &literal.ty.kind, other) {
        (Value::Int(int), Kind::Int(_), Kind::Int(IntWidth::UInt64)) if u64::try_from(*int).is_ok() => {
            Expr { ty: Kind::Int(IntWidth::UInt64).required(), ..literal }
        }
        (_, Kind::Int(_) | Kind::Float64, Kind::Decimal { .. }) => match decimal_of_literal(value) {
            Some((unscaled, precision, scale)) => {
                let kind = Kind::Decimal { precision, scale };
                constant(Value::Decimal(unscaled), kind.required(), literal.span)
            }
            None => literal,
        },
        _ => literal,
    }
}

/// The common type of two expressions that both can become. Items of a list are converted where the list is written only.
pub(super) fn common_of(left: &Expr, right: &Expr) -> Option<Type> {
    common_type(&left.ty, &right.ty).filter(|common| can_become(left, &common.kind) && can_become(right, &common.kind))
}

/// Whether a silent conversion to a common kind exists for this expression.
pub(super) fn can_become(expr: &Expr, kind: &Kind) -> bool {
    match (&expr.kind, &expr.ty.kind, kind) {
        (_, Kind::Null, _) => true,
        (ExprKind::List(items), _, Kind::List(item)) => items.iter().all(|one| can_become(one, &item.kind)),
        (_, Kind::List(_), Kind::List(_)) => {
            chalk_types::coercion(&expr.ty.to_required(), &kind.clone().required()).is_some()
        }
        _ => true,
    }
}
