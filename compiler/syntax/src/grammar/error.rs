//! What the grammar expected where it found something else, cheap to merge and simple to say.
//!
//! A set of at most 128 expectations is one integer: parsers try many alternatives at each token, and nearly always succeed.
//!
//! This module must not know the rules.

use chumsky::DefaultExpected;
use chumsky::error::{Error, LabelError};
use chumsky::span::SimpleSpan;
use chumsky::util::MaybeRef;

use super::In;
use chalk_diagnostics::Code;

use crate::token::{LitKind, Tok};

/// Something that could have stood at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Expect {
    Expression,
    Operator,
    Type,
    Name,
    String,
    Int,
    ItemEnd,
    Clause,
    Declaration,
    End,
    /// A token, by its place in [`TOKENS`].
    Token(u8),
}

const LABELS: [Expect; 10] = [
    Expect::Expression,
    Expect::Operator,
    Expect::Type,
    Expect::Name,
    Expect::String,
    Expect::Int,
    Expect::ItemEnd,
    Expect::Clause,
    Expect::Declaration,
    Expect::End,
];

/// The tokens that may be named as expected.
const TOKENS: &[Tok<'static>] = &[
    Tok::Arrow,
    Tok::FatArrow,
    Tok::Dot,
    Tok::DotDot,
    Tok::Comma,
    Tok::Colon,
    Tok::Semicolon,
    Tok::Assign,
    Tok::LAngle,
    Tok::RAngle,
    Tok::Minus,
    Tok::Question,
    Tok::At,
    Tok::Pipe,
    Tok::LParen,
    Tok::RParen,
    Tok::LBracket,
    Tok::RBracket,
    Tok::LBrace,
    Tok::RBrace,
    Tok::Word("source"),
    Tok::Word("features"),
    Tok::Word("message"),
    Tok::Word("enum"),
    Tok::Word("stream"),
    Tok::Word("fn"),
    Tok::Word("import"),
    Tok::Word("online"),
    Tok::Word("extern"),
    Tok::Word("test"),
    Tok::Word("from"),
    Tok::Word("where"),
    Tok::Word("parse"),
    Tok::Word("timestamp"),
    Tok::Word("dedup"),
    Tok::Word("within"),
    Tok::Word("window"),
    Tok::Word("by"),
    Tok::Word("sink"),
    Tok::Word("as"),
    Tok::Word("sql"),
    Tok::Word("at"),
    Tok::Word("for"),
    Tok::Word("given"),
    Tok::Word("expect"),
    Tok::Word("header"),
    Tok::Word("prefix"),
    Tok::Word("over"),
    Tok::Word("then"),
    Tok::Word("else"),
    Tok::Word("in"),
    Tok::Word("none"),
    Tok::Word("decimal"),
];

impl Expect {
    fn bit(self) -> u128 {
        let index = match self {
            Expect::Token(n) => LABELS.len() + n as usize,
            label => LABELS.iter().position(|&other| other == label).unwrap_or(0),
        };
        1 << index
    }

    fn of_token(tok: Tok<'_>) -> Option<Expect> {
        match tok {
            Tok::Newline => Some(Expect::ItemEnd),
            Tok::Lit(LitKind::String, _) => Some(Expect::String),
            _ => TOKENS.iter().position(|&other| other == tok).map(|n| Expect::Token(n as u8)),
        }
    }

    /// Whether it is this token.
    pub(crate) fn is_token(self, tok: Tok<'_>) -> bool {
        matches!(self, Expect::Token(n) if TOKENS[n as usize] == tok)
    }

    /// How it is named in a message.
    pub(crate) fn describe(self) -> String {
        match self {
            Expect::Expression => "an expression".into(),
            Expect::Operator => "an operator".into(),
            Expect::Type => "a type".into(),
            Expect::Name => "a name".into(),
            Expect::String => "a string".into(),
            Expect::Int => "a whole number".into(),
            Expect::ItemEnd => "the end of the line".into(),
            Expect::Clause => "a clause".into(),
            Expect::Declaration => "a declaration".into(),
            Expect::End => "the end of the declaration".into(),
            Expect::Token(n) => TOKENS[n as usize].describe(),
        }
    }
}

/// A set of [`Expect`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected(u128);

impl Expected {
    pub(crate) fn contains(self, expect: Expect) -> bool {
        self.0 & expect.bit() != 0
    }

    pub(crate) fn has_token(self, tok: Tok<'_>) -> bool {
        Expect::of_token(tok).is_some_and(|expect| self.contains(expect))
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Expect> {
        let tokens = (0..TOKENS.len()).map(|n| Expect::Token(n as u8));
        LABELS.into_iter().chain(tokens).filter(move |&expect| self.contains(expect))
    }
}

/// A mistake with a message of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Custom {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Why a rule failed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ParseError<'s> {
    pub(crate) span: SimpleSpan,
    /// Nothing at the end of the declaration.
    pub(crate) found: Option<Tok<'s>>,
    pub(crate) expected: Expected,
    pub(crate) custom: Option<Box<Custom>>,
}

impl ParseError<'_> {
    pub(crate) fn custom(span: SimpleSpan, code: Code, message: impl Into<String>, help: Option<&str>) -> Self {
        let custom = Custom { code, message: message.into(), help: help.map(Into::into) };
        ParseError { span, found: None, expected: Expected::default(), custom: Some(Box::new(custom)) }
    }
}

impl<'t, 's: 't> Error<'t, In<'t, 's>> for ParseError<'s> {
    fn merge(mut self, other: Self) -> Self {
        self.expected.0 |= other.expected.0;
        if self.custom.is_none() {
            self.custom = other.custom;
        }
        self
    }
}

impl<'t, 's: 't> LabelError<'t, In<'t, 's>, DefaultExpected<'t, Tok<'s>>> for ParseError<'s> {
    fn expected_found<E: IntoIterator<Item = DefaultExpected<'t, Tok<'s>>>>(
        expected: E,
        found: Option<MaybeRef<'t, Tok<'s>>>,
        span: SimpleSpan,
    ) -> Self {
        let mut bits = 0;
        for expect in expected {
            let expect = match expect {
                DefaultExpected::Token(tok) => Expect::of_token(*tok),
                DefaultExpected::EndOfInput => Some(Expect::End),
                _ => None,
            };
            bits |= expect.map_or(0, Expect::bit);
        }
        ParseError { span, found: found.map(|tok| *tok), expected: Expected(bits), custom: None }
    }
}

impl<'t, 's: 't> LabelError<'t, In<'t, 's>, Expect> for ParseError<'s> {
    fn expected_found<E: IntoIterator<Item = Expect>>(
        expected: E,
        found: Option<MaybeRef<'t, Tok<'s>>>,
        span: SimpleSpan,
    ) -> Self {
        let bits = expected.into_iter().fold(0, |bits, expect| bits | expect.bit());
        ParseError { span, found: found.map(|tok| *tok), expected: Expected(bits), custom: None }
    }

    fn label_with(&mut self, label: Expect) {
        self.expected = Expected(label.bit());
    }
}
