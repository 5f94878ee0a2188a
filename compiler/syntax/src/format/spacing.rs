//! Where blanks stand within a line.
//!
//! This module must not know lines or indentation.

use crate::token::{LitKind, Tok, is_reserved};

/// The tokens around a place.
pub(super) struct Around<'a, 's> {
    /// All tokens of the line before the place; at least one.
    pub(super) before: &'a [Tok<'s>],
    /// The token after the place.
    pub(super) next: Tok<'s>,
    /// Whether the innermost bracket around the place is a `{` without blanks inside.
    pub(super) tight_braces: bool,
    /// Whether the line begins with a word that an expression follows, such as `where`.
    pub(super) begins_with_clause: bool,
}

/// Whether there is a blank between two tokens of a line.
pub(super) fn blank(around: &Around<'_, '_>) -> bool {
    let before = around.before;
    let Some(&prev) = before.last() else { return false };
    match (prev, around.next) {
        (Tok::LBrace, Tok::RBrace) => false,
        (Tok::LBrace, _) | (_, Tok::RBrace) => !around.tight_braces,
        (Tok::LParen | Tok::LBracket | Tok::LAngle | Tok::At | Tok::Dot | Tok::DotDot, _) => false,
        (_, Tok::RParen | Tok::RBracket | Tok::LAngle | Tok::RAngle) => false,
        (_, Tok::Comma | Tok::Colon | Tok::Semicolon | Tok::Dot | Tok::DotDot) => false,
        (Tok::Question, Tok::Question) => true,
        (_, Tok::Question) => false,
        (Tok::Minus, _) => !is_sign(around),
        (_, Tok::LParen) => !is_called(around, prev),
        (_, Tok::LBracket) => !is_indexed(around, prev),
        _ => true,
    }
}

/// Whether the minus before the place stands before its only operand.
fn is_sign(around: &Around<'_, '_>) -> bool {
    let before = &around.before[..around.before.len() - 1];
    match before {
        [] => false,
        [Tok::Word(_)] if around.begins_with_clause => true,
        [.., last] => !last.ends_operand(),
    }
}

fn is_called(around: &Around<'_, '_>, prev: Tok<'_>) -> bool {
    match prev {
        Tok::Word(_) if around.before.len() == 1 && around.begins_with_clause => false,
        Tok::Word(word) => is_name(around, word),
        Tok::RAngle => true,
        _ => false,
    }
}

fn is_indexed(around: &Around<'_, '_>, prev: Tok<'_>) -> bool {
    let before = &around.before[..around.before.len() - 1];
    match prev {
        Tok::Word(_) if before.is_empty() && around.begins_with_clause => false,
        // The clause of a field, unless it is a value's name.
        Tok::Word("over") => !before.last().is_some_and(|tok| tok.ends_operand() || *tok == Tok::RAngle),
        Tok::Word(word) => is_name(around, word),
        Tok::RParen | Tok::RBracket | Tok::RBrace => true,
        Tok::Lit(kind, _) => matches!(kind, LitKind::String | LitKind::Bytes | LitKind::Int),
        _ => false,
    }
}

/// Whether a word is a name here, not an operator.
fn is_name(around: &Around<'_, '_>, word: &str) -> bool {
    let after_dot = around.before.len() > 1 && around.before[around.before.len() - 2] == Tok::Dot;
    after_dot || !(is_reserved(word) || word == "as")
}
