//! What is wrong with a query, and where in its text.
//!
//! This file must not know how a query is planned, or how a mistake is shown.

use std::fmt;
use std::ops::Range;

/// A query that cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// Of which sort.
    pub kind: SqlErrorKind,
    /// What is wrong, without the place.
    pub message: String,
    /// Where, in bytes of the query; none where that is not known.
    pub at: Option<Range<usize>>,
    /// The next step.
    pub help: Option<String>,
    /// What could have been meant, where a name is wrong: the name, and the names that there are.
    pub names: Option<Box<(String, Vec<String>)>>,
}

/// Sorts of mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlErrorKind {
    /// It is no query, or its names or types are wrong.
    Plan,
    /// Its result depends on more than the messages.
    NotDeterministic,
}

impl SqlError {
    pub(crate) fn new(message: impl Into<String>, at: Option<Range<usize>>) -> SqlError {
        SqlError { kind: SqlErrorKind::Plan, message: message.into(), at, help: None, names: None }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> SqlError {
        SqlError { help: Some(help.into()), ..self }
    }

    pub(crate) fn names(self, name: &str, known: Vec<String>) -> SqlError {
        SqlError { names: Some(Box::new((name.to_owned(), known))), ..self }
    }

    pub(crate) fn not_deterministic(self) -> SqlError {
        SqlError { kind: SqlErrorKind::NotDeterministic, ..self }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SqlError {}
