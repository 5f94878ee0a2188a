//! What a row of a collection may read beside its own features: `self` for its key, `window.start` for its time, and nothing else.
//!
//! An aggregate takes up a row when it arrives. What may be another value when the aggregate is asked for is refused here, with the
//! reason and what to write instead.
//!
//! This file must not know aggregates.

use chalk_diagnostics::{Code, Diagnostic, Span, did_you_mean};
use chalk_syntax::ast;

use super::{Checker, Root};
use crate::context::{Checked, Reported};
use crate::program::{Expr, ExprKind};

impl Checker<'_, '_> {
    /// Whether a condition is `at > window.start`, which every window says anyway.
    pub(super) fn says_what_the_window_says(&mut self, condition: &ast::Expr) -> Checked<bool> {
        use ast::BinaryOp;
        let ast::ExprKind::Binary { op, left, right, op_span } = &condition.kind else { return Ok(false) };
        let (time, op) = match (self.is_window_start(left), self.is_window_start(right)) {
            (false, false) | (true, true) => return Ok(false),
            (false, true) => (left, *op),
            (true, false) => {
                let turned = match op {
                    BinaryOp::Lt => BinaryOp::Gt,
                    BinaryOp::Le => BinaryOp::Ge,
                    other => *other,
                };
                (right, turned)
            }
        };
        let wrong = |message: &str, span| Diagnostic::new(Code::E0436, message, span);
        if self.frame.window.is_none() {
            return Err(self.report(
                wrong("there is no window here", condition.span)
                    .at("`window.start` is of the feature's window")
                    .help("give the feature windows: `over [10m, 1d]`; or leave this condition out"),
            ));
        }
        // A name that nobody knows is that mistake first.
        let time_is_right = self.check(time, None);
        let Root::Rows { class, .. } = self.root else {
            return Err(self.report(
                wrong("the window is there already", condition.span)
                    .note("a windowed resolver sees the messages of its window, and no others")
                    .help("leave this condition out"),
            ));
        };
        time_is_right?;
        let rows = self.context.package.classes[class];
        let is_time = |field: &&ast::Field| field.attributes.iter().any(|attribute| attribute.name.text == "time");
        let clock = rows.fields.iter().find(is_time);
        let name = match &time.kind {
            ast::ExprKind::Name(name) => Some(name.text.as_str()),
            _ => None,
        };
        match clock {
            Some(clock) if name == Some(clock.name.text.as_str()) => {}
            Some(clock) => {
                return Err(self.report(
                    wrong("a window is over the event time", time.span)
                        .at("this is something else")
                        .label(clock.name.span, format!("the event time of `{}`", rows.name.text))
                        .help(format!(
                            "write `{} > window.start`, or leave the condition out: every window says it",
                            clock.name.text
                        )),
                ));
            }
            None => {
                return Err(self.report(
                    wrong("a window is over the event time", time.span)
                        .at(format!("`{}` marks no feature as its event time", rows.name.text))
                        .label(rows.name.span, "the class is declared here")
                        .help("mark it there: `@time at: datetime`; or leave the condition out: every window says it"),
                ));
            }
        }
        match op {
            BinaryOp::Gt => Ok(true),
            BinaryOp::Ge => Err(self.report(
                wrong("a window begins after its start", *op_span)
                    .at("the event at `window.start` is not in it")
                    .help("write `>`, or leave the condition out: every window says it"),
            )),
            _ => Err(self.report(
                wrong("no event of a window is before its start", condition.span)
                    .help("write `>`, or leave the condition out: every window says it"),
            )),
        }
    }

    /// `window.start`, where no row has a `window` of its own.
    fn is_window_start(&self, expr: &ast::Expr) -> bool {
        matches!(&expr.kind, ast::ExprKind::Field { base, name }
            if name.text == "start"
            && matches!(&base.kind, ast::ExprKind::Name(base) if base.text == "window" && !self.is_value(&base.text)))
    }

