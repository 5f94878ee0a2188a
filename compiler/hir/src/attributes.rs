//! Attributes: which stand where, and what their arguments are.
//!
//! Each place reads its attributes through one `Attributes`, which at the end refuses those that nobody asked for.
//!
//! This file must not know what an attribute does.

use chalk_diagnostics::{Code, Diagnostic, Span, did_you_mean};
use chalk_syntax::ast;

use crate::context::{Context, Reported};

/// Attributes of the language: name, where it stands, how it is written.
const KNOWN: &[(&str, &str, &str)] = &[
    ("primary", "a feature", "`@primary`"),
    ("time", "a feature", "`@time`"),
    ("max_staleness", "a features class or a feature", "`@max_staleness(30d)`"),
    ("etl_offline_to_online", "a features class", "`@etl_offline_to_online`"),
    ("join", "a collection or a link", "`@join(foreign_key)`"),
    ("materialize", "a windowed feature", "`@materialize(bucket: 1d)`"),
    ("json", "a field of a message", "`@json(\"name\")`"),
    ("unix", "a field of a message", "`@unix(s)`, `@unix(ms)`, `@unix(us)` or `@unix(ns)`"),
    ("lenient", "a field of a message", "`@lenient`"),
    ("relaxed", "a message", "`@relaxed`"),
    ("environments", "a resolver", "`@environments(\"dev\", \"staging\")`"),
    ("unbounded", "a feature", "`@unbounded`"),
    ("updates_materialized_aggregations", "a resolver", "`@updates_materialized_aggregations(false)`"),
    ("skip_online", "a resolver", "`@skip_online`"),
    ("skip_offline", "a resolver", "`@skip_offline`"),
];

/// The attributes of one declaration or field.
pub(crate) struct Attributes<'c, 'a> {
    pub(crate) context: &'c Context<'a>,
    all: &'c [ast::Attribute],
    asked: Vec<&'static str>,
}

impl<'c, 'a> Attributes<'c, 'a> {
    pub(crate) fn new(context: &'c Context<'a>, all: &'c [ast::Attribute]) -> Attributes<'c, 'a> {
        Attributes { context, all, asked: Vec::new() }
    }

    fn take(&mut self, name: &'static str) -> Option<&'c ast::Attribute> {
        self.asked.push(name);
        let mut found = self.all.iter().filter(|attribute| attribute.name.text == name);
        let first = found.next()?;
        for again in found {
            self.context.report(
                Diagnostic::new(Code::E0110, format!("`@{name}` stands twice"), again.span)
                    .label(first.span, "the first one")
                    .help("leave one of them out"),
            );
        }
        Some(first)
    }

    fn wrong(&self, attribute: &ast::Attribute, message: &str, span: Span) {
        let form = KNOWN.iter().find(|(name, ..)| *name == attribute.name.text).map_or("", |(_, _, form)| form);
        self.context.report(
            Diagnostic::new(Code::E0110, format!("`@{}`: {message}", attribute.name.text), span)
                .help(format!("write {form}")),
        );
    }

    /// An attribute without arguments; where it stands.
    pub(crate) fn flag(&mut self, name: &'static str) -> Option<Span> {
        let attribute = self.take(name)?;
        if let Some(arg) = attribute.args.first() {
            self.wrong(attribute, "takes no arguments", arg.span);
        }
        Some(attribute.span)
    }

    /// The only, positional argument.
    fn single(&mut self, name: &'static str) -> Option<(&'c ast::Attribute, &'c ast::Expr)> {
        let attribute = self.take(name)?;
        match &attribute.args[..] {
            [ast::Arg { name: None, value, .. }] => Some((attribute, value)),
            _ => {
                self.wrong(attribute, "takes one argument", attribute.span);
                None
            }
        }
    }

    /// A duration that is not negative (literals never are).
    pub(crate) fn duration_us(&mut self, name: &'static str) -> Option<i64> {
        let (attribute, value) = self.single(name)?;
        match value.kind {
            ast::ExprKind::Duration(duration_us) => Some(duration_us),
            ast::ExprKind::Error => None,
            _ => {
                self.wrong(attribute, "a duration such as `30d` is wanted", value.span);
                None
            }
        }
    }

    /// `true` or `false`.
    pub(crate) fn bool(&mut self, name: &'static str) -> Option<bool> {
        let (attribute, value) = self.single(name)?;
        match value.kind {
            ast::ExprKind::Bool(value) => Some(value),
            ast::ExprKind::Error => None,
            _ => {
                self.wrong(attribute, "`true` or `false` is wanted", value.span);
                None
            }
        }
    }

    /// A text that is not empty, and where it stands.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<(String, Span)> {
        let (attribute, value) = self.single(name)?;
        match &value.kind {
            ast::ExprKind::String(text) => Some((text.clone(), value.span)),
            ast::ExprKind::Error => None,
            _ => {
                self.wrong(attribute, "a text is wanted", value.span);
                None
            }
        }
    }

