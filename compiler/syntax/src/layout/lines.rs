//! Which line breaks end an item, which angle brackets enclose types, and where nesting goes too deep.
//!
//! The rule of the language: an expression goes on over a line break inside brackets, after an operator, and before a line that
//! begins with an operator or `.`. Everything here is that rule, and the few places where a word is both operator and name.
//!
//! This module must not know declarations, beyond that the variants of an enum are no operators.

use chalk_diagnostics::{Code, Diagnostic, FileId, Span};
use chumsky::span::{SimpleSpan, Span as _};

use super::{Chunk, MAX_DEPTH};
use crate::lex::Token;
use crate::token::{LitKind, Tok, is_reserved};

/// How far the end of type arguments is searched.
const ANGLE_LIMIT: usize = 100;

/// An open bracket and how many operators stand in it since the last item began.
struct Frame {
    opener: Option<Tok<'static>>,
    close: usize,
    operators: usize,
}

/// Lays out one declaration whose brackets are balanced.
pub(super) fn lay_out<'s>(
    file: FileId,
    kind: Option<&'s str>,
    tokens: &[Token<'s>],
    diagnostics: &mut Vec<Diagnostic>,
) -> Chunk<'s> {
    let tokens = mark_angles(tokens);
    let close = partners(&tokens);
    let lines = Lines { tokens: &tokens, is_enum: kind == Some("enum"), is_stream: kind == Some("stream") };
    let has_docs = matches!(kind, Some("features" | "message" | "enum"));
    let mut out: Vec<(Tok<'s>, SimpleSpan)> = Vec::with_capacity(tokens.len() + 16);
    let mut frames = vec![Frame { opener: None, close: tokens.len(), operators: 0 }];
    let mut depth = 1;
    let mut quiet = false;
    // Whether only doc comments and attributes were read so far: what a declaration may begin with.
    let mut in_prefix = true;
    let mut i = 0;
    while i < tokens.len() {
        let token = tokens[i];
        let span = SimpleSpan::new((), token.start as usize..token.end as usize);
        let last = frames.len() - 1;
        let frame = &mut frames[last];
        let braces = matches!(frame.opener, None | Some(Tok::LBrace));
        if let Tok::Doc(_) = token.tok {
            // Where no doc comment can stand, it is a comment; so is one after which nothing comes.
            let welcome = if last == 0 { in_prefix } else { has_docs && last == 1 };
            if !welcome || tokens.get(i + 1).is_none_or(|next| next.tok.closes()) {
                i += 1;
                continue;
            }
        }
        in_prefix &= matches!(token.tok, Tok::Doc(_) | Tok::At) || last > 0 || !token.first;
        if token.first && braces && lines.separates(i, last, out.last().map(|&(tok, _)| tok)) {
            let end = out.last().map_or(span.start, |&(_, span)| span.end);
            out.push((Tok::Newline, SimpleSpan::new((), end..end)));
            depth -= std::mem::take(&mut frame.operators);
        }
        if token.tok == Tok::Comma {
            depth -= std::mem::take(&mut frame.operators);
        }
        let counts = token.tok.opens() || is_operator(token.tok);
        if counts && depth >= MAX_DEPTH {
            if !quiet {
                quiet = true;
                diagnostics.push(too_deep(file, token));
            }
            // What stands so deep is left out; around it everything is read.
            if token.tok.opens() {
                out.push((token.tok, span));
                out.push((Tok::Bad, span));
                i = close[i];
                let token = tokens[i];
                out.push((token.tok, SimpleSpan::new((), token.start as usize..token.end as usize)));
                i += 1;
            } else {
                if !out.last().is_some_and(|(tok, _)| tok.ends_operand()) {
                    out.push((Tok::Bad, span));
                }
                i = lines.item_end(i, last, frame.close, braces, &close);
            }
            continue;
        }
        if token.tok.opens() {
            depth += 1;
            let opener = token.tok.partner().and_then(Tok::partner);
            frames.push(Frame { opener, close: close[i], operators: 0 });
        } else if token.tok.closes() && last > 0 {
            depth -= 1 + frame.operators;
            frames.pop();
        } else if is_operator(token.tok) {
            frame.operators += 1;
            depth += 1;
        }
        out.push((token.tok, span));
        i += 1;
    }
    Chunk { tokens: out, quiet }
}

