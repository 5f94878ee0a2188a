//! Messages of tests as bytes: JSON as it is sent, or raw text and bytes.
//!
//! A message is not checked against the resolver's message type, because what becomes of a wrong one is worth a test as well.
//!
//! This file must not know resolvers.

use std::fmt::Write as _;

use chalk_diagnostics::{Code, Diagnostic, Span};
use chalk_syntax::ast;
use chalk_types::format_float;

use crate::context::{Checked, Context, Reported};

/// The bytes of a message: a text or bytes literal as it is, anything else as JSON.
pub(super) fn message(context: &Context, value: &ast::Expr) -> Checked<Vec<u8>> {
    match &value.kind {
        ast::ExprKind::String(text) => Ok(text.clone().into_bytes()),
        ast::ExprKind::Bytes(bytes) => Ok(bytes.clone()),
        _ => {
            let mut text = String::new();
            json(context, value, &mut text)?;
            Ok(text.into_bytes())
        }
    }
}

/// Bytes beside a message: a text or bytes literal.
pub(super) fn bytes(context: &Context, value: &ast::Expr, what: &str) -> Checked<Vec<u8>> {
    match &value.kind {
        ast::ExprKind::Error => Err(Reported),
        ast::ExprKind::String(text) => Ok(text.clone().into_bytes()),
        ast::ExprKind::Bytes(bytes) => Ok(bytes.clone()),
        _ => Err(context.report(
            Diagnostic::new(Code::E0602, format!("{what} is a text or bytes literal"), value.span)
                .help("write `\"…\"` or `b\"…\"`"),
        )),
    }
}

/// Appends the JSON of a literal, without blanks.
fn json(context: &Context, value: &ast::Expr, out: &mut String) -> Checked<()> {
    match &value.kind {
        ast::ExprKind::Error => return Err(Reported),
        ast::ExprKind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        ast::ExprKind::Int(value) => {
            let _ = write!(out, "{value}"); // writing to a String cannot fail
        }
        ast::ExprKind::Float(value) => out.push_str(&format_float(*value)),
        ast::ExprKind::String(text) => quoted(text, out),
        ast::ExprKind::Name(name) if name.text == "null" => out.push_str("null"),
        ast::ExprKind::Unary { op: ast::UnaryOp::Neg, operand, .. }
            if matches!(operand.kind, ast::ExprKind::Int(_) | ast::ExprKind::Float(_)) =>
        {
            out.push('-');
            json(context, operand, out)?;
        }
        ast::ExprKind::List(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position != 0 {
                    out.push(',');
                }
                json(context, item, out)?;
            }
            out.push(']');
        }
        ast::ExprKind::Map(entries) => {
            out.push('{');
            for (position, (key, value)) in entries.iter().enumerate() {
                if position != 0 {
                    out.push(',');
                }
                quoted(key_text(context, key)?, out);
                out.push(':');
                json(context, value, out)?;
            }
            out.push('}');
        }
        _ => return Err(refuse(context, value)),
    }
    Ok(())
}

fn key_text<'t>(context: &Context, key: &'t ast::Expr) -> Checked<&'t str> {
    let refuse = |span: Span| Diagnostic::new(Code::E0602, "a key of a JSON object is a text", span);
    match &key.kind {
        ast::ExprKind::Error => Err(Reported),
        ast::ExprKind::String(text) => Ok(text),
        ast::ExprKind::Name(name) => Err(context.report(
            refuse(key.span)
                .note("a message is written as it is sent")
                .help(format!("put it between quotes: `\"{}\"`", name.text))
                .fix(key.span, format!("\"{}\"", name.text)),
        )),
        _ => Err(context.report(refuse(key.span).help("put it between quotes"))),
    }
}

fn refuse(context: &Context, value: &ast::Expr) -> Reported {
    let diagnostic = Diagnostic::new(Code::E0602, "this cannot stand in a JSON message", value.span)
        .note("a message is written as it is sent: texts, numbers, `true`, `false`, `null`, lists and objects");
    context.report(match &value.kind {
        ast::ExprKind::None => diagnostic.help("JSON's word is `null`").fix(value.span, "null"),
        ast::ExprKind::Bytes(_) => diagnostic.help("JSON has no bytes; write the text that is sent, such as base64"),
        ast::ExprKind::Duration(_) => diagnostic.help("write the number that is sent"),
        ast::ExprKind::Name(name) if matches!(name.text.as_str(), "True" | "False" | "None" | "nil" | "undefined") => {
            let json = match name.text.as_str() {
                "True" => "true",
                "False" => "false",
                _ => "null",
            };
            diagnostic.help(format!("JSON's word is `{json}`")).fix(value.span, json)
        }
        ast::ExprKind::Name(name) => diagnostic
            .help(format!("if it is a text, put it between quotes: `\"{}\"`", name.text))
            .fix(value.span, format!("\"{}\"", name.text)),
        _ => diagnostic.help("write the value that the expression has"),
    })
}

/// Appends a JSON string.
fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if u32::from(control) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(control)); // writing to a String cannot fail
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
}