    /// A bare word, and where it stands.
    pub(crate) fn word(&mut self, name: &'static str) -> Option<&'c ast::Name> {
        let (attribute, value) = self.single(name)?;
        match &value.kind {
            ast::ExprKind::Name(word) => Some(word),
            ast::ExprKind::Error => None,
            _ => {
                self.wrong(attribute, "a bare word is wanted", value.span);
                None
            }
        }
    }

    /// Some texts.
    pub(crate) fn texts(&mut self, name: &'static str) -> Vec<String> {
        let Some(attribute) = self.take(name) else { return Vec::new() };
        if attribute.args.is_empty() {
            self.wrong(attribute, "at least one text is wanted", attribute.span);
        }
        let mut texts: Vec<String> = Vec::new();
        for arg in &attribute.args {
            match (&arg.name, &arg.value.kind) {
                (None, ast::ExprKind::String(text)) if !text.is_empty() => {
                    if !texts.contains(text) {
                        texts.push(text.clone());
                    }
                }
                (None, ast::ExprKind::Error) => {}
                _ => self.wrong(attribute, "texts are wanted", arg.span),
            }
        }
        texts
    }

    /// An attribute with named arguments.
    pub(crate) fn with_arguments(&mut self, name: &'static str) -> Option<&'c ast::Attribute> {
        self.take(name)
    }

    /// Reports a mistake in an attribute, at a place.
    pub(crate) fn report(&self, diagnostic: Diagnostic) -> Reported {
        self.context.report(diagnostic)
    }

    /// Refuses those that nobody asked for; `place` is what they stand on.
    pub(crate) fn finish(self, place: &str) {
        for attribute in self.all.iter().filter(|attribute| !self.asked.contains(&attribute.name.text.as_str())) {
            let name = &attribute.name.text;
            let diagnostic = Diagnostic::new(Code::E0109, format!("`@{name}` cannot stand on {place}"), attribute.span);
            let diagnostic = match KNOWN.iter().find(|(known, ..)| known == name) {
                Some((_, belongs, form)) => diagnostic.help(format!("{form} belongs on {belongs}")),
                None => {
                    let diagnostic =
                        Diagnostic::new(Code::E0109, format!("there is no attribute `@{name}`"), attribute.span);
                    match did_you_mean(name, self.asked.iter().copied())
                        .or_else(|| did_you_mean(name, KNOWN.iter().map(|(known, ..)| *known)))
                    {
                        Some(near) => diagnostic
                            .help(format!("did you mean `@{near}`?"))
                            .fix(attribute.name.span, near.to_owned()),
                        None if self.asked.is_empty() => diagnostic.help(format!("{place} takes no attributes")),
                        None => {
                            let list: Vec<String> = self.asked.iter().map(|name| format!("`@{name}`")).collect();
                            diagnostic.help(format!("{place} takes {}", list.join(", ")))
                        }
                    }
                }
            };
            self.context.report(diagnostic);
        }
    }
}
