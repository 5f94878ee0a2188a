//! Which messages become events of which aggregation, once classes and resolvers are known.
//!
//! A resolver feeds an aggregate of its class's rows wherever it sets all that the aggregate reads, the foreign key included;
//! features computed from what it sets count as set. Aggregates that share an aggregation do not meddle with each other: what one of
//! them reads and the resolver does not know is null in the event, which that one passes over. Windows need a clock: a
//! resolver that feeds one says which.
//!
//! This file must not know how aggregates are typed or kept.

use chalk_diagnostics::{Code, Diagnostic};
use chalk_types::Value;

use crate::aggregations::{Draft, Events, Keeping};
use crate::context::Context;
use crate::expr::{copied, either, next_local};
use crate::features::features_read;
use crate::program::{Aggregation, Expr, ExprKind, FeatureClass, Feed, Leaf, StreamResolver};

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
        feed(context, classes, resolvers, &mut registry.drafts);
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

fn feed(context: &Context, classes: &[FeatureClass], resolvers: &mut [StreamResolver], drafts: &mut [Draft]) {
    let mut without_clock: Vec<usize> = Vec::new();
    // A resolver that is wrong may be the one that is missed.
    let all_are_known = !resolvers.is_empty() && resolvers.len() == context.package.streams.len();
    let mut starving: Vec<Events> = Vec::new();
    for (aggregation, draft) in drafts.iter_mut().enumerate() {
        let Events::Collection { row_class, foreign_key, .. } = draft.events else { continue };
        let class = &classes[row_class];
        let key = Expr {
            kind: ExprKind::Feature(foreign_key),
            ty: class.features[foreign_key].ty.clone(),
            span: class.features[foreign_key].span,
        };
        let mut is_fed = vec![false; draft.leaves.len()];
        for (index, resolver) in resolvers.iter_mut().enumerate() {
            if resolver.class != row_class || resolver.window.is_some() {
                continue;
            }
            let known = known(class, resolver);
            let columns: Vec<bool> = draft.columns.iter().map(|column| lacks(column, &known).is_empty()).collect();
            let counts: Vec<bool> = draft
                .leaves
                .iter()
                .map(|leaf| known[foreign_key] && leaf_columns(leaf).all(|column| columns[column]))
                .collect();
            if !counts.contains(&true) {
                continue;
            }
            is_fed.iter_mut().zip(counts).for_each(|(fed, counts)| *fed |= counts);
            if matches!(draft.keeping, Keeping::Materialized(_)) && !resolver.updates_materialized {
                continue;
            }
            if draft.needs_time() && resolver.timestamp.is_none() && !without_clock.contains(&index) {
                without_clock.push(index);
                context.report(no_clock(class, resolver, draft));
            }
            let mut next = next_local(resolver);
            let columns = draft.columns.iter_mut().zip(columns).map(|(column, is_known)| {
                if is_known {
                    return copied(column, &mut next);
                }
                // Null is passed over by every aggregate that reads it.
                column.ty = column.ty.to_optional();
                Expr { kind: ExprKind::Const(Value::Null), ty: column.ty.clone(), span: column.span }
            });
            let feed = Feed { aggregation, key: Some(key.clone()), columns: columns.collect() };
            resolver.feeds.push(feed);
        }
        if !all_are_known || !is_fed.contains(&false) {
            continue;
        }
        if is_fed.contains(&true) {
            for (leaf, _) in draft.leaves.iter().zip(is_fed).filter(|(_, fed)| !fed) {
                let reads = leaf_columns(leaf).map(|column| &draft.columns[column]).collect();
                let diagnostic = Diagnostic::new(Code::W0204, "no resolver feeds this aggregate", leaf.span);
                context.report(starves(diagnostic, class, resolvers, (row_class, foreign_key), reads));
            }
        } else if !starving.contains(&draft.events) {
            starving.push(draft.events.clone());
            let diagnostic = Diagnostic::new(Code::W0204, format!("no resolver feeds `{}`", draft.name()), draft.span);
            let reads = draft.columns.iter().collect();
            context.report(starves(diagnostic, class, resolvers, (row_class, foreign_key), reads));
        }
    }
}

/// The columns that an aggregate reads.
fn leaf_columns(leaf: &Leaf) -> impl Iterator<Item = usize> {
    leaf.filter.into_iter().chain(leaf.args.iter().copied())
}

/// The features that an expression reads and that are not known.
fn lacks(expr: &Expr, known: &[bool]) -> Vec<usize> {
    features_read(expr).into_iter().map(|(feature, _)| feature).filter(|feature| !known[*feature]).collect()
}

/// What the resolver nearest to feeding these columns would have to set.
fn starves(
    diagnostic: Diagnostic,
    class: &FeatureClass,
    resolvers: &[StreamResolver],
    (row_class, foreign_key): (usize, usize),
    reads: Vec<&Expr>,
) -> Diagnostic {
    let nearest = resolvers
        .iter()
        .filter(|resolver| resolver.class == row_class && resolver.window.is_none())
        .map(|resolver| {
            let known = known(class, resolver);
            let mut missing: Vec<usize> = reads.iter().flat_map(|read| lacks(read, &known)).collect();
            missing.extend((!known[foreign_key]).then_some(foreign_key));
            (resolver, unset(class, &known, missing))
        })
        .min_by_key(|(_, unset)| unset.len());
    match nearest {
        Some((resolver, unset)) => {
            let names: Vec<&str> = unset.iter().map(|feature| class.features[*feature].name.as_str()).collect();
            diagnostic
                .label(resolver.span, format!("writes `{}`, and does not set {}", class.name, either(&names)))
                .note("a message counts where its resolver sets all that the aggregate reads")
                .help("set it there, or leave it out of the aggregate")
        }
        None => diagnostic
            .at(format!("no stream resolver writes `{}`", class.name))
            .help(format!("write one, `stream …(msg: …) -> {}`: until then every aggregate is empty", class.name)),
    }
}

/// A window without a clock (E0440), for a resolver that writes rows.
fn no_clock(class: &FeatureClass, resolver: &StreamResolver, draft: &Draft) -> Diagnostic {
    let (what, how) = match draft.is_windowed() {
        true => ("windows", "over windows"),
        false => ("aggregates that go by time", "by time"),
    };
    let diagnostic = Diagnostic::new(
        Code::E0440,
        format!("the resolver `{}` feeds {what}, and does not say when a message happened", resolver.name),
        resolver.span,
    )
    .label(draft.span, format!("`{}` is aggregated {how}", draft.name()))
    .note("the time of an event decides what it counts for, so the clock is not left open");
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
