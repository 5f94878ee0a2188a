//! `dedup key within duration`: what makes two messages the same, and for how long that is remembered.
//!
//! Every key that is remembered is state, so there is no `dedup` without an end: `within` is not optional. The key is
//! compared by its bytes, so it has a type of which equal values have equal bytes.
//!
//! This file must not know how keys are kept.

use chalk_diagnostics::{Code, Diagnostic, Span};
use chalk_syntax::ast;
use chalk_types::Kind;

use crate::context::{Checked, Reported};
use crate::expr::Checker;
use crate::program::{Dedup, Expr};

/// A `dedup` clause as written.
#[derive(Clone, Copy)]
pub(crate) struct DedupClause<'a> {
    pub(crate) key: &'a ast::Expr,
    pub(crate) within: Option<&'a ast::Expr>,
    pub(crate) span: Span,
}

/// Checks the clause where the message is parsed and its event time is known.
pub(crate) fn check(checker: &mut Checker, clause: DedupClause) -> Checked<Dedup> {
    let key = checker.whole(clause.key).and_then(|key| suitable(checker, key));
    let within_us = within(checker, clause);
    Ok(Dedup { key: key?, within_us: within_us? })
}

/// The key, where it has a type that can be one.
fn suitable(checker: &Checker, key: Expr) -> Checked<Expr> {
    if is_key_kind(&key.ty.kind) {
        return Ok(key);
    }
    let diagnostic = Diagnostic::new(Code::E0420, format!("messages cannot be told apart by `{}`", key.ty), key.span)
        .at("the key of `dedup`")
        .note("a key is an integer, `string`, `bytes`, `bool`, `date`, `datetime` or an enum, or may be null as well");
    Err(checker.report(match &key.ty.kind {
        Kind::Struct(message) => match message.fields.iter().find(|field| is_key_kind(&field.ty.kind)) {
            Some(field) => {
                diagnostic.help(format!("name a field that says which message it is, such as `….{}`", field.name))
            }
            None => diagnostic.help("name a field that says which message it is"),
        },
        Kind::Float32 | Kind::Float64 => {
            diagnostic.help("floats that should be equal often differ in the last digit; use the id of the message")
        }
        Kind::Decimal { .. } | Kind::Time | Kind::Duration => diagnostic.help("make it text: `… as string`"),
        Kind::Null => diagnostic.help("a message whose key is `none` is never a duplicate, so this does nothing"),
        _ => diagnostic.help("use one value that says which message it is"),
    }))
}

/// Whether equal values of the kind have equal bytes.
fn is_key_kind(kind: &Kind) -> bool {
    matches!(kind, Kind::Bool | Kind::Int(_) | Kind::String | Kind::Bytes | Kind::Date | Kind::Datetime | Kind::Enum(_))
}

fn within(checker: &Checker, clause: DedupClause) -> Checked<i64> {
    let Some(within) = clause.within else {
        return Err(checker.report(
            Diagnostic::new(Code::E0421, "`dedup` does not say for how long a key is remembered", clause.span)
                .at("`within` is missing")
                .note("without an end the keys of all messages that ever came would be kept")
                .help("say how far apart two copies of a message can be: `within 24h`")
                .fix(clause.key.span.at_end(), " within 24h"),
        ));
    };
    match within.kind {
        ast::ExprKind::Error => Err(Reported),
        ast::ExprKind::Duration(within_us) if within_us > 0 => Ok(within_us),
        ast::ExprKind::Duration(_) => Err(checker.report(
            Diagnostic::new(Code::E0422, "`within` is longer than nothing", within.span)
                .at("keys would be forgotten at once")
                .help("write a duration such as `24h`, or leave `dedup` out"),
        )),
        _ => Err(checker.report(
            Diagnostic::new(Code::E0422, "`within` is a duration", within.span)
                .at("a literal is wanted here")
                .note("how long keys are kept is known before the first message, so that memory can be planned")
                .help("write a duration such as `24h` or `30m`"),
        )),
    }
}
