//! Calls: user functions, which are replaced by their bodies, and the three functions that are the language's own.
//!
//! Arguments are evaluated once, in the order of the parameters, before the body. An argument that is a path or a constant
//! stands in the body as it is, so that a message handed to a function is read by its fields alone.
//!
//! This file must not know the library beyond its names.

use std::rc::Rc;

use chalk_diagnostics::{Code, Diagnostic, Span, did_you_mean};
use chalk_syntax::ast;
use chalk_types::{Kind, Type};

use super::inline::{Renamed, Renames, copy, size_of};
use super::{Checker, Want};
use crate::context::{Checked, Reported};
use crate::package::{Entry, not_yet};
use crate::program::{Expr, ExprKind, Function, LocalId};
use crate::resolve_type::Place;

impl Checker<'_, '_> {
    /// `receiver.method(…)`: an aggregate of a collection; values have no methods.
    pub(super) fn method(
        &mut self,
        receiver: &ast::Expr,
        method: &ast::Name,
        (type_args, args): (&[ast::TypeExpr], &[ast::Arg]),
        span: Span,
    ) -> Checked<Expr> {
        let name = method.text.as_str();
        if let Some(chain) = self.collection_chain(receiver) {
            let chain = chain?;
            if name == "where" {
                return Err(self.report(
                    Diagnostic::new(Code::E0434, "rows that are filtered are many rows still, not one value", span)
                        .help("aggregate them: `….where(…).count()`"),
                ));
            }
            return self.aggregate(chain, method, type_args, args, span);
        }
        let receiver = self.check(receiver, None)?;
        let diagnostic = Diagnostic::new(Code::E0105, format!("`{}` has no method `{name}`", receiver.ty), method.span)
            .note("functions stand before what they are about");
        let known = self.context.catalog.overloads(name).any(|function| !function.def.hidden)
            || matches!(self.context.package.get(name), Some(Entry::Function(_)));
        let is_aggregate = name == "where" || self.context.catalog.aggregates_named(name).next().is_some();
        Err(self.report(if is_aggregate {
            diagnostic
                .note("an aggregate is of the rows of a collection: a feature of the type `[Class]`")
                .help("a function of a list stands before it: `length(…)`, `array_sum(…)`")
        } else if known {
            diagnostic.help(format!("write `{name}(…)` with the value as an argument"))
        } else {
            match did_you_mean(name, self.context.catalog.public_names()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}(…)`?")),
                None => diagnostic,
            }
        }))
    }

    /// `function<T>(args)`.
    pub(super) fn call(
        &mut self,
        function: &ast::Name,
        type_args: &[ast::TypeExpr],
        args: &[ast::Arg],
        want: Option<&Type>,
        span: Span,
    ) -> Checked<Expr> {
        let name = function.text.as_str();
        if let Some(entry) = self.context.package.get(name) {
            self.no_type_args(function, type_args);
            return match entry {
                Entry::Function(index) => self.call_user(index, function, args, span),
                Entry::Later => Err(Reported),
                entry => Err(self.report(
                    Diagnostic::new(
                        Code::E0106,
                        format!("`{name}` is {}, not a function", entry.describe()),
                        function.span,
                    )
                    .label(
                        self.context.package.declared_at(name).map_or(function.span, |declared| declared.span),
                        "declared here",
                    ),
                )),
            };
        }
        match name {
            "header" => {
                self.no_type_args(function, type_args);
                self.header(args, span)
            }
            "recover" => {
                self.no_type_args(function, type_args);
                self.recover(args, want, span)
            }
            "json_deserialize" => self.json_deserialize(type_args, args, span),
            "proto_deserialize" | "avro_deserialize" => {
                Err(self.report(not_yet(&format!("imported schemas (`{name}`)"), function.span)))
            }
            _ => {
                self.no_type_args(function, type_args);
                self.call_library(function, args, span)
            }
        }
    }

    pub(super) fn no_type_args(&self, function: &ast::Name, type_args: &[ast::TypeExpr]) {
        if let Some(first) = type_args.first() {
            self.report(
                Diagnostic::new(
                    Code::E0204,
                    format!("`{}` takes no types between `<` and `>`", function.text),
                    first.span,
                )
                .help("leave them out"),
            );
        }
    }

    /// The arguments of one of the language's own functions, all positional.
    fn plain_args<'t, const N: usize>(
        &self,
        name: &str,
        form: &str,
        args: &'t [ast::Arg],
        span: Span,
    ) -> Checked<[&'t ast::Expr; N]> {
        let values: Vec<&ast::Expr> = args.iter().filter(|arg| arg.name.is_none()).map(|arg| &arg.value).collect();
        if values.len() == args.len()
            && let Ok(values) = values.try_into()
        {
            return Ok(values);
        }
        let count = if N == 1 { "one argument".to_owned() } else { format!("{N} arguments") };
        Err(self.report(
            Diagnostic::new(Code::E0204, format!("`{name}` takes {count} without names"), span)
                .help(format!("write `{form}`")),
        ))
    }

    fn header(&mut self, args: &[ast::Arg], span: Span) -> Checked<Expr> {
        self.in_stream("header", span)?;
        let [name] = self.plain_args("header", "header(\"X-Name\")", args, span)?;
        match &name.kind {
            ast::ExprKind::String(text) => {
                let ty = Type::BYTES.to_optional();
                Ok(self.refine(Expr { kind: ExprKind::Header(text.clone()), ty, span }))
            }
            ast::ExprKind::Error => Err(Reported),
            _ => Err(self.report(
                Diagnostic::new(Code::E0205, "the name of a header is a text literal", name.span)
                    .note("which headers are read is known before the first message, so that others are not looked at")
                    .help("write `header(\"X-Name\")`"),
            )),
        }
    }

