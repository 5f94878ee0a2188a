//! `as`: which types become which, and casts that do nothing.
//!
//! This file must not know how a conversion is carried out.

use chalk_diagnostics::{Code, Diagnostic, Span};
use chalk_syntax::ast;
use chalk_types::Kind;

use super::Checker;
use super::coerce::with_conversion;
use crate::context::Checked;
use crate::program::{CastMode, Expr, ExprKind};
use crate::resolve_type::Place;

/// Whether `as` converts between two kinds that differ.
pub(super) fn is_castable(from: &Kind, to: &Kind) -> bool {
    let text = |kind: &Kind| {
        kind.is_numeric() || matches!(kind, Kind::Bool | Kind::Datetime | Kind::Date | Kind::Time | Kind::Enum(_))
    };
    match (from, to) {
        (a, b) if a.is_numeric() && b.is_numeric() => true,
        (Kind::String, kind) | (kind, Kind::String) => text(kind),
        (Kind::Bool, Kind::Int(_)) => true,
        (Kind::Datetime, Kind::Date | Kind::Time) | (Kind::Date, Kind::Datetime) => true,
        (Kind::Vector(a, _), Kind::List(b)) => a == b,
        _ => false,
    }
}

impl Checker<'_, '_> {
    /// `operand as T`, `operand as T?`.
    pub(super) fn cast(&mut self, operand: &ast::Expr, ty: &ast::TypeExpr, span: Span) -> Checked<Expr> {
        let target = self.context.resolve_type(ty, Place::new("the cast", ""));
        let value = self.check(operand, None);
        let (target, value) = (target?, value?);
        if value.ty.kind == Kind::Null {
            return self.coerce(value, &target, super::Want::of("the cast"));
        }
        let mode = if target.nullable { CastMode::Try } else { CastMode::Exact };
        if value.ty.kind == target.kind {
            if value.ty.nullable && !target.nullable {
                return Ok(Expr { kind: ExprKind::Cast { value: Box::new(value), mode }, ty: target, span });
            }
            let message = if value.ty.nullable == target.nullable {
                format!("this cast does nothing: the value is `{target}` already")
            } else {
                format!("this cast does nothing: a `{}` always fits `{target}`", value.ty)
            };
            self.report(Diagnostic::new(Code::W0201, message, span).help("leave the cast out"));
            return Ok(value);
        }
        if let (Kind::Vector(a, _), Kind::List(b)) = (&value.ty.kind, &target.kind)
            && a == b
        {
            let list = self.as_list(value, &target.kind);
            return if list.ty.nullable && !target.nullable {
                Ok(Expr { kind: ExprKind::Cast { value: Box::new(list), mode }, ty: target, span })
            } else {
                Ok(list)
            };
        }
        if !is_castable(&value.ty.kind, &target.kind) {
            let diagnostic = Diagnostic::new(
                Code::E0209,
                format!("`{}` cannot be cast to `{}`", value.ty.to_required(), target.to_required()),
                span,
            )
            .at("no conversion between the two");
            return Err(self.report(with_conversion(diagnostic, &value.ty.kind, &target.kind, span)));
        }
        Ok(Expr { kind: ExprKind::Cast { value: Box::new(value), mode }, ty: target, span })
    }
}
