//! Comparisons: `==`, `<`, `is none`, and what people compare by mistake.
//!
//! This file must not know names or calls.

use chalk_diagnostics::{Code, Diagnostic, Span};
use chalk_syntax::ast::{self, BinaryOp};
use chalk_types::{Kind, Type, Value};

use super::coerce::with_conversion;
use super::common::{adapt_literals, common_of};
use super::operators::At;
use super::{Checker, constant};
use crate::context::{Checked, Reported};
use crate::program::{Expr, ExprKind, OrderOp};

impl Checker<'_, '_> {
    /// `x is none`, `x is not none`.
    pub(super) fn is_none(&mut self, operand: &ast::Expr, negated: bool, span: Span) -> Checked<Expr> {
        let value = self.check(operand, None)?;
        Ok(self.null_test(value, negated, span))
    }

    fn null_test(&mut self, value: Expr, negated: bool, span: Span) -> Expr {
        if !value.ty.nullable {
            self.report(
                Diagnostic::new(Code::W0203, format!("this is always {negated}: `{}` is never null", value.ty), span)
                    .label(value.span, "never null")
                    .help("leave the test out, or declare the value with `?`"),
            );
        }
        Expr { kind: ExprKind::IsNull { value: Box::new(value), negated }, ty: Type::BOOL, span }
    }

    pub(super) fn equality(&mut self, at: At, left: Expr, right: Expr) -> Checked<Expr> {
        let negated = at.op == BinaryOp::Ne;
        match (&left.ty.kind, &right.ty.kind) {
            (Kind::Null, Kind::Null) => {
                return Ok(constant(Value::Bool(!negated), Type::BOOL, at.span));
            }
            (Kind::Null, _) => return Ok(self.null_test(right, negated, at.span)),
            (_, Kind::Null) => return Ok(self.null_test(left, negated, at.span)),
            _ => {}
        }
        let (left, right) = self.comparable(at, left, right)?;
        let kind = ExprKind::Equal { left: Box::new(left), right: Box::new(right), negated };
        Ok(Expr { kind, ty: Type::BOOL, span: at.span })
    }

    /// `==` of two expressions of equal kind, for `match`.
    pub(super) fn equals(&mut self, left: Expr, right: Expr, span: Span) -> Checked<Expr> {
        self.equality(At { op: BinaryOp::Eq, op_span: span, span }, left, right)
    }

    pub(super) fn order(&mut self, at: At, left: Expr, right: Expr) -> Checked<Expr> {
        for side in [&left, &right] {
            if side.ty.kind == Kind::Null {
                return Err(self.report(
                    Diagnostic::new(Code::E0203, format!("`{}` with `none` is always null", at.op.as_str()), at.span)
                        .help("ask `is none` or `is not none`"),
                ));
            }
        }
        let (left, right) = self.comparable(at, left, right)?;
        if !left.ty.kind.is_ordered() {
            let diagnostic =
                Diagnostic::new(Code::E0203, format!("`{}` has no order", left.ty.to_required()), at.op_span)
                    .at(format!("`{}` asks which is greater", at.op.as_str()))
                    .label(left.span, format!("this is `{}`", left.ty));
            return Err(self.report(match &left.ty.kind {
                Kind::Enum(_) => diagnostic.help("ask for variants: `… in [A.x, A.y]`"),
                _ => diagnostic.help("compare parts of it"),
            }));
        }
        let op = match at.op {
            BinaryOp::Lt => OrderOp::Less,
            BinaryOp::Le => OrderOp::LessEqual,
            BinaryOp::Gt => OrderOp::Greater,
            _ => OrderOp::GreaterEqual,
        };
        let ty = Type::BOOL.nullable_if(left.ty.nullable || right.ty.nullable);
        Ok(Expr { kind: ExprKind::Order { op, left: Box::new(left), right: Box::new(right) }, ty, span: at.span })
    }

