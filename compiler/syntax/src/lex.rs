//! From text to tokens: cuts with logos, reads the literals, sets comments aside, and says what is no token.
//!
//! A malformed literal still becomes a token of its kind, so that one mistake is one diagnostic and the grammar goes on.
//!
//! This module must not know the grammar, nor where items end (see `layout`).

use chalk_diagnostics::{Code, Diagnostic, FileId, Span};
use logos::Logos;

use crate::ast::{Doc, Metadata};
use crate::literal::{self, Mistake, Number};
use crate::token::{LitKind, Raw, Tok};

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'s> {
    pub(crate) tok: Tok<'s>,
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Whether it is the first of its line.
    pub(crate) first: bool,
}

/// The value of a literal or doc comment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Int(i128),
    Float(f64),
    /// Microseconds.
    Duration(i64),
    String(String),
    Bytes(Vec<u8>),
    Doc(Doc),
}

/// A comment that is no doc comment; the formatter puts it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Comment {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Whether nothing stands before it on its line.
    pub(crate) own_line: bool,
}

/// Everything a text was cut into.
pub(crate) struct Lexed<'s> {
    pub(crate) tokens: Vec<Token<'s>>,
    pub(crate) literals: Vec<Literal>,
    /// All comments, doc comments too, line by line.
    pub(crate) comments: Vec<Comment>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Cuts a text. It has at most `u32::MAX` bytes (the caller sees to that).
pub(crate) fn lex(file: FileId, text: &str) -> Lexed<'_> {
    let mut lexer = Lexing {
        file,
        out: Lexed { tokens: Vec::new(), literals: Vec::new(), comments: Vec::new(), diagnostics: Vec::new() },
        doc: None,
        open: vec![Raw::LBrace],
    };
    let mut raw = Raw::lexer(text);
    raw.extras.fresh = true;
    // A byte order mark is how some editors begin a file; it is no text.
    if text.starts_with('\u{feff}') {
        raw.bump('\u{feff}'.len_utf8());
    }
    let mut unknown: Option<std::ops::Range<usize>> = None;
    while let Some(token) = raw.next() {
        let range = raw.span();
        let Ok(token) = token else {
            match &mut unknown {
                Some(run) if run.end == range.start => run.end = range.end,
                _ => {
                    lexer.unknown(text, unknown.take());
                    unknown = Some(range);
                }
            }
            continue;
        };
        lexer.unknown(text, unknown.take());
        if token == Raw::Number
            && let Some(length) = grouped_by_commas(&text[range.start..], lexer.open.last() == Some(&Raw::LBrace))
        {
            raw.bump(length - range.len());
        }
        let first = std::mem::take(&mut raw.extras.fresh);
        lexer.token(token, raw.slice(), range.start as u32, first);
    }
    lexer.unknown(text, unknown);
    lexer.flush_doc();
    lexer.out
}

struct Lexing<'s> {
    file: FileId,
    out: Lexed<'s>,
    /// The lines of the doc comment that is being read.
    doc: Option<(Vec<&'s str>, u32, u32)>,
    /// The brackets that are open, roughly; the top level counts as braces.
    open: Vec<Raw>,
}

/// The length of a number written as `100,000,000`, if the text begins with one.
///
/// Where commas separate values (`[1,200]`) it takes a group that is no number by itself, as `000`, to be sure.
fn grouped_by_commas(text: &str, in_braces: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take(4).take_while(|b| b.is_ascii_digit()).count();
    let mut end = digits(0);
    if !(1..=3).contains(&end) || bytes[0] == b'0' {
        return None;
    }
    let mut sure = in_braces;
    let first = end;
    // No number has more groups, and a long list is not searched again for each of its elements.
    while end < 4 * 14 && bytes.get(end) == Some(&b',') && digits(end + 1) == 3 {
        sure |= bytes[end + 1] == b'0';
        end += 4;
    }
    let ends = !matches!(bytes.get(end), Some(b) if b.is_ascii_alphanumeric() || *b == b'_');
    if end > first && sure && ends { Some(end) } else { None }
}

impl<'s> Lexing<'s> {
    fn span(&self, start: u32, end: u32) -> Span {
        Span::new(self.file, start, end)
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.out.diagnostics.push(diagnostic);
    }

    fn push(&mut self, tok: Tok<'s>, start: u32, end: u32, first: bool) {
        self.out.tokens.push(Token { tok, start, end, first });
    }

