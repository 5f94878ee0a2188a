//! Calls: user functions (replaced by their bodies), library functions, and the three that are the language's own.
//!
//! Arguments are evaluated once, in the order of the parameters, before the body. An argument that is a path or a constant
//! stands in the body as it is, so that a message handed to a function is read by its fields alone.
//!
//! This file must not know which library functions exist.

use std::rc::Rc;

use chalk_catalog::{ArgSource, ArgType, Body, ResolveError, Resolved, TypePattern};
use chalk_diagnostics::{Code, Diagnostic, FileId, Span, did_you_mean};
use chalk_syntax::ast;
use chalk_types::{Kind, Type, Value};

use super::inline::{Renamed, Renames, copy, size_of};
use super::{Checker, Want, What, constant};
use crate::constant;
use crate::context::{Checked, Reported};
use crate::package::{Entry, not_yet};
use crate::program::{Expr, ExprKind, Function, LocalId};
use crate::resolve_type::Place;

/// Methods of collections that a later version brings.
const COLLECTION_METHODS: [&str; 12] =
    ["where", "count", "sum", "min", "max", "mean", "std", "var", "min_by", "max_by", "top", "approx_count_distinct"];

impl Checker<'_, '_> {
    /// `receiver.method(…)`: there are none on values.
    pub(super) fn method(&mut self, receiver: &ast::Expr, method: &ast::Name, span: Span) -> Checked<Expr> {
        let name = method.text.as_str();
        if COLLECTION_METHODS.contains(&name) || name.starts_with("approx_") {
            return Err(self.report(not_yet(&format!("collections and their methods (`.{name}(…)`)"), span)));
        }
        let receiver = self.check(receiver, None)?;
        let diagnostic = Diagnostic::new(Code::E0105, format!("`{}` has no method `{name}`", receiver.ty), method.span)
            .note("functions stand before what they are about");
        let known = self.context.catalog.overloads(name).any(|function| !function.def.hidden)
            || matches!(self.context.package.get(name), Some(Entry::Function(_)));
        Err(self.report(if known {
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

    fn no_type_args(&self, function: &ast::Name, type_args: &[ast::TypeExpr]) {
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

    fn call_library(&mut self, function: &ast::Name, args: &[ast::Arg], span: Span) -> Checked<Expr> {
        let mut values = Vec::with_capacity(args.len());
        let mut failed = false;
        for arg in args {
            match self.check(&arg.value, None) {
                Ok(value) => values.push(value),
                Err(Reported) => failed = true,
            }
        }
        let name = function.text.as_str();
        if self.context.catalog.overloads(name).all(|known| known.def.hidden) {
            return Err(self.unknown_function(function));
        }
        if failed {
            return Err(Reported);
        }
        let types: Vec<ArgType> = args
            .iter()
            .zip(&values)
            .map(|(arg, value)| ArgType {
                name: arg.name.as_ref().map(|name| name.text.as_str()),
                ty: value.ty.clone(),
                literal: constant::value_of(value),
            })
            .collect();
        let catalog = self.context.catalog;
        let resolved = match catalog.resolve(name, &types) {
            Ok(resolved) => resolved,
            Err(error) => return Err(self.unresolved(function, args, error, span)),
        };
        self.assemble(&resolved, values, span)
    }

    /// A resolved call as an expression.
    fn assemble(&mut self, resolved: &Resolved<'static>, values: Vec<Expr>, span: Span) -> Checked<Expr> {
        let mut values: Vec<Option<Expr>> = values.into_iter().map(Some).collect();
        let mut bound: Vec<(LocalId, Expr)> = Vec::new();
        // Arguments that make the result null, which the call itself does not see.
        let mut null_tests: Vec<Expr> = Vec::new();
        let is_native = matches!(resolved.function.def.body, Body::Native(_));
        let mut converted: Vec<Vec<Expr>> = Vec::new();
        for (position, source) in resolved.sources.iter().enumerate() {
            let ty = &resolved.param_types[position];
            let is_variadic = matches!(source, ArgSource::Variadic(_));
            let mut of_param = Vec::new();
            let positions: &[usize] = match source {
                ArgSource::Given(index) => std::slice::from_ref(index),
                ArgSource::Variadic(indexes) => indexes,
                ArgSource::Default(value) => {
                    of_param.push(constant(value.clone(), ty.clone(), span));
                    &[]
                }
            };
            for &index in positions {
                let Some(value) = values.get_mut(index).and_then(Option::take) else { return Err(Reported) };
                let value = self.as_param(value, ty);
                let value = if (!is_native || is_variadic && resolved.propagates[position] && value.ty.nullable)
                    && !self.is_simple(&value)
                {
                    let local = self.fresh_local();
                    let read = Expr { kind: ExprKind::Local(local), ty: value.ty.clone(), span: value.span };
                    bound.push((local, value));
                    read
                } else {
                    value
                };
                if (!is_native || is_variadic) && resolved.propagates[position] && value.ty.nullable {
                    null_tests.push(value.clone());
                }
                of_param.push(value);
            }
            converted.push(of_param);
        }
        let facts = self.facts_mark();
        for value in &null_tests {
            self.assume_not_null(value);
        }
        let result = match resolved.function.def.body {
            Body::Native(_) => Ok(self.native(resolved, converted, span)),
            Body::Chalk(text) => self.chalk_body(resolved, text, converted, span),
            Body::Fold(text) => self.fold_body(resolved, text, converted, span),
        };
        self.forget(facts);
        let mut result = result?;
        if result.ty.kind == Kind::Null {
            return Err(self.only_none(span));
        }
        if let Some(condition) = null_tests
            .into_iter()
            .map(|value| Expr {
                kind: ExprKind::IsNull { value: Box::new(value), negated: false },
                ty: Type::BOOL,
                span,
            })
            .reduce(|left, right| Expr { kind: ExprKind::Or(Box::new(left), Box::new(right)), ty: Type::BOOL, span })
        {
            let null = constant(Value::Null, result.ty.to_optional(), span);
            result = super::control::choice(condition, null, result, span);
        }
        Ok(bind_all(bound, result, span))
    }

    fn as_param(&self, value: Expr, ty: &Type) -> Expr {
        match (&value.ty.kind, &ty.kind) {
            // Hidden functions aside, a decimal keeps its own precision and scale.
            (Kind::Decimal { .. }, Kind::Decimal { precision: 38, .. }) => value,
            (Kind::Vector(..) | Kind::Map(..), _) => self.as_list(value, &ty.kind),
            _ => self.to_common(value, &ty.kind),
        }
    }

    fn native(&self, resolved: &Resolved<'static>, converted: Vec<Vec<Expr>>, span: Span) -> Expr {
        let mut args = Vec::with_capacity(converted.len());
        let mut nullable = resolved.function.signature.result.is_nullable();
        for (position, mut of_param) in converted.into_iter().enumerate() {
            let is_variadic = matches!(resolved.sources[position], ArgSource::Variadic(_))
                || resolved.function.signature.params[position].variadic;
            if is_variadic {
                let item = resolved.param_types[position].clone();
                // Where null propagates, the call is made only when none is null.
                let item = if resolved.propagates[position] { item.to_required() } else { item };
                let items = of_param.into_iter().map(|value| self.refine(value)).collect();
                args.push(Expr { kind: ExprKind::List(items), ty: Kind::List(Box::new(item)).required(), span });
            } else if let Some(value) = of_param.pop() {
                nullable |= resolved.propagates[position] && value.ty.nullable;
                args.push(value);
            }
        }
        // A variable that stands for nullable items makes the result nullable as well: the resolver says so.
        let inner_null = matches!(resolved.function.signature.result, TypePattern::Var { .. })
            && resolved.result.nullable
            && !resolved
                .propagates
                .iter()
                .zip(&resolved.param_types)
                .any(|(propagates, ty)| *propagates && ty.nullable);
        let ty = Type { kind: resolved.result.kind.clone(), nullable: nullable || inner_null };
        Expr { kind: ExprKind::Call { function: resolved.function.def, args }, ty, span }
    }

    /// A library function written in Chalk: its expression over the arguments.
    fn chalk_body(
        &mut self,
        resolved: &Resolved<'static>,
        text: &'static str,
        converted: Vec<Vec<Expr>>,
        span: Span,
    ) -> Checked<Expr> {
        let names = resolved.function.signature.params.iter().map(|param| param.name.clone());
        let bindings: Vec<(String, Expr)> =
            names.zip(converted).filter_map(|(name, mut value)| value.pop().map(|value| (name, value))).collect();
        let body = self.library_expression(text, bindings, span)?;
        Ok(self.to_common(body, &resolved.result.kind))
    }

    /// A variadic library function that combines two arguments at a time.
    fn fold_body(
        &mut self,
        resolved: &Resolved<'static>,
        text: &'static str,
        converted: Vec<Vec<Expr>>,
        span: Span,
    ) -> Checked<Expr> {
        let mut values = converted.into_iter().flatten();
        let Some(mut folded) = values.next() else { return Err(Reported) };
        folded = self.refine(folded);
        for value in values {
            // The result so far is read more than once: bind it.
            if self.is_simple(&folded) {
                folded =
                    self.library_expression(text, vec![("a".to_owned(), folded), ("b".to_owned(), value)], span)?;
                continue;
            }
            let local = self.fresh_local();
            let read = Expr { kind: ExprKind::Local(local), ty: folded.ty.clone(), span };
            let body = self.library_expression(text, vec![("a".to_owned(), read), ("b".to_owned(), value)], span)?;
            folded = bind_all(vec![(local, folded)], body, span);
        }
        Ok(self.to_common(folded, &resolved.result.kind))
    }

    /// Checks an expression of the library with these names bound; all of it stands at the call.
    fn library_expression(&mut self, text: &'static str, bindings: Vec<(String, Expr)>, span: Span) -> Checked<Expr> {
        let body = self.library_body(text);
        let scope = self.scope.len();
        let base = std::mem::replace(&mut self.scope_base, scope);
        let root = std::mem::replace(&mut self.root, super::Root::Closed);
        for (name, value) in bindings {
            self.bind(&name, span, What::Alias(value), false);
        }
        let reported = self.context.diagnostics.borrow().len();
        let checked = self.check(&body, None);
        // Remarks about the library's own text (a `??` that is not needed for these types) are not the caller's matter.
        let mut diagnostics = self.context.diagnostics.borrow_mut();
        let errors = diagnostics.drain(reported..).filter(Diagnostic::is_error).collect::<Vec<_>>();
        let errors: Vec<Diagnostic> = errors
            .into_iter()
            .map(|error| {
                let at_call =
                    Diagnostic::new(error.code, error.message, span).at("in the body of this library function");
                match error.help {
                    Some(help) => at_call.help(help),
                    None => at_call,
                }
            })
            .collect();
        diagnostics.extend(errors);
        drop(diagnostics);
        self.scope.truncate(scope);
        self.scope_base = base;
        self.root = root;
        let checked = checked?;
        Ok(respanned(&checked, span))
    }

    fn library_body(&self, text: &'static str) -> Rc<ast::Expr> {
        let mut bodies = self.context.library_bodies.borrow_mut();
        let body = bodies.entry(text).or_insert_with(|| {
            // An expression is parsed as the body of a function, the smallest item that holds one.
            let (mut file, diagnostics) = chalk_syntax::parse(LIBRARY, &format!("fn body() -> bool = {text}"));
            assert!(diagnostics.is_empty(), "the library's own text is wrong: `{text}`: {diagnostics:?}");
            match file.items.pop() {
                Some(ast::Item::Fn(function)) => Rc::new(function.body),
                _ => unreachable!("a function was written"),
            }
        });
        body.clone()
    }

    fn unknown_function(&self, function: &ast::Name) -> Reported {
        let name = function.text.as_str();
        let diagnostic = Diagnostic::new(Code::E0105, format!("there is no function `{name}`"), function.span);
        let foreign = match name {
            "len" | "size" | "count" => Some("length"),
            "str" | "to_string" => return self.report(diagnostic.help("convert with `as`: `… as string`")),
            "int" | "float" | "bool" | "string" | "bytes" | "datetime" => {
                return self.report(diagnostic.help(format!("convert with `as`: `… as {name}`")));
            }
            "if" | "if_then_else" | "iff" => {
                return self.report(diagnostic.help("write `if … then … else …`"));
            }
            "ifnull" | "nvl" => return self.report(diagnostic.help("write `… ?? default`")),
            "substring" => Some("substr"),
            "strip" => Some("trim"),
            "tolower" | "to_lower" => Some("lower"),
            "toupper" | "to_upper" => Some("upper"),
            "contains" => Some("str_contains"),
            _ => None,
        };
        let mut users = self.context.package.names_where(|entry| matches!(entry, Entry::Function(_)));
        users.extend(["header", "recover", "json_deserialize"]);
        let similar = self.context.catalog.similar_names(name);
        let near = foreign
            .filter(|foreign| self.context.catalog.overloads(foreign).next().is_some())
            .or_else(|| did_you_mean(name, users.iter().copied()))
            .or_else(|| similar.first().copied());
        self.report(match near {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(function.span, near.to_owned()),
            None => diagnostic.help(format!("declare it: `fn {name}(x: …) -> … = …`")),
        })
    }

    fn unresolved(&self, function: &ast::Name, args: &[ast::Arg], error: ResolveError, span: Span) -> Reported {
        let name = function.text.as_str();
        let at = |index: usize| args.get(index).map_or(span, |arg| arg.value.span);
        let written = |signatures: Vec<&'static str>, diagnostic: Diagnostic| {
            signatures.into_iter().fold(diagnostic, |diagnostic, signature| diagnostic.note(format!("`{signature}`")))
        };
        self.report(match error {
            ResolveError::UnknownName { .. } => return self.unknown_function(function),
            ResolveError::Count { expected, got, signatures } => {
                let wanted = match expected {
                    (least, Some(most)) if least == most => format!("{least}"),
                    (least, Some(most)) => format!("{least} to {most}"),
                    (least, None) => format!("at least {least}"),
                };
                let plural = if expected == (1, Some(1)) || expected == (1, None) { "" } else { "s" };
                let message = format!("`{name}` takes {wanted} argument{plural}, not {got}");
                written(signatures, Diagnostic::new(Code::E0204, message, span))
            }
            ResolveError::UnknownParameter { argument, candidates } => {
                let given = args.get(argument).and_then(|arg| arg.name.as_ref());
                let (text, place) = given.map_or(("", span), |name| (name.text.as_str(), name.span));
                let diagnostic =
                    Diagnostic::new(Code::E0204, format!("`{text}` is no free parameter of `{name}`"), place);
                match did_you_mean(text, &candidates) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(place, near.to_owned()),
                    None => diagnostic.help(format!("its parameters are {}", super::access::listed(&candidates))),
                }
            }
            ResolveError::MissingArgument { parameter, signature } => {
                Diagnostic::new(Code::E0204, format!("the argument `{parameter}` of `{name}` is missing"), span)
                    .note(format!("`{signature}`"))
            }
            ResolveError::Argument { argument, parameter, wanted, got, signatures } => {
                let diagnostic = Diagnostic::new(
                    Code::E0205,
                    format!("`{parameter}` of `{name}` takes {}, not `{got}`", super::access::listed(&wanted)),
                    at(argument),
                )
                .at(format!("this is `{got}`"));
                let diagnostic = written(signatures, diagnostic);
                match wanted.first().and_then(|wanted| crate::resolve_type::scalar(wanted)) {
                    Some(kind) => super::coerce::with_conversion(diagnostic, &got.kind, &kind, at(argument)),
                    None => diagnostic,
                }
            }
            ResolveError::Literal { argument, message } => {
                Diagnostic::new(Code::E0215, format!("`{name}` cannot use this: {message}"), argument.map_or(span, at))
            }
        })
    }
}

/// The file of the library's own text, which is in no package.
const LIBRARY: FileId = FileId(u32::MAX);

/// `let`s around a body, the first one outermost.
fn bind_all(bound: Vec<(LocalId, Expr)>, body: Expr, span: Span) -> Expr {
    bound.into_iter().rev().fold(body, |body, (local, value)| {
        let ty = body.ty.clone();
        Expr { kind: ExprKind::Let { local, value: Box::new(value), body: Box::new(body) }, ty, span }
    })
}

/// The library's text has no place in the package: what stands there is the call.
fn respanned(expr: &Expr, span: Span) -> Expr {
    // Arguments keep their own places; only nodes of the library's file move.
    fn walk(expr: &mut Expr, span: Span) {
        if expr.span.file == LIBRARY {
            expr.span = span;
        }
        expr.for_each_child_mut(|child| walk(child, span));
    }
    let mut expr = expr.clone();
    walk(&mut expr, span);
    expr
}
