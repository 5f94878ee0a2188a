//! Diagnostics as plain data: what was found, where, and how to mend it; and the three ways to show it.
//!
//! Whoever finds a mistake builds a [`Diagnostic`] and hands it up; nobody prints on the way. That keeps every
//! stage pure, lets tests compare diagnostics as values, and lets the terminal, a pipe and an editor share them.
//!
//! This crate must not know who raises a diagnostic, nor what a syntax tree or a type is.

mod codes;
mod diagnostic;
mod explain;
pub mod render;
mod source;
mod suggest;

pub use codes::Code;
pub use diagnostic::{Diagnostic, Fix, Label, Severity, has_errors, sort};
pub use explain::explain;
pub use source::{FileId, Position, SourceFile, SourceMap, Span};
pub use suggest::did_you_mean;
