//! The tokens: the raw ones that logos cuts, and those that the grammar reads.
//!
//! Words are one kind of token, because most of them are special only in one place; the grammar compares their text.
//!
//! This module must not know the grammar.

use logos::{Lexer, Logos, Skip};

/// What logos cuts out of the text. Literals are cut whole and judged later, so that a malformed one is one mistake.
#[derive(Logos, Clone, Copy, Debug, PartialEq, Eq)]
#[logos(skip r"[ \t\r\f]+")]
#[logos(extras = LineState)]
pub(crate) enum Raw {
    #[token("\n", |lex| { lex.extras.fresh = true; Skip })]
    Newline,
    #[regex("//[^\n]*", allow_greedy = true)]
    Comment,
    #[regex("#[^\n]*", allow_greedy = true)]
    HashComment,

    #[regex("[A-Za-z_][A-Za-z0-9_]*")]
    Word,
    #[regex(r"[0-9][0-9A-Za-z_]*(\.[0-9][0-9A-Za-z_]*)?", signed_exponent)]
    Number,
    #[token("\"", string)]
    #[token("b\"", string)]
    String,
    #[regex("'[^'\n]*'?")]
    SingleQuoted,

    #[token("->")]
    Arrow,
    #[token("=>")]
    FatArrow,
    #[token("==")]
    EqEq,
    #[token("!=")]
    NotEq,
    #[token("<=")]
    Le,
    #[token(">=")]
    Ge,
    #[token("**")]
    StarStar,
    #[token("??")]
    Coalesce,
    #[token("..")]
    DotDot,
    #[token(".")]
    Dot,
    #[token(",")]
    Comma,
    #[token(":")]
    Colon,
    #[token(";")]
    Semicolon,
    #[token("=")]
    Assign,
    #[token("<")]
    Lt,
    #[token(">")]
    Gt,
    #[token("+")]
    Plus,
    #[token("-")]
    Minus,
    #[token("*")]
    Star,
    #[token("/")]
    Slash,
    #[token("%")]
    Percent,
    #[token("?")]
    Question,
    #[token("@")]
    At,
    #[token("|")]
    Pipe,
    #[token("(")]
    LParen,
    #[token(")")]
    RParen,
    #[token("[")]
    LBracket,
    #[token("]")]
    RBracket,
    #[token("{")]
    LBrace,
    #[token("}")]
    RBrace,

    // Habits from other languages, cut whole so that the message can say what to write.
    #[token("&&")]
    AndAnd,
    #[token("||")]
    OrOr,
    #[token("!")]
    Bang,
}

/// Whether a line break was passed since the last token.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LineState {
    pub(crate) fresh: bool,
}

/// `1e-5`: a sign belongs to a number only after the `e` of an exponent.
fn signed_exponent(lex: &mut Lexer<'_, Raw>) {
    let text = lex.slice();
    let mantissa = text.strip_suffix(['e', 'E']).unwrap_or("");
    let plain = !mantissa.is_empty() && mantissa.bytes().all(|b| b.is_ascii_digit() || b == b'_' || b == b'.');
    let rest = lex.remainder().as_bytes();
    if plain && matches!(rest, [b'+' | b'-', digit, ..] if digit.is_ascii_digit()) {
        let digits = rest[1..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        lex.bump(1 + digits);
    }
}

/// Runs to the closing quotes, or where there are none, to the end of the line (of the text for `"""`).
fn string(lex: &mut Lexer<'_, Raw>) {
    let rest = lex.remainder();
    let bytes = rest.as_bytes();
    let triple = bytes.starts_with(b"\"\"");
    let mut at = if triple { 2 } else { 0 };
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if bytes.get(at + 1).is_some_and(|&b| triple || b != b'\n') => at += 2,
            b'"' if !triple => return lex.bump(at + 1),
            b'"' if bytes[at..].starts_with(b"\"\"\"") => {
                // Quotes before the closing three belong to the text: `""""` ends with a quote.
                let quotes = bytes[at..].iter().take(5).take_while(|&&b| b == b'"').count();
                return lex.bump(at + quotes);
            }
            b'\n' if !triple => break,
            _ => at += 1,
        }
    }
    // An escape may have stepped into the middle of a character.
    let mut end = at.min(bytes.len());
    while !rest.is_char_boundary(end) {
        end += 1;
    }
    if !triple && rest[..end].ends_with('\r') {
        end -= 1;
    }
    lex.bump(end);
}

/// A token as the grammar reads it; literals are indices into the table that comes with the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tok<'s> {
    Word(&'s str),
    /// A literal of any kind.
    Lit(LitKind, u32),
    /// A doc comment of one or more lines.
    Doc(u32),
    /// Text that was refused already; whatever is wanted, this stands for it.
    Bad,
    /// A line break that ends an item.
    Newline,
    Arrow,
    FatArrow,
    EqEq,
    NotEq,
    Le,
    Ge,
    StarStar,
    Coalesce,
    DotDot,
    Dot,
    Comma,
    Colon,
    Semicolon,
    Assign,
    Lt,
    Gt,
    /// `<` that opens the arguments of a type or a call.
    LAngle,
    /// `>` that closes them.
    RAngle,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Question,
    At,
    Pipe,
    LParen,
    RParen,
    LBracket,
    RBracket,
    LBrace,
    RBrace,
}