    fn recover(&mut self, args: &[ast::Arg], want: Option<&Type>, span: Span) -> Checked<Expr> {
        let [value, fallback] = self.plain_args("recover", "recover(value, fallback)", args, span)?;
        let value = self.check(value, want);
        let hint = value.as_ref().ok().filter(|value| value.ty.kind != Kind::Null).map(|value| value.ty.clone());
        let fallback = self.check(fallback, hint.as_ref().or(want));
        let (value, fallback) = self.unified(value?, fallback?, "the two arguments of `recover`", span)?;
        let ty = value.ty.clone().nullable_if(fallback.ty.nullable);
        Ok(Expr { kind: ExprKind::Recover(Box::new(value), Box::new(fallback)), ty, span })
    }

    fn json_deserialize(&mut self, type_args: &[ast::TypeExpr], args: &[ast::Arg], span: Span) -> Checked<Expr> {
        let form = "json_deserialize<Message>(text)";
        let target = match type_args {
            [ty] => {
                self.context.resolve_type(ty, Place::new("the type of `json_deserialize`", "")).map(|found| (found, ty))
            }
            _ => Err(self.report(
                Diagnostic::new(Code::E0219, "`json_deserialize` is told the message type between `<` and `>`", span)
                    .help(format!("write `{form}`")),
            )),
        };
        let [input] = self.plain_args("json_deserialize", form, args, span)?;
        let input = self.check(input, None);
        let ((target, written), input) = (target?, input?);
        let message = match &target {
            Type { kind: Kind::Struct(message), nullable: false } => match self.context.package.get(&message.name) {
                Some(Entry::Message(index)) => index,
                _ => return Err(Reported),
            },
            _ => {
                return Err(self.report(
                    Diagnostic::new(
                        Code::E0219,
                        format!("`json_deserialize` gives a message, not `{target}`"),
                        written.span,
                    )
                    .help("name a message type; where the text may be no such message, write `recover(…, none)`"),
                ));
            }
        };
        if !matches!(input.ty.kind, Kind::String | Kind::Bytes) {
            return Err(self.report(
                Diagnostic::new(
                    Code::E0205,
                    format!("`json_deserialize` reads `string` or `bytes`, not `{}`", input.ty),
                    input.span,
                )
                .help(format!("write `{form}`")),
            ));
        }
        let ty = target.nullable_if(input.ty.nullable);
        Ok(Expr { kind: ExprKind::DeserializeJson { input: Box::new(input), message }, ty, span })
    }

