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
}

/// An integer that stands where no expression may: the length of a vector, the precision of a decimal.
#[derive(Clone, Debug, PartialEq)]
pub struct IntLit {
    /// Its value; negative where a `-` stands before it.
    pub value: i128,
    /// Where.
    pub span: Span,
}
