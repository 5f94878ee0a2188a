//! Features of another class, read through a link: `profile.name`, `user.num_failed_logins[10m]`.
//!
//! A link is its foreign key; what stands behind it is asked for when a feature is asked for, and is null where nothing is stored there.
//!
//! This file must not know how links are declared.

use chalk_diagnostics::{Code, Diagnostic, Span, did_you_mean};
use chalk_syntax::ast;
use chalk_types::Type;

use super::access::listed;
use super::{Checker, Root};
use crate::context::{Checked, RelationFacts, Reported, WindowedFacts};
use crate::program::{Expr, ExprKind, RelationKind};
use crate::windows::{Length, choices, window_text};

/// A link that a name stands for.
struct Link<'t> {
    name: &'t ast::Name,
    foreign_key: usize,
    class: usize,
}

impl Checker<'_, '_> {
    /// `base.name` and `base.name[window]` where the base is a link; none where it is something else, or `[…]` is for what the feature holds.
    pub(super) fn linked_feature(
        &mut self,
        base: &ast::Expr,
        name: &ast::Name,
        window: Option<&ast::Expr>,
        span: Span,
    ) -> Option<Checked<Expr>> {
        let link = match self.link(base)? {
            Ok(link) => link,
            Err(reported) => return Some(Err(reported)),
        };
        let facts = &self.context.classes[link.class];
        if let Some(&position) = facts.index.get(&name.text) {
            return match window.map(|window| &window.kind) {
                Some(ast::ExprKind::Duration(_)) => Some(Err(self.report(
                    Diagnostic::new(Code::E0433, format!("the feature `{}` has no windows", name.text), span)
                        .help(format!("write `{}.{}`", link.name.text, name.text)),
                ))),
                Some(_) => None,
                None => Some(self.linked_at(&link, position, span)),
            };
        }
        if let Some(windowed) = facts.windowed.get(&name.text) {
            return Some(
                self.linked_window(&link, name, windowed, window)
                    .and_then(|position| self.linked_at(&link, windowed.first + position, span)),
            );
        }
        Some(Err(self.no_linked_feature(&link, name)))
    }

    /// The link that an expression names.
    fn link<'t>(&mut self, base: &'t ast::Expr) -> Option<Checked<Link<'t>>> {
        let ast::ExprKind::Name(name) = &base.kind else { return None };
        if self.is_bound(&name.text) {
            return None;
        }
        let (class, is_row) = match self.root {
            Root::Class(class) => (class, false),
            Root::Rows { class, .. } => (class, true),
            _ => return None,
        };
        let Some(RelationFacts { class, kind: RelationKind::HasOne { foreign_key }, .. }) =
            *self.context.classes[class].relations.get(&name.text)?
        else {
            return None;
        };
        if is_row {
            return Some(Err(self.report(
                Diagnostic::new(Code::E0435, format!("a row cannot read another class (`{}`)", name.text), base.span)
                    .note("what a row says is known when it arrives, and does not change when other rows do")
                    .help(
                        "set what is wanted in the row's resolver, or use it in the feature outside of the aggregate",
                    ),
            )));
        }
        Some(Ok(Link { name, foreign_key, class }))
    }

    fn linked_at(&self, link: &Link, position: usize, span: Span) -> Checked<Expr> {
        let ty: Type = self.context.classes[link.class].types[position].as_ref().ok_or(Reported)?.to_optional();
        let kind = ExprKind::Linked { foreign_key: link.foreign_key, class: link.class, feature: position };
        Ok(self.refine(Expr { kind, ty, span }))
    }

    /// Which window of a windowed feature is meant, among its windows.
    fn linked_window(
        &self,
        link: &Link,
        name: &ast::Name,
        windowed: &WindowedFacts,
        window: Option<&ast::Expr>,
    ) -> Checked<usize> {
        let feature = format!("{}.{}", link.name.text, name.text);
        let wanted: Length = match window.map(|window| &window.kind) {
            Some(ast::ExprKind::Error) => return Err(Reported),
            Some(ast::ExprKind::Duration(duration_us)) => Some(*duration_us),
            Some(ast::ExprKind::Name(word)) if word.text == "all" => None,
            Some(_) => {
                return Err(self.report(
                    Diagnostic::new(Code::E0433, "a window is named by a duration, or `all`", name.span)
                        .help(format!("write {}", choices(&feature, &windowed.windows))),
                ));
            }
            // Inside a windowed feature the same window is meant.
            None => match &self.frame.window {
                Some(frame) => frame.current,
                None => {
                    return Err(self.report(
                        Diagnostic::new(
                            Code::E0433,
                            format!("which window of `{feature}` is meant is not said"),
                            name.span,
                        )
                        .label(windowed.span, "declared with windows here")
                        .help(format!("write {}", choices(&feature, &windowed.windows))),
                    ));
                }
            },
        };
        if let Some(position) = windowed.windows.iter().position(|other| *other == wanted) {
            return Ok(position);
        }
        if windowed.is_wrong || self.frame.window.as_ref().is_some_and(|frame| frame.is_wrong) {
            return Err(Reported);
        }
        Err(self.report(
            Diagnostic::new(Code::E0433, format!("`{feature}` has no window `{}`", window_text(wanted)), name.span)
                .label(windowed.span, "its windows are declared here")
                .help(format!("add it there, or write {}", choices(&feature, &windowed.windows))),
        ))
    }

    fn no_linked_feature(&self, link: &Link, name: &ast::Name) -> Reported {
        let facts = &self.context.classes[link.class];
        let class = self.context.package.classes[link.class];
        let written = format!("{}.{}", link.name.text, name.text);
        match facts.relations.get(&name.text) {
            Some(None) => return Reported,
            Some(Some(_)) => {
                return self.report(
                    Diagnostic::new(Code::E0442, format!("`{written}` goes on to a third class"), name.span)
                        .label(class.name.span, format!("`{}` is declared here", class.name.text))
                        .note("a feature reads its own class and those that it is linked to")
                        .help(format!(
                            "compute what is wanted in `{}` as a feature of its own, and read that through `{}`",
                            class.name.text, link.name.text
                        )),
                );
            }
            None => {}
        }
        let names: Vec<&str> = facts.index.keys().chain(facts.windowed.keys()).map(String::as_str).collect();
        let diagnostic =
            Diagnostic::new(Code::E0405, format!("`{}` has no feature `{}`", class.name.text, name.text), name.span)
                .label(class.name.span, "the class is declared here");
        self.report(match did_you_mean(&name.text, names.iter().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(name.span, near.to_owned()),
            None => diagnostic.help(format!("its features are {}", listed(&names))),
        })
    }

    /// A link that stands where a value is wanted.
    pub(super) fn link_alone(&self, name: &ast::Name, relation: &RelationFacts) -> Reported {
        let class = self.context.package.classes[relation.class];
        let first = class.fields.iter().map(|field| field.name.text.as_str()).find(|field| *field != "id");
        self.report(
            Diagnostic::new(
                Code::E0442,
                format!("`{}` is a link to `{}`, not a value", name.text, class.name.text),
                name.span,
            )
            .label(relation.span, "the link is declared here")
            .help(format!("name one of its features: `{}.{}`", name.text, first.unwrap_or("id"))),
        )
    }
}
