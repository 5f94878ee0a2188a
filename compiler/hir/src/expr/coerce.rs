//! Making an expression what is wanted: silent conversions made explicit, literals adapted, and all else explained.
//!
//! Which conversions are silent is `chalk_types::coercion`'s to say. Literals do more: `5` is an `int8` where one is
//! wanted, `1.10` a decimal.
//!
//! This file must not know operators or calls.

use chalk_diagnostics::{Code, Diagnostic, Span};
use chalk_types::{Coercion, Kind, Type, Value, coercion};

use super::{Checker, constant};
use crate::constant::{fits_precision, ten_to, widen};
use crate::context::{Checked, Reported};
use crate::program::{CastMode, Expr, ExprKind};

/// Who wants a type, for the message.
#[derive(Clone, Copy)]
pub(crate) struct Want<'w> {
    what: &'w str,
    name: &'w str,
    declared: Option<Span>,
}

impl<'w> Want<'w> {
    /// `what` with a name, and where its type is declared.
    pub(crate) fn new(what: &'w str, name: &'w str, declared: Span) -> Want<'w> {
        Want { what, name, declared: Some(declared) }
    }

    /// Something without a name.
    pub(crate) fn of(what: &'w str) -> Want<'w> {
        Want { what, name: "", declared: None }
    }

    fn text(&self) -> String {
        if self.name.is_empty() { self.what.to_owned() } else { format!("{} `{}`", self.what, self.name) }
    }
}

