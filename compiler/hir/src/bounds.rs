//! State without a bound: an aggregate that keeps every different value, or every event, needs a window or the word that this is meant.
//!
//! It is checked over the finished program, because an aggregate may be reached from several features and windows are
//! given to it from outside.
//!
//! This file must not know how collections are checked.

use chalk_catalog::aggregate::Growth;
use chalk_diagnostics::{Code, Diagnostic, Span};

use crate::context::Context;
use crate::program::{Aggregation, AggregationKind, Expr, ExprKind, FeatureClass};

/// Refuses what grows without an end and does not say so.
pub(crate) fn check(context: &Context, classes: &[FeatureClass], aggregations: &[Aggregation]) {
    for class in classes {
        for feature in class.features.iter().filter(|feature| !feature.unbounded) {
            let mut reads = Vec::new();
            feature.expression.iter().for_each(|expression| aggregates_read(expression, &mut reads));
            for (aggregate, place) in reads {
                let value = &class.aggregates[aggregate];
                let aggregation = &aggregations[value.aggregation];
                let leaf = &aggregation.leaves[value.leaf];
                if aggregation.kind != AggregationKind::Total || leaf.aggregate.growth != Growth::Unbounded {
                    continue;
                }
                let name = feature.window.as_ref().map_or(&feature.name, |window| &window.feature);
                context.report(
                    Diagnostic::new(Code::E0421, format!("`{name}` keeps all that ever came"), place)
                        .at(format!("what `{}` keeps grows with every different value", leaf.aggregate.name))
                        .label(feature.span, "neither a window nor `@unbounded` stands here")
                        .note("state without an end takes the memory of the machine sooner or later")
                        .help(format!(
                            "give it a window: `{name}: … over [30d] = …`; or write `@unbounded` before it, if there are few values by nature"
                        )),
                );
            }
        }
    }
}

/// The aggregates that an expression reads, by position in the class, with the place of each.
fn aggregates_read(expr: &Expr, found: &mut Vec<(usize, Span)>) {
    if let ExprKind::Aggregate(aggregate) = expr.kind {
        found.push((aggregate, expr.span));
    }
    expr.for_each_child(|child| aggregates_read(child, found));
}
