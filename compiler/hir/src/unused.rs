//! Declarations that nothing refers to.
//!
//! This file must not know what a declaration means.

use chalk_diagnostics::{Code, Diagnostic};
use chalk_syntax::ast;

use crate::context::Context;

/// Warns about them; a package with errors may refer to them in the part that could not be read.
pub(crate) fn check(context: &Context) {
    if chalk_diagnostics::has_errors(&context.diagnostics.borrow()) {
        return;
    }
    let warn = |code: Code, what: &str, name: &ast::Name, help: &str| {
        if !context.is_used(&name.text) && !name.text.starts_with('_') {
            context.report(
                Diagnostic::new(code, format!("the {what} `{}` is never used", name.text), name.span).help(help),
            );
        }
    };
    for decl in &context.package.functions {
        warn(Code::W0101, "function", &decl.name, "call it, name it in a `parse` clause, or remove it");
    }
    for decl in &context.package.messages {
        warn(Code::W0102, "message", &decl.name, "use it in a resolver, a field or a function, or remove it");
    }
    for decl in &context.package.enums {
        warn(Code::W0102, "enum", &decl.name, "use it as the type of a field, or remove it");
    }
    for decl in &context.package.sources {
        warn(Code::W0103, "source", &decl.name, "read it in a stream resolver (`from …`), or remove it");
    }
}
