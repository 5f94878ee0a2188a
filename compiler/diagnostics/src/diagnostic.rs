//! One diagnostic as plain data, with the methods that build it.
//!
//! A diagnostic says what is wrong in one sentence, points at it, and where it can, says what to write instead.
//!
//! This module must not know how a diagnostic is shown.

use crate::{Code, Span};

/// How grave a diagnostic is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// The package does not compile.
    Error,
    /// It compiles, and probably does not mean what was meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// A place and what is to be said there (possibly nothing).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is said there.
    pub message: String,
}

/// An edit that mends the mistake: the text under `span` becomes `replacement`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Fix {
    /// What is replaced; an empty span inserts.
    pub span: Span,
    /// By what.
    pub replacement: String,
}

/// One finding of the compiler.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Diagnostic {
    /// Which rule; `chalkc explain` has its page.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The places; the first is the one that is wrong, the others say why.
    pub labels: Vec<Label>,
    /// Facts that explain it.
    pub notes: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// The edit that does so.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// A diagnostic with the severity of its code, at a place.
    pub fn new(code: Code, message: impl Into<String>, span: Span) -> Diagnostic {
        Diagnostic {
            code,
            severity: code.severity(),
            message: message.into(),
            labels: vec![Label { span, message: String::new() }],
            notes: Vec::new(),
            help: None,
            fix: None,
        }
    }

    /// What is said at the first place, where the message alone does not say it.
    #[must_use]
    pub fn at(mut self, message: impl Into<String>) -> Diagnostic {
        self.labels[0].message = message.into();
        self
    }

    /// A further place.
    #[must_use]
    pub fn label(mut self, span: Span, message: impl Into<String>) -> Diagnostic {
        self.labels.push(Label { span, message: message.into() });
        self
    }

    /// A fact that explains it.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Diagnostic {
        self.notes.push(note.into());
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// What to do about it, as an edit.
    #[must_use]
    pub fn fix(mut self, span: Span, replacement: impl Into<String>) -> Diagnostic {
        self.fix = Some(Fix { span, replacement: replacement.into() });
        self
    }

    /// The place that is wrong.
    pub fn span(&self) -> Span {
        self.labels[0].span
    }

    /// Whether it keeps the package from compiling.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Whether any of them keeps the package from compiling.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(Diagnostic::is_error)
}

/// Puts diagnostics in the order of the source: by file, then place; the same finding twice is kept once.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| {
        let key = |d: &Diagnostic| (d.span().file, d.span().start, d.severity, d.code, d.span().end);
        key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message))
    });
    diagnostics.dedup();
}