fn too_deep(file: FileId, token: Token<'_>) -> Diagnostic {
    let span = Span::new(file, token.start, token.end);
    Diagnostic::new(Code::E0009, format!("this is nested more than {MAX_DEPTH} levels deep"), span)
        .help("give parts of it a name with `let`, or a `fn` of their own")
}

/// Whether a token makes the tree deeper by one.
fn is_operator(tok: Tok<'_>) -> bool {
    match tok {
        Tok::Word(word) => matches!(word, "and" | "or" | "not" | "in" | "is" | "as" | "if"),
        Tok::EqEq | Tok::NotEq | Tok::Le | Tok::Ge | Tok::Lt | Tok::Gt | Tok::LAngle => true,
        Tok::Plus | Tok::Minus | Tok::Star | Tok::Slash | Tok::Percent | Tok::StarStar => true,
        Tok::Coalesce | Tok::Dot | Tok::Question | Tok::Pipe | Tok::FatArrow | Tok::Assign => true,
        _ => false,
    }
}

/// For each opening bracket the index of its partner.
fn partners(tokens: &[Token<'_>]) -> Vec<usize> {
    let mut partner = vec![tokens.len(); tokens.len()];
    let mut open = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        if token.tok.opens() {
            open.push(i);
        } else if token.tok.closes()
            && let Some(opener) = open.pop()
        {
            partner[opener] = i;
        }
    }
    partner
}

/// Marks `<` and `>` that enclose types: `map<string, int>`, `json_deserialize<User>(raw)`.
///
/// A comparison is told apart by what stands between and after: only what types are made of, then no operand.
fn mark_angles<'s>(tokens: &[Token<'s>]) -> Vec<Token<'s>> {
    let mut out = tokens.to_vec();
    for i in 1..tokens.len() {
        let glued = tokens[i].start == tokens[i - 1].end;
        let named = matches!(tokens[i - 1].tok, Tok::Word(word) if !is_reserved(word));
        if out[i].tok != Tok::Lt || !glued || !named {
            continue;
        }
        let mut open = vec![i];
        let mut pairs = Vec::new();
        for (j, token) in tokens.iter().enumerate().skip(i + 1).take(ANGLE_LIMIT) {
            match token.tok {
                Tok::Lt => open.push(j),
                Tok::Gt => pairs.extend(open.pop().map(|opener| (opener, j))),
                Tok::Word(word) if !is_reserved(word) => {}
                Tok::Dot | Tok::Comma | Tok::Question | Tok::Semicolon | Tok::Pipe | Tok::Lit(LitKind::Int, _) => {}
                Tok::LBracket | Tok::RBracket | Tok::LParen | Tok::RParen => {}
                _ => break,
            }
            if open.is_empty() {
                break;
            }
        }
        let Some(&(_, end)) = pairs.last().filter(|_| open.is_empty()) else { continue };
        let after = match tokens.get(end + 1) {
            None => true,
            Some(next) => {
                follows_as(&tokens[..i])
                    || next.first
                    || match next.tok {
                        Tok::LParen | Tok::RParen | Tok::RBracket | Tok::LBrace | Tok::RBrace => true,
                        Tok::Comma | Tok::Question | Tok::Assign | Tok::Semicolon | Tok::Pipe => true,
                        Tok::Colon | Tok::Dot | Tok::FatArrow => true,
                        Tok::Word(word) => is_reserved(word) || word == "over",
                        _ => false,
                    }
            }
        };
        if after {
            for (opener, closer) in pairs {
                out[opener].tok = Tok::LAngle;
                out[closer].tok = Tok::RAngle;
            }
        }
    }
    out
}

