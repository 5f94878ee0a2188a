//! Types as written become types: names looked up, and forms that have no Arrow type refused with what to write instead.
//!
//! This file must not know who asks, beyond the place that a message names.

use chalk_diagnostics::{Code, Diagnostic, did_you_mean};
use chalk_syntax::ast;
use chalk_types::{IntWidth, Kind, Type};

use crate::context::{Checked, Context, Reported};
use crate::package::Entry;

/// Longest vector.
const MAX_VECTOR: i128 = 1 << 20;
/// Digits of the widest decimal.
const MAX_PRECISION: i128 = 38;

/// Where a type stands: the owner of the diagnostic's first sentence.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// `field `, `parameter `, …
    pub(crate) what: &'static str,
    /// The name of it; empty where there is none.
    pub(crate) name: &'a str,
    /// A feature: lists of classes and classes are links between classes there.
    pub(crate) is_feature: bool,
}

impl<'a> Place<'a> {
    pub(crate) fn new(what: &'static str, name: &'a str) -> Place<'a> {
        Place { what, name, is_feature: false }
    }

    fn text(&self) -> String {
        if self.name.is_empty() { self.what.to_owned() } else { format!("{} `{}`", self.what, self.name) }
    }
}

/// The scalar type of that name.
pub(crate) fn scalar(name: &str) -> Option<Kind> {
    Some(match name {
        "bool" => Kind::Bool,
        "int64" => Kind::INT,
        "float" | "float64" => Kind::Float64,
        "float32" => Kind::Float32,
        "string" => Kind::String,
        "bytes" => Kind::Bytes,
        "datetime" => Kind::Datetime,
        "date" => Kind::Date,
        "time" => Kind::Time,
        "duration" => Kind::Duration,
        _ => return IntWidth::ALL.into_iter().find(|width| width.name() == name).map(Kind::Int),
    })
}

const SCALAR_NAMES: [&str; 19] = [
    "bool", "int", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float", "float32",
    "string", "bytes", "datetime", "date", "time", "duration", "decimal",
];

/// What other languages call a type, and what it is called here.
fn foreign_name(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "str" | "text" | "varchar" | "utf8" => "string",
        "integer" | "long" | "bigint" => "int",
        "i8" => "int8",
        "i16" => "int16",
        "i32" => "int32",
        "i64" => "int",
        "u8" => "uint8",
        "u16" => "uint16",
        "u32" => "uint32",
        "u64" => "uint64",
        "double" | "f64" | "real" | "number" => "float",
        "f32" => "float32",
        "boolean" => "bool",
        "timestamp" => "datetime",
        "timedelta" | "interval" => "duration",
        "binary" | "bytearray" | "blob" => "bytes",
        "numeric" => "decimal(38, 9)",
        _ => return None,
    })
}

fn is_untyped(name: &str) -> bool {
    matches!(name, "any" | "Any" | "object" | "Object" | "dict" | "json" | "Json" | "JSON" | "variant" | "struct")
}

