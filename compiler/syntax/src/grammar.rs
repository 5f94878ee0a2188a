//! The grammar: from the tokens of one declaration to its tree, with chumsky.
//!
//! Recovery is everywhere the same: an item that cannot be read is skipped to the next separator at its level, a bracket that cannot
//! be read is skipped whole. Brackets are balanced and depth is bounded before (see `layout`), so both are simple.
//!
//! This module must not know where lines end: line breaks that matter arrive as tokens.

mod error;
mod expr;
mod item;
mod resolver;
mod test;
mod ty;

use chalk_diagnostics::{FileId, Span};
use chumsky::input::{Input as _, MappedInput};
use chumsky::prelude::*;

use crate::ast::{self, IntLit, Name, StringLit};
use crate::lex::Literal;
use crate::literal;
use crate::token::{LitKind, Tok, is_reserved};

pub(crate) use error::{Expect, Expected, ParseError};

/// What the grammar reads.
type In<'t, 's> = MappedInput<'t, Tok<'s>, SimpleSpan, &'t [(Tok<'s>, SimpleSpan)]>;
type Extra<'s> = extra::Err<ParseError<'s>>;
/// A rule.
type Rule<'t, 's, O> = Boxed<'t, 't, In<'t, 's>, O, Extra<'s>>;

/// What rules need beside the tokens.
#[derive(Clone, Copy)]
struct Cx<'t> {
    file: FileId,
    text: &'t str,
    literals: &'t [Literal],
}

impl Cx<'_> {
    fn span(self, span: SimpleSpan) -> Span {
        Span::new(self.file, span.start as u32, span.end as u32)
    }
}

/// The grammar of a file's declarations; built once, used for each.
pub(crate) struct Grammar<'t, 's> {
    item: Rule<'t, 's, ast::Item>,
}

impl<'t, 's: 't> Grammar<'t, 's> {
    pub(crate) fn new(file: FileId, text: &'t str, literals: &'t [Literal]) -> Grammar<'t, 's> {
        Grammar { item: item::item(Cx { file, text, literals }) }
    }

    /// Reads the tokens of one declaration.
    pub(crate) fn item(&self, tokens: &'t [(Tok<'s>, SimpleSpan)]) -> (Option<ast::Item>, Vec<ParseError<'s>>) {
        let end = tokens.last().map_or(0, |(_, span)| span.end);
        let input = tokens.split_token_span(SimpleSpan::new((), end..end));
        self.item.parse(input).into_output_errors()
    }
}

/// A word with a meaning of its own.
fn word<'t, 's: 't>(word: &'static str) -> Rule<'t, 's, ()> {
    just(Tok::Word(word)).ignored().boxed()
}

/// A symbol.
fn symbol<'t, 's: 't>(tok: Tok<'static>) -> Rule<'t, 's, ()> {
    just(tok).ignored().boxed()
}

/// A name: any word that is not reserved.
fn name<'t, 's: 't>(cx: Cx<'t>) -> Rule<'t, 's, Name> {
    select! { Tok::Word(word) if !is_reserved(word) => word }
        .map_with(move |text: &str, e| Name { text: text.into(), span: cx.span(e.span()) })
        .labelled(Expect::Name)
        .boxed()
}

/// A name that stands where no expression can: any word.
fn field_name<'t, 's: 't>(cx: Cx<'t>) -> Rule<'t, 's, Name> {
    select! { Tok::Word(word) => word }
        .map_with(move |text: &str, e| Name { text: text.into(), span: cx.span(e.span()) })
        .labelled(Expect::Name)
        .boxed()
}

fn string_lit<'t, 's: 't>(cx: Cx<'t>) -> Rule<'t, 's, StringLit> {
    select! { Tok::Lit(LitKind::String, index) => index }
        .map_with(move |index: u32, e| {
            let text = match &cx.literals[index as usize] {
                Literal::String(text) => text.clone(),
                _ => String::new(),
            };
            let span: SimpleSpan = e.span();
            let pieces = literal::text_pieces(&cx.text[span.start..span.end]);
            StringLit { text, span: cx.span(span), pieces }
        })
        .labelled(Expect::String)
        .boxed()
}

fn int_lit<'t, 's: 't>(cx: Cx<'t>) -> Rule<'t, 's, IntLit> {
    let digits =
        select! { Tok::Lit(LitKind::Int, index) => index }.map(move |index: u32| match cx.literals[index as usize] {
            Literal::Int(value) => value,
            _ => 0,
        });
    // A number that was refused already stands for any.
    let digits = choice((digits, just(Tok::Bad).to(0)));
    just(Tok::Minus)
        .or_not()
        .then(digits)
        .map_with(move |(minus, value), e| IntLit {
            value: if minus.is_some() { -value } else { value },
            span: cx.span(e.span()),
        })
        .labelled(Expect::Int)
        .boxed()
}

/// What ends an item inside braces, and a value inside any bracket.
fn item_end<'t, 's: 't>() -> Rule<'t, 's, ()> {
    let end_tokens = one_of([Tok::Newline, Tok::Comma, Tok::RBrace, Tok::RParen, Tok::RBracket]).ignored();
    choice((end_tokens, end())).rewind().labelled(Expect::ItemEnd).boxed()
}

/// Any bracket with all that is in it.
fn bracket<'t, 's: 't>() -> Rule<'t, 's, ()> {
    let brackets = [Tok::LParen, Tok::RParen, Tok::LBracket, Tok::RBracket, Tok::LBrace, Tok::RBrace];
    recursive(|tree| {
        let inner = choice((tree, none_of(brackets).ignored())).repeated();
        choice((
            inner.clone().delimited_by(just(Tok::LParen), just(Tok::RParen)),
            inner.clone().delimited_by(just(Tok::LBracket), just(Tok::RBracket)),
            inner.delimited_by(just(Tok::LBrace), just(Tok::RBrace)),
        ))
    })
    .boxed()
}

/// One token or bracket of an item: anything before its end.
fn item_part<'t, 's: 't>() -> Rule<'t, 's, ()> {
    let other = none_of([
        Tok::LParen,
        Tok::RParen,
        Tok::LBracket,
        Tok::RBracket,
        Tok::LBrace,
        Tok::RBrace,
        Tok::Newline,
        Tok::Comma,
    ]);
    choice((bracket(), other.ignored())).boxed()
}

/// Whatever stands before the end of an item, possibly nothing.
fn rest_of_item<'t, 's: 't>() -> Rule<'t, 's, ()> {
    item_part().repeated().boxed()
}

/// `{ item … }`, items separated by commas or line breaks. What cannot be read as an item is reported and left out.
fn braced<'t, 's: 't, O: 't>(item: Rule<'t, 's, O>) -> Rule<'t, 's, Vec<O>> {
    let item = item.then_ignore(item_end()).map(Some);
    let item = item.recover_with(via_parser(item_part().repeated().at_least(1).map(|()| None)));
    let separator = choice((just(Tok::Newline), just(Tok::Comma))).labelled(Expect::ItemEnd);
    item.separated_by(separator)
        .allow_trailing()
        .collect::<Vec<Option<O>>>()
        .map(|items| items.into_iter().flatten().collect())
        .delimited_by(just(Tok::LBrace), just(Tok::RBrace))
        .boxed()
}

/// A line break where the layout left one that means nothing.
fn line_break<'t, 's: 't>() -> Rule<'t, 's, ()> {
    just(Tok::Newline).or_not().ignored().boxed()
}
