//! Events of aggregations: which outputs of a resolver are their keys and columns.
//!
//! A column that is a feature set here is that feature's output; columns that are equal are one.
//!
//! This file must not know how state is kept.

use chalk_artifact::manifest::{Feed, ResolverOutput};
use chalk_diagnostics::Span;
use chalk_hir::program::{Expr, ExprKind, StreamResolver};

/// The feeds of a resolver, and the expressions whose values are outputs for them alone.
pub(super) struct Feeds<'a> {
    /// What the manifest says.
    pub(super) feeds: Vec<Feed>,
    /// One per output that follows those of the features.
    pub(super) events: Vec<&'a Expr>,
}

/// Finds the outputs of a resolver's feeds; `outputs` are those of its features.
pub(super) fn of_resolver<'a>(resolver: &'a StreamResolver, outputs: &[ResolverOutput]) -> Feeds<'a> {
    let mut events: Vec<&Expr> = Vec::new();
    let mut known: Vec<String> = Vec::new();
    let mut output_of = |expr: &'a Expr| {
        if let ExprKind::Feature(index) = expr.kind {
            let is_it = |output: &ResolverOutput| {
                matches!(output, ResolverOutput::Feature(feature) | ResolverOutput::Expression(feature)
                    if *feature as usize == index)
            };
            let output = outputs.iter().position(is_it);
            return output.expect("events are of features that the resolver sets or computes") as u32;
        }
        let text = text_of(expr);
        let position = known.iter().position(|other| *other == text).unwrap_or_else(|| {
            known.push(text);
            events.push(expr);
            known.len() - 1
        });
        (outputs.len() + position) as u32
    };
    let feeds = resolver
        .feeds
        .iter()
        .map(|feed| Feed {
            aggregation: feed.aggregation as u32,
            key: feed.key.as_ref().map(&mut output_of),
            columns: feed.columns.iter().map(&mut output_of).collect(),
        })
        .collect();
    Feeds { feeds, events }
}

/// The expression without its places: equal texts are equal expressions.
fn text_of(expr: &Expr) -> String {
    let mut expr = expr.clone();
    forget_places(&mut expr);
    format!("{expr:?}")
}

fn forget_places(expr: &mut Expr) {
    expr.span = Span::default();
    expr.for_each_child_mut(forget_places);
}
