//! What a stream resolver connects: its source, its message, its parse function and its class.
//!
//! This file must not know conditions or bodies.

use std::rc::Rc;

use chalk_diagnostics::{Code, Diagnostic, Span, did_you_mean};
use chalk_syntax::ast;
use chalk_types::{Kind, Type};

use crate::context::{Checked, Context, Reported};
use crate::expr::either;
use crate::package::{Entry, not_yet};
use crate::program::{Function, MessageInput};
use crate::resolve_type::{Place, scalar};

pub(crate) fn source(context: &Context, decl: &ast::Stream, clauses_are_right: bool) -> Checked<usize> {
    // Clauses of a later version are reported; the source of such a resolver counts as used.
    let from = decl.clauses.iter().find_map(|clause| match &clause.kind {
        ast::ClauseKind::From(name) => Some(name),
        _ => None,
    });
    let Some(name) = from else {
        if !clauses_are_right {
            return Err(Reported);
        }
        let first = context.package.names_where(|entry| matches!(entry, Entry::Source(_))).first().copied();
        return Err(context.report(
            Diagnostic::new(
                Code::E0410,
                format!("the resolver `{}` does not say where its messages come from", decl.name.text),
                decl.name.span,
            )
            .help(match first {
                Some(source) => format!("add a line `from {source}` before the body"),
                None => "declare a source, `source s = kafka(topic: \"…\")`, and add a line `from s`".to_owned(),
            }),
        ));
    };
    match context.package.get(&name.text) {
        Some(Entry::Source(index)) => {
            context.mark_used(&name.text);
            Ok(index)
        }
        Some(entry) => {
            let declared = context.package.declared_at(&name.text).map_or(name.span, |declared| declared.span);
            Err(context.report(
                Diagnostic::new(
                    Code::E0104,
                    format!("`{}` is {}, not a source", name.text, entry.describe()),
                    name.span,
                )
                .label(declared, "declared here"),
            ))
        }
        None => {
            let names = context.package.names_where(|entry| matches!(entry, Entry::Source(_)));
            let diagnostic = Diagnostic::new(Code::E0104, format!("there is no source `{}`", name.text), name.span);
            Err(context.report(match did_you_mean(&name.text, names.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(name.span, near.to_owned()),
                None => {
                    let declare = format!("declare it: `source {} = kafka(topic: \"…\")`", name.text);
                    match &names[..] {
                        [] => diagnostic.help(declare),
                        names => diagnostic.help(format!("{declare}, or read from {}", either(names))),
                    }
                }
            }))
        }
    }
}

/// The parameter, the type of a message, and whether it is the list of a window's messages.
pub(crate) fn parameter<'a>(context: &Context, decl: &'a ast::Stream) -> Checked<(&'a ast::Param, Type, bool)> {
    let [param] = &decl.params[..] else {
        return Err(context.report(
            Diagnostic::new(
                Code::E0409,
                format!("a stream resolver has one parameter, not {}", decl.params.len()),
                decl.params.get(1).map_or(decl.name.span, |param| param.span),
            )
            .at("the message")
            .help(format!("write `stream {}(msg: Message) -> …`", decl.name.text)),
        ));
    };
    if let Some(projection) = &param.projection {
        return Err(context.report(
            Diagnostic::new(Code::E0409, "a message is handed over as a whole", projection.span)
                .help("leave the braces out: only the fields that the body reads are decoded"),
        ));
    }
    let (written, is_list) = match &param.ty.kind {
        ast::TypeKind::List(item) => (&**item, true),
        _ => (&param.ty, false),
    };
    let ty = context.resolve_type(written, Place::new("the parameter", &param.name.text))?;
    if ty.nullable || !matches!(ty.kind, Kind::Struct(_) | Kind::String | Kind::Bytes) {
        return Err(context.report(
            Diagnostic::new(Code::E0409, format!("a message cannot be `{ty}`"), param.ty.span)
                .at("a message type, `string` or `bytes` is wanted here")
                .help("declare a `message` with the fields that travel"),
        ));
    }
    Ok((param, ty, is_list))
}

pub(crate) fn input(context: &Context, ty: &Type, span: Span) -> Checked<MessageInput> {
    match &ty.kind {
        Kind::String => Ok(MessageInput::Text),
        Kind::Bytes => Ok(MessageInput::Bytes),
        Kind::Struct(message) => match context.package.get(&message.name) {
            Some(Entry::Message(index)) => Ok(MessageInput::Json(index)),
            _ => Err(Reported),
        },
        _ => Err(context.report(Diagnostic::new(Code::E0409, format!("a message cannot be `{ty}`"), span))),
    }
}

pub(crate) fn class(context: &Context, decl: &ast::Stream) -> Checked<usize> {
    let ty = &decl.returns;
    match &ty.kind {
        ast::TypeKind::Error => Err(Reported),
        ast::TypeKind::List(item) => {
            let class = class_of(context, decl, item)?;
            if matches!(decl.body, ast::StreamBody::Sql(_)) {
                return Ok(class);
            }
            let name = &context.package.classes[class].name.text;
            Err(context.report(
                Diagnostic::new(Code::E0409, format!("a body of assignments gives one row of `{name}`"), ty.span)
                    .at("many rows")
                    .note("a `sql` body gives many; a windowed resolver runs for each key, and gives one row each time")
                    .help(format!("write `-> {name}`"))
                    .fix(ty.span, name.clone()),
            ))
        }
        _ => class_of(context, decl, ty),
    }
}

