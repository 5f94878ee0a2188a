//! Rules of the grammar that are better said with a finished tree at hand: chained comparisons, the last arm, the order of clauses.
//!
//! This module must not know types or what names stand for.

use chalk_diagnostics::{Code, Diagnostic, Span};

use crate::ast::{BinaryOp, Clause, ClauseKind, Expr, ExprKind, File, Item, MatchTest};
use crate::visit::{children, exprs_of_item};

/// Checks a tree.
pub(crate) fn check(file: &File, diagnostics: &mut Vec<Diagnostic>) {
    for item in &file.items {
        exprs_of_item(item, &mut |expr| check_expr(expr, diagnostics));
        if let Item::Stream(stream) = item {
            check_clauses(&stream.clauses, diagnostics);
        }
    }
}

fn check_expr(expr: &Expr, diagnostics: &mut Vec<Diagnostic>) {
    match &expr.kind {
        ExprKind::Binary { op, op_span, left, .. } if is_comparison(*op) => {
            check_chain(left, *op_span, diagnostics);
        }
        ExprKind::IsNone { operand, .. } => {
            check_chain(operand, expr.span, diagnostics);
        }
        ExprKind::Match { arms, .. } => {
            let otherwise = arms.iter().position(|arm| matches!(arm.test, MatchTest::Else(_)));
            if let Some(at) = otherwise
                && at + 1 < arms.len()
                && let MatchTest::Else(span) = arms[at].test
            {
                diagnostics.push(
                    Diagnostic::new(Code::E0007, "`else` is the last arm of a match", span)
                        .label(arms[at + 1].span, "this arm is never reached"),
                );
            }
        }
        _ => {}
    }
    children(expr, &mut |child| check_expr(child, diagnostics));
}

fn is_comparison(op: BinaryOp) -> bool {
    use BinaryOp::{Eq, Ge, Gt, In, Le, Lt, Ne, NotIn};
    matches!(op, Eq | Ne | Lt | Le | Gt | Ge | In | NotIn)
}

/// Reports a comparison whose left operand is a comparison without parentheses. Those would widen its span.
fn check_chain(left: &Expr, op_span: Span, diagnostics: &mut Vec<Diagnostic>) {
    let (first, second) = match &left.kind {
        ExprKind::Binary { op, left: inner, right, .. } if is_comparison(*op) => (inner, Some((*op, right))),
        ExprKind::IsNone { operand, .. } => (operand, None),
        _ => return,
    };
    if first.span.start != left.span.start {
        return;
    }
    let diagnostic = Diagnostic::new(Code::E0010, "comparisons cannot be chained", op_span)
        .label(left.span, "this is a comparison already");
    let range = matches!(second, Some((BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge, _)));
    diagnostics.push(if range {
        diagnostic.help("write both comparisons: `a < b and b < c`")
    } else {
        diagnostic.help("put parentheses around one of them, or join two with `and`")
    });
}

/// The place of a clause in the order of the language.
fn rank(kind: &ClauseKind) -> (u8, &'static str) {
    match kind {
        ClauseKind::From(_) => (0, "from"),
        ClauseKind::Where(_) => (1, "where"),
        ClauseKind::Parse(_) => (2, "parse"),
        ClauseKind::Timestamp(_) => (4, "timestamp"),
        ClauseKind::Dedup { .. } => (5, "dedup"),
        ClauseKind::Window(_) => (6, "window"),
        ClauseKind::By(_) => (7, "by"),
        ClauseKind::Sink(_) => (8, "sink"),
    }
}

fn check_clauses(clauses: &[Clause], diagnostics: &mut Vec<Diagnostic>) {
    let mut last: Option<(u8, &'static str, Span)> = None;
    for (i, clause) in clauses.iter().enumerate() {
        let (mut rank, name) = rank(&clause.kind);
        let is_where = matches!(clause.kind, ClauseKind::Where(_));
        let first = if is_where { None } else { clauses[..i].iter().find(|other| self::rank(&other.kind).1 == name) };
        if let Some(first) = first {
            diagnostics.push(
                Diagnostic::new(Code::E0014, format!("a second `{name}` clause"), clause.span)
                    .label(first.span, "the first one"),
            );
            continue;
        }
        if let Some((last_rank, last_name, last_span)) = last {
            // `where` stands before or after `parse`; `timestamp` also after the window that it is the clock of.
            let floats = match clause.kind {
                _ if is_where => (2..=3).contains(&last_rank),
                ClauseKind::Timestamp(_) => (6..=7).contains(&last_rank),
                _ => false,
            };
            if floats {
                rank = last_rank.max(3);
            }
            if rank < last_rank {
                let order =
                    "the order is `from`, `where`, `parse`, `where`, `timestamp`, `dedup`, `window`, `by`, `sink`";
                diagnostics.push(
                    Diagnostic::new(Code::E0014, format!("`{name}` stands before `{last_name}`"), clause.span)
                        .label(last_span, format!("this `{last_name}` runs after it"))
                        .help(order),
                );
                continue;
            }
        }
        last = Some((rank, name, clause.span));
    }
}
