//! Names resolved, expressions typed, rules checked: from trees to a program, with every user mistake as a diagnostic.
//!
//! It goes over a package once, in stages: declarations by name, enums, messages, features, functions, resolvers. A
//! stage reports what is wrong and goes on with the rest, and whatever depends on a reported mistake stays silent.
//!
//! This crate must never know Cranelift or the runtime.

mod aggregations;
mod attributes;
mod bounds;
mod circles;
pub mod constant;
mod context;
mod dedup;
mod expr;
mod features;
mod feeds;
mod functions;
mod links;
mod materialize;
mod messages;
mod moment;
mod naming;
mod package;
pub mod program;
mod resolve_type;
mod signature;
mod sources;
mod sql;
mod streams;
mod tests;
mod unused;
mod windowed;
mod windows;

use std::rc::Rc;

use chalk_artifact::connector::ConnectorDef;
use chalk_catalog::Catalog;
use chalk_diagnostics::Diagnostic;
use chalk_syntax::ast;
use chalk_types::Kind;

use context::Context;
use expr::{Checker, Root};
pub use features::features_read;
pub use naming::snake_case;
use package::Package;
use program::{Expr, Program};
pub use sql::{PlannedSql, SqlColumn, SqlError, SqlPlanner};

/// A package, analysed.
#[derive(Debug, Default)]
pub struct Analysis {
    /// Complete only where no diagnostic is an error.
    pub program: Program,
    /// In the order of the source.
    pub diagnostics: Vec<Diagnostic>,
}

/// Checks the files of a package. Every tree is accepted, also of a text with syntax errors (whose diagnostics the parser has).
/// `sql` bodies are refused; see [`analyze_with_sql`].
pub fn analyze(files: &[&ast::File], catalog: &'static Catalog, connectors: &[&ConnectorDef]) -> Analysis {
    analyze_with_sql(files, catalog, connectors, None)
}

/// Checks the files of a package, with a planner of queries where there is one.
pub fn analyze_with_sql(
    files: &[&ast::File],
    catalog: &'static Catalog,
    connectors: &[&ConnectorDef],
    sql: Option<&dyn SqlPlanner>,
) -> Analysis {
    let mut diagnostics = Vec::new();
    let package = Package::gather(files, |name| is_library_name(catalog, name), &mut diagnostics);
    let mut context = Context::new(package, catalog, connectors, diagnostics);
    context.sql = sql;
    messages::check_enums(&mut context);
    let message_types = messages::check_types(&mut context);
    let messages = messages::check_fields(&context, &message_types);
    links::check_types(&mut context);
    functions::check(&mut context);
    let sources = sources::check(&context);
    let mut classes = features::check(&context);
    let mut resolvers = streams::check(&context, &mut classes);
    features::order(&context, &mut classes);
    let aggregations = feeds::check(&context, &mut classes, &mut resolvers);
    circles::check(&context, &classes);
    bounds::check(&context, &classes, &aggregations);
    let tests = tests::check(&context, &classes, &resolvers);
    unused::check(&context);
    let Context { diagnostics, enums, functions, .. } = context;
    let mut diagnostics = diagnostics.into_inner();
    chalk_diagnostics::sort(&mut diagnostics);
    let functions = functions.into_iter().flatten().filter_map(Rc::into_inner).collect();
    Analysis {
        program: Program { messages, enums, sources, classes, resolvers, aggregations, tests, functions },
        diagnostics,
    }
}

/// Checks a single `bool` expression without names, for examples and tools (the library's examples are such).
pub fn analyze_condition(expr: &ast::Expr, catalog: &'static Catalog) -> Result<Expr, Vec<Diagnostic>> {
    let (expr, mut diagnostics) = analyze_expression(expr, catalog);
    match expr {
        Some(expr) if expr.ty.kind == Kind::Bool => Ok(expr),
        Some(expr) => {
            diagnostics.push(Diagnostic::new(
                chalk_diagnostics::Code::E0208,
                format!("an example is `{}`, not `bool`", expr.ty),
                expr.span,
            ));
            Err(diagnostics)
        }
        None => Err(diagnostics),
    }
}

/// Checks a single expression that reads nothing; warnings come along with it.
pub fn analyze_expression(expr: &ast::Expr, catalog: &'static Catalog) -> (Option<Expr>, Vec<Diagnostic>) {
    let context = Context::new(Package::default(), catalog, &[], Vec::new());
    let mut checker = Checker::new(&context, Root::Closed);
    let checked = checker.check(expr, None).ok().filter(|checked| checker.check_depth(checked).is_ok());
    drop(checker);
    (checked, context.diagnostics.into_inner())
}

/// A function of the library, or one of the language's own.
fn is_library_name(catalog: &Catalog, name: &str) -> bool {
    matches!(name, "header" | "recover" | "json_deserialize" | "proto_deserialize" | "avro_deserialize" | "env")
        || catalog.overloads(name).any(|function| !function.def.hidden)
}