/// The class that a type names.
fn class_of(context: &Context, decl: &ast::Stream, ty: &ast::TypeExpr) -> Checked<usize> {
    match &ty.kind {
        ast::TypeKind::Error => Err(Reported),
        ast::TypeKind::Named(path) => {
            let name = path.single();
            if let Some(name) = name
                && let Some(Entry::Class(index)) = context.package.get(&name.text)
            {
                context.mark_used(&name.text);
                return Ok(index);
            }
            let text = path.text();
            let entry = name.and_then(|name| context.package.get(&name.text));
            if entry == Some(Entry::Later) {
                return Err(Reported);
            }
            let classes = context.package.names_where(|entry| matches!(entry, Entry::Class(_)));
            let diagnostic = match entry {
                Some(entry) => Diagnostic::new(
                    Code::E0409,
                    format!("`{text}` is {}, not a features class", entry.describe()),
                    ty.span,
                ),
                None if name.is_some_and(|name| scalar(&name.text).is_some()) => {
                    Diagnostic::new(Code::E0409, format!("`{text}` is a type of values, not a features class"), ty.span)
                }
                None => Diagnostic::new(Code::E0409, format!("there is no features class `{text}`"), ty.span),
            };
            Err(context.report(match did_you_mean(&text, classes.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(ty.span, near.to_owned()),
                None if entry.is_some() || name.is_none_or(|name| scalar(&name.text).is_some()) => {
                    let diagnostic = diagnostic.at("a stream resolver writes a features class");
                    match &classes[..] {
                        [] => diagnostic.help("declare a class: `features User { id: int }`"),
                        classes => diagnostic.help(format!("name the class that it writes: {}", either(classes))),
                    }
                }
                None => diagnostic.help(format!("declare it: `features {text} {{ … }}`")),
            }))
        }
        _ => Err(context.report(
            Diagnostic::new(Code::E0409, "a stream resolver writes a features class", ty.span)
                .at("the name of a class is wanted here")
                .help(format!("write `stream {}(…) -> User`", decl.name.text)),
        )),
    }
}

/// The function that `parse` names: of the raw message, giving the resolver's message.
pub(crate) fn parse_function(
    context: &Context,
    name: &ast::Name,
    span: Span,
    message_ty: &Type,
    param: &ast::Param,
) -> Checked<Rc<Function>> {
    let index = match context.package.get(&name.text) {
        Some(Entry::Function(index)) => index,
        Some(Entry::Later) => return Err(Reported),
        Some(entry) => {
            return Err(context.report(Diagnostic::new(
                Code::E0411,
                format!("`{}` is {}, not a function", name.text, entry.describe()),
                name.span,
            )));
        }
        None => {
            let functions = context.package.names_where(|entry| matches!(entry, Entry::Function(_)));
            let diagnostic = Diagnostic::new(Code::E0411, format!("there is no function `{}`", name.text), name.span);
            return Err(context.report(match did_you_mean(&name.text, functions.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(name.span, near.to_owned()),
                None => diagnostic.help(format!("declare it: `fn {}(raw: bytes) -> {message_ty}? = …`", name.text)),
            }));
        }
    };
    context.mark_used(&name.text);
    let function = context.functions.get(index).cloned().flatten().ok_or(Reported)?;
    let decl = context.package.functions[index];
    let [(_, _, takes)] = &function.params[..] else {
        return Err(context.report(
            Diagnostic::new(
                Code::E0411,
                format!(
                    "a parse function takes the message alone, and `{}` takes {} arguments",
                    name.text,
                    function.params.len()
                ),
                span,
            )
            .label(decl.name.span, "the function is declared here")
            .help(format!("write `fn {}(raw: bytes) -> {message_ty}? = …`", name.text)),
        ));
    };
    if takes.nullable || !matches!(takes.kind, Kind::Struct(_) | Kind::String | Kind::Bytes) {
        return Err(context.report(
            Diagnostic::new(
                Code::E0411,
                format!("a parse function takes `bytes`, `string` or a message, not `{takes}`"),
                span,
            )
            .label(decl.params[0].ty.span, format!("this is `{takes}`")),
        ));
    }
    let returns = context.resolve_type(&decl.returns, Place::new("the result of", &name.text))?;
    if let Kind::List(item) = &returns.kind
        && item.kind == message_ty.kind
    {
        return Err(context.report(not_yet("parse functions that give many messages (`[Message]`)", decl.returns.span)));
    }
    if returns.kind != message_ty.kind {
        return Err(context.report(
            Diagnostic::new(
                Code::E0411,
                format!("`{}` gives `{returns}`, and the resolver wants `{message_ty}`", name.text),
                span,
            )
            .label(decl.returns.span, format!("`{returns}` is declared here"))
            .label(param.ty.span, format!("`{message_ty}` is wanted here"))
            .help(format!("the function gives `{message_ty}`, or `{message_ty}?` to skip messages with `none`")),
        ));
    }
    Ok(function)
}
