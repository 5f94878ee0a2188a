//! Between lexer and grammar: where declarations and lines end, which brackets belong together, how deep it goes.
//!
//! The grammar gets one declaration at a time, with balanced brackets, line breaks only where they end an item, and no more
//! depth than it can stand. So a forgotten bracket costs its own declaration at most, and the grammar's rules stay short.
//!
//! This module must not know what the words mean, beyond which of them begin a declaration or are operators.

mod brackets;
mod chunks;
mod lines;

use chalk_diagnostics::{Diagnostic, FileId};
use chumsky::span::SimpleSpan;

use crate::lex::{Lexed, Token};
use crate::token::Tok;

pub(crate) use chunks::ITEM_WORDS;

/// How deep a tree may become: brackets, operators in a row and prefixes count one each.
pub(crate) const MAX_DEPTH: usize = 200;

/// The tokens of one declaration, ready for the grammar.
pub(crate) struct Chunk<'s> {
    pub(crate) tokens: Vec<(Tok<'s>, SimpleSpan)>,
    /// Whether a mistake was found here after which the grammar's own messages would only be echoes.
    pub(crate) quiet: bool,
}

/// The word that begins the declaration in these tokens.
pub(crate) fn item_word<'s>(tokens: &[(Tok<'s>, SimpleSpan)]) -> Option<&'s str> {
    tokens.iter().enumerate().find_map(|(i, &(tok, _))| match tok {
        Tok::Word(word) if ITEM_WORDS.contains(&word) && (i == 0 || tokens[i - 1].0 != Tok::At) => Some(word),
        _ => None,
    })
}

/// Cuts the tokens into declarations.
pub(crate) fn layout<'s>(
    file: FileId,
    text: &str,
    lexed: &Lexed<'s>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Chunk<'s>> {
    chunks::split(text, &lexed.tokens)
        .into_iter()
        .map(|range| {
            let tokens: &[Token<'s>] = &lexed.tokens[range];
            let kind = chunks::kind(tokens);
            let balanced = brackets::balance(file, tokens, diagnostics);
            lines::lay_out(file, kind, &balanced, diagnostics)
        })
        .filter(|chunk| !chunk.tokens.is_empty())
        .collect()
}
