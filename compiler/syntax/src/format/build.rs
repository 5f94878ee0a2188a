//! From tokens and comments to lines with their indentation.
//!
//! A bracket's content stands one level deeper than the line that opened it, however many it opened; so does the rest of an item
//! that goes on over a line break.
//!
//! This module must not know what is aligned with what in other lines.

use crate::layout::{Chunk, item_word};
use crate::lex::Comment;
use crate::token::Tok;

use super::spacing::{Around, blank};
use super::{Line, Stop};

/// Words at the beginning of a line after which an expression comes.
const CLAUSES: &[&str] =
    &["where", "timestamp", "dedup", "within", "by", "at", "given", "expect", "header", "prefix", "parse", "window"];

/// An open bracket.
struct Open<'s> {
    tok: Tok<'s>,
    /// The indentation of the line that opened it.
    indent: usize,
    tight: bool,
}

struct Builder<'a, 's> {
    text: &'a str,
    lines: Vec<Line>,
    open: Vec<Open<'s>>,
    /// The tokens of the line that is being written.
    line: Vec<Tok<'s>>,
    /// How many arrows and commas of the item level the line has.
    arrows: usize,
    commas: usize,
    /// How many angle brackets are open; commas inside separate types.
    angles: usize,
    /// How many brackets were open when the line began.
    line_depth: usize,
    /// The word that begins the declaration.
    kind: Option<&'s str>,
    /// The end of the last token or comment.
    end: usize,
}

/// Builds the lines.
pub(super) fn lines<'s>(text: &str, chunks: &[Chunk<'s>], comments: &[Comment]) -> Vec<Line> {
    let mut builder = Builder {
        text,
        lines: Vec::new(),
        open: Vec::new(),
        line: Vec::new(),
        arrows: 0,
        commas: 0,
        angles: 0,
        line_depth: 0,
        kind: None,
        end: 0,
    };
    let mut comments = comments.iter().peekable();
    for chunk in chunks {
        builder.kind = item_word(&chunk.tokens);
        let broken = broken_bodies(text, chunk);
        let mut new_item = true;
        let mut begun = false;
        let mut after_brace = false;
        for &(tok, span) in &chunk.tokens {
            match tok {
                Tok::Newline => {
                    new_item = true;
                    continue;
                }
                Tok::Doc(_) => continue,
                _ => {}
            }
            let starts_line = builder.line.is_empty()
                || builder.text[builder.end..span.start].contains('\n')
                || after_brace
                || broken.iter().any(|&(_, end)| end == span.start);
            after_brace = broken.iter().any(|&(start, _)| start == span.start);
            let indent = builder.indent(tok, new_item, begun);
            while let Some(comment) = comments.next_if(|comment| (comment.start as usize) < span.start) {
                builder.comment(comment, if tok.closes() { builder.content_indent() } else { indent });
            }
            if starts_line || builder.line.is_empty() {
                builder.begin_line(span.start, indent, tok);
            }
            builder.token(tok, span.start, span.end);
            // The header of a declaration begins with its word, after attributes on lines of their own.
            begun |= matches!(tok, Tok::Word(word) if Some(word) == builder.kind);
            new_item = false;
        }
        builder.finish_line();
    }
    for comment in comments {
        builder.comment(comment, 0);
    }
    builder.finish_line();
    builder.lines
}

/// Where the bodies of a declaration begin and end (their braces) that go over several lines: such a body has its braces for itself.
fn broken_bodies(text: &str, chunk: &Chunk<'_>) -> Vec<(usize, usize)> {
    let mut open = Vec::new();
    let mut bodies = Vec::new();
    for &(tok, span) in &chunk.tokens {
        if tok.opens() {
            open.push((tok, span.start));
        } else if tok.closes()
            && let Some((Tok::LBrace, start)) = open.pop()
            && open.is_empty()
            && text[start..span.start].contains('\n')
        {
            bodies.push((start, span.start));
        }
    }
    bodies
}

