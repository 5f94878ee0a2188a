//! The way from a text to a tree and diagnostics.
//!
//! This module must not know the rules of the grammar.

use chalk_diagnostics::{Code, Diagnostic, FileId, Span, did_you_mean};

use crate::ast::File;
use crate::check;
use crate::grammar::{Expect, Expected, Grammar, ParseError};
use crate::layout::{Chunk, ITEM_WORDS, MAX_DEPTH, layout};
use crate::lex::lex;
use crate::token::{Tok, is_reserved};

/// After so many mistakes of one file the rest is left unsaid.
const MAX_DIAGNOSTICS: usize = 100;

/// What a clause of a stream may begin with.
const CLAUSE_WORDS: &[&str] = &["from", "where", "parse", "timestamp", "dedup", "window", "by", "sink"];

/// Reads a file. There is always a tree: what could not be read is left out or an error node, and a diagnostic says why.
///
/// Diagnostics come in the order of the text, at most a hundred.
pub fn parse(file: FileId, text: &str) -> (File, Vec<Diagnostic>) {
    let mut tree = File { id: file, items: Vec::new() };
    if u32::try_from(text.len()).is_err() {
        let message = "a file has at most 4 GiB";
        return (tree, vec![Diagnostic::new(Code::E0009, message, Span::new(file, 0, 0))]);
    }
    let mut lexed = lex(file, text);
    let mut diagnostics = std::mem::take(&mut lexed.diagnostics);
    let chunks = layout(file, text, &lexed, &mut diagnostics);
    let grammar = Grammar::new(file, text, &lexed.literals);
    for chunk in &chunks {
        let Some(begin) = beginning(&chunk.tokens) else {
            diagnostics.extend(dangling(file, chunk));
            continue;
        };
        let (tok, span) = chunk.tokens[begin];
        if !matches!(tok, Tok::Word(word) if ITEM_WORDS.contains(&word)) {
            diagnostics.extend(not_a_declaration(file, tok, Span::new(file, span.start as u32, span.end as u32)));
            continue;
        }
        let (item, errors) = grammar.item(&chunk.tokens);
        if !chunk.quiet {
            diagnostics.extend(errors.into_iter().take(MAX_DIAGNOSTICS).map(|error| diagnostic(file, chunk, error)));
        }
        tree.items.extend(item);
    }
    check::check(&tree, &mut diagnostics);
    chalk_diagnostics::sort(&mut diagnostics);
    diagnostics.truncate(MAX_DIAGNOSTICS);
    (tree, diagnostics)
}

/// The index of the first token after doc comments and attributes.
fn beginning(tokens: &[(Tok<'_>, chumsky::span::SimpleSpan)]) -> Option<usize> {
    let mut i = 0;
    while let Some(&(tok, _)) = tokens.get(i) {
        match tok {
            Tok::Doc(_) | Tok::Newline => i += 1,
            Tok::At => {
                // The name, and its arguments.
                i += 2;
                if tokens.get(i).is_some_and(|&(tok, _)| tok == Tok::LParen) {
                    let mut depth = 0;
                    while let Some(&(tok, _)) = tokens.get(i) {
                        i += 1;
                        if tok.opens() {
                            depth += 1;
                        } else if tok.closes() {
                            depth -= 1;
                        }
                        if depth == 0 {
                            break;
                        }
                    }
                }
            }
            _ => return Some(i),
        }
    }
    None
}

/// Attributes without a declaration.
fn dangling(file: FileId, chunk: &Chunk<'_>) -> Option<Diagnostic> {
    let (_, span) = chunk.tokens.iter().find(|(tok, _)| *tok == Tok::At)?;
    let end = chunk.tokens.last().map_or(span.end, |(_, last)| last.end);
    let span = Span::new(file, span.start as u32, end as u32);
    Some(Diagnostic::new(Code::E0007, "this attribute belongs to no declaration", span))
}

fn not_a_declaration(file: FileId, tok: Tok<'_>, span: Span) -> Option<Diagnostic> {
    let _ = file;
    let help = format!("declarations begin with {}", list(ITEM_WORDS.iter().map(|word| format!("`{word}`")), "or"));
    let word = match tok {
        Tok::Word(word) => word,
        // It was refused already.
        Tok::Bad => return None,
        _ => {
            let message = format!("expected a declaration, found {}", tok.describe());
            return Some(Diagnostic::new(Code::E0013, message, span).help(help));
        }
    };
    let diagnostic = Diagnostic::new(Code::E0013, format!("`{word}` begins no declaration"), span);
    let habit = match word {
        "struct" | "record" | "type" | "schema" => Some("message"),
        "class" | "table" | "entity" => Some("features"),
        "def" | "func" | "function" | "fun" => Some("fn"),
        _ => did_you_mean(word, ITEM_WORDS),
    };
    Some(match habit {
        Some(habit) => diagnostic.help(format!("did you mean `{habit}`?")).fix(span, habit),
        None => diagnostic.help(help),
    })
}

/// What a rule of the grammar found wrong, in words.
fn diagnostic(file: FileId, chunk: &Chunk<'_>, error: ParseError<'_>) -> Diagnostic {
    let span = Span::new(file, error.span.start as u32, error.span.end as u32);
    if let Some(custom) = error.custom {
        let diagnostic = Diagnostic::new(custom.code, custom.message, span);
        return match custom.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        };
    }
    let expected = error.expected;
    if let Some(Tok::Word(word)) = error.found
        && is_reserved(word)
        && (expected.contains(Expect::Name) && !expected.contains(Expect::Expression))
    {
        let message = format!("`{word}` is a word of the language and cannot be a name here");
        return Diagnostic::new(Code::E0011, message, span).help("choose another name");
    }
    if let Some(Tok::Word(word)) = error.found
        && expected.contains(Expect::Clause)
    {
        let diagnostic = Diagnostic::new(Code::E0007, format!("`{word}` begins no clause"), span);
        return match did_you_mean(word, CLAUSE_WORDS) {
            Some(known) => diagnostic.help(format!("did you mean `{known}`?")).fix(span, known),
            None => {
                let words = list(CLAUSE_WORDS.iter().map(|word| format!("`{word}`")), "or");
                diagnostic.help(format!("clauses begin with {words}; the body stands in braces"))
            }
        };
    }
    let found = error.found.map_or("the end of the declaration".into(), Tok::describe);
    if expected.has_token(Tok::Word("sql")) {
        let message = format!("expected the body of the resolver, found {found}");
        return Diagnostic::new(Code::E0007, message, span)
            .help("the body is `{ feature = expression … }` or `sql \"\"\"…\"\"\"`");
    }
    let message = match expectation(expected, enclosing(chunk, error.span.start)) {
        Some(expectation) => format!("expected {expectation}, found {found}"),
        None => format!("did not expect {found} here"),
    };
    let diagnostic = Diagnostic::new(Code::E0007, message, span);
    match hint(&error) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// The bracket that is open at an offset.
fn enclosing<'s>(chunk: &Chunk<'s>, offset: usize) -> Option<Tok<'s>> {
    let mut open = Vec::new();
    for &(tok, span) in chunk.tokens.iter().take_while(|(_, span)| span.start < offset) {
        if tok.opens() {
            open.push(tok);
        } else if tok.closes() && span.end <= offset {
            open.pop();
        }
    }
    open.last().copied()
}

