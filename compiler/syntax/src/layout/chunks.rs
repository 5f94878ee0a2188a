//! Where declarations begin.
//!
//! At the top level a declaration begins with its word at the beginning of a line. Inside open brackets it does so only if the
//! tokens after it leave no doubt: then a bracket was forgotten before.
//!
//! This module must not change tokens.

use std::ops::Range;

use crate::lex::Token;
use crate::token::{LitKind, OpenBrackets, Tok};

/// The words that begin declarations.
pub(crate) const ITEM_WORDS: &[&str] =
    &["source", "features", "message", "enum", "stream", "fn", "import", "online", "extern", "test"];

/// Words that begin a line inside a declaration, outside of brackets.
const LINE_WORDS: &[&str] =
    &["from", "where", "parse", "timestamp", "dedup", "window", "by", "sink", "sql", "at", "for", "over", "within"];

/// Cuts at the beginnings of declarations; doc comments and attributes belong to what follows them.
pub(super) fn split(text: &str, tokens: &[Token<'_>]) -> Vec<Range<usize>> {
    let mut starts: Vec<usize> = Vec::new();
    let mut open: OpenBrackets<()> = OpenBrackets::default();
    // Whether doc comments or attributes were read that wait for their declaration.
    let mut prefix = false;
    for (i, token) in tokens.iter().enumerate() {
        if !open.is_empty() && token.first && is_surely_item(&tokens[i..]) {
            open.take();
            starts.push(prefix_start(tokens, i, starts.last().copied().unwrap_or(0)));
            prefix = false;
        } else if open.is_empty() {
            let begins_item = matches!(token.tok, Tok::Word(word) if ITEM_WORDS.contains(&word))
                && matches!(tokens.get(i + 1).map(|t| t.tok), Some(Tok::Word(_) | Tok::Lit(LitKind::String, _)));
            let after_at = i > 0 && tokens[i - 1].tok == Tok::At;
            if token.first && matches!(token.tok, Tok::Doc(_) | Tok::At) {
                if !prefix {
                    starts.push(i);
                }
                prefix = true;
            } else if prefix && begins_item && !after_at {
                prefix = false;
            } else if token.first && (begins_item || begins_unknown(text, tokens, i)) {
                if !prefix {
                    starts.push(i);
                }
                prefix = false;
            }
        }
        open.push(token.tok, ());
        open.close(token.tok);
    }
    if !tokens.is_empty() && starts.first() != Some(&0) {
        starts.insert(0, 0);
    }
    starts.dedup();
    let ends = starts.iter().skip(1).copied().chain([tokens.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

/// The word that begins the declaration in these tokens.
pub(super) fn kind<'s>(tokens: &[Token<'s>]) -> Option<&'s str> {
    tokens.iter().enumerate().find_map(|(i, token)| match token.tok {
        Tok::Word(word) if ITEM_WORDS.contains(&word) && (i == 0 || tokens[i - 1].tok != Tok::At) => Some(word),
        _ => None,
    })
}

/// Whether these tokens can only be the beginning of a declaration.
fn is_surely_item(tokens: &[Token<'_>]) -> bool {
    let tok = |i: usize| tokens.get(i).map(|token| token.tok);
    let Some(Tok::Word(word)) = tok(0) else { return false };
    let named_then = |third: Tok<'static>| matches!(tok(1), Some(Tok::Word(_))) && tok(2) == Some(third);
    match word {
        "source" => named_then(Tok::Assign),
        "features" | "message" | "enum" => named_then(Tok::LBrace),
        "stream" | "fn" | "online" => named_then(Tok::LParen),
        "extern" => tok(1) == Some(Tok::Word("online")),
        "import" => matches!((tok(1), tok(2)), (Some(Tok::Word(_)), Some(Tok::Lit(LitKind::String, _)))),
        "test" => {
            matches!(tok(1), Some(Tok::Lit(LitKind::String, _)))
                && matches!(tok(2), Some(Tok::LBrace | Tok::Word("for")))
        }
        _ => false,
    }
}

/// A line at the margin that continues nothing: text where a declaration was expected.
fn begins_unknown(text: &str, tokens: &[Token<'_>], i: usize) -> bool {
    let token = &tokens[i];
    let at_margin = token.start == 0 || text.as_bytes()[token.start as usize - 1] == b'\n';
    let Tok::Word(word) = token.tok else { return false };
    at_margin
        && !LINE_WORDS.contains(&word)
        && !matches!(word, "and" | "or" | "not" | "in" | "is" | "as" | "then" | "else")
        && (i == 0 || tokens[i - 1].tok.ends_operand())
}

/// The first of the doc comments and attributes on the lines before the declaration at `i`.
fn prefix_start(tokens: &[Token<'_>], i: usize, floor: usize) -> usize {
    let mut start = i;
    let mut line = i;
    while line > floor {
        line -= 1;
        if tokens[line].first {
            if !matches!(tokens[line].tok, Tok::Doc(_) | Tok::At) {
                break;
            }
            start = line;
        }
    }
    start
}