impl Context<'_> {
    /// The type written there.
    pub(crate) fn resolve_type(&self, ty: &ast::TypeExpr, place: Place) -> Checked<Type> {
        match &ty.kind {
            ast::TypeKind::Error => Err(Reported),
            ast::TypeKind::Named(path) => self.named(path, ty, place),
            ast::TypeKind::Optional(inner) => {
                let inner_ty = self.resolve_type(inner, place)?;
                if inner_ty.nullable {
                    return Err(self.report(
                        Diagnostic::new(Code::E0218, format!("`{inner_ty}` may be null already"), ty.span)
                            .at("a second `?` adds nothing")
                            .help(format!("write `{inner_ty}`")),
                    ));
                }
                Ok(inner_ty.to_optional())
            }
            ast::TypeKind::List(item) => {
                if place.is_feature
                    && let Some(class) = self.class_named(item)
                {
                    return Err(self.report(
                        Diagnostic::new(Code::E0430, format!("a collection of `{class}` stands alone"), ty.span)
                            .at("not inside another type")
                            .help(format!("declare a feature of the type `[{class}]`")),
                    ));
                }
                Ok(Kind::List(Box::new(self.resolve_type(item, place)?)).required())
            }
            ast::TypeKind::Vector(item, length) => {
                let item_ty = self.resolve_type(item, place)?;
                let is_number = matches!(item_ty.kind, Kind::Int(_) | Kind::Float32 | Kind::Float64);
                if !is_number || item_ty.nullable {
                    return Err(self.report(
                        Diagnostic::new(Code::E0218, format!("a vector cannot hold `{item_ty}`"), item.span)
                            .at("integers or floats that are never null stand here")
                            .help(format!("use a list: `[{item_ty}]`")),
                    ));
                }
                if length.value < 1 || length.value > MAX_VECTOR {
                    return Err(self.report(
                        Diagnostic::new(
                            Code::E0218,
                            format!("a vector cannot have {} items", length.value),
                            length.span,
                        )
                        .at(format!("from 1 to {MAX_VECTOR}")),
                    ));
                }
                Ok(Kind::Vector(Box::new(item_ty), length.value as u32).required())
            }
            ast::TypeKind::Map(key, value) => {
                let key_ty = self.resolve_type(key, place);
                let value_ty = self.resolve_type(value, place)?;
                let key_ty = key_ty?;
                if key_ty.nullable || !matches!(key_ty.kind, Kind::String | Kind::Int(_)) {
                    return Err(self.report(
                        Diagnostic::new(Code::E0218, format!("a map cannot have keys of type `{key_ty}`"), key.span)
                            .at("keys are `string` or an integer type, and never null")
                            .help("use `map<string, …>` and convert where the key is used"),
                    ));
                }
                Ok(Kind::Map(Box::new(key_ty), Box::new(value_ty)).required())
            }
            ast::TypeKind::Decimal(precision, scale) => {
                if !(1..=MAX_PRECISION).contains(&precision.value) {
                    return Err(self.report(
                        Diagnostic::new(
                            Code::E0218,
                            format!("a decimal cannot have {} digits", precision.value),
                            precision.span,
                        )
                        .at(format!("from 1 to {MAX_PRECISION}")),
                    ));
                }
                if !(0..=precision.value).contains(&scale.value) {
                    return Err(self.report(
                        Diagnostic::new(
                            Code::E0218,
                            format!(
                                "a decimal of {} digits cannot have {} after the point",
                                precision.value, scale.value
                            ),
                            scale.span,
                        )
                        .at(format!("from 0 to {}", precision.value)),
                    ));
                }
                Ok(Kind::Decimal { precision: precision.value as u8, scale: scale.value as u8 }.required())
            }
            ast::TypeKind::Union(_) => Err(self.report(
                Diagnostic::new(Code::E0302, format!("{} has a union type", place.text()), ty.span)
                    .at("more than one type")
                    .note("a column of an Arrow schema has one type, known before the first message arrives")
                    .help(
                        "declare one message with an optional field for each form, or take the message as `bytes` and \
                         pick what you need in a `parse` function",
                    ),
            )),
            ast::TypeKind::Generic(path, args) => self.generic(path, args, ty),
        }
    }

    fn named(&self, path: &ast::Path, ty: &ast::TypeExpr, place: Place) -> Checked<Type> {
        let Some(name) = path.single() else { return self.dotted(path, ty, place) };
        if let Some(kind) = scalar(&name.text) {
            return Ok(kind.required());
        }
        match self.package.get(&name.text) {
            Some(Entry::Message(index)) => {
                self.mark_used(&name.text);
                // A message that is wrong, or part of a cycle, has its diagnostic where it is declared.
                let message = self.messages.get(index).and_then(Option::as_ref).ok_or(Reported)?;
                Ok(Kind::Struct(message.clone()).required())
            }
            Some(Entry::Enum(index)) => {
                self.mark_used(&name.text);
                let def = self.enums.get(index).ok_or(Reported)?;
                Ok(Kind::Enum(def.clone()).required())
            }
            Some(Entry::Class(_)) if place.is_feature => Err(self.report(
                Diagnostic::new(Code::E0441, format!("a link to `{}` stands alone", name.text), ty.span)
                    .at("not inside another type")
                    .help(format!("declare a feature of the type `{}`, beside a foreign key to it", name.text)),
            )),
            Some(Entry::Class(_)) => Err(self.report(
                Diagnostic::new(
                    Code::E0308,
                    format!("`{}` is a features class, not a type of values", name.text),
                    ty.span,
                )
                .at("a message type, an enum or a scalar type is wanted here")
                .help("declare a `message` with the fields that travel"),
            )),
            Some(Entry::Later) => Err(Reported),
            Some(entry) => Err(self.report(
                Diagnostic::new(Code::E0103, format!("`{}` is {}, not a type", name.text, entry.describe()), ty.span)
                    .label(self.package.declared_at(&name.text).map_or(name.span, |first| first.span), "declared here"),
            )),
            None => Err(self.unknown_type(name, ty, place)),
        }
    }

    fn unknown_type(&self, name: &ast::Name, ty: &ast::TypeExpr, place: Place) -> Reported {
        if is_untyped(&name.text) {
            return self.report(
                Diagnostic::new(Code::E0303, format!("{} has no type (`{}`)", place.text(), name.text), ty.span)
                    .at("what is in it is not known before a message arrives")
                    .note("every field is a column of an Arrow schema, and a column has one type")
                    .help(
                        "declare a `message` with the fields that you read (others are ignored), use `map<string, T>`, or \
                         take the text as `string` and read it with `json_value`",
                    ),
            );
        }
        let diagnostic = Diagnostic::new(Code::E0103, format!("there is no type `{}`", name.text), ty.span);
        if name.text == "decimal" {
            return self.report(
                diagnostic
                    .at("precision and scale are missing")
                    .help("write `decimal(12, 2)`: 12 digits, 2 of them after the point"),
            );
        }
        if matches!(name.text.as_str(), "list" | "array" | "map" | "set") {
            return self.report(diagnostic.help("write `[T]` for a list, `map<K, V>` for a map"));
        }
        let types = self.package.names_where(|entry| matches!(entry, Entry::Message(_) | Entry::Enum(_)));
        let near = foreign_name(&name.text)
            .or_else(|| did_you_mean(&name.text, types.iter().copied()))
            .or_else(|| did_you_mean(&name.text, SCALAR_NAMES));
        self.report(match near {
            Some(near) => diagnostic
                .at("not declared in this package")
                .help(format!("did you mean `{near}`?"))
                .fix(name.span, near),
            None => diagnostic.at("not declared in this package").help(format!(
                "declare it (`message {} {{ … }}` or `enum {} {{ … }}`) in any file of the package",
                name.text, name.text
            )),
        })
    }

    /// `User.id`: the type of that class's key.
    fn dotted(&self, path: &ast::Path, ty: &ast::TypeExpr, place: Place) -> Checked<Type> {
        let mut seen = vec![path.text()];
        let mut path = path;
        loop {
            let [first, second] = &path.segments[..] else {
                return Err(self.report(
                    Diagnostic::new(Code::E0103, format!("there is no type `{}`", path.text()), path.span)
                        .help("a dotted type is a foreign key, such as `User.id`"),
                ));
            };
            let Some(Entry::Class(class)) = self.package.get(&first.text) else {
                if self.package.get(&first.text) == Some(Entry::Later) {
                    return Err(Reported);
                }
                let is_type = |entry| matches!(entry, Entry::Message(_) | Entry::Enum(_));
                if self.package.get(&first.text).is_some_and(is_type)
                    && self.package.get(&second.text).is_some_and(is_type)
                {
                    self.mark_used(&second.text);
                    let text = path.text();
                    return Err(self.report(
                        Diagnostic::new(Code::E0103, format!("there is no type `{text}`"), path.span)
                            .at("messages and enums stand side by side, not in one another")
                            .help(format!("write `{}`", second.text))
                            .fix(path.span, second.text.clone()),
                    ));
                }
                let classes = self.package.names_where(|entry| matches!(entry, Entry::Class(_)));
                let diagnostic =
                    Diagnostic::new(Code::E0103, format!("there is no features class `{}`", first.text), first.span)
                        .note("a dotted type is a foreign key, such as `User.id`");
                return Err(self.report(match did_you_mean(&first.text, classes.iter().copied()) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(first.span, near),
                    None => diagnostic,
                }));
            };
            self.mark_used(&first.text);
            let class = self.package.classes[class];
            let Some(field) = class.fields.iter().find(|field| field.name.text == second.text) else {
                let names = class.fields.iter().map(|field| field.name.text.as_str());
                let diagnostic = Diagnostic::new(
                    Code::E0405,
                    format!("`{}` has no feature `{}`", first.text, second.text),
                    second.span,
                )
                .label(class.name.span, "the class is declared here");
                return Err(self.report(match did_you_mean(&second.text, names) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(second.span, near),
                    None => diagnostic,
                }));
            };
            if !is_key(class, field) {
                return Err(self.report(
                    Diagnostic::new(
                        Code::E0414,
                        format!("`{}.{}` is not the primary key of `{}`", first.text, second.text, first.text),
                        ty.span,
                    )
                    .at("a foreign key names a primary key")
                    .label(field.name.span, "this feature is meant"),
                ));
            }
            match &field.ty.kind {
                ast::TypeKind::Named(next) if next.segments.len() > 1 => {
                    if seen.contains(&next.text()) {
                        seen.push(next.text());
                        return Err(self.report(
                            Diagnostic::new(Code::E0414, "foreign keys go round in a circle", ty.span)
                                .at(seen.join(" → "))
                                .help("give one of the keys a type of its own, such as `int`"),
                        ));
                    }
                    seen.push(next.text());
                    path = next;
                }
                _ => return self.resolve_type(&field.ty, place),
            }
        }
    }

    fn generic(&self, path: &ast::Path, args: &[ast::TypeExpr], ty: &ast::TypeExpr) -> Checked<Type> {
        let name = path.text();
        let help = match (name.to_ascii_lowercase().as_str(), args.len()) {
            ("list" | "array" | "set" | "vec" | "sequence", 1) => "write `[T]`",
            ("optional" | "option" | "nullable", 1) => "write `T?`",
            ("dict" | "mapping" | "hashmap", 2) => "write `map<K, V>`",
            ("union", _) => {
                return Err(self.report(
                    Diagnostic::new(Code::E0302, "a union type has no Arrow type", ty.span)
                        .help("declare one message with an optional field for each form"),
                ));
            }
            _ => "only `map<K, V>` takes types between `<` and `>`",
        };
        Err(self.report(Diagnostic::new(Code::E0103, format!("there is no type `{name}<…>`"), ty.span).help(help)))
    }

    /// The class that a type names, if it does.
    fn class_named<'t>(&self, ty: &'t ast::TypeExpr) -> Option<&'t str> {
        let name = match &ty.kind {
            ast::TypeKind::Named(path) => path.single()?,
            ast::TypeKind::Optional(inner) => return self.class_named(inner),
            _ => return None,
        };
        matches!(self.package.get(&name.text), Some(Entry::Class(_))).then_some(name.text.as_str())
    }
}

/// Whether a feature is its class's primary key: marked so, or named `id` where none is marked.
pub(crate) fn is_key(class: &ast::Features, field: &ast::Field) -> bool {
    let marked = |field: &ast::Field| field.attributes.iter().any(|attribute| attribute.name.text == "primary");
    if class.fields.iter().any(marked) { marked(field) } else { field.name.text == "id" }
}
