//! Which messages become events of which aggregation, once classes and resolvers are known.
//!
//! A resolver feeds the collections of its class's rows wherever it sets all that an aggregation reads, the foreign key included;
//! features computed from what it sets count as set. Windows need a clock: a resolver that feeds one says which.
//!
//! This file must not know how aggregates are typed or kept.

use chalk_diagnostics::{Code, Diagnostic};

use crate::aggregations::{Draft, Events, Keeping};
use crate::context::Context;
use crate::expr::{copied, either, next_local};
use crate::features::features_read;
use crate::program::{Aggregation, Expr, ExprKind, FeatureClass, Feed, StreamResolver};

/// Gives resolvers their feeds and classes what they read, and finishes the aggregations.
pub(crate) fn check(
    context: &Context,
    classes: &mut [FeatureClass],
    resolvers: &mut [StreamResolver],
) -> Vec<Aggregation> {
    let mut registry = context.aggregations.take();
    for (index, class) in classes.iter_mut().enumerate() {
        class.aggregates = registry.values_of(index);
    }
    let rows_are_right = refuse_aggregates_of_rows(context, classes, &registry.drafts);
    if rows_are_right {
        feed(context, classes, resolvers, &registry.drafts);
    }
    registry.finish()
}

/// What a resolver knows of the features of its class.
fn known(class: &FeatureClass, resolver: &StreamResolver) -> Vec<bool> {
    let mut known = vec![false; class.features.len()];
    resolver.assignments.iter().for_each(|(feature, _)| known[*feature] = true);
    for &feature in &class.expression_order {
        let Some(expression) = &class.features[feature].expression else { continue };
        known[feature] = !reads_others(expression) && features_read(expression).iter().all(|(read, _)| known[*read]);
    }
    known
}

/// What is behind features that a resolver does not know: those that it would have to set.
fn unset(class: &FeatureClass, known: &[bool], missing: Vec<usize>) -> Vec<usize> {
    let mut unset = Vec::new();
    let mut seen = vec![false; class.features.len()];
    let mut open = missing;
    while let Some(feature) = open.pop() {
        if known[feature] || std::mem::replace(&mut seen[feature], true) {
            continue;
        }
        match &class.features[feature].expression {
            Some(expression) => open.extend(features_read(expression).into_iter().map(|(read, _)| read)),
            None => unset.push(feature),
        }
    }
    unset.sort_unstable();
    unset
}

/// Whether an expression reads aggregates or other classes.
fn reads_others(expr: &Expr) -> bool {
    let mut found = matches!(expr.kind, ExprKind::Aggregate(_) | ExprKind::Linked { .. });
    expr.for_each_child(|child| found = found || reads_others(child));
    found
}

fn feed(context: &Context, classes: &[FeatureClass], resolvers: &mut [StreamResolver], drafts: &[Draft]) {
    let mut without_clock: Vec<usize> = Vec::new();
    let mut starving: Vec<&Events> = Vec::new();
    for (aggregation, draft) in drafts.iter().enumerate() {
        let Events::Collection { row_class, foreign_key, .. } = &draft.events else { continue };
        let class = &classes[*row_class];
        let key = Expr {
            kind: ExprKind::Feature(*foreign_key),
            ty: class.features[*foreign_key].ty.clone(),
            span: class.features[*foreign_key].span,
        };
        let mut reads = vec![*foreign_key];
        for column in &draft.columns {
            reads.extend(features_read(column).into_iter().map(|(feature, _)| feature));
        }
        reads.sort_unstable();
        reads.dedup();
        let mut is_fed = false;
        // The resolver that lacks the least, for the warning.
        let mut nearest: Option<(usize, Vec<usize>)> = None;
        for (index, resolver) in resolvers.iter_mut().enumerate() {
            if resolver.class != *row_class || resolver.window.is_some() {
                continue;
            }
            let known = known(class, resolver);
            let missing: Vec<usize> = reads.iter().copied().filter(|read| !known[*read]).collect();
            if !missing.is_empty() {
                if nearest.as_ref().is_none_or(|(_, least)| missing.len() < least.len()) {
                    nearest = Some((index, missing));
                }
                continue;
            }
            is_fed = true;
            if matches!(draft.keeping, Keeping::Materialized(_)) && !resolver.updates_materialized {
                continue;
            }
            if draft.is_windowed() && resolver.timestamp.is_none() && !without_clock.contains(&index) {
                without_clock.push(index);
                context.report(no_clock(class, resolver, draft));
            }
            let mut next = next_local(resolver);
            let columns = draft.columns.iter().map(|column| copied(column, &mut next)).collect();
            resolver.feeds.push(Feed { aggregation, key: Some(key.clone()), columns });
        }
        if !is_fed && !starving.contains(&&draft.events) && !context.package.streams.is_empty() {
            starving.push(&draft.events);
            let diagnostic = Diagnostic::new(Code::W0204, format!("no resolver feeds `{}`", draft.name()), draft.span);
            context.report(match nearest {
                Some((index, missing)) => {
                    let unset = unset(class, &known(class, &resolvers[index]), missing);
                    let names: Vec<&str> = unset.iter().map(|feature| class.features[*feature].name.as_str()).collect();
                    let resolver = &resolvers[index];
                    diagnostic
                        .label(resolver.span, format!("writes `{}`, and does not set {}", class.name, either(&names)))
                        .note("a message counts where its resolver sets all that the aggregates read")
                        .help("set it there, or leave it out of the aggregates")
                }
                None => diagnostic.at(format!("no stream resolver writes `{}`", class.name)).help(format!(
                    "write one, `stream …(msg: …) -> {}`: until then every aggregate is empty",
                    class.name
                )),
            });
        }
    }
}

