//! Makes brackets balanced: closes what was left open, drops what closes nothing, and says so.
//!
//! A bracket left open is closed where the next line clearly begins something new, so that the lines after it are still read.
//!
//! This module must not know declarations: it sees one at a time.

use chalk_diagnostics::{Code, Diagnostic, FileId, Span};

use crate::lex::Token;
use crate::token::{OpenBrackets, Tok};

/// How far the place for a missing bracket is searched, and how many of one declaration are reported one by one.
const SEARCH_LIMIT: usize = 2_000;
const REPORT_LIMIT: usize = 3;
const SEARCHED_BRACKETS: usize = 16;

/// The tokens with balanced brackets; brackets that were put in have no length.
pub(super) fn balance<'s>(file: FileId, tokens: &[Token<'s>], diagnostics: &mut Vec<Diagnostic>) -> Vec<Token<'s>> {
    let mut open: OpenBrackets<usize> = OpenBrackets::default();
    // Closing brackets to put in before a token, in this order.
    let mut missing: Vec<(usize, Tok<'static>)> = Vec::new();
    let mut stray: Vec<usize> = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        open.push(token.tok, i);
        if token.tok.closes() {
            match open.close(token.tok) {
                Some(unclosed) => close(file, tokens, &unclosed, i, &mut missing, diagnostics),
                None => stray.push(i),
            }
        }
    }
    close(file, tokens, &open.take(), tokens.len(), &mut missing, diagnostics);
    report_stray(file, tokens, &stray, diagnostics);
    if missing.is_empty() && stray.is_empty() {
        return tokens.to_vec();
    }
    // Stable: brackets of one place stay innermost first.
    missing.sort_by_key(|&(at, _)| at);
    let mut out = Vec::with_capacity(tokens.len() + missing.len());
    let mut missing = missing.into_iter().peekable();
    let mut stray = stray.into_iter().peekable();
    for i in 0..=tokens.len() {
        while let Some((_, tok)) = missing.next_if(|&(at, _)| at == i) {
            let place = if i == 0 { 0 } else { tokens[i - 1].end };
            out.push(Token { tok, start: place, end: place, first: false });
        }
        if stray.next_if_eq(&i).is_none()
            && let Some(token) = tokens.get(i)
        {
            out.push(*token);
        }
    }
    out
}

/// Plans the closing of the brackets opened at `unclosed`, at the latest before token `before`.
fn close(
    file: FileId,
    tokens: &[Token<'_>],
    unclosed: &[usize],
    before: usize,
    missing: &mut Vec<(usize, Tok<'static>)>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    // From the innermost outwards: an outer bracket ends before the next one begins, or not before that one ends.
    let mut at = before;
    for (n, &opener) in unclosed.iter().enumerate().rev() {
        let token = &tokens[opener];
        let Some(partner) = token.tok.partner() else { continue };
        let inner = unclosed.get(n + 1).copied();
        if token.tok == Tok::LBrace {
            // Braces stay open for as long as they can: their lines are separate anyway.
            at = before;
        } else if inner.is_none() || unclosed.len() <= SEARCHED_BRACKETS {
            let limit = inner.unwrap_or(before);
            let found = place(tokens, opener, limit);
            if found < limit || inner.is_none() {
                at = found;
            }
        }
        let here = at;
        missing.push((here, partner));
        if unclosed.len() <= REPORT_LIMIT || n == 0 {
            let span = Span::new(file, token.start, token.end);
            let message = format!("this {} is never closed", token.tok.describe());
            let diagnostic =
                Diagnostic::new(Code::E0008, message, span).help(format!("add its {}", partner.describe()));
            diagnostics.push(if unclosed.len() > REPORT_LIMIT {
                diagnostic.note(format!("neither are {} brackets inside it", unclosed.len() - 1))
            } else {
                diagnostic
            });
        }
    }
}

/// The token before which a bracket opened at `opener` should have been closed.
fn place(tokens: &[Token<'_>], opener: usize, before: usize) -> usize {
    let tok = |i: usize| tokens.get(i).map(|token| token.tok);
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate().take(before).skip(opener + 1).take(SEARCH_LIMIT) {
        if token.first && depth == 0 {
            let begins = match (token.tok, tok(i + 1)) {
                (Tok::Word("let"), Some(Tok::Word(_))) | (Tok::Word(_), Some(Tok::Assign)) => true,
                (Tok::Word(_), Some(Tok::Colon)) => {
                    !matches!(tokens[i - 1].tok, Tok::Comma | Tok::LParen | Tok::LBracket)
                }
                (Tok::At | Tok::Doc(_) | Tok::RBrace, _) => true,
                _ => false,
            };
            if begins {
                return i;
            }
        }
        if token.tok.opens() {
            depth += 1;
        } else if token.tok.closes() {
            depth = depth.saturating_sub(1);
        }
    }
    before
}

/// One diagnostic for each run of brackets that close nothing.
fn report_stray(file: FileId, tokens: &[Token<'_>], stray: &[usize], diagnostics: &mut Vec<Diagnostic>) {
    let mut runs = stray.chunk_by(|a, b| a + 1 == *b);
    while let Some(&[first, ..]) = runs.next() {
        let token = &tokens[first];
        let span = Span::new(file, token.start, token.end);
        let message = format!("this {} closes nothing", token.tok.describe());
        diagnostics.push(Diagnostic::new(Code::E0008, message, span).help("remove it, or open its partner before"));
    }
}