    /// Both sides with one kind.
    pub(super) fn comparable(&mut self, at: At, left: Expr, right: Expr) -> Checked<(Expr, Expr)> {
        if let Some(reported) = self.bytes_and_text(&left, &right, at) {
            return Err(reported);
        }
        if let Some(reported) = self.bare_variant(&left, &right, at).or_else(|| self.bare_variant(&right, &left, at)) {
            return Err(reported);
        }
        let (left, right) = adapt_literals(left, right);
        let Some(common) = common_of(&left, &right) else {
            let (from, to) = (left.ty.kind.clone(), right.ty.kind.clone());
            let mut diagnostic = self.undefined(at, &left, &right);
            // A literal that is a time in text is converted, else the side that is no literal.
            let is_time = |kind: &Kind| matches!(kind, Kind::Datetime | Kind::Date | Kind::Time);
            let (left_is_literal, right_is_literal) =
                (matches!(left.kind, ExprKind::Const(_)), matches!(right.kind, ExprKind::Const(_)));
            if right_is_literal == is_time(&from) && (left_is_literal || right_is_literal) {
                diagnostic = with_conversion(diagnostic, &to, &from, right.span);
            } else if left_is_literal || right_is_literal {
                diagnostic = with_conversion(diagnostic, &from, &to, left.span);
            }
            return Err(self.report(diagnostic));
        };
        Ok((self.to_common(left, &common.kind), self.to_common(right, &common.kind)))
    }

    /// `header("X") == "User"`
    fn bytes_and_text(&self, left: &Expr, right: &Expr, at: At) -> Option<Reported> {
        let (bytes, text) = match (&left.ty.kind, &right.ty.kind) {
            (Kind::Bytes, Kind::String) => (left, right),
            (Kind::String, Kind::Bytes) => (right, left),
            _ => return None,
        };
        let diagnostic =
            Diagnostic::new(Code::E0412, format!("`{}` compares `bytes` with `string`", at.op.as_str()), at.span)
                .label(bytes.span, "this is `bytes`")
                .label(text.span, "this is `string`")
                .note("headers, keys and raw messages are bytes: nobody says that they are text");
        Some(self.report(match (&text.kind, &bytes.kind) {
            (ExprKind::Const(Value::String(literal)), _) => {
                diagnostic.help(format!("write the literal as bytes: `b{literal:?}`")).fix(text.span.at_start(), "b")
            }
            (_, ExprKind::Const(Value::Bytes(_))) => diagnostic.help("leave the `b` before the quotes out"),
            _ => diagnostic.help("convert one of the two: `bytes_to_string(…, \"utf-8\")`"),
        }))
    }

    /// `status == "failed"`
    pub(super) fn bare_variant(&self, one: &Expr, text: &Expr, at: At) -> Option<Reported> {
        let (Kind::Enum(def), false) = (&one.ty.kind, one.ty.kind == text.ty.kind) else { return None };
        let literal = match &text.kind {
            ExprKind::Const(Value::String(literal)) => Some(literal),
            ExprKind::List(items) => items.iter().find_map(|item| match &item.kind {
                ExprKind::Const(Value::String(literal)) => Some(literal),
                _ => None,
            }),
            _ => None,
        }?;
        let diagnostic = Diagnostic::new(
            Code::E0203,
            format!("`{}` compares the enum `{}` with text", at.op.as_str(), def.name),
            text.span,
        )
        .label(one.span, format!("this is `{}`", one.ty));
        let near = chalk_diagnostics::did_you_mean(literal, &def.variants)
            .or_else(|| def.variants.iter().find(|variant| *variant == literal).map(String::as_str));
        Some(self.report(match near {
            Some(variant) => {
                let written = format!("{}.{variant}", def.name);
                let diagnostic = diagnostic.help(format!("name the variant: `{written}`"));
                if matches!(text.kind, ExprKind::List(_)) { diagnostic } else { diagnostic.fix(text.span, written) }
            }
            None => diagnostic.help(format!("its variants are {}", super::access::listed(&def.variants))),
        }))
    }
}
