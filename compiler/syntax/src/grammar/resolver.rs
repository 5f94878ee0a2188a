//! Resolvers: streams with their clauses, online resolvers, and those that run elsewhere.
//!
//! Clauses may stand in any order here; that there is only one right order is said afterwards (`check`), where all are at hand.
//!
//! This module must not know what a clause does.

use chalk_diagnostics::Code;
use chumsky::prelude::*;

use super::item::Parts;
use super::{
    Expect, ParseError, Rule, braced, bracket, field_name, item_part, line_break, name, string_lit, symbol, word,
};
use crate::ast::{
    Assignment, Clause, ClauseKind, Expr, ExprKind, ExternOnline, Item, Online, Sink, Stream, StreamBody, Window,
};
use crate::token::Tok;

/// `feature = value`
pub(super) fn assignment<'t, 's: 't>(parts: &Parts<'t, 's>) -> Rule<'t, 's, Assignment> {
    let cx = parts.cx;
    // A habit from blocks: it is read as the assignment that it would be there.
    let stray_let = word("let").then(any().rewind().and_is(just(Tok::Assign).not())).map_with(|_, e| e.span());
    let stray_let = stray_let.or_not().validate(|span: Option<SimpleSpan>, _, emitter| {
        if let Some(span) = span {
            let message = "the body of a resolver assigns features, and has no `let`";
            let help = Some("use a block where the value is needed: `feature = { let x = …, x + 1 }`, or a `fn`");
            let at = SimpleSpan::new((), span.start..span.start + "let".len());
            emitter.emit(ParseError::custom(at, Code::E0007, message, help));
        }
    });
    stray_let
        .ignore_then(field_name(cx))
        .then_ignore(symbol(Tok::Assign))
        .then(parts.exprs.value.clone())
        .map_with(move |(target, value), e| Assignment { target, value, span: cx.span(e.span()) })
        .boxed()
}

/// What may stand after a clause.
fn clause_end<'t, 's: 't>() -> Rule<'t, 's, ()> {
    let tokens = one_of([
        Tok::Newline,
        Tok::Comma,
        Tok::LBrace,
        Tok::Word("from"),
        Tok::Word("where"),
        Tok::Word("parse"),
        Tok::Word("timestamp"),
        Tok::Word("dedup"),
        Tok::Word("within"),
        Tok::Word("window"),
        Tok::Word("by"),
        Tok::Word("sink"),
        Tok::Word("sql"),
    ]);
    choice((tokens.ignored(), end())).rewind().labelled(Expect::ItemEnd).boxed()
}

/// The rest of a clause that cannot be read: up to the next line or the body.
fn rest_of_clause<'t, 's: 't>() -> Rule<'t, 's, ()> {
    just(Tok::LBrace).not().ignore_then(item_part()).repeated().boxed()
}

fn clause<'t, 's: 't>(parts: &Parts<'t, 's>) -> Rule<'t, 's, Option<Clause>> {
    let cx = parts.cx;
    let skipped = rest_of_clause().map_with(move |(), e| Expr { kind: ExprKind::Error, span: cx.span(e.span()) });
    let value = parts.exprs.expr.clone().then_ignore(clause_end()).recover_with(via_parser(skipped)).boxed();
    let within = word("within").ignore_then(value.clone()).or_not();
    let window = name(cx).then(parts.exprs.args.clone().or_not());
    let sink = name(cx).then(parts.projection.clone().or_not()).then(word("as").ignore_then(name(cx)).or_not());
    let kinds = choice((
        word("from").ignore_then(name(cx)).map(ClauseKind::From),
        word("where").ignore_then(value.clone()).map(ClauseKind::Where),
        word("parse").ignore_then(name(cx)).map(ClauseKind::Parse),
        word("timestamp").ignore_then(value.clone()).map(ClauseKind::Timestamp),
        word("dedup").ignore_then(value.clone()).then(within).map(|(key, within)| ClauseKind::Dedup { key, within }),
        word("window")
            .ignore_then(window)
            .map(|(kind, args)| ClauseKind::Window(Window { kind, args: args.unwrap_or_default() })),
        word("by").ignore_then(value).map(ClauseKind::By),
        word("sink")
            .ignore_then(sink)
            .map(|((target, projection), format)| ClauseKind::Sink(Sink { target, projection, format })),
    ));
    let clause = kinds
        .map_with(move |kind, e| Some(Clause { kind, span: cx.span(e.span()) }))
        .labelled(Expect::Clause)
        .then_ignore(clause_end());
    // A line that begins with a word, and is neither clause nor body.
    let stops = choice((symbol(Tok::LBrace), word("sql")));
    let unknown = stops.not().ignore_then(item_part()).then(rest_of_clause()).to(None);
    clause.recover_with(via_parser(unknown)).boxed()
}

pub(super) fn stream<'t, 's: 't>(parts: &Parts<'t, 's>) -> Rule<'t, 's, Item> {
    let cx = parts.cx;
    let separator = choice((symbol(Tok::Newline), symbol(Tok::Comma))).or_not();
    let body_begins = choice((symbol(Tok::LBrace), word("sql"), end()));
    let clauses = separator
        .clone()
        .then(body_begins.not())
        .ignore_then(clause(parts))
        .repeated()
        .collect::<Vec<_>>()
        .map(|clauses| clauses.into_iter().flatten().collect());
    let left_over = choice((item_part(), symbol(Tok::Newline), symbol(Tok::Comma))).repeated();
    let body = choice((
        braced(assignment(parts)).map(StreamBody::Assignments),
        word("sql").ignore_then(string_lit(cx)).map(StreamBody::Sql),
    ))
    .recover_with(via_parser(choice((bracket(), left_over.boxed())).to(StreamBody::Error)));
    word("stream")
        .ignore_then(name(cx))
        .then(parts.params.clone())
        .then_ignore(symbol(Tok::Arrow))
        .then(parts.types.any.clone())
        .then(clauses)
        .then_ignore(separator)
        .then(body)
        .map_with(move |((((name, params), returns), clauses), body), e| {
            let span = cx.span(e.span());
            Item::Stream(Stream { doc: None, attributes: Vec::new(), name, params, returns, clauses, body, span })
        })
        .boxed()
}

pub(super) fn online<'t, 's: 't>(parts: &Parts<'t, 's>) -> Rule<'t, 's, Item> {
    let cx = parts.cx;
    word("online")
        .ignore_then(name(cx))
        .then(parts.params.clone())
        .then_ignore(symbol(Tok::Arrow))
        .then(parts.types.any.clone())
        .then_ignore(line_break())
        .then(braced(assignment(parts)))
        .map_with(move |(((name, params), returns), body), e| {
            let span = cx.span(e.span());
            Item::Online(Online { doc: None, attributes: Vec::new(), name, params, returns, body, span })
        })
        .boxed()
}

pub(super) fn extern_online<'t, 's: 't>(parts: &Parts<'t, 's>) -> Rule<'t, 's, Item> {
    let cx = parts.cx;
    word("extern")
        .ignore_then(word("online"))
        .ignore_then(name(cx))
        .then(parts.params.clone())
        .then_ignore(symbol(Tok::Arrow))
        .then(parts.types.any.clone())
        .then(parts.projection.clone().or_not())
        .then_ignore(line_break())
        .then_ignore(word("at"))
        .then(parts.exprs.expr.clone())
        .map_with(move |((((name, params), returns), projection), at), e| {
            let span = cx.span(e.span());
            let attributes = Vec::new();
            Item::ExternOnline(ExternOnline { doc: None, attributes, name, params, returns, projection, at, span })
        })
        .boxed()
}
