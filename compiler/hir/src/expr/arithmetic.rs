//! Arithmetic: what `+` and the like take and give.
//!
//! Integers widen to `int` (only `uint64` stays), `/` and `**` are about floats, decimals keep every digit: `+` and `-`
//! give one more than the wider operand, `*` the digits of both, all up to 38.
//!
//! This file must not know names or calls.

use chalk_diagnostics::{Code, Diagnostic, Span};
use chalk_syntax::ast::{self, BinaryOp};
use chalk_types::{IntWidth, Kind, Type, Value, common_type};

use super::common::adapt_literals;
use super::operators::At;
use super::{Checker, constant};
use crate::context::{Checked, Reported};
use crate::program::{ArithOp, Expr, ExprKind};

/// Digits of the widest decimal.
const MAX_PRECISION: u8 = 38;

impl Checker<'_, '_> {
    pub(super) fn negation(&mut self, operand: &ast::Expr, want: Option<&Type>, span: Span) -> Checked<Expr> {
        // `-9223372036854775808` is an `int`, though the number alone is not.
        if let ast::ExprKind::Int(value) = &operand.kind
            && let Some(negative) = value.checked_neg()
            && i64::try_from(negative).is_ok()
        {
            let width = match want {
                Some(Type { kind: Kind::Int(width), .. }) if width.range().0 <= negative => *width,
                _ => IntWidth::Int64,
            };
            return Ok(constant(Value::Int(negative), Kind::Int(width).required(), span));
        }
        let value = self.check(operand, None)?;
        if let (ExprKind::Const(Value::Float(value)), Kind::Float64) = (&value.kind, &value.ty.kind) {
            return Ok(constant(Value::Float(-value), Type::FLOAT, span));
        }
        let value = match &value.ty.kind {
            Kind::Int(IntWidth::UInt64) => {
                return Err(self.report(
                    Diagnostic::new(Code::E0203, "`-` is not defined for `uint64`", span)
                        .at("no `uint64` is below zero")
                        .help("make it an `int` first: `-(… as int)`"),
                ));
            }
            Kind::Int(_) => self.widened(value, &Kind::INT),
            Kind::Float32 => self.widened(value, &Kind::Float64),
            Kind::Float64 | Kind::Decimal { .. } | Kind::Duration => value,
            _ => {
                return Err(self.report(
                    Diagnostic::new(Code::E0203, format!("`-` is not defined for `{}`", value.ty), span)
                        .label(value.span, format!("this is `{}`", value.ty))
                        .help("numbers and durations have a negative"),
                ));
            }
        };
        let ty = value.ty.clone();
        Ok(Expr { kind: ExprKind::Neg(Box::new(value)), ty, span })
    }

    pub(super) fn arithmetic(&mut self, at: At, left: Expr, right: Expr) -> Checked<Expr> {
        for side in [&left, &right] {
            if side.ty.kind == Kind::Null {
                return Err(self.report(
                    Diagnostic::new(Code::E0203, format!("`{}` with `none` is always null", at.op.as_str()), at.span)
                        .label(side.span, "this is `none`")
                        .help("leave it out, or write the value that is meant"),
                ));
            }
        }
        let (left, right) = adapt_literals(left, right);
        let span = at.span;
        match (at.op, &left.ty.kind, &right.ty.kind) {
            (BinaryOp::Add, Kind::String, Kind::String) | (BinaryOp::Add, Kind::Bytes, Kind::Bytes) => {
                let kind = left.ty.kind.clone();
                Ok(arith(ArithOp::Add, left, right, kind, span))
            }
            (BinaryOp::Add, Kind::List(_), Kind::List(_)) => {
                let (left, right) = self.comparable(at, left, right)?;
                let (left, right) = self.same_lists(left, right);
                let kind = left.ty.kind.clone();
                Ok(arith(ArithOp::Add, left, right, kind, span))
            }
            (_, Kind::Duration | Kind::Datetime | Kind::Date, _)
            | (_, _, Kind::Duration | Kind::Datetime | Kind::Date) => self.time_arithmetic(at, left, right),
            (op, a, b) if a.is_numeric() && b.is_numeric() => match op {
                BinaryOp::Div | BinaryOp::Pow => {
                    let op = if op == BinaryOp::Div { ArithOp::Div } else { ArithOp::Pow };
                    let (left, right) = (self.widened(left, &Kind::Float64), self.widened(right, &Kind::Float64));
                    Ok(arith(op, left, right, Kind::Float64, span))
                }
                _ => self.number_arithmetic(at, left, right),
            },
            _ => {
                let diagnostic = self.undefined(at, &left, &right);
                Err(self.report(match (at.op, &left.ty.kind, &right.ty.kind) {
                    (BinaryOp::Add, Kind::String, other) if super::cast::is_castable(other, &Kind::String) => {
                        diagnostic.help("make the right side text: `… as string`")
                    }
                    (BinaryOp::Add, other, Kind::String) if super::cast::is_castable(other, &Kind::String) => {
                        diagnostic.help("make the left side text: `… as string`")
                    }
                    (_, Kind::String, number) if number.is_numeric() => {
                        diagnostic.help(format!("make the text a number: `… as {number}`"))
                    }
                    (_, number, Kind::String) if number.is_numeric() => {
                        diagnostic.help(format!("make the text a number: `… as {number}`"))
                    }
                    (_, Kind::Bool, _) | (_, _, Kind::Bool) => {
                        diagnostic.help("a condition is no number: `if … then 1 else 0`")
                    }
                    _ => diagnostic,
                }))
            }
        }
    }