/// A decimal that a literal is, with the fewest digits; none where it has more than 38.
pub(super) fn decimal_of_literal(value: &Value) -> Option<(i128, u8, u8)> {
    let text = match value {
        Value::Int(value) => value.to_string(),
        Value::Float(value) if value.is_finite() => format!("{value}"),
        _ => return None,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let unscaled: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = u8::try_from(fraction.len()).ok().filter(|scale| *scale <= 38)?;
    let digits = unscaled.unsigned_abs().checked_ilog10().map_or(1, |log| log as u8 + 1);
    let precision = digits.max(scale).max(1);
    (precision <= 38).then_some((unscaled, precision, scale))
}

impl Checker<'_, '_> {
    /// The expression as the type that is wanted.
    pub(crate) fn coerce(&mut self, expr: Expr, want: &Type, who: Want) -> Checked<Expr> {
        if expr.ty.kind == Kind::Null {
            if want.nullable {
                return Ok(Expr { ty: want.clone(), ..expr });
            }
            return Err(self.report(
                Diagnostic::new(Code::E0202, format!("`none` where {} is never null", who.text()), expr.span)
                    .labels_declared(who, want)
                    .help(format!("give a value of type `{want}`, or declare it `{want}?`")),
            ));
        }
        let expr = match self.adapt_literal(expr, want) {
            Ok(expr) => expr,
            Err((span, message)) => {
                return Err(self.report(
                    Diagnostic::new(Code::E0206, message, span)
                        .at(format!("{} is `{want}`", who.text()))
                        .help("write a literal that fits, or declare a wider type"),
                ));
            }
        };
        let to = if expr.ty.nullable { want.to_optional() } else { want.clone() };
        let Some(how) = coercion(&expr.ty, &to) else { return Err(self.mismatch(&expr, want, who)) };
        if expr.ty.nullable && !want.nullable {
            return Err(self.may_be_null(&expr, want, who));
        }
        Ok(self.converted(expr, &want.kind, how))
    }

    /// Applies a silent conversion to a kind.
    pub(super) fn converted(&self, expr: Expr, kind: &Kind, how: Coercion) -> Expr {
        if expr.ty.kind == *kind {
            return expr;
        }
        let ty = Type { kind: kind.clone(), nullable: expr.ty.nullable };
        if expr.ty.kind == Kind::Null {
            return Expr { ty: ty.to_optional(), ..expr };
        }
        debug_assert!(how != Coercion::Identity || matches!(kind, Kind::List(_)), "kinds differ: {} {kind}", expr.ty);
        if let ExprKind::Const(value) = expr.kind {
            return constant(widen(value, &expr.ty, &ty), ty, expr.span);
        }
        let span = expr.span;
        Expr { kind: ExprKind::Cast { value: Box::new(expr), mode: CastMode::Widen }, ty, span }
    }

    /// A silent conversion that is known to exist.
    pub(super) fn widened(&self, expr: Expr, kind: &Kind) -> Expr {
        self.converted(expr, kind, Coercion::Widen)
    }

    /// A list as a list of another item type, a vector as a list.
    pub(super) fn as_list(&self, expr: Expr, kind: &Kind) -> Expr {
        if expr.ty.kind == *kind {
            return expr;
        }
        let ty = Type { kind: kind.clone(), nullable: expr.ty.nullable };
        let span = expr.span;
        Expr { kind: ExprKind::Cast { value: Box::new(expr), mode: CastMode::Widen }, ty, span }
    }

    /// A number literal as the number type that is wanted, where it fits exactly.
    pub(super) fn adapt_literal(&self, expr: Expr, want: &Type) -> Result<Expr, (Span, String)> {
        let ExprKind::Const(value) = &expr.kind else { return Ok(expr) };
        let ty = want.to_required();
        match (value, &expr.ty.kind, &want.kind) {
            (_, have, wanted) if have == wanted => Ok(expr),
            (Value::Int(int), Kind::Int(_), Kind::Int(width)) => {
                let (low, high) = width.range();
                if (low..=high).contains(int) {
                    return Ok(Expr { ty, ..expr });
                }
                Err((expr.span, format!("{int} does not fit `{}`, which goes from {low} to {high}", width.name())))
            }
            (Value::Int(int), Kind::Int(_), Kind::Float32) => {
                Ok(constant(Value::Float(f64::from(*int as f32)), ty, expr.span))
            }
            (Value::Float(float), Kind::Float64, Kind::Float32) => {
                Ok(constant(Value::Float(f64::from(*float as f32)), ty, expr.span))
            }
            (Value::Int(_) | Value::Float(_), Kind::Int(_) | Kind::Float64, Kind::Decimal { precision, scale }) => {
                let fits = decimal_of_literal(value).and_then(|(unscaled, _, digits)| {
                    let unscaled = unscaled.checked_mul(ten_to(scale.checked_sub(digits)?))?;
                    fits_precision(unscaled, *precision).then_some(unscaled)
                });
                match fits {
                    Some(unscaled) => Ok(constant(Value::Decimal(unscaled), ty, expr.span)),
                    None => Err((expr.span, format!("the number does not fit `{}` exactly", want.kind))),
                }
            }
            _ => Ok(expr),
        }
    }

    fn mismatch(&self, expr: &Expr, want: &Type, who: Want) -> Reported {
        let diagnostic =
            Diagnostic::new(Code::E0201, format!("{} wants `{want}`, not `{}`", who.text(), expr.ty), expr.span)
                .at(format!("this is `{}`", expr.ty))
                .labels_declared(who, want);
        self.report(with_conversion(diagnostic, &expr.ty.kind, &want.kind, expr.span))
    }

    fn may_be_null(&self, expr: &Expr, want: &Type, who: Want) -> Reported {
        let diagnostic =
            Diagnostic::new(Code::E0202, format!("{} is never null, but this may be", who.text()), expr.span)
                .at(format!("this is `{}`, wanted is `{want}`", expr.ty))
                .labels_declared(who, want);
        let default = match &want.kind {
            Kind::Bool => "false".to_owned(),
            Kind::Int(_) | Kind::Decimal { .. } => "0".to_owned(),
            Kind::Float32 | Kind::Float64 => "0.0".to_owned(),
            Kind::String => "\"\"".to_owned(),
            Kind::Bytes => "b\"\"".to_owned(),
            Kind::Duration => "0s".to_owned(),
            Kind::List(_) => "[]".to_owned(),
            Kind::Enum(def) if !def.variants.is_empty() => format!("{}.{}", def.name, def.variants[0]),
            _ => String::new(),
        };
        // `??` binds tighter than comparisons and the like: there a reader adds the brackets.
        let needs_brackets = matches!(
            expr.kind,
            ExprKind::If { .. }
                | ExprKind::And(..)
                | ExprKind::Or(..)
                | ExprKind::Not(_)
                | ExprKind::Order { .. }
                | ExprKind::In { .. }
                | ExprKind::Let { .. }
        );
        self.report(if default.is_empty() {
            diagnostic.help("give a default with `??`, or make it `as` the type to fail the message where it is null")
        } else if needs_brackets {
            diagnostic.help(format!("give a default: `(…) ?? {default}`"))
        } else {
            diagnostic
                .help(format!(
                    "give a default (`?? {default}`), or make it `as {}` to fail the message where it is null",
                    want.kind
                ))
                .fix(expr.span.at_end(), format!(" ?? {default}"))
        })
    }
}

/// Adds how a value of one kind becomes one of another, where there is a way.
pub(super) fn with_conversion(diagnostic: Diagnostic, from: &Kind, to: &Kind, span: Span) -> Diagnostic {
    let after = |text: &str| Some((text.to_owned(), Some(text.to_owned())));
    let help: Option<(String, Option<String>)> = match (from, to) {
        (Kind::String, Kind::Datetime) => {
            return diagnostic
                .note("text does not become a time by itself: its format has to be said or be RFC 3339")
                .help("convert it: `parse_datetime(…)`");
        }
        (Kind::Int(_) | Kind::Float32 | Kind::Float64, Kind::Datetime) => {
            return diagnostic
                .help("say what the number counts: `from_unix_seconds(…)` or `from_unix_milliseconds(…)`");
        }
        (Kind::Datetime, Kind::Int(_) | Kind::Float64) => {
            return diagnostic.help("say in which unit: `unix_seconds(…)` or `unix_milliseconds(…)`");
        }
        (Kind::Duration, Kind::Int(_) | Kind::Float64) => {
            return diagnostic.help("divide it by a unit (`… / 1s`), or use `total_seconds(…)`");
        }
        (Kind::Bytes, Kind::String) => return diagnostic.help("decode it: `bytes_to_string(…, \"utf-8\")`"),
        (Kind::String, Kind::Bytes) => return diagnostic.help("encode it: `string_to_bytes(…, \"utf-8\")`"),
        (Kind::Float32 | Kind::Float64 | Kind::Decimal { .. }, Kind::Int(_)) => {
            return diagnostic.help(format!(
                "say how to round, then cast: `round(…) as {to}`; `as {to}` alone fails the message where there is a \
                 fraction"
            ));
        }
        (from, Kind::List(item)) if *from == item.kind => {
            return diagnostic.help("put it between brackets for a list of one: `[…]`");
        }
        _ if super::cast::is_castable(from, to) => after(&format!(" as {to}")),
        _ => None,
    };
    // Every number has a text.
    let always_fits = matches!(
        (from, to),
        (Kind::Bool | Kind::Int(_) | Kind::Float32 | Kind::Float64 | Kind::Decimal { .. }, Kind::String)
    );
    match help {
        Some((text, Some(edit))) if always_fits => {
            diagnostic.help(format!("convert it: `…{text}`")).fix(span.at_end(), edit)
        }
        Some((text, Some(edit))) => diagnostic
            .help(format!("convert it: `…{text}`, which fails the message where it does not fit"))
            .fix(span.at_end(), edit),
        _ => diagnostic,
    }
}

/// The second label of diagnostics about a wanted type.
trait Declared {
    fn labels_declared(self, who: Want, want: &Type) -> Diagnostic;
}

impl Declared for Diagnostic {
    fn labels_declared(self, who: Want, want: &Type) -> Diagnostic {
        match who.declared {
            Some(span) => self.label(span, format!("`{want}` is declared here")),
            None => self,
        }
    }
}