/// The brackets that are open at a place, so that the partner of a closing one is found without a search.
#[derive(Default)]
pub(crate) struct OpenBrackets<T> {
    stack: Vec<(Tok<'static>, T)>,
    counts: [usize; 3],
}

impl<T> OpenBrackets<T> {
    fn index(opener: Tok<'_>) -> usize {
        match opener {
            Tok::LParen => 0,
            Tok::LBracket => 1,
            _ => 2,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stack.is_empty()
    }

    /// Opens a bracket; other tokens change nothing.
    pub(crate) fn push(&mut self, tok: Tok<'_>, value: T) {
        if let (true, Some(opener)) = (tok.opens(), tok.partner().and_then(Tok::partner)) {
            self.counts[Self::index(opener)] += 1;
            self.stack.push((opener, value));
        }
    }

    /// Closes the innermost partner of a closing bracket; gives what was left open inside it, outermost first.
    /// Nothing if it has no partner.
    pub(crate) fn close(&mut self, tok: Tok<'_>) -> Option<Vec<T>> {
        let opener = tok.partner().filter(|_| tok.closes())?;
        if self.counts[Self::index(opener)] == 0 {
            return None;
        }
        let mut inside = Vec::new();
        while let Some((other, value)) = self.stack.pop() {
            self.counts[Self::index(other)] -= 1;
            if other == opener {
                break;
            }
            inside.push(value);
        }
        inside.reverse();
        Some(inside)
    }

    /// Everything that is open, outermost first.
    pub(crate) fn take(&mut self) -> Vec<T> {
        self.counts = [0; 3];
        std::mem::take(&mut self.stack).into_iter().map(|(_, value)| value).collect()
    }
}

/// The kinds of literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LitKind {
    Int,
    Float,
    Duration,
    String,
    Bytes,
}

/// Words that are never a value by themselves.
pub(crate) const RESERVED: &[&str] =
    &["and", "or", "not", "in", "is", "if", "then", "else", "match", "let", "true", "false", "none"];

/// Whether a word is one of [`RESERVED`].
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}

impl Tok<'_> {
    /// Whether it opens a bracket that its partner must close.
    pub(crate) fn opens(self) -> bool {
        matches!(self, Tok::LParen | Tok::LBracket | Tok::LBrace)
    }

    /// The partner of an opening or closing bracket.
    pub(crate) fn partner(self) -> Option<Tok<'static>> {
        Some(match self {
            Tok::LParen => Tok::RParen,
            Tok::LBracket => Tok::RBracket,
            Tok::LBrace => Tok::RBrace,
            Tok::RParen => Tok::LParen,
            Tok::RBracket => Tok::LBracket,
            Tok::RBrace => Tok::LBrace,
            _ => return None,
        })
    }

    /// Whether it closes a bracket.
    pub(crate) fn closes(self) -> bool {
        matches!(self, Tok::RParen | Tok::RBracket | Tok::RBrace)
    }

    /// Whether an operand may end with it, so that a sign after it is a binary operator.
    pub(crate) fn ends_operand(self) -> bool {
        match self {
            Tok::Word(word) => {
                !matches!(word, "and" | "or" | "not" | "in" | "is" | "as" | "if" | "then" | "else" | "match" | "let")
            }
            Tok::Lit(..) | Tok::Bad | Tok::Question => true,
            other => other.closes(),
        }
    }

    /// How it is named in a message.
    pub(crate) fn describe(self) -> String {
        let symbol = match self {
            Tok::Word(word) => return format!("`{word}`"),
            Tok::Lit(LitKind::Int | LitKind::Float, _) => return "a number".into(),
            Tok::Lit(LitKind::Duration, _) => return "a duration".into(),
            Tok::Lit(LitKind::String, _) => return "a string".into(),
            Tok::Lit(LitKind::Bytes, _) => return "a bytes literal".into(),
            Tok::Doc(_) => return "a doc comment".into(),
            Tok::Bad => return "what was refused above".into(),
            Tok::Newline => return "the end of the line".into(),
            Tok::Arrow => "->",
            Tok::FatArrow => "=>",
            Tok::EqEq => "==",
            Tok::NotEq => "!=",
            Tok::Le => "<=",
            Tok::Ge => ">=",
            Tok::StarStar => "**",
            Tok::Coalesce => "??",
            Tok::DotDot => "..",
            Tok::Dot => ".",
            Tok::Comma => ",",
            Tok::Colon => ":",
            Tok::Semicolon => ";",
            Tok::Assign => "=",
            Tok::Lt | Tok::LAngle => "<",
            Tok::Gt | Tok::RAngle => ">",
            Tok::Plus => "+",
            Tok::Minus => "-",
            Tok::Star => "*",
            Tok::Slash => "/",
            Tok::Percent => "%",
            Tok::Question => "?",
            Tok::At => "@",
            Tok::Pipe => "|",
            Tok::LParen => "(",
            Tok::RParen => ")",
            Tok::LBracket => "[",
            Tok::RBracket => "]",
            Tok::LBrace => "{",
            Tok::RBrace => "}",
        };
        format!("`{symbol}`")
    }
}
