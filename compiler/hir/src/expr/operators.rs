//! Operators: what they take, what they give, and the conversions in between.
//!
//! Integers widen to `int` (only `uint64` stays), `/` and `**` are about floats, decimals keep every digit: `+` and `-`
//! give one more than the wider operand, `*` the digits of both, all up to 38.
//!
//! This file must not know names or calls.

use chalk_diagnostics::{Code, Diagnostic, Span};
use chalk_syntax::ast::{self, BinaryOp, UnaryOp};
use chalk_types::{IntWidth, Kind, Type, Value, common_type};

use super::coerce::{decimal_of_literal, with_conversion};
use super::{Checker, Want, constant};
use crate::context::{Checked, Reported};
use crate::program::{ArithOp, Expr, ExprKind, OrderOp};

/// Digits of the widest decimal.
const MAX_PRECISION: u8 = 38;

/// An operator where it stands, with the span of the whole.
#[derive(Clone, Copy)]
struct At {
    op: BinaryOp,
    op_span: Span,
    span: Span,
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

    fn negation(&mut self, operand: &ast::Expr, want: Option<&Type>, span: Span) -> Checked<Expr> {
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

    /// A binary operator. Chains such as `a + b + c` lean to the left and are walked without recursion.
    pub(super) fn binary(&mut self, expr: &ast::Expr, want: Option<&Type>) -> Checked<Expr> {
        let mut spine = Vec::new();
        let mut leftmost = expr;
        while let ast::ExprKind::Binary { op, op_span, left, right } = &leftmost.kind {
            spine.push((At { op: *op, op_span: *op_span, span: leftmost.span }, &**right));
            leftmost = left;
        }
        let hint = |at: &At| match at.op {
            BinaryOp::Coalesce | BinaryOp::Add => want.cloned(),
            _ => None,
        };
        let first_hint = spine.last().and_then(|(at, _)| hint(at));
        let mut left = self.check(leftmost, first_hint.as_ref());
        let facts = self.facts_mark();
        while let Some((at, right)) = spine.pop() {
            self.nodes += 1;
            self.within_size(at.span)?;
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

    /// A list literal with its items widened; any other list has that item kind already.
    fn list_of(&self, list: Expr, kind: &Kind) -> Expr {
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

    fn equality(&mut self, at: At, left: Expr, right: Expr) -> Checked<Expr> {
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

    fn order(&mut self, at: At, left: Expr, right: Expr) -> Checked<Expr> {
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
    fn comparable(&mut self, at: At, left: Expr, right: Expr) -> Checked<(Expr, Expr)> {
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
    fn bare_variant(&self, one: &Expr, text: &Expr, at: At) -> Option<Reported> {
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

    fn undefined(&self, at: At, left: &Expr, right: &Expr) -> Diagnostic {
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

    fn arithmetic(&mut self, at: At, left: Expr, right: Expr) -> Checked<Expr> {
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

impl From<At> for Span {
    fn from(at: At) -> Span {
        at.span
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

/// A literal beside a `uint64` or a decimal takes its kind, so that `price * 1.1` and `id + 1` mean what they say.
fn adapt_literals(left: Expr, right: Expr) -> (Expr, Expr) {
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
fn common_of(left: &Expr, right: &Expr) -> Option<Type> {
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
