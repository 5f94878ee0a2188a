//! Declarations other than resolvers and tests, and what all of them share: doc comments, attributes, fields, parameters.
//!
//! This module must not know which attributes or connectors exist.

use chumsky::prelude::*;

use super::expr::{Exprs, exprs};
use super::ty::{Types, types};
use super::{Cx, Expect, Rule, braced, bracket, field_name, item_part, line_break, name, resolver, string_lit, symbol};
use super::{rest_of_item, test, word};
use crate::ast::{
    Attribute, Connector, Doc, EnumDecl, Features, Field, FnDecl, Import, Item, MessageDecl, Param, Projection, Source,
    TypeExpr, TypeKind, Variant, Windows,
};
use crate::lex::Literal;
use crate::token::Tok;

/// The rules that declarations are made of.
pub(super) struct Parts<'t, 's> {
    pub(super) cx: Cx<'t>,
    pub(super) types: Types<'t, 's>,
    pub(super) exprs: Exprs<'t, 's>,
    pub(super) prefix: Rule<'t, 's, (Option<Doc>, Vec<Attribute>)>,
    pub(super) params: Rule<'t, 's, Vec<Param>>,
    pub(super) projection: Rule<'t, 's, Projection>,
}

/// A declaration with its doc comments and attributes.
pub(super) fn item<'t, 's: 't>(cx: Cx<'t>) -> Rule<'t, 's, Item> {
    let types = types(cx);
    let exprs = exprs(cx, &types);
    let prefix = prefix(cx, &exprs);
    let projection =
        braced(field_name(cx)).map_with(move |names, e| Projection { names, span: cx.span(e.span()) }).boxed();
    let params = params(cx, &types, projection.clone());
    let parts = Parts { cx, types, exprs, prefix: prefix.clone(), params, projection };
    let kinds = choice((
        import(&parts),
        source(&parts),
        features(&parts),
        message(&parts),
        enumeration(&parts),
        function(&parts),
        resolver::stream(&parts),
        resolver::online(&parts),
        resolver::extern_online(&parts),
        test::test(&parts),
    ));
    // What is left over costs nothing but a message.
    let left_over = choice((item_part(), symbol(Tok::Newline), symbol(Tok::Comma))).repeated();
    let end = end().recover_with(via_parser(left_over));
    prefix
        .then(kinds)
        .map_with(move |((doc, attributes), item), e| with_prefix(item, doc, attributes, cx.span(e.span())))
        .then_ignore(line_break())
        .then_ignore(end)
        .boxed()
}

fn with_prefix(
    mut item: Item,
    new_doc: Option<Doc>,
    new_attributes: Vec<Attribute>,
    new_span: chalk_diagnostics::Span,
) -> Item {
    macro_rules! set {
        ($($kind:ident)*) => {
            match &mut item {
                $(Item::$kind(item) => {
                    item.doc = new_doc;
                    item.attributes = new_attributes;
                    item.span = new_span;
                })*
            }
        };
    }
    set!(Import Source Features Message Enum Stream Fn Online ExternOnline Test);
    item
}

/// Doc comments and attributes, in any order; the last doc comment counts.
fn prefix<'t, 's: 't>(cx: Cx<'t>, exprs: &Exprs<'t, 's>) -> Rule<'t, 's, (Option<Doc>, Vec<Attribute>)> {
    enum Part {
        Doc(Option<Doc>),
        Attribute(Attribute),
    }
    let doc = select! { Tok::Doc(index) => index }.map(move |index: u32| match &cx.literals[index as usize] {
        Literal::Doc(doc) => Part::Doc(Some(doc.clone())),
        _ => Part::Doc(None),
    });
    let attribute = symbol(Tok::At)
        .ignore_then(field_name(cx))
        .then(exprs.args.clone().or_not())
        .map_with(move |(name, args), e| {
            Part::Attribute(Attribute { name, args: args.unwrap_or_default(), span: cx.span(e.span()) })
        })
        .then_ignore(line_break());
    choice((doc, attribute))
        .repeated()
        .collect::<Vec<Part>>()
        .map(|parts| {
            let mut prefix = (None, Vec::new());
            for part in parts {
                match part {
                    Part::Doc(doc) => prefix.0 = doc,
                    Part::Attribute(attribute) => prefix.1.push(attribute),
                }
            }
            prefix
        })
        .boxed()
}

fn params<'t, 's: 't>(
    cx: Cx<'t>,
    types: &Types<'t, 's>,
    projection: Rule<'t, 's, Projection>,
) -> Rule<'t, 's, Vec<Param>> {
    let param = name(cx)
        .then_ignore(symbol(Tok::Colon))
        .then(types.any.clone())
        .then(projection.or_not())
        .map_with(move |((name, ty), projection), e| Param { name, ty, projection, span: cx.span(e.span()) });
    just(Tok::LParen)
        .rewind()
        .ignore_then(
            param
                .separated_by(just(Tok::Comma))
                .allow_trailing()
                .collect::<Vec<_>>()
                .delimited_by(just(Tok::LParen), just(Tok::RParen))
                .recover_with(via_parser(bracket().to(Vec::new()))),
        )
        .boxed()
}

fn import<'t, 's: 't>(parts: &Parts<'t, 's>) -> Rule<'t, 's, Item> {
    let cx = parts.cx;
    word("import")
        .ignore_then(name(cx))
        .then(string_lit(cx))
        .then(word("as").ignore_then(name(cx)).or_not())
        .map_with(move |((format, path), alias), e| {
            let span = cx.span(e.span());
            Item::Import(Import { doc: None, attributes: Vec::new(), format, path, alias, span })
        })
        .boxed()
}

