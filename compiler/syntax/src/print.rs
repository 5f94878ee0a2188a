//! Writes an expression or a type as source text, on one line, with no more parentheses than it needs.
//!
//! What is written parses to the same tree. Layout over several lines and comments are the formatter's business.
//!
//! This module must not know where the tree came from.

use crate::ast::{Arg, BinaryOp, Expr, ExprKind, MatchTest, TypeExpr, TypeKind, UnaryOp};
use crate::literal::duration_text;

/// How tight a form binds; the same numbers as in the grammar's operator table.
const LOOSEST: u8 = 0;
const OR: u8 = 1;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const CAST: u8 = 8;
const SIGN: u8 = 9;
const POWER: u8 = 10;
const POSTFIX: u8 = 11;
const ATOM: u8 = 12;

/// The source text of an expression. An error node is written as `<error>`, which does not parse.
pub fn format_expr(expr: &Expr) -> String {
    let mut out = String::new();
    print(&mut out, expr, LOOSEST);
    out
}

/// The source text of a type. An error node is written as `<error>`, which does not parse.
pub fn format_type(ty: &TypeExpr) -> String {
    let mut out = String::new();
    print_type(&mut out, ty);
    out
}

fn binary_strength(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => OR,
        BinaryOp::And => 2,
        BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le => COMPARISON,
        BinaryOp::Gt | BinaryOp::Ge | BinaryOp::In | BinaryOp::NotIn => COMPARISON,
        BinaryOp::Coalesce => 5,
        BinaryOp::Add | BinaryOp::Sub => 6,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => 7,
        BinaryOp::Pow => POWER,
    }
}

fn strength(expr: &Expr) -> u8 {
    match &expr.kind {
        ExprKind::If { .. } => LOOSEST,
        ExprKind::Binary { op, .. } => binary_strength(*op),
        ExprKind::Unary { op: UnaryOp::Not, .. } => NOT,
        ExprKind::Unary { op: UnaryOp::Neg, .. } => SIGN,
        ExprKind::IsNone { .. } => COMPARISON,
        ExprKind::Cast { .. } => CAST,
        _ => ATOM,
    }
}

/// Writes an expression that stands where only forms of at least strength `least` may stand bare.
fn print(out: &mut String, expr: &Expr, least: u8) {
    if strength(expr) < least {
        out.push('(');
        print(out, expr, LOOSEST);
        out.push(')');
        return;
    }
    match &expr.kind {
        ExprKind::Error => out.push_str("<error>"),
        ExprKind::None => out.push_str("none"),
        ExprKind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        ExprKind::Int(value) => out.push_str(&value.to_string()),
        ExprKind::Float(value) => out.push_str(&format!("{value:?}")),
        ExprKind::String(text) => quote(out, text),
        ExprKind::Bytes(bytes) => quote_bytes(out, bytes),
        ExprKind::Duration(micros) => out.push_str(&duration_text(*micros)),
        ExprKind::Name(name) => out.push_str(&name.text),
        ExprKind::Field { base, name } => {
            print(out, base, POSTFIX);
            out.push('.');
            out.push_str(&name.text);
        }
        ExprKind::Index { base, index } => {
            print(out, base, POSTFIX);
            out.push('[');
            print(out, index, LOOSEST);
            out.push(']');
        }
        ExprKind::Slice { base, start, end } => {
            print(out, base, POSTFIX);
            out.push('[');
            start.iter().for_each(|start| print(out, start, LOOSEST));
            out.push_str("..");
            end.iter().for_each(|end| print(out, end, LOOSEST));
            out.push(']');
        }
        ExprKind::Call { function, type_args, args } => {
            out.push_str(&function.text);
            print_call(out, type_args, args);
        }
        ExprKind::Method { receiver, method, type_args, args } => {
            print(out, receiver, POSTFIX);
            out.push('.');
            out.push_str(&method.text);
            print_call(out, type_args, args);
        }
        ExprKind::Unary { op: UnaryOp::Neg, operand, .. } => {
            out.push('-');
            print(out, operand, SIGN);
        }
        ExprKind::Unary { op: UnaryOp::Not, operand, .. } => {
            out.push_str("not ");
            print(out, operand, NOT);
        }
        ExprKind::Binary { op, left, right, .. } => {
            let own = binary_strength(*op);
            // Comparisons do not chain; `**` groups to the right, the others to the left.
            let (least_left, least_right) = match own {
                COMPARISON => (own + 1, own + 1),
                POWER => (own + 1, own),
                _ => (own, own + 1),
            };
            print(out, left, least_left);
            out.push(' ');
            out.push_str(op.as_str());
            out.push(' ');
            print(out, right, least_right);
        }
        ExprKind::IsNone { operand, negated } => {
            print(out, operand, COMPARISON + 1);
            out.push_str(if *negated { " is not none" } else { " is none" });
        }
        ExprKind::Cast { operand, ty } => {
            print(out, operand, CAST);
            out.push_str(" as ");
            if matches!(ty.kind, TypeKind::Union(_)) {
                out.push('(');
                print_type(out, ty);
                out.push(')');
            } else {
                print_type(out, ty);
            }
        }
        ExprKind::If { condition, then, otherwise } => {
            out.push_str("if ");
            print(out, condition, LOOSEST);
            out.push_str(" then ");
            print(out, then, LOOSEST);
            out.push_str(" else ");
            print(out, otherwise, LOOSEST);
        }
        ExprKind::Match { subject, arms } => {
            out.push_str("match ");
            if let Some(subject) = subject {
                let text = format_expr(subject);
                // A brace after `match` would begin the arms.
                out.push_str(&if text.starts_with('{') { format!("({text}) ") } else { format!("{text} ") });
            }
            out.push_str("{ ");
            separated(out, arms, ", ", |out, arm| {
                match &arm.test {
                    MatchTest::Else(_) => out.push_str("else"),
                    MatchTest::When(tests) => separated(out, tests, " | ", |out, test| print(out, test, LOOSEST)),
                }
                out.push_str(" => ");
                print(out, &arm.value, LOOSEST);
            });
            out.push_str(" }");
        }
        ExprKind::Block { lets, value } => {
            out.push_str("{ ");
            for line in lets {
                out.push_str("let ");
                out.push_str(&line.name.text);
                if let Some(ty) = &line.ty {
                    out.push_str(": ");
                    print_type(out, ty);
                }
                out.push_str(" = ");
                print(out, &line.value, LOOSEST);
                out.push_str(", ");
            }
            print(out, value, LOOSEST);
            out.push_str(" }");
        }
        ExprKind::List(items) => {
            out.push('[');
            separated(out, items, ", ", |out, item| print(out, item, LOOSEST));
            out.push(']');
        }
        ExprKind::Map(entries) => {
            out.push('{');
            separated(out, entries, ", ", |out, (key, value)| {
                print(out, key, LOOSEST);
                out.push_str(": ");
                print(out, value, LOOSEST);
            });
            out.push('}');
        }
    }
}

