//! Operators: which is which, logic, membership and `??`.
//!
//! This file must not know names or calls.

use chalk_diagnostics::{Code, Diagnostic, Span};
use chalk_syntax::ast::{self, BinaryOp, UnaryOp};
use chalk_types::{Kind, Type, common_type};

use super::{Checker, Want};
use crate::context::{Checked, Reported};
use crate::program::{Expr, ExprKind};

/// An operator where it stands, with the span of the whole.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) op: BinaryOp,
    pub(super) op_span: Span,
    pub(super) span: Span,
}

impl From<At> for Span {
    fn from(at: At) -> Span {
        at.span
    }
}

impl Checker<'_, '_> {
    /// `-x`, `not x`.
    pub(super) fn unary(&mut self, op: UnaryOp, operand: &ast::Expr, want: Option<&Type>, span: Span) -> Checked<Expr> {
        match op {
            UnaryOp::Not => {
                let value = self.condition(operand, "the operand of `not`")?;
                let ty = value.ty.clone();
                Ok(Expr { kind: ExprKind::Not(Box::new(value)), ty, span })
            }
            UnaryOp::Neg => self.negation(operand, want, span),
        }
    }

    /// A binary operator. Chains such as `a + b + c` lean to the left and are walked without recursion.
    pub(super) fn binary(&mut self, expr: &ast::Expr, want: Option<&Type>) -> Checked<Expr> {
        let mut spine = Vec::new();
        let mut leftmost = expr;
        while let ast::ExprKind::Binary { op, op_span, left, right } = &leftmost.kind {
            let is_bare = left.span.start == leftmost.span.start;
            spine.push((At { op: *op, op_span: *op_span, span: leftmost.span }, &**right, is_bare));
            leftmost = left;
        }
        let hint = |at: &At| match at.op {
            BinaryOp::Coalesce | BinaryOp::Add => want.cloned(),
            _ => None,
        };
        let first_hint = spine.last().and_then(|(at, ..)| hint(at));
        let mut left = self.check(leftmost, first_hint.as_ref());
        let facts = self.facts_mark();
        let mut after_comparison = false;
        while let Some((at, right, is_bare)) = spine.pop() {
            self.nodes += 1;
            self.within_size(at.span)?;
            // A chain of comparisons was reported by the parser; parentheses would widen the span of the first one.
            if after_comparison && is_comparison(at.op) {
                left = Err(Reported);
            }
            after_comparison = is_bare && is_comparison(at.op);
            left = self.binary_step(at, left, right, hint(&at).as_ref());
        }
        self.forget(facts);
        left
    }

