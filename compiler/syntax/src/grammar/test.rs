//! Test blocks.
//!
//! A message in a test is written as JSON, or as fields with names; both are a map expression here.
//!
//! This module must not know what a test runs.

use chumsky::prelude::*;

use super::item::Parts;
use super::ty::path;
use super::{Rule, braced, field_name, line_break, name, string_lit, symbol, word};
use crate::ast::{Expected, ExpectedValue, Expr, Given, GivenHeader, Item, TestDecl, TestStep, TestStepKind};
use crate::token::Tok;

/// What may follow the message of a `given`.
enum Detail {
    Header(GivenHeader),
    Prefix(Expr),
}

fn given<'t, 's: 't>(parts: &Parts<'t, 's>) -> Rule<'t, 's, TestStepKind> {
    let cx = parts.cx;
    let expr = parts.exprs.expr.clone();
    let header = word("header")
        .ignore_then(string_lit(cx))
        .then_ignore(symbol(Tok::Assign))
        .then(expr.clone())
        .map_with(move |(name, value), e| Detail::Header(GivenHeader { name, value, span: cx.span(e.span()) }));
    let prefix = word("prefix").ignore_then(expr.clone()).map(Detail::Prefix);
    let detail = line_break().ignore_then(choice((header, prefix)));
    let encoded = name(cx).then(path(cx)).map(Some).then(expr.clone());
    let message = choice((encoded, expr.map(|expr| (None, expr))));
    word("given")
        .ignore_then(message)
        .then(detail.repeated().collect::<Vec<_>>())
        .map(|((encoded_as, value), details)| {
            let mut given = Given { encoded_as, value, headers: Vec::new(), prefix: None };
            for detail in details {
                match detail {
                    Detail::Header(header) => given.headers.push(header),
                    Detail::Prefix(prefix) => given.prefix = Some(prefix),
                }
            }
            TestStepKind::Given(given)
        })
        .boxed()
}

fn expect<'t, 's: 't>(parts: &Parts<'t, 's>) -> Rule<'t, 's, TestStepKind> {
    let cx = parts.cx;
    let expr = parts.exprs.expr.clone();
    let window = expr.clone().delimited_by(just(Tok::LBracket), just(Tok::RBracket));
    let value = field_name(cx)
        .then(window.or_not())
        .then_ignore(symbol(Tok::Assign))
        .then(parts.exprs.value.clone())
        .map_with(move |((target, window), value), e| ExpectedValue { target, window, value, span: cx.span(e.span()) })
        .boxed();
    let values = braced(value).map_with(move |values, e| (values, cx.span(e.span()))).boxed();
    let key = expr.delimited_by(just(Tok::LParen), just(Tok::RParen));
    let of_class = name(cx)
        .then(key.or_not())
        .then(values.clone())
        .map(|((class, key), (values, span))| Expected::Values { class: Some(class), key, values, span });
    let plain = values.map(|(values, span)| Expected::Values { class: None, key: None, values, span });
    word("expect")
        .ignore_then(choice((of_class, plain, name(cx).map(Expected::Fate))))
        .map(TestStepKind::Expect)
        .boxed()
}

pub(super) fn test<'t, 's: 't>(parts: &Parts<'t, 's>) -> Rule<'t, 's, Item> {
    let cx = parts.cx;
    let at = word("at").ignore_then(parts.exprs.expr.clone()).or_not();
    let step = at
        .then_ignore(line_break())
        .then(choice((given(parts), expect(parts))))
        .map_with(move |(at, kind), e| TestStep { at, kind, span: cx.span(e.span()) })
        .boxed();
    word("test")
        .ignore_then(string_lit(cx))
        .then(word("for").ignore_then(name(cx)).or_not())
        .then_ignore(line_break())
        .then(braced(step))
        .map_with(move |((name, target), steps), e| {
            let span = cx.span(e.span());
            Item::Test(TestDecl { doc: None, attributes: Vec::new(), name, target, steps, span })
        })
        .boxed()
}