impl<'s> Builder<'_, 's> {
    /// The indentation of what stands in the innermost bracket.
    fn content_indent(&self) -> usize {
        self.open.last().map_or(0, |open| open.indent + 1)
    }

    /// The indentation of a line that begins with this token.
    fn indent(&self, tok: Tok<'s>, new_item: bool, begun: bool) -> usize {
        if tok.closes() {
            return self.open.last().map_or(0, |open| open.indent);
        }
        match self.open.last() {
            None => {
                let body = matches!(tok, Tok::LBrace | Tok::Word("sql"));
                usize::from(begun && !body) + usize::from(begun && self.kind == Some("stream") && !new_item && !body)
            }
            Some(open) if open.tok == Tok::LBrace => {
                // In braces, what is not separated from the line before belongs to it.
                let fresh = new_item || matches!(self.line.last(), Some(Tok::LBrace | Tok::Comma) | None);
                let detail = self.kind == Some("test") && matches!(tok, Tok::Word("header" | "prefix"));
                open.indent + 1 + usize::from(!fresh || detail)
            }
            Some(open) => {
                let last = self.line.last();
                let fresh = matches!(last, Some(Tok::Comma) | None) || last.is_some_and(|tok| tok.opens());
                open.indent + 1 + usize::from(!fresh)
            }
        }
    }

    fn begin_line(&mut self, start: usize, indent: usize, tok: Tok<'s>) {
        let blank_before = self.blank_before(start) && !tok.closes();
        self.finish_line();
        self.lines.push(Line { indent, blank_before, ..Line::default() });
        self.line_depth = self.open.len();
    }

    /// Whether the writer left a line empty here, where one may be.
    fn blank_before(&self, start: usize) -> bool {
        let gap = &self.text[self.end..start];
        let opened = self.lines.last().is_none_or(|line| line.code.ends_with(['{', '(', '[']));
        gap.bytes().filter(|&byte| byte == b'\n').count() > 1 && !opened
    }

    fn finish_line(&mut self) {
        let first = self.line.first().copied();
        let one_item = self.commas == 0;
        if let Some(line) = self.lines.last_mut()
            && let Some((stop, _)) = line.stop
        {
            let fits = match stop {
                Stop::Assignment => one_item && matches!(first, Some(Tok::Word(_))),
                Stop::Arm => self.arrows == 1 && self.commas <= 1,
                Stop::Source | Stop::Import => true,
            };
            if !fits {
                line.stop = None;
            }
        }
        self.line.clear();
        self.arrows = 0;
        self.commas = 0;
    }

    fn token(&mut self, tok: Tok<'s>, start: usize, end: usize) {
        let Some(at) = self.lines.len().checked_sub(1) else { return };
        let spaced = !self.line.is_empty() && {
            let clause = matches!(self.line[0], Tok::Word(word) if CLAUSES.contains(&word))
                && matches!(self.kind, Some("stream" | "test" | "extern"))
                && self.line_depth <= usize::from(self.kind == Some("test"));
            blank(&Around {
                before: &self.line,
                next: tok,
                tight_braces: self.open.last().is_some_and(|open| open.tight),
                begins_with_clause: clause,
            })
        };
        let level = self.open.len() == self.line_depth;
        let stop = match (tok, self.line.as_slice(), self.kind) {
            (Tok::Assign, [Tok::Word(_)], Some("stream" | "online")) if self.open.len() == 1 => Some(Stop::Assignment),
            (Tok::Assign, [Tok::Word("source"), Tok::Word(_)], _) if self.open.is_empty() => Some(Stop::Source),
            (Tok::Lit(..), [Tok::Word("import"), Tok::Word(_)], _) => Some(Stop::Import),
            (Tok::FatArrow, _, _) if level => Some(Stop::Arm),
            _ => None,
        };
        let line = &mut self.lines[at];
        if spaced {
            line.code.push(' ');
        }
        if let Some(stop) = stop
            && line.stop.is_none()
        {
            line.stop = Some((stop, line.code.chars().count()));
        }
        line.code.push_str(&self.text[start..end]);
        self.arrows += usize::from(level && tok == Tok::FatArrow);
        match tok {
            Tok::LAngle => self.angles += 1,
            Tok::RAngle => self.angles = self.angles.saturating_sub(1),
            Tok::Comma if level && self.angles == 0 => self.commas += 1,
            _ => {}
        }
        if tok.opens() {
            let in_parens = self.open.last().is_some_and(|open| open.tok != Tok::LBrace || open.tight);
            let tight = tok == Tok::LBrace
                && in_parens
                && matches!(self.line.last(), Some(Tok::Colon | Tok::Comma | Tok::LParen | Tok::LBracket));
            self.open.push(Open { tok, indent: self.lines[at].indent, tight });
        } else if tok.closes() {
            self.open.pop();
        }
        self.line.push(tok);
        self.end = end;
    }

    fn comment(&mut self, comment: &Comment, indent: usize) {
        let (start, end) = (comment.start as usize, comment.end as usize);
        let text = self.text[start..end].to_owned();
        let free = self.lines.last().is_some_and(|line| line.comment.is_none() && !line.code.is_empty());
        if !comment.own_line && free {
            if let Some(line) = self.lines.last_mut() {
                line.comment = Some(text);
            }
        } else {
            let blank_before = self.blank_before(start);
            self.lines.push(Line { indent, comment: Some(text), blank_before, ..Line::default() });
            // The stop of the line before is settled when its successor begins; a comment is none of its tokens.
            self.settle_before_comment();
        }
        self.end = end;
    }

    /// Settles the line before a comment that was just pushed, as `finish_line` would.
    fn settle_before_comment(&mut self) {
        if let Some(comment) = self.lines.pop() {
            let last = self.line.last().copied();
            self.finish_line();
            // What follows the comment still has to know what came before it.
            self.line.extend(last);
            self.lines.push(comment);
        }
    }
}
