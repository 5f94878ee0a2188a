//! Names, fields, elements and slices.
//!
//! This file must not know operators or calls.

use chalk_diagnostics::{Code, Diagnostic, Span, did_you_mean};
use chalk_syntax::ast;
use chalk_types::{IntWidth, Kind, Type, Value};

use super::{Checker, Root, Want, What, constant};
use crate::context::{Checked, Reported};
use crate::package::Entry;
use crate::program::{EnvelopeField, Expr, ExprKind, RelationKind};

/// The fields of the envelope.
const ENVELOPE: [(&str, EnvelopeField); 5] = [
    ("topic", EnvelopeField::Topic),
    ("partition", EnvelopeField::Partition),
    ("offset", EnvelopeField::Offset),
    ("key", EnvelopeField::Key),
    ("timestamp", EnvelopeField::Timestamp),
];

fn envelope_type(field: EnvelopeField) -> Type {
    match field {
        EnvelopeField::Topic => Type::STRING,
        EnvelopeField::Partition | EnvelopeField::Offset => Type::INT,
        EnvelopeField::Key => Type::BYTES.to_optional(),
        EnvelopeField::Timestamp => Type::DATETIME.to_optional(),
    }
}

impl Checker<'_, '_> {
    pub(super) fn lookup(&mut self, name: &str) -> Option<What> {
        let base = self.scope_base;
        let bind = self.scope[base..].iter_mut().rev().find(|bind| bind.name == name)?;
        bind.used = true;
        Some(bind.what.clone())
    }

    /// Whether a name is bound in this scope.
    pub(super) fn is_bound(&self, name: &str) -> bool {
        self.scope[self.scope_base..].iter().any(|bind| bind.name == name)
    }

    /// The class whose features have bare names here.
    fn class_in_scope(&self) -> Option<usize> {
        match self.root {
            Root::Class(class) | Root::Rows { class, .. } => Some(class),
            _ => None,
        }
    }

    /// Whether a bare name is a value here.
    pub(super) fn is_value(&self, name: &str) -> bool {
        self.is_bound(name)
            || self.message_field(name).is_some()
            || self.class_in_scope().is_some_and(|class| {
                let class = &self.context.classes[class];
                class.index.contains_key(name)
                    || class.windowed.contains_key(name)
                    || class.relations.contains_key(name)
            })
    }

