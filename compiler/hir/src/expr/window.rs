//! Windowed features in expressions: which window is meant, and what a windowed expression passes along.
//!
//! Inside a windowed feature a bare windowed feature means the same window; everywhere else the window is named: `f[30m]`.
//!
//! This file must not know aggregates.

use chalk_diagnostics::{Code, Diagnostic, Span};
use chalk_syntax::ast;

use super::{Checker, Root};
use crate::aggregations::{Keeping, Materialize};
use crate::context::{Checked, Reported, WindowedFacts};
use crate::program::{Expr, ExprKind};
use crate::windows::{Length, choices, window_text};

/// The windows that an expression is over.
#[derive(Clone, Default)]
pub(crate) struct Frame {
    /// Of a windowed feature: the window that the expression is checked for.
    pub(crate) window: Option<WindowFrame>,
    /// `@materialize`
    pub(crate) materialize: Option<Materialize>,
    /// Of a windowed resolver: its messages.
    pub(crate) events: Option<EventsFrame>,
}

/// One window of a windowed feature.
#[derive(Clone)]
pub(crate) struct WindowFrame {
    /// The window.
    pub(crate) current: Length,
    /// All windows of the feature.
    pub(crate) all: Vec<Length>,
    /// Whether some of its windows are wrong (reported).
    pub(crate) is_wrong: bool,
    /// The feature.
    pub(crate) feature: String,
}

/// The messages of a windowed resolver.
#[derive(Clone)]
pub(crate) struct EventsFrame {
    /// The parameter.
    pub(crate) name: String,
    /// One message.
    pub(crate) row: Expr,
    /// The class that the resolver writes.
    pub(crate) class: usize,
    /// Position of the resolver among the declarations.
    pub(crate) resolver: usize,
    /// Its name.
    pub(crate) resolver_name: String,
    /// Where its name is declared.
    pub(crate) span: Span,
    /// How the messages are kept.
    pub(crate) keeping: Keeping,
}

impl Checker<'_, '_> {
    /// A bare windowed feature: of the same window where this is a windowed feature.
    pub(super) fn windowed_feature(&self, class: usize, windowed: &WindowedFacts, name: &ast::Name) -> Checked<Expr> {
        let feature = name.text.as_str();
        let frame = match (&self.frame.window, self.root) {
            (Some(frame), Root::Class(_)) => frame,
            _ => {
                if windowed.windows.is_empty() {
                    return Err(Reported);
                }
                let first = format!("{feature}[{}]", window_text(windowed.windows[0]));
                return Err(self.report(
                    Diagnostic::new(
                        Code::E0433,
                        format!("which window of `{feature}` is meant is not said"),
                        name.span,
                    )
                    .label(windowed.span, "declared with windows here")
                    .help(format!("write {}", choices(feature, &windowed.windows)))
                    .fix(name.span, first),
                ));
            }
        };
        let missing: Vec<Length> =
            frame.all.iter().filter(|window| !windowed.windows.contains(window)).copied().collect();
        let here = windowed.windows.iter().position(|window| *window == frame.current);
        match here {
            Some(position) if missing.is_empty() || windowed.is_wrong || frame.is_wrong => {
                self.feature_at(class, windowed.first + position, name.span)
            }
            _ if windowed.is_wrong || frame.is_wrong => Err(Reported),
            _ => Err(self.lacks_windows(&frame.feature, windowed, feature, &missing, name.span)),
        }
    }

    fn lacks_windows(
        &self,
        outer: &str,
        windowed: &WindowedFacts,
        feature: &str,
        missing: &[Length],
        span: Span,
    ) -> Reported {
        let texts: Vec<String> = missing.iter().map(|window| window_text(*window)).collect();
        let plural = if missing.len() == 1 { "" } else { "s" };
        self.report(
            Diagnostic::new(
                Code::E0433,
                format!("`{feature}` lacks the window{plural} {} of `{outer}`", super::access::listed(&texts)),
                span,
            )
            .label(windowed.span, "its windows are declared here")
            .note("inside a windowed feature, another one means the same window")
            .help(format!("add them there, or name one window: {}", choices(feature, &windowed.windows))),
        )
    }

    fn feature_at(&self, class: usize, position: usize, span: Span) -> Checked<Expr> {
        let ty = self.context.classes[class].types[position].clone().ok_or(Reported)?;
        Ok(self.refine(Expr { kind: ExprKind::Feature(position), ty, span }))
    }

    /// `f[30m]` of a windowed feature; none where the base is something else.
    pub(super) fn window_of_feature(
        &mut self,
        base: &ast::Expr,
        index: &ast::Expr,
        span: Span,
    ) -> Option<Checked<Expr>> {
        let ast::ExprKind::Name(name) = &base.kind else { return None };
        let class = match self.root {
            Root::Class(class) | Root::Rows { class, .. } => class,
            _ => return None,
        };
        if self.is_bound(&name.text) {
            return None;
        }
        let context = self.context;
        let facts = &context.classes[class];
        if let (Some(position), ast::ExprKind::Duration(_)) = (facts.index.get(&name.text), &index.kind) {
            if facts.types[*position].is_none() {
                return Some(Err(Reported));
            }
            return Some(Err(self.report(
                Diagnostic::new(Code::E0433, format!("the feature `{}` has no windows", name.text), span)
                    .help(format!("write `{}`, or declare it `over [{}]`", name.text, index_text(index))),
            )));
        }
        let windowed = facts.windowed.get(&name.text)?;
        let window: Length = match &index.kind {
            ast::ExprKind::Duration(duration_us) => Some(*duration_us),
            ast::ExprKind::Name(word) if word.text == "all" => None,
            ast::ExprKind::Error => return Some(Err(Reported)),
            _ => {
                return Some(Err(self.report(
                    Diagnostic::new(Code::E0433, "a window is named by a duration, or `all`", index.span)
                        .help(format!("write {}", choices(&name.text, &windowed.windows))),
                )));
            }
        };
        Some(match windowed.windows.iter().position(|other| *other == window) {
            Some(position) => self.feature_at(class, windowed.first + position, span),
            None if windowed.is_wrong => Err(Reported),
            None => Err(self.report(
                Diagnostic::new(
                    Code::E0433,
                    format!("`{}` has no window `{}`", name.text, window_text(window)),
                    index.span,
                )
                .label(windowed.span, "its windows are declared here")
                .help(format!("add it there, or write {}", choices(&name.text, &windowed.windows))),
            )),
        })
    }
}

fn index_text(index: &ast::Expr) -> String {
    match index.kind {
        ast::ExprKind::Duration(duration_us) => window_text(Some(duration_us)),
        _ => String::new(),
    }
}
