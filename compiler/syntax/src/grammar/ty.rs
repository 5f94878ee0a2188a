//! Types.
//!
//! Two levels: unions (`A | B`, kept only to be refused with a reason) and everything else, which is what stands after `as`.
//!
//! This module must not know which types exist.

use chumsky::prelude::*;

use super::{Cx, Expect, Extra, In, Rule, bracket, field_name, int_lit, symbol, word};
use crate::ast::{Path, TypeExpr, TypeKind};
use crate::token::Tok;

/// The rules for types.
#[derive(Clone)]
pub(super) struct Types<'t, 's> {
    /// Any type.
    pub(super) any: Rule<'t, 's, TypeExpr>,
    /// A type without `|`.
    pub(super) one: Rule<'t, 's, TypeExpr>,
    /// `<T, U>`
    pub(super) args: Rule<'t, 's, Vec<TypeExpr>>,
}

/// A dotted name.
pub(super) fn path<'t, 's: 't>(cx: Cx<'t>) -> Rule<'t, 's, Path> {
    super::name(cx)
        .then(symbol(Tok::Dot).ignore_then(field_name(cx)).repeated().collect::<Vec<_>>())
        .map_with(move |(first, rest), e| {
            let segments = std::iter::once(first).chain(rest).collect();
            Path { segments, span: cx.span(e.span()) }
        })
        .boxed()
}

pub(super) fn types<'t, 's: 't>(cx: Cx<'t>) -> Types<'t, 's> {
    let mut any: Recursive<chumsky::recursive::Indirect<'t, 't, In<'t, 's>, TypeExpr, Extra<'s>>> =
        Recursive::declare();
    let args = any
        .clone()
        .separated_by(just(Tok::Comma))
        .at_least(1)
        .collect::<Vec<_>>()
        .delimited_by(just(Tok::LAngle), just(Tok::RAngle))
        .boxed();
    let decimal = word("decimal")
        .ignore_then(
            int_lit(cx)
                .then_ignore(symbol(Tok::Comma))
                .then(int_lit(cx))
                .delimited_by(just(Tok::LParen), just(Tok::RParen)),
        )
        .map(|(precision, scale)| TypeKind::Decimal(precision, scale));
    let named = path(cx).then(args.clone().or_not()).map(|(path, args)| match args {
        None => TypeKind::Named(path),
        Some(args) if path.text() == "map" && args.len() == 2 => {
            let mut args = args.into_iter();
            match (args.next(), args.next()) {
                (Some(key), Some(value)) => TypeKind::Map(Box::new(key), Box::new(value)),
                _ => TypeKind::Error,
            }
        }
        Some(args) => TypeKind::Generic(path, args),
    });
    let list = any
        .clone()
        .then(symbol(Tok::Semicolon).ignore_then(int_lit(cx)).or_not())
        .delimited_by(just(Tok::LBracket), just(Tok::RBracket))
        .map(|(ty, length)| match length {
            Some(length) => TypeKind::Vector(Box::new(ty), length),
            None => TypeKind::List(Box::new(ty)),
        });
    let parenthesised = any.clone().delimited_by(just(Tok::LParen), just(Tok::RParen)).map(|ty| ty.kind);
    let refused = just(Tok::Bad).to(TypeKind::Error);
    let atom = choice((decimal, named, list, parenthesised, refused))
        .recover_with(via_parser(bracket().to(TypeKind::Error)))
        .map_with(move |kind, e| TypeExpr { kind, span: cx.span(e.span()) })
        .boxed();
    let one = atom
        .foldl_with(just(Tok::Question).repeated(), move |ty, _, e| TypeExpr {
            kind: TypeKind::Optional(Box::new(ty)),
            span: cx.span(e.span()),
        })
        .labelled(Expect::Type)
        .boxed();
    any.define(
        one.clone()
            .separated_by(just(Tok::Pipe))
            .at_least(1)
            .collect::<Vec<_>>()
            .map_with(move |mut types: Vec<TypeExpr>, e| match types.len() {
                1 => types.remove(0),
                _ => TypeExpr { kind: TypeKind::Union(types), span: cx.span(e.span()) },
            })
            .boxed(),
    );
    Types { any: any.boxed(), one, args }
}
