//! Walks over a tree: the children of an expression, and all expressions of a declaration.
//!
//! This module must not know why somebody walks.

use crate::ast::{Attribute, ClauseKind, Expected, Expr, ExprKind, Field, Item, MatchTest, StreamBody, TestStepKind};

/// Calls `f` with each direct part of an expression, in the order of the text.
pub fn children<'a>(expr: &'a Expr, f: &mut impl FnMut(&'a Expr)) {
    match &expr.kind {
        ExprKind::Error
        | ExprKind::None
        | ExprKind::Bool(_)
        | ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::String(_)
        | ExprKind::Bytes(_)
        | ExprKind::Duration(_)
        | ExprKind::Name(_) => {}
        ExprKind::Field { base, .. } => f(base),
        ExprKind::Index { base, index } => {
            f(base);
            f(index);
        }
        ExprKind::Slice { base, start, end } => {
            f(base);
            start.iter().chain(end).for_each(|bound| f(bound));
        }
        ExprKind::Call { args, .. } => args.iter().for_each(|arg| f(&arg.value)),
        ExprKind::Method { receiver, args, .. } => {
            f(receiver);
            args.iter().for_each(|arg| f(&arg.value));
        }
        ExprKind::Unary { operand, .. } | ExprKind::IsNone { operand, .. } | ExprKind::Cast { operand, .. } => {
            f(operand)
        }
        ExprKind::Binary { left, right, .. } => {
            f(left);
            f(right);
        }
        ExprKind::If { condition, then, otherwise } => {
            f(condition);
            f(then);
            f(otherwise);
        }
        ExprKind::Match { subject, arms } => {
            subject.iter().for_each(|subject| f(subject));
            for arm in arms {
                if let MatchTest::When(tests) = &arm.test {
                    tests.iter().for_each(&mut *f);
                }
                f(&arm.value);
            }
        }
        ExprKind::Block { lets, value } => {
            lets.iter().for_each(|line| f(&line.value));
            f(value);
        }
        ExprKind::List(items) => items.iter().for_each(f),
        ExprKind::Map(entries) => {
            for (key, value) in entries {
                f(key);
                f(value);
            }
        }
    }
}

/// Calls `f` with each outermost expression of a declaration.
pub fn exprs_of_item<'a>(item: &'a Item, f: &mut impl FnMut(&'a Expr)) {
    match item {
        Item::Import(item) => attributes(&item.attributes, f),
        Item::Source(item) => {
            attributes(&item.attributes, f);
            item.connector.args.iter().for_each(|arg| f(&arg.value));
        }
        Item::Features(item) => {
            attributes(&item.attributes, f);
            fields(&item.fields, f);
        }
        Item::Message(item) => {
            attributes(&item.attributes, f);
            fields(&item.fields, f);
        }
        Item::Enum(item) => {
            attributes(&item.attributes, f);
            item.variants.iter().for_each(|variant| attributes(&variant.attributes, f));
        }
        Item::Fn(item) => {
            attributes(&item.attributes, f);
            f(&item.body);
        }
        Item::Stream(item) => {
            attributes(&item.attributes, f);
            for clause in &item.clauses {
                match &clause.kind {
                    ClauseKind::From(_) | ClauseKind::Parse(_) | ClauseKind::Sink(_) => {}
                    ClauseKind::Where(expr) | ClauseKind::Timestamp(expr) | ClauseKind::By(expr) => f(expr),
                    ClauseKind::Dedup { key, within } => {
                        f(key);
                        within.iter().for_each(&mut *f);
                    }
                    ClauseKind::Window(window) => window.args.iter().for_each(|arg| f(&arg.value)),
                }
            }
            if let StreamBody::Assignments(assignments) = &item.body {
                assignments.iter().for_each(|assignment| f(&assignment.value));
            }
        }
        Item::Online(item) => {
            attributes(&item.attributes, f);
            item.body.iter().for_each(|assignment| f(&assignment.value));
        }
        Item::ExternOnline(item) => {
            attributes(&item.attributes, f);
            f(&item.at);
        }
        Item::Test(item) => {
            attributes(&item.attributes, f);
            for step in &item.steps {
                step.at.iter().for_each(&mut *f);
                match &step.kind {
                    TestStepKind::Given(given) => {
                        f(&given.value);
                        given.headers.iter().for_each(|header| f(&header.value));
                        given.prefix.iter().for_each(&mut *f);
                    }
                    TestStepKind::Expect(Expected::Fate(_)) => {}
                    TestStepKind::Expect(Expected::Values { key, values, .. }) => {
                        key.iter().for_each(&mut *f);
                        for value in values {
                            value.window.iter().for_each(&mut *f);
                            f(&value.value);
                        }
                    }
                }
            }
        }
    }
}

fn attributes<'a>(attributes: &'a [Attribute], f: &mut impl FnMut(&'a Expr)) {
    attributes.iter().flat_map(|attribute| &attribute.args).for_each(|arg| f(&arg.value));
}

fn fields<'a>(fields: &'a [Field], f: &mut impl FnMut(&'a Expr)) {
    for field in fields {
        attributes(&field.attributes, f);
        field.windows.iter().flat_map(|windows| &windows.windows).for_each(&mut *f);
        field.value.iter().for_each(&mut *f);
    }
}
