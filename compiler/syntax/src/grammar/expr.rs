//! Expressions, with chumsky's operator table.
//!
//! From loose to tight: `or`, `and`, `not`, comparisons with `in` and `is`, `??`, `+ -`, `* / %`, `as`, the sign, `**` (from the right), postfix.
//! Comparisons are parsed as if they could be chained; that they cannot is said afterwards, with the whole chain at hand (`check`).
//!
//! This module must not know what a name stands for.

use chalk_diagnostics::Code;
use chumsky::pratt::{Operator, infix, left, postfix, prefix, right};
use chumsky::prelude::*;

use super::ty::Types;
use super::{Cx, Expect, Extra, In, ParseError, Rule, braced, bracket, field_name, item_end, name, rest_of_item};
use super::{symbol, word};
use crate::ast::{Arg, BinaryOp, Expr, ExprKind, Let, MatchArm, MatchTest, Name, TypeExpr, UnaryOp};
use crate::lex::Literal;
use crate::token::Tok;

/// The rules for expressions.
#[derive(Clone)]
pub(super) struct Exprs<'t, 's> {
    /// An expression.
    pub(super) expr: Rule<'t, 's, Expr>,
    /// An expression that fills the rest of its item; what is wrong in it costs only the value.
    pub(super) value: Rule<'t, 's, Expr>,
    /// `(a, name: b)`
    pub(super) args: Rule<'t, 's, Vec<Arg>>,
}

pub(super) fn exprs<'t, 's: 't>(cx: Cx<'t>, types: &Types<'t, 's>) -> Exprs<'t, 's> {
    let mut expr: Recursive<chumsky::recursive::Indirect<'t, 't, In<'t, 's>, Expr, Extra<'s>>> = Recursive::declare();
    let any = expr.clone().boxed();
    let args = args(cx, any.clone());
    let value = value(cx, any.clone());
    let atom = atom(cx, types, any.clone(), value.clone(), args.clone());
    expr.define(operators(cx, types, atom, any.clone(), args.clone()).labelled(Expect::Expression));
    Exprs { expr: any, value, args }
}

fn node<'t, 's: 't>(cx: Cx<'t>, rule: impl Parser<'t, In<'t, 's>, ExprKind, Extra<'s>> + 't) -> Rule<'t, 's, Expr> {
    rule.map_with(move |kind, e| Expr { kind, span: cx.span(e.span()) }).boxed()
}

fn error<'t, 's: 't>(cx: Cx<'t>, rule: Rule<'t, 's, ()>) -> Rule<'t, 's, Expr> {
    node(cx, rule.to(ExprKind::Error))
}

/// An expression up to the end of its item; whatever cannot be read is an error node.
fn value<'t, 's: 't>(cx: Cx<'t>, expr: Rule<'t, 's, Expr>) -> Rule<'t, 's, Expr> {
    expr.then_ignore(item_end()).recover_with(via_parser(error(cx, rest_of_item()))).boxed()
}

fn args<'t, 's: 't>(cx: Cx<'t>, expr: Rule<'t, 's, Expr>) -> Rule<'t, 's, Vec<Arg>> {
    let named = field_name(cx).then_ignore(symbol(Tok::Colon)).or_not();
    let arg =
        named.then(value(cx, expr)).map_with(move |(name, value), e| Arg { name, value, span: cx.span(e.span()) });
    // An argument cannot be empty, or the end of a list after a comma would be one.
    let arg = item_end().not().labelled(Expect::Expression).ignore_then(arg);
    let broken = bracket().map_with(move |(), e| {
        let span = cx.span(e.span());
        vec![Arg { name: None, value: Expr { kind: ExprKind::Error, span }, span }]
    });
    just(Tok::LParen)
        .rewind()
        .ignore_then(
            arg.separated_by(just(Tok::Comma))
                .allow_trailing()
                .collect::<Vec<_>>()
                .delimited_by(just(Tok::LParen), just(Tok::RParen))
                .recover_with(via_parser(broken)),
        )
        .boxed()
}