/// Whether the dotted name that these tokens end with is the type of a cast.
fn follows_as(tokens: &[Token<'_>]) -> bool {
    let mut at = tokens.len() - 1;
    while at >= 2 && tokens[at - 1].tok == Tok::Dot && matches!(tokens[at - 2].tok, Tok::Word(_)) {
        at -= 2;
    }
    at >= 1 && tokens[at - 1].tok == Tok::Word("as")
}

struct Lines<'a, 's> {
    tokens: &'a [Token<'s>],
    is_enum: bool,
    is_stream: bool,
}

impl<'s> Lines<'_, 's> {
    fn tok(&self, i: usize) -> Option<Tok<'s>> {
        self.tokens.get(i).map(|token| token.tok)
    }

    /// Whether the line break before token `i`, `depth` brackets deep and outside of `(` and `[`, ends an item.
    fn separates(&self, i: usize, depth: usize, last_out: Option<Tok<'s>>) -> bool {
        let (Some(last), Some(cur)) = (last_out, self.tok(i)) else { return false };
        if matches!(last, Tok::LBrace | Tok::Comma | Tok::Newline | Tok::Doc(_)) {
            return false;
        }
        if matches!(cur, Tok::RBrace | Tok::Comma) {
            return false;
        }
        // The body of a stream begins, even where the clause before it is unfinished.
        if depth == 0 && self.is_stream && cur == Tok::LBrace {
            return true;
        }
        if depth > 0 && (self.is_enum || self.begins_item(i)) {
            return true;
        }
        !self.goes_on_after(i - 1) && !self.goes_on_with(i)
    }

    /// Inside braces, a line that begins with `name =` or `name:` is a new item whatever came before.
    fn begins_item(&self, i: usize) -> bool {
        matches!((self.tok(i), self.tok(i + 1)), (Some(Tok::Word(_)), Some(Tok::Assign | Tok::Colon)))
    }

    /// Whether token `i`, the last of its line, is an operator that wants an operand.
    fn goes_on_after(&self, i: usize) -> bool {
        match self.tokens[i].tok {
            Tok::Word(word) => {
                (is_reserved(word) || word == "as") && !matches!(word, "true" | "false" | "none") && {
                    // After a dot it is a field's name.
                    i == 0 || self.tokens[i - 1].tok != Tok::Dot
                }
            }
            tok => {
                matches!(tok, Tok::Arrow | Tok::FatArrow | Tok::Colon | Tok::Assign | Tok::At)
                    || (is_operator(tok) && tok != Tok::Question)
            }
        }
    }

    /// Whether token `i`, the first of its line, is an operator that wants the line before.
    fn goes_on_with(&self, i: usize) -> bool {
        let next = self.tok(i + 1);
        match self.tokens[i].tok {
            Tok::Word("not") => next == Some(Tok::Word("in")),
            Tok::Word("over") => next == Some(Tok::LBracket),
            Tok::Word("and" | "or" | "in" | "is" | "as" | "then" | "else") => {
                !matches!(next, Some(Tok::Colon | Tok::Assign | Tok::FatArrow))
            }
            Tok::Word(_) => false,
            // A negative pattern of the next arm of a match.
            Tok::Minus => {
                let number = matches!(next, Some(Tok::Lit(LitKind::Int | LitKind::Float, _)));
                !(number && matches!(self.tok(i + 2), Some(Tok::FatArrow | Tok::Pipe)))
            }
            tok => matches!(tok, Tok::Arrow | Tok::Colon | Tok::Assign | Tok::FatArrow) || is_operator(tok),
        }
    }

    /// The index of the token that ends the item in which token `i` stands.
    fn item_end(&self, i: usize, depth: usize, frame_close: usize, braces: bool, close: &[usize]) -> usize {
        let mut at = i;
        while at < frame_close {
            let token = self.tokens[at];
            if token.tok == Tok::Comma
                || (at > i && token.first && braces && self.separates(at, depth, self.tok(at - 1)))
            {
                break;
            }
            at = if token.tok.opens() { close[at] + 1 } else { at + 1 };
        }
        at.min(frame_close)
    }
}