    fn literal(&mut self, kind: LitKind, value: Literal) -> Tok<'s> {
        self.out.literals.push(value);
        Tok::Lit(kind, self.out.literals.len() as u32 - 1)
    }

    fn token(&mut self, raw: Raw, text: &'s str, start: u32, first: bool) {
        let end = start + text.len() as u32;
        let span = self.span(start, end);
        if matches!(raw, Raw::Comment) {
            self.comment(text, start, end, first);
            return;
        }
        self.flush_doc();
        match raw {
            Raw::LParen | Raw::LBracket | Raw::LBrace => self.open.push(raw),
            Raw::RParen | Raw::RBracket | Raw::RBrace if self.open.len() > 1 => drop(self.open.pop()),
            _ => {}
        }
        let tok = match raw {
            Raw::Newline | Raw::Comment => return,
            Raw::HashComment => {
                self.report(
                    Diagnostic::new(Code::E0001, "a comment begins with `//`", self.span(start, start + 1))
                        .fix(self.span(start, start + 1), "//"),
                );
                self.out.comments.push(Comment { start, end, own_line: first });
                return;
            }
            Raw::Word => Tok::Word(text),
            Raw::Number if text.contains(',') => {
                let fixed = text.replace(',', "_");
                self.report(
                    Diagnostic::new(Code::E0005, "commas do not group the digits of a number", span)
                        .help(format!("write `{fixed}`"))
                        .fix(span, fixed),
                );
                let value = text.replace(',', "").parse().unwrap_or(i128::MAX);
                self.literal(LitKind::Int, Literal::Int(value))
            }
            Raw::Number if self.leading_point(start) => {
                let dot = self.out.tokens.pop().map_or((start, first), |dot| (dot.start, dot.first));
                let fixed = format!("0.{text}");
                let span = self.span(dot.0, end);
                self.report(
                    Diagnostic::new(Code::E0004, "a number begins with a digit", span)
                        .help(format!("write `{fixed}`"))
                        .fix(span, fixed.clone()),
                );
                let tok = match literal::number(&fixed) {
                    Ok(Number::Float(value)) => self.literal(LitKind::Float, Literal::Float(value)),
                    _ => Tok::Bad,
                };
                return self.push(tok, dot.0, end, dot.1);
            }
            Raw::Number => match literal::number(text) {
                Ok(Number::Int(value)) => self.literal(LitKind::Int, Literal::Int(value)),
                Ok(Number::Float(value)) => self.literal(LitKind::Float, Literal::Float(value)),
                Ok(Number::Duration(micros)) => self.literal(LitKind::Duration, Literal::Duration(micros)),
                Err(mistake) => {
                    self.mistake(mistake, start, end);
                    Tok::Bad
                }
            },
            Raw::String => {
                let (bytes, mistakes) = literal::string(text);
                for mistake in mistakes {
                    self.mistake(mistake, start, end);
                }
                if text.starts_with('b') {
                    self.literal(LitKind::Bytes, Literal::Bytes(bytes))
                } else {
                    let text = String::from_utf8(bytes).unwrap_or_default();
                    self.literal(LitKind::String, Literal::String(text))
                }
            }
            Raw::SingleQuoted => {
                let inner = text.trim_matches('\'');
                let diagnostic = Diagnostic::new(Code::E0001, "strings stand in double quotes", span);
                self.report(if inner.contains(['"', '\\']) {
                    diagnostic
                } else {
                    diagnostic.fix(span, format!("\"{inner}\""))
                });
                self.literal(LitKind::String, Literal::String(inner.into()))
            }
            Raw::AndAnd => self.habit("and", span),
            Raw::OrOr => self.habit("or", span),
            Raw::Bang => self.habit("not", span),
            Raw::Arrow => Tok::Arrow,
            Raw::FatArrow => Tok::FatArrow,
            Raw::EqEq => Tok::EqEq,
            Raw::NotEq => Tok::NotEq,
            Raw::Le => Tok::Le,
            Raw::Ge => Tok::Ge,
            Raw::StarStar => Tok::StarStar,
            Raw::Coalesce => Tok::Coalesce,
            Raw::DotDot => Tok::DotDot,
            Raw::Dot => Tok::Dot,
            Raw::Comma => Tok::Comma,
            Raw::Colon => Tok::Colon,
            Raw::Semicolon => Tok::Semicolon,
            Raw::Assign => Tok::Assign,
            Raw::Lt => Tok::Lt,
            Raw::Gt => Tok::Gt,
            Raw::Plus => Tok::Plus,
            Raw::Minus => Tok::Minus,
            Raw::Star => Tok::Star,
            Raw::Slash => Tok::Slash,
            Raw::Percent => Tok::Percent,
            Raw::Question => Tok::Question,
            Raw::At => Tok::At,
            Raw::Pipe => Tok::Pipe,
            Raw::LParen => Tok::LParen,
            Raw::RParen => Tok::RParen,
            Raw::LBracket => Tok::LBracket,
            Raw::RBracket => Tok::RBracket,
            Raw::LBrace => Tok::LBrace,
            Raw::RBrace => Tok::RBrace,
        };
        self.push(tok, start, end, first);
    }

    /// Whether a point that belongs to no operand stands right before a number.
    fn leading_point(&self, start: u32) -> bool {
        match &self.out.tokens[..] {
            [before @ .., dot] if dot.tok == Tok::Dot && dot.end == start => {
                !before.last().is_some_and(|token| token.tok.ends_operand())
            }
            _ => false,
        }
    }

    /// An operator of another language, read as the word that it is here.
    fn habit(&mut self, word: &'static str, span: Span) -> Tok<'s> {
        let message = format!("this operator is the word `{word}`");
        let replacement = if word == "not" { "not " } else { word };
        self.report(Diagnostic::new(Code::E0001, message, span).fix(span, replacement));
        Tok::Word(word)
    }

    fn mistake(&mut self, mistake: Mistake, start: u32, end: u32) {
        let at = self.span(start + mistake.at.start as u32, start + mistake.at.end as u32);
        let mut diagnostic = Diagnostic::new(mistake.code, mistake.message, at);
        if let Some(help) = mistake.help {
            diagnostic = diagnostic.help(help);
        }
        if let Some(fix) = mistake.fix {
            if diagnostic.help.is_none() {
                diagnostic = diagnostic.help(format!("write `{fix}`"));
            }
            diagnostic = diagnostic.fix(self.span(start, end), fix);
        }
        self.report(diagnostic);
    }

    /// Text that is no token at all.
    fn unknown(&mut self, text: &str, range: Option<std::ops::Range<usize>>) {
        let Some(range) = range else { return };
        let what = &text[range.clone()];
        let span = self.span(range.start as u32, range.end as u32);
        let shown: String = what.chars().take(20).collect();
        let shown = shown.escape_debug();
        let diagnostic = Diagnostic::new(Code::E0001, format!("`{shown}` is no part of the language"), span);
        let help = if what.contains(['\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}']) {
            "strings stand in plain double quotes: `\"…\"`"
        } else if what.chars().any(char::is_alphabetic) {
            "names consist of the letters a to z and A to Z, digits and `_`"
        } else if what.chars().all(char::is_whitespace) {
            "this is an unusual blank; use a plain space"
        } else {
            ""
        };
        self.report(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
    }

    fn comment(&mut self, text: &'s str, start: u32, end: u32, own_line: bool) {
        let end = end - (text.len() - text.trim_end().len()) as u32;
        self.out.comments.push(Comment { start, end, own_line });
        // Doc comments have lines of their own: after something, `///` is a comment as any other.
        let doc = text.strip_prefix("///").filter(|rest| own_line && !rest.starts_with('/'));
        match (doc, &mut self.doc) {
            (Some(line), Some((lines, _, last))) => {
                lines.push(line);
                *last = end;
            }
            (Some(line), None) => self.doc = Some((vec![line], start, end)),
            (None, _) => {}
        }
    }

    fn flush_doc(&mut self) {
        let Some((lines, start, end)) = self.doc.take() else { return };
        let doc = doc(&lines, self.span(start, end));
        self.out.literals.push(Literal::Doc(doc));
        let index = self.out.literals.len() as u32 - 1;
        self.push(Tok::Doc(index), start, end, true);
    }
}

/// Reads the lines of a doc comment: metadata such as `:owner: identity`, the rest is the description.
fn doc(lines: &[&str], span: Span) -> Doc {
    let mut description: Vec<&str> = Vec::new();
    let mut metadata = Vec::new();
    for line in lines {
        let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
        let entry = line.trim_start().strip_prefix(':').and_then(|rest| rest.split_once(':'));
        match entry {
            Some((key, value)) if is_metadata_key(key) => {
                metadata.push(Metadata { key: key.into(), value: value.trim().into() });
            }
            _ => description.push(line),
        }
    }
    Doc { description: description.join("\n").trim().into(), metadata, span }
}

fn is_metadata_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