fn source<'t, 's: 't>(parts: &Parts<'t, 's>) -> Rule<'t, 's, Item> {
    let cx = parts.cx;
    let connector = name(cx).then(parts.exprs.args.clone()).map_with(move |(name, args), e| Connector {
        name,
        args,
        span: cx.span(e.span()),
    });
    word("source")
        .ignore_then(name(cx))
        .then_ignore(symbol(Tok::Assign))
        .then(connector)
        .map_with(move |(name, connector), e| {
            let span = cx.span(e.span());
            Item::Source(Source { doc: None, attributes: Vec::new(), name, connector, span })
        })
        .boxed()
}

/// A feature, or a field of a message.
fn field<'t, 's: 't>(parts: &Parts<'t, 's>) -> Rule<'t, 's, Field> {
    let cx = parts.cx;
    // What cannot be read as a type costs the type; the name is declared all the same.
    let not_a_type = none_of([
        Tok::Assign,
        Tok::Newline,
        Tok::Comma,
        Tok::LParen,
        Tok::RParen,
        Tok::LBracket,
        Tok::RBracket,
        Tok::LBrace,
        Tok::RBrace,
    ]);
    let skipped = choice((bracket(), not_a_type.ignored())).repeated();
    let type_end =
        choice((one_of([Tok::Assign, Tok::Newline, Tok::Comma, Tok::RBrace, Tok::Word("over")]).ignored(), end()))
            .rewind();
    let ty = parts.types.any.clone().then_ignore(type_end).recover_with(via_parser(
        skipped.map_with(move |(), e| TypeExpr { kind: TypeKind::Error, span: cx.span(e.span()) }),
    ));
    let windows = word("over")
        .ignore_then(
            parts
                .exprs
                .expr
                .clone()
                .separated_by(just(Tok::Comma))
                .allow_trailing()
                .collect::<Vec<_>>()
                .delimited_by(just(Tok::LBracket), just(Tok::RBracket)),
        )
        .map_with(move |windows, e| Windows { windows, span: cx.span(e.span()) });
    let value = symbol(Tok::Assign).ignore_then(parts.exprs.value.clone());
    parts
        .prefix
        .clone()
        .then(field_name(cx))
        .then_ignore(symbol(Tok::Colon))
        .then(ty)
        .then(windows.or_not())
        .then(value.or_not())
        .map_with(move |(((((doc, attributes), name), ty), windows), value), e| Field {
            doc,
            attributes,
            name,
            ty,
            windows,
            value,
            span: cx.span(e.span()),
        })
        .boxed()
}

fn features<'t, 's: 't>(parts: &Parts<'t, 's>) -> Rule<'t, 's, Item> {
    let cx = parts.cx;
    word("features")
        .ignore_then(name(cx))
        .then_ignore(line_break())
        .then(braced(field(parts)))
        .map_with(move |(name, fields), e| {
            let span = cx.span(e.span());
            Item::Features(Features { doc: None, attributes: Vec::new(), name, fields, span })
        })
        .boxed()
}

fn message<'t, 's: 't>(parts: &Parts<'t, 's>) -> Rule<'t, 's, Item> {
    let cx = parts.cx;
    word("message")
        .ignore_then(name(cx))
        .then_ignore(line_break())
        .then(braced(field(parts)))
        .map_with(move |(name, fields), e| {
            let span = cx.span(e.span());
            Item::Message(MessageDecl { doc: None, attributes: Vec::new(), name, fields, span })
        })
        .boxed()
}

fn enumeration<'t, 's: 't>(parts: &Parts<'t, 's>) -> Rule<'t, 's, Item> {
    let cx = parts.cx;
    let variant = parts
        .prefix
        .clone()
        .then(field_name(cx))
        .map_with(move |((doc, attributes), name), e| Variant { doc, attributes, name, span: cx.span(e.span()) })
        .boxed();
    word("enum")
        .ignore_then(name(cx))
        .then_ignore(line_break())
        .then(braced(variant))
        .map_with(move |(name, variants), e| {
            let span = cx.span(e.span());
            Item::Enum(EnumDecl { doc: None, attributes: Vec::new(), name, variants, span })
        })
        .boxed()
}

fn function<'t, 's: 't>(parts: &Parts<'t, 's>) -> Rule<'t, 's, Item> {
    let cx = parts.cx;
    let skipped = rest_of_item()
        .map_with(move |(), e| crate::ast::Expr { kind: crate::ast::ExprKind::Error, span: cx.span(e.span()) });
    let ended = choice((end(), symbol(Tok::Newline))).rewind().labelled(Expect::ItemEnd);
    let body = parts.exprs.expr.clone().then_ignore(ended).recover_with(via_parser(skipped));
    word("fn")
        .ignore_then(name(cx))
        .then(parts.params.clone())
        .then_ignore(symbol(Tok::Arrow))
        .then(parts.types.any.clone())
        .then_ignore(symbol(Tok::Assign))
        .then(body)
        .map_with(move |(((name, params), returns), body), e| {
            let span = cx.span(e.span());
            Item::Fn(FnDecl { doc: None, attributes: Vec::new(), name, params, returns, body, span })
        })
        .boxed()
}
