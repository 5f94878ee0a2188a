//! Arithmetic: of integers checked, of floats plain, of times and durations in microseconds.
//!
//! Operands that may be null are computed with anyway; a result that does not fit fails the row only where both are there.
//!
//! This file must not know conversions.

use chalk_hir::program::{ArithOp, Expr};
use chalk_types::{IntWidth, Kind};

use super::Scope;
use super::value::Flat;
use crate::ir::{Binary, Checked, Op, Unary, V};

/// Microseconds of a day.
pub(super) const DAY_US: i64 = 86_400_000_000;

impl Scope<'_> {
    /// The place that fails where an integer result does not fit.
    pub(super) fn overflow_site(&mut self, expr: &Expr) -> u32 {
        self.tables.sites.intern((expr.span, "integer overflow".to_owned()))
    }

    /// `-x`
    pub(super) fn negate(&mut self, operand: &Expr, expr: &Expr) -> Flat {
        let Flat { value, valid } = self.flat(operand);
        let kind = expr.ty.kind.clone();
        let value = match &kind {
            Kind::Float32 | Kind::Float64 => self.b.emit(Op::Unary(Unary::FloatNeg, value), kind),
            Kind::Decimal { .. } => {
                let zero = self.b.constant(crate::ir::Literal::Decimal(0), kind.clone());
                return self.decimal(ArithOp::Sub, (Flat::some(zero), &kind), (Flat { value, valid }, &kind), expr);
            }
            _ => self.checked(Checked::Neg, value, value, valid, expr),
        };
        Flat { value, valid }
    }

    /// Arithmetic of two operands.
    pub(super) fn arith(&mut self, op: ArithOp, left: &Expr, right: &Expr, expr: &Expr) -> Flat {
        let (a, b) = (self.flat(left), self.flat(right));
        let valid = self.b.both(a.valid, b.valid);
        let kind = expr.ty.kind.clone();
        let value = match (op, &left.ty.kind, &right.ty.kind) {
            (_, Kind::Decimal { .. }, _) | (_, _, Kind::Decimal { .. }) => {
                return self.decimal(op, (a, &left.ty.kind), (b, &right.ty.kind), expr);
            }
            (ArithOp::Add, Kind::String | Kind::Bytes | Kind::List(_) | Kind::Vector(..), _) => {
                let ty = self.tables.types.intern(kind.clone().required());
                return self.guarded(valid, &kind, |this| {
                    Flat::some(this.b.emit(Op::Concat { ty, left: a.value, right: b.value }, kind.clone()))
                });
            }
            (ArithOp::Div, Kind::Duration, Kind::Duration) => {
                let a = self.b.emit(Op::Unary(Unary::IntToFloat, a.value), Kind::Float64);
                let b = self.b.emit(Op::Unary(Unary::IntToFloat, b.value), Kind::Float64);
                self.b.emit(Op::Binary(Binary::FloatDiv, a, b), kind)
            }
            (_, Kind::Float32 | Kind::Float64, _) => self.float(op, a.value, b.value, kind),
            (ArithOp::Add, Kind::Date, Kind::Duration) => self.add_days(a.value, b.value, valid, expr),
            (ArithOp::Add, Kind::Duration, Kind::Date) => self.add_days(b.value, a.value, valid, expr),
            (ArithOp::Sub, Kind::Date, Kind::Duration) => {
                let negative = self.checked_as(Checked::Neg, b.value, b.value, valid, expr, Kind::Duration);
                self.add_days(a.value, negative, valid, expr)
            }
            (ArithOp::Sub, Kind::Date, Kind::Date) => {
                let days = self.b.emit(Op::Binary(Binary::IntSub, a.value, b.value), Kind::INT);
                let day = self.b.int(DAY_US);
                self.checked(Checked::Mul, days, day, valid, expr)
            }
            (_, Kind::Int(IntWidth::UInt64), _) => {
                let op = match op {
                    ArithOp::Add => Checked::UintAdd,
                    ArithOp::Sub => Checked::UintSub,
                    ArithOp::Mul => Checked::UintMul,
                    _ => Checked::UintRem,
                };
                self.checked(op, a.value, b.value, valid, expr)
            }
            (op, ..) => {
                let op = match op {
                    ArithOp::Add => Checked::Add,
                    ArithOp::Sub => Checked::Sub,
                    ArithOp::Mul => Checked::Mul,
                    ArithOp::Rem => Checked::Rem,
                    ArithOp::Div | ArithOp::Pow => unreachable!("{op:?} is of floats"),
                };
                self.checked(op, a.value, b.value, valid, expr)
            }
        };
        Flat { value, valid }
    }

    /// Arithmetic of decimals, by library functions that are told the digits of the result.
    fn decimal(&mut self, op: ArithOp, left: (Flat, &Kind), right: (Flat, &Kind), expr: &Expr) -> Flat {
        let Kind::Decimal { precision, .. } = expr.ty.kind else { unreachable!("a decimal result of {op:?}") };
        debug_assert!(matches!((left.1, right.1), (Kind::Decimal { .. }, Kind::Decimal { .. })));
        let (name, with_precision) = match op {
            ArithOp::Add => ("decimal.add", true),
            ArithOp::Sub => ("decimal.sub", true),
            ArithOp::Mul => ("decimal.mul", true),
            ArithOp::Rem => ("decimal.rem", false),
            ArithOp::Div | ArithOp::Pow => unreachable!("{op:?} is of floats"),
        };
        let mut args = vec![left.0, right.0];
        if with_precision {
            args.push(Flat::some(self.b.int(i64::from(precision))));
        }
        let Some(function) = self.catalog.overloads(name).next() else { unreachable!("no `{name}` in the catalog") };
        self.call_def(function.def, &args, &expr.ty.to_required(), expr)
    }

    fn float(&mut self, op: ArithOp, a: V, b: V, kind: Kind) -> V {
        let op = match op {
            ArithOp::Add => Binary::FloatAdd,
            ArithOp::Sub => Binary::FloatSub,
            ArithOp::Mul => Binary::FloatMul,
            ArithOp::Div => Binary::FloatDiv,
            ArithOp::Rem => Binary::FloatRem,
            ArithOp::Pow => Binary::FloatPow,
        };
        let value = self.b.emit(Op::Binary(op, a, b), kind.clone());
        if kind == Kind::Float32 { self.b.emit(Op::Unary(Unary::RoundToFloat32, value), kind) } else { value }
    }

    /// A date moved by a duration of whole days.
    fn add_days(&mut self, date: V, duration: V, valid: Option<V>, expr: &Expr) -> V {
        let day = self.b.int(DAY_US);
        let site = self.overflow_site(expr);
        let rest = Op::Checked { op: Checked::Rem, left: duration, right: day, guard: None, site };
        let rest = self.b.emit(rest, Kind::INT);
        let zero = self.b.int(0);
        let whole = self.b.emit(Op::Binary(Binary::IntEqual, rest, zero), Kind::Bool);
        self.fail_unless(whole, valid, expr, "a date moves by whole days only");
        let days = self.b.emit(Op::Binary(Binary::IntQuotient, duration, day), Kind::INT);
        let moved = self.b.emit(Op::Binary(Binary::IntAdd, date, days), Kind::Date);
        let (low, high) = (i64::from(i32::MIN), i64::from(i32::MAX));
        let fits = self.b.emit(Op::InRange { value: moved, low, high }, Kind::Bool);
        self.fail_unless(fits, valid, expr, "the date is out of range");
        moved
    }

    /// Fails the row where the flag is false and the operands are there.
    pub(super) fn fail_unless(&mut self, flag: V, valid: Option<V>, expr: &Expr, reason: &str) {
        let failed = self.b.not(flag);
        let cond = match valid {
            Some(valid) => self.b.and(valid, failed),
            None => failed,
        };
        let site = self.tables.sites.intern((expr.span, reason.to_owned()));
        self.b.effect(Op::FailIf { cond, site });
    }

    /// Checked arithmetic that gives the expression's kind.
    fn checked(&mut self, op: Checked, left: V, right: V, guard: Option<V>, expr: &Expr) -> V {
        let kind = expr.ty.kind.clone();
        let value = self.checked_as(op, left, right, guard, expr, kind.clone());
        // Registers are 64 bits wide; a narrower result is looked at again.
        if let Kind::Int(width) = kind
            && !matches!(width, IntWidth::Int64 | IntWidth::UInt64)
        {
            let (low, high) = width.range();
            let fits = self.b.emit(Op::InRange { value, low: low as i64, high: high as i64 }, Kind::Bool);
            self.fail_unless(fits, guard, expr, "integer overflow");
        }
        value
    }

    fn checked_as(&mut self, op: Checked, left: V, right: V, guard: Option<V>, expr: &Expr, kind: Kind) -> V {
        let site = match op {
            Checked::Rem | Checked::UintRem => self.tables.sites.intern((expr.span, "division by zero".to_owned())),
            _ => self.overflow_site(expr),
        };
        self.b.emit(Op::Checked { op, left, right, guard, site }, kind)
    }
}
