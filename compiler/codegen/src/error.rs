//! What keeps a checked program from becoming code: a target that this build cannot make, a refusal of the back end.
//!
//! User mistakes never get here; they are diagnostics of the checker.
//!
//! This file must not know programs.

use std::fmt;

/// Why no code was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodegenError {
    message: String,
}

impl CodegenError {
    /// With a sentence for people.
    pub(crate) fn new(message: impl Into<String>) -> CodegenError {
        CodegenError { message: message.into() }
    }
}

impl fmt::Display for CodegenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CodegenError {}
