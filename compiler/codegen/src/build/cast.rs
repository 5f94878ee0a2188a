//! Conversions: silent ones, `as T` and `as T?`.
//!
//! A conversion gives a value and whether it fits. `as T` fails the row where it does not, or where the operand is null;
//! `as T?` gives null. What concerns text and decimals the library converts; the rest is a few instructions.
//!
//! This file must not know arithmetic.

use chalk_catalog::FunctionDef;
use chalk_hir::program::{CastMode, Expr};
use chalk_types::{IntWidth, Kind};

use super::Scope;
use super::arith::DAY_US;
use super::value::{Flat, Val};
use crate::ir::{Binary, Literal, Op, Unary, V};

/// Whether a library function converts: from and to text (enums aside), and whatever concerns decimals.
fn needs_call(from: &Kind, to: &Kind) -> bool {
    let is = |kind: &Kind, other: &Kind| match kind {
        Kind::String => !matches!(other, Kind::Enum(_)),
        Kind::Decimal { .. } => true,
        _ => false,
    };
    is(from, to) || is(to, from)
}

impl Scope<'_> {
    /// A conversion.
    pub(super) fn cast(&mut self, operand: &Expr, mode: CastMode, expr: &Expr) -> Val {
        let value = self.expr(operand);
        let (from, to) = (&operand.ty.kind, &expr.ty.kind);
        if from == to {
            if mode == CastMode::Exact {
                self.fail_null(&value, expr);
            }
            return value;
        }
        if *from == Kind::Null {
            if mode == CastMode::Exact {
                self.fail_null(&value, expr);
            }
            return Val::Flat(self.null(to));
        }
        if mode == CastMode::Exact {
            self.fail_null(&value, expr);
        }
        let Flat { value, valid } = self.flatten(&value);
        let valid = if mode == CastMode::Exact { None } else { valid };
        Val::Flat(self.cast_value(Flat { value, valid }, from, to, mode, expr))
    }

    fn cast_value(&mut self, value: Flat, from: &Kind, to: &Kind, mode: CastMode, expr: &Expr) -> Flat {
        let base = |kind: &Kind| match kind {
            Kind::Int(width) if *width != IntWidth::UInt64 => Kind::INT,
            kind => kind.clone(),
        };
        // Library functions know `int`, `uint64` and `float`: narrower numbers go through these.
        if needs_call(from, to) {
            let wide_from =
                if matches!((from, to), (Kind::Float32, Kind::Decimal { .. })) { Kind::Float64 } else { base(from) };
            let wide_to = if *to == Kind::Float32 { Kind::Float64 } else { base(to) };
            if wide_from != *from || wide_to != *to {
                let wide = self.cast_step(value, from, &wide_from, CastMode::Widen, expr);
                let called = self.cast_step(wide, &wide_from, &wide_to, mode, expr);
                return self.cast_step(called, &wide_to, to, mode, expr);
            }
        }
        self.cast_step(value, from, to, mode, expr)
    }

    fn cast_step(&mut self, value: Flat, from: &Kind, to: &Kind, mode: CastMode, expr: &Expr) -> Flat {
        if from == to {
            return value;
        }
        let Flat { value, valid } = value;
        if needs_call(from, to) {
            return self.guarded(valid, to, |this| this.cast_by_call(value, from, to, mode, expr));
        }
        if let (Kind::String, Kind::Enum(def)) = (from, to) {
            // The text is looked at, so it must be there.
            return self.guarded(valid, to, |this| {
                let (variant, fits) = this.text_to_enum(value, &def.variants, to);
                this.fitting(variant, Some(fits), None, to, mode, expr)
            });
        }
        let (value, fits) = self.convert(value, from, to, mode);
        self.fitting(value, fits, valid, to, mode, expr)
    }

    /// A converted value: where it does not fit, null or a failure.
    fn fitting(&mut self, value: V, fits: Option<V>, valid: Option<V>, to: &Kind, mode: CastMode, expr: &Expr) -> Flat {
        match fits {
            Some(fits) if mode == CastMode::Try => Flat { value, valid: self.b.both(valid, Some(fits)) },
            Some(fits) => {
                self.fail_unless(fits, valid, expr, &format!("the value does not fit `{to}`"));
                Flat { value, valid }
            }
            None => Flat { value, valid },
        }
    }

    /// A conversion that the library does. It answers by failing, and `as T?` recovers from that.
    fn cast_by_call(&mut self, value: V, from: &Kind, to: &Kind, mode: CastMode, expr: &Expr) -> Flat {
        let (function, args) = self.conversion(value, from, to);
        let ty = to.clone().required();
        if mode != CastMode::Try || !function.fallible {
            return self.call_def(function, &args, &ty, expr);
        }
        self.b.open();
        let flat = self.call_def(function, &args, &ty, expr);
        let frame = self.b.close();
        let body = self.with_flag(frame, flat);
        self.b.open();
        let null = self.null(to);
        let frame = self.b.close();
        let fallback = self.with_flag(frame, null);
        let joined = self.b.recover(body, fallback, None);
        Flat { value: joined[0], valid: Some(joined[1]) }
    }

    /// The library function `cast(a)->b` with its arguments: decimals do not carry their digits, so these are arguments.
    fn conversion(&mut self, value: V, from: &Kind, to: &Kind) -> (&'static FunctionDef, Vec<Flat>) {
        let name = |kind: &Kind| match kind {
            Kind::Decimal { .. } => "decimal".to_owned(),
            kind => kind.to_string(),
        };
        let mut args = vec![Flat::some(value)];
        let mut digits = |digits: u8| args.push(Flat::some(self.b.int(i64::from(digits))));
        if let Kind::Decimal { scale, .. } = from {
            digits(*scale);
        }
        if let Kind::Decimal { precision, scale } = to {
            digits(*precision);
            digits(*scale);
        }
        let wanted = format!("cast({})->{}", name(from), name(to));
        match self.catalog.overloads(&wanted).next() {
            Some(function) => (function.def, args),
            None => unreachable!("no conversion `{wanted}` in the catalog"),
        }
    }

    fn fail_null(&mut self, value: &Val, expr: &Expr) {
        if let Some(valid) = self.validity(value) {
            self.fail_unless(valid, None, expr, "a value is wanted, but it is null");
        }
    }

    /// A conversion by machine instructions, and whether it fits where that is not always so.
    fn convert(&mut self, value: V, from: &Kind, to: &Kind, mode: CastMode) -> (V, Option<V>) {
        match (from, to) {
            (Kind::Int(a), Kind::Int(b)) => self.int_to_int(value, *a, *b, to),
            (Kind::Int(width), Kind::Float64 | Kind::Float32) => self.int_to_float(value, *width, to, mode),
            (Kind::Float32, Kind::Float64) => (self.retype(value, to), None),
            (Kind::Float64, Kind::Float32) => self.float_to_float32(value, to, mode),
            (Kind::Float32 | Kind::Float64, Kind::Int(width)) => self.float_to_int(value, *width, to),
            (Kind::Bool, Kind::Int(_)) => {
                let (one, zero) =
                    (self.b.constant(Literal::Int(1), to.clone()), self.b.constant(Literal::Int(0), to.clone()));
                (self.b.emit(Op::Select(value, one, zero), to.clone()), None)
            }
            (Kind::Date, Kind::Datetime) => {
                // Microseconds end some 292 000 years from now, days much later.
                let fits = Op::InRange { value, low: i64::MIN / DAY_US, high: i64::MAX / DAY_US };
                let fits = self.b.emit(fits, Kind::Bool);
                let day = self.b.int(DAY_US);
                (self.b.emit(Op::Binary(Binary::IntMul, value, day), to.clone()), Some(fits))
            }
            (Kind::Datetime, Kind::Date | Kind::Time) => (self.split_datetime(value, to), None),
            (Kind::Enum(def), Kind::String) => (self.enum_to_text(value, &def.variants), None),
            (Kind::List(_) | Kind::Vector(..), Kind::List(_)) => (self.retype(value, to), None),
            _ => unreachable!("no conversion from {from} to {to}"),
        }
    }

    pub(super) fn retype(&mut self, value: V, to: &Kind) -> V {
        self.b.emit(Op::Unary(Unary::Retype, value), to.clone())
    }

    fn int_to_int(&mut self, value: V, from: IntWidth, to: IntWidth, kind: &Kind) -> (V, Option<V>) {
        let (low, high) = to.range();
        let (from_low, from_high) = from.range();
        let same = self.retype(value, kind);
        if from_low >= low && from_high <= high {
            return (same, None);
        }
        // An unsigned value past the signed ones reads as negative, so both ends are signed ones.
        let (low, high) = (low.max(from_low) as i64, high.min(i128::from(i64::MAX)) as i64);
        let low = if from == IntWidth::UInt64 { low.max(0) } else { low };
        let fits = self.b.emit(Op::InRange { value, low, high }, Kind::Bool);
        (same, Some(fits))
    }

    /// Silently an integer is rounded to the nearest float; `as` wants it exact.
    fn int_to_float(&mut self, value: V, width: IntWidth, to: &Kind, mode: CastMode) -> (V, Option<V>) {
        let unsigned = width == IntWidth::UInt64;
        let op = if unsigned { Unary::UintToFloat } else { Unary::IntToFloat };
        let float = self.b.emit(Op::Unary(op, value), Kind::Float64);
        let exact_bits = if *to == Kind::Float32 { 24 } else { 53 };
        let float =
            if *to == Kind::Float32 { self.b.emit(Op::Unary(Unary::RoundToFloat32, float), to.clone()) } else { float };
        if mode == CastMode::Widen || width.size_bytes() * 8 <= exact_bits {
            return (float, None);
        }
        let (fits, back) =
            if unsigned { (Unary::FitsUint, Unary::FloatToUint) } else { (Unary::FitsInt, Unary::FloatToInt) };
        let fits = self.b.emit(Op::Unary(fits, float), Kind::Bool);
        let back = self.b.emit(Op::Unary(back, float), Kind::Int(width));
        let same = self.b.emit(Op::Binary(Binary::IntEqual, back, value), Kind::Bool);
        (float, Some(self.b.and(fits, same)))
    }

    /// A float32 is a float rounded; only a finite one that becomes infinite does not fit.
    fn float_to_float32(&mut self, value: V, to: &Kind, mode: CastMode) -> (V, Option<V>) {
        let narrow = self.b.emit(Op::Unary(Unary::RoundToFloat32, value), to.clone());
        if mode == CastMode::Widen {
            return (narrow, None);
        }
        let infinity = self.b.constant(Literal::float(f64::INFINITY), Kind::Float64);
        let mut is_infinite = |value| {
            let magnitude = self.b.emit(Op::Unary(Unary::FloatAbs, value), Kind::Float64);
            self.b.emit(Op::Binary(Binary::FloatEqual, magnitude, infinity), Kind::Bool)
        };
        let (before, after) = (is_infinite(value), is_infinite(narrow));
        let same = self.b.emit(Op::Binary(Binary::IntEqual, before, after), Kind::Bool);
        (narrow, Some(same))
    }

    fn float_to_int(&mut self, value: V, width: IntWidth, to: &Kind) -> (V, Option<V>) {
        if width == IntWidth::UInt64 {
            let fits = self.b.emit(Op::Unary(Unary::FitsUint, value), Kind::Bool);
            return (self.b.emit(Op::Unary(Unary::FloatToUint, value), to.clone()), Some(fits));
        }
        let mut fits = self.b.emit(Op::Unary(Unary::FitsInt, value), Kind::Bool);
        let int = self.b.emit(Op::Unary(Unary::FloatToInt, value), to.clone());
        if width != IntWidth::Int64 {
            let (low, high) = width.range();
            let inside = self.b.emit(Op::InRange { value: int, low: low as i64, high: high as i64 }, Kind::Bool);
            fits = self.b.and(fits, inside);
        }
        (int, Some(fits))
    }

    /// The date, or the time of day, in UTC; rounded down.
    fn split_datetime(&mut self, value: V, to: &Kind) -> V {
        let day = self.b.int(DAY_US);
        let quotient = self.b.emit(Op::Binary(Binary::IntQuotient, value, day), Kind::INT);
        let days_us = self.times_day(quotient);
        let rest = self.b.emit(Op::Binary(Binary::IntSub, value, days_us), Kind::INT);
        let zero = self.b.int(0);
        let before = self.b.emit(Op::Binary(Binary::IntLess, rest, zero), Kind::Bool);
        let one = self.b.int(1);
        let (adjusted, plain) = if *to == Kind::Date {
            (self.b.emit(Op::Binary(Binary::IntSub, quotient, one), Kind::INT), quotient)
        } else {
            (self.b.emit(Op::Binary(Binary::IntAdd, rest, day), Kind::INT), rest)
        };
        let picked = self.b.emit(Op::Select(before, adjusted, plain), Kind::INT);
        self.retype(picked, to)
    }

    /// Days in microseconds, of a number of days that came from microseconds.
    fn times_day(&mut self, days: V) -> V {
        let day = self.b.int(DAY_US);
        self.b.emit(Op::Binary(Binary::IntMul, days, day), Kind::INT)
    }

    fn enum_to_text(&mut self, value: V, variants: &[String]) -> V {
        let mut text = self.b.constant(Literal::Bytes(Vec::new()), Kind::String);
        for (index, variant) in variants.iter().enumerate().rev() {
            let index = self.b.int(index as i64);
            let is = self.b.emit(Op::Binary(Binary::IntEqual, value, index), Kind::Bool);
            let name = self.b.constant(Literal::Bytes(variant.clone().into_bytes()), Kind::String);
            text = self.b.emit(Op::Select(is, name, text), Kind::String);
        }
        text
    }

    fn text_to_enum(&mut self, value: V, variants: &[String], to: &Kind) -> (V, V) {
        let mut found = self.b.bool(false);
        let mut index_of = self.b.constant(Literal::Int(0), to.clone());
        for (index, variant) in variants.iter().enumerate() {
            let name = self.b.constant(Literal::Bytes(variant.clone().into_bytes()), Kind::String);
            let is = self.b.emit(Op::Binary(Binary::TextEqual, value, name), Kind::Bool);
            let index = self.b.constant(Literal::Int(index as i64), to.clone());
            index_of = self.b.emit(Op::Select(is, index, index_of), to.clone());
            found = self.b.or(found, is);
        }
        (index_of, found)
    }
}
