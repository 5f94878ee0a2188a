//! The syntax of Chalk: lexer, parser, tree, printer and formatter.
//!
//! Text goes in, a tree and diagnostics come out, always both: a wrong line costs that line, never the file.
//!
//! This crate must not know types, what names stand for, or where a text came from.

pub mod ast;
mod check;
mod format;
mod grammar;
mod layout;
mod lex;
mod literal;
mod parse;
mod print;
mod token;
pub mod visit;

pub use format::format;
pub use literal::duration_text;
pub use parse::{NESTING_LIMIT, parse};
pub use print::{format_expr, format_type};