    /// Two lists whose item kinds are equal, with one type.
    fn same_lists(&self, left: Expr, right: Expr) -> (Expr, Expr) {
        match common_type(&left.ty, &right.ty) {
            Some(common) => (self.as_list(left, &common.kind), self.as_list(right, &common.kind)),
            None => (left, right),
        }
    }

    fn number_arithmetic(&mut self, at: At, left: Expr, right: Expr) -> Checked<Expr> {
        let op = arith_op(at.op);
        let span = at.span;
        if let (Kind::Decimal { .. }, Kind::Decimal { .. } | Kind::Int(_)) | (Kind::Int(_), Kind::Decimal { .. }) =
            (&left.ty.kind, &right.ty.kind)
        {
            return self.decimal_arithmetic(at, left, right);
        }
        let Some(common) = common_type(&left.ty, &right.ty) else {
            let diagnostic = self.undefined(at, &left, &right);
            return Err(self.report(match (&left.ty.kind, &right.ty.kind) {
                (Kind::Decimal { .. }, _) | (_, Kind::Decimal { .. }) => diagnostic
                    .note("a decimal is exact and a float is not, so neither becomes the other by itself")
                    .help("convert one: `… as float`, or `… as decimal(p, s)`"),
                _ => diagnostic
                    .note("`uint64` and the signed integers hold different numbers")
                    .help("convert one: `… as int` fails the message where it does not fit"),
            }));
        };
        let kind = match common.kind {
            Kind::Int(IntWidth::UInt64) => Kind::Int(IntWidth::UInt64),
            Kind::Int(_) => Kind::INT,
            _ => Kind::Float64,
        };
        let (left, right) = (self.widened(left, &kind), self.widened(right, &kind));
        Ok(arith(op, left, right, kind, span))
    }

    fn decimal_arithmetic(&mut self, at: At, left: Expr, right: Expr) -> Checked<Expr> {
        let (left, right) = (self.int_to_decimal(left), self.int_to_decimal(right));
        let (Kind::Decimal { precision: p1, scale: s1 }, Kind::Decimal { precision: p2, scale: s2 }) =
            (left.ty.kind.clone(), right.ty.kind.clone())
        else {
            return Err(Reported);
        };
        let op = arith_op(at.op);
        if at.op == BinaryOp::Mul {
            let scale = s1 + s2;
            if scale > MAX_PRECISION {
                return Err(self.too_wide(at, &left, &right));
            }
            let kind = Kind::Decimal { precision: (p1 + p2).min(MAX_PRECISION), scale };
            return Ok(arith(op, left, right, kind, at.span));
        }
        let Some(common) = common_type(&left.ty, &right.ty) else { return Err(self.too_wide(at, &left, &right)) };
        let Kind::Decimal { precision, scale } = common.kind else { return Err(Reported) };
        let (left, right) = (self.widened(left, &common.kind), self.widened(right, &common.kind));
        let precision = if at.op == BinaryOp::Rem { precision } else { (precision + 1).min(MAX_PRECISION) };
        Ok(arith(op, left, right, Kind::Decimal { precision, scale }, at.span))
    }

    fn int_to_decimal(&self, expr: Expr) -> Expr {
        match expr.ty.kind {
            Kind::Int(width) => {
                let precision = (width.range().1.ilog10() + 1) as u8;
                self.widened(expr, &Kind::Decimal { precision, scale: 0 })
            }
            _ => expr,
        }
    }

    fn too_wide(&self, at: At, left: &Expr, right: &Expr) -> Reported {
        self.report(
            Diagnostic::new(
                Code::E0221,
                format!("the result of `{}` needs more than {MAX_PRECISION} digits", at.op.as_str()),
                at.span,
            )
            .label(left.span, format!("this is `{}`", left.ty))
            .label(right.span, format!("this is `{}`", right.ty))
            .note("`+`, `-` and `%` keep all digits after the point, `*` adds those of both sides")
            .help("cast an operand to fewer digits after the point, for instance `(… as decimal(18, 4))`"),
        )
    }