/// What has no operators outside of brackets.
fn atom<'t, 's: 't>(
    cx: Cx<'t>,
    types: &Types<'t, 's>,
    expr: Rule<'t, 's, Expr>,
    value: Rule<'t, 's, Expr>,
    args: Rule<'t, 's, Vec<Arg>>,
) -> Rule<'t, 's, Expr> {
    let literal = literal(cx);
    let call = name(cx).then(types.args.clone().or_not()).then(args.clone().or_not()).try_map(
        move |((function, types), args): ((Name, Option<Vec<TypeExpr>>), Option<Vec<Arg>>), span| match (types, args) {
            (None, None) => Ok(ExprKind::Name(function)),
            (Some(_), None) => {
                let message = format!("`{}<…>` is a call, and calls have parentheses", function.text);
                Err(ParseError::custom(span, Code::E0007, message, None))
            }
            (types, Some(args)) => Ok(ExprKind::Call { function, type_args: types.unwrap_or_default(), args }),
        },
    );
    let condition = word("if")
        .ignore_then(expr.clone())
        .then_ignore(word("then"))
        .then(expr.clone())
        .then_ignore(word("else"))
        .then(expr.clone())
        .map(|((condition, then), otherwise)| ExprKind::If {
            condition: Box::new(condition),
            then: Box::new(then),
            otherwise: Box::new(otherwise),
        });
    let element = item_end().not().labelled(Expect::Expression).ignore_then(value.clone());
    let list = element
        .separated_by(just(Tok::Comma))
        .allow_trailing()
        .collect::<Vec<_>>()
        .delimited_by(just(Tok::LBracket), just(Tok::RBracket))
        .map(ExprKind::List);
    // The span of the node covers the parentheses, so that pointing at it points at all of it.
    let parenthesised = expr.clone().delimited_by(just(Tok::LParen), just(Tok::RParen)).map(|expr| expr.kind);
    choice((
        node(cx, choice((literal.clone(), call, condition, matching(cx, expr.clone(), value.clone())))),
        node(cx, choice((parenthesised, list, map(cx, literal, value.clone()), block(cx, types, expr, value)))),
    ))
    .recover_with(via_parser(error(cx, bracket())))
    .boxed()
}

fn literal<'t, 's: 't>(cx: Cx<'t>) -> Rule<'t, 's, ExprKind> {
    choice((
        select! { Tok::Lit(_, index) => index }.map(move |index: u32| match &cx.literals[index as usize] {
            Literal::Int(value) => ExprKind::Int(*value),
            Literal::Float(value) => ExprKind::Float(*value),
            Literal::Duration(micros) => ExprKind::Duration(*micros),
            Literal::String(text) => ExprKind::String(text.clone()),
            Literal::Bytes(bytes) => ExprKind::Bytes(bytes.clone()),
            Literal::Doc(_) => ExprKind::Error,
        }),
        word("none").to(ExprKind::None),
        word("true").to(ExprKind::Bool(true)),
        word("false").to(ExprKind::Bool(false)),
        symbol(Tok::Bad).to(ExprKind::Error),
    ))
    .boxed()
}

/// `match { … }`, `match subject { … }`
fn matching<'t, 's: 't>(cx: Cx<'t>, expr: Rule<'t, 's, Expr>, value: Rule<'t, 's, Expr>) -> Rule<'t, 's, ExprKind> {
    let subject = just(Tok::LBrace).not().ignore_then(expr.clone()).map(Box::new);
    let subject = choice((just(Tok::LBrace).rewind().to(None), subject.map(Some)));
    let otherwise = word("else").map_with(move |(), e| MatchTest::Else(cx.span(e.span())));
    let when = expr.separated_by(just(Tok::Pipe)).at_least(1).collect::<Vec<_>>().map(MatchTest::When);
    let arm = choice((otherwise, when))
        .then_ignore(symbol(Tok::FatArrow))
        .then(value)
        .map_with(move |(test, value), e| MatchArm { test, value, span: cx.span(e.span()) })
        .boxed();
    word("match")
        .ignore_then(subject)
        .then(braced(arm))
        .map(|(subject, arms)| ExprKind::Match { subject, arms })
        .boxed()
}

/// `{ "key": value, … }`; the key is a literal or a bare name.
fn map<'t, 's: 't>(cx: Cx<'t>, literal: Rule<'t, 's, ExprKind>, value: Rule<'t, 's, Expr>) -> Rule<'t, 's, ExprKind> {
    let key = node(cx, choice((literal, field_name(cx).map(ExprKind::Name)))).then_ignore(symbol(Tok::Colon));
    let entry = key.clone().then(value).boxed();
    // One look ahead decides between a map and a block.
    let is_map = just(Tok::LBrace).then(choice((key.ignored(), symbol(Tok::RBrace)))).rewind();
    is_map.ignore_then(braced(entry)).map(ExprKind::Map).boxed()
}