fn separated<T>(out: &mut String, items: &[T], separator: &str, mut f: impl FnMut(&mut String, &T)) {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push_str(separator);
        }
        f(out, item);
    }
}

fn print_call(out: &mut String, type_args: &[TypeExpr], args: &[Arg]) {
    print_type_args(out, type_args);
    out.push('(');
    separated(out, args, ", ", |out, arg| {
        if let Some(name) = &arg.name {
            out.push_str(&name.text);
            out.push_str(": ");
        }
        print(out, &arg.value, LOOSEST);
    });
    out.push(')');
}

fn print_type_args(out: &mut String, types: &[TypeExpr]) {
    if !types.is_empty() {
        out.push('<');
        separated(out, types, ", ", print_type);
        out.push('>');
    }
}

fn print_type(out: &mut String, ty: &TypeExpr) {
    match &ty.kind {
        TypeKind::Error => out.push_str("<error>"),
        TypeKind::Named(path) => out.push_str(&path.text()),
        TypeKind::Optional(inner) => {
            if matches!(inner.kind, TypeKind::Union(_)) {
                out.push('(');
                print_type(out, inner);
                out.push(')');
            } else {
                print_type(out, inner);
            }
            // A space keeps two marks from being the operator `??`.
            out.push_str(if out.ends_with('?') { " ?" } else { "?" });
        }
        TypeKind::List(inner) => {
            out.push('[');
            print_type(out, inner);
            out.push(']');
        }
        TypeKind::Vector(inner, length) => {
            out.push('[');
            print_type(out, inner);
            out.push_str(&format!("; {}]", length.value));
        }
        TypeKind::Map(key, value) => {
            out.push_str("map<");
            print_type(out, key);
            out.push_str(", ");
            print_type(out, value);
            out.push('>');
        }
        TypeKind::Decimal(precision, scale) => {
            out.push_str(&format!("decimal({}, {})", precision.value, scale.value));
        }
        TypeKind::Union(types) => separated(out, types, " | ", |out, ty| {
            if matches!(ty.kind, TypeKind::Union(_)) {
                out.push('(');
                print_type(out, ty);
                out.push(')');
            } else {
                print_type(out, ty);
            }
        }),
        TypeKind::Generic(path, types) => {
            out.push_str(&path.text());
            print_type_args(out, types);
        }
    }
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn quote_bytes(out: &mut String, bytes: &[u8]) {
    out.push_str("b\"");
    for &byte in bytes {
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
}
