//! Values that tests expect: constants of the feature's type.
//!
//! Beside the literals of the language a test may write what the language has no literal for: variants of an enum by their
//! name, times as the text that they are printed as, messages and maps as `{ … }`, and floats that are no numbers as text.
//!
//! This file must not know features.

use chalk_diagnostics::{Code, Diagnostic};
use chalk_syntax::ast;
use chalk_types::{Kind, Type, Value};

use crate::constant::value_of;
use crate::context::{Checked, Context, Reported};
use crate::expr::{Checker, Want};
use crate::moment;

/// A constant of that type.
pub(super) fn constant(context: &Context, expr: &ast::Expr, ty: &Type, want: Want) -> Checked<Value> {
    match (&expr.kind, &ty.kind) {
        (ast::ExprKind::Error, _) => Err(Reported),
        (ast::ExprKind::Name(name), Kind::Enum(def)) => {
            match def.variants.iter().position(|variant| *variant == name.text) {
                Some(variant) => Ok(Value::Enum(variant as u32)),
                None => Err(unknown_variant(context, name, &def.name, &def.variants)),
            }
        }
        (ast::ExprKind::String(text), Kind::Datetime | Kind::Date | Kind::Time) => {
            let read = match ty.kind {
                Kind::Datetime => moment::parse(context, text).map(Value::Datetime),
                Kind::Date => date(context, text).map(Value::Date),
                _ => time(context, text).map(Value::Time),
            };
            read.map_err(|reason| {
                context.report(Diagnostic::new(Code::E0606, reason, expr.span).help(match ty.kind {
                    Kind::Datetime => "write it as it is printed: `\"2024-01-31T23:59:59Z\"`",
                    Kind::Date => "write it as it is printed: `\"2024-01-31\"`",
                    _ => "write it as it is printed: `\"23:59:59\"`",
                }))
            })
        }
        (ast::ExprKind::String(text), Kind::Float32 | Kind::Float64) if special_float(text).is_some() => {
            Ok(Value::Float(special_float(text).unwrap_or_default()))
        }
        (ast::ExprKind::List(items), Kind::List(item) | Kind::Vector(item, _)) => {
            if let Kind::Vector(_, length) = &ty.kind
                && items.len() != *length as usize
            {
                return Err(context.report(
                    Diagnostic::new(
                        Code::E0606,
                        format!("the vector has {length} items, not {}", items.len()),
                        expr.span,
                    )
                    .help(format!("write a list of {length} items")),
                ));
            }
            let values: Vec<Checked<Value>> = items.iter().map(|value| constant(context, value, item, want)).collect();
            values.into_iter().collect::<Checked<Vec<_>>>().map(Value::List)
        }
        (ast::ExprKind::Map(entries), Kind::Map(key, value)) => {
            let entries: Vec<Checked<(Value, Value)>> = entries
                .iter()
                .map(|(k, v)| Ok((constant(context, k, key, want)?, constant(context, v, value, want)?)))
                .collect();
            entries.into_iter().collect::<Checked<Vec<_>>>().map(Value::Map)
        }
        (ast::ExprKind::Map(entries), Kind::Struct(message)) => {
            let mut values = vec![None; message.fields.len()];
            for (key, value) in entries {
                let name = match &key.kind {
                    ast::ExprKind::String(text) => text,
                    ast::ExprKind::Name(name) => &name.text,
                    _ => return Err(not_constant(context, key, ty)),
                };
                let Some(field) = message.index_of(name) else {
                    return Err(context.report(
                        Diagnostic::new(Code::E0107, format!("`{}` has no field `{name}`", message.name), key.span)
                            .help(
                                match chalk_diagnostics::did_you_mean(
                                    name,
                                    message.fields.iter().map(|field| field.name.as_str()),
                                ) {
                                    Some(near) => format!("did you mean `{near}`?"),
                                    None => "leave it out".to_owned(),
                                },
                            ),
                    ));
                };
                values[field] = Some(constant(context, value, &message.fields[field].ty, want)?);
            }
            // What is left out is expected to be null.
            let values = values.into_iter().zip(&message.fields).map(|(value, field)| match value {
                Some(value) => Ok(value),
                None if field.ty.nullable => Ok(Value::Null),
                None => Err(context.report(
                    Diagnostic::new(Code::E0606, format!("the field `{}` is not there", field.name), expr.span)
                        .note(format!("`{}` is never null, so a message without it cannot be expected", field.name))
                        .help(format!("add `{}: …`", field.name)),
                )),
            });
            values.collect::<Checked<Vec<_>>>().map(Value::Struct)
        }
        _ => {
            let mut checker = Checker::for_constant(context);
            let checked = checker.check_whole(expr, ty, want)?;
            value_of(&checked).ok_or_else(|| not_constant(context, expr, ty))
        }
    }
}

fn date(context: &Context, text: &str) -> Result<i32, String> {
    let midnight_us =
        moment::parse(context, &format!("{text}T00:00:00Z")).map_err(|_| format!("{text:?} is no date"))?;
    i32::try_from(midnight_us.div_euclid(86_400_000_000)).map_err(|_| format!("{text:?} is out of range"))
}

fn time(context: &Context, text: &str) -> Result<i64, String> {
    moment::parse(context, &format!("1970-01-01T{text}Z")).map_err(|_| format!("{text:?} is no time of day"))
}

/// Floats that JSON and the language have no literal for.
fn special_float(text: &str) -> Option<f64> {
    Some(match text {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ => return None,
    })
}

fn unknown_variant(context: &Context, name: &ast::Name, def: &str, variants: &[String]) -> Reported {
    let diagnostic = Diagnostic::new(Code::E0116, format!("`{def}` has no variant `{}`", name.text), name.span);
    context.report(match chalk_diagnostics::did_you_mean(&name.text, variants) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(name.span, near.to_owned()),
        None => diagnostic.help(format!("its variants are {}", crate::expr::either(variants))),
    })
}

fn not_constant(context: &Context, expr: &ast::Expr, ty: &Type) -> Reported {
    context.report(
        Diagnostic::new(Code::E0606, "what a test expects is a literal", expr.span)
            .at(format!("a value of type `{}` is wanted here", ty.to_required()))
            .note("an expectation that is computed could be wrong in the way of the program")
            .help("write the value itself"),
    )
}