    fn call_user(&mut self, index: usize, name: &ast::Name, args: &[ast::Arg], span: Span) -> Checked<Expr> {
        self.context.mark_used(&name.text);
        let decl = self.context.package.functions[index];
        let signature = || {
            let params: Vec<&str> = decl.params.iter().map(|param| param.name.text.as_str()).collect();
            format!("{}({})", decl.name.text, params.join(", "))
        };
        // Which argument goes to which parameter.
        let mut given: Vec<Option<&ast::Arg>> = vec![None; decl.params.len()];
        let mut next = 0;
        for arg in args {
            let position = match &arg.name {
                Some(name) => decl.params.iter().position(|param| param.name.text == name.text),
                None => {
                    next += 1;
                    Some(next - 1)
                }
            };
            match position.and_then(|position| given.get_mut(position)) {
                Some(slot @ None) => *slot = Some(arg),
                _ => {
                    let diagnostic = match &arg.name {
                        Some(given) => {
                            let names = decl.params.iter().map(|param| param.name.text.as_str());
                            let known = decl.params.iter().any(|param| param.name.text == given.text);
                            let what = if known { "is given twice" } else { "is no parameter" };
                            let diagnostic = Diagnostic::new(
                                Code::E0204,
                                format!("`{}` {what} of `{}`", given.text, decl.name.text),
                                given.span,
                            );
                            match did_you_mean(&given.text, names) {
                                Some(near) if !known => {
                                    diagnostic.help(format!("did you mean `{near}`?")).fix(given.span, near.to_owned())
                                }
                                _ => diagnostic.help(format!("write `{}`", signature())),
                            }
                        }
                        None => Diagnostic::new(
                            Code::E0204,
                            format!("`{}` takes {} arguments, not {}", decl.name.text, decl.params.len(), args.len()),
                            arg.span,
                        )
                        .help(format!("write `{}`", signature())),
                    };
                    return Err(self.report(diagnostic.label(decl.name.span, "the function is declared here")));
                }
            }
        }
        if let Some(missing) = decl.params.iter().zip(&given).find(|(_, arg)| arg.is_none()) {
            return Err(self.report(
                Diagnostic::new(
                    Code::E0204,
                    format!("the argument `{}` of `{}` is missing", missing.0.name.text, decl.name.text),
                    span,
                )
                .label(decl.name.span, "the function is declared here")
                .help(format!("write `{}`", signature())),
            ));
        }
        let function: Option<Rc<Function>> = self.context.functions.get(index).cloned().flatten();
        let mut values = Vec::with_capacity(given.len());
        let mut failed = false;
        for (position, (param, arg)) in decl.params.iter().zip(given).enumerate() {
            let Some(arg) = arg else { continue };
            let ty = function.as_ref().map(|function| function.params[position].2.clone());
            let value = self.check(&arg.value, ty.as_ref());
            let value = match (value, &ty) {
                (Ok(value), Some(ty)) => {
                    self.coerce(value, ty, Want::new("the parameter", &param.name.text, param.ty.span))
                }
                (value, _) => value,
            };
            match value {
                Ok(value) => values.push(value),
                Err(Reported) => failed = true,
            }
        }
        let Some(function) = function.filter(|_| !failed) else { return Err(Reported) };
        self.nodes += size_of(&function.body);
        self.within_size(span)?;
        let params: Vec<LocalId> = function.params.iter().map(|(_, local, _)| *local).collect();
        Ok(self.inlined(&function.body, &params, values, span))
    }

    /// The value of a function for these arguments, for `parse`.
    pub(crate) fn inline_function(&mut self, function: &Function, values: Vec<Expr>, span: Span) -> Expr {
        let params: Vec<LocalId> = function.params.iter().map(|(_, local, _)| *local).collect();
        self.nodes += size_of(&function.body);
        self.inlined(&function.body, &params, values, span)
    }

    /// The same expression once more, with locals of its own.
    pub(crate) fn copied(&mut self, expr: &Expr) -> Expr {
        copy(expr, &mut Renames::new(), &mut || self.fresh_local(), None)
    }

    /// A body with its parameters replaced or bound.
    fn inlined(&mut self, body: &Expr, params: &[LocalId], values: Vec<Expr>, span: Span) -> Expr {
        let mut renames = Renames::new();
        let mut bound = Vec::new();
        for (param, value) in params.iter().zip(values) {
            if self.is_simple(&value) {
                renames.insert(*param, Renamed::Expr(value));
            } else {
                let local = self.fresh_local();
                renames.insert(*param, Renamed::Local(local, value.ty.clone()));
                bound.push((local, value));
            }
        }
        let body = copy(body, &mut renames, &mut || self.fresh_local(), None);
        bind_all(bound, body, span)
    }
}

/// `let`s around a body, the first one outermost.
pub(super) fn bind_all(bound: Vec<(LocalId, Expr)>, body: Expr, span: Span) -> Expr {
    bound.into_iter().rev().fold(body, |body, (local, value)| {
        let ty = body.ty.clone();
        Expr { kind: ExprKind::Let { local, value: Box::new(value), body: Box::new(body) }, ty, span }
    })
}
