//! Calls of library functions: resolved by the catalog, and assembled so that each parameter has its value.
//!
//! A function that is written in Chalk is replaced by its expression. Null travels the same way around both kinds: an argument that
//! may be null makes the result null, unless its parameter takes it.
//!
//! This file must not know which functions exist.

use std::rc::Rc;

use chalk_catalog::{ArgSource, ArgType, Body, ResolveError, Resolved, TypePattern};
use chalk_diagnostics::{Code, Diagnostic, FileId, Span, did_you_mean};
use chalk_syntax::ast;
use chalk_types::{Kind, Type, Value};

use super::call::bind_all;
use super::{Checker, What, constant};
use crate::constant;
use crate::context::{Checked, Reported};
use crate::package::Entry;
use crate::program::{Expr, ExprKind, LocalId};

/// The file of the library's own text, which is in no package.
const LIBRARY: FileId = FileId(u32::MAX);

impl Checker<'_, '_> {
    pub(super) fn call_library(&mut self, function: &ast::Name, args: &[ast::Arg], span: Span) -> Checked<Expr> {
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

    pub(super) fn unresolved(
        &self,
        function: &ast::Name,
        args: &[ast::Arg],
        error: ResolveError,
        span: Span,
    ) -> Reported {
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
                    format!("`{parameter}` of `{name}` takes {}, not `{got}`", super::access::either(&wanted)),
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
