//! The tree of a `.chalk` file: what was written, with a span on every node, and nothing that was concluded from it.
//!
//! Plain data with public fields, so that whoever reads it can match on it. Where the text was wrong and the parser
//! went on, there is an `Error` node and at least one diagnostic: readers accept such a node in silence.
//!
//! This module must not know what a name stands for.

mod expr;
mod item;

pub use expr::{Arg, BinaryOp, Expr, ExprKind, Let, MatchArm, MatchTest, UnaryOp};
pub use item::{
    Assignment, Attribute, Clause, ClauseKind, Connector, Doc, EnumDecl, Expected, ExpectedValue, ExternOnline,
    Features, Field, FnDecl, Given, GivenHeader, Import, Item, MessageDecl, Metadata, Online, Param, Projection, Sink,
    Source, Stream, StreamBody, TestDecl, TestStep, TestStepKind, TypeExpr, TypeKind, Variant, Window, Windows,
};

use std::ops::Range;

use chalk_diagnostics::{FileId, Span};

/// A whole file.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Which file.
    pub id: FileId,
    /// Its declarations, in the order of the text.
    pub items: Vec<Item>,
}

/// A name where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// A dotted name, `pb.User.UserType`; at least one segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The names between the dots.
    pub segments: Vec<Name>,
    /// Where.
    pub span: Span,
}

impl Path {
    /// The name, if the path is a single one.
    pub fn single(&self) -> Option<&Name> {
        match &self.segments[..] {
            [name] => Some(name),
            _ => None,
        }
    }

    /// The path as it is written.
    pub fn text(&self) -> String {
        let names: Vec<&str> = self.segments.iter().map(|name| name.text.as_str()).collect();
        names.join(".")
    }
}

/// A string literal that stands where no expression may: a path, a test's name, a query.
#[derive(Clone, Debug, PartialEq)]
pub struct StringLit {
    /// The text, escapes resolved.
    pub text: String,
    /// Where, with the quotes.
    pub span: Span,
    /// Where its pieces come from: offset in the text, offset in the literal, as `literal::text_pieces` gives them.
    pub(crate) pieces: Vec<(u32, u32)>,
}

impl StringLit {
    /// The place of a part of the text, given in bytes.
    pub fn place(&self, part: Range<usize>) -> Span {
        let at = |offset: usize| {
            let offset = offset.min(self.text.len()) as u32;
            let piece = self.pieces.partition_point(|(text, _)| *text <= offset).checked_sub(1);
            let (text, literal) = piece.map_or((0, 0), |piece| self.pieces[piece]);
            self.span.start + literal + (offset - text)
        };
        Span::new(self.span.file, at(part.start), at(part.end.max(part.start)))
    }
}

/// An integer that stands where no expression may: the length of a vector, the precision of a decimal.
#[derive(Clone, Debug, PartialEq)]
pub struct IntLit {
    /// Its value; negative where a `-` stands before it.
    pub value: i128,
    /// Where.
    pub span: Span,
}