/// A window without a clock (E0440), for a resolver that writes rows.
fn no_clock(class: &FeatureClass, resolver: &StreamResolver, draft: &Draft) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        Code::E0440,
        format!("the resolver `{}` feeds windows, and does not say when a message happened", resolver.name),
        resolver.span,
    )
    .label(draft.span, format!("`{}` is aggregated over windows", draft.name()));
    let diagnostic =
        diagnostic.note("which window an event is in is a matter of its time, so the clock is not left open");
    let time = class.time.map(|time| &class.features[time].name);
    match time {
        Some(time) => diagnostic.help(format!(
            "set the event time, `{time} = …`; or add a line `timestamp …`: `timestamp envelope.timestamp` is the broker's clock"
        )),
        None => diagnostic.help(format!(
            "mark the event time of `{}`, `@time at: datetime`, and set it; or add a line `timestamp …`: `timestamp \
             envelope.timestamp` is the broker's clock",
            class.name
        )),
    }
}

/// Rows are taken up when they arrive: they read no aggregate and no other class. Whether all is well.
fn refuse_aggregates_of_rows(context: &Context, classes: &[FeatureClass], drafts: &[Draft]) -> bool {
    let mut reported = Vec::new();
    for draft in drafts {
        let Events::Collection { row_class, .. } = &draft.events else { continue };
        let class = &classes[*row_class];
        for column in &draft.columns {
            for (feature, span) in features_read(column) {
                let Some(through) = reads_of_others(class, feature) else { continue };
                if reported.contains(&span) {
                    continue;
                }
                reported.push(span);
                let (read, cause) = (&class.features[feature], &class.features[through]);
                let what = match cause.window.is_some() || cause.expression.is_some() {
                    true if through == feature => "is computed when it is asked for".to_owned(),
                    _ => format!("reads `{}`, which is computed when it is asked for", cause.name),
                };
                context.report(
                    Diagnostic::new(
                        Code::E0435,
                        format!("a row cannot be aggregated by `{}`: it {what}", read.name),
                        span,
                    )
                    .label(cause.span, "over aggregates or another class")
                    .note("aggregates take up a row when it arrives, and do not change when other rows do")
                    .help("aggregate what the row itself says, and combine aggregates in a feature"),
                );
            }
        }
    }
    reported.is_empty()
}

/// The feature through which a feature reads aggregates or other classes, itself included.
fn reads_of_others(class: &FeatureClass, feature: usize) -> Option<usize> {
    let mut seen = vec![false; class.features.len()];
    let mut open = vec![feature];
    while let Some(feature) = open.pop() {
        if std::mem::replace(&mut seen[feature], true) {
            continue;
        }
        let Some(expression) = &class.features[feature].expression else { continue };
        if reads_others(expression) {
            return Some(feature);
        }
        open.extend(features_read(expression).into_iter().map(|(read, _)| read));
    }
    None
}