    /// The position of a field that has a bare name here: of the messages of a window.
    fn message_field(&self, name: &str) -> Option<usize> {
        match (&self.root, &self.frame.events) {
            (Root::Messages, Some(events)) => match &events.row.ty.kind {
                Kind::Struct(message) => message.index_of(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// The place where a name has a meaning already: in this scope, or as a feature.
    pub(super) fn bound_at(&self, name: &str) -> Option<Span> {
        let bound = self.scope[self.scope_base..].iter().find(|bind| bind.name == name).map(|bind| bind.span);
        bound.or_else(|| {
            let mut fields = self.context.package.classes[self.class_in_scope()?].fields.iter();
            fields.find(|field| field.name.text == name).map(|field| field.name.span)
        })
    }

    /// A bare name.
    pub(super) fn name(&mut self, name: &ast::Name) -> Checked<Expr> {
        let span = name.span;
        match self.lookup(&name.text) {
            Some(What::Local(_, None)) => return Err(Reported),
            Some(What::Local(local, Some(ty))) => {
                return Ok(self.refine(Expr { kind: ExprKind::Local(local), ty, span }));
            }
            Some(What::Alias(expr)) => return Ok(self.refine(Expr { span, ..expr })),
            Some(What::Unavailable(reason, help)) => {
                return Err(self.report(Diagnostic::new(Code::E0220, reason, span).help(help)));
            }
            Some(What::Events) => return Err(self.no_value(&name.text, span)),
            None => {}
        }
        if let Some(class) = self.class_in_scope() {
            let facts = &self.context.classes[class];
            if let Some(&feature) = facts.index.get(&name.text) {
                let ty = facts.types[feature].clone().ok_or(Reported)?;
                return Ok(self.refine(Expr { kind: ExprKind::Feature(feature), ty, span }));
            }
            if let Some(windowed) = facts.windowed.get(&name.text) {
                return self.windowed_feature(class, windowed, name);
            }
            match facts.relations.get(&name.text) {
                Some(Some(relation)) if matches!(relation.kind, RelationKind::HasOne { .. }) => {
                    return Err(self.link_alone(name, relation));
                }
                Some(Some(_)) => return Err(self.no_value(&name.text, span)),
                Some(None) => return Err(Reported),
                None => {}
            }
        }
        if let Some(field) = self.message_field(&name.text)
            && let Some(events) = self.frame.events.clone()
            && let Kind::Struct(message) = &events.row.ty.kind
        {
            self.context.mark_used(&message.name);
            let ty = message.fields[field].ty.clone();
            return Ok(self.field_of(events.row, field as u32, &ty, span));
        }
        if let Some(reported) = self.name_of_outer(name) {
            return Err(reported);
        }
        Err(self.unknown_name(name))
    }

    fn unknown_name(&self, name: &ast::Name) -> Reported {
        let text = name.text.as_str();
        if let Some(entry) = self.context.package.get(text) {
            if entry == Entry::Later {
                return Reported;
            }
            let help = match entry {
                Entry::Function(_) => format!("call it: `{text}(…)`"),
                Entry::Enum(index) => match self.context.enums.get(index).and_then(|def| def.variants.first()) {
                    Some(variant) => format!("name one of its variants: `{text}.{variant}`"),
                    None => "name one of its variants".to_owned(),
                },
                _ => "a name of a parameter, of a `let` or of a feature is wanted".to_owned(),
            };
            let declared = self.context.package.declared_at(text).map_or(name.span, |first| first.span);
            return self.report(
                Diagnostic::new(Code::E0106, format!("`{text}` is {}, not a value", entry.describe()), name.span)
                    .label(declared, "declared here")
                    .help(help),
            );
        }
        if crate::resolve_type::scalar(text).is_some() || text == "decimal" {
            return self.report(
                Diagnostic::new(Code::E0106, format!("`{text}` is a type, not a value"), name.span)
                    .at("an expression is wanted here")
                    .help(format!(
                        "a declared type stands after a colon (`name: {text}`); `x as {text}` converts a value"
                    )),
            );
        }
        let diagnostic = Diagnostic::new(Code::E0101, format!("there is no `{text}` here"), name.span);
        let foreign = match text {
            "null" | "None" | "nil" | "NULL" | "undefined" => Some("none"),
            "True" | "TRUE" => Some("true"),
            "False" | "FALSE" => Some("false"),
            _ => None,
        };
        let mut candidates: Vec<&str> =
            self.scope[self.scope_base..].iter().rev().map(|bind| bind.name.as_str()).collect();
        if let Some(class) = self.class_in_scope() {
            let facts = &self.context.classes[class];
            candidates.extend(facts.index.keys().chain(facts.windowed.keys()).map(String::as_str));
            candidates.extend(facts.relations.keys().map(String::as_str));
        }
        if let (Root::Messages, Some(Kind::Struct(message))) =
            (self.root, self.frame.events.as_ref().map(|events| &events.row.ty.kind))
        {
            candidates.extend(message.fields.iter().map(|field| field.name.as_str()));
        }
        candidates.push("envelope");
        candidates.extend(self.context.package.names_where(|entry| matches!(entry, Entry::Enum(_))));
        if let Some(near) = foreign.or_else(|| did_you_mean(text, candidates.iter().copied())) {
            return self.report(diagnostic.help(format!("did you mean `{near}`?")).fix(name.span, near.to_owned()));
        }
        // A bare name in a stream's body is most often a field of its message.
        let of_message = self.scope[self.scope_base..].iter().rev().find_map(|bind| {
            let ty = match &bind.what {
                What::Local(_, Some(ty)) => ty,
                What::Alias(expr) => &expr.ty,
                _ => return None,
            };
            match &ty.kind {
                Kind::Struct(message) if message.index_of(text).is_some() => Some(bind.name.clone()),
                _ => None,
            }
        });
        if let Some(owner) = of_message {
            return self.report(
                diagnostic
                    .help(format!("it is a field of `{owner}`: write `{owner}.{text}`"))
                    .fix(name.span, format!("{owner}.{text}")),
            );
        }
        let is_function = self.context.catalog.overloads(text).next().is_some() || matches!(text, "header" | "recover");
        self.report(if is_function {
            diagnostic.help(format!("it is a function: call it, `{text}(…)`"))
        } else if let Some(class) = self.class_in_scope() {
            let names: Vec<&str> = self.context.classes[class].index.keys().map(String::as_str).collect();
            let what = match self.root {
                Root::Rows { .. } => "a row has the features of its class",
                _ => "an expression reads the features of its class",
            };
            diagnostic.help(format!("{what}: {}", listed(&names)))
        } else if let (Root::Messages, Some(Kind::Struct(message))) =
            (self.root, self.frame.events.as_ref().map(|events| &events.row.ty.kind))
        {
            let names: Vec<&str> = message.fields.iter().map(|field| field.name.as_str()).collect();
            diagnostic.help(format!("a message has the fields {}", listed(&names)))
        } else {
            diagnostic
        })
    }

    /// `base.name`: a field, a variant of an enum, or a part of the envelope.
    pub(super) fn field(&mut self, base: &ast::Expr, name: &ast::Name, span: Span) -> Checked<Expr> {
        if let Some(linked) = self.linked_feature(base, name, None, span) {
            return linked;
        }
        if let ast::ExprKind::Name(root) = &base.kind
            && !self.is_value(&root.text)
        {
            if root.text == "envelope" {
                return self.envelope(name, span);
            }
            if let Some(Entry::Enum(index)) = self.context.package.get(&root.text) {
                return self.variant(index, root, name, span);
            }
            if self.context.package.get(&root.text).is_none() {
                match root.text.as_str() {
                    "self" => return self.outer_feature(name, span),
                    "window" => return Err(self.window_field(span)),
                    _ => {}
                }
            }
        }
        let base = self.check(base, None)?;
        let Kind::Struct(message) = &base.ty.kind else { return Err(self.no_fields(&base, name)) };
        let message = message.clone();
        match message.index_of(&name.text) {
            Some(field) => {
                self.context.mark_used(&message.name);
                Ok(self.field_of(base, field as u32, &message.fields[field].ty, span))
            }
            None => {
                let mut diagnostic =
                    Diagnostic::new(Code::E0107, format!("`{}` has no field `{}`", message.name, name.text), name.span);
                if let Some(declared) = self.context.package.declared_at(&message.name) {
                    diagnostic = diagnostic.label(declared.span, "the message is declared here");
                }
                let names: Vec<&str> = message.fields.iter().map(|field| field.name.as_str()).collect();
                Err(self.report(match did_you_mean(&name.text, names.iter().copied()) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(name.span, near.to_owned()),
                    None => diagnostic.help(format!("its fields are {}", listed(&names))),
                }))
            }
        }
    }

    fn no_fields(&self, base: &Expr, name: &ast::Name) -> Reported {
        let diagnostic = Diagnostic::new(Code::E0210, format!("`{}` has no fields", base.ty.to_required()), name.span)
            .at(format!("`.{}` is asked of a `{}`", name.text, base.ty))
            .label(base.span, format!("this is `{}`", base.ty));
        self.report(match &base.ty.kind {
            Kind::String => diagnostic.help(format!(
                "if it is JSON, read it with `json_value(…, \"$.{}\")`, or declare a message for it and use \
                 `json_deserialize<M>(…)`",
                name.text
            )),
            Kind::Bytes => diagnostic.help("turn it into a message first: `json_deserialize<M>(…)`"),
            Kind::List(_) | Kind::Vector(..) => diagnostic.help("take an item first: `…[0]`"),
            Kind::Map(..) => diagnostic.help(format!("look the entry up: `…[\"{}\"]`", name.text)),
            Kind::Datetime | Kind::Date => {
                diagnostic.help("parts of a time are functions: `year(…)`, `hour_of_day(…)`")
            }
            _ => diagnostic,
        })
    }

    fn envelope(&mut self, name: &ast::Name, span: Span) -> Checked<Expr> {
        self.in_stream("envelope", span)?;
        let Some((_, field)) = ENVELOPE.iter().find(|(known, _)| *known == name.text) else {
            let names = ENVELOPE.map(|(known, _)| known);
            let diagnostic = Diagnostic::new(Code::E0115, format!("the envelope has no `{}`", name.text), name.span)
                .note("headers are read with `header(\"name\")`");
            return Err(self.report(match did_you_mean(&name.text, names) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(name.span, near.to_owned()),
                None => diagnostic.help(format!("it has {}", listed(&names))),
            }));
        };
        Ok(self.refine(Expr { kind: ExprKind::Envelope(*field), ty: envelope_type(*field), span }))
    }

    /// Envelope and headers are there in stream resolvers only.
    pub(super) fn in_stream(&self, what: &str, span: Span) -> Checked<()> {
        if matches!(self.root, Root::Stream | Root::Messages) {
            return Ok(());
        }
        let diagnostic = Diagnostic::new(Code::E0220, format!("`{what}` is not known here"), span);
        Err(self.report(match self.root {
            Root::Window => diagnostic.at("a window has many messages").help("ask for it in an aggregate: `….max(…)`"),
            Root::Class(_) | Root::Rows { .. } => diagnostic
                .at("a feature's expression reads features")
                .help("set a feature from it in a stream resolver, and read that feature"),
            _ => diagnostic.at("a function sees its parameters only").help("pass it as an argument"),
        }))
    }

    fn variant(&mut self, index: usize, root: &ast::Name, name: &ast::Name, span: Span) -> Checked<Expr> {
        self.context.mark_used(&root.text);
        let def = self.context.enums.get(index).cloned().ok_or(Reported)?;
        match def.variants.iter().position(|variant| *variant == name.text) {
            Some(variant) => Ok(constant(Value::Enum(variant as u32), Kind::Enum(def).required(), span)),
            None => {
                let diagnostic =
                    Diagnostic::new(Code::E0116, format!("`{}` has no variant `{}`", root.text, name.text), name.span);
                let diagnostic = match self.context.package.declared_at(&root.text) {
                    Some(declared) => diagnostic.label(declared.span, "the enum is declared here"),
                    None => diagnostic,
                };
                Err(self.report(match did_you_mean(&name.text, &def.variants) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(name.span, near.to_owned()),
                    None => diagnostic.help(format!("its variants are {}", listed(&def.variants))),
                }))
            }
        }
    }

    /// `base[index]`.
    pub(super) fn index(&mut self, base: &ast::Expr, index: &ast::Expr, span: Span) -> Checked<Expr> {
        if let Some(read) = self.window_of_feature(base, index, span) {
            return read;
        }
        if let ast::ExprKind::Field { base: link, name } = &base.kind
            && let Some(linked) = self.linked_feature(link, name, Some(index), span)
        {
            return linked;
        }
        let base = self.check(base, None);
        let key_hint = match &base {
            Ok(Expr { ty: Type { kind: Kind::Map(key, _), .. }, .. }) => Some((**key).clone()),
            _ => None,
        };
        let index = self.check(index, key_hint.as_ref());
        let (base, index) = (base?, index?);
        let (item, index) = match &base.ty.kind {
            Kind::List(item) | Kind::Vector(item, _) => {
                let index = self.position(index)?;
                ((**item).clone(), index)
            }
            Kind::Map(key, value) => {
                let (key, value) = ((**key).clone(), (**value).clone());
                let nullable = index.ty.nullable;
                let index = self.coerce(index, &key.nullable_if(nullable), Want::of("the key of the map"))?;
                (value, index)
            }
            kind => {
                let diagnostic =
                    Diagnostic::new(Code::E0211, format!("`{}` has no elements to take", base.ty.to_required()), span)
                        .label(base.span, format!("this is `{}`", base.ty));
                return Err(self.report(match kind {
                    Kind::String => diagnostic.help("take a character as a slice: `s[0..1]`"),
                    Kind::Bytes => diagnostic.help("take a byte as a slice: `b[0..1]`"),
                    Kind::Struct(_) => diagnostic.help("take a field: `….name`"),
                    _ => diagnostic,
                }));
            }
        };
        let ty = item.to_optional();
        Ok(Expr { kind: ExprKind::Index { base: Box::new(base), index: Box::new(index) }, ty, span })
    }

    /// `base[start..end]`.
    pub(super) fn slice(
        &mut self,
        base: &ast::Expr,
        start: Option<&ast::Expr>,
        end: Option<&ast::Expr>,
        span: Span,
    ) -> Checked<Expr> {
        let base = self.check(base, None);
        let start = start.map(|bound| self.check(bound, None).and_then(|bound| self.position(bound))).transpose();
        let end = end.map(|bound| self.check(bound, None).and_then(|bound| self.position(bound))).transpose();
        let (base, start, end) = (base?, start?, end?);
        if !matches!(base.ty.kind, Kind::String | Kind::Bytes | Kind::List(_)) {
            let diagnostic =
                Diagnostic::new(Code::E0211, format!("`{}` cannot be sliced", base.ty.to_required()), span)
                    .label(base.span, format!("this is `{}`", base.ty));
            return Err(self.report(match &base.ty.kind {
                Kind::Vector(item, _) => diagnostic.help(format!("make it a list first: `(… as [{item}])[…]`")),
                _ => diagnostic.help("`string`, `bytes` and lists have slices"),
            }));
        }
        let nullable = start.iter().chain(&end).any(Expr::is_nullable);
        let ty = base.ty.clone().nullable_if(nullable);
        let kind = ExprKind::Slice { base: Box::new(base), start: start.map(Box::new), end: end.map(Box::new) };
        Ok(Expr { kind, ty, span })
    }

    /// A position in a list, string or bytes: any integer that fits `int`.
    fn position(&mut self, index: Expr) -> Checked<Expr> {
        match index.ty.kind {
            Kind::Int(width) if width != IntWidth::UInt64 => Ok(self.widened(index, &Kind::INT)),
            _ => {
                let ty = Type::INT.nullable_if(index.ty.nullable);
                self.coerce(index, &ty, Want::of("a position"))
            }
        }
    }
}

/// `a`, `b` and `c`, for a message; long lists are cut.
pub(super) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    joined(names, " and ")
}

/// `a`, `b` or `c`, for a message; long lists are cut.
pub(crate) fn either<S: AsRef<str>>(names: &[S]) -> String {
    joined(names, " or ")
}

fn joined<S: AsRef<str>>(names: &[S], last: &str) -> String {
    let mut text = String::new();
    for (i, name) in names.iter().enumerate().take(8) {
        text += if i == 0 {
            ""
        } else if i + 1 == names.len() {
            last
        } else {
            ", "
        };
        text += &format!("`{}`", name.as_ref());
    }
    if names.len() > 8 {
        text += ", …";
    }
    text
}
