//! Sources: the connector's options checked against what it says of itself.
//!
//! This file must not know any connector.

use chalk_artifact::connector::{ConnectorDef, OptionDef, OptionType};
use chalk_artifact::manifest::OptionValue;
use chalk_diagnostics::{Code, Diagnostic, Span, did_you_mean};
use chalk_syntax::ast;
use chalk_types::Value;

use crate::attributes::Attributes;
use crate::context::{Checked, Context, Reported};
use crate::program::Source;

/// The option that every source takes.
const LATE: &str = "late_arrival_deadline";

/// All sources, in order.
pub(crate) fn check(context: &Context) -> Vec<Source> {
    context.package.sources.iter().map(|decl| source(context, decl)).collect()
}

fn source(context: &Context, decl: &ast::Source) -> Source {
    Attributes::new(context, &decl.attributes).finish("a source");
    let mut source = Source {
        name: decl.name.text.clone(),
        span: decl.name.span,
        connector: decl.connector.name.text.clone(),
        options: Vec::new(),
        late_arrival_deadline_us: None,
    };
    let name = &decl.connector.name;
    let Some(connector) = context.connectors.iter().find(|connector| connector.name == name.text) else {
        let names: Vec<&str> = context.connectors.iter().map(|connector| connector.name).collect();
        let diagnostic = Diagnostic::new(Code::E0111, format!("there is no connector `{}`", name.text), name.span);
        context.report(match did_you_mean(&name.text, names.iter().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(name.span, near.to_owned()),
            None => diagnostic.help(format!("this version knows {}", quoted(&names))),
        });
        return source;
    };
    let mut seen: Vec<(&str, Span)> = Vec::new();
    for arg in &decl.connector.args {
        let _ = argument(context, connector, arg, &mut seen, &mut source);
    }
    for option in connector.options.iter().filter(|option| option.required) {
        if !seen.iter().any(|(name, _)| *name == option.name) {
            context.report(
                Diagnostic::new(
                    Code::E0113,
                    format!("the source `{}` needs `{}`", source.name, option.name),
                    decl.connector.span,
                )
                .at(format!("`{}` is missing", option.name))
                .note(option.doc)
                .help(format!("write `{}({}: {})`", connector.name, option.name, example(option.ty))),
            );
        }
    }
    source
}

fn argument<'t>(
    context: &Context,
    connector: &ConnectorDef,
    arg: &'t ast::Arg,
    seen: &mut Vec<(&'t str, Span)>,
    source: &mut Source,
) -> Checked<()> {
    let names = || connector.options.iter().map(|option| option.name).chain([LATE]);
    let Some(name) = &arg.name else {
        let first = connector.options.first().map_or("option", |option| option.name);
        return Err(context.report(
            Diagnostic::new(Code::E0112, "options of a source have names", arg.span)
                .help(format!("write `{}({first}: …)`", connector.name)),
        ));
    };
    if let Some((_, first)) = seen.iter().find(|(other, _)| *other == name.text) {
        return Err(context.report(
            Diagnostic::new(Code::E0112, format!("the option `{}` is given twice", name.text), name.span)
                .label(*first, "first given here")
                .help("leave one of them out"),
        ));
    }
    seen.push((&name.text, name.span));
    if name.text == LATE {
        let option = OptionDef { name: LATE, ty: OptionType::Duration, required: false, doc: "" };
        match value(context, &option, &arg.value)? {
            OptionValue::Value(Value::Duration(deadline_us)) => source.late_arrival_deadline_us = Some(deadline_us),
            _ => return Err(wrong(context, &option, &arg.value)),
        }
        return Ok(());
    }
    let Some(option) = connector.options.iter().find(|option| option.name == name.text) else {
        let diagnostic =
            Diagnostic::new(Code::E0112, format!("`{}` has no option `{}`", connector.name, name.text), name.span);
        return Err(context.report(match did_you_mean(&name.text, names()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(name.span, near.to_owned()),
            None => diagnostic.help(format!("its options are {}", quoted(&names().collect::<Vec<_>>()))),
        }));
    };
    let value = value(context, option, &arg.value)?;
    source.options.push((name.text.clone(), value));
    Ok(())
}

fn value(context: &Context, option: &OptionDef, expr: &ast::Expr) -> Checked<OptionValue> {
    let value = match (&expr.kind, option.ty) {
        (ast::ExprKind::Error, _) => return Err(Reported),
        (ast::ExprKind::Call { function, args, .. }, _) if function.text == "env" => {
            return match &args[..] {
                [ast::Arg { name: None, value: ast::Expr { kind: ast::ExprKind::String(name), .. }, .. }]
                    if !name.is_empty() && !name.contains(['=', '\0']) =>
                {
                    Ok(OptionValue::Env(name.clone()))
                }
                _ => Err(context.report(
                    Diagnostic::new(Code::E0114, "`env` takes the name of an environment variable", expr.span)
                        .help("write `env(\"NAME\")`"),
                )),
            };
        }
        (ast::ExprKind::String(text), OptionType::String) => Value::String(text.clone()),
        (ast::ExprKind::String(text), OptionType::OneOf(words)) => {
            if !words.contains(&text.as_str()) {
                let diagnostic =
                    Diagnostic::new(Code::E0114, format!("`{}` cannot be \"{text}\"", option.name), expr.span);
                return Err(context.report(match did_you_mean(text, words.iter().copied()) {
                    Some(near) => {
                        diagnostic.help(format!("did you mean \"{near}\"?")).fix(expr.span, format!("\"{near}\""))
                    }
                    None => diagnostic.help(format!("it is one of {}", quoted(words))),
                }));
            }
            Value::String(text.clone())
        }
        (ast::ExprKind::Int(value), OptionType::Int) if i64::try_from(*value).is_ok() => Value::Int(*value),
        (ast::ExprKind::Unary { op: ast::UnaryOp::Neg, operand, .. }, OptionType::Int) => match operand.kind {
            ast::ExprKind::Int(value) if i64::try_from(value).is_ok() => Value::Int(-value),
            _ => return Err(wrong(context, option, expr)),
        },
        (ast::ExprKind::Bool(value), OptionType::Bool) => Value::Bool(*value),
        (ast::ExprKind::Duration(value), OptionType::Duration) => Value::Duration(*value),
        _ => return Err(wrong(context, option, expr)),
    };
    Ok(OptionValue::Value(value))
}

fn wrong(context: &Context, option: &OptionDef, expr: &ast::Expr) -> Reported {
    let wanted = match option.ty {
        OptionType::String => "a text".to_owned(),
        OptionType::Int => "an integer".to_owned(),
        OptionType::Bool => "`true` or `false`".to_owned(),
        OptionType::Duration => "a duration".to_owned(),
        OptionType::OneOf(words) => format!("one of {}", quoted(words)),
    };
    context.report(
        Diagnostic::new(Code::E0114, format!("`{}` is {wanted}", option.name), expr.span)
            .note("options are constants, or `env(\"NAME\")`, so that a source can be opened without running anything")
            .help(format!("write `{}: {}`", option.name, example(option.ty))),
    )
}

fn example(ty: OptionType) -> String {
    match ty {
        OptionType::String => "\"…\"".to_owned(),
        OptionType::Int => "1".to_owned(),
        OptionType::Bool => "true".to_owned(),
        OptionType::Duration => "30m".to_owned(),
        OptionType::OneOf(words) => format!("{:?}", words.first().copied().unwrap_or_default()),
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