    fn time_arithmetic(&mut self, at: At, left: Expr, right: Expr) -> Checked<Expr> {
        let span = at.span;
        match (at.op, &left.ty.kind, &right.ty.kind) {
            (BinaryOp::Add | BinaryOp::Sub | BinaryOp::Rem, Kind::Duration, Kind::Duration) => {
                Ok(arith(arith_op(at.op), left, right, Kind::Duration, span))
            }
            (BinaryOp::Div, Kind::Duration, Kind::Duration) => {
                Ok(arith(ArithOp::Div, left, right, Kind::Float64, span))
            }
            (BinaryOp::Mul, Kind::Duration, Kind::Int(width)) if *width != IntWidth::UInt64 => {
                let right = self.widened(right, &Kind::INT);
                Ok(arith(ArithOp::Mul, left, right, Kind::Duration, span))
            }
            (BinaryOp::Mul, Kind::Int(width), Kind::Duration) if *width != IntWidth::UInt64 => {
                let left = self.widened(left, &Kind::INT);
                Ok(self
                    .swapped(left, right, span, |left, right| arith(ArithOp::Mul, right, left, Kind::Duration, span)))
            }
            (BinaryOp::Add | BinaryOp::Sub, Kind::Datetime, Kind::Duration) => {
                Ok(arith(arith_op(at.op), left, right, Kind::Datetime, span))
            }
            (BinaryOp::Sub, Kind::Datetime, Kind::Datetime) | (BinaryOp::Sub, Kind::Date, Kind::Date) => {
                Ok(arith(ArithOp::Sub, left, right, Kind::Duration, span))
            }
            (BinaryOp::Add, Kind::Date, Kind::Duration) => Ok(arith(ArithOp::Add, left, right, Kind::Date, span)),
            (BinaryOp::Sub, Kind::Date, Kind::Duration) => {
                let ty = right.ty.clone();
                let right_span = right.span;
                let right = match right.kind {
                    ExprKind::Const(Value::Duration(value)) => constant(Value::Duration(-value), ty, right_span),
                    kind => {
                        let right = Expr { kind, ty: ty.clone(), span: right_span };
                        Expr { kind: ExprKind::Neg(Box::new(right)), ty, span: right_span }
                    }
                };
                Ok(arith(ArithOp::Add, left, right, Kind::Date, span))
            }
            (BinaryOp::Add, Kind::Duration, Kind::Datetime | Kind::Date) => {
                let kind = right.ty.kind.clone();
                Ok(self.swapped(left, right, span, |left, right| arith(ArithOp::Add, right, left, kind, span)))
            }
            _ => {
                let diagnostic = self.undefined(at, &left, &right);
                Err(self.report(match (at.op, &left.ty.kind, &right.ty.kind) {
                    (BinaryOp::Add | BinaryOp::Sub, Kind::Datetime, number) if number.is_numeric() => {
                        diagnostic.help("say the unit of the number: `+ 30s`, or `… * 1s`")
                    }
                    (BinaryOp::Div, Kind::Duration, number) if number.is_numeric() => {
                        diagnostic.help("divide by a duration (`… / 1s`), which gives a float")
                    }
                    (BinaryOp::Sub, Kind::Datetime, Kind::Date) | (BinaryOp::Sub, Kind::Date, Kind::Datetime) => {
                        diagnostic.help("cast one: `… as date`, or `… as datetime` (midnight UTC)")
                    }
                    (_, Kind::Datetime | Kind::Date, Kind::String) => {
                        diagnostic.help("read the text: `parse_datetime(…)`")
                    }
                    (_, Kind::String, Kind::Datetime | Kind::Date) => {
                        diagnostic.help("read the text: `parse_datetime(…)`")
                    }
                    _ => diagnostic
                        .help("times take durations (`at + 30s`), and the difference of two times is a duration"),
                }))
            }
        }
    }

    /// An operation whose operands stand the other way round: the left one is still evaluated first.
    fn swapped(&mut self, left: Expr, right: Expr, span: Span, make: impl FnOnce(Expr, Expr) -> Expr) -> Expr {
        if self.is_simple(&left) || self.is_simple(&right) {
            return make(left, right);
        }
        let local = self.fresh_local();
        let bound = Expr { kind: ExprKind::Local(local), ty: left.ty.clone(), span: left.span };
        let body = make(bound, right);
        let ty = body.ty.clone();
        Expr { kind: ExprKind::Let { local, value: Box::new(left), body: Box::new(body) }, ty, span }
    }
}

fn arith_op(op: BinaryOp) -> ArithOp {
    match op {
        BinaryOp::Sub => ArithOp::Sub,
        BinaryOp::Mul => ArithOp::Mul,
        BinaryOp::Div => ArithOp::Div,
        BinaryOp::Rem => ArithOp::Rem,
        BinaryOp::Pow => ArithOp::Pow,
        _ => ArithOp::Add,
    }
}

/// Null if an operand is.
fn arith(op: ArithOp, left: Expr, right: Expr, kind: Kind, span: Span) -> Expr {
    let ty = Type { kind, nullable: left.ty.nullable || right.ty.nullable };
    Expr { kind: ExprKind::Arith { op, left: Box::new(left), right: Box::new(right) }, ty, span }
}