    fn binary_step(&mut self, at: At, left: Checked<Expr>, right: &ast::Expr, want: Option<&Type>) -> Checked<Expr> {
        match at.op {
            BinaryOp::And | BinaryOp::Or => self.logical(at, left, right),
            BinaryOp::In | BinaryOp::NotIn => self.membership(at, left, right),
            BinaryOp::Coalesce => self.coalesce(at, left, right, want),
            BinaryOp::Eq | BinaryOp::Ne => {
                let right = self.check(right, left.as_ref().ok().map(|left| &left.ty));
                self.equality(at, left?, right?)
            }
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
                let right = self.check(right, None);
                self.order(at, left?, right?)
            }
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem | BinaryOp::Pow => {
                let right = self.check(right, want);
                self.arithmetic(at, left?, right?)
            }
        }
    }

    fn logical(&mut self, at: At, left: Checked<Expr>, right: &ast::Expr) -> Checked<Expr> {
        let left = left.and_then(|left| self.as_condition(left, at));
        let mark = self.facts_mark();
        if let Ok(left) = &left {
            match at.op {
                BinaryOp::And => self.assume_not_false(left),
                _ => self.assume_not_true(left),
            }
        }
        let right = self.check(right, Some(&Type::BOOL)).and_then(|right| self.as_condition(right, at));
        self.forget(mark);
        let (left, right) = (left?, right?);
        let ty = Type::BOOL.nullable_if(left.ty.nullable || right.ty.nullable);
        let (left, right) = (Box::new(left), Box::new(right));
        let kind = if at.op == BinaryOp::And { ExprKind::And(left, right) } else { ExprKind::Or(left, right) };
        Ok(Expr { kind, ty, span: at.span })
    }

    fn as_condition(&mut self, operand: Expr, at: At) -> Checked<Expr> {
        match operand.ty.kind {
            Kind::Bool => Ok(operand),
            Kind::Null => self.coerce(operand, &Type::BOOL.to_optional(), Want::of("a condition")),
            _ => Err(self.report(
                Diagnostic::new(
                    Code::E0208,
                    format!("`{}` joins conditions, and this is `{}`", at.op.as_str(), operand.ty),
                    operand.span,
                )
                .label(at.op_span, "the operator")
                .help(if operand.ty.kind.is_numeric() {
                    "compare it: `… != 0`"
                } else {
                    "write a comparison"
                }),
            )),
        }
    }

    fn membership(&mut self, at: At, left: Checked<Expr>, right: &ast::Expr) -> Checked<Expr> {
        let hint = left.as_ref().ok().map(|item| Kind::List(Box::new(item.ty.to_required())).required());
        let right = self.check(right, hint.as_ref());
        let (item, list) = (left?, right?);
        let Kind::List(of) = &list.ty.kind else {
            let diagnostic =
                Diagnostic::new(Code::E0203, format!("`in` looks into a list, not into `{}`", list.ty), at.span)
                    .label(list.span, format!("this is `{}`", list.ty));
            return Err(self.report(match &list.ty.kind {
                Kind::String => diagnostic.help("ask `str_contains(…, \"…\")`"),
                Kind::Map(..) => diagnostic.help("ask whether the entry is there: `map[key] is not none`"),
                Kind::Vector(of, _) => diagnostic.help(format!("make it a list: `(… as [{of}])`")),
                _ => diagnostic.help("write a list: `x in [1, 2]`"),
            }));
        };
        let of = (**of).clone();
        if let Some(diagnostic) = self.bare_variant(&item, &list, at) {
            return Err(diagnostic);
        }
        let kinds = if item.ty.kind == Kind::Null { Some(of.clone()) } else { common_type(&item.ty, &of) };
        let Some(common) = kinds.filter(|common| common.kind == of.kind || matches!(list.kind, ExprKind::List(_)))
        else {
            return Err(self.report(
                Diagnostic::new(
                    Code::E0203,
                    format!("`in` looks for `{}` in a list of `{of}`", item.ty.to_required()),
                    at.span,
                )
                .label(item.span, format!("this is `{}`", item.ty))
                .label(list.span, format!("this is `{}`", list.ty))
                .help("convert one of the two with `as`"),
            ));
        };
        let item = self.widened(item, &common.kind);
        let list = self.list_of(list, &common.kind);
        let nullable = item.ty.nullable || list.ty.nullable || of.nullable;
        let ty = Type::BOOL.nullable_if(nullable);
        let found =
            Expr { kind: ExprKind::In { item: Box::new(item), list: Box::new(list) }, ty: ty.clone(), span: at.span };
        if at.op == BinaryOp::In {
            return Ok(found);
        }
        Ok(Expr { kind: ExprKind::Not(Box::new(found)), ty, span: at.span })
    }

    fn coalesce(&mut self, at: At, left: Checked<Expr>, right: &ast::Expr, want: Option<&Type>) -> Checked<Expr> {
        let hint = match &left {
            Ok(left) if left.ty.kind != Kind::Null => Some(left.ty.to_required()),
            _ => want.cloned(),
        };
        let right = self.check(right, hint.as_ref());
        let (left, right) = (left?, right?);
        if !left.ty.nullable {
            self.report(
                Diagnostic::new(
                    Code::W0202,
                    format!("`??` does nothing: the left side, `{}`, is never null", left.ty),
                    at.op_span,
                )
                .label(left.span, "never null")
                .help("leave `??` and what follows out"),
            );
        }
        let (left, right) = self.unified(left, right, "the two sides of `??`", at)?;
        let ty = Type { kind: right.ty.kind.clone(), nullable: left.ty.nullable && right.ty.nullable };
        Ok(Expr { kind: ExprKind::Coalesce(Box::new(left), Box::new(right)), ty, span: at.span })
    }

    pub(super) fn undefined(&self, at: At, left: &Expr, right: &Expr) -> Diagnostic {
        Diagnostic::new(
            Code::E0203,
            format!(
                "`{}` is not defined between `{}` and `{}`",
                at.op.as_str(),
                left.ty.to_required(),
                right.ty.to_required()
            ),
            at.op_span,
        )
        .label(left.span, format!("this is `{}`", left.ty))
        .label(right.span, format!("this is `{}`", right.ty))
    }
}

fn is_comparison(op: BinaryOp) -> bool {
    use BinaryOp::{Eq, Ge, Gt, In, Le, Lt, Ne, NotIn};
    matches!(op, Eq | Ne | Lt | Le | Gt | Ge | In | NotIn)
}