/// A line of a block.
enum Line {
    Let(Let),
    Value(Expr),
}

/// `{ let x = e … value }`
fn block<'t, 's: 't>(
    cx: Cx<'t>,
    types: &Types<'t, 's>,
    expr: Rule<'t, 's, Expr>,
    value: Rule<'t, 's, Expr>,
) -> Rule<'t, 's, ExprKind> {
    let bound =
        name(cx).then(symbol(Tok::Colon).ignore_then(types.any.clone()).or_not()).then_ignore(symbol(Tok::Assign));
    let binding = word("let")
        .ignore_then(bound)
        .then(value.clone())
        .map_with(move |((name, ty), value), e| Line::Let(Let { name, ty, value, span: cx.span(e.span()) }));
    // What people write who forget the `let`.
    let assignment =
        name(cx).then_ignore(symbol(Tok::Assign)).then(value).validate(move |(name, value), e, emitter| {
            let message = "a name in a block is given its value with `let`";
            let span: SimpleSpan = e.span();
            let at = SimpleSpan::new((), span.start..span.start + name.text.len());
            emitter.emit(ParseError::custom(at, Code::E0007, message, Some(&format!("write `let {} = …`", name.text))));
            Line::Let(Let { name, ty: None, value, span: cx.span(span) })
        });
    let line = choice((binding, assignment, expr.map(Line::Value))).boxed();
    braced(line)
        .validate(move |lines: Vec<Line>, e, emitter| {
            let span: SimpleSpan = e.span();
            let mut lets = Vec::new();
            let mut value: Option<Expr> = None;
            for line in lines {
                if let Some(early) = value.take() {
                    let at = SimpleSpan::new((), early.span.start as usize..early.span.end as usize);
                    let help = Some("name it with `let`, or leave it out");
                    let message = "only the last line of a block is its value";
                    if early.kind != ExprKind::Error {
                        emitter.emit(ParseError::custom(at, Code::E0007, message, help));
                    }
                }
                match line {
                    Line::Let(binding) => lets.push(binding),
                    Line::Value(expr) => value = Some(expr),
                }
            }
            let value = value.unwrap_or_else(|| {
                let at = SimpleSpan::new((), span.end.saturating_sub(1)..span.end);
                let help = Some("the last line is an expression");
                emitter.emit(ParseError::custom(at, Code::E0007, "a block ends with its value", help));
                Expr { kind: ExprKind::Error, span: cx.span(at) }
            });
            ExprKind::Block { lets, value: Box::new(value) }
        })
        .boxed()
}

/// What stands after an operand.
enum Postfix {
    Member(Name, Option<Vec<TypeExpr>>, Option<Vec<Arg>>),
    Index(Expr),
    Slice(Option<Expr>, Option<Expr>),
}

fn postfixes<'t, 's: 't>(
    cx: Cx<'t>,
    types: &Types<'t, 's>,
    expr: Rule<'t, 's, Expr>,
    args: Rule<'t, 's, Vec<Arg>>,
) -> Rule<'t, 's, Postfix> {
    let member = symbol(Tok::Dot)
        .ignore_then(field_name(cx))
        .then(types.args.clone().or_not())
        .then(args.or_not())
        .map(|((name, types), args)| Postfix::Member(name, types, args));
    let end = symbol(Tok::DotDot).ignore_then(expr.clone().or_not()).or_not();
    let inside = choice((
        expr.clone().then(end.clone()).map(|(start, end)| match end {
            None => Postfix::Index(start),
            Some(end) => Postfix::Slice(Some(start), end),
        }),
        symbol(Tok::DotDot).ignore_then(expr.or_not()).map(|end| Postfix::Slice(None, end)),
    ));
    let broken =
        bracket().map_with(move |(), e| Postfix::Index(Expr { kind: ExprKind::Error, span: cx.span(e.span()) }));
    let index = just(Tok::LBracket)
        .rewind()
        .ignore_then(inside.delimited_by(just(Tok::LBracket), just(Tok::RBracket)).recover_with(via_parser(broken)));
    choice((member, index)).boxed()
}