/// What was expected: what could begin something before what could continue it, which is no news.
fn expectation(expected: Expected, bracket: Option<Tok<'_>>) -> Option<String> {
    if expected.contains(Expect::Expression) {
        return Some("an expression".into());
    }
    let weak = |expect: Expect| {
        let symbols = [Tok::Dot, Tok::Question, Tok::Pipe, Tok::LAngle, Tok::At, Tok::LParen];
        let ends = expected.contains(Expect::ItemEnd);
        expect == Expect::Operator
            || symbols.into_iter().any(|tok| expect.is_token(tok))
            || (ends && (expect == Expect::End || expect.is_token(Tok::Colon) || expect.is_token(Tok::Comma)))
    };
    let mut shown: Vec<Expect> = expected.iter().filter(|&expect| !weak(expect)).collect();
    if shown.is_empty() {
        shown = expected.iter().collect();
    }
    let mut all: Vec<String> = Vec::new();
    for expect in shown {
        let names = match (expect, bracket.and_then(Tok::partner)) {
            (Expect::ItemEnd, Some(close)) if close != Tok::RBrace => vec!["`,`".into(), close.describe()],
            _ => vec![expect.describe()],
        };
        all.extend(names.into_iter().filter(|name| !all.contains(name)).collect::<Vec<_>>());
    }
    match all.len() {
        0 => None,
        1..=4 => Some(list(all.into_iter(), "or")),
        _ => Some(list(all.into_iter().take(3).chain(["something else".into()]), "or")),
    }
}

/// What to do about some frequent mistakes.
fn hint(error: &ParseError<'_>) -> Option<String> {
    let expected = error.expected;
    if expected.has_token(Tok::Word("else")) && error.found.is_none_or(|found| found == Tok::Newline) {
        return Some("add `else …`: an expression has a value for every message".into());
    }
    match error.found? {
        Tok::Word("if") if expected.contains(Expect::Operator) => {
            Some("a choice is written `if condition then a else b`".into())
        }
        Tok::Word(_) if expected.has_token(Tok::Colon) && !expected.contains(Expect::Operator) => {
            Some("a field is written `name: type`".into())
        }
        Tok::Semicolon => Some("items end with the line, or with a comma".into()),
        Tok::Assign if expected.contains(Expect::Operator) => Some("a comparison is written `==`".into()),
        Tok::Assign if expected.has_token(Tok::Colon) => Some("a field is written `name: type`".into()),
        Tok::Colon if expected.has_token(Tok::Assign) => Some("a value is given with `=`".into()),
        Tok::Word("elif") => Some("write `else if`".into()),
        Tok::Word(_) if expected.has_token(Tok::Word("none")) => {
            Some("`is` asks only for `none`; compare with `==`".into())
        }
        Tok::Lit(..) if expected.has_token(Tok::Word("none")) => {
            Some("`is` asks only for `none`; compare with `==`".into())
        }
        Tok::Question if expected.contains(Expect::Operator) => {
            Some("a choice is written `if condition then a else b`, a default `a ?? b`".into())
        }
        _ => None,
    }
}

/// `a, b or c`
fn list(items: impl Iterator<Item = String>, last: &str) -> String {
    let items: Vec<String> = items.collect();
    match &items[..] {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}

/// The limit on nesting, for messages and tests.
pub const NESTING_LIMIT: usize = MAX_DEPTH;