    /// `window.…` where it is no condition on the event time.
    pub(super) fn window_field(&self, span: Span) -> Reported {
        self.report(
            Diagnostic::new(Code::E0436, "`window.start` stands in `… > window.start` alone", span)
                .note("when a window begins is known when it is asked for, and not when an event arrives")
                .help("leave it out: an aggregate is over the events of its window"),
        )
    }

    /// `self.x` in a row: the outer feature.
    pub(super) fn outer_feature(&mut self, name: &ast::Name, span: Span) -> Checked<Expr> {
        let Root::Rows { class, owner, foreign_key } = self.root else {
            let diagnostic = Diagnostic::new(Code::E0435, "there is no `self` here", span);
            return Err(self.report(match self.root {
                Root::Class(_) => diagnostic
                    .help(format!("features of this class have bare names: `{}`", name.text))
                    .fix(span, name.text.clone()),
                _ => diagnostic.help("`self` is for rows of a collection: the key that they belong to"),
            }));
        };
        let facts = &self.context.classes[owner];
        let decl = self.context.package.classes[owner];
        if facts.primary_key.is_some() && facts.index.get(&name.text) == facts.primary_key.as_ref() {
            let ty = self.context.classes[class].types[foreign_key].clone().ok_or(Reported)?;
            return Ok(self.refine(Expr { kind: ExprKind::Feature(foreign_key), ty, span }));
        }
        let is_feature = facts.index.contains_key(&name.text)
            || facts.windowed.contains_key(&name.text)
            || facts.relations.contains_key(&name.text);
        if !is_feature {
            let diagnostic =
                Diagnostic::new(Code::E0405, format!("`{}` has no feature `{}`", decl.name.text, name.text), name.span)
                    .label(decl.name.span, "the class is declared here");
            return Err(self.report(match did_you_mean(&name.text, facts.index.keys().map(String::as_str)) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(name.span, near.to_owned()),
                None => diagnostic,
            }));
        }
        Err(self.report(
            Diagnostic::new(Code::E0435, format!("a row cannot read `self.{}`", name.text), span)
                .at("not known when the row arrives, and another value when it is asked for")
                .note("aggregates take up a row when it arrives, so of `self` a row knows the primary key alone")
                .help("aggregate the two parts apart and combine the results, or set the value in the row's resolver"),
        ))
    }

    /// A bare name in a row that is known outside of it.
    pub(super) fn name_of_outer(&mut self, name: &ast::Name) -> Option<Reported> {
        let (rows, owner) = match self.root {
            Root::Rows { class, owner, .. } => (self.context.package.classes[class].name.text.clone(), Some(owner)),
            Root::Messages => (self.frame.events.as_ref()?.name.clone(), None),
            _ => return None,
        };
        let text = name.text.as_str();
        if let Some(bind) = self.scope[..self.scope_base].iter_mut().rev().find(|bind| bind.name == text) {
            bind.used = true;
            return Some(
                self.report(
                    Diagnostic::new(Code::E0435, format!("`{text}` is not known in the rows of `{rows}`"), name.span)
                        .note("aggregates take up a row when it arrives, and see that row alone")
                        .help("write its value out, or put it into a `fn`"),
                ),
            );
        }
        let facts = &self.context.classes[owner?];
        if facts.index.contains_key(text) || facts.windowed.contains_key(text) || facts.relations.contains_key(text) {
            let outer = &self.context.package.classes[owner?].name.text;
            return Some(
                self.report(
                    Diagnostic::new(
                        Code::E0435,
                        format!("`{text}` is a feature of `{outer}`, not of `{rows}`"),
                        name.span,
                    )
                    .at(format!("bare names are features of `{rows}` here"))
                    .note("aggregates take up a row when it arrives, so they see that row alone")
                    .help(format!("add it to `{rows}` and set it in the row's resolver, or combine aggregates")),
                ),
            );
        }
        None
    }
}
