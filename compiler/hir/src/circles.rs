//! Circles over classes: what is computed in one class may read what is computed in another, but not the other way as well.
//!
//! A query computes all features of a class at once, so the order is one of classes. Features that resolvers set are there before
//! anything is computed, and may be read in any direction.
//!
//! This file must not know how links are declared.

use chalk_diagnostics::{Code, Diagnostic, Span};

use crate::context::Context;
use crate::program::{Expr, ExprKind, FeatureClass};

/// Refuses each circle once.
pub(crate) fn check(context: &Context, classes: &[FeatureClass]) {
    let reads: Vec<Vec<(usize, Span)>> = classes.iter().map(|class| computed_elsewhere(class, classes)).collect();
    // 0 = not looked at, 1 = on the path, 2 = done.
    let mut state = vec![0u8; classes.len()];
    for start in 0..classes.len() {
        if state[start] != 0 {
            continue;
        }
        state[start] = 1;
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((class, next)) = path.last_mut() {
            let class = *class;
            let Some(&(other, place)) = reads[class].get(*next) else {
                state[class] = 2;
                path.pop();
                continue;
            };
            *next += 1;
            match state[other] {
                0 => {
                    state[other] = 1;
                    path.push((other, 0));
                }
                1 => {
                    let from = path.iter().position(|(member, _)| *member == other).unwrap_or(0);
                    let mut names: Vec<&str> =
                        path[from..].iter().map(|(member, _)| classes[*member].name.as_str()).collect();
                    names.push(&classes[other].name);
                    context.report(
                        Diagnostic::new(
                            Code::E0443,
                            format!("computed features of `{}` depend on themselves", classes[other].name),
                            place,
                        )
                        .at(names.join(" → "))
                        .label(classes[other].span, "declared here")
                        .note("features of a class are computed together, so classes that read what others compute have an order")
                        .help("read a feature that a resolver sets instead, or compute this one in the other class"),
                    );
                }
                _ => {}
            }
        }
    }
}

/// The classes whose computed features a class reads, with the first place of each.
fn computed_elsewhere(class: &FeatureClass, classes: &[FeatureClass]) -> Vec<(usize, Span)> {
    let mut found: Vec<(usize, Span)> = Vec::new();
    let mut open: Vec<&Expr> = class.features.iter().filter_map(|feature| feature.expression.as_ref()).collect();
    open.reverse();
    while let Some(expr) = open.pop() {
        if let ExprKind::Linked { class: other, feature, .. } = expr.kind
            && classes[other].features[feature].expression.is_some()
            && !found.iter().any(|(known, _)| *known == other)
        {
            found.push((other, expr.span));
        }
        expr.for_each_child(|child| open.push(child));
    }
    found
}
