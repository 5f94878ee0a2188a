//! User functions: checked as declared, each after those that it calls, recursion refused.
//!
//! This file must not know how a call is replaced by a body.

use std::rc::Rc;

use chalk_diagnostics::{Code, Diagnostic};
use chalk_syntax::ast;

use crate::attributes::Attributes;
use crate::context::{Context, Reported, doc_of};
use crate::expr::{Checker, Root, Want};
use crate::messages::twice;
use crate::package::Entry;
use crate::program::Function;
use crate::resolve_type::Place;

/// Fills `context.functions`.
pub(crate) fn check(context: &mut Context) {
    let decls = context.package.functions.clone();
    context.functions = vec![None; decls.len()];
    let calls: Vec<Vec<(usize, chalk_diagnostics::Span)>> = decls.iter().map(|decl| calls_of(context, decl)).collect();
    let (order, recursive) = order_of(context, &calls);
    for index in order {
        let function = function(context, decls[index], recursive[index]).ok();
        context.functions[index] = function.map(Rc::new);
    }
}

fn function(context: &Context, decl: &ast::FnDecl, recursive: bool) -> Result<Function, Reported> {
    Attributes::new(context, &decl.attributes).finish("a function");
    let mut checker = Checker::new(context, Root::Closed);
    let mut params = Vec::new();
    let mut complete = true;
    for (position, param) in decl.params.iter().enumerate() {
        if let Some(first) = decl.params[..position].iter().find(|other| other.name.text == param.name.text) {
            context.report(twice("parameter", &param.name, &first.name));
            complete = false;
        }
        let ty = context.resolve_type(&param.ty, Place::new("the parameter", &param.name.text)).ok();
        complete &= ty.is_some();
        let local = checker.fresh_local();
        checker.bind_local(&param.name, local, ty.clone());
        if let Some(ty) = ty {
            params.push((param.name.text.clone(), local, ty));
        }
    }
    let returns = context.resolve_type(&decl.returns, Place::new("the result of", &decl.name.text));
    // A recursive function is reported; its body is checked all the same, with its calls unknown.
    let body = match &returns {
        Ok(ty) => checker.check_whole(&decl.body, ty, Want::new("the result of", &decl.name.text, decl.returns.span)),
        Err(Reported) => checker.check(&decl.body, None),
    };
    returns?;
    let body = body?;
    if recursive || !complete {
        return Err(Reported);
    }
    Ok(Function { name: decl.name.text.clone(), span: decl.name.span, doc: doc_of(&decl.doc), params, body })
}

/// The user functions that a body calls, with the places.
fn calls_of(context: &Context, decl: &ast::FnDecl) -> Vec<(usize, chalk_diagnostics::Span)> {
    let mut calls = Vec::new();
    let mut open = vec![&decl.body];
    while let Some(expr) = open.pop() {
        if let ast::ExprKind::Call { function, .. } = &expr.kind
            && let Some(Entry::Function(index)) = context.package.get(&function.text)
        {
            calls.push((index, function.span));
        }
        chalk_syntax::visit::children(expr, &mut |child| open.push(child));
    }
    calls
}

/// All functions, each after those that it calls, and which of them are part of a circle. Each circle is reported once.
fn order_of(context: &Context, calls: &[Vec<(usize, chalk_diagnostics::Span)>]) -> (Vec<usize>, Vec<bool>) {
    let decls = &context.package.functions;
    // 0: not seen, 1: on the path, 2: done.
    let mut state = vec![0u8; calls.len()];
    let mut recursive = vec![false; calls.len()];
    let mut order = Vec::with_capacity(calls.len());
    for start in 0..calls.len() {
        if state[start] != 0 {
            continue;
        }
        state[start] = 1;
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((function, next)) = path.last_mut() {
            let function = *function;
            let Some(&(callee, place)) = calls[function].get(*next) else {
                state[function] = 2;
                order.push(function);
                path.pop();
                continue;
            };
            *next += 1;
            match state[callee] {
                0 => {
                    state[callee] = 1;
                    path.push((callee, 0));
                }
                1 => {
                    let from = path.iter().position(|(other, _)| *other == callee).unwrap_or(0);
                    let mut steps: Vec<&str> = Vec::new();
                    for &(member, _) in &path[from..] {
                        recursive[member] = true;
                        steps.push(&decls[member].name.text);
                    }
                    steps.push(&decls[callee].name.text);
                    let name = &decls[callee].name;
                    context.report(
                        Diagnostic::new(Code::E0213, format!("the function `{}` calls itself", name.text), place)
                            .at(steps.join(" → "))
                            .label(name.span, "declared here")
                            .note("a call is replaced by the function's body, and this would never end")
                            .help("write it without recursion: `match` for cases, list functions for repetition"),
                    );
                }
                _ => {}
            }
        }
    }
    (order, recursive)
}