fn apply(base: Expr, postfix: Postfix) -> ExprKind {
    let base = Box::new(base);
    match postfix {
        Postfix::Member(name, None, None) => ExprKind::Field { base, name },
        Postfix::Member(method, types, args) => ExprKind::Method {
            receiver: base,
            method,
            type_args: types.unwrap_or_default(),
            args: args.unwrap_or_default(),
        },
        Postfix::Index(index) => ExprKind::Index { base, index: Box::new(index) },
        Postfix::Slice(start, end) => ExprKind::Slice { base, start: start.map(Box::new), end: end.map(Box::new) },
    }
}

/// The operator table.
fn operators<'t, 's: 't>(
    cx: Cx<'t>,
    types: &Types<'t, 's>,
    atom: Rule<'t, 's, Expr>,
    expr: Rule<'t, 's, Expr>,
    args: Rule<'t, 's, Vec<Arg>>,
) -> Rule<'t, 's, Expr> {
    // An operator with its own span.
    let spanned = move |op: Rule<'t, 's, BinaryOp>| {
        op.map_with(move |op, e| (op, cx.span(e.span()))).labelled(Expect::Operator).boxed()
    };
    let prefixed = move |tok: Tok<'static>, op: UnaryOp| {
        just(tok).map_with(move |_, e| (op, cx.span(e.span()))).labelled(Expect::Expression).boxed()
    };
    macro_rules! binary {
        ($associativity:expr, $op:expr) => {
            infix($associativity, spanned($op.boxed()), move |l: Expr, (op, op_span), r: Expr, e| {
                let kind = ExprKind::Binary { op, op_span, left: Box::new(l), right: Box::new(r) };
                Expr { kind, span: cx.span(e.span()) }
            })
            .boxed()
        };
    }
    macro_rules! unary {
        ($power:expr, $tok:expr, $op:expr) => {
            prefix($power, prefixed($tok, $op), move |(op, op_span), operand: Expr, e| {
                let kind = ExprKind::Unary { op, op_span, operand: Box::new(operand) };
                Expr { kind, span: cx.span(e.span()) }
            })
            .boxed()
        };
    }
    let comparison = select! {
        Tok::EqEq => BinaryOp::Eq,
        Tok::NotEq => BinaryOp::Ne,
        Tok::Lt => BinaryOp::Lt,
        Tok::Le => BinaryOp::Le,
        Tok::Gt => BinaryOp::Gt,
        Tok::Ge => BinaryOp::Ge,
        Tok::Word("in") => BinaryOp::In,
    };
    let not_in = word("not").then(word("in")).to(BinaryOp::NotIn);
    let is_none = word("is").labelled(Expect::Operator).ignore_then(word("not").or_not()).then_ignore(word("none"));
    let cast = word("as").labelled(Expect::Operator).ignore_then(types.one.clone());
    let member = postfixes(cx, types, expr, args).labelled(Expect::Operator);
    atom.pratt(vec![
        postfix(11, member, move |base: Expr, postfix, e| Expr { kind: apply(base, postfix), span: cx.span(e.span()) })
            .boxed(),
        binary!(right(10), just(Tok::StarStar).to(BinaryOp::Pow)),
        unary!(9, Tok::Minus, UnaryOp::Neg),
        postfix(8, cast, move |operand: Expr, ty, e| Expr {
            kind: ExprKind::Cast { operand: Box::new(operand), ty },
            span: cx.span(e.span()),
        })
        .boxed(),
        binary!(
            left(7),
            select! { Tok::Star => BinaryOp::Mul, Tok::Slash => BinaryOp::Div, Tok::Percent => BinaryOp::Rem }
        ),
        binary!(left(6), select! { Tok::Plus => BinaryOp::Add, Tok::Minus => BinaryOp::Sub }),
        binary!(left(5), just(Tok::Coalesce).to(BinaryOp::Coalesce)),
        binary!(left(4), choice((comparison, not_in))),
        postfix(4, is_none, move |operand: Expr, not: Option<()>, e| Expr {
            kind: ExprKind::IsNone { operand: Box::new(operand), negated: not.is_some() },
            span: cx.span(e.span()),
        })
        .boxed(),
        unary!(3, Tok::Word("not"), UnaryOp::Not),
        binary!(left(2), just(Tok::Word("and")).to(BinaryOp::And)),
        binary!(left(1), just(Tok::Word("or")).to(BinaryOp::Or)),
    ])
    .boxed()
}
