//! The formatter: one layout for every program.
//!
//! It changes blanks and nothing else: lines end where their writer ended them, and tokens and comments stay as they are, in their
//! order. So it can never change what a program means, and a person's choice of lines is kept.
//!
//! This module must not know files.

mod align;
mod build;
mod spacing;

use chalk_diagnostics::{Diagnostic, FileId, has_errors};

use crate::layout::layout;
use crate::lex::{Lexed, lex};
use crate::parse::parse;

/// A line of the result, before its parts are joined.
#[derive(Debug, Default)]
struct Line {
    /// Levels of indentation.
    indent: usize,
    /// The code, without indentation; empty for a comment with a line of its own.
    code: String,
    comment: Option<String>,
    blank_before: bool,
    /// Where the code may be stretched to stand under its neighbours, and what is aligned there.
    stop: Option<(Stop, usize)>,
}

/// What is aligned in neighbouring lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// The `=` of assignments in a resolver's body.
    Assignment,
    /// The `=` of sources.
    Source,
    /// The path of imports.
    Import,
    /// The `=>` of a match.
    Arm,
}

/// The text in the language's layout. A text with syntax errors is refused with them.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let file = FileId(0);
    let (_, diagnostics) = parse(file, text);
    if has_errors(&diagnostics) {
        return Err(diagnostics);
    }
    let lexed = lex(file, text);
    let chunks = layout(file, text, &lexed, &mut Vec::new());
    let mut lines = build::lines(text, &chunks, &lexed.comments);
    align::align(&mut lines);
    let formatted = join(&lines);
    let same = same_content(text, &lexed, &formatted);
    debug_assert!(same, "the formatter changed more than blanks:\n{formatted}");
    // Whatever went wrong, a program is never damaged.
    Ok(if same { formatted } else { text.to_owned() })
}

fn join(lines: &[Line]) -> String {
    let mut out = String::new();
    for line in lines {
        if line.blank_before {
            out.push('\n');
        }
        out.push_str(&"  ".repeat(line.indent));
        out.push_str(&line.code);
        if let Some(comment) = &line.comment {
            out.push_str(comment);
        }
        out.push('\n');
    }
    out
}

/// Whether both texts have the same tokens and comments.
fn same_content(before: &str, lexed: &Lexed<'_>, after: &str) -> bool {
    let other = lex(FileId(0), after);
    let tokens = |lexed: &Lexed<'_>, text: &str| -> Vec<String> {
        let is_doc = |tok| matches!(tok, crate::token::Tok::Doc(_));
        let code = lexed.tokens.iter().filter(|token| !is_doc(token.tok)).map(|token| (token.start, token.end));
        let comments = lexed.comments.iter().map(|comment| (comment.start, comment.end));
        let mut all: Vec<(u32, u32)> = code.chain(comments).collect();
        all.sort_unstable();
        all.into_iter().map(|(start, end)| text[start as usize..end as usize].to_owned()).collect()
    };
    tokens(lexed, before) == tokens(&other, after)
}
